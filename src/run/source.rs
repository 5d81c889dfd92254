//! Sources: which files they are, whether they keep their contract, and which rows are good.

use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta};
use polars::prelude::{Engine, Expr, LazyFrame, col, len, lit};

use super::failure::NodeFailure;
use super::state::{CheckResult, SourceMeta};
use crate::config::{CheckSpec, Severity, SourceSpec};
use crate::problem::Code;
use crate::storage::{Footer, Location, SourceFile, footer, scan, sources};
use crate::table::TableSchema;

/// A source's files, found to keep the contract's columns and types.
#[derive(Debug, Clone)]
pub struct Inspected {
    pub files: Vec<SourceFile>,
    pub footers: Vec<Footer>,
}

impl Inspected {
    /// What changes when the data does.
    pub fn identities(&self) -> Vec<String> {
        let name = |file: &SourceFile| format!("{} {}", file.location, file.identity);
        self.files.iter().map(name).collect()
    }
}

/// Lists the files and reads their footers; no row is read.
pub async fn inspect(spec: &SourceSpec, schema: &TableSchema, root: &Path) -> Result<Inspected, NodeFailure> {
    let location = Location::parse(&spec.path, root).map_err(NodeFailure::source)?;
    let files = sources::list(&location).await.map_err(NodeFailure::source)?;
    let footers = footer::read_all(&files).await.map_err(NodeFailure::source)?;
    for (file, footer) in files.iter().zip(&footers) {
        for column in &schema.columns {
            let partition = file.partitions.iter().any(|(name, _)| *name == column.name);
            let found = footer.columns.iter().find(|one| one.name == column.name);
            let trouble = match found {
                None if partition => None,
                None => {
                    let names = footer.columns.iter().map(|one| one.name.as_str());
                    let near = crate::problem::nearest(&column.name, names).map(|near| format!(" (there is `{near}`)"));
                    Some(format!("it has no column `{}`{}", column.name, near.unwrap_or_default()))
                }
                Some(found) if scan::compatible(&found.data_type, &column.dtype) => None,
                Some(found) => Some(format!(
                    "its column `{}` is {}, but the contract says {}",
                    column.name,
                    found.data_type,
                    crate::table::type_name(&column.dtype)
                )),
            };
            if let Some(trouble) = trouble {
                return Err(NodeFailure::new(Code::ContractBroken, format!("{}: {trouble}", file.location)));
            }
        }
    }
    Ok(Inspected { files, footers })
}

/// The rows that downstream stages see: before the run date, without the quarantined.
pub fn frame(
    spec: &SourceSpec,
    schema: &TableSchema,
    inspected: &Inspected,
    run_date: NaiveDate,
) -> Result<LazyFrame, NodeFailure> {
    let mut frame = scan::scan(&inspected.files, &inspected.footers, schema)?;
    if let Some(time) = &spec.event_time {
        frame = frame.filter(col(time.as_str()).lt(moment(run_date)));
    }
    for check in spec.checks.iter().filter(|check| check.severity == Severity::Quarantine) {
        frame = frame.filter(failing(check).not());
    }
    Ok(frame)
}

/// Microsecond precision, as the scan gives datetimes; a date compares as its midnight.
fn moment(run_date: NaiveDate) -> Expr {
    lit(run_date.and_time(chrono::NaiveTime::MIN))
}

/// Runs every check in one pass; quarantined rows are written to `quarantine`.
///
/// The second: the midnight after the newest event.
pub fn check(
    spec: &SourceSpec,
    schema: &TableSchema,
    inspected: &Inspected,
    run_date: NaiveDate,
    quarantine: &Path,
) -> Result<(SourceMeta, Option<NaiveDate>), NodeFailure> {
    let checks = all_checks(spec);
    let mut frame = scan::scan(&inspected.files, &inspected.footers, schema)?;
    if let Some(time) = &spec.event_time {
        // Rows without a time are looked at, so that a check can find them, but never used.
        frame = frame.filter(col(time.as_str()).lt(moment(run_date)).or(col(time.as_str()).is_null()));
    }
    let mut measures = vec![len().cast(polars::prelude::DataType::Int64).alias("_rows")];
    for (index, check) in checks.iter().enumerate() {
        measures.push(failing(check).cast(polars::prelude::DataType::Int64).sum().alias(format!("_c{index}")));
    }
    if let Some(time) = &spec.event_time {
        let microseconds = polars::prelude::DataType::Datetime(polars::prelude::TimeUnit::Microseconds, None);
        measures.push(col(time.as_str()).max().cast(microseconds).to_physical().alias("_newest"));
    }
    let result = frame.clone().select(measures).collect_with_engine(Engine::Streaming)?.unwrap_single();
    let number = |name: &str| result.column(name).ok().and_then(|column| column.i64().ok()?.get(0));
    let results: Vec<CheckResult> = checks
        .iter()
        .enumerate()
        .map(|(index, check)| CheckResult {
            check: describe(check),
            severity: format!("{:?}", check.severity).to_lowercase(),
            failed: number(&format!("_c{index}")).unwrap_or(0).unsigned_abs(),
        })
        .collect();
    let broken: Vec<String> = results
        .iter()
        .filter(|result| result.severity == "error" && result.failed > 0)
        .map(|result| format!("{} fails in {} rows", result.check, result.failed))
        .collect();
    if !broken.is_empty() {
        return Err(NodeFailure::new(Code::CheckFailed, broken.join("; ")));
    }
    let quarantined = set_aside(spec, frame, &results, quarantine)?;
    let meta = SourceMeta {
        files: inspected.files.len() as u64,
        bytes: inspected.files.iter().map(|file| file.size).sum(),
        rows: number("_rows").unwrap_or(0).unsigned_abs(),
        checks: results,
        quarantined,
    };
    Ok((meta, number("_newest").and_then(day_after)))
}

/// The midnight after a moment in microseconds.
fn day_after(newest_us: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp_micros(newest_us)?.date_naive().checked_add_signed(TimeDelta::days(1))
}

/// The declared checks, and that columns not declared nullable hold no null.
fn all_checks(spec: &SourceSpec) -> Vec<CheckSpec> {
    let mut checks = spec.checks.clone();
    let declared: Vec<&String> = spec.checks.iter().filter_map(|check| check.not_null.as_ref()).flatten().collect();
    let implied: Vec<String> = spec
        .columns
        .iter()
        .filter(|(name, column)| !column.nullable && !declared.contains(name))
        .map(|(name, _)| name.clone())
        .collect();
    checks.extend(implied.into_iter().map(|name| CheckSpec {
        not_null: Some(vec![name]),
        range: None,
        min: None,
        max: None,
        severity: Severity::Error,
    }));
    checks
}

/// True for rows that fail the check; never null.
fn failing(check: &CheckSpec) -> Expr {
    let mut failing = lit(false);
    for name in check.not_null.iter().flatten() {
        failing = failing.or(col(name.as_str()).is_null());
    }
    if let Some(name) = &check.range {
        let column = || col(name.as_str());
        if let Some(min) = check.min {
            failing = failing.or(column().lt(lit(min)));
        }
        if let Some(max) = check.max {
            failing = failing.or(column().gt(lit(max)));
        }
    }
    failing.fill_null(lit(false))
}

fn describe(check: &CheckSpec) -> String {
    if let Some(columns) = &check.not_null {
        return format!("not_null {}", columns.join(", "));
    }
    let bound = |name: &str, bound: Option<f64>| bound.map(|bound| format!(" {name} {bound}")).unwrap_or_default();
    let range = check.range.as_deref().unwrap_or_default();
    format!("range {range}{}{}", bound("min", check.min), bound("max", check.max))
}

/// Writes the rows that a quarantine check fails, with the first such check as the reason.
fn set_aside(spec: &SourceSpec, frame: LazyFrame, results: &[CheckResult], path: &Path) -> Result<u64, NodeFailure> {
    let aside: Vec<&CheckSpec> = spec.checks.iter().filter(|check| check.severity == Severity::Quarantine).collect();
    if !results.iter().any(|result| result.severity == "quarantine" && result.failed > 0) {
        return Ok(0);
    }
    let mut any = lit(false);
    let mut reason = lit("");
    for check in aside.iter().rev() {
        any = failing(check).or(any);
        reason = polars::prelude::when(failing(check)).then(lit(describe(check))).otherwise(reason);
    }
    let rows = frame.filter(any).with_columns([reason.alias("_reason")]);
    Ok(scan::write_parquet(rows, path)?)
}
