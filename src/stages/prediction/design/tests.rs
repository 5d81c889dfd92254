use super::*;
use crate::problem::{Code, Step};
use crate::stages::contract::Failure;
use crate::table::{AS_OF, Class, Column, Role, TableSchema};
use ndarray::array;
use polars::prelude::{DataFrame, DataType, IntoColumn, Series, TimeUnit, df};

fn schema() -> TableSchema {
    let plain = Column::new;
    let label = Column { role: Role::Label { horizon_days: 30 }, ..plain("buys", DataType::Boolean) };
    let columns = vec![
        plain("customer", DataType::Int64).class(Class::DirectId),
        plain(AS_OF, DataType::Date),
        plain("spend", DataType::Float64),
        plain("price", DataType::Decimal(12, 2)),
        plain("member", DataType::Boolean),
        plain("country", DataType::String).class(Class::QuasiId),
        plain("email", DataType::String).class(Class::DirectId),
        plain("last", DataType::Datetime(TimeUnit::Microseconds, None)),
        plain("vector", DataType::List(Box::new(DataType::Float32))),
        label,
    ];
    TableSchema { columns, key: vec!["customer".into(), AS_OF.into()], ..TableSchema::default() }
}

#[test]
fn all_is_what_can_be_a_feature() {
    assert_eq!(Choice::All.columns(&schema(), &[]).unwrap(), ["spend", "price", "member", "country"]);
    let mut nothing = schema();
    nothing.columns.truncate(2);
    let problems = Choice::All.columns(&nothing, &[]).unwrap_err();
    assert_eq!((problems.len(), problems[0].code), (1, Code::BadValue));
}

#[test]
fn every_wrong_name_of_a_list_is_a_problem_at_its_place() {
    let names = ["member", "spnd", "buys", "customer", "as_of", "email", "last", "vector", "spend"];
    let choice = Choice::Columns(names.map(str::to_owned).to_vec());
    let problems = choice.columns(&schema(), &[]).unwrap_err();
    let found: Vec<(Code, Step)> =
        problems.iter().map(|problem| (problem.code, problem.place.path[2].clone())).collect();
    let expected = [
        (Code::UnknownColumn, 1),
        (Code::Leak, 2),
        (Code::BadValue, 3),
        (Code::BadValue, 4),
        (Code::BadValue, 5),
        (Code::WrongColumnType, 6),
        (Code::WrongColumnType, 7),
    ];
    assert_eq!(found, expected.map(|(code, index)| (code, Step::Index(index))));
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `spend`?"));
    let order = Choice::Columns(vec!["member".into(), "spend".into()]);
    assert_eq!(order.columns(&schema(), &[]).unwrap(), ["member", "spend"]);
}

#[test]
fn pseudonyms_are_no_features() {
    let mut schema = schema();
    schema
        .columns
        .iter_mut()
        .filter(|column| column.name == "country")
        .for_each(|column| column.class = Class::Pseudonym);
    assert_eq!(Choice::All.columns(&schema, &[]).unwrap(), ["spend", "price", "member"]);
    let problems = Choice::Columns(vec!["country".into()]).columns(&schema, &[]).unwrap_err();
    assert!(problems[0].message.contains("(class pseudonym)"), "{}", problems[0].message);
}

#[test]
fn the_list_itself_is_checked() {
    let choice = Choice::Columns(vec!["a".into(), "b".into(), "a".into()]);
    assert_eq!(choice.check()[0].place.path[2], Step::Index(2));
    assert_eq!(Choice::Columns(vec![]).check().len(), 1);
    assert!(Choice::All.check().is_empty());
}

#[test]
fn the_choice_is_a_word_or_a_list() {
    let read = |json: &str| serde_json::from_str::<Choice>(json);
    assert_eq!(read("\"all\"").unwrap(), Choice::All);
    assert_eq!(read("[\"a\"]").unwrap(), Choice::Columns(vec!["a".into()]));
    assert!(read("\"any\"").unwrap_err().to_string().contains("neither `all` nor a list"));
}

#[test]
fn an_entity_needs_a_key_and_a_name_of_its_own() {
    assert_eq!(entity(&schema(), &["probability"]).unwrap().name, "customer");
    assert_eq!(entity(&schema(), &["customer"]).unwrap_err().code, Code::DuplicateId);
    let keyed = |key: &[&str]| TableSchema { key: key.iter().map(|name| (*name).to_owned()).collect(), ..schema() };
    assert_eq!(entity(&keyed(&["customer"]), &[]).unwrap().name, "customer", "a table without snapshots");
    assert_eq!(entity(&keyed(&["customer", "country"]), &[]).unwrap_err().code, Code::NoSnapshots);
    let moments = vec![chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap()];
    let unkeyed = TableSchema { snapshots: moments, ..keyed(&["customer"]) };
    assert_eq!(entity(&unkeyed, &[]).unwrap_err().code, Code::NoSnapshots);
}

/// Rows 0 to 20: `country` is 10 times b, 10 times a and once c; `spend` is missing in the last.
fn rows() -> DataFrame {
    let country: Vec<Option<&str>> =
        (0..21).map(|row| Some(["b", "a"][row % 2]).filter(|_| row < 20).or(Some("c"))).collect();
    let spend: Vec<Option<f64>> = (0..21).map(|row| (row < 20).then_some(f64::from(row))).collect();
    let empty = Series::new_null("empty".into(), 21).cast(&DataType::Float64).unwrap();
    let mut frame = df!("spend" => spend, "country" => country, "member" => vec![true; 21]).unwrap();
    frame.with_column(empty.into_column()).unwrap();
    frame
}

/// Without columns that say what is missing.
fn plain() -> Prepare {
    Prepare { missing_indicators: false, ..Prepare::default() }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn learns_medians_and_frequent_levels_and_drops_what_is_empty() {
    let design = Design::fit(&rows(), &names(&["spend", "country", "empty", "member"]), &plain(), Scale::None).unwrap();
    let number = |name: &str, dtype: &str, median, imputed| Encoding::Number {
        name: name.into(),
        dtype: dtype.into(),
        median,
        imputed,
        indicator: false,
        transform: Default::default(),
    };
    let levels = Encoding::Levels { name: "country".into(), levels: names(&["a", "b"]), other: false, missing: false };
    // 0 to 19: the mean of 9 and 10.
    assert_eq!(design.columns, [number("spend", "float64", 9.5, 1), levels, number("member", "bool", 1.0, 0)]);
    assert_eq!((design.dropped.as_slice(), design.width(), design.rows), (&names(&["empty"])[..], 4, 21));
    let terms: Vec<String> = design.terms().iter().map(ToString::to_string).collect();
    assert_eq!(terms, ["spend", "country = a", "country = b", "member"]);

    let new = df!(
        "spend" => [Some(7.0), None, Some(f64::NAN), Some(f64::INFINITY)],
        "country" => [Some("a"), Some("c"), None, Some("b")],
        "member" => [Some(false), None, Some(true), Some(true)]
    );
    let expected = array![[7.0, 1.0, 0.0, 0.0], [9.5, 0.0, 0.0, 1.0], [9.5, 0.0, 0.0, 1.0], [9.5, 0.0, 1.0, 1.0]];
    assert_eq!(design.matrix(&new.unwrap()).unwrap(), expected);
}

#[test]
fn scales_by_the_population_deviation_of_the_training_rows() {
    let train = df!("x" => [1.0, 2.0, 3.0, 4.0]).unwrap();
    let design = Design::fit(&train, &names(&["x"]), &plain(), Scale::Standard).unwrap();
    // Mean 2.5, deviation √1.25.
    let found = design.matrix(&df!("x" => [2.5, 3.5]).unwrap()).unwrap();
    assert!(found[[0, 0]] == 0.0 && (found[[1, 0]] - 1.0 / 1.25f64.sqrt()).abs() < 1e-15);
    let read: Design = serde_json::from_str(&serde_json::to_string(&design).unwrap()).unwrap();
    assert_eq!((read.columns, read.dropped), (design.columns, design.dropped));
}

#[test]
fn a_table_that_has_changed_since_is_refused_in_words() {
    let design = Design::fit(&rows(), &names(&["spend", "country"]), &plain(), Scale::None).unwrap();
    let refused = |frame: DataFrame| design.matrix(&frame).unwrap_err().to_string();
    assert!(refused(df!("spend" => [1.0]).unwrap()).contains("a column `country`, which the table no longer has"));
    assert!(refused(df!("spend" => ["1"], "country" => ["a"]).unwrap()).contains("`spend` is string now"));
    assert!(refused(df!("spend" => [1], "country" => [1]).unwrap()).contains("`country` is int32 now"));
}

#[test]
fn nothing_to_learn_from() {
    let error = Design::fit(&rows(), &names(&["empty"]), &plain(), Scale::Standard).unwrap_err();
    assert!(matches!(error, Failure::Data(_)));
}

/// Missing numbers, rare and missing levels, logarithms, ranks, dates and products, as one matrix.
#[test]
fn features_are_prepared_as_asked() {
    let day = |day: u32| chrono::NaiveDate::from_ymd_opt(2024, 1, day).unwrap();
    let rows = 12_u32;
    let train = df!(
        "__moment" => vec![day(31); rows as usize],
        "spend" => (0..rows).map(|row| (row < 11).then(|| f64::from(row) - 1.0)).collect::<Vec<_>>(),
        "size" => (0..rows).map(f64::from).collect::<Vec<_>>(),
        "country" => (0..rows).map(|row| [Some("a"), Some("b"), Some("c"), None][(row / 3) as usize]).collect::<Vec<_>>(),
        "since" => (1..=rows).map(day).collect::<Vec<_>>()
    )
    .unwrap();
    let prepare = Prepare {
        level_rows_min: 3,
        log: names(&["spend"]),
        quantile: names(&["size"]),
        dates: names(&["since"]),
        products: vec![["spend".to_owned(), "size".to_owned()]],
        ..Prepare::default()
    };
    let features = names(&["spend", "size", "country"]);
    let design = Design::fit(&train, &features, &prepare, Scale::None).unwrap();
    let terms: Vec<String> = design.terms().iter().map(ToString::to_string).collect();
    assert_eq!(
        terms,
        [
            "spend",
            "spend = missing",
            "size",
            "country = a",
            "country = b",
            "country = c",
            "country = missing",
            "since = age",
            "since = month",
            "since = weekday",
            "spend × size"
        ]
    );
    let new = df!(
        "__moment" => [day(31), day(31)],
        "spend" => [Some(-1.0), None],
        "size" => [5.5, 99.0],
        "country" => [Some("z"), None],
        "since" => [Some(day(1)), None]
    );
    let found = design.matrix(&new.unwrap()).unwrap();
    // 2024-01-01 was a Monday, 30 days before; medians are those of 1 to 12 January: 6.5 days.
    let first = [-(2.0_f64.ln()), 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 30.0, 1.0, 1.0, -5.5];
    let second = [5.0_f64.ln(), 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 24.5, 1.0, 3.5, 4.0 * 99.0];
    for (row, expected) in found.rows().into_iter().zip([first, second]) {
        assert!(
            row.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12),
            "{row} {expected:?}"
        );
    }
    // Rare levels share a column with those that come later.
    let rare = df!("country" => ["a", "a", "a", "b", "c", "d"]).unwrap();
    let prepare = Prepare { level_rows_min: 3, ..Prepare::default() };
    let design = Design::fit(&rare, &names(&["country"]), &prepare, Scale::None).unwrap();
    let found = design.matrix(&df!("country" => [Some("a"), Some("b"), Some("new"), None]).unwrap()).unwrap();
    assert_eq!(found, array![[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]]);
}

#[test]
fn what_cannot_be_prepared_is_told_at_its_place() {
    let prepare = Prepare {
        log: names(&["country", "spnd"]),
        quantile: names(&["spend"]),
        dates: names(&["spend"]),
        products: vec![["spend".to_owned(), "buys".to_owned()], ["price".to_owned(), "customer".to_owned()]],
        ..Prepare::default()
    };
    let problems = prepare.problems(&schema(), &names(&["spend", "country"]), &["price"]);
    let told: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "`country` is no number, so it has no log",
            "`spnd` is none of the features",
            "`spend` is float64, not a date or a time",
            "`buys` is a label: it looks past the snapshot's moment",
            "`price` is what is predicted, what weighs rows, or declared not to be known then",
            "`customer` names who a row is of, and says nothing that carries over to another one",
        ]
    );
}
