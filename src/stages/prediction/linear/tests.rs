use super::*;
use crate::metrics::evaluation::{Chart, Evaluation, Measure};
use crate::stages::contract::{Cancel, NamedTable};
use crate::table::{AS_OF, Class};
use chrono::Days;
use polars::prelude::{IntoLazy, df};
use serde_json::{Value, json};

fn run_date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 6, 1).unwrap()
}

/// The moments of five snapshots 90 days apart, the oldest first.
fn moments() -> Vec<NaiveDate> {
    (0..5).rev().map(|k| run_date() - Days::new(90 * k)).collect()
}

/// What entity `e` of 80 is at snapshot `s` of 5, and what it then spends.
fn row(e: i64, s: i64) -> (Option<f64>, bool, &'static str, f64) {
    let raw = (e * 37 + s * 11) % 50;
    let member = (e * s + e) % 3 == 0;
    let country = if e == 5 { "XX" } else { ["GB", "FR", "DE"][((e * 5 + s) % 3) as usize] };
    let spend = raw + 15 * i64::from(member) + (e * e * 3 + s * 17) % 40;
    (Some(raw as f64).filter(|_| (e * 7 + s) % 13 != 0), member, country, spend as f64)
}

fn schema() -> TableSchema {
    let label = Role::Label { horizon_days: 90 };
    let columns = vec![
        Column::new("id", DataType::Int64).class(Class::DirectId),
        Column::new(AS_OF, DataType::Date),
        Column::new("x", DataType::Float64),
        Column::new("member", DataType::Boolean),
        Column::new("country", DataType::String),
        Column { role: label, ..Column::new("buys", DataType::Boolean) },
        Column { role: label, ..Column::new("spend_next", DataType::Float64) },
    ];
    TableSchema { columns, key: vec!["id".into(), AS_OF.into()], snapshots: moments(), ..TableSchema::default() }
}

/// The table, in an order that is not that of the key; `spend` says what the label is.
fn table(spend: impl Fn(i64, i64) -> f64) -> Table {
    let keys: Vec<(i64, i64)> = (0..5).flat_map(|s| (1..=80).rev().map(move |e| (e, s))).collect();
    let rows: Vec<_> = keys.iter().map(|(e, s)| row(*e, *s)).collect();
    let known = |(e, s): &(i64, i64)| (*s < 4).then(|| spend(*e, *s));
    let frame = df!(
        "id" => keys.iter().map(|(e, _)| *e).collect::<Vec<_>>(),
        "as_of" => keys.iter().map(|(_, s)| moments()[*s as usize]).collect::<Vec<_>>(),
        "x" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "member" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "country" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "buys" => keys.iter().map(|(_, s)| (*s < 4).then_some(true)).collect::<Vec<_>>(),
        "spend_next" => keys.iter().map(known).collect::<Vec<_>>()
    );
    Table { frame: frame.unwrap().lazy(), schema: schema(), watermark: None }
}

fn as_it_is(e: i64, s: i64) -> f64 {
    row(e, s).3
}

fn stage(with: Value) -> Linear {
    serde_json::from_value(with).unwrap()
}

fn context() -> StageContext {
    StageContext { run_date: run_date(), seed: 7, threads: 2, cancel: Cancel::default() }
}

fn inputs(table: Table, earlier: Option<Model>) -> Inputs {
    let named = NamedTable { name: "customers".into(), table };
    Inputs { ports: [(PORT.to_owned(), vec![named])].into(), earlier, ..Inputs::default() }
}

fn run(stage: &Linear, table: Table) -> Result<Outputs, Failure> {
    stage.run(inputs(table, None), &context())
}

fn schemas(of: &TableSchema, stage: &Linear) -> Result<Vec<TableSchema>, Vec<Problem>> {
    let ports = [(PORT.to_owned(), vec![("customers".to_owned(), of.clone())])].into();
    stage.schemas(&InputSchemas { ports }, run_date())
}

fn predictions(outputs: &Outputs) -> (Vec<i64>, Vec<f64>) {
    let frame = outputs.tables[0].clone().collect().unwrap();
    let expected = schemas(&schema(), &stage(json!({"target": "spend_next"}))).unwrap()[0].to_polars();
    assert_eq!(*frame.schema().as_ref(), expected);
    let ids = frame.column("id").unwrap().i64().unwrap().iter().flatten().collect();
    (ids, frame.column("prediction").unwrap().f64().unwrap().iter().flatten().collect())
}

fn measure<'a>(evaluation: &'a Evaluation, name: &str) -> &'a Measure {
    evaluation.measures.iter().find(|measure| measure.name == name).unwrap()
}

fn fact<'a>(evaluation: &'a Evaluation, name: &str) -> &'a str {
    evaluation.facts.iter().find(|fact| fact.name == name).map_or("", |fact| &fact.value)
}

/// The figures are those of tests/reference/linear.py: scikit-learn's Ridge on the standardized matrix of medians and
/// one-hot levels, with root_mean_squared_error, mean_absolute_error and r2_score on the evaluation snapshot.
#[test]
fn agrees_with_scikit_learn() {
    let outputs = run(&stage(json!({"target": "spend_next", "penalty": {"l2": 1.0}})), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.as_ref().unwrap();
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    let expected = [
        ("rmse", 14.182_194_403_137, 21.279_685_148_047),
        ("mae", 11.506_263_392_443, 17.400_000_000_000),
        ("r2", 0.554_839_510_677, -0.002_213_246_279),
    ];
    for (name, model, baseline) in expected {
        let found = measure(evaluation, name);
        near(found.model.value, model);
        near(found.baseline.unwrap().value, baseline);
        near(found.difference.unwrap().value, model - baseline);
        assert!(found.difference.unwrap().low < found.difference.unwrap().high);
    }
    assert_eq!(evaluation.headline, "rmse");

    let (ids, found) = predictions(&outputs);
    assert_eq!(ids, (1..=80).collect::<Vec<i64>>());
    let refitted = [49.224_165_800_579, 36.473_693_807_207, 39.676_114_745_650, 60.766_352_002_667];
    for (found, expected) in found.iter().zip(refitted) {
        near(*found, expected);
    }
}

#[test]
fn says_what_was_done() {
    let outputs = run(&stage(json!({"target": "spend_next"})), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.unwrap();
    assert!(fact(&evaluation, "evaluated on").starts_with("2024-03-03, 80 rows with a mean of "));
    assert_eq!(fact(&evaluation, "trained on"), "3 snapshots, 2023-06-07 to 2023-12-04, 240 rows");
    assert!(fact(&evaluation, "served model").contains("up to 2024-03-03 (320 rows)"));
    assert_eq!(fact(&evaluation, "imputed with the median"), "x in 18 rows");
    let titles: Vec<&str> = evaluation
        .charts
        .iter()
        .map(|chart| match chart {
            Chart::Lines { title, .. } | Chart::Bars { title, .. } | Chart::Table { title, .. } => title.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(
        titles,
        [
            "Predicted against actual, by tenth of the predictions",
            "Residuals, by tenth of the predictions",
            "Residuals: what happened, less what was predicted",
            "Largest coefficients of the served model",
        ]
    );
    let Some(Chart::Table { rows, .. }) = evaluation.charts.last() else { panic!("a table") };
    assert_eq!(rows[0][0], "x");
    assert!(rows[0][2].starts_with('+') && rows[0][2].contains(" to +"), "{rows:?}");
    let shares: f64 = evaluation
        .charts
        .iter()
        .filter_map(|chart| match chart {
            Chart::Bars { bars, .. } => Some(bars.iter().map(|bar| bar.1).sum::<f64>()),
            _ => None,
        })
        .sum();
    assert!((shares - 100.0).abs() < 1e-9);
    assert!(evaluation.slices.iter().any(|slice| slice.slice == "tenth 8" && slice.measure == "mean_actual"));
}

/// The levels of a text that every row has add up to one, so least squares leaves one of them out and says so.
#[test]
fn a_level_too_many_is_left_out_and_named() {
    let outputs = run(&stage(json!({"target": "spend_next"})), table(as_it_is)).unwrap();
    assert_eq!(fact(outputs.evaluation.as_ref().unwrap(), "left out"), "");
    let mut all = table(as_it_is);
    all.frame = all.frame.filter(polars::prelude::col("id").neq(polars::prelude::lit(5)));
    let outputs = run(&stage(json!({"target": "spend_next"})), all).unwrap();
    let left = fact(outputs.evaluation.as_ref().unwrap(), "left out").to_owned();
    assert!(left.starts_with("country = ") && left.ends_with("other columns determine them"), "{left}");
}

#[test]
fn a_model_is_applied_on_a_later_night() {
    let fit = stage(json!({"target": "spend_next", "mode": "fit"}));
    let fitted = run(&fit, table(as_it_is)).unwrap();
    assert_eq!(predictions(&fitted).0.len(), 0);
    let both = run(&stage(json!({"target": "spend_next"})), table(as_it_is)).unwrap();
    let apply = stage(json!({"target": "spend_next", "mode": "apply"}));
    assert!(apply.applies_earlier_model() && matches!(apply.protocol(), Protocol::Newest { .. }));
    let applied = apply.run(inputs(table(|_, _| 0.0), fitted.model.clone()), &context()).unwrap();
    assert!(applied.model.is_none() && applied.evaluation.is_none());
    assert_eq!(predictions(&applied), predictions(&both));
    let other = stage(json!({"target": "spend_next", "penalty": {"l2": 9.0}, "mode": "apply"}));
    let refused = other.run(inputs(table(|_, _| 0.0), fitted.model), &context()).err().unwrap();
    assert!(refused.to_string().contains("fitted with other `penalty`;"), "{refused}");
}

#[test]
fn a_night_is_the_same_whatever_the_threads() {
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let outputs = run(&stage(json!({"target": "spend_next"})), table(as_it_is)).unwrap();
            (outputs.model.as_ref().unwrap().version(), outputs.evaluation.clone(), predictions(&outputs))
        })
    };
    assert_eq!(of(1), of(3));
}

#[test]
fn what_cannot_be_learned_is_refused_in_words() {
    let with = || stage(json!({"target": "spend_next"}));
    let refused = |spend: fn(i64, i64) -> f64| run(&with(), table(spend)).err().unwrap().to_string();
    assert!(refused(|_, _| 3.0).contains("is the same in all 240 training rows"));
    assert!(refused(|e, s| if e == 1 && s == 0 { f64::NAN } else { e as f64 }).contains("in 1 of 240 rows"));
    // What never varies where it is judged has errors, but no R².
    let evaluation = run(&with(), table(|e, s| if s == 3 { 1.0 } else { e as f64 })).unwrap().evaluation.unwrap();
    let names: Vec<&str> = evaluation.measures.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!(names, ["rmse", "mae"]);
}

#[test]
fn every_wrong_parameter_is_told_at_once() {
    let wrong = stage(json!({"target": "spend_next", "features": ["x", "x"], "penalty": {"l2": -1.0}}));
    let codes: Vec<Code> = wrong.check().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::BadValue, Code::BadValue]);
    let problems = schemas(&schema(), &stage(json!({"target": "buys", "features": ["y"]}))).unwrap_err();
    let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::UnknownColumn, Code::WrongColumnType]);
    assert!(problems[1].help.as_ref().is_some_and(|help| help.contains("`logistic`")));
}
