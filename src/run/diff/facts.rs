//! What the two reports and manifests say, without looking at a table.

use std::collections::BTreeMap;

use serde_json::Value;

use super::side::{ManifestNode, Side};
use crate::report::diff::{
    Changed, CheckChange, ColumnChange, ModelChange, ModelFacts, RunFacts, Setting, Step, StepChange,
};
use crate::report::{CheckReport, ModelReport, NodeReport, Report, summary};
use crate::table::{Class, Column, Role, type_name};

pub fn run(report: &Report) -> RunFacts {
    RunFacts {
        pipeline: report.pipeline.clone(),
        run_id: report.run_id.clone(),
        run_date: report.run_date,
        environment: report.environment.clone(),
        patronage_version: report.patronage_version.clone(),
        started: report.started,
        outcome: summary::outcome(report),
        elapsed_seconds: report.elapsed_seconds,
        peak_memory_bytes: report.peak_memory_bytes,
        threads: report.threads as u64,
    }
}

/// Everything of both lists by key: those now in their order, then those that only before had.
pub fn side_by_side<'a, T>(before: &'a [T], now: &'a [T], key: impl Fn(&T) -> String) -> Vec<Sides<'a, T>> {
    let mut earlier: BTreeMap<String, &T> = before.iter().map(|one| (key(one), one)).collect();
    let mut both: Vec<_> =
        now.iter().map(|one| (key(one), one)).map(|(key, one)| (earlier.remove(&key), Some(one))).collect();
    both.extend(before.iter().filter(|one| earlier.contains_key(&key(one))).map(|one| (Some(one), None)));
    both
}

/// Of one key, what was before and what is now.
pub type Sides<'a, T> = (Option<&'a T>, Option<&'a T>);

pub fn models(before: &Report, now: &Report) -> Vec<ModelChange> {
    let sides = side_by_side(&before.models, &now.models, |model| model.stage.clone());
    let stage = |(before, now): &Sides<'_, ModelReport>| now.or(*before).map(|model| model.stage.clone());
    let change = |sides: Sides<'_, ModelReport>| {
        let stage = stage(&sides)?;
        // What has neither version nor measure, such as fixed rules, has nothing to compare.
        let says = |model: &ModelReport| model.version.is_some() || model.evaluation.headline().is_some();
        [sides.0, sides.1].into_iter().flatten().any(says).then_some(())?;
        Some(ModelChange { stage, before: sides.0.map(model), now: sides.1.map(model) })
    };
    sides.into_iter().filter_map(change).collect()
}

fn model(report: &ModelReport) -> ModelFacts {
    let headline = report.evaluation.headline();
    ModelFacts {
        version: report.version.clone(),
        measure: headline.map(|measure| measure.name.clone()),
        value: headline.map(|measure| measure.model),
        baseline: headline.and_then(|measure| measure.baseline),
        verdict: report.verdict,
    }
}

/// The checks that came out differently; how many came out the same, and how many of these fail.
pub fn checks(before: &Report, now: &Report) -> (Vec<CheckChange>, u64, u64) {
    let sides = side_by_side(&before.checks, &now.checks, |check| format!("{}\n{}", check.on, check.check));
    let (mut same, mut failing) = (0, 0);
    let mut changes = Vec::new();
    for (before, now) in sides {
        let Some(either) = now.or(before) else { continue };
        let failed = |side: Option<&CheckReport>| side.map(|check| check.failed_rows);
        if failed(before) == failed(now) {
            same += 1;
            failing += u64::from(either.failed_rows > 0);
            continue;
        }
        changes.push(CheckChange {
            on: either.on.clone(),
            check: either.check.clone(),
            severity: either.severity.clone(),
            before: failed(before),
            now: failed(now),
        });
    }
    (changes, same, failing)
}

pub fn steps(before: &Report, now: &Report) -> Vec<StepChange> {
    let step = |node: &NodeReport| Step { status: node.status, elapsed_seconds: node.elapsed_seconds };
    let sides = side_by_side(&before.nodes, &now.nodes, |node| node.id.clone());
    let change = |(before, now): Sides<'_, NodeReport>| {
        let id = now.or(before)?.id.clone();
        Some(StepChange { id, before: before.map(step), now: now.map(step) })
    };
    sides.into_iter().filter_map(change).collect()
}

/// Columns of the outputs of nodes that both runs have.
pub fn columns(before: &Side, now: &Side) -> Vec<ColumnChange> {
    let mut changes = Vec::new();
    for node in &now.manifest.nodes {
        let Some(earlier) = before.node(&node.unique_id) else { continue };
        for (table, output) in node.tables() {
            let Some(was) = earlier.outputs.iter().find(|was| was.port == output.port) else { continue };
            for (before, now) in side_by_side(&was.schema.columns, &output.schema.columns, |column| column.name.clone())
            {
                changes.extend(column_change(&table, before, now));
            }
        }
    }
    changes
}

fn column_change(table: &str, before: Option<&Column>, now: Option<&Column>) -> Option<ColumnChange> {
    let (was, is) = (before.map(described), now.map(described));
    let change = match (&was, &is) {
        (None, _) => Changed::Added,
        (_, None) => Changed::Removed,
        _ if was == is => return None,
        _ => Changed::Changed,
    };
    let column = now.or(before)?.name.clone();
    Some(ColumnChange { table: table.to_owned(), column, change, before: was, now: is })
}

/// `int64`, `string (quasi_id)`, `bool (label of 90 days)`
fn described(column: &Column) -> String {
    let mut text = type_name(&column.dtype);
    let class = serde_json::to_value(column.class).unwrap_or_default();
    if let Some(class) = class.as_str().filter(|_| column.class != Class::Behavioral) {
        text.push_str(&format!(" ({class})"));
    }
    if let Role::Label { horizon_days } = column.role {
        text.push_str(&format!(" (label of {horizon_days} days)"));
    }
    text
}

/// Sources, stages and publications that are defined differently, as written or as filled in.
pub fn configuration(before: &Side, now: &Side) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (was, is) in side_by_side(&before.manifest.nodes, &now.manifest.nodes, |node| node.unique_id.clone()) {
        let Some(either) = is.or(was) else { continue };
        let node = either.unique_id.clone();
        let change = match (was, is) {
            (None, _) => Changed::Added,
            (_, None) => Changed::Removed,
            _ => Changed::Changed,
        };
        let mut details = Vec::new();
        if let (Some(was), Some(is)) = (was, is) {
            let (old, new) = (definition(&before.manifest.config, was), definition(&now.manifest.config, is));
            differences("", old.unwrap_or(&Value::Null), new.unwrap_or(&Value::Null), &mut details);
            if was.definition_hash == is.definition_hash && details.is_empty() {
                continue;
            }
        }
        settings.push(Setting { node, change, details });
    }
    let details = of_all(&before.manifest.config, &now.manifest.config);
    if !details.is_empty() {
        settings.push(Setting { node: "pipeline".to_owned(), change: Changed::Changed, details });
    }
    settings
}

/// What differs of that which holds for the whole pipeline.
fn of_all(before: &Value, now: &Value) -> Vec<String> {
    let mut details = Vec::new();
    for key in ["name", "seed", "on_entry"] {
        let side = |config: &Value| config.get(key).cloned().unwrap_or(Value::Null);
        differences(key, &side(before), &side(now), &mut details);
    }
    details
}

/// The part of the rendered pipeline that defines a node.
fn definition<'a>(config: &'a Value, node: &ManifestNode) -> Option<&'a Value> {
    let name = node.name();
    if node.is_stage() {
        let stages = config.get("stages")?.as_array()?;
        return stages.iter().find(|stage| stage.get("id").and_then(Value::as_str) == Some(name));
    }
    let place = if node.unique_id.starts_with("source.") { "sources" } else { "publish" };
    config.get(place)?.get(name)
}

/// The paths at which two values differ.
fn differences(path: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    if before == now {
        return;
    }
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            let keys = now.keys().chain(before.keys().filter(|key| !now.contains_key(*key)));
            for key in keys {
                let side = |object: &serde_json::Map<String, Value>| object.get(key).cloned().unwrap_or(Value::Null);
                differences(&below(key), &side(before), &side(now), found);
            }
        }
        _ => found.push(match (short(before), short(now)) {
            (Some(before), Some(now)) => format!("{path}: {before} → {now}"),
            _ => path.to_owned(),
        }),
    }
}

/// Numbers, truth values and single words. Longer texts are only said to differ: they may be
/// queries, or addresses that are nobody's business.
fn short(value: &Value) -> Option<String> {
    const WORD_MAX: usize = 40;
    let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | ' ');
    match value {
        Value::Null => Some("none".to_owned()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::String(text) if text.len() <= WORD_MAX && text.chars().all(word) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_lists_are_seen_once() {
        let sides = side_by_side(&["a", "b", "c"], &["c", "d", "a"], |one| (*one).to_owned());
        let found: Vec<_> = sides.into_iter().map(|(before, now)| (before.copied(), now.copied())).collect();
        let wanted = [(Some("c"), Some("c")), (None, Some("d")), (Some("a"), Some("a")), (Some("b"), None)];
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_becomes_of_data_as_it_enters_is_compared() {
        let before = json!({"name": "shop", "seed": 1, "on_entry": {"direct_id": "pseudonymize"}});
        let now = json!({"name": "shop", "seed": 1, "on_entry": {"direct_id": "keep", "sensitive": "drop"}});
        let told = ["on_entry.direct_id: pseudonymize → keep", "on_entry.sensitive: none → drop"];
        assert_eq!(of_all(&before, &now), told);
        assert_eq!(of_all(&before, &json!({"name": "shop", "seed": 1})), ["on_entry"]);
        assert_eq!(of_all(&now, &now), [""; 0]);
    }

    #[test]
    fn settings_are_told_by_path_and_long_texts_not_at_all() {
        let before = json!({"with": {"clusters": {"to": 10}, "query": "SELECT 'x'", "l2": 1.0}, "tags": ["a"]});
        let now =
            json!({"with": {"clusters": {"to": 8}, "query": "SELECT 'y'", "engine": "linfa", "l2": 1.0}, "tags": []});
        let mut found = Vec::new();
        differences("", &before, &now, &mut found);
        assert_eq!(found, ["with.clusters.to: 10 → 8", "with.query", "with.engine: none → linfa", "tags"]);
    }
}
