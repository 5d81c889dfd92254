//! Makes the checks of one table: a streaming pass for what looks at single rows, one more over the key columns
//! where keys are compared.

mod aside;
mod keys;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, Engine, Expr, LazyFrame, TimeUnit, col, len, lit, when};

use super::entry::Entering;
use super::failure::NodeFailure;
use super::state::CheckResult;
use crate::checks::{Check, Test};
use crate::config::Severity;
use crate::config::checks::RowBounds;
use crate::format;
use crate::problem::Code;
use crate::storage::footer::Seen;
use crate::storage::scan::{self, RowCounter};
use crate::table::midnight_us;

/// A table whose checks are made.
pub struct Subject<'a> {
    /// The rows that are looked at.
    pub frame: LazyFrame,
    /// What becomes of its columns before anyone else sees them.
    pub entering: Entering,
    /// Null where a row is looked at but never used: its event time. None: every row is used.
    pub time: Option<&'a str>,
    /// The port, where it is not the node's first.
    pub port: Option<&'a str>,
    pub checks: Vec<&'a Check>,
    pub run_date: NaiveDate,
    /// Rows of this table in the last run for an earlier run date.
    pub earlier: Option<(NaiveDate, u64)>,
    /// Counts the rows as they are looked at.
    pub passing: RowCounter,
}

/// What the checks found.
pub struct Findings<'a> {
    subject: Subject<'a>,
    pub results: Vec<CheckResult>,
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows that go on.
    pub kept: u64,
    /// The greatest value of [`Subject::time`] among the rows that go on, in microseconds.
    pub newest_us: Option<i64>,
    /// By check: the numbers of the rows that fail, ascending, where they are not told by the row alone.
    positions: Vec<Option<keys::Positions>>,
}

/// Makes the checks; `table` gives the values of a column of another table.
pub fn examine<'a>(
    subject: Subject<'a>,
    table: impl Fn(&str, &str) -> Result<LazyFrame, NodeFailure>,
) -> Result<Findings<'a>, NodeFailure> {
    let found = one_pass(&subject)?;
    let rows = integer(&found, ROWS).unwrap_or(0).unsigned_abs();
    let positions = keys::positions(&subject, rows, table)?;
    let mut findings = Findings { results: vec![], rows, kept: 0, newest_us: None, positions, subject };
    // What single rows say of the rows that go on is too much where other rows have a say.
    let going_on = if findings.needs_row_numbers() { Some(findings.measure_kept()?) } else { None };
    let number = |name: &str| match &going_on {
        Some(going_on) if going_on.column(name).is_ok() => integer(going_on, name),
        _ => integer(&found, name),
    };
    findings.kept = number(KEPT).unwrap_or(0).unsigned_abs();
    findings.newest_us = number(NEWEST);
    for (index, check) in findings.subject.checks.iter().enumerate() {
        let (failed, told) = match &check.test {
            Test::Row(_) => (number(&format!("_c{index}")).unwrap_or(0).unsigned_abs(), None),
            Test::Unique(_) | Test::References { .. } => {
                let positions = findings.positions.get(index).and_then(Option::as_ref);
                (positions.map_or(0, |positions| positions.len() as u64), None)
            }
            Test::Freshness { column, age_days_max } => {
                let newest = number(&format!("_c{index}"));
                freshness(column, *age_days_max, newest, findings.subject.run_date)
            }
            Test::Rows(bounds) => row_bounds(bounds, findings.kept, findings.subject.earlier),
            Test::Known { failed, found } => (*failed, found.clone()),
        };
        findings.results.push(CheckResult {
            check: check.words.clone(),
            kind: check.kind.to_owned(),
            columns: check.columns.clone(),
            port: findings.subject.port.map(str::to_owned),
            severity: check.severity.word().to_owned(),
            failed,
            found: told,
        });
    }
    Ok(findings)
}

/// Rows that are looked at, and those that go on; the greatest time of the latter.
const ROWS: &str = "_rows";
const KEPT: &str = "_kept";
const NEWEST: &str = "_newest";

/// The number in the first row of a column.
pub(super) fn integer(frame: &DataFrame, name: &str) -> Option<i64> {
    frame.column(name).ok().and_then(|column| column.i64().ok()?.get(0))
}

/// The greatest times that are asked for, each with its column. A row that is set aside must not make a table fresh.
fn newest_of<'a>(subject: &'a Subject<'_>) -> Vec<(String, &'a str)> {
    let of_check = |(index, check): (usize, &&'a Check)| match &check.test {
        Test::Freshness { column, .. } => Some((format!("_c{index}"), column.as_str())),
        _ => None,
    };
    let checks = subject.checks.iter().enumerate().filter_map(of_check);
    checks.chain(subject.time.map(|time| (NEWEST.to_owned(), time))).collect()
}

/// The greatest of some times, in microseconds.
pub(super) fn newest(times: Expr) -> Expr {
    times.max().cast(DataType::Datetime(TimeUnit::Microseconds, None)).to_physical()
}

/// Counts, sums and maxima of everything that needs one row at a time.
fn one_pass(subject: &Subject<'_>) -> Result<DataFrame, NodeFailure> {
    let mut flags = Vec::new();
    let mut read = vec![col(KEPT)];
    let mut measures = vec![len().cast(DataType::Int64).alias(ROWS)];
    let mut kept = subject.time.map_or(lit(true), |time| col(time).is_not_null());
    for (index, check) in subject.checks.iter().enumerate() {
        let name = format!("_c{index}");
        if let Test::Row(failing) = &check.test {
            if check.severity == Severity::Quarantine {
                kept = kept.and(failing.clone().not());
            }
            // A column of its own, so that a constant condition has a value for every row.
            flags.push(failing.clone().alias(&name));
            read.push(col(&name));
            measures.push(col(&name).cast(DataType::Int64).sum());
        }
    }
    for (name, column) in newest_of(subject) {
        let used = when(kept.clone()).then(col(column)).otherwise(lit(polars::prelude::NULL));
        flags.push(used.alias(&name));
        read.push(col(&name));
        measures.push(newest(col(&name)).alias(&name));
    }
    flags.push(kept.alias(KEPT));
    measures.push(col(KEPT).cast(DataType::Int64).sum());
    // Counted where nothing but what is asked for is left, so that no other column is read for it.
    let asked = subject.frame.clone().with_columns(flags).select(read);
    let frame = scan::counted(asked, &subject.passing).select(measures);
    Ok(frame.collect_with_engine(Engine::Streaming)?.unwrap_single())
}

fn freshness(column: &str, days_max: u32, newest_us: Option<i64>, run_date: NaiveDate) -> (u64, Option<String>) {
    const DAY_US: i64 = 86_400_000_000;
    let days = |count: i64| format::count(count.unsigned_abs(), "day", "days");
    let Some(newest_us) = newest_us else {
        return (1, Some(format!("no row has a `{column}`")));
    };
    let age_us = midnight_us(run_date).saturating_sub(newest_us);
    if age_us <= i64::from(days_max) * DAY_US {
        return (0, None);
    }
    let age = if age_us % DAY_US == 0 { days(age_us / DAY_US) } else { format!("more than {}", days(age_us / DAY_US)) };
    (1, Some(format!("the newest is {age} old, expected at most {}", days(i64::from(days_max)))))
}

pub(super) fn row_bounds(bounds: &RowBounds, rows: u64, earlier: Option<(NaiveDate, u64)>) -> (u64, Option<String>) {
    let counted = |count: u64| format::count(count, "row", "rows");
    let mut wrong = Vec::new();
    if let Some(min) = bounds.min.filter(|min| rows < *min) {
        wrong.push(format!("{}, expected at least {}", counted(rows), format::thousands(min)));
    }
    if let Some(max) = bounds.max.filter(|max| rows > *max) {
        wrong.push(format!("{}, expected at most {}", counted(rows), format::thousands(max)));
    }
    let mut remark = None;
    match (bounds.change_max, earlier) {
        (None, _) => {}
        (Some(_), None) => remark = Some("there is no earlier run to compare with".to_owned()),
        (Some(share_max), Some((day, before))) => {
            let change = rows.abs_diff(before);
            #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
            let changed = change as f64 > share_max * before as f64;
            if changed {
                let before = counted(before);
                wrong.push(format!(
                    "{} after {before} on {day}, expected a change of at most {share_max}",
                    counted(rows)
                ));
            }
        }
    }
    (u64::from(!wrong.is_empty()), (!wrong.is_empty()).then(|| wrong.join("; ")).or(remark))
}

impl<'a> Findings<'a> {
    /// What there is to say of a table without checks, by the statistics of its files.
    pub fn of_statistics(subject: Subject<'a>, seen: Seen) -> Findings<'a> {
        Findings {
            subject,
            results: vec![],
            rows: seen.before + seen.without,
            kept: seen.before,
            newest_us: seen.newest_us,
            positions: vec![],
        }
    }
}

impl Findings<'_> {
    /// Whether a check of severity `quarantine` fails.
    pub fn sets_aside(&self) -> bool {
        self.results.iter().any(|result| result.severity == "quarantine" && result.failed > 0)
    }

    /// Whether rows are set aside for what only a comparison with other rows tells.
    pub fn needs_row_numbers(&self) -> bool {
        let checks = self.subject.checks.iter().zip(&self.positions);
        let mut quarantines = checks.filter(|(check, _)| check.severity == Severity::Quarantine);
        quarantines.any(|(_, positions)| positions.as_ref().is_some_and(|positions| positions.len() > 0))
    }
}

/// The failure that results of severity `error` make, if there are any; it carries all results.
pub fn failure(results: &[CheckResult]) -> Option<NodeFailure> {
    let broken: Vec<&CheckResult> = results.iter().filter(|result| result.is_broken()).collect();
    let stale = |result: &&CheckResult| result.check.starts_with("freshness ");
    let code = match broken.as_slice() {
        [] => return None,
        all if all.iter().all(stale) => Code::SourceStale,
        _ => Code::CheckFailed,
    };
    let message: Vec<String> = broken.iter().map(|result| result.sentence()).collect();
    Some(NodeFailure { checks: results.to_vec(), ..NodeFailure::new(code, message.join("; ")) })
}

/// The number of a row, from 0, in the order of the frame.
const ROW: &str = "_row_number";

/// True for the rows that the check fails; of row numbers where the row alone does not tell.
fn failing(check: &Check, positions: Option<&keys::Positions>) -> Expr {
    match (&check.test, positions) {
        (Test::Row(failing), _) => failing.clone(),
        (_, Some(positions)) => positions.contains(ROW),
        _ => lit(false),
    }
}
