//! The columns of a stage's output against those that the pipeline asks for.

use super::{Check, Test, difference, rows, severity_problem};
use crate::config::checks::Columns;
use crate::config::{CheckSpec, Severity, Tolerance};
use crate::problem::{Code, Problem};
use crate::table::{TableSchema, parse_type, type_name};

/// A difference is a problem where the check is an error, and a result to report where it is a warning.
pub fn compile(
    spec: &CheckSpec,
    columns: &Columns,
    schema: &TableSchema,
    port: usize,
) -> Result<Vec<Check>, Vec<Problem>> {
    let mut problems: Vec<Problem> = severity_problem(spec).into_iter().collect();
    let (differences, never_null) = compare(columns, schema)?;
    let (there, asked) = (schema.names(), columns.columns.keys().map(String::as_str).collect::<Vec<_>>());
    let mut reported = Vec::new();
    for (severity, problem) in [
        differences.into_iter().map(|problem| (Some(spec.severity), problem)).collect::<Vec<_>>(),
        extra(&there, &asked).into_iter().map(|problem| (columns.extra_columns.severity(), problem)).collect(),
        reordered(&there, &asked).into_iter().map(|problem| (columns.reordered_columns.severity(), problem)).collect(),
    ]
    .concat()
    {
        match severity {
            Some(Severity::Error | Severity::Quarantine) => problems.push(problem),
            Some(Severity::Warn) => reported.push(problem.message),
            None => {}
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let warns = spec.severity == Severity::Warn
        || [columns.extra_columns, columns.reordered_columns].contains(&Tolerance::Warn);
    let severity = if warns { Severity::Warn } else { Severity::Error };
    let failed = reported.len() as u64;
    let found = (failed > 0).then(|| reported.join("; "));
    let test = Test::Known { failed, found };
    let mut checks =
        vec![Check { port, words: "columns".to_owned(), kind: spec.key(), columns: vec![], severity, test }];
    if !never_null.is_empty() {
        let words = format!("not_null {}", never_null.join(", "));
        let test = Test::Row(rows::any_null(&never_null));
        checks.push(Check { port, words, kind: "not_null", columns: never_null, severity: spec.severity, test });
    }
    Ok(checks)
}

/// What is missing or of another type, and the columns that are there and never null.
fn compare(columns: &Columns, schema: &TableSchema) -> Result<(Vec<Problem>, Vec<String>), Vec<Problem>> {
    let mut differences = Vec::new();
    let mut never_null = Vec::new();
    let mut unreadable = Vec::new();
    for (name, written) in &columns.columns {
        let at = |problem: Problem| problem.at(["columns", name]);
        let bare = written.strip_suffix('?').unwrap_or(written);
        let Some(declared) = parse_type(bare) else {
            unreadable.push(at(Problem::new(Code::BadValue, format!("`{bare}` is not a type"))));
            continue;
        };
        match schema.column(name) {
            None => {
                let problem = Problem::new(Code::UnknownColumn, format!("the table has no column `{name}`"));
                differences.push(at(problem.nearest(name, schema.names())).at_key());
            }
            Some(found) if found.dtype != declared => {
                let message = format!("`{name}` is {}, not {bare}", type_name(&found.dtype));
                differences.push(at(Problem::new(Code::WrongColumnType, message)));
            }
            Some(_) if bare.len() == written.len() => never_null.push(name.clone()),
            Some(_) => {}
        }
    }
    if unreadable.is_empty() { Ok((differences, never_null)) } else { Err(unreadable) }
}

fn extra(there: &[&str], asked: &[&str]) -> Option<Problem> {
    let names = difference::extra(there, asked)?;
    let message = format!("the table has more columns: {names}");
    Some(Problem::new(Code::UnknownColumn, message).at(["columns"]).at_key())
}

fn reordered(there: &[&str], asked: &[&str]) -> Option<Problem> {
    let (found, wanted) = difference::reordered(there, asked)?;
    let message = format!("the columns stand in another order: `{found}` where `{wanted}` is expected");
    Some(Problem::new(Code::BadValue, message).at(["columns"]).at_key())
}
