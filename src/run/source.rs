//! Sources: which files they are, whether they keep their contract, and which rows are good.

use std::path::Path;

use chrono::{DateTime, NaiveDate, TimeDelta};
use polars::prelude::{Expr, LazyFrame, col, lit};

use super::checks::{Findings, Subject, examine, failure};
use super::contract;
use super::entry::Entering;
use super::failure::NodeFailure;
use super::stage::{Surroundings, compared};
use super::state::{Aside, CheckResult, Meta, OutputMeta, SourceMeta, State, table_file};
use crate::checks::{Check, Test};
use crate::config::{Severity, SourceSpec};
use crate::plan::{Entry, Node, Work};
use crate::privacy::Pseudonyms;
use crate::problem::Code;
use crate::storage::{Footer, Location, SourceFile, footer, local, scan, sources};
use crate::table::TableSchema;

/// A source's files, found to keep the contract's columns and types.
#[derive(Debug, Clone)]
pub struct Inspected {
    pub files: Vec<SourceFile>,
    pub footers: Vec<Footer>,
    /// What comparing them with the contract gave.
    pub contract: Vec<CheckResult>,
    /// What becomes of its columns.
    pub entering: Entering,
}

impl Inspected {
    /// What changes when the data does.
    pub fn identities(&self) -> Vec<String> {
        let name = |file: &SourceFile| format!("{} {}", file.location, file.identity);
        self.files.iter().map(name).collect()
    }
}

/// Lists the files and reads their footers; no row is read.
pub async fn inspect(
    spec: &SourceSpec,
    entry: &Entry,
    pseudonyms: Option<&Pseudonyms>,
    root: &Path,
) -> Result<Inspected, NodeFailure> {
    let keyless = || NodeFailure::new(Code::Bug, "there is no key of pseudonyms");
    let entering = Entering::of(entry, pseudonyms).ok_or_else(keyless)?;
    let location = Location::parse(&spec.path, root).map_err(NodeFailure::source)?;
    let files = sources::list(&location).await.map_err(NodeFailure::source)?;
    let footers = footer::read_all(&files).await.map_err(NodeFailure::source)?;
    let contract = contract::compare(spec, &entry.raw, &files, &footers)?;
    Ok(Inspected { files, footers, contract, entering })
}

/// The rows that downstream stages see: before the run date, without those that their own values set aside, with
/// pseudonyms where there are to be any. `raw`: the columns as the files have them.
pub fn frame(
    spec: &SourceSpec,
    raw: &TableSchema,
    checks: &[Check],
    inspected: &Inspected,
    run_date: NaiveDate,
) -> Result<LazyFrame, NodeFailure> {
    let mut frame = scan::scan(&inspected.files, &inspected.footers, raw)?;
    if let Some(time) = &spec.event_time {
        frame = frame.filter(col(time.as_str()).lt(moment(run_date)));
    }
    for check in checks.iter().filter(|check| check.severity == Severity::Quarantine) {
        if let Test::Row(failing) = &check.test {
            frame = frame.filter(failing.clone().not());
        }
    }
    Ok(inspected.entering.rows(frame))
}

/// Microsecond precision, as the scan gives datetimes; a date compares as its midnight.
fn moment(run_date: NaiveDate) -> Expr {
    lit(run_date.and_time(chrono::NaiveTime::MIN))
}

/// Makes every check of a source and commits what was found. Rows that are set aside are written to the run's
/// directory; where only a comparison with other rows tells them, the others are kept as a table of their own.
pub fn run(index: usize, around: &Surroundings<'_>) -> Result<Meta, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, "the source does not exist");
    let node = around.plan.nodes.get(index).ok_or_else(bug)?;
    let Work::Source { spec, entry } = &node.work else { return Err(bug()) };
    let inspected = around.sources.get(&index).ok_or_else(bug)?;
    let decision = around.decisions.get(index).ok_or_else(bug)?;
    let (port, schema) = node.outputs.first().ok_or_else(bug)?;
    let findings = check(node, spec, &entry.raw, inspected, around, index)?;
    let mut results = inspected.contract.clone();
    results.extend(findings.results.iter().cloned());
    if let Some(failure) = failure(&results) {
        return Err(failure);
    }
    let mut meta = Meta {
        parts: decision.parts.clone(),
        outputs: vec![],
        watermark: findings.newest_us.and_then(day_after),
        evaluation: None,
        model: None,
        source: None,
        checks: results,
        aside: vec![],
        profiles: vec![],
    };
    let mut quarantined = 0;
    if findings.sets_aside() {
        let file = around.aside(&node.name);
        quarantined = findings.set_aside(&around.state.root.join(&file))?;
        meta.aside.push(Aside { port: port.clone(), rows: quarantined, file });
    }
    meta.source = Some(SourceMeta {
        files: inspected.files.len() as u64,
        bytes: inspected.files.iter().map(|file| file.size).sum(),
        rows: findings.rows,
        quarantined,
    });
    around.state.make_room(&node.name, &decision.key, around.full_refresh)?;
    let directory = local::AtomicDirectory::create(&around.state.tables(&node.name, &decision.key))?;
    if findings.needs_row_numbers() {
        let rows = scan::write_parquet(findings.kept(), &table_file(directory.path(), port))?;
        meta.outputs.push(OutputMeta { port: port.clone(), rows, schema: schema.clone() });
    }
    State::write_meta(directory.path(), &meta)?;
    directory.finish()?;
    around.state.prune(&node.name, &decision.key);
    around.state.record_rows(&node.name, around.plan.run_date, &[(port.clone(), findings.kept)].into())?;
    Ok(meta)
}

fn check<'a>(
    node: &'a Node,
    spec: &'a SourceSpec,
    raw: &TableSchema,
    inspected: &Inspected,
    around: &Surroundings<'a>,
    index: usize,
) -> Result<Findings<'a>, NodeFailure> {
    let mut frame = scan::scan(&inspected.files, &inspected.footers, raw)?;
    if let Some(time) = &spec.event_time {
        // Rows without a time are looked at, so that a check can find them, but never used.
        frame = frame.filter(col(time.as_str()).lt(moment(around.plan.run_date)).or(col(time.as_str()).is_null()));
    }
    let subject = Subject {
        frame,
        entering: inspected.entering.clone(),
        time: spec.event_time.as_deref(),
        port: None,
        checks: node.checks.iter().collect(),
        run_date: around.plan.run_date,
        earlier: around.earlier_rows(index, "table"),
        passing: around.rows.clone(),
    };
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        examine(subject, |table, column| compared(around, table, column))
    }));
    checked.unwrap_or_else(|_| {
        let message = format!("a file of `{}` is damaged: reading it panicked", node.name);
        Err(NodeFailure::new(Code::CorruptFile, message))
    })
}

/// The midnight after a moment in microseconds.
fn day_after(newest_us: i64) -> Option<NaiveDate> {
    DateTime::from_timestamp_micros(newest_us)?.date_naive().checked_add_signed(TimeDelta::days(1))
}
