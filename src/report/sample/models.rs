//! Evaluations as models give them.

use super::charts;
use crate::metrics::evaluation::{Better, Estimate, Evaluation, Fact, Measure, Slice};

pub fn classifier() -> Evaluation {
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
        charts: charts::of_classifier(),
        watch: vec!["recency_days alone ranks nearly as well (ROC AUC 0.751): the model adds little to it.".to_owned()],
        ..Evaluation::default()
    }
}

pub fn regression() -> Evaluation {
    let mut rmse = measure("rmse", Better::Lower, [2913.2, 2204.0, 3622.0], [2511.4, 1902.0, 3120.0], false);
    rmse.difference = Some(Estimate::interval(401.8, 77.0, 730.0));
    Evaluation {
        target: "spend_next_90d".to_owned(),
        model: "linear regression".to_owned(),
        baseline: "last value".to_owned(),
        headline: "rmse".to_owned(),
        measures: vec![rmse],
        facts: vec![Fact::new("evaluated on", "2011-09-11, 3,370 rows")],
        charts: charts::of_regression(),
        ..Evaluation::default()
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

pub fn recommender() -> Evaluation {
    let at = |k: u32, value: f64| {
        let recall = [value, value - 0.006, value + 0.006];
        measure(&format!("recall@{k}"), Better::Higher, recall, [value * 0.7, value * 0.66, value * 0.74], false)
    };
    let mut coverage = measure("coverage@10", Better::Higher, [0.412, 0.412, 0.412], [0.021, 0.021, 0.021], true);
    coverage.difference = None;
    Evaluation {
        target: "product_id".to_owned(),
        model: "item-based collaborative filter".to_owned(),
        baseline: "popularity".to_owned(),
        headline: "recall@10".to_owned(),
        measures: vec![at(5, 0.071), at(10, 0.118), at(20, 0.181), coverage],
        facts: vec![Fact::new("hold-out", "30 days, 1,204 customers, 9,771 purchases")],
        charts: charts::of_recommender(),
        ..Evaluation::default()
    }
}

pub fn segments() -> Evaluation {
    Evaluation {
        target: "customer_id".to_owned(),
        model: "k-means with 4 clusters".to_owned(),
        baseline: "RFM cells".to_owned(),
        headline: "silhouette".to_owned(),
        measures: vec![measure("silhouette", Better::Higher, [0.397, 0.388, 0.406], [0.211, 0.2, 0.222], false)],
        facts: vec![
            Fact::new("rows", "4,338, each as of 2011-12-10"),
            Fact::new("columns", "recency_days, orders_365d, spend_365d, returns_share_365d"),
        ],
        charts: charts::of_segments(),
        slices: vec![Slice::new("segment 1", "rows", 1_482.0)],
        finds: "Its segments are “recent” (34.2 %), “average” (28.6 %), “lapsed, low orders 365d” (23.3 %) and \
                “high orders 365d, high spend 365d, high returns share 365d” (13.9 %)."
            .to_owned(),
        watch: vec!["A silhouette of 0.40 means a weak structure: many lie between two segments.".to_owned()],
        ..Evaluation::default()
    }
}
