//! Which nodes would give something new, and why.

use std::collections::BTreeMap;

use super::counts::Counts;
use super::source::Inspected;
use super::state::{Last, State};
use crate::checks::Check;
use crate::config::PublishFormat;
use crate::plan::{Key, KeyParts, Node, Plan, Work, digest};

/// What is to be done with a node.
#[derive(Debug, Clone)]
pub struct Decision {
    pub key: Key,
    pub parts: KeyParts,
    /// Its outputs exist already.
    pub done: bool,
    /// Why it runs, or why it does not.
    pub reason: String,
    /// The version of the earlier model that it applies or continues.
    pub model: Option<String>,
    /// The rows of its tables in the last run for an earlier run date, where a check compares with them.
    pub earlier: Option<(chrono::NaiveDate, Counts)>,
}

/// Decides for every source and stage; publications are decided when their turn comes, from what
/// was last published. `anew`: what is to run though nothing changed.
pub fn decide(
    plan: &Plan,
    state: &State,
    sources: &BTreeMap<usize, Inspected>,
    anew: impl Fn(usize) -> bool,
) -> Vec<Decision> {
    let last = state.last();
    let mut decisions: Vec<Decision> = Vec::with_capacity(plan.nodes.len());
    for (index, node) in plan.nodes.iter().enumerate() {
        let model = match &node.work {
            Work::Stage(work) if work.stage.applies_earlier_model() => state.applied_version(&node.name, plan.run_date),
            Work::Stage(work) if work.stage.continues_model() => state.earlier_version(&node.name, plan.run_date),
            _ => None,
        };
        let earlier = node
            .checks
            .iter()
            .any(Check::compares_with_earlier)
            .then(|| state.earlier_rows(&node.name, plan.run_date))
            .flatten();
        let mut parts = parts(plan, node, sources.get(&index), &decisions, model.clone());
        parts.earlier_rows = earlier.as_ref().map(|(day, counts)| format!("{day} {counts:?}"));
        let key = parts.key();
        let done = !anew(index) && is_done(state, node, &key, plan.run_date);
        let reason = if done {
            "nothing changed".to_owned()
        } else if anew(index) {
            "--full-refresh".to_owned()
        } else {
            reason(last.get(&node.id()), &parts)
        };
        decisions.push(Decision { key, parts, done, reason, model, earlier });
    }
    decisions
}

fn is_done(state: &State, node: &Node, key: &Key, run_date: chrono::NaiveDate) -> bool {
    match node.work {
        Work::Gate { .. } => state.has_passed(&node.name, run_date, &key.0),
        Work::Publish { .. } => false,
        _ => state.meta(&node.name, key).is_some(),
    }
}

fn reason(last: Option<&Last>, parts: &KeyParts) -> String {
    let Some(last) = last else { return "first run".to_owned() };
    if last.result == "error" {
        return "it failed last time".to_owned();
    }
    let difference = last.parts.as_ref().and_then(|earlier| parts.difference(earlier));
    difference.unwrap_or_else(|| "its output is missing".to_owned())
}

fn parts(
    plan: &Plan,
    node: &Node,
    inspected: Option<&Inspected>,
    decisions: &[Decision],
    model: Option<String>,
) -> KeyParts {
    let key_of = |feed: &crate::plan::Feed| {
        let key = decisions.get(feed.node).map(|decision| decision.key.0.clone()).unwrap_or_default();
        (feed.name.clone(), format!("{key}/{}", feed.port))
    };
    let mut inputs = BTreeMap::new();
    let parameters = match &node.work {
        Work::Source { spec, entry } => {
            // The path is not part of it: the files' identities are.
            serde_json::json!({
                "format": spec.file_format(), "csv": spec.csv, "event_time": spec.event_time, "key": spec.key, "static": spec.fixed,
                "columns": spec.columns, "extra_columns": spec.extra_columns,
                "reordered_columns": spec.reordered_columns, "checks": node.check_specs,
                "pseudonymized": entry.pseudonymized, "dropped": entry.dropped,
            })
        }
        Work::Stage(work) => {
            for (port, feeds) in &work.inputs {
                for (place, feed) in feeds.iter().enumerate() {
                    inputs.insert(format!("{port}/{place}"), key_of(feed));
                }
            }
            match node.check_specs.as_slice() {
                [] => work.with.clone(),
                checks => serde_json::json!({ "with": work.with, "checks": checks }),
            }
        }
        Work::Gate { with, of, .. } => {
            inputs.insert("of/0".to_owned(), key_of(of));
            with.clone()
        }
        Work::Publish { spec, from } => {
            inputs.insert("from/0".to_owned(), key_of(from));
            // What goes without saying is left out, so that what earlier versions published counts as the same.
            let mut parameters = serde_json::json!({ "snapshots": spec.snapshots });
            if spec.format != PublishFormat::Parquet {
                parameters["format"] = serde_json::json!(spec.format);
            }
            if let Some(load) = &spec.load {
                parameters["load"] = serde_json::json!(load);
            }
            parameters
        }
    };
    for table in node.check_specs.iter().filter_map(|check| check.refers_to()) {
        if let Some(feed) = plan.find(table) {
            inputs.insert(format!("checks/{table}"), key_of(&feed));
        }
    }
    KeyParts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kind: node.kind().to_owned(),
        parameters,
        run_date: plan.run_date,
        seed: if node.is_stage() { stage_seed(plan.seed, &node.name) } else { 0 },
        inputs,
        files: inspected.map(Inspected::identities).unwrap_or_default(),
        model,
        earlier_rows: None,
        pseudonyms: inspected.and_then(|inspected| inspected.entering.digest()),
    }
}

/// The seed of a stage: the same for the same pipeline seed and stage id, unrelated between stages.
pub fn stage_seed(seed: u64, stage: &str) -> u64 {
    let digest = digest(format!("{seed}/{stage}").as_bytes());
    digest.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(seed)
}
