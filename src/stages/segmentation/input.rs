//! What the segmentations ask of their input: one snapshot, keyed by the entity, and columns of numbers.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, SortMultipleOptions, col, lit};

use crate::problem::{Code, Problem, Step};
use crate::stages::contract::Failure;
use crate::table::{AS_OF, Column, Role, Table, TableSchema, type_name};

/// The input port of every segmentation.
pub const PORT: &str = "features";

/// The entity of a table keyed by entity and `as_of`; no output column may have its name.
pub fn entity(schema: &TableSchema, outputs: &[&str]) -> Result<Column, Problem> {
    let [entity, as_of] = schema.key.as_slice() else { return Err(not_keyed()) };
    let Some(column) = schema.column(entity).filter(|_| as_of == AS_OF) else { return Err(not_keyed()) };
    if outputs.contains(&entity.as_str()) {
        let message = format!("`{entity}` names the entity, and an output column has the same name");
        return Err(Problem::new(Code::DuplicateId, message).at(["inputs", PORT]));
    }
    Ok(column.clone())
}

fn not_keyed() -> Problem {
    let message = format!("the table at `{PORT}` is not keyed by one entity and `{AS_OF}`");
    Problem::new(Code::NoSnapshots, message).help("feed it the output of a `features` stage").at(["inputs", PORT])
}

/// What keeps the column `name` from being used as a number; the problem is placed at `place`.
pub fn numeric(schema: &TableSchema, name: &str, place: impl IntoIterator<Item = Step>) -> Option<Problem> {
    let usable = || schema.columns.iter().filter(|column| problem(schema, column).is_none());
    let found = match schema.column(name) {
        Some(column) => problem(schema, column),
        None => {
            let names = usable().map(|column| column.name.as_str());
            let message = format!("the table at `{PORT}` has no column `{name}`");
            Some(Problem::new(Code::UnknownColumn, message).nearest(name, names))
        }
    };
    found.map(|problem| problem.at(place))
}

fn problem(schema: &TableSchema, column: &Column) -> Option<Problem> {
    let name = &column.name;
    if column.role != Role::Plain {
        let message = format!("`{name}` is a label: it looks past the snapshot's moment");
        return Some(Problem::new(Code::Leak, message).help("use a feature"));
    }
    if schema.key.contains(name) {
        let message = format!("`{name}` is part of the key and says nothing of the entity");
        return Some(Problem::new(Code::BadValue, message));
    }
    if column.dtype.is_numeric() {
        return None;
    }
    let problem =
        Problem::new(Code::WrongColumnType, format!("`{name}` is {}, not a number", type_name(&column.dtype)));
    Some(match column.dtype {
        DataType::Date | DataType::Datetime(..) => problem.help("make it a number of days with DAYS_SINCE"),
        _ => problem,
    })
}

/// The rows of one snapshot, the entity first and then `columns` (each once), sorted by entity.
pub fn snapshot<'a>(
    table: Table,
    entity: &'a str,
    columns: impl IntoIterator<Item = &'a str>,
    moment: NaiveDate,
) -> Result<DataFrame, Failure> {
    let mut names = vec![entity];
    for name in columns {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let frame = table.frame.filter(col(AS_OF).eq(lit(moment).cast(DataType::Date)));
    let frame = frame.select(names.into_iter().map(col).collect::<Vec<_>>());
    Ok(frame.sort([entity], SortMultipleOptions::default()).collect()?)
}
