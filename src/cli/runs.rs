//! `patronage runs`

use std::path::Path;

use super::arguments::{Global, Runs, RunsFormat};
use super::{output, project, table};
use crate::format;
use crate::problem::Exit;
use crate::report::{NodeStatus, Report};
use crate::run::history::{self, PastRun};

pub fn run(command: &Runs, global: &Global) -> Exit {
    let (root, pipeline) = match project::artifacts(command.pipeline.as_deref(), &command.env, global) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let runs: Vec<Told> =
        history::newest_first(&root, pipeline.as_deref()).take(command.last).map(|run| Told::of(&run)).collect();
    let text = match command.format {
        RunsFormat::Text => text(&runs, &root),
        RunsFormat::Json => runs.iter().map(|run| format!("{}\n", run.json())).collect(),
    };
    output::print(&text)
}

/// What is told of a run.
struct Told {
    run: PastRun,
    /// None where it did not finish, or was made by a version whose reports differ.
    report: Option<Report>,
}

impl Told {
    fn of(run: &PastRun) -> Told {
        Told { report: run.report(), run: run.clone() }
    }

    fn outcome(&self) -> String {
        let Some(report) = &self.report else {
            let said = if self.run.finished { "of another version" } else { "did not finish" };
            return said.to_owned();
        };
        let count = |status| report.count(status);
        match (count(NodeStatus::Error), count(NodeStatus::Blocked)) {
            (0, 0) if report.unchanged() => "unchanged".to_owned(),
            (0, 0) => "done".to_owned(),
            (0, _) => "stopped".to_owned(),
            (failed, _) => {
                let first = report.nodes.iter().find(|node| node.status == NodeStatus::Error);
                let more = if failed > 1 { format!(" and {} more", failed - 1) } else { String::new() };
                format!("failed: {}{more}", first.map(|node| node.id.as_str()).unwrap_or_default())
            }
        }
    }

    fn published(&self) -> Option<u64> {
        let report = self.report.as_ref()?;
        Some(report.publications.iter().filter(|one| one.moved()).map(|one| one.rows).sum())
    }

    /// The greatest stability index of a column against the run before, and which column.
    fn drift(&self) -> Option<(f64, String)> {
        let report = self.report.as_ref()?;
        let found = report.profiles.iter().flat_map(|table| {
            table.columns.iter().flat_map(move |column| {
                let since = column.drift.iter().filter(|drift| drift.against.starts_with("the run of "));
                since.map(move |drift| (drift.psi, format!("{}.{}", table.table, column.profile.name)))
            })
        });
        found.max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// The measure of each model that decides, with what it was in the run before.
    fn measures(&self) -> Vec<(String, String, f64, Option<f64>)> {
        let Some(report) = &self.report else { return vec![] };
        let of = |model: &crate::report::ModelReport| {
            let headline = model.evaluation.headline()?;
            let before = report.changes.iter().find(|one| one.of == model.stage && one.measure == headline.name);
            Some((model.stage.clone(), headline.name.clone(), headline.model.value, before.map(|one| one.before)))
        };
        report.models.iter().filter_map(of).collect()
    }

    fn json(&self) -> serde_json::Value {
        let measures: Vec<_> = self
            .measures()
            .into_iter()
            .map(|(stage, measure, value, before)| {
                serde_json::json!({ "stage": stage, "measure": measure, "value": value, "before": before })
            })
            .collect();
        let drift = self.drift().map(|(psi, column)| serde_json::json!({ "psi": psi, "column": column }));
        serde_json::json!({
            "run_id": self.run.run_id, "pipeline": self.run.pipeline, "run_date": self.run.run_date,
            "environment": self.run.environment, "started_at": self.run.started, "outcome": self.outcome(),
            "elapsed_seconds": self.report.as_ref().map(|report| report.elapsed_seconds),
            "peak_memory_bytes": self.report.as_ref().and_then(|report| report.peak_memory_bytes),
            "rows_published": self.published(), "greatest_drift": drift, "measures": measures,
        })
    }
}

fn text(runs: &[Told], root: &Path) -> String {
    if runs.is_empty() {
        return format!("no run left artifacts in {}\n", root.display());
    }
    let row = |told: &Told| {
        let report = told.report.as_ref();
        let dash = || "-".to_owned();
        vec![
            told.run.started.format("%Y-%m-%d %H:%M").to_string(),
            told.run.pipeline.clone(),
            told.run.run_date.to_string(),
            told.outcome(),
            report.map_or_else(dash, |report| format::duration(report.elapsed_seconds)),
            report.and_then(|report| report.peak_memory_bytes).map_or_else(dash, format::bytes),
            told.published().map_or_else(dash, format::thousands),
            told.drift().map_or_else(dash, |(psi, column)| format!("{} {column}", format::number(psi))),
            told.run.run_id.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    let heads =
        ["started (UTC)", "pipeline", "run date", "outcome", "took", "memory", "rows out", "greatest PSI", "run"];
    let mut text = table::render(&heads, &rows, &[4, 5, 6]);
    text.push_str(&trend(runs));
    text
}

/// How the measures that decide went, the newest run last; of models that several of the runs evaluated.
fn trend(runs: &[Told]) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for told in runs.iter().rev() {
        for (stage, measure, value, _) in told.measures() {
            let name = format!("{} {stage} {measure}", told.run.pipeline);
            let value = format::number(value);
            match lines.iter_mut().find(|(found, _)| *found == name) {
                Some((_, values)) => values.push(value),
                None => lines.push((name, vec![value])),
            }
        }
    }
    let rows: Vec<Vec<String>> = lines
        .into_iter()
        .filter(|(_, values)| values.len() > 1)
        .map(|(name, values)| vec![name, values.join("  ")])
        .collect();
    if rows.is_empty() {
        String::new()
    } else {
        format!("\n{}", table::render(&["measure", "oldest to newest"], &rows, &[]))
    }
}
