//! Whether a source's files keep its contract: the columns that are missing, extra, of another type, in another
//! order or there twice.

use super::failure::NodeFailure;
use super::state::CheckResult;
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
    let extra: Vec<String> = footer
        .columns
        .iter()
        .filter(|column| !spec.columns.contains_key(&column.name))
        .map(|column| format!("`{}`", column.name))
        .collect();
    (!extra.is_empty()).then(|| format!("it has columns that the contract does not: {}", extra.join(", ")))
}

/// Compares the order of the columns that both have.
fn out_of_order(schema: &TableSchema, footer: &Footer) -> Option<String> {
    let in_file = |name: &&str| footer.columns.iter().any(|column| column.name == **name);
    let declared = schema.names().into_iter().filter(in_file);
    let there = footer.columns.iter().map(|column| column.name.as_str()).filter(|name| schema.column(name).is_some());
    let differs = declared.zip(there).find(|(declared, there)| declared != there);
    differs.map(|(declared, there)| format!("it has `{there}` where the contract has `{declared}`"))
}
