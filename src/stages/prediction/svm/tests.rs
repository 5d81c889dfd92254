use serde_json::{Value, json};

use super::*;
use crate::stages::contract::Stage;
use crate::stages::prediction::fixture::{bands, column, customer, fact, measure, run, schema, schemas};
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

#[test]
fn every_kernel_orders_the_customers() {
    for kernel in ["linear", "rbf", "polynomial", "sigmoid"] {
        for approximate in ["auto", "nystroem", "fourier"] {
            let mut with = json!({"target": "buys", "kernel": kernel, "approximate": approximate});
            if kernel != "linear" {
                with["approximation_features"] = json!(60);
            }
            let stage = stage(with);
            let is_refused = match approximate {
                "nystroem" => kernel == "linear",
                "fourier" => kernel != "rbf",
                _ => false,
            };
            assert_eq!(!stage.check().is_empty(), is_refused, "{kernel} {approximate}");
            if is_refused {
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

/// Scores of classes are votes, and what is told of groups is in the measure's own units.
#[test]
fn classes_are_told_apart() {
    for (multi_class, top) in [("one_against_one", 2.5), ("one_against_rest", 1e9)] {
        let with = json!({"target": "band", "kernel": "linear", "multi_class": multi_class, "slice": ["country"]});
        let outputs = run(&stage(with), bands(table())).unwrap();
        let evaluation = outputs.evaluation.as_ref().unwrap();
        assert_eq!(evaluation.headline, "accuracy");
        let accuracy = measure(evaluation, "accuracy").model.value;
        assert!(accuracy > 0.5, "{multi_class} {accuracy}");
        let told = evaluation.slices.iter().find(|slice| slice.slice == "country GB").unwrap();
        assert!(told.value > 0.4 && told.baseline == Some(accuracy), "{told:?} {accuracy}");
        assert!(column(&outputs, "score").iter().all(|score| *score < top), "{multi_class}");
    }
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
    let refused = stage(json!({"target": "buys", "approximate": "none"})).affordable(&[2_000_000], 20).unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("2,000,000 rows take about") && told.contains("minutes") && told.contains(" GB: "), "{told}");
}

#[test]
fn wrong_parameters_are_told_at_once() {
    let wrong = stage(json!({
        "target": "buys", "kernel": "polynomial", "gamma": -1.0, "c": 0.0, "approximate": "fourier", "threshold": 0.7
    }));
    let told: Vec<String> = wrong.check().into_iter().map(|problem| problem.message).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    let with = json!({
        "target": "buys", "gamma": "auto", "degree": 2, "coef0": 1.0, "tolerance": 0.01, "cache_megabytes": 10,
        "exact_rows_max": 5, "approximation_features": 9, "epsilon": 0.2, "multi_class": "one_against_rest"
    });
    let idle = |kernel: &str, approximate: &str| -> Vec<String> {
        let mut with = with.clone();
        (with["kernel"], with["approximate"]) = (kernel.into(), approximate.into());
        let told = stage(with).check().into_iter().map(|problem| problem.message);
        told.filter_map(|message| Some(message.strip_prefix('`')?.split_once('`')?.0.to_owned())).collect()
    };
    let of_kernels = ["tolerance", "cache_megabytes"];
    let all = [&["gamma", "degree", "coef0"], &of_kernels[..], &["exact_rows_max", "approximation_features"]].concat();
    assert_eq!(idle("linear", "auto"), all);
    assert_eq!(idle("rbf", "auto"), ["degree", "coef0"]);
    assert_eq!(idle("polynomial", "none"), ["exact_rows_max", "approximation_features"]);
    assert_eq!(idle("sigmoid", "nystroem"), [&["degree"], &of_kernels[..], &["exact_rows_max"]].concat());
    // What a target makes idle is known with the table, a grid's values too.
    let told = |with: Value| -> Vec<String> {
        let found = schemas(&schema(), &stage(with)).unwrap_err();
        found.into_iter().map(|problem| problem.message).collect()
    };
    assert_eq!(told(json!({"target": "buys", "epsilon": 0.2, "multi_class": "one_against_rest"})).len(), 2);
    let grid = json!({"grid": {"epsilon": [0.1, 0.2]}, "by": "brier"});
    let found = told(json!({"target": "buys", "tune": grid}));
    assert!(found[0].contains("`epsilon` is for numbers") && found[1].contains("a measure of probabilities"));
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

#[test]
fn linfa_agrees_where_it_can() {
    for kernel in ["rbf", "polynomial"] {
        for target in ["buys", "spend_next", "band"] {
            let of = |engine: &str| {
                let with =
                    json!({"target": target, "kernel": kernel, "gamma": 0.2, "tolerance": 1e-6, "engine": engine});
                let name = if target == "spend_next" { "prediction" } else { "score" };
                column(&run(&stage(with), bands(table())).unwrap(), name)
            };
            let (linfa, native) = (of("linfa"), of("native"));
            let far = linfa.iter().zip(&native).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
            assert!(linfa.len() == 80 && far < 2e-2, "{kernel} {target} {far}");
        }
    }
}

#[test]
fn what_linfa_cannot_is_refused() {
    let told =
        |with: Value| -> Vec<String> { stage(with).check().into_iter().map(|problem| problem.message).collect() };
    let with = json!({
        "target": "buys", "engine": "linfa", "kernel": "sigmoid", "weight": "x", "class_weight": "balanced",
        "approximate": "nystroem", "approximation_features": 9, "cache_megabytes": 9
    });
    assert_eq!(
        told(with),
        [
            "`cache_megabytes` goes with exact kernels other than `linear`, and has no effect here",
            "`cache_megabytes` goes with `engine: native`, and has no effect here",
            "`approximation_features` goes with approximated kernels, and has no effect here",
            "the linfa engine approximates no kernels",
            "the linfa engine has another linear machine (errors, not their squares) and no sigmoid kernel",
            "the linfa engine ignores weights",
            "the linfa engine ignores weights",
        ]
    );
    assert!(told(json!({"target": "buys", "engine": "linfa"})).is_empty());
}
