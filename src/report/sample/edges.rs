//! What is hard to show: nothing, failure, many, long, other scripts, markup.

use super::{empty, profiles, report};
use crate::metrics::evaluation::{Chart, Fact};
use crate::report::content::{CheckReport, Edge, NodeStatus, ProfiledColumn, Report};

/// All of them by name.
pub fn all() -> Vec<(&'static str, Report)> {
    vec![
        ("sample", report()),
        ("empty", empty()),
        ("failed", failed()),
        ("large", large(200, 40)),
        ("evil", evil()),
        ("chinese", chinese()),
    ]
}

/// A step failed, and those after it were blocked.
fn failed() -> Report {
    let mut failed = report();
    failed.nodes[3].status = NodeStatus::Error;
    failed.nodes[3].reason = Some("failed to compute `spend_365d`: the sum of `amount` is out of range".to_owned());
    for node in failed.nodes.iter_mut().skip(4) {
        node.status = NodeStatus::Blocked;
        node.reason = Some("it needs stage.customers".to_owned());
        node.outputs.clear();
    }
    let left_out = failed.nodes.len() - 1;
    failed.nodes[left_out].status = NodeStatus::NotSelected;
    failed.nodes[left_out].reason = Some("left out by --select +scores".to_owned());
    failed.checks.push(CheckReport {
        on: "source.transactions".to_owned(),
        check: "rows 1000000..".to_owned(),
        severity: "error".to_owned(),
        failed_rows: 1,
        found: Some("541,909 rows, expected at least 1,000,000".to_owned()),
        set_aside_in: None,
    });
    failed.publications.clear();
    failed.models.clear();
    failed.profiles.clear();
    failed.changes.clear();
    failed
}

/// So many profiled columns and models, with steps to match.
pub fn large(columns: usize, models: usize) -> Report {
    let mut large = report();
    let counts = |seed: u64| std::array::from_fn(|bar| (seed * 7 + bar as u64 * 13) % 97 * 11 + 20);
    let column = |place: usize| -> ProfiledColumn {
        let name = format!("{}_{place}_days_of_the_year", ["spend", "orders", "recency"][place % 3]);
        let psi = (place % 40) as f64 / 100.0;
        profiles::profiled(
            &name,
            profiles::numbers(place as f64 * 10.0 + 1.0, &counts(place as u64)),
            place as u64,
            psi,
        )
    };
    large.profiles[0].columns = (0..columns).map(column).collect();
    let kinds = large.models.clone();
    let model = |place: usize| {
        let mut model = kinds[place % kinds.len()].clone();
        model.stage = format!("{}_{place}", model.stage);
        model
    };
    large.models = (0..models).map(model).collect();
    for model in &large.models {
        let mut node = large.nodes[5].clone();
        node.id = format!("stage.{}", model.stage);
        large.edges.push(Edge { from: "stage.customers".to_owned(), to: node.id.clone() });
        large.edges.push(Edge { from: node.id.clone(), to: "stage.scores".to_owned() });
        large.nodes.insert(5, node);
    }
    large
}

/// Every name is `name`.
fn named(name: &str) -> Report {
    let mut report = report();
    let own = || name.to_owned();
    report.pipeline = own();
    report.description = Some(own());
    report.environment = own();
    report.run_id = own();
    report.patronage_version = own();
    report.warnings = vec![own()];
    for publication in &mut report.publications {
        (publication.name, publication.to) = (own(), own());
    }
    for check in &mut report.checks {
        (check.check, check.on, check.severity, check.found) = (own(), own(), own(), Some(own()));
        check.set_aside_in = Some(own());
    }
    report.sources[0].name = own();
    for change in &mut report.changes {
        (change.of, change.measure) = (own(), own());
    }
    for (place, node) in report.nodes.iter_mut().enumerate() {
        (node.id, node.kind, node.reason) = (format!("{name}{place}"), own(), Some(own()));
        node.outputs.iter_mut().for_each(|output| output.port = own());
        node.set_aside.iter_mut().for_each(|aside| (aside.on, aside.file) = (own(), own()));
    }
    report.edges = vec![Edge { from: format!("{name}0"), to: format!("{name}1") }];
    for table in &mut report.profiles {
        table.table = own();
        for column in &mut table.columns {
            column.profile.name = own();
            column.drift.iter_mut().for_each(|drift| drift.against = own());
            if let crate::metrics::profile::Shape::Category { levels, .. } = &mut column.profile.shape {
                levels.iter_mut().for_each(|level| level.0 = own());
            }
        }
    }
    for model in &mut report.models {
        (model.stage, model.kind, model.mode, model.sentence) = (own(), own(), own(), own());
        model.version = Some(own());
        let evaluation = &mut model.evaluation;
        (evaluation.baseline, evaluation.headline, evaluation.watch) = (own(), own(), vec![own()]);
        evaluation.facts.insert(0, Fact::new(name, name));
        evaluation.measures[0].name = own();
        evaluation.charts.iter_mut().for_each(|chart| rename(chart, name));
    }
    report
}

fn rename(chart: &mut Chart, name: &str) {
    let own = || name.to_owned();
    let all = |names: &mut Vec<String>| names.iter_mut().for_each(|old| *old = own());
    match chart {
        Chart::Line { title, x, y, .. } => (*title, *x, *y) = (own(), own(), own()),
        Chart::Lines { title, x, y, curves, .. } => {
            (*title, *x, *y) = (own(), own(), own());
            curves.iter_mut().for_each(|curve| curve.name = own());
        }
        Chart::Bars { title, unit, bars } => {
            (*title, *unit) = (own(), own());
            bars.iter_mut().for_each(|bar| bar.0 = own());
        }
        Chart::Grid { title, rows_title, columns_title, rows, columns, texts, .. } => {
            (*title, *rows_title, *columns_title) = (own(), own(), own());
            [rows, columns].into_iter().chain(texts).for_each(all);
        }
        Chart::Table { title, columns, rows } => {
            *title = own();
            [columns].into_iter().chain(rows).for_each(all);
        }
    }
}

/// Markup and quotation marks in every name.
pub fn evil() -> Report {
    named("<script>alert('&')</script>\"><img src=x onerror=alert(1)>")
}

/// Names in another script, without a space to break at.
fn chinese() -> Report {
    named("客户细分与购买倾向预测流水线的每日评估报告")
}
