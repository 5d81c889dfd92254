//! How far the profiled tables have moved from the run before, and from what models were fitted on.
//!
//! Everything is compared by stored profiles: those of a node that was skipped are there as well, and old
//! data is not read.

use super::results::NodeResult;
use super::schedule::Run;
use super::state::{Meta, OutputProfile};
use crate::metrics::profile::{ColumnProfile, psi};
use crate::plan::{Node, Work};
use crate::report::{Drift, ProfiledColumn, TableProfile};

/// The distributions that a column is compared with.
struct Reference {
    against: String,
    columns: Vec<ColumnProfile>,
}

/// Every profile of the run's nodes, in the order of the results.
pub fn tables(run: &Run, results: &[&NodeResult]) -> Vec<TableProfile> {
    let mut found = Vec::new();
    for result in results {
        let (Some(node), Some(meta)) = (run.plan.nodes.get(result.node), &result.meta) else { continue };
        if meta.profiles.is_empty() {
            continue;
        }
        let earlier = run.prepared.state.earlier(&node.name, run.plan.run_date);
        for profile in &meta.profiles {
            let mut references: Vec<Reference> =
                earlier.iter().filter_map(|earlier| of_run(earlier, meta, profile)).collect();
            references.extend(of_models(run, results, result.node, node, profile));
            found.push(TableProfile {
                table: name(node, profile),
                as_of: profile.as_of,
                rows: profile.rows,
                columns: profile.columns.iter().map(|column| compared(column, &references)).collect(),
            });
        }
    }
    found
}

/// `customers`, `segments.profiles`, `input of similar_products`
fn name(node: &Node, profile: &OutputProfile) -> String {
    let first = node.outputs.first().map(|(port, _)| port);
    match &profile.port {
        None => format!("input of {}", node.name),
        port if port.as_ref() == first => node.name.clone(),
        Some(port) => format!("{}.{port}", node.name),
    }
}

fn compared(column: &ColumnProfile, references: &[Reference]) -> ProfiledColumn {
    let drift = references.iter().filter_map(|reference| {
        let earlier = reference.columns.iter().find(|earlier| earlier.name == column.name)?;
        let found = psi(earlier, column)?;
        Some(Drift { against: reference.against.clone(), psi: found.index, chance: found.chance })
    });
    ProfiledColumn { profile: column.clone(), drift: drift.collect() }
}

/// The same table in the run before.
fn of_run(earlier: &Meta, now: &Meta, profile: &OutputProfile) -> Option<Reference> {
    let before = earlier.profiles.iter().find(|before| before.port == profile.port)?;
    let other = if earlier.parts.parameters == now.parts.parameters { "" } else { DEFINED_OTHERWISE };
    let against = format!("the run of {}{other}", earlier.parts.run_date);
    Some(Reference { against, columns: before.columns.clone() })
}

/// What is said of a run whose stage had other parameters: what moved may be the definition.
pub const DEFINED_OTHERWISE: &str = ", which defined it otherwise";

/// What the models were fitted on that read this table, but for those fitted on these very rows.
fn of_models(run: &Run, results: &[&NodeResult], index: usize, node: &Node, profile: &OutputProfile) -> Vec<Reference> {
    let reads = |other: usize, reader: &Node| match (&profile.port, &reader.work) {
        (None, _) => other == index,
        (Some(port), Work::Stage(work)) => work
            .inputs
            .iter()
            .flat_map(|(_, feeds)| feeds)
            .any(|feed| feed.node == index && node.outputs.get(feed.port).is_some_and(|(name, _)| name == port)),
        _ => false,
    };
    let reference = |result: &&NodeResult| {
        let reader = run.plan.nodes.get(result.node).filter(|reader| reads(result.node, reader))?;
        let version = &result.meta.as_ref()?.model.as_ref()?.version;
        let columns = run.prepared.state.signature(&reader.name, version)?.profile;
        let same = columns.iter().all(|column| profile.columns.contains(column));
        (!same).then(|| Reference { against: format!("what {} was fitted on", reader.name), columns })
    };
    results.iter().filter_map(reference).collect()
}
