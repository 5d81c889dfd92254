//! The schema of a source, from its contract.

use crate::config::SourceSpec;
use crate::problem::{Code, Problem};
use crate::table::{Column, TableSchema, parse_type, type_name};
use polars::prelude::DataType;

/// The table that a source gives; problems are placed in the source.
pub fn schema(spec: &SourceSpec) -> Result<TableSchema, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut columns = Vec::new();
    for (name, column) in &spec.columns {
        match parse_type(&column.dtype) {
            Some(dtype) => columns.push(Column::new(name, dtype).class(column.class)),
            None => {
                let problem = Problem::new(Code::BadValue, format!("`{}` is not a type", column.dtype));
                problems.push(problem.at(["columns", name]));
            }
        }
    }
    let schema = TableSchema {
        columns,
        key: spec.key.clone(),
        event_time: spec.event_time.clone(),
        snapshots: vec![],
        fixed: spec.fixed,
    };
    for (index, name) in spec.key.iter().enumerate() {
        problems.extend(missing(&schema, name).map(|problem| problem.under(index).under("key")));
    }
    if let Some(name) = &spec.event_time {
        problems.extend(missing(&schema, name).map(|problem| problem.at(["event_time"])));
        if let Some(column) = schema.column(name)
            && !matches!(column.dtype, DataType::Date | DataType::Datetime(..))
        {
            let message = format!("`{name}` is {}, not a date or time", type_name(&column.dtype));
            problems.push(Problem::new(Code::WrongColumnType, message).at(["event_time"]));
        }
    }
    if problems.is_empty() { Ok(schema) } else { Err(problems) }
}

fn missing(schema: &TableSchema, name: &str) -> Option<Problem> {
    if schema.column(name).is_some() {
        return None;
    }
    let problem = Problem::new(Code::UnknownColumn, format!("the contract has no column `{name}`"));
    Some(problem.nearest(name, schema.names()))
}
