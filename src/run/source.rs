//! Sources: which files they are, whether they keep their contract, and which rows are good.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, Engine, Expr, LazyFrame, col, len, lit};

use super::checks::{Findings, Subject, examine, failure, integer, newest};
use super::contract;
use super::databases::Databases;
use super::entry::Entering;
use super::failure::NodeFailure;
use super::queries::{self, Answer, Asked, Asking};
use super::stage::{Surroundings, compared, from_panic};
use super::state::{Aside, CheckResult, Meta, OutputMeta, SourceMeta, State, table_file};
use super::texts::{self, Typed};
use crate::checks::{Check, Test};
use crate::config::{Severity, SourceSpec};
use crate::plan::{Entry, Node, Work};
use crate::privacy::Pseudonyms;
use crate::problem::Code;
use crate::storage::{Footer, Format, Places, SourceFile, StorageError, footer, local, scan, sources, text};
use crate::table::text::day_after;
use crate::table::{TableSchema, midnight_us};

/// A source's files, found to keep the contract's columns and types. Of a query the one that its rows were read into.
#[derive(Debug, Clone)]
pub struct Inspected {
    pub format: Format,
    pub files: Vec<SourceFile>,
    pub footers: Vec<Footer>,
    /// What comparing them with the contract gave.
    pub contract: Vec<CheckResult>,
    /// What becomes of its columns.
    pub entering: Entering,
    /// What is known of a query.
    asked: Option<Asked>,
}

/// What is outside of the project, and how it is reached.
pub struct Outside<'a> {
    pub pseudonyms: Option<&'a Pseudonyms>,
    pub places: &'a Places,
    pub databases: &'a Databases,
}

impl Inspected {
    /// What changes when the data does.
    pub fn identities(&self) -> Vec<String> {
        let name = |file: &SourceFile| format!("{} {}", file.location, file.identity);
        self.asked.as_ref().map_or_else(|| self.files.iter().map(name).collect(), |asked| asked.identities.clone())
    }

    /// Removes the rows of a query, which nobody needs any more: they are as they were before data entered.
    pub fn let_go(&self) {
        let rows = self.asked.as_ref().and_then(|asked| asked.rows.as_ref());
        for file in rows.and_then(|rows| std::fs::read_dir(rows.path()).ok()).into_iter().flatten().flatten() {
            // What cannot be removed now goes with the run.
            let _ = std::fs::remove_file(file.path());
        }
    }

    /// How long a query took, before the source's turn came.
    pub fn asked_for(&self) -> Duration {
        self.asked.as_ref().map_or(Duration::ZERO, |asked| asked.elapsed)
    }

    /// Whether its rows are read where the files lie, by whoever needs them.
    pub fn is_read_in_place(&self) -> bool {
        self.format == Format::Parquet && self.asked.is_none()
    }
}

/// Lists the files and reads their footers, or the headers of text files; no row is judged. A query is asked.
pub async fn inspect(
    spec: &SourceSpec,
    entry: &Entry,
    outside: &Outside<'_>,
    asking: Asking<'_>,
) -> Result<Inspected, NodeFailure> {
    let keyless = || NodeFailure::new(Code::Bug, "there is no key of pseudonyms");
    let entering = Entering::of(entry, outside.pseudonyms).ok_or_else(keyless)?;
    if let Some(query) = &spec.query {
        let answer = queries::ask(spec, query, &entry.raw, &entering, outside.databases, asking).await?;
        let Answer { asked, files, footers, contract } = answer;
        return Ok(Inspected { format: Format::Parquet, files, footers, contract, entering, asked: Some(asked) });
    }
    let path = spec.path.as_deref().unwrap_or_default();
    let location = outside.places.location(path).map_err(NodeFailure::source)?;
    let format = texts::format(spec);
    let files = sources::list(&location, &format).await.map_err(NodeFailure::source)?;
    let footers = match &format {
        Format::Parquet => footer::read_all(&files).await,
        text => text::heads(&files, text).await,
    };
    let footers = footers.map_err(NodeFailure::source)?;
    let contract = contract::compare(spec, &entry.raw, &files, &footers)?;
    Ok(Inspected { format, files, footers, contract, entering, asked: None })
}

impl Inspected {
    /// Makes sure that local Parquet files, which are read where they lie, are still those that were listed. In S3 no
    /// other version can be read, and text and queries are read into a table at once.
    pub fn unchanged(&self) -> Result<(), NodeFailure> {
        if !self.is_read_in_place() {
            return Ok(());
        }
        for file in self.files.iter().filter(|file| file.location.is_local()) {
            tokio::runtime::Handle::current().block_on(sources::unchanged(file))?;
        }
        Ok(())
    }
}

/// The rows of Parquet files that downstream stages see. `raw`: the columns as the files have them.
pub fn frame(
    spec: &SourceSpec,
    raw: &TableSchema,
    checks: &[Check],
    inspected: &Inspected,
    run_date: NaiveDate,
) -> Result<LazyFrame, NodeFailure> {
    let frame = scan::scan(&inspected.files, &inspected.footers, raw)?;
    Ok(used(frame, spec, checks, inspected, run_date))
}

/// Those that go on of rows as the files have them: before the run date, without those that their own values set aside,
/// with pseudonyms where there are to be any.
pub(super) fn used(
    mut frame: LazyFrame,
    spec: &SourceSpec,
    checks: &[Check],
    inspected: &Inspected,
    run_date: NaiveDate,
) -> LazyFrame {
    if let Some(time) = &spec.event_time {
        frame = frame.filter(col(time.as_str()).lt(moment(run_date)));
    }
    for check in checks.iter().filter(|check| check.severity == Severity::Quarantine) {
        if let Test::Row(failing) = &check.test {
            frame = frame.filter(failing.clone().not());
        }
    }
    inspected.entering.rows(frame)
}

/// Microsecond precision, as the scan gives datetimes; a date compares as its midnight.
fn moment(run_date: NaiveDate) -> Expr {
    lit(run_date.and_time(chrono::NaiveTime::MIN))
}

/// Makes every check of a source and commits what was found. Rows that are set aside are written to the run's
/// directory. The others are kept as a table of their own where there are no Parquet files to read them from, or where
/// only a comparison with other rows tells them.
pub fn run(index: usize, around: &Surroundings<'_>) -> Result<Meta, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, "the source does not exist");
    let node = around.plan.nodes.get(index).ok_or_else(bug)?;
    let Work::Source { spec, entry } = &node.work else { return Err(bug()) };
    let inspected = around.sources.get(&index).ok_or_else(bug)?;
    let decision = around.decisions.get(index).ok_or_else(bug)?;
    let (port, schema) = node.outputs.first().ok_or_else(bug)?;
    let directory = local::AtomicDirectory::create(&around.state.tables(&node.name, &decision.key))?;
    let mut results = inspected.contract.clone();
    let typed = typed(spec, &entry.raw, inspected, around, directory.path(), &mut results)?;
    let frame = match &typed {
        Some(typed) => scan::read_parquet(&typed.table)?,
        None => scan::scan(&inspected.files, &inspected.footers, &entry.raw)?,
    };
    let seen = seen(node, spec, &entry.raw, inspected, around.plan.run_date);
    let findings = check(node, spec, frame, inspected, around, (index, seen))?;
    inspected.unchanged()?;
    results.extend(findings.results.iter().cloned());
    if let Some(failure) = failure(&results) {
        return Err(failure);
    }
    let watermark = findings.newest_us.and_then(day_after);
    let mut meta = Meta { watermark, checks: results, ..Meta::of(decision.parts.clone()) };
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
        later: match &typed {
            Some(typed) => typed.later,
            None => later_rows(spec, &entry.raw, inspected, seen, around.plan.run_date)?,
        },
    });
    if !inspected.is_read_in_place() || findings.needs_row_numbers() {
        let rows = keep(&findings, inspected, typed.as_ref(), &table_file(directory.path(), port))?;
        meta.outputs.push(OutputMeta::of_file(directory.path(), port, rows, schema)?);
    }
    State::write_meta(directory.path(), &meta)?;
    // First, because nothing that fails once the account stands is done again.
    around.state.record_rows(&node.name, around.plan.run_date, &[(port.clone(), findings.kept)].into())?;
    around.state.place(directory, &node.name, &decision.key, around.full_refresh)?;
    inspected.let_go();
    Ok(meta)
}

/// How many rows wait for a later run date, or are wrong: only times are read, of row groups that have such rows.
fn later_rows(
    spec: &SourceSpec,
    raw: &TableSchema,
    inspected: &Inspected,
    seen: Option<footer::Seen>,
    run_date: NaiveDate,
) -> Result<u64, NodeFailure> {
    let Some(time) = &spec.event_time else { return Ok(0) };
    if let Some(seen) = seen {
        let rows: u64 = inspected.footers.iter().filter_map(|footer| footer.rows).sum();
        return Ok(rows.saturating_sub(seen.before + seen.without));
    }
    let later = col(time.as_str()).gt_eq(moment(run_date));
    let count = len().cast(DataType::Int64).alias("rows");
    let later = scan::scan(&inspected.files, &inspected.footers, raw)?.filter(later).select([count]);
    let counted = catch_unwind(AssertUnwindSafe(|| Ok(later.collect_with_engine(Engine::Streaming)?.unwrap_single())));
    let counted: DataFrame = counted.unwrap_or_else(|panic| Err(from_panic(panic.as_ref())))?;
    Ok(integer(&counted, "rows").unwrap_or(0).unsigned_abs())
}

/// The rows of text files as a table; none of Parquet, which is read where it lies. What was found of their values goes
/// to the results.
fn typed(
    spec: &SourceSpec,
    raw: &TableSchema,
    inspected: &Inspected,
    around: &Surroundings<'_>,
    directory: &Path,
    results: &mut Vec<CheckResult>,
) -> Result<Option<Typed>, NodeFailure> {
    if inspected.format == Format::Parquet {
        return Ok(None);
    }
    let reading = texts::table(spec, raw, inspected, around.plan.run_date, directory);
    let typed = tokio::runtime::Handle::current().block_on(reading)?;
    // The first lines tell less than all of them.
    results.retain(|result| typed.results.iter().all(|found| found.check != result.check));
    results.extend(typed.results.iter().cloned());
    Ok(Some(typed))
}

/// Writes the rows that go on. A table of what was read that holds just those becomes it, else it is removed, since its
/// columns are as they were before data entered.
fn keep(
    findings: &Findings<'_>,
    inspected: &Inspected,
    typed: Option<&Typed>,
    table: &Path,
) -> Result<u64, NodeFailure> {
    let Some(Typed { table: typed, .. }) = typed else { return Ok(scan::write_parquet(findings.kept(), table)?) };
    let moved = |error| NodeFailure::from(StorageError::io("move", typed.display(), &error));
    if findings.kept == findings.rows && inspected.entering.changes_nothing() {
        std::fs::rename(typed, table).map_err(moved)?;
        return Ok(findings.rows);
    }
    let rows = scan::write_table(findings.kept(), table)?;
    std::fs::remove_file(typed).map_err(moved)?;
    Ok(rows)
}

fn check<'a>(
    node: &'a Node,
    spec: &'a SourceSpec,
    mut frame: LazyFrame,
    inspected: &Inspected,
    around: &Surroundings<'a>,
    (index, known): (usize, Option<footer::Seen>),
) -> Result<Findings<'a>, NodeFailure> {
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
    if let Some(seen) = known {
        return Ok(Findings::of_statistics(subject, seen));
    }
    let checked = catch_unwind(AssertUnwindSafe(|| examine(subject, |table, column| compared(around, table, column))));
    checked.unwrap_or_else(|panic| Err(from_panic(panic.as_ref())))
}

/// What a pass over the rows would find where there is nothing to check, by statistics: rows in S3 are fetched only for
/// what needs them. Of row groups in which the run date's midnight lies the times are read, unless they are many.
fn seen(
    node: &Node,
    spec: &SourceSpec,
    raw: &TableSchema,
    inspected: &Inspected,
    run_date: NaiveDate,
) -> Option<footer::Seen> {
    let is_far = inspected.files.iter().all(|file| !file.location.is_local());
    let time = spec.event_time.as_deref().filter(|_| is_far && node.checks.is_empty())?;
    let (mut seen, divided) = footer::seen_before(&inspected.footers, time, midnight_us(run_date))?;
    let rows: u64 = inspected.footers.iter().filter_map(|footer| footer.rows).sum();
    if divided.iter().map(|group| group.rows).sum::<u64>() > rows / 2 {
        return None;
    }
    let times = TableSchema { columns: raw.column(time).cloned().into_iter().collect(), ..TableSchema::default() };
    for group in divided {
        let (file, footer) = (inspected.files.get(group.file)?, inspected.footers.get(group.file)?);
        let frame = scan::scan(std::slice::from_ref(file), std::slice::from_ref(footer), &times).ok()?;
        let count = len().cast(DataType::Int64).alias("rows");
        let before = frame.slice(group.offset.try_into().ok()?, group.rows.try_into().ok()?);
        let before = before.filter(col(time).lt(moment(run_date))).select([count, newest(col(time)).alias("newest")]);
        let found = catch_unwind(AssertUnwindSafe(|| before.collect_with_engine(Engine::Streaming)));
        let found = found.ok()?.ok()?.unwrap_single();
        seen.before += integer(&found, "rows")?.unsigned_abs();
        seen.newest_us = seen.newest_us.max(integer(&found, "newest"));
    }
    Some(seen)
}
