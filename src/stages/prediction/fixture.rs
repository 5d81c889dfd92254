//! Customers whose labels the tests of supervised kinds learn: 80 of them at five snapshots 90 days apart, the last one at
//! the run date, so that the labels of the first four are known.

use chrono::{Days, NaiveDate};
use polars::prelude::{DataType, IntoLazy, NamedFrom, Series, df, lit};

use super::design::PORT;
use crate::metrics::evaluation::{Evaluation, Measure};
use crate::problem::Problem;
use crate::stages::contract::{Cancel, Failure, InputSchemas, Inputs, NamedTable, Outputs, Stage, StageContext};
use crate::stages::model::Model;
use crate::table::{AS_OF, Class, Column, Role, Table, TableSchema};

pub fn run_date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 6, 1).unwrap()
}

/// The moments of the snapshots, the oldest first.
fn moments() -> Vec<NaiveDate> {
    (0..5).rev().map(|k| run_date() - Days::new(90 * k)).collect()
}

/// What entity `e` of 80 is at snapshot `s` of 5: `x`, `member`, `country`, and an amount that they decide in part.
pub fn customer(e: i64, s: i64) -> (Option<f64>, bool, &'static str, i64) {
    let raw = (e * 37 + s * 11) % 50;
    let member = (e * s + e) % 3 == 0;
    let country = if e == 5 { "XX" } else { ["GB", "FR", "DE"][((e * 5 + s) % 3) as usize] };
    let amount = raw + 15 * i64::from(member) + (e * e * 3 + s * 17) % 40;
    (Some(raw as f64).filter(|_| (e * 7 + s) % 13 != 0), member, country, amount)
}

pub fn schema() -> TableSchema {
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

/// The table, in an order that is not that of the key; the two say what the labels are where they are known.
pub fn table(buys: impl Fn(i64, i64) -> bool, spend: impl Fn(i64, i64) -> f64) -> Table {
    let keys = keys();
    let rows: Vec<_> = keys.iter().map(|(e, s)| customer(*e, *s)).collect();
    let frame = df!(
        "id" => keys.iter().map(|(e, _)| *e).collect::<Vec<_>>(),
        "as_of" => keys.iter().map(|(_, s)| moments()[*s as usize]).collect::<Vec<_>>(),
        "x" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "member" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "country" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "buys" => keys.iter().map(|(e, s)| (*s < 4).then(|| buys(*e, *s))).collect::<Vec<_>>(),
        "spend_next" => keys.iter().map(|(e, s)| (*s < 4).then(|| spend(*e, *s))).collect::<Vec<_>>()
    );
    Table { frame: frame.unwrap().lazy(), schema: schema(), watermark: None }
}

/// Entities and snapshots, as the rows of the table stand.
fn keys() -> Vec<(i64, i64)> {
    (0..5).flat_map(|s| (1..=80).rev().map(move |e| (e, s))).collect()
}

/// The table with a label `band` of three classes by what customers are.
pub fn bands(mut table: Table) -> Table {
    let band = |amount: i64| match amount {
        ..30 => "low",
        30..60 => "middle",
        _ => "top",
    };
    let values: Vec<Option<&str>> = keys().iter().map(|(e, s)| (*s < 4).then(|| band(customer(*e, *s).3))).collect();
    table.frame = table.frame.with_column(lit(Series::new("band".into(), values)));
    let role = Role::Label { horizon_days: 90 };
    table.schema.columns.push(Column { role, ..Column::new("band", DataType::String) });
    table
}

/// The table with a column `counts` of what each row weighs.
pub fn counting(mut table: Table, of: impl Fn(i64, i64) -> f64) -> Table {
    let values: Vec<f64> = keys().iter().map(|(e, s)| of(*e, *s)).collect();
    table.frame = table.frame.with_column(lit(Series::new("counts".into(), values)));
    table.schema.columns.push(Column::new("counts", DataType::Float64));
    table
}

pub fn context() -> StageContext {
    StageContext { run_date: run_date(), seed: 7, threads: 2, cancel: Cancel::default() }
}

pub fn inputs(table: Table, earlier: Option<Model>) -> Inputs {
    let named = NamedTable { name: "customers".into(), table };
    Inputs { ports: [(PORT.to_owned(), vec![named])].into(), earlier, ..Inputs::default() }
}

pub fn run(stage: &impl Stage, table: Table) -> Result<Outputs, Failure> {
    stage.run(inputs(table, None), &context())
}

pub fn schemas(of: &TableSchema, stage: &impl Stage) -> Result<Vec<TableSchema>, Vec<Problem>> {
    let ports = [(PORT.to_owned(), vec![("customers".to_owned(), of.clone())])].into();
    stage.schemas(&InputSchemas { ports }, run_date())
}

/// The entities and their scores, the table being as the stage says.
pub fn scores(outputs: &Outputs, stage: &impl Stage, score: &str) -> (Vec<i64>, Vec<f64>) {
    let frame = outputs.tables[0].clone().collect().unwrap();
    assert_eq!(*frame.schema().as_ref(), schemas(&schema(), stage).unwrap()[0].to_polars());
    let ids = frame.column("id").unwrap().i64().unwrap().iter().flatten().collect();
    (ids, frame.column(score).unwrap().f64().unwrap().iter().flatten().collect())
}

pub fn measure<'a>(evaluation: &'a Evaluation, name: &str) -> &'a Measure {
    evaluation.measures.iter().find(|measure| measure.name == name).unwrap()
}

pub fn fact<'a>(evaluation: &'a Evaluation, name: &str) -> &'a str {
    evaluation.facts.iter().find(|fact| fact.name == name).map_or("", |fact| &fact.value)
}

/// The numbers of a column of the predictions.
pub fn column(outputs: &Outputs, name: &str) -> Vec<f64> {
    let frame = outputs.tables[0].clone().collect().unwrap();
    frame.column(name).unwrap().f64().unwrap().iter().flatten().collect()
}
