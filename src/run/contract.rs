//! Whether a source's files keep its contract: the columns that are missing, extra, of another type, in another
//! order or there twice, and the values that are not of their column's type.

use std::collections::{HashMap, HashSet};

use super::failure::NodeFailure;
use super::state::CheckResult;
use crate::checks::difference;
use crate::config::{Severity, SourceFormat, SourceSpec, Tolerance};
use crate::problem::{Code, nearest};
use crate::storage::text::Found;
use crate::storage::{Footer, Location, SourceFile, scan};
use crate::table::{TableSchema, type_name};

/// Differences that a message names at most.
const NAMED_MAX: usize = 5;

/// Compares every file's footer with the contract. What breaks it is a failure with the results; what only warns is
/// among the results.
pub fn compare(
    spec: &SourceSpec,
    schema: &TableSchema,
    files: &[SourceFile],
    footers: &[Footer],
) -> Result<Vec<CheckResult>, NodeFailure> {
    let (mut wrong, mut extra, mut reordered) = (Vec::new(), Vec::new(), Vec::new());
    for (file, footer) in files.iter().zip(footers) {
        let located = |trouble: String| format!("{}: {trouble}", file.location);
        wrong.extend(unusable(spec, schema, file, footer).into_iter().map(located));
        extra.extend(beyond(spec, footer).map(located));
        reordered.extend(out_of_order(schema, footer).map(located));
    }
    let mut results = vec![result("columns", Severity::Error, &wrong)];
    for (name, tolerance, found) in
        [(EXTRA_COLUMNS, spec.extra_columns, extra), ("reordered_columns", spec.reordered_columns, reordered)]
    {
        results.extend(tolerance.severity().map(|severity| result(name, severity, &found)));
        if tolerance == Tolerance::Error {
            wrong.extend(found);
        }
    }
    if wrong.is_empty() {
        return Ok(results);
    }
    Err(NodeFailure { checks: results, ..NodeFailure::new(Code::ContractBroken, few(&wrong)) })
}

/// Judges what was found when the files' rows were read. What breaks the contract is a failure.
pub fn values(spec: &SourceSpec, schema: &TableSchema, found: &[Found]) -> Result<Vec<CheckResult>, NodeFailure> {
    let mut wrong: Vec<String> = Vec::new();
    let mut extra = Vec::new();
    for file in found {
        wrong.extend(unlike_rows(spec, file));
        wrong.extend(unread(schema, &file.location, &file.unread));
        let names: Vec<String> = file
            .extra
            .iter()
            .filter(|name| !spec.columns.contains_key(*name))
            .map(|name| format!("`{name}`"))
            .collect();
        if !names.is_empty() {
            let columns = names.join(", ");
            extra.push(format!("{}: it has columns that the contract does not: {columns}", file.location));
        }
    }
    wrong.extend(never_there(schema, found));
    let mut results = vec![result("values", Severity::Error, &wrong)];
    if spec.file_format() == SourceFormat::Ndjson {
        results.extend(spec.extra_columns.severity().map(|severity| result(EXTRA_COLUMNS, severity, &extra)));
        if spec.extra_columns == Tolerance::Error {
            wrong.extend(extra);
        }
    }
    if wrong.is_empty() {
        return Ok(results);
    }
    let code = if found.iter().any(Found::is_damaged) { Code::CorruptFile } else { Code::ContractBroken };
    Err(NodeFailure { checks: results, ..NodeFailure::new(code, few(&wrong)) })
}

/// Values that are not of their column's type, counted in the schema's order.
pub fn unread(schema: &TableSchema, location: &Location, counts: &[u64]) -> Vec<String> {
    let columns = schema.columns.iter().zip(counts).filter(|(_, rows)| **rows > 0);
    let told = columns.map(|(column, count)| {
        format!("{location}: its column `{}` is not {} in {}", column.name, type_name(&column.dtype), rows(*count))
    });
    told.collect()
}

/// Rows that are none of the format.
fn unlike_rows(spec: &SourceSpec, found: &Found) -> Vec<String> {
    let headless = spec.csv.as_ref().is_some_and(|csv| !csv.header);
    let ragged = if headless {
        "another number of fields than the contract"
    } else {
        "another number of fields than the header"
    };
    let (is, has) = (|count| if count == 1 { "is" } else { "are" }, |count| if count == 1 { "has" } else { "have" });
    let sentences = [
        (found.ragged, format!("{} {} {ragged}", rows(found.ragged), has(found.ragged))),
        (found.quoting, format!("{} {} not quoted as CSV is", rows(found.quoting), is(found.quoting))),
        (found.encoding, format!("{} {} no text in UTF-8", rows(found.encoding), is(found.encoding))),
        (found.objects, format!("{} {} no JSON object with each key once", rows(found.objects), is(found.objects))),
    ];
    let told = sentences.into_iter().filter(|(count, _)| *count > 0);
    told.map(|(_, sentence)| format!("{}: {sentence}", found.location)).collect()
}

/// Columns that no row of any file has, where there are rows: their names may be misspelt.
fn never_there(schema: &TableSchema, found: &[Found]) -> Vec<String> {
    let missing = schema.columns.iter().enumerate().filter(|(index, _)| {
        found.iter().any(|file| file.rows > 0) && found.iter().all(|file| file.seen.get(*index) == Some(&false))
    });
    missing.map(|(_, column)| format!("no row has a column `{}`", column.name)).collect()
}

fn rows(count: u64) -> String {
    format!("{count} row{}", if count == 1 { "" } else { "s" })
}

/// The name of the result that tells of columns that the contract does not have.
pub const EXTRA_COLUMNS: &str = "extra_columns";

fn result(check: &str, severity: Severity, found: &[String]) -> CheckResult {
    CheckResult {
        check: check.to_owned(),
        kind: check.to_owned(),
        columns: vec![],
        port: None,
        severity: severity.word().to_owned(),
        failed: found.len() as u64,
        found: (!found.is_empty()).then(|| few(found)),
    }
}

fn few(all: &[String]) -> String {
    let mut named = all.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > NAMED_MAX {
        named.push_str(&format!("; and {} more", all.len() - NAMED_MAX));
    }
    named
}

/// Columns without which, or in the type in which, the file cannot be read as declared.
fn unusable(spec: &SourceSpec, schema: &TableSchema, file: &SourceFile, footer: &Footer) -> Vec<String> {
    let mut troubles = Vec::new();
    for column in &schema.columns {
        let partition = file.partitions.iter().find(|(name, _)| *name == column.name);
        let found = footer.columns.iter().find(|one| one.name == column.name);
        match found {
            None if partition.is_some() => {
                let value = partition.and_then(|(_, value)| value.as_deref());
                if !value.is_none_or(|value| scan::readable(value, &column.dtype)) {
                    let dtype = type_name(&column.dtype);
                    troubles.push(format!("the `{}=` of its directory is not {dtype}", column.name));
                }
            }
            None if may_lack(spec, &column.name, footer) => {}
            None => {
                let names = footer.columns.iter().map(|one| one.name.as_str());
                let near = nearest(&column.name, names).map(|near| format!(" (there is `{near}`)"));
                troubles.push(format!("it has no column `{}`{}", column.name, near.unwrap_or_default()));
            }
            Some(found) => match &found.data_type {
                Some(data_type) if !scan::compatible(data_type, &column.dtype) => troubles.push(format!(
                    "its column `{}` is {data_type}, but the contract says {}",
                    column.name,
                    type_name(&column.dtype)
                )),
                _ => {}
            },
        }
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for column in &footer.columns {
        let times = seen.entry(&column.name).or_default();
        *times += 1;
        if *times == 2 {
            troubles.push(format!("it has two columns `{}`", column.name));
        }
    }
    troubles
}

/// In newline JSON a key without a value may be left out, and of a file without rows nothing is known.
fn may_lack(spec: &SourceSpec, name: &str, footer: &Footer) -> bool {
    let nullable = spec.columns.get(name).is_some_and(|column| column.nullable);
    spec.file_format() == SourceFormat::Ndjson && (nullable || footer.columns.is_empty())
}

fn beyond(spec: &SourceSpec, footer: &Footer) -> Option<String> {
    let asked: Vec<&str> = spec.columns.keys().map(String::as_str).collect();
    let extra = difference::extra(&names(footer), &asked)?;
    Some(format!("it has columns that the contract does not: {extra}"))
}

fn out_of_order(schema: &TableSchema, footer: &Footer) -> Option<String> {
    let (there, asked) = difference::reordered(&names(footer), &schema.names())?;
    Some(format!("it has `{there}` where the contract has `{asked}`"))
}

/// The file's columns in their order, one that is there twice once.
fn names(footer: &Footer) -> Vec<&str> {
    let mut seen = HashSet::with_capacity(footer.columns.len());
    let names = footer.columns.iter().map(|column| column.name.as_str());
    names.filter(|name| seen.insert(*name)).collect()
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;
    use crate::storage::Location;
    use crate::storage::footer::{Column as FooterColumn, Times};
    use crate::table::Column;

    fn told(names: &[&str], extra_columns: &str) -> Result<Vec<CheckResult>, NodeFailure> {
        let spec = serde_json::json!({
            "path": "lake/orders.parquet", "columns": {"id": "int64", "amount": "float64"},
            "extra_columns": extra_columns, "reordered_columns": "warn",
        });
        let column = |name: &str, data_type: DataType| FooterColumn {
            name: name.to_owned(),
            data_type: Some(data_type),
            nullable: false,
        };
        let columns =
            names.iter().map(|name| column(name, if *name == "amount" { DataType::Float64 } else { DataType::Int64 }));
        let location = Location::parse("lake/orders.parquet", std::path::Path::new("/project")).unwrap();
        let footer = Footer {
            location: location.clone(),
            size: 1,
            rows: Some(1),
            columns: columns.collect(),
            times: Times::default(),
        };
        let file = SourceFile { location, size: 1, identity: String::new(), partitions: vec![] };
        let declared = |name: &str, dtype| Column::new(name, dtype);
        let schema = TableSchema {
            columns: vec![
                declared("id", polars::prelude::DataType::Int64),
                declared("amount", polars::prelude::DataType::Float64),
            ],
            ..TableSchema::default()
        };
        compare(&serde_json::from_value(spec).unwrap(), &schema, &[file], &[footer])
    }

    #[test]
    fn a_column_that_is_there_twice_breaks_the_contract_once() {
        let failure = told(&["id", "amount", "id", "amount", "id"], "error").unwrap_err();
        assert_eq!(failure.code, Code::ContractBroken);
        for name in ["id", "amount"] {
            assert_eq!(
                failure.message.matches(&format!("it has two columns `{name}`")).count(),
                1,
                "{}",
                failure.message
            );
        }
        let of = |name: &str| failure.checks.iter().find(|check| check.check == name).map(|check| check.failed);
        // Twice is neither more than the contract has nor another order.
        let counts = [of("columns"), of("extra_columns"), of("reordered_columns")];
        assert_eq!(counts, [Some(2), Some(0), Some(0)]);
    }

    #[test]
    fn an_undeclared_column_is_named_once_though_it_is_there_twice() {
        let failure = told(&["amount", "id", "note", "note"], "error").unwrap_err();
        assert!(failure.message.contains("it has two columns `note`"), "{}", failure.message);
        assert!(failure.message.contains("that the contract does not: `note`"), "{}", failure.message);
        assert!(!failure.message.contains("`note`, `note`"), "{}", failure.message);
        let reordered = failure.checks.iter().find(|check| check.check == "reordered_columns").unwrap();
        assert!(reordered.found.as_ref().unwrap().ends_with("it has `amount` where the contract has `id`"));
    }
}
