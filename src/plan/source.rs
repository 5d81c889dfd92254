//! The schema of a source, from its contract.

use crate::config::{CheckSpec, SourceSpec};
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
    for (index, check) in spec.checks.iter().enumerate() {
        problems.extend(check_problems(check, &schema).into_iter().map(|problem| problem.under(index).under("checks")));
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

fn check_problems(check: &CheckSpec, schema: &TableSchema) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, name) in check.not_null.iter().flatten().enumerate() {
        problems.extend(missing(schema, name).map(|problem| problem.under(index).under("not_null")));
    }
    if let Some(name) = &check.range {
        problems.extend(missing(schema, name).map(|problem| problem.at(["range"])));
        if let Some(column) = schema.column(name)
            && !column.dtype.is_primitive_numeric()
            && !column.dtype.is_decimal()
        {
            let message = format!("`{name}` is {}, not a number", type_name(&column.dtype));
            problems.push(Problem::new(Code::WrongColumnType, message).at(["range"]));
        }
        if check.min.is_none() && check.max.is_none() {
            problems.push(Problem::new(Code::MissingKey, "a range needs `min` or `max` or both"));
        }
        if let (Some(min), Some(max)) = (check.min, check.max)
            && min > max
        {
            problems.push(Problem::new(Code::BadValue, format!("`min` {min} is above `max` {max}")).at(["min"]));
        }
    } else if check.min.is_some() || check.max.is_some() {
        let problem = Problem::new(Code::MissingKey, "`min` and `max` belong to a `range`, which is missing");
        problems.push(problem.at([if check.min.is_some() { "min" } else { "max" }]).at_key());
    }
    match (&check.not_null, &check.range) {
        (None, None) => problems.push(Problem::new(Code::MissingKey, "expected a check: `not_null` or `range`")),
        (Some(_), Some(_)) => {
            let problem = Problem::new(Code::BadValue, "expected one check, found `not_null` and `range`");
            problems.push(problem.help("write them as two entries of `checks`"));
        }
        _ => {}
    }
    problems
}
