//! The schema of a source, from its contract.

use super::databases;
use crate::config::{DatabaseSpecs, SourceFormat, SourceSpec, Tolerance};
use crate::problem::{Code, Problem};
use crate::sql;
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
    problems.extend(of_format(spec, &columns));
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

/// What is wrong with where a source is: in files, or in a database of the environment. Its table is known all the
/// same. Problems are placed in the source.
pub fn whence(spec: &SourceSpec, databases: &DatabaseSpecs) -> Vec<Problem> {
    let missing = |message: &str| Problem::new(Code::MissingKey, message);
    let apart = |one: &str, other: &str| {
        let message = format!("`{one}` and `{other}` cannot be given together");
        Problem::new(Code::BadValue, message).at([one]).at_key()
    };
    match (&spec.path, &spec.query, &spec.database) {
        (None, None, _) => vec![missing("the source needs a `path`, or a `query` and its `database`")],
        (Some(_), Some(_), _) => vec![apart("query", "path")],
        (Some(_), None, Some(_)) => vec![apart("database", "path")],
        (Some(_), None, None) => vec![],
        (None, Some(_), None) => vec![missing("`database` is missing: the query is asked there")],
        (None, Some(query), Some(database)) => {
            let unknown = databases::problem(database, databases, "").map(|problem| problem.at(["database"]));
            let none = sql::one_query(query).err().map(|why| {
                let message = format!("the query cannot be asked: {why}");
                Problem::new(Code::SqlSyntax, message).at(["query"])
            });
            let of_files = spec.format.is_some().then(|| apart("format", "query"));
            unknown
                .into_iter()
                .chain(none)
                .chain(of_files)
                .chain(spec.csv.as_ref().map(|_| apart("csv", "query")))
                .collect()
        }
    }
}

/// A source whose query is without what may follow it.
pub fn asked(spec: &SourceSpec) -> SourceSpec {
    let query = spec.query.as_ref().map(|query| sql::one_query(query).unwrap_or_else(|_| query.clone()));
    SourceSpec { query, ..spec.clone() }
}

/// What cannot be said of files of this format, or not be in them.
fn of_format(spec: &SourceSpec, columns: &[Column]) -> Vec<Problem> {
    let format = spec.file_format();
    let bad = |message: String| Problem::new(Code::BadValue, message);
    let mut problems = Vec::new();
    match &spec.csv {
        Some(_) if format != SourceFormat::Csv && spec.query.is_none() => {
            let problem = bad("`csv` says how CSV is written, but the source is not CSV".to_owned());
            problems.push(problem.help("say `format: csv` too").at(["csv"]).at_key());
        }
        Some(csv) if csv.delimiter == csv.quote => {
            problems.push(bad(format!("`{}` cannot be both delimiter and quote", csv.quote)).at(["csv", "quote"]));
        }
        _ => {}
    }
    for column in columns {
        if format == SourceFormat::Csv && matches!(column.dtype, DataType::List(_)) {
            let message = format!("`{}` is {}, and a field of CSV is no list", column.name, type_name(&column.dtype));
            let problem = Problem::new(Code::WrongColumnType, message).at(["columns", &column.name]);
            problems.push(problem.help("newline JSON and Parquet have lists"));
        }
    }
    let headless = spec.csv.as_ref().is_some_and(|csv| !csv.header);
    if (headless || format == SourceFormat::Ndjson) && spec.reordered_columns != Tolerance::Allow {
        let message = if headless { "a CSV without a header has" } else { "newline JSON has" };
        problems.push(bad(format!("{message} no order of columns to compare")).at(["reordered_columns"]));
    }
    if headless && spec.extra_columns != Tolerance::Allow {
        problems.push(bad("a CSV without a header cannot have further columns".to_owned()).at(["extra_columns"]));
    }
    problems
}

fn missing(schema: &TableSchema, name: &str) -> Option<Problem> {
    if schema.column(name).is_some() {
        return None;
    }
    let problem = Problem::new(Code::UnknownColumn, format!("the contract has no column `{name}`"));
    Some(problem.nearest(name, schema.names()))
}
