//! Charts as models give them.

use crate::metrics::evaluation::{Chart, Curve};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn curve(name: &str, points: u32, height: impl Fn(f64) -> f64) -> Curve {
    let point = |step: u32| {
        let x = f64::from(step) / f64::from(points);
        (x, round(height(x)))
    };
    Curve { name: name.to_owned(), points: (0..=points).map(point).collect() }
}

fn lines(title: &str, axes: [&str; 2], curves: Vec<Curve>, reference: [(f64, f64); 2]) -> Chart {
    let [x, y] = axes.map(str::to_owned);
    Chart::Lines { title: title.to_owned(), x, y, curves, reference: reference.to_vec() }
}

const DIAGONAL: [(f64, f64); 2] = [(0.0, 0.0), (1.0, 1.0)];

pub fn of_classifier() -> Vec<Chart> {
    let both = |points: u32, height: fn(f64, f64) -> f64| {
        vec![curve("model", points, |x| height(x, 0.31)), curve("recency_days alone", points, |x| height(x, 0.36))]
    };
    let lift = [1.71, 1.62, 1.44, 1.23, 1.08, 0.91, 0.74, 0.58, 0.42, 0.27];
    let calibrated = [0.06, 0.14, 0.27, 0.33, 0.48, 0.53, 0.69, 0.72, 0.87, 0.93];
    let stated = |(place, share): (usize, f64)| (place as f64 / 10.0 + 0.05, share);
    vec![
        lines(
            "ROC curve",
            ["share of negatives named", "share of positives named"],
            both(120, |x, power| x.powf(power)),
            DIAGONAL,
        ),
        lines(
            "Precision and recall",
            ["share of positives named", "positives among the named"],
            both(120, |x, power| 1.0 - power * 1.7 * x * x),
            [(0.0, 0.44), (1.0, 0.44)],
        ),
        lines(
            "Gain",
            ["share of rows named, likeliest first", "share of positives named"],
            both(10, |x, power| x.powf(power * 1.9)),
            DIAGONAL,
        ),
        Chart::Bars {
            title: "Lift by tenth of the rows, the most probable first".to_owned(),
            unit: "times the average".to_owned(),
            bars: lift.iter().enumerate().map(|(place, lift)| ((place + 1).to_string(), *lift)).collect(),
        },
        Chart::Line {
            title: "Calibration".to_owned(),
            x: "probability stated".to_owned(),
            y: "share that happened".to_owned(),
            points: calibrated.into_iter().enumerate().map(stated).collect(),
            reference: DIAGONAL.to_vec(),
        },
        Chart::Grid {
            title: "Decisions at a probability of 0.5".to_owned(),
            rows_title: "what happened".to_owned(),
            columns_title: "what was predicted".to_owned(),
            rows: names(&["buys_90d", "not buys_90d"]),
            columns: names(&["buys_90d", "not buys_90d"]),
            values: vec![vec![0.73, 0.27], vec![0.35, 0.65]],
            texts: vec![names(&["1,402 (73.3 %)", "512 (26.7 %)"]), names(&["512 (35.2 %)", "944 (64.8 %)"])],
            center: None,
        },
        Chart::Table {
            title: "Largest coefficients of the served model".to_owned(),
            columns: names(&["feature", "log-odds per deviation", "times the odds"]),
            rows: vec![
                names(&["recency_days", "-0.812", "0.444"]),
                names(&["orders_90d", "+0.401", "1.493"]),
                names(&["tenure_days", "-0.094", "0.910"]),
            ],
        },
    ]
}

pub fn of_regression() -> Vec<Chart> {
    let residuals = [
        ("below −500", 61.0),
        ("−500 to −100", 604.0),
        ("−100 to 100", 1_712.0),
        ("100 to 500", 702.0),
        ("500 and more", 291.0),
    ];
    let bars = [("recency_days", 412.4), ("orders_90d", 201.9), ("tenure_days", -94.2)];
    vec![
        lines(
            "Predicted against actual, by tenth of the predictions",
            ["mean prediction", "mean of what happened"],
            vec![Curve {
                name: "model".to_owned(),
                points: (1..=10)
                    .map(|tenth| (f64::from(tenth * tenth) * 31.0, f64::from(tenth * tenth * tenth) * 2.6))
                    .collect(),
            }],
            [(0.0, 0.0), (3_100.0, 3_100.0)],
        ),
        Chart::Bars {
            title: "Residuals: what happened, less what was predicted".to_owned(),
            unit: "rows".to_owned(),
            bars: residuals.map(|(range, rows)| (range.to_owned(), rows)).to_vec(),
        },
        lines(
            "Residuals, by tenth of the predictions",
            ["mean prediction", "mean residual"],
            vec![Curve {
                name: "model".to_owned(),
                points: (1..=10)
                    .map(|tenth| {
                        let predicted = f64::from(tenth * tenth) * 31.0;
                        (predicted, f64::from(tenth * tenth * tenth) * 2.6 - predicted)
                    })
                    .collect(),
            }],
            [(0.0, 0.0), (3_100.0, 0.0)],
        ),
        Chart::Bars {
            title: "Coefficients per deviation".to_owned(),
            unit: "spend".to_owned(),
            bars: bars.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        },
    ]
}

pub fn of_recommender() -> Vec<Chart> {
    let recall = |name: &str, values: [f64; 3]| Curve {
        name: name.to_owned(),
        points: [5.0, 10.0, 20.0].into_iter().zip(values).collect(),
    };
    let curves = vec![recall("model", [0.071, 0.118, 0.181]), recall("popularity", [0.05, 0.083, 0.127])];
    let (title, x, y) = ("Recall by length of the list".to_owned(), "items shown".to_owned(), "recall".to_owned());
    vec![Chart::Lines { title, x, y, curves, reference: vec![] }]
}

pub fn of_segments() -> Vec<Chart> {
    let sizes = [
        ("1: recent", 1_482.0),
        ("2: average", 1_240.0),
        ("3: lapsed, low orders 365d", 1_011.0),
        ("4: high orders 365d, high spend 365d, high returns share 365d", 605.0),
    ];
    vec![
        Chart::Line {
            title: "Silhouette by number of clusters".to_owned(),
            x: "clusters".to_owned(),
            y: "silhouette".to_owned(),
            points: vec![(2.0, 0.371), (3.0, 0.384), (4.0, 0.397), (5.0, 0.362), (6.0, 0.341)],
            reference: vec![(2.0, 0.211), (6.0, 0.211)],
        },
        Chart::Bars {
            title: "Sizes of the segments".to_owned(),
            unit: "rows".to_owned(),
            bars: sizes.map(|(name, size)| (name.to_owned(), size)).to_vec(),
        },
        Chart::Grid {
            title: "Means of the segments, shaded by how far they lie from those of all".to_owned(),
            rows_title: "segment".to_owned(),
            columns_title: "mean of".to_owned(),
            rows: names(&[
                "1: recent (1,482 rows, 34.2 %)",
                "2: average (1,240 rows, 28.6 %)",
                "3: lapsed, low orders 365d (1,011 rows, 23.3 %)",
                "4: high orders 365d, high spend 365d, high returns share 365d (605 rows, 13.9 %)",
            ]),
            columns: names(&["recency_days", "orders_365d", "spend_365d", "returns_share_365d"]),
            values: vec![
                vec![-0.61, 0.11, -0.02, 0.2],
                vec![-0.43, -0.34, -0.31, -0.1],
                vec![1.52, -0.58, -0.44, -0.3],
                vec![-0.72, 2.12, 1.9, 0.9],
            ],
            texts: vec![
                names(&["31.20", "4.210", "1,804", "0.021"]),
                names(&["48.92", "1.823", "612.4", "0.009"]),
                names(&["243.1", "1.204", "398.0", "0.004"]),
                names(&["17.33", "14.92", "9,322", "0.048"]),
            ],
            center: Some(0.0),
        },
    ]
}
