//! Purchases for the tests of recommenders.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use polars::df;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series, TimeUnit};

use crate::metrics::evaluation::{Evaluation, Measure};
use crate::stages::contract::{
    Cancel, Failure, InputSchemas, Inputs, NamedTable, Outputs, Stage, StageConfig, StageContext,
};
use crate::stages::model::Model;
use crate::table::{AS_OF, Class, Column, Table, TableSchema, midnight_us};

/// User, item, and days since 30 days before the run date; negative ones are before that.
pub type Purchase = (i64, &'static str, i64);

pub fn run_date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 6, 1).unwrap()
}

pub fn split() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 5, 2).unwrap()
}

pub fn purchases(purchases: &[Purchase]) -> Table {
    let times: Vec<i64> = purchases.iter().map(|(_, _, day)| midnight_us(split()) + day * 86_400_000_000).collect();
    let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
    let mut frame = df!(
        "user" => purchases.iter().map(|(user, ..)| *user).collect::<Vec<_>>(),
        "item" => purchases.iter().map(|(_, item, _)| *item).collect::<Vec<_>>()
    )
    .unwrap();
    frame.with_column(Series::new("at".into(), times).cast(&microseconds).unwrap().into_column()).unwrap();
    let columns = vec![
        Column::new("user", DataType::Int64).class(Class::DirectId),
        Column::new("item", DataType::String),
        Column::new("at", microseconds),
    ];
    let schema = TableSchema { columns, event_time: Some("at".into()), ..TableSchema::default() };
    Table { frame: frame.lazy(), schema, watermark: Some(run_date()) }
}

/// A table of one row each that never changes.
pub fn fixed(frame: DataFrame, key: &str) -> Table {
    let columns = frame.columns().iter().map(|column| Column::new(column.name().as_str(), column.dtype().clone()));
    let schema =
        TableSchema { columns: columns.collect(), key: vec![key.to_owned()], fixed: true, ..TableSchema::default() };
    Table { frame: frame.lazy(), schema, watermark: Some(run_date()) }
}

/// A stage of these parameters beside those that all need.
pub fn stage<S: StageConfig>(with: serde_json::Value) -> S {
    let mut all = serde_json::json!({"user": "user", "item": "item", "time": "at", "holdout": "30d", "splits": 1});
    for (key, value) in with.as_object().unwrap() {
        match value.is_null() {
            true => {
                all.as_object_mut().unwrap().shift_remove(key);
            }
            false => all[key] = value.clone(),
        }
    }
    serde_json::from_value(all).unwrap()
}

/// Tables by port, in order.
pub type Ports = Vec<(&'static str, Vec<(&'static str, Table)>)>;

pub fn try_run(stage: &dyn Stage, ports: Ports, earlier: Option<Model>, threads: usize) -> Result<Outputs, Failure> {
    try_run_within(stage, ports, earlier, threads, None)
}

/// The same with so many bytes of memory left.
pub fn try_run_within(
    stage: &dyn Stage,
    ports: Ports,
    earlier: Option<Model>,
    threads: usize,
    memory_bytes: Option<u64>,
) -> Result<Outputs, Failure> {
    let named = |(name, table): (&'static str, Table)| NamedTable { name: name.to_owned(), table };
    let ports = ports.into_iter().map(|(port, tables)| (port.to_owned(), tables.into_iter().map(named).collect()));
    let inputs = Inputs { ports: ports.collect(), earlier, memory_bytes, ..Inputs::default() };
    let context = StageContext { run_date: run_date(), seed: 7, threads, cancel: Cancel::default() };
    stage.run(inputs, &context)
}

pub fn run(stage: &dyn Stage, ports: Ports) -> Outputs {
    try_run(stage, ports, None, 1).unwrap()
}

/// The problems that a plan with these tables has.
pub fn problems(stage: &dyn Stage, ports: &Ports) -> Vec<String> {
    let schemas = |tables: &Vec<(&'static str, Table)>| {
        tables.iter().map(|(name, table)| ((*name).to_owned(), table.schema.clone())).collect()
    };
    let ports: BTreeMap<String, Vec<(String, TableSchema)>> =
        ports.iter().map(|(port, tables)| ((*port).to_owned(), schemas(tables))).collect();
    let mut found = stage.check();
    found.extend(stage.schemas(&InputSchemas { ports }, run_date()).err().unwrap_or_default());
    found.into_iter().map(|problem| problem.message).collect()
}

/// A row of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub user: i64,
    pub served: bool,
    pub item: String,
    pub score: f64,
    pub because: Option<String>,
    pub source: String,
    pub probability: Option<f64>,
}

pub fn rows(outputs: &Outputs) -> Vec<Row> {
    let frame = outputs.tables[0].clone().collect().unwrap();
    let text = |name: &str, row: usize| frame.column(name).unwrap().str().unwrap().get(row).map(str::to_owned);
    let day = i32::try_from(midnight_us(run_date()) / 86_400_000_000).unwrap();
    let days = frame.column(AS_OF).unwrap().cast(&DataType::Int32).unwrap();
    let row = |row: usize| Row {
        user: frame.column("user").unwrap().i64().unwrap().get(row).unwrap(),
        served: days.i32().unwrap().get(row) == Some(day),
        item: text("item", row).unwrap(),
        score: frame.column("score").unwrap().f64().unwrap().get(row).unwrap(),
        because: text("because", row),
        source: text("source", row).unwrap(),
        probability: frame.column("probability").ok().and_then(|column| column.f64().unwrap().get(row)),
    };
    (0..frame.height()).map(row).collect()
}

/// The items that a user is served at the run date.
pub fn served(outputs: &Outputs, user: i64) -> Vec<String> {
    rows(outputs).into_iter().filter(|row| row.served && row.user == user).map(|row| row.item).collect()
}

pub fn measure<'a>(evaluation: &'a Evaluation, name: &str) -> &'a Measure {
    evaluation.measures.iter().find(|measure| measure.name == name).unwrap_or_else(|| panic!("no {name}"))
}

pub fn fact<'a>(evaluation: &'a Evaluation, name: &str) -> &'a str {
    let fact = evaluation.facts.iter().find(|fact| fact.name == name);
    &fact.unwrap_or_else(|| panic!("no fact {name}")).value
}

/// A shop of two tastes: users with even numbers buy a to f, those with odd ones p to u, each in an order of its own, one
/// item every third day for 90 days.
pub fn two_tastes() -> Vec<Purchase> {
    let tastes = [["a", "b", "c", "d", "e", "f"], ["p", "q", "r", "s", "t", "u"]];
    let mut all = Vec::new();
    for user in 0..40_i64 {
        let taste = tastes[(user % 2) as usize];
        for step in 0..5_i64 {
            let item = taste[((user / 2 * 7 + step * 5 + user / 3) % 6) as usize];
            all.push((user, item, step * 18 - 60 + user % 7));
        }
    }
    all
}
