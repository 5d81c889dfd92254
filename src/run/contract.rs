//! Whether a source's files keep its contract: the columns that are missing, extra, of another type, in another
//! order or there twice.

use super::failure::NodeFailure;
use super::state::CheckResult;
use crate::checks::difference;
use crate::config::{Severity, SourceSpec, Tolerance};
use crate::problem::{Code, nearest};
use crate::storage::{Footer, SourceFile, scan};
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
        wrong.extend(unusable(schema, file, footer).into_iter().map(located));
        extra.extend(beyond(spec, footer).map(located));
        reordered.extend(out_of_order(schema, footer).map(located));
    }
    let mut results = vec![result("columns", Severity::Error, &wrong)];
    for (name, tolerance, found) in
        [("extra_columns", spec.extra_columns, extra), ("reordered_columns", spec.reordered_columns, reordered)]
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

fn result(check: &str, severity: Severity, found: &[String]) -> CheckResult {
    CheckResult {
        check: check.to_owned(),
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
fn unusable(schema: &TableSchema, file: &SourceFile, footer: &Footer) -> Vec<String> {
    let mut troubles = Vec::new();
    for column in &schema.columns {
        let partition = file.partitions.iter().any(|(name, _)| *name == column.name);
        let found = footer.columns.iter().find(|one| one.name == column.name);
        match found {
            None if partition => {}
            None => {
                let names = footer.columns.iter().map(|one| one.name.as_str());
                let near = nearest(&column.name, names).map(|near| format!(" (there is `{near}`)"));
                troubles.push(format!("it has no column `{}`{}", column.name, near.unwrap_or_default()));
            }
            Some(found) if scan::compatible(&found.data_type, &column.dtype) => {}
            Some(found) => troubles.push(format!(
                "its column `{}` is {}, but the contract says {}",
                column.name,
                found.data_type,
                type_name(&column.dtype)
            )),
        }
    }
    for (index, column) in footer.columns.iter().enumerate() {
        let earlier = footer.columns.iter().take(index).filter(|earlier| earlier.name == column.name).count();
        if earlier == 1 {
            troubles.push(format!("it has two columns `{}`", column.name));
        }
    }
    troubles
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
    let mut names: Vec<&str> = Vec::with_capacity(footer.columns.len());
    for column in &footer.columns {
        if !names.contains(&column.name.as_str()) {
            names.push(&column.name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;
    use crate::storage::Location;
    use crate::storage::footer::Column as FooterColumn;
    use crate::table::Column;

    fn told(names: &[&str], extra_columns: &str) -> Result<Vec<CheckResult>, NodeFailure> {
        let spec = serde_json::json!({
            "path": "lake/orders.parquet", "columns": {"id": "int64", "amount": "float64"},
            "extra_columns": extra_columns, "reordered_columns": "warn",
        });
        let column =
            |name: &str, data_type: DataType| FooterColumn { name: name.to_owned(), data_type, nullable: false };
        let columns =
            names.iter().map(|name| column(name, if *name == "amount" { DataType::Float64 } else { DataType::Int64 }));
        let location = Location::parse("lake/orders.parquet", std::path::Path::new("/project")).unwrap();
        let footer = Footer { location: location.clone(), size: 1, rows: 1, columns: columns.collect() };
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
