//! The few lines that a run ends with.

use super::content::{CheckReport, DeliveryReport, ModelReport, NodeStatus, PublicationReport, Report};
use super::format;
use crate::metrics::evaluation::{Estimate, Measure, Verdict};

/// What was published, how good each model is, what it took, and where the artifacts are; plain text
/// that ends with a newline. `artifacts` is shown as it is.
pub fn summary(report: &Report, artifacts: &str) -> String {
    let mut lines = vec![format!("{} {}: {}", report.pipeline, report.run_date, outcome(report))];
    if !report.unchanged() {
        lines.extend(section("Problems", troubles(report)));
        lines.extend(section("Published", align(&published(&report.publications))));
        lines.extend(section("Delivered", align(&delivered(&report.publications))));
        lines.extend(section("Models", align(&models(&report.models))));
        lines.push(String::new());
        lines.push(format!("Took {}", cost(report)));
    }
    lines.push(format!("Artifacts in {artifacts}"));
    lines.join("\n") + "\n"
}

/// One sentence on how the run went.
pub fn outcome(report: &Report) -> String {
    if report.selected() == 0 {
        return "nothing to run.".to_owned();
    }
    let nodes = report.selected() as u64;
    if report.unchanged() {
        return format!(
            "nothing has changed; all {} are up to date ({}).",
            format::count(nodes, "step", "steps"),
            format::duration(report.elapsed_seconds)
        );
    }
    let done = format::thousands(report.count(NodeStatus::Success) as u64);
    let mut parts = vec![format!("{done} of {} done", format::count(nodes, "step", "steps"))];
    let others = [
        (NodeStatus::Skipped, "unchanged"),
        (NodeStatus::Error, "failed"),
        (NodeStatus::Blocked, "blocked"),
        (NodeStatus::NotSelected, "not selected"),
    ];
    for (status, word) in others {
        let count = report.count(status) as u64;
        if count > 0 {
            parts.push(format!("{} {word}", format::thousands(count)));
        }
    }
    let start = if report.succeeded() { "" } else { "failed; " };
    format!("{start}{}.", parts.join(", "))
}

/// The verdict on a headline measure in two or three words.
pub fn verdict_words(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Beats) => "better than its baseline",
        Some(Verdict::NotShown) => "not shown to be better",
        Some(Verdict::Loses) => "worse than its baseline",
        None => "no baseline",
    }
}

fn cost(report: &Report) -> String {
    let memory = match report.peak_memory_bytes {
        Some(peak) => format!(", {} of memory at its peak", format::bytes(peak)),
        None => String::new(),
    };
    let threads = format::count(report.threads as u64, "thread", "threads");
    format!("{}{memory}, {threads}", format::duration(report.elapsed_seconds))
}

fn troubles(report: &Report) -> Vec<String> {
    let failed = report.nodes.iter().filter(|node| node.status == NodeStatus::Error);
    let failed =
        failed.map(|node| format!("{} failed: {}", node.id, node.reason.as_deref().unwrap_or("no reason was given")));
    // What failed a step is said there.
    let let_go_on = report.checks.iter().filter(|check| check.failed_rows > 0 && check.severity != "error");
    let checks = let_go_on.map(|check| {
        let CheckReport { on, check: what, severity, .. } = check;
        match &check.found {
            None => format!("{on}: {} against {what} ({severity})", check.finding()),
            Some(found) => format!("{on}: {what} ({severity}): {found}"),
        }
    });
    // Once a table, however many checks it has: a row may fail several.
    let aside = report
        .set_aside()
        .map(|aside| format!("{}: {} set aside in {}", aside.on, format::count(aside.rows, "row", "rows"), aside.file));
    failed.chain(checks).chain(aside).chain(report.warnings.iter().cloned()).collect()
}

fn published(publications: &[PublicationReport]) -> Vec<Vec<Cell>> {
    let row = |publication: &PublicationReport| {
        let rows = format::count(publication.rows, "row", "rows");
        let note = if publication.changed { "" } else { "  (unchanged)" };
        vec![Cell::Left(publication.name.clone()), Cell::Right(rows), Cell::Left(format!("{}{note}", publication.to))]
    };
    publications.iter().map(row).collect()
}

fn delivered(publications: &[PublicationReport]) -> Vec<Vec<Cell>> {
    let row = |publication: &PublicationReport| {
        let DeliveryReport { database, table, changed, skipped } = publication.delivery.as_ref()?;
        let note = match (skipped, changed) {
            (true, _) => "  (left out: this environment has no such database)",
            (false, true) => "",
            (false, false) => "  (unchanged)",
        };
        let place = format!("{database}: {table}{note}");
        let rows = if *skipped { String::new() } else { format::count(publication.rows, "row", "rows") };
        Some(vec![Cell::Left(publication.name.clone()), Cell::Right(rows), Cell::Left(place)])
    };
    publications.iter().filter_map(row).collect()
}

fn models(models: &[ModelReport]) -> Vec<Vec<Cell>> {
    let row = |model: &ModelReport| {
        let Some(Measure { name, model: reached, baseline, .. }) = model.evaluation.headline() else {
            let mut said = match model.evaluation.measures.is_empty() {
                true => "not evaluated".to_owned(),
                false => "no single measure decides".to_owned(),
            };
            if model.is_unevaluated() {
                said.push_str(" in this run");
                said.extend(model.fitted_for.map(|date| format!(", fitted for {date}")));
            }
            return vec![Cell::Left(model.stage.clone()), Cell::Left(said)];
        };
        let beside = match baseline {
            Some(baseline) => format!("baseline {}", estimate(baseline)),
            None => String::new(),
        };
        vec![
            Cell::Left(model.stage.clone()),
            Cell::Left(format!("{name} {}", estimate(reached))),
            Cell::Left(beside),
            Cell::Left(verdict_words(model.verdict).to_owned()),
        ]
    };
    // What only describes (RFM scores) has nothing to be judged by.
    let only_describes = |model: &ModelReport| {
        model.evaluation.measures.is_empty() && model.evaluation.baseline.is_empty() && !model.is_unevaluated()
    };
    models.iter().filter(|model| !only_describes(model)).map(row).collect()
}

/// `0.762 [0.745, 0.779]`, or the value alone.
fn estimate(estimate: &Estimate) -> String {
    let value = format::number(estimate.value);
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            format!("{value} [{}, {}]", format::number(low), format::number(high))
        }
        _ => value,
    }
}

enum Cell {
    Left(String),
    Right(String),
}

impl Cell {
    fn text(&self) -> &str {
        match self {
            Cell::Left(text) | Cell::Right(text) => text,
        }
    }

    fn pad(&self, width: usize) -> String {
        match self {
            Cell::Left(text) => format!("{text:<width$}"),
            Cell::Right(text) => format!("{text:>width$}"),
        }
    }
}

/// Columns as wide as their widest cell, two spaces apart, nothing after the last.
fn align(rows: &[Vec<Cell>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.text().chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<Cell>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| cell.pad(*width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A blank line, a heading, the lines indented; nothing where there are no lines.
fn section(heading: &str, lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        return lines;
    }
    let head = [String::new(), heading.to_owned()];
    head.into_iter().chain(lines.into_iter().map(|line| format!("  {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_run() {
        let text = "\
nightly 2011-12-10: 9 of 10 steps done, 1 unchanged.

Problems
  source.transactions: 2,517 rows against range unit_price 0.. (quarantine)
  stage.sales: 12 rows against unique order_id, product_id (quarantine)
  source.transactions: 2,517 rows set aside in target/patronage/019b0e5c/quarantine/transactions.parquet
  stage.sales: 12 rows set aside in target/patronage/019b0e5c/quarantine/sales.parquet
  next_spend: 3 constant columns were left out

Published
  customer_scores   4,338 rows  data/warehouse/customer_scores
  segment_profiles      4 rows  data/warehouse/segment_profiles  (unchanged)

Models
  will_buy          roc_auc 0.762 [0.745, 0.779]     baseline 0.500                    better than its baseline
  next_spend        rmse 2,913 [2,204, 3,622]        baseline 2,511 [1,902, 3,120]     worse than its baseline
  similar_products  recall@10 0.118 [0.112, 0.124]   baseline 0.0826 [0.0779, 0.0873]  better than its baseline
  segments          silhouette 0.397 [0.388, 0.406]  baseline 0.211 [0.200, 0.222]     better than its baseline

Took 3.42 s, 512 MB of memory at its peak, 2 threads
Artifacts in target/patronage/latest
";
        assert_eq!(summary(&sample::report(), "target/patronage/latest"), text);
    }

    #[test]
    fn a_model_that_was_only_applied_is_listed() {
        let mut report = sample::report();
        let fitted_for = "2011-12-03".parse().ok();
        report.models = vec![
            report.models.remove(0),
            ModelReport::unevaluated("leaves", "logistic", "2011-12-03-0badcafe".to_owned(), fitted_for, "apply"),
        ];
        let text = summary(&report, "target");
        assert!(text.contains("\n  leaves    not evaluated in this run, fitted for 2011-12-03\n"), "{text}");
    }

    #[test]
    fn nothing_changed() {
        let mut report = sample::report();
        report.elapsed_seconds = 0.084;
        for node in &mut report.nodes {
            node.status = NodeStatus::Skipped;
        }
        for publication in &mut report.publications {
            publication.changed = false;
        }
        let text = "\
nightly 2011-12-10: nothing has changed; all 10 steps are up to date (0.08 s).
Artifacts in target
";
        assert_eq!(summary(&report, "target"), text);
    }

    #[test]
    fn a_failure_and_an_empty_run() {
        let mut report = sample::report();
        report.nodes[3].status = NodeStatus::Error;
        report.nodes[3].reason = Some("out of range".to_owned());
        report.nodes[4].status = NodeStatus::Blocked;
        let text = summary(&report, "target");
        assert!(
            text.starts_with("nightly 2011-12-10: failed; 7 of 10 steps done, 1 unchanged, 1 failed, 1 blocked.\n"),
            "{text}"
        );
        assert!(text.contains("\n  stage.customers failed: out of range\n"), "{text}");
        let empty = summary(&sample::empty(), "target");
        assert!(empty.starts_with("empty 2011-12-10: nothing to run.\n\nTook"), "{empty}");
    }
}
