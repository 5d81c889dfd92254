//! Stages run in memory, for their tests.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoLazy};

use super::contract::{Cancel, Failure, InputSchemas, Inputs, NamedTable, Outputs, Stage, StageContext};
use super::model::Model;
use super::protocol;
use crate::table::{Column, Table, TableSchema};

/// Tables by port, one each.
pub type Ports = Vec<(&'static str, Table)>;

/// A night that a stage runs in.
pub struct Night {
    pub run_date: NaiveDate,
    pub earlier: Option<Model>,
    pub threads: usize,
}

impl Night {
    pub fn of(run_date: NaiveDate) -> Night {
        Night { run_date, earlier: None, threads: 2 }
    }
}

/// A stage of these parameters, in which some are put in the place of others.
pub fn stage<S: serde::de::DeserializeOwned>(mut parameters: serde_json::Value, with: &serde_json::Value) -> S {
    for (key, value) in with.as_object().unwrap() {
        parameters[key] = value.clone();
    }
    serde_json::from_value(parameters).unwrap()
}

/// A table of these columns, keyed.
pub fn keyed(frame: DataFrame, key: &[&str]) -> Table {
    let columns = frame.columns().iter().map(|column| Column::new(column.name().as_str(), column.dtype().clone()));
    let key = key.iter().map(|name| (*name).to_owned()).collect();
    let schema = TableSchema { columns: columns.collect(), key, ..TableSchema::default() };
    Table { frame: frame.lazy(), schema, watermark: None }
}

/// What the planner knows of the tables.
pub fn schemas(tables: &Ports) -> InputSchemas {
    let port =
        |(port, table): &(&'static str, Table)| ((*port).to_owned(), vec![("t".to_owned(), table.schema.clone())]);
    InputSchemas { ports: tables.iter().map(port).collect() }
}

/// Plans and runs; what comes out must be what the plan says.
pub fn try_run(stage: &dyn Stage, tables: Ports, night: Night) -> Result<Outputs, Failure> {
    let planned = schemas(&tables);
    assert_eq!(stage.check(), vec![]);
    assert_eq!(protocol::check(&stage.protocol(), &planned, night.run_date), vec![]);
    let expected = stage.schemas(&planned, night.run_date).unwrap();
    let named = |(port, table): (&'static str, Table)| (port.to_owned(), vec![NamedTable { name: "t".into(), table }]);
    let ports: BTreeMap<_, _> = tables.into_iter().map(named).collect();
    let Night { run_date, earlier, threads } = night;
    let context = StageContext { run_date, seed: 7, threads, cancel: Cancel::default() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let outputs = pool.install(|| stage.run(Inputs { ports, earlier, ..Inputs::default() }, &context))?;
    assert_eq!(outputs.tables.len(), expected.len());
    for (place, schema) in expected.iter().enumerate() {
        assert_eq!(**table(&outputs, place).schema(), schema.to_polars());
        // What may stand in a table of scores is described.
        let described = |column: &&Column| !schema.key.contains(&column.name);
        assert!(place > 0 || schema.columns.iter().filter(described).all(|column| !column.description.is_empty()));
    }
    Ok(outputs)
}

/// An output, by its place.
pub fn table(outputs: &Outputs, place: usize) -> DataFrame {
    outputs.tables[place].clone().collect().unwrap()
}

/// A column of the first output, as text.
pub fn texts(outputs: &Outputs, name: &str) -> Vec<Option<String>> {
    let frame = table(outputs, 0);
    let column = frame.column(name).unwrap().cast(&DataType::String).unwrap();
    column.str().unwrap().iter().map(|text| text.map(str::to_owned)).collect()
}
