//! What changed between two runs: their reports and manifests compared, their tables joined by entity.
//!
//! Tables are read a few columns at a time, and only counts and quantiles leave this module.

mod facts;
mod join;
mod levels;
mod side;

use std::collections::BTreeSet;

use polars::prelude::{DataType, PolarsError};

use super::failure::NodeFailure;
use super::history::PastRun;
use crate::metrics::evaluation::SEGMENTS_FACT;
use crate::metrics::shift::shift;
use crate::report::diff::{Diff, Migration, Move, Mover, Score, TableChange};
use crate::report::{NodeReport, Report};
use crate::stages::KINDS;
use crate::table::{Class, Column};
use join::Joined;
use levels::Rules;
pub use side::SideError;
use side::{ManifestNode, Output, Side};

/// Whole numbers with more levels than this are amounts.
const INTEGER_LEVELS_MAX: u64 = 12;
/// Texts with more levels than this are not compared by level.
const TEXT_LEVELS_MAX: u64 = 50;

/// Why two runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    #[error("failed to {0}")]
    Side(#[from] SideError),
    #[error(transparent)]
    Tables(#[from] NodeFailure),
}

impl From<PolarsError> for DiffError {
    fn from(error: PolarsError) -> DiffError {
        DiffError::Tables(NodeFailure::from(error))
    }
}

/// Compares two runs. `unmask` tells small counts too.
pub fn compare(before: &PastRun, now: &PastRun, unmask: bool) -> Result<Diff, DiffError> {
    let (before, now) = (Side::read(before)?, Side::read(now)?);
    let (checks, checks_same, checks_same_failing) = facts::checks(&before.report, &now.report);
    let mut diff = Diff {
        before: facts::run(&before.report),
        now: facts::run(&now.report),
        warnings: warnings(&before.report, &now.report),
        movers: vec![],
        migrations: vec![],
        scores: vec![],
        tables: vec![],
        models: facts::models(&before.report, &now.report),
        checks,
        checks_same,
        checks_same_failing,
        configuration: facts::configuration(&before, &now),
        columns: facts::columns(&before, &now),
        steps: facts::steps(&before.report, &now.report),
    };
    Tables { before: &before, now: &now, unmask, told: BTreeSet::new() }.compare(&mut diff)?;
    diff.movers = movers(&diff);
    Ok(diff)
}

fn warnings(before: &Report, now: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    if before.pipeline != now.pipeline {
        warnings.push(format!("these are runs of two pipelines, {} and {}", before.pipeline, now.pipeline));
    }
    for report in [before, now] {
        if !report.succeeded() {
            warnings.push(format!("the run of {} failed: some of its tables may be missing", report.run_date));
        }
    }
    warnings
}

/// The tables of the two runs, one after the other.
struct Tables<'a> {
    before: &'a Side,
    now: &'a Side,
    unmask: bool,
    /// What the columns of tables that were compared are called where they are joined.
    told: BTreeSet<String>,
}

impl Tables<'_> {
    fn compare(&mut self, diff: &mut Diff) -> Result<(), DiffError> {
        for node in &self.now.manifest.nodes {
            let earlier = self.before.node(&node.unique_id);
            for (place, (table, output)) in node.tables().enumerate() {
                let was = earlier
                    .and_then(|node| Some((node, node.outputs.get(place).filter(|was| was.port == output.port)?)));
                let mut change = self.rows(&table, node, &output.port);
                if let Some((earlier, was)) = was.filter(|_| node.is_stage() && !node.is_summary(output)) {
                    change.same = earlier.cache_key == node.cache_key;
                    if change.same {
                        self.tell(&table, output);
                    } else {
                        self.rows_of((earlier, was), (node, output), &mut change, diff)?;
                    }
                }
                diff.tables.push(change);
            }
            if node.outputs.is_empty() {
                diff.tables.push(self.rows(&format!("publish {}", node.name()), node, "published"));
            }
        }
        for node in self.before.manifest.nodes.iter().filter(|node| self.now.node(&node.unique_id).is_none()) {
            let tables = node.tables().map(|(table, output)| self.rows(&table, node, &output.port));
            diff.tables.extend(tables);
        }
        Ok(())
    }

    /// The row counts of a table, as the reports have them.
    fn rows(&self, table: &str, node: &ManifestNode, port: &str) -> TableChange {
        let rows = |report: &Report| {
            let found = report.nodes.iter().find(|one: &&NodeReport| one.id == node.unique_id)?;
            // A source has one table, whatever its port is called.
            let only = (!node.is_stage()).then(|| found.outputs.first()).flatten();
            found.outputs.iter().find(|output| output.port == port).or(only).map(|output| output.rows)
        };
        TableChange {
            table: table.to_owned(),
            rows_before: rows(&self.before.report),
            rows_now: rows(&self.now.report),
            entities: None,
            same: false,
            unavailable: None,
        }
    }

    /// Compares two outputs row by row, where a row is an entity.
    fn rows_of(
        &mut self,
        before: (&ManifestNode, &Output),
        now: (&ManifestNode, &Output),
        change: &mut TableChange,
        diff: &mut Diff,
    ) -> Result<(), DiffError> {
        for (side, node) in [(self.before, before.0), (self.now, now.0)] {
            if side.meta(node).is_none() {
                change.unavailable = Some(format!("the table of {} is gone", side.report.run_date));
                return Ok(());
            }
        }
        let Some(joined) = Joined::new((self.before, before.0, before.1), (self.now, now.0, now.1))? else {
            return Ok(());
        };
        change.entities = joined.entities()?;
        if change.entities.is_none() {
            change.unavailable = Some(format!("a `{}` has several rows", joined.entity));
            return Ok(());
        }
        self.columns(&change.table, now.0, &joined, diff)?;
        self.tell(&change.table, now.1);
        Ok(())
    }

    fn columns(&self, table: &str, node: &ManifestNode, joined: &Joined, diff: &mut Diff) -> Result<(), DiffError> {
        let both = |scores: &[Option<f64>; 2]| u64::from(scores.iter().all(Option::is_some));
        let (mut levels, mut amounts) = (Vec::new(), Vec::new());
        for column in joined.columns.iter().filter(|column| !self.told.contains(&column.name)) {
            let few = |most: u64| -> Result<bool, DiffError> { Ok(joined.levels(&column.name)? <= most) };
            match &column.dtype {
                DataType::Boolean => levels.push((column, DataType::String)),
                DataType::String if few(TEXT_LEVELS_MAX)? => levels.push((column, DataType::String)),
                DataType::String => {}
                dtype if dtype.is_integer() && few(INTEGER_LEVELS_MAX)? => levels.push((column, DataType::String)),
                _ if column.class == Class::Sensitive => {}
                _ => amounts.push((column, DataType::Float64)),
            }
        }
        let renamed = self.fitted_anew(node);
        joined.each(&levels, |column, pairs| -> Result<(), DiffError> {
            let rules = Rules {
                renamed: renamed && column.dtype.is_integer(),
                text: column.dtype == DataType::String,
                silent: column.class == Class::Sensitive,
                unmask: self.unmask,
            };
            diff.migrations.push(levels::migration(table, &column.name, &pairs, rules)?);
            Ok(())
        })?;
        joined.each(&amounts, |column, pairs| -> Result<(), DiffError> {
            let pairs = pairs.numbers()?;
            diff.scores.push(Score {
                table: table.to_owned(),
                column: column.name.clone(),
                both: pairs.iter().map(|(before, now)| both(&[*before, *now])).sum(),
                probability: is_probability(column),
                shift: shift(&pairs),
            });
            Ok(())
        })
    }

    /// Whether the node finds groups of its own, and these are of two models.
    fn fitted_anew(&self, node: &ManifestNode) -> bool {
        let segmentation = KINDS.iter().any(|kind| kind.name == node.kind && kind.family == "segmentation");
        let version = |report: &Report| {
            report.models.iter().find(|model| model.stage == node.name()).and_then(|model| model.version.clone())
        };
        let (before, now) = (version(&self.before.report), version(&self.now.report));
        segmentation && now.is_some() && before != now && !self.continues(node)
    }

    /// Whether its groups have the numbers of those that they continue.
    fn continues(&self, node: &ManifestNode) -> bool {
        if self.before.report.run_date >= self.now.report.run_date {
            return false;
        }
        let mut models = self.now.report.models.iter().filter(|model| model.stage == node.name());
        models.any(|model| model.evaluation.facts.iter().any(|fact| fact.name == SEGMENTS_FACT))
    }

    /// A table that joins answers has these columns again, under such names.
    fn tell(&mut self, table: &str, output: &Output) {
        let columns = output.schema.columns.iter();
        self.told.extend(columns.map(|column| format!("{}_{}", table.replace('.', "_"), column.name)));
    }
}

/// By the names that classifiers give them.
fn is_probability(column: &Column) -> bool {
    column.name == "probability" || column.name.starts_with("probability_") || column.name.ends_with("_probability")
}

/// Every column by how many entities it moved, most first.
fn movers(diff: &Diff) -> Vec<Mover> {
    let mover = |table: &str, column: &str, kind: Move, moved: u64, both: u64| Mover {
        table: table.to_owned(),
        column: column.to_owned(),
        kind,
        moved,
        both,
    };
    let levels =
        diff.migrations.iter().map(|one: &Migration| mover(&one.table, &one.column, Move::Level, one.moved, one.both));
    let tenths =
        diff.scores.iter().map(|one| mover(&one.table, &one.column, Move::Tenth, one.shift.other_tenth, one.both));
    let halves =
        diff.scores.iter().filter(|one| one.probability).map(|one| {
            mover(&one.table, &one.column, Move::Half, one.shift.crossed_up + one.shift.crossed_down, one.both)
        });
    let mut movers: Vec<Mover> = levels.chain(halves).chain(tenths).filter(|mover| mover.moved > 0).collect();
    // Stable: equals stay in the order of the pipeline.
    movers.sort_by_key(|mover| std::cmp::Reverse(mover.moved));
    movers
}
