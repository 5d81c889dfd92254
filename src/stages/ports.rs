//! What stages ask of the tables at their ports.

use chrono::NaiveDate;
use polars::prelude::{DataType, LazyFrame, col, lit};

use crate::problem::{Code, Problem};
use crate::table::{AS_OF, Column, Table, TableSchema, type_name};

/// A type that serves, and what a type that does not is told.
#[derive(Clone, Copy)]
pub struct Serves {
    pub is: fn(&DataType) -> bool,
    /// Completes "`x` is float64; …".
    pub needed: &'static str,
}

/// What names customers, items and orders.
pub const ID: Serves =
    Serves { is: |dtype| dtype.is_integer() || *dtype == DataType::String, needed: "an id is a whole number or text" };

/// What can be computed with.
pub fn is_number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..))
}

/// A moment, or a day.
pub fn is_time(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Date | DataType::Datetime(..))
}

/// A column of the table at a port, which must be of a type that serves. The problem is for the caller to place.
pub fn column<'a>(table: &'a TableSchema, port: &str, name: &str, serves: Serves) -> Result<&'a Column, Problem> {
    let Some(column) = table.column(name) else {
        let message = format!("the table at `{port}` has no column `{name}`");
        return Err(Problem::new(Code::UnknownColumn, message).nearest(name, table.names()));
    };
    if (serves.is)(&column.dtype) {
        return Ok(column);
    }
    let message = format!("`{name}` is {}; {}", type_name(&column.dtype), serves.needed);
    Err(Problem::new(Code::WrongColumnType, message))
}

/// The problem of a name that the output has too.
pub fn taken(name: &str, outputs: &[&str]) -> Option<Problem> {
    let message = format!("`{name}` is also the name of a column of the output");
    outputs.contains(&name).then(|| Problem::new(Code::DuplicateId, message))
}

/// The problem of a table of snapshots at a port that has none of the run date; placed at the port.
pub fn no_snapshot(table: &TableSchema, port: &str, run_date: NaiveDate) -> Option<Problem> {
    let message = format!("the table at `{port}` has no snapshot of the run date");
    lacks_snapshot(table, run_date).then(|| Problem::new(Code::NoSnapshots, message).at(["inputs", port]))
}

/// Whether it is a table of snapshots without one of the run date.
pub fn lacks_snapshot(table: &TableSchema, run_date: NaiveDate) -> bool {
    !table.snapshots.is_empty() && !table.snapshots.contains(&run_date)
}

/// Whether its rows are of moments.
pub fn has_snapshots(table: &TableSchema) -> bool {
    !table.snapshots.is_empty() || table.key.iter().any(|name| name == AS_OF)
}

/// The rows of the run date; all of a table without snapshots.
pub fn of_run_date(table: Table, run_date: NaiveDate) -> LazyFrame {
    if !has_snapshots(&table.schema) {
        return table.frame;
    }
    table.frame.filter(col(AS_OF).eq(lit(run_date).cast(DataType::Date)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_there_and_of_a_type_that_serves() {
        let columns = vec![Column::new("id", DataType::Int64), Column::new("share", DataType::Float64)];
        let table = TableSchema { columns, ..TableSchema::default() };
        assert_eq!(column(&table, "events", "id", ID).map(|column| column.name.as_str()).ok(), Some("id"));
        let missing = column(&table, "events", "shar", ID).unwrap_err();
        assert_eq!(missing.message, "the table at `events` has no column `shar`");
        assert_eq!(missing.help.as_deref(), Some("did you mean `share`?"));
        let wrong = column(&table, "events", "share", ID).unwrap_err();
        assert_eq!(wrong.message, "`share` is float64; an id is a whole number or text");
    }
}
