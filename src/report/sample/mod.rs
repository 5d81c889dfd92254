//! Reports to test with: a realistic run, an empty one, and what is hard to show (`edges`).

mod charts;
mod edges;
mod models;
mod profiles;

use chrono::{NaiveDate, TimeZone, Utc};

pub use edges::{all, evil, large};

use super::*;
use crate::metrics::evaluation::Evaluation;

/// A run with four models, of which one loses to its baseline.
pub fn report() -> Report {
    Report {
        pipeline: "nightly".to_owned(),
        description: Some("Segments, predictions and value of every customer.".to_owned()),
        elapsed_seconds: 3.42,
        nodes: nodes(),
        edges: edges(),
        sources: vec![source()],
        models: vec![
            model("will_buy", "logistic", "prediction", models::classifier()),
            model("next_spend", "linear", "prediction", models::regression()),
            model("similar_products", "item_cf", "recommendation", models::recommender()),
            model("segments", "kmeans", "segmentation", models::segments()),
        ],
        profiles: vec![profiles::customers()],
        changes: changes(),
        publications: vec![publication("customer_scores", 4_338, true), publication("segment_profiles", 4, false)],
        checks: checks(),
        warnings: vec!["next_spend: 3 constant columns were left out".to_owned()],
        ..empty()
    }
}

fn model(stage: &str, kind: &str, family: &str, evaluation: Evaluation) -> ModelReport {
    ModelReport::new(stage, kind, Some("2011-12-10-3fa91c02".to_owned()), "fit_apply", evaluation).of_family(family)
}

fn changes() -> Vec<Change> {
    let change = |of: &str, measure: &str, before: f64, now: f64| {
        let since = NaiveDate::from_ymd_opt(2011, 12, 9).unwrap();
        Change { of: of.to_owned(), measure: measure.to_owned(), before, now, since }
    };
    vec![
        change("will_buy", "roc_auc", 0.758, 0.762),
        change("next_spend", "rmse", 2_870.4, 2_913.2),
        change("segments", "silhouette", 0.412, 0.397),
        change("customer_scores", "rows", 4_301.0, 4_338.0),
        change("segments", "rows of segment 1", 1_510.0, 1_482.0),
        change("segments", "rows of segment 2", 1_213.0, 1_240.0),
    ]
}

/// A run of nothing.
pub fn empty() -> Report {
    Report {
        pipeline: "empty".to_owned(),
        description: None,
        run_id: "019b0e5c-7d1a-7cc3-98c4-dc0c0c07398f".to_owned(),
        run_date: NaiveDate::from_ymd_opt(2011, 12, 10).unwrap(),
        environment: "local".to_owned(),
        patronage_version: "0.1.0".to_owned(),
        started: Utc.with_ymd_and_hms(2025, 11, 24, 0, 30, 5).unwrap(),
        elapsed_seconds: 0.02,
        report_seconds: Some(0.01),
        peak_memory_bytes: Some(512_000_000),
        threads: 2,
        nodes: vec![],
        edges: vec![],
        sources: vec![],
        models: vec![],
        publications: vec![],
        checks: vec![],
        profiles: vec![],
        changes: vec![],
        warnings: vec![],
    }
}

fn nodes() -> Vec<NodeReport> {
    let node = |id: &str, kind: &str, rows: u64, elapsed_seconds: f64| NodeReport {
        id: id.to_owned(),
        kind: kind.to_owned(),
        status: NodeStatus::Success,
        reason: None,
        elapsed_seconds,
        outputs: vec![PortRows { port: "out".to_owned(), rows }],
        set_aside: vec![],
    };
    let aside = |on: &str, rows| SetAside { on: on.to_owned(), rows, file: aside_file(on) };
    let mut nodes = vec![
        node("source.transactions", "source", 541_909, 0.12),
        node("stage.sales", "sql", 406_789, 0.31),
        node("stage.purchases", "sql", 396_337, 0.22),
        node("stage.customers", "features", 32_418, 0.84),
        node("stage.segments", "kmeans", 4_338, 0.61),
        node("stage.will_buy", "logistic", 4_338, 0.73),
        node("stage.next_spend", "linear", 4_338, 0.18),
        node("stage.scores", "scores", 4_338, 0.04),
        node("publish.customer_scores", "publish", 4_338, 0.09),
        node("publish.segment_profiles", "publish", 4, 0.0),
    ];
    nodes[0].set_aside.push(aside("source.transactions", 2_517));
    nodes[1].set_aside.push(aside("stage.sales", 12));
    nodes[4].outputs.push(PortRows { port: "profiles".to_owned(), rows: 4 });
    nodes[9].status = NodeStatus::Skipped;
    nodes[9].reason = Some("the published version has the same content".to_owned());
    nodes
}

fn edges() -> Vec<Edge> {
    [
        ("source.transactions", "stage.sales"),
        ("stage.sales", "stage.purchases"),
        ("stage.sales", "stage.customers"),
        ("stage.customers", "stage.segments"),
        ("stage.customers", "stage.will_buy"),
        ("stage.customers", "stage.next_spend"),
        ("stage.customers", "stage.scores"),
        ("stage.segments", "stage.scores"),
        ("stage.will_buy", "stage.scores"),
        ("stage.next_spend", "stage.scores"),
        ("stage.scores", "publish.customer_scores"),
        ("stage.segments", "publish.segment_profiles"),
    ]
    .map(|(from, to)| Edge { from: from.to_owned(), to: to.to_owned() })
    .to_vec()
}

fn source() -> SourceReport {
    SourceReport {
        name: "transactions".to_owned(),
        files: 1,
        bytes: 7_548_231,
        rows: 541_909,
        watermark: NaiveDate::from_ymd_opt(2011, 12, 10),
        quarantined_rows: 2_517,
        later_rows: 12,
    }
}

/// Where rows of a source or stage that were set aside lie.
fn aside_file(on: &str) -> String {
    let name = on.split_once('.').map_or(on, |(_, name)| name);
    format!("target/patronage/019b0e5c/quarantine/{name}.parquet")
}

fn checks() -> Vec<CheckReport> {
    let check = |on: &str, check: &str, severity: &str, failed_rows| CheckReport {
        on: on.to_owned(),
        check: check.to_owned(),
        severity: severity.to_owned(),
        failed_rows,
        found: None,
        set_aside_in: (severity == "quarantine").then(|| aside_file(on)),
    };
    vec![
        check("source.transactions", "not_null order_id", "error", 0),
        check("source.transactions", "range unit_price 0..", "quarantine", 2_517),
        check("stage.sales", "unique order_id, product_id", "quarantine", 12),
    ]
}

fn publication(name: &str, rows: u64, changed: bool) -> PublicationReport {
    let to = format!("data/warehouse/{name}");
    PublicationReport {
        name: name.to_owned(),
        to,
        rows,
        files: 1,
        bytes: rows * 91,
        changed,
        replaced: false,
        delivery: None,
    }
}
