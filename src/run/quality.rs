//! What checks, gates and profiles found of the datasets of a node, for events: words and counts, and no value.

use std::collections::BTreeMap;

use super::results::NodeResult;
use super::state::{CheckResult, OutputProfile, SourceMeta};
use crate::events::{Assertion, ColumnCounts, Counts, NodeRef, Quality};
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::profile::{ColumnProfile, Shape};
use crate::plan::{Node, Work};

/// Adds what was found. What a source's or a gate's checks find is of what it reads, a stage's of what it writes.
pub fn tell(node: &Node, result: &NodeResult, told: &mut NodeRef) {
    match &node.work {
        Work::Source { .. } | Work::Gate { .. } => {
            let source = result.meta.as_ref().and_then(|meta| meta.source.as_ref());
            let counts = source.map(|source| of_source(source, result.checks()));
            if let Some(read) = told.reads.first_mut() {
                read.quality = found(result.checks().iter().map(assertion).collect(), counts);
            }
        }
        Work::Stage(_) => {
            for (place, (port, _)) in node.outputs.iter().enumerate() {
                let own = |check: &&CheckResult| check.port.as_ref().map_or(place == 0, |on| on == port);
                let assertions = result.checks().iter().filter(own).map(assertion).collect();
                let profiles = result.meta.iter().flat_map(|meta| &meta.profiles);
                let counts = profiles.filter(|profile| profile.port.as_ref() == Some(port)).map(of_profile).next();
                if let Some(written) = told.writes.get_mut(place) {
                    written.quality = found(assertions, counts);
                }
            }
        }
        Work::Publish { .. } => {}
    }
}

fn found(assertions: Vec<Assertion>, counts: Option<Counts>) -> Option<Quality> {
    (!assertions.is_empty() || counts.is_some()).then_some(Quality { assertions, counts })
}

fn assertion(check: &CheckResult) -> Assertion {
    Assertion {
        kind: check.kind.clone(),
        name: check.check.clone(),
        columns: check.columns.clone(),
        severity: check.severity.clone(),
        success: check.failed == 0,
        failed_rows: (ROWS_FAIL.contains(&check.kind.as_str())).then_some(check.failed),
        found: check.found.clone(),
    }
}

/// The kinds of checks that rows fail.
const ROWS_FAIL: [&str; 7] = ["not_null", "unique", "range", "accepted", "pattern", "sql", "references"];

/// A check that no value is null has counted the nulls, where it looks at one column.
fn of_source(source: &SourceMeta, checks: &[CheckResult]) -> Counts {
    let nulls =
        checks.iter().filter(|check| check.kind == "not_null").filter_map(|check| match check.columns.as_slice() {
            [one] => Some((one.clone(), check.failed)),
            _ => None,
        });
    let counts = |nulls| ColumnCounts { nulls: told(nulls, source.rows), distinct: None };
    Counts {
        rows: source.rows,
        bytes: Some(source.bytes),
        files: Some(source.files),
        columns: with_counts(nulls.map(|(name, nulls)| (name, counts(nulls)))),
    }
}

/// Of the rows that were looked at: of many every k-th, of snapshots the newest.
fn of_profile(profile: &OutputProfile) -> Counts {
    let of = |column: &ColumnProfile| {
        let distinct = match &column.shape {
            Shape::Category { levels, other: 0 } => Some(levels.len() as u64),
            _ => None,
        };
        (column.name.clone(), ColumnCounts { nulls: told(column.nulls, column.rows), distinct })
    };
    Counts {
        rows: profile.columns.iter().map(|column| column.rows).max().unwrap_or(profile.rows),
        bytes: None,
        files: None,
        columns: with_counts(profile.columns.iter().map(of)),
    }
}

fn with_counts(columns: impl Iterator<Item = (String, ColumnCounts)>) -> BTreeMap<String, ColumnCounts> {
    columns.filter(|(_, counts)| *counts != ColumnCounts::default()).collect()
}

/// A number of rows, unless so few have a null, or none, that they might be told apart.
fn told(nulls: u64, rows: u64) -> Option<u64> {
    let few = |count: u64| (1..TOLD_MIN).contains(&count);
    (!few(nulls) && !few(rows.saturating_sub(nulls))).then_some(nulls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, columns: &[&str], failed: u64) -> CheckResult {
        CheckResult {
            check: format!("{kind} {}", columns.join(", ")),
            kind: kind.to_owned(),
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            port: None,
            severity: "error".to_owned(),
            failed,
            found: None,
        }
    }

    #[test]
    fn checks_have_counted_nulls() {
        let source = SourceMeta { rows: 100, bytes: 7, files: 2, ..SourceMeta::default() };
        let checks = [
            check("not_null", &["a"], 0),
            check("not_null", &["b"], 4),
            check("not_null", &["c", "d"], 9),
            check("range", &["e"], 30),
        ];
        let counts = of_source(&source, &checks);
        assert_eq!((counts.rows, counts.bytes, counts.files), (100, Some(7), Some(2)));
        let none = ColumnCounts { nulls: Some(0), distinct: None };
        assert_eq!(counts.columns, BTreeMap::from([("a".to_owned(), none)]), "four rows are too few to be told");
    }

    #[test]
    fn profiles_have_counted_nulls_and_levels() {
        let levels = [("x".to_owned(), 20), ("y".to_owned(), 30)];
        let country = ColumnProfile::of_levels("country", levels.clone(), 10);
        let rare = ColumnProfile::of_levels("rare", levels.into_iter().chain([("z".to_owned(), 3)]), 2);
        let columns = vec![country, rare, ColumnProfile::untold("id", 60, 58)];
        let counts = of_profile(&OutputProfile { port: None, as_of: None, rows: 600, columns });
        assert_eq!(counts.rows, 60, "those that were looked at");
        let wanted = ColumnCounts { nulls: Some(10), distinct: Some(2) };
        assert_eq!(counts.columns, BTreeMap::from([("country".to_owned(), wanted)]));
    }

    #[test]
    fn a_finding_has_a_number_only_where_rows_fail() {
        assert_eq!(assertion(&check("range", &["price"], 3)).failed_rows, Some(3));
        let stale = assertion(&CheckResult { found: Some("9 days old".to_owned()), ..check("freshness", &["at"], 1) });
        assert_eq!((stale.failed_rows, stale.success, stale.found.as_deref()), (None, false, Some("9 days old")));
        assert!(assertion(&check("unique", &["k"], 0)).success);
    }
}
