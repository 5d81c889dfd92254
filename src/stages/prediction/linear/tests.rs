use super::*;
use crate::metrics::evaluation::Chart;
use crate::stages::contract::{Outputs, Stage};
use crate::stages::prediction::fixture::{context, customer, fact, inputs, measure, run, schema, schemas, scores};
use crate::stages::protocol::Protocol;
use crate::table::Table;
use serde_json::{Value, json};

/// What a customer then spends.
fn as_it_is(e: i64, s: i64) -> f64 {
    customer(e, s).3 as f64
}

fn table(spend: impl Fn(i64, i64) -> f64) -> Table {
    crate::stages::prediction::fixture::table(|_, _| true, spend)
}

fn stage(with: Value) -> Linear {
    serde_json::from_value(with).unwrap()
}

fn predictions(outputs: &Outputs) -> (Vec<i64>, Vec<f64>) {
    scores(outputs, &stage(json!({"target": "spend_next"})), "prediction")
}

/// The figures are those of tests/reference/linear.py: scikit-learn's Ridge on the standardized matrix of medians and
/// one-hot levels, with root_mean_squared_error, mean_absolute_error and r2_score on the evaluation snapshot.
#[test]
fn agrees_with_scikit_learn() {
    let outputs = run(&stage(json!({"target": "spend_next", "penalty": {"l2": 1.0}})), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.as_ref().unwrap();
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    let expected = [
        ("rmse", 14.182_194_403_137, 21.279_685_148_047),
        ("mae", 11.506_263_392_443, 17.400_000_000_000),
        ("r2", 0.554_839_510_677, -0.002_213_246_279),
    ];
    for (name, model, baseline) in expected {
        let found = measure(evaluation, name);
        near(found.model.value, model);
        near(found.baseline.unwrap().value, baseline);
        near(found.difference.unwrap().value, model - baseline);
        assert!(found.difference.unwrap().low < found.difference.unwrap().high);
    }
    assert_eq!(evaluation.headline, "rmse");

    let (ids, found) = predictions(&outputs);
    assert_eq!(ids, (1..=80).collect::<Vec<i64>>());
    let refitted = [49.224_165_800_579, 36.473_693_807_207, 39.676_114_745_650, 60.766_352_002_667];
    for (found, expected) in found.iter().zip(refitted) {
        near(*found, expected);
    }
}

#[test]
fn says_what_was_done() {
    let outputs = run(&stage(json!({"target": "spend_next"})), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.unwrap();
    assert!(fact(&evaluation, "evaluated on").starts_with("2024-03-03, 80 rows with a mean of "));
    assert_eq!(fact(&evaluation, "trained on"), "3 snapshots, 2023-06-07 to 2023-12-04, 240 rows");
    assert!(fact(&evaluation, "served model").contains("up to 2024-03-03 (320 rows)"));
    assert_eq!(fact(&evaluation, "imputed with the median"), "x in 18 rows");
    let titles: Vec<&str> = evaluation
        .charts
        .iter()
        .map(|chart| match chart {
            Chart::Lines { title, .. } | Chart::Bars { title, .. } | Chart::Table { title, .. } => title.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(
        titles,
        [
            "Predicted against actual, by tenth of the predictions",
            "Residuals, by tenth of the predictions",
            "Residuals: what happened, less what was predicted",
            "Largest coefficients of the served model",
        ]
    );
    let Some(Chart::Table { rows, .. }) = evaluation.charts.last() else { panic!("a table") };
    assert_eq!(rows[0][0], "x");
    assert!(rows[0][2].starts_with('+') && rows[0][2].contains(" to +"), "{rows:?}");
    let shares: f64 = evaluation
        .charts
        .iter()
        .filter_map(|chart| match chart {
            Chart::Bars { bars, .. } => Some(bars.iter().map(|bar| bar.1).sum::<f64>()),
            _ => None,
        })
        .sum();
    assert!((shares - 100.0).abs() < 1e-9);
    assert!(evaluation.slices.iter().any(|slice| slice.slice == "tenth 8" && slice.measure == "mean_actual"));
}

/// The levels of a text that every row has add up to one, so least squares leaves one of them out and says so.
#[test]
fn a_level_too_many_is_left_out_and_named() {
    let outputs = run(&stage(json!({"target": "spend_next"})), table(as_it_is)).unwrap();
    assert_eq!(fact(outputs.evaluation.as_ref().unwrap(), "left out"), "");
    let mut all = table(as_it_is);
    all.frame = all.frame.filter(polars::prelude::col("id").neq(polars::prelude::lit(5)));
    let outputs = run(&stage(json!({"target": "spend_next"})), all).unwrap();
    let left = fact(outputs.evaluation.as_ref().unwrap(), "left out").to_owned();
    assert!(left.starts_with("country = ") && left.ends_with("other columns determine them"), "{left}");
}

#[test]
fn a_model_is_applied_on_a_later_night() {
    let fit = stage(json!({"target": "spend_next", "mode": "fit"}));
    let fitted = run(&fit, table(as_it_is)).unwrap();
    assert_eq!(predictions(&fitted).0.len(), 0);
    let both = run(&stage(json!({"target": "spend_next"})), table(as_it_is)).unwrap();
    let apply = stage(json!({"target": "spend_next", "mode": "apply"}));
    assert!(apply.applies_earlier_model() && matches!(apply.protocol(), Protocol::Newest { .. }));
    let applied = apply.run(inputs(table(|_, _| 0.0), fitted.model.clone()), &context()).unwrap();
    assert!(applied.model.is_none() && applied.evaluation.is_none());
    assert_eq!(predictions(&applied), predictions(&both));
    let other = stage(json!({"target": "spend_next", "penalty": {"l2": 9.0}, "mode": "apply"}));
    let refused = other.run(inputs(table(|_, _| 0.0), fitted.model), &context()).err().unwrap();
    assert!(refused.to_string().contains("fitted with other `penalty`;"), "{refused}");
}

#[test]
fn a_night_is_the_same_whatever_the_threads() {
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let outputs = run(&stage(json!({"target": "spend_next"})), table(as_it_is)).unwrap();
            (outputs.model.as_ref().unwrap().version(), outputs.evaluation.clone(), predictions(&outputs))
        })
    };
    assert_eq!(of(1), of(3));
}

#[test]
fn what_cannot_be_learned_is_refused_in_words() {
    let with = || stage(json!({"target": "spend_next"}));
    let refused = |spend: fn(i64, i64) -> f64| run(&with(), table(spend)).err().unwrap().to_string();
    assert!(refused(|_, _| 3.0).contains("is the same in all 240 training rows"));
    assert!(refused(|e, s| if e == 1 && s == 0 { f64::NAN } else { e as f64 }).contains("in 1 of 240 rows"));
    // What never varies where it is judged has errors, but no R².
    let evaluation = run(&with(), table(|e, s| if s == 3 { 1.0 } else { e as f64 })).unwrap().evaluation.unwrap();
    let names: Vec<&str> = evaluation.measures.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!(names, ["rmse", "mae"]);
}

#[test]
fn every_wrong_parameter_is_told_at_once() {
    let wrong = stage(json!({"target": "spend_next", "features": ["x", "x"], "penalty": {"l2": -1.0}}));
    let codes: Vec<Code> = wrong.check().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::BadValue, Code::BadValue]);
    let problems = schemas(&schema(), &stage(json!({"target": "buys", "features": ["y"]}))).unwrap_err();
    let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::UnknownColumn, Code::WrongColumnType]);
    assert!(problems[1].help.as_ref().is_some_and(|help| help.contains("`logistic`")));
}
