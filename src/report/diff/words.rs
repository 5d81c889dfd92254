//! The sections that reports and manifests fill, and the sentences at the head.

use super::content::{Changed, Diff, ModelFacts, Move, TableChange};
use super::outline::{Grid, Section};
use crate::format::{self, count, number, thousands};
use crate::metrics::evaluation::{Estimate, Verdict};
use crate::report::NodeStatus;
use crate::report::summary::verdict_words;

/// What stands for what is not there.
const NONE: &str = "–";

/// A column of a table, as one name.
pub fn column(table: &str, column: &str) -> String {
    format!("{table}.{column}")
}

/// `2.8 %`; of nothing there is no share.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 { NONE.to_owned() } else { format!("{} %", format::decimal(part as f64 * 100.0 / whole as f64, 1)) }
}

/// A stability index, which is never negative.
pub fn psi(psi: f64) -> String {
    format::decimal(psi.max(0.0), 3)
}

/// What matters most, a sentence each.
pub fn lead(diff: &Diff) -> Vec<String> {
    let mut lead: Vec<String> = diff.warnings.iter().map(|warning| format!("Careful: {warning}.")).collect();
    lead.push(configured(diff));
    let failing = |before: Option<u64>, now: Option<u64>| before.unwrap_or(0) == 0 && now.unwrap_or(0) > 0;
    let broken = diff.checks.iter().filter(|check| failing(check.before, check.now)).count() as u64;
    if broken > 0 {
        lead.push(format!("{}.", count(broken, "check newly fails", "checks newly fail")));
    }
    for model in &diff.models {
        let verdicts =
            (model.before.as_ref().and_then(|one| one.verdict), model.now.as_ref().and_then(|one| one.verdict));
        if let (Some(before), Some(now)) = verdicts
            && before != now
        {
            let words = |verdict: Verdict| verdict_words(Some(verdict));
            lead.push(format!("{} is {} now; it was {}.", model.stage, words(now), words(before)));
        }
    }
    if let Some(top) = diff.movers.iter().find(|mover| mover.kind != Move::Tenth) {
        let how = if top.kind == Move::Half { "across 0.5" } else { "to another level" };
        lead.push(format!(
            "{} moved most: {} of {} went {how} ({}).",
            column(&top.table, &top.column),
            thousands(top.moved),
            thousands(top.both),
            share(top.moved, top.both)
        ));
    } else if diff.movers.is_empty() && diff.tables.iter().any(|table| table.same || table.entities.is_some()) {
        lead.push("Nobody moved.".to_owned());
    }
    let gone = diff.tables.iter().filter(|table| table.unavailable.is_some()).count() as u64;
    if gone > 0 {
        lead.push(format!("{} not be compared by row; see the tables.", count(gone, "table could", "tables could")));
    }
    lead
}

fn configured(diff: &Diff) -> String {
    let nodes: Vec<&str> = diff.configuration.iter().map(|setting| setting.node.as_str()).collect();
    match nodes.as_slice() {
        [] => "The pipeline is defined as it was.".to_owned(),
        nodes if nodes.len() <= 5 => format!("Defined differently: {}.", nodes.join(", ")),
        nodes => format!("{} are defined differently.", count(nodes.len() as u64, "step", "steps")),
    }
}

pub fn tables(diff: &Diff) -> Option<Section> {
    let rows = |rows: Option<u64>| rows.map_or(NONE.to_owned(), thousands);
    let difference = |table: &TableChange| match (table.rows_before, table.rows_now) {
        (Some(before), Some(now)) => signed(i128::from(now) - i128::from(before)),
        _ => NONE.to_owned(),
    };
    let row = |table: &TableChange| {
        let entities = table.entities.as_ref();
        let entity = |of: &dyn Fn(&super::Entities) -> u64| entities.map_or(String::new(), |one| thousands(of(one)));
        let note = match (&table.unavailable, table.same, table.rows_before, table.rows_now) {
            (Some(why), ..) => why.clone(),
            (None, true, ..) => "the same output".to_owned(),
            (None, _, None, _) => "new".to_owned(),
            (None, _, _, None) => "gone".to_owned(),
            _ => String::new(),
        };
        vec![
            table.table.clone(),
            rows(table.rows_before),
            rows(table.rows_now),
            difference(table),
            entity(&|one| one.new),
            entity(&|one| one.gone),
            entities.map(|one| one.column.clone()).unwrap_or(note),
        ]
    };
    let heads = ["table", "#rows before", "#rows now", "#difference", "#new", "#gone", "of"];
    let grid =
        Grid::new("Rows, and entities of tables with one row each", &heads, diff.tables.iter().map(row).collect());
    section("tables", "Tables", vec![grid])
}

/// `+12`, `-3`, `=`
fn signed(difference: i128) -> String {
    let size = thousands(u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX));
    match difference {
        0 => "=".to_owned(),
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

pub fn models(diff: &Diff) -> Option<Section> {
    let mut rows = Vec::new();
    for model in &diff.models {
        let sides = [("before", &model.before), ("now", &model.now)];
        for (when, facts) in sides {
            let Some(facts) = facts else {
                rows.push(vec![model.stage.clone(), when.to_owned(), "no model".to_owned()]);
                continue;
            };
            rows.push(model_row(&model.stage, when, facts));
        }
    }
    let heads = ["model", "run", "measure", "value", "baseline", "verdict", "version"];
    section("models", "Models", vec![Grid::new("The deciding measure beside the baseline", &heads, rows)])
}

fn model_row(stage: &str, when: &str, facts: &ModelFacts) -> Vec<String> {
    let estimate = |estimate: &Option<Estimate>| match estimate {
        Some(Estimate { value, low: Some(low), high: Some(high) }) => {
            format!("{} [{}, {}]", number(*value), number(*low), number(*high))
        }
        Some(estimate) => number(estimate.value),
        None => NONE.to_owned(),
    };
    vec![
        stage.to_owned(),
        when.to_owned(),
        facts.measure.clone().unwrap_or_else(|| NONE.to_owned()),
        estimate(&facts.value),
        estimate(&facts.baseline),
        verdict_words(facts.verdict).to_owned(),
        facts.version.clone().unwrap_or_else(|| NONE.to_owned()),
    ]
}

pub fn checks(diff: &Diff) -> Option<Section> {
    if diff.checks.is_empty() && diff.checks_same == 0 {
        return None;
    }
    let found = |failed: Option<u64>| match failed {
        None => "no such check".to_owned(),
        Some(0) => "passed".to_owned(),
        Some(failed) => format!("{} failed", thousands(failed)),
    };
    let row = |check: &super::CheckChange| {
        vec![check.on.clone(), check.check.clone(), check.severity.clone(), found(check.before), found(check.now)]
    };
    let heads = ["on", "check", "severity", "before", "now"];
    let grid = Grid::new("Checks that came out differently", &heads, diff.checks.iter().map(row).collect());
    let same = format!(
        "{} came out the same; {} of them failed both times.",
        count(diff.checks_same, "check", "checks"),
        thousands(diff.checks_same_failing)
    );
    let grids = if diff.checks.is_empty() { vec![] } else { vec![grid] };
    Some(Section { id: "checks", heading: "Checks", intro: Some(same), grids })
}

fn changed(change: Changed) -> &'static str {
    match change {
        Changed::Added => "added",
        Changed::Removed => "removed",
        Changed::Changed => "changed",
    }
}

pub fn configuration(diff: &Diff) -> Option<Section> {
    let row = |setting: &super::Setting| {
        vec![setting.node.clone(), changed(setting.change).to_owned(), setting.details.join("; ")]
    };
    let rows: Vec<Vec<String>> = diff.configuration.iter().map(row).collect();
    let grids =
        if rows.is_empty() { vec![] } else { vec![Grid::new("Defined differently", &["step", "", "keys"], rows)] };
    section("configuration", "Configuration", grids)
}

pub fn columns(diff: &Diff) -> Option<Section> {
    let side = |side: &Option<String>| side.clone().unwrap_or_else(|| NONE.to_owned());
    let row = |change: &super::ColumnChange| {
        vec![
            column(&change.table, &change.column),
            changed(change.change).to_owned(),
            side(&change.before),
            side(&change.now),
        ]
    };
    let rows: Vec<Vec<String>> = diff.columns.iter().map(row).collect();
    let heads = ["column", "", "before", "now"];
    let grids = if rows.is_empty() { vec![] } else { vec![Grid::new("Columns that differ", &heads, rows)] };
    section("columns", "Schemas", grids)
}

pub fn steps(diff: &Diff) -> Option<Section> {
    let status = |status: NodeStatus| match status {
        NodeStatus::Success => None,
        NodeStatus::Skipped => Some("unchanged"),
        NodeStatus::Error => Some("failed"),
        NodeStatus::Blocked => Some("blocked"),
        NodeStatus::NotSelected => Some("not selected"),
    };
    let side = |step: &Option<super::Step>| match step {
        None => NONE.to_owned(),
        Some(step) => status(step.status).map_or_else(|| format::duration(step.elapsed_seconds), str::to_owned),
    };
    let row = |step: &super::StepChange| {
        let seconds = |side: &Option<super::Step>| {
            side.filter(|step| step.status == NodeStatus::Success).map(|step| step.elapsed_seconds)
        };
        let ratio = match (seconds(&step.before), seconds(&step.now)) {
            (Some(before), Some(now)) if before > 0.0 => format!("{}×", format::decimal(now / before, 2)),
            _ => String::new(),
        };
        vec![step.id.clone(), side(&step.before), side(&step.now), ratio]
    };
    let heads = ["step", "#before", "#now", "#ratio"];
    let grid = Grid::new("How long each step took", &heads, diff.steps.iter().map(row).collect());
    section("time", "Time", vec![grid])
}

fn section(id: &'static str, heading: &'static str, grids: Vec<Grid>) -> Option<Section> {
    let grids: Vec<Grid> = grids.into_iter().filter(|grid| !grid.rows.is_empty()).collect();
    (!grids.is_empty()).then_some(Section { id, heading, intro: None, grids })
}
