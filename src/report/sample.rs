//! Reports to test with: a realistic run and an empty one.

use chrono::{NaiveDate, TimeZone, Utc};

use super::*;
use crate::metrics::evaluation::{Better, Chart, Estimate, Evaluation, Fact, Measure};

/// A run with two models, of which one loses to its baseline.
pub fn report() -> Report {
    Report {
        pipeline: "nightly".to_owned(),
        description: Some("Segments, predictions and value of every customer.".to_owned()),
        elapsed_seconds: 3.42,
        nodes: nodes(),
        edges: edges(),
        sources: vec![source()],
        models: vec![
            ModelReport::new("will_buy", "logistic", Some("2011-12-10-3fa91c02".into()), "fit_apply", classifier()),
            ModelReport::new("next_spend", "linear", Some("2011-12-10-b01d77e4".into()), "fit_apply", regression()),
        ],
        publications: vec![publication("customer_scores", 4_338, true), publication("segment_profiles", 4, false)],
        checks: checks(),
        warnings: vec!["next_spend: 3 constant columns were left out".to_owned()],
        ..empty()
    }
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
    };
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
    }
}

fn checks() -> Vec<CheckReport> {
    let check = |check: &str, severity: &str, failed_rows| CheckReport {
        on: "source.transactions".to_owned(),
        check: check.to_owned(),
        severity: severity.to_owned(),
        failed_rows,
        found: None,
    };
    vec![check("not_null order_id", "error", 0), check("range unit_price 0..", "quarantine", 2_517)]
}

fn publication(name: &str, rows: u64, changed: bool) -> PublicationReport {
    let to = format!("data/warehouse/{name}");
    PublicationReport { name: name.to_owned(), to, rows, files: 1, bytes: rows * 91, changed }
}

fn classifier() -> Evaluation {
    let roc = |step: i32| {
        let x = f64::from(step) / 40.0;
        (x, (x.powf(0.31) * 1000.0).round() / 1000.0)
    };
    let gains = [("recency_days", 0.412), ("orders_90d", 0.201), ("tenure_days", -0.094)];
    Evaluation {
        target: "buys_90d".to_owned(),
        model: "logistic regression".to_owned(),
        baseline: "class prior".to_owned(),
        headline: "roc_auc".to_owned(),
        measures: vec![
            measure("roc_auc", Better::Higher, [0.762, 0.745, 0.779], [0.5, 0.5, 0.5], true),
            measure("log_loss", Better::Lower, [0.571, 0.556, 0.586], [0.684, 0.681, 0.687], false),
            measure("brier", Better::Lower, [0.1952, 0.19, 0.2], [0.2454, 0.244, 0.247], false),
        ],
        facts: vec![
            Fact::new("evaluated on", "2011-09-11, 3,370 rows"),
            Fact::new("trained on", "6 snapshots, 2011-01-14 to 2011-06-13"),
            Fact::new("served model", "a refit on all labelled snapshots"),
        ],
        charts: vec![
            Chart::Line {
                title: "ROC curve".to_owned(),
                x: "false positive rate".to_owned(),
                y: "true positive rate".to_owned(),
                points: (0..=40).map(roc).collect(),
                reference: vec![(0.0, 0.0), (1.0, 1.0)],
            },
            Chart::Bars {
                title: "Standardized coefficients".to_owned(),
                unit: "log odds".to_owned(),
                bars: gains.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            },
            Chart::Table {
                title: "Confusion at 0.5".to_owned(),
                columns: ["", "buys", "does not"].map(str::to_owned).to_vec(),
                rows: vec![
                    ["predicted to buy", "1,402", "512"].map(str::to_owned).to_vec(),
                    ["predicted not to", "512", "944"].map(str::to_owned).to_vec(),
                ],
            },
        ],
        slices: vec![],
        watch: vec!["Only 120 rows evaluate it, so its intervals are wide.".to_owned()],
    }
}

fn regression() -> Evaluation {
    let mut rmse = measure("rmse", Better::Lower, [2913.2, 2204.0, 3622.0], [2511.4, 1902.0, 3120.0], false);
    rmse.difference = Some(Estimate::interval(401.8, 77.0, 730.0));
    Evaluation {
        target: "spend_next_90d".to_owned(),
        model: "linear regression".to_owned(),
        baseline: "last value".to_owned(),
        headline: "rmse".to_owned(),
        measures: vec![rmse],
        facts: vec![Fact::new("evaluated on", "2011-09-11, 3,370 rows")],
        charts: vec![],
        slices: vec![],
        watch: vec![],
    }
}

fn measure(name: &str, better: Better, model: [f64; 3], baseline: [f64; 3], fixed: bool) -> Measure {
    let [value, low, high] = model;
    let [base, base_low, base_high] = baseline;
    // Rounded: not every reader of JSON keeps the last digit of a number.
    let minus_base = |value: f64| ((value - base) * 1e4).round() / 1e4;
    Measure {
        name: name.to_owned(),
        better,
        model: Estimate::interval(value, low, high),
        baseline: Some(if fixed { Estimate::point(base) } else { Estimate::interval(base, base_low, base_high) }),
        difference: Some(Estimate::interval(minus_base(value), minus_base(low), minus_base(high))),
    }
}
