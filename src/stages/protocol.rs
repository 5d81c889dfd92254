//! How a model is evaluated, and never fooled. Every modelling stage uses these rules and no others.
//!
//! - Snapshots: a label is known once its window has passed. The newest snapshot whose labels are
//!   known evaluates; only snapshots whose label windows end by that moment train (overlapping
//!   windows leak). The served model is then refitted on all labelled snapshots and scores the
//!   snapshot of the run date, nothing else.
//! - Hold-out: fit on events before the split (run date − holdout), judge on what follows, refit
//!   on all, serve.
//! - A table that does not say when its rows were known may feed an evaluated stage only if it is
//!   declared static.

use chrono::{Days, NaiveDate};

use super::contract::InputSchemas;
use crate::problem::{Code, Problem};
use crate::table::{Role, TableSchema};

/// What a stage's model is judged by.
#[derive(Debug, Clone, PartialEq)]
pub enum Protocol {
    /// Nothing is fitted.
    None,
    /// Fits and applies on the snapshot of the run date, or on all rows of a table without snapshots; no labels.
    Newest { port: &'static str },
    /// Labelled snapshots; of a table without snapshots, rows of which the target is known.
    Labelled { port: &'static str, target: String },
    /// Events before and after a split. What is at the ports `tonight` decides only what is served, never what is
    /// judged, so that it need not say when it was known.
    Holdout { port: &'static str, time: String, days: u32, tonight: &'static [&'static str] },
}

/// Which snapshots do what.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotSplit {
    pub evaluate: NaiveDate,
    /// Ascending; their label windows end by `evaluate`.
    pub train: Vec<NaiveDate>,
    /// Ascending; all whose labels are known.
    pub refit: Vec<NaiveDate>,
    pub score: NaiveDate,
}

/// Splits snapshots with these moments; `None` where nothing evaluates or nothing trains.
///
/// `known` are the moments whose labels are known, in any order.
pub fn split_snapshots(known: &[NaiveDate], horizon_days: u32, run_date: NaiveDate) -> Option<SnapshotSplit> {
    let mut refit: Vec<NaiveDate> =
        known.iter().copied().filter(|moment| ends(*moment, horizon_days) <= Some(run_date)).collect();
    refit.sort_unstable();
    let evaluate = *refit.last()?;
    let train: Vec<NaiveDate> =
        refit.iter().copied().filter(|moment| ends(*moment, horizon_days) <= Some(evaluate)).collect();
    (!train.is_empty()).then_some(SnapshotSplit { evaluate, train, refit, score: run_date })
}

fn ends(moment: NaiveDate, horizon_days: u32) -> Option<NaiveDate> {
    moment.checked_add_days(Days::new(u64::from(horizon_days)))
}

/// Refuses, with the reason, a plan that would break the rules; problems are placed in the stage.
pub fn check(protocol: &Protocol, inputs: &InputSchemas, run_date: NaiveDate) -> Vec<Problem> {
    match protocol {
        Protocol::None => vec![],
        Protocol::Newest { port } => table(inputs, port, |schema| match schema.snapshots.is_empty() {
            true => vec![],
            false => snapshots_present(schema, port, run_date),
        }),
        Protocol::Labelled { port, target } => table(inputs, port, |schema| {
            if schema.snapshots.is_empty() {
                return known_rows(schema, port, target);
            }
            let problems = snapshots_present(schema, port, run_date);
            if problems.is_empty() { labelled(schema, target, run_date) } else { problems }
        }),
        Protocol::Holdout { port, time, days, tonight } => {
            let mut problems = table(inputs, port, |schema| timed(schema, port, time, *days, run_date));
            let others =
                inputs.ports.iter().filter(|(other, _)| other.as_str() != *port && !tonight.contains(&other.as_str()));
            for (other, tables) in others {
                problems.extend(tables.iter().filter_map(|(name, schema)| untimed(other, name, schema)));
            }
            problems
        }
    }
}

fn table(inputs: &InputSchemas, port: &str, check: impl Fn(&TableSchema) -> Vec<Problem>) -> Vec<Problem> {
    inputs.one(port).map(check).unwrap_or_default()
}

fn snapshots_present(schema: &TableSchema, port: &str, run_date: NaiveDate) -> Vec<Problem> {
    if schema.snapshots.contains(&run_date) {
        return vec![];
    }
    let what = if schema.snapshots.is_empty() { "has no snapshots" } else { "has no snapshot of the run date" };
    vec![
        Problem::new(Code::NoSnapshots, format!("the table at `{port}` {what}"))
            .help("feed it the output of a `features` stage")
            .at(["inputs", port]),
    ]
}

/// Rows of which some have a target and others are to be scored.
fn known_rows(schema: &TableSchema, port: &str, target: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if schema.column(target).is_none() {
        let problem = Problem::new(Code::UnknownColumn, format!("the table has no column `{target}`"));
        problems.push(problem.nearest(target, schema.names()).at(["with", "target"]));
    }
    if schema.column(target).is_some_and(|column| column.role != Role::Plain) {
        let message = format!("`{target}` is a label of snapshots, of which the table at `{port}` has none");
        let help = "keep `as_of` and the key, so that rows are judged by what was known at their moment";
        problems.push(Problem::new(Code::Leak, message).help(help).at(["with", "target"]));
    }
    if !schema.fixed && schema.event_time.is_none() {
        let message = format!(
            "the table at `{port}` does not say when its rows were known, so the evaluation could see the future in it"
        );
        let help = "feed it the output of a `features` stage, or declare the source or the query `static: true` if it never changes";
        problems.push(Problem::new(Code::Leak, message).help(help).at(["inputs", port]));
    }
    problems
}

fn labelled(schema: &TableSchema, target: &str, run_date: NaiveDate) -> Vec<Problem> {
    let labels =
        || schema.columns.iter().filter(|column| column.role != Role::Plain).map(|column| column.name.as_str());
    let Some(column) = schema.column(target) else {
        let problem = Problem::new(Code::UnknownColumn, format!("the table has no column `{target}`"));
        return vec![problem.nearest(target, labels()).at(["with", "target"])];
    };
    let Role::Label { horizon_days } = column.role else {
        let problem = Problem::new(
            Code::Leak,
            format!("`{target}` is a feature, known at the snapshot's moment, so there is nothing to predict"),
        );
        return vec![problem.help("declare it under `labels:` with `next:`").at(["with", "target"])];
    };
    if split_snapshots(&schema.snapshots, horizon_days, run_date).is_some() {
        return vec![];
    }
    let message = format!(
        "no snapshot can train: the newest one labelled by {run_date} evaluates, and no other's {horizon_days}-day window ends before it"
    );
    let problem = Problem::new(Code::NoEvaluation, message);
    vec![problem.help("add snapshots (`count`), or shorten the label's window").at(["with", "target"])]
}

fn timed(schema: &TableSchema, port: &str, time: &str, days: u32, run_date: NaiveDate) -> Vec<Problem> {
    let mut problems = Vec::new();
    if schema.column(time).is_none() {
        let problem = Problem::new(Code::UnknownColumn, format!("the table at `{port}` has no column `{time}`"));
        problems.push(problem.nearest(time, schema.names()).at(["with", "time"]));
    } else {
        problems.extend(trusted_time(schema, port, time));
    }
    if run_date.checked_sub_days(Days::new(u64::from(days))).is_none() {
        problems.push(Problem::new(Code::BadValue, "the hold-out reaches before the calendar").at(["with", "holdout"]));
    }
    problems
}

/// The column `time` must be the table's event time: then no row looks past it.
pub fn trusted_time(schema: &TableSchema, port: &str, time: &str) -> Option<Problem> {
    let help =
        format!("if every row was wholly known at `{time}`, say so where the table is made: `event_time: {time}`");
    match &schema.event_time {
        Some(known) if known == time => None,
        Some(known) => {
            let message = format!("`{time}` is not the event time of the table at `{port}`, which is `{known}`");
            Some(Problem::new(Code::Leak, message).help(help).at(["with", "time"]))
        }
        None => {
            let message = format!("the table at `{port}` does not say when its rows became known");
            Some(Problem::new(Code::Leak, message).help(help).at(["inputs", port]))
        }
    }
}

fn untimed(port: &str, name: &str, schema: &TableSchema) -> Option<Problem> {
    if schema.fixed || schema.event_time.is_some() || !schema.snapshots.is_empty() {
        return None;
    }
    let message =
        format!("`{name}` does not say when its rows were known, so the evaluation could see the future in it");
    let problem =
        Problem::new(Code::Leak, message).help("declare the source or the query `static: true` if it never changes");
    Some(problem.at(["inputs", port]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The snapshots of the retail pipeline: every 30 days back from 2011-12-10.
    fn moments() -> Vec<NaiveDate> {
        (0..12).map(|k| date("2011-12-10") - Days::new(30 * k)).collect()
    }

    #[test]
    fn no_training_label_overlaps_the_evaluation() {
        let split = split_snapshots(&moments(), 90, date("2011-12-10")).unwrap();
        assert_eq!(split.evaluate, date("2011-09-11"));
        assert_eq!(split.train.last(), Some(&date("2011-06-13")));
        assert_eq!(split.train.first(), Some(&date("2011-01-14")));
        assert_eq!(split.refit.last(), Some(&date("2011-09-11")));
        for moment in &split.train {
            assert!(*moment + Days::new(90) <= split.evaluate);
        }
    }

    #[test]
    fn a_window_that_ends_at_the_run_date_is_known_and_one_day_later_is_not() {
        let known = [date("2011-06-13"), date("2011-09-11"), date("2011-09-12")];
        assert_eq!(split_snapshots(&known, 90, date("2011-12-10")).unwrap().evaluate, date("2011-09-11"));
    }

    #[test]
    fn too_few_snapshots_cannot_evaluate() {
        assert_eq!(split_snapshots(&moments()[..5], 90, date("2011-12-10")), None);
        assert_eq!(split_snapshots(&[], 90, date("2011-12-10")), None);
    }
}
