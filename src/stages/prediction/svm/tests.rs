use serde_json::{Value, json};

use super::*;
use crate::stages::contract::{Outputs, Stage};
use crate::stages::prediction::fixture::{customer, fact, measure, run};
use crate::table::Table;

fn table() -> Table {
    crate::stages::prediction::fixture::table(|e, s| customer(e, s).3 > 45, |e, s| customer(e, s).3 as f64)
}

/// Without columns that say what is missing, as the references are.
fn stage(mut with: Value) -> Svm {
    let all = with.as_object_mut().unwrap();
    all.entry("prepare").or_insert(json!({"missing_indicators": false}));
    serde_json::from_value(with).unwrap()
}

fn column(outputs: &Outputs, name: &str) -> Vec<f64> {
    let frame = outputs.tables[0].clone().collect().unwrap();
    frame.column(name).unwrap().f64().unwrap().iter().flatten().collect()
}

#[test]
fn every_kernel_orders_the_customers() {
    for kernel in ["linear", "rbf", "polynomial", "sigmoid"] {
        for approximate in ["auto", "nystroem", "fourier"] {
            let with =
                json!({"target": "buys", "kernel": kernel, "approximate": approximate, "approximation_features": 60});
            let stage = stage(with);
            if !stage.check().is_empty() {
                continue;
            }
            let outputs = match run(&stage, table()) {
                // A sigmoid need not be positive definite.
                Err(error) if kernel == "sigmoid" => {
                    assert!(error.to_string().contains("not positive definite"), "{error}");
                    continue;
                }
                found => found.unwrap(),
            };
            let evaluation = outputs.evaluation.as_ref().unwrap();
            assert!(measure(evaluation, "roc_auc").model.value > 0.7, "{kernel} {approximate}");
            assert!(evaluation.measures.iter().all(|measure| measure.name != "log_loss"), "no probabilities");
            let is_approximated = fact(evaluation, "approximation").starts_with("the kernel is not exact");
            assert_eq!(is_approximated, approximate != "auto");
            let frame = outputs.tables[0].clone().collect().unwrap();
            let decided: Vec<bool> = frame.column("decision").unwrap().bool().unwrap().iter().flatten().collect();
            assert!(column(&outputs, "score").iter().zip(decided).all(|(score, decided)| (*score >= 0.0) == decided));
        }
    }
}

#[test]
fn calibrated_scores_are_probabilities() {
    let with = json!({"target": "buys", "kernel": "linear", "calibrate": "platt", "class_weight": "balanced"});
    let outputs = run(&stage(with), table()).unwrap();
    assert!(column(&outputs, "probability").iter().all(|value| (0.0..=1.0).contains(value)));
    let evaluation = outputs.evaluation.unwrap();
    assert!(measure(&evaluation, "log_loss").model.value < 0.6 && measure(&evaluation, "ece").model.value < 0.2);
    assert_eq!(fact(&evaluation, "threshold"), "0.500, as given");
}

#[test]
fn numbers_are_predicted_within_a_tube() {
    for kernel in ["linear", "rbf"] {
        let outputs = run(&stage(json!({"target": "spend_next", "kernel": kernel, "c": 10.0})), table()).unwrap();
        let evaluation = outputs.evaluation.as_ref().unwrap();
        assert!(measure(evaluation, "r2").model.value > 0.3, "{kernel}");
        assert_eq!(column(&outputs, "prediction").len(), 80);
        assert_eq!(outputs.tables[1].clone().collect().unwrap().height(), 0, "numbers have no classes");
    }
}

#[test]
fn too_many_rows_are_refused_with_what_they_would_take() {
    let refused = stage(json!({"target": "buys", "approximate": "none"})).affordable(2_000_000, 20).unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("2,000,000 rows takes about") && told.contains("minutes") && told.contains(" GB: "),
        "{told}"
    );
}

#[test]
fn wrong_parameters_are_told_at_once() {
    let wrong = stage(json!({
        "target": "buys", "kernel": "polynomial", "gamma": -1.0, "c": 0.0, "approximate": "fourier", "threshold": 0.7
    }));
    let told: Vec<String> = wrong.check().into_iter().map(|problem| problem.message).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(serde_json::from_value::<Gamma>(json!("wide")).is_err());
}

#[test]
fn a_night_is_the_same_whatever_the_threads() {
    for with in
        [json!({"target": "buys", "calibrate": "isotonic"}), json!({"target": "buys", "approximate": "nystroem"})]
    {
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&stage(with.clone()), table()).unwrap().model.unwrap().version())
        };
        assert_eq!(of(1), of(3));
    }
}
