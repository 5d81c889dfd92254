use super::*;
use crate::problem::Code;
use crate::table::{AS_OF, Role, Table};
use polars::df;
use polars::prelude::{AnyValue, LazyFrame};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn rfm(bins: u32) -> Rfm {
    serde_json::from_value(serde_json::json!({
        "recency": "recency_days", "frequency": "orders", "monetary": "spend", "bins": bins,
    }))
    .unwrap()
}

fn schema() -> TableSchema {
    let label = Column { role: Role::Label { horizon_days: 90 }, ..Column::new("buys_90d", DataType::Int64) };
    TableSchema {
        columns: vec![
            Column::new("customer_id", DataType::Int64).class(Class::DirectId),
            Column::new(AS_OF, DataType::Date),
            Column::new("recency_days", DataType::Int64),
            Column::new("orders", DataType::Int64).class(Class::Sensitive),
            Column::new("spend", DataType::Float64),
            Column::new("country", DataType::String),
            label,
        ],
        key: vec!["customer_id".into(), AS_OF.into()],
        snapshots: vec![date("2011-11-10"), date("2011-12-10")],
        ..TableSchema::default()
    }
}

fn ports(schema: TableSchema) -> InputSchemas {
    InputSchemas { ports: [(PORT.to_owned(), vec![("customers".to_owned(), schema)])].into() }
}

/// Four customers at the run date, out of order, and one of them a month before.
fn frame() -> LazyFrame {
    let days = ["2011-12-10", "2011-12-10", "2011-11-10", "2011-12-10", "2011-12-10"].map(date);
    df! {
        "customer_id" => [4_i64, 1, 1, 3, 2],
        AS_OF => days,
        "recency_days" => [Some(40_i64), Some(1), Some(7), None, Some(20)],
        "orders" => [1_i64, 9, 5, 2, 3],
        "spend" => [10.0, 900.0, 500.0, 20.0, 30.0],
    }
    .unwrap()
    .lazy()
}

fn run(rfm: &Rfm) -> DataFrame {
    let table = Table { frame: frame(), schema: schema(), watermark: None };
    let named = crate::stages::NamedTable { name: "customers".into(), table };
    let inputs = Inputs { ports: [(PORT.to_owned(), vec![named])].into(), ..Inputs::default() };
    let context = StageContext {
        run_date: date("2011-12-10"),
        seed: 1,
        threads: 1,
        cancel: crate::stages::contract::Cancel::default(),
    };
    let mut outputs = rfm.run(inputs, &context).unwrap();
    outputs.tables.pop().unwrap().collect().unwrap()
}

/// NTILE(2) by hand: recency 1, 20 | 40 with the older half worse, the extra row to the worse
/// bin; orders 1, 2 | 3, 9; spend 10, 20 | 30, 900.
#[test]
fn scores_of_the_run_date_by_customer() {
    let found = run(&rfm(2));
    let expected = df! {
        "customer_id" => [1_i64, 2, 3, 4],
        AS_OF => [date("2011-12-10"); 4],
        "recency_score" => [Some(2_i64), Some(1), None, Some(1)],
        "frequency_score" => [2_i64, 2, 1, 1],
        "monetary_score" => [2_i64, 2, 1, 1],
        "rfm" => [Some("222"), Some("122"), None, Some("111")],
        "total" => [Some(6_i64), Some(5), None, Some(3)],
        "segment_name" => [Some("Champions"), Some("Loyal"), None, Some("Need attention")],
    };
    assert!(found.equals_missing(&expected.unwrap()), "{found:?}");
}

#[test]
fn the_schema_is_what_run_gives() {
    let declared = rfm(5).schemas(&ports(schema()), date("2011-12-10")).unwrap().remove(0);
    assert_eq!(declared.to_polars(), **run(&rfm(5)).schema());
    assert_eq!(declared.key, ["customer_id", AS_OF]);
    let class = |name: &str| declared.column(name).unwrap().class;
    assert_eq!((class("customer_id"), class("recency_score")), (Class::DirectId, Class::Behavioral));
    assert_eq!((class("frequency_score"), class("total")), (Class::Sensitive, Class::Sensitive));
}

#[test]
fn one_column_may_serve_twice() {
    let twice = Rfm { monetary: "orders".into(), ..rfm(2) };
    assert_eq!(run(&twice).column("rfm").unwrap().get(0).unwrap(), AnyValue::String("222"));
}

#[test]
fn every_wrong_column_is_told_at_once() {
    let wrong =
        Rfm { recency: "recency_day".into(), frequency: "country".into(), monetary: "buys_90d".into(), ..rfm(5) };
    let mut unkeyed = schema();
    unkeyed.key.clear();
    let problems = wrong.schemas(&ports(unkeyed), date("2011-12-10")).unwrap_err();
    let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::UnknownColumn, Code::WrongColumnType, Code::Leak, Code::NoSnapshots]);
    assert_eq!(problems[0].place.path, ["with", "recency"].map(Step::from));
    assert_eq!(problems[0].help.as_deref(), Some("did you mean `recency_days`?"));
    assert_eq!(problems[1].message, "`country` is string, not a number");
    assert_eq!(problems[3].place.path, ["inputs", PORT].map(Step::from));
}

#[test]
fn bins_are_single_digits() {
    let schema = (crate::stages::Kind::of::<Rfm>().schema)();
    let bins = schema.pointer("/properties/bins").unwrap();
    assert_eq!((&bins["minimum"], &bins["maximum"], &bins["default"]), (&2.into(), &9.into(), &5.into()));
}

#[test]
fn rules_of_ones_own_name_the_segments() {
    let rules = serde_json::json!([{"name": "Whales", "monetary": [2, 2], "recency": [2, 2]}]);
    let named = Rfm { segments: Some(serde_json::from_value(rules).unwrap()), ..rfm(2) };
    let found = run(&named);
    let names: Vec<_> = found.column("segment_name").unwrap().str().unwrap().iter().collect();
    assert_eq!(names, [Some("Whales"), Some("Other"), None, Some("Other")]);
}
