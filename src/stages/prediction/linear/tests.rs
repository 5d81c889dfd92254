use super::*;
use crate::metrics::evaluation::Chart;
use crate::problem::Code;
use crate::stages::contract::{Outputs, Stage};
use crate::stages::prediction::fixture::{
    context, counting, customer, fact, inputs, measure, run, schema, schemas, scores,
};
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

/// Without columns that say what is missing, as the references are.
fn stage(mut with: Value) -> Linear {
    let all = with.as_object_mut().unwrap();
    all.entry("prepare").or_insert(json!({"missing_indicators": false}));
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
            "Permutation importance: what is lost when a feature is dealt out anew among the rows",
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
            Chart::Bars { bars, unit, .. } if unit == "% of rows" => Some(bars.iter().map(|bar| bar.1).sum::<f64>()),
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
    assert_eq!(names, ["rmse", "mae", "mape"]);
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

/// scikit-learn 1.9.1: Lasso(alpha = l1 / (2 · rows)) on the standardized matrix has the same zeros; with a penalty beyond
/// all correlation only the mean is left.
#[test]
fn a_penalty_of_l1_leaves_columns_out() {
    let of = |l1: f64| run(&stage(json!({"target": "spend_next", "penalty": {"l1": l1}})), table(as_it_is)).unwrap();
    let told = |outputs: &Outputs| fact(outputs.evaluation.as_ref().unwrap(), "fit").to_owned();
    assert!(told(&of(800.0)).contains("of 5 coefficients are zero"), "{}", told(&of(800.0)));
    let outputs = of(1e9);
    assert!(told(&outputs).ends_with("5 of 5 coefficients are zero"));
    let found = predictions(&outputs).1;
    assert!(found.iter().all(|value| (value - found[0]).abs() < 1e-9));
    assert!(outputs.evaluation.unwrap().model.ends_with("lasso"));
}

/// Of a target that is exp of something the mean is met by learning its logarithm.
#[test]
fn logarithms_are_learned_and_means_predicted() {
    let grown = |e: i64, s: i64| (as_it_is(e, s) / 15.0).exp();
    let of = |log: bool| {
        let outputs = run(&stage(json!({"target": "spend_next", "log_target": log})), table(grown)).unwrap();
        let evaluation = outputs.evaluation.unwrap();
        (measure(&evaluation, "spearman").model.value, measure(&evaluation, "mae").model.value, evaluation)
    };
    let (plain, logged) = (of(false), of(true));
    assert!(logged.1 < plain.1 && logged.0 >= plain.0 - 0.02, "{} {} {} {}", plain.0, plain.1, logged.0, logged.1);
    assert!(logged.2.watch.iter().all(|told| !told.contains("below zero")));
    let refused = run(&stage(json!({"target": "spend_next", "log_target": true})), table(|e, _| e as f64 - 40.0));
    assert!(refused.err().unwrap().to_string().contains("below zero"), "amounts below zero have no logarithm");
}

/// What weighs nothing is as if it were not there.
#[test]
fn rows_count_by_their_weight() {
    let weighted = |of: fn(i64) -> f64| {
        let all = counting(table(as_it_is), |e, _| of(e));
        run(&stage(json!({"target": "spend_next", "weight": "counts", "scale": "none"})), all)
    };
    let (half, whole) = (weighted(|id| f64::from(u8::from(id <= 40))).unwrap(), weighted(|_| 1.0).unwrap());
    assert_ne!(predictions_of(&half), predictions_of(&whole));
    let plain = run(&stage(json!({"target": "spend_next", "scale": "none"})), table(as_it_is)).unwrap();
    let near = predictions_of(&whole).iter().zip(predictions_of(&plain)).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(near, "weights of one change nothing");
    assert!(!fact(half.evaluation.as_ref().unwrap(), "columns").contains("counts"));
    // The mean of the errors of ln(1 + y) too.
    let logged = |nothing: f64| {
        let all = table(|e, s| if e <= 40 { as_it_is(e, s).max(0.0) } else { nothing });
        let all = counting(all, |e, _| f64::from(u8::from(e <= 40)));
        let with = json!({"target": "spend_next", "weight": "counts", "scale": "none", "log_target": true});
        predictions_of(&run(&stage(with), all).unwrap())
    };
    let near = logged(0.0).iter().zip(logged(1e6)).all(|(a, b)| (a - b).abs() < 1e-6 * a.abs());
    assert!(near, "{:?} {:?}", logged(0.0), logged(1e6));
    assert!(weighted(|_| 0.0).err().unwrap().to_string().contains("zero in all training rows"));
    assert!(weighted(|id| -(id as f64)).err().unwrap().to_string().contains("no number at or above zero"));
}

fn predictions_of(outputs: &Outputs) -> Vec<f64> {
    let frame = outputs.tables[0].clone().collect().unwrap();
    frame.column("prediction").unwrap().f64().unwrap().iter().flatten().collect()
}

#[test]
fn linfa_agrees_where_it_can() {
    let of = |engine: &str| {
        let with = json!({"target": "spend_next", "features": ["x", "member"], "engine": engine});
        predictions(&run(&stage(with), table(as_it_is)).unwrap()).1
    };
    assert!(of("linfa").iter().zip(of("native")).all(|(linfa, native)| (linfa - native).abs() < 1e-8));
    let with = json!({"target": "spend_next", "engine": "linfa", "weight": "x", "penalty": {"l2": 1.0}});
    let told: Vec<String> = stage(with).check().into_iter().map(|problem| problem.message).collect();
    assert_eq!(told, ["the linfa engine ignores weights", "the linfa engine ignores penalties"]);
    // All levels of a text together are the intercept.
    let prepare = json!({"level_rows_min": 1, "missing_indicators": false});
    let with = json!({"target": "spend_next", "features": ["country"], "engine": "linfa", "prepare": prepare});
    let refused = run(&stage(with), table(as_it_is)).err().unwrap().to_string();
    assert!(refused.contains("determined by others; use `engine: native`"), "{refused}");
}
