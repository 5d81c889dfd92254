//! What the columns of every table are made of, step by step: each table by those that the step reads.

use super::{Entry, Feed, Node, Plan, StageWork, Work};
use crate::checks::{Check, Test};
use crate::config::{Severity, SnapshotChoice, SourceSpec};
use crate::stages::InputSchemas;
use crate::stages::lineage::{Lineage, Origins, Use};
use crate::table::{AS_OF, RUN_DATE, TableSchema};

/// What the files of a source are called in its lineage, where tables go by their names in the pipeline.
pub const FILES: &str = "";

impl Plan {
    /// What each output of a node is made of, in their order; of a publication what is published.
    pub fn lineage(&self, node: &Node) -> Vec<Lineage> {
        match &node.work {
            Work::Source { spec, entry } => {
                node.outputs.iter().map(|(_, schema)| source(spec, entry, schema, &node.checks)).collect()
            }
            Work::Stage(work) => self.of_stage(node, work),
            Work::Gate { .. } => vec![],
            Work::Publish { spec, from } => {
                self.schema(from).map(|schema| publication(from, schema, spec.snapshots)).into_iter().collect()
            }
        }
    }

    fn of_stage(&self, node: &Node, work: &StageWork) -> Vec<Lineage> {
        let mut inputs = InputSchemas::default();
        for (port, feeds) in &work.inputs {
            let of = |feed: &Feed| Some((feed.name.clone(), self.schema(feed)?.clone()));
            inputs.ports.insert(port.clone(), feeds.iter().filter_map(of).collect());
        }
        let schemas: Vec<TableSchema> = node.outputs.iter().map(|(_, schema)| schema.clone()).collect();
        let mut all = work.stage.lineage(&inputs, &schemas);
        for check in &node.checks {
            if let Some(lineage) = all.get_mut(check.port) {
                let rows = set_aside_by(check, |column| lineage.of(column).clone());
                lineage.rows.add(&rows, Use::Identity);
            }
        }
        all
    }
}

/// The columns pass as they are, or pseudonyms in their place; which rows do is for the event time and the checks to say.
fn source(spec: &SourceSpec, entry: &Entry, schema: &TableSchema, checks: &[Check]) -> Lineage {
    let mut lineage = Lineage::default();
    for column in schema.names() {
        let masked = entry.pseudonymized.iter().any(|name| name == column);
        let used = if masked { Use::Masked } else { Use::Identity };
        lineage.fields.insert(column.to_owned(), Origins::one(FILES, column, used));
    }
    if let Some(time) = &spec.event_time {
        lineage.rows.add(&Origins::one(FILES, time, Use::Filter), Use::Filter);
    }
    for check in checks {
        let rows = set_aside_by(check, |column| Origins::one(FILES, column, Use::Filter));
        lineage.rows.add(&rows, Use::Identity);
    }
    lineage
}

/// What a check that sets rows aside looks at; nothing of one that does not.
fn set_aside_by(check: &Check, of: impl Fn(&str) -> Origins) -> Origins {
    let mut rows = Origins::default();
    if check.severity != Severity::Quarantine {
        return rows;
    }
    for column in &check.columns {
        rows.add(&of(column), Use::Filter);
    }
    if let Test::References { table, target, .. } = &check.test {
        rows.add(&Origins::one(table, target, Use::Filter), Use::Filter);
    }
    rows
}

/// Everything passes as it is, beside the run date, which is made of nothing.
fn publication(from: &Feed, schema: &TableSchema, snapshots: SnapshotChoice) -> Lineage {
    let mut lineage = Lineage::default();
    for column in schema.names().into_iter().filter(|name| *name != RUN_DATE) {
        lineage.fields.insert(column.to_owned(), Origins::one(&from.name, column, Use::Identity));
    }
    if !schema.snapshots.is_empty() && snapshots != SnapshotChoice::All {
        lineage.rows.add(&Origins::one(&from.name, AS_OF, Use::Filter), Use::Filter);
    }
    lineage
}
