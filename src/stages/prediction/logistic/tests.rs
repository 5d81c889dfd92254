use super::*;
use crate::metrics::evaluation::Chart;
use crate::stages::contract::{Outputs, Stage};
use crate::stages::prediction::fixture::{context, customer, fact, inputs, measure, run, schema, schemas, scores};
use crate::stages::protocol::Protocol;
use crate::table::{Table, TableSchema};
use serde_json::{Value, json};

/// What a customer then does.
fn as_it_is(e: i64, s: i64) -> bool {
    customer(e, s).3 > 45
}

fn table(buys: impl Fn(i64, i64) -> bool) -> Table {
    crate::stages::prediction::fixture::table(buys, |_, _| 1.0)
}

fn stage(with: Value) -> Logistic {
    serde_json::from_value(with).unwrap()
}

fn predictions(outputs: &Outputs) -> (Vec<i64>, Vec<f64>) {
    scores(outputs, &stage(json!({"target": "buys"})), "probability")
}

/// The figures are scikit-learn 1.9.1's: LogisticRegression(C=1) on the standardized matrix of
/// medians and one-hot levels, with roc_auc_score, log_loss, brier_score_loss and
/// average_precision_score on the evaluation snapshot.
#[test]
fn agrees_with_scikit_learn() {
    let outputs = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.as_ref().unwrap();
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    let expected = [
        ("roc_auc", 0.876_302_083, 0.5),
        ("log_loss", 0.444_439_267, 0.675_375_885),
        ("brier", 0.145_992_629, 0.241_111_111),
        ("average_precision", 0.914_829_312, 0.6),
        ("lift@10%", 1.0 / 0.6, 1.0),
    ];
    for (name, model, baseline) in expected {
        let found = measure(evaluation, name);
        near(found.model.value, model);
        near(found.baseline.unwrap().value, baseline);
        near(found.difference.unwrap().value, model - baseline);
        assert!(found.difference.unwrap().low < found.difference.unwrap().high);
    }
    assert_eq!(evaluation.headline, "roc_auc");
    assert!(measure(evaluation, "ece").baseline.is_none());

    let (ids, probabilities) = predictions(&outputs);
    assert_eq!(ids, (1..=80).collect::<Vec<i64>>());
    let refitted = [0.642_258_430_66, 0.283_613_806_33, 0.282_687_248_08, 0.897_279_528_76];
    for (found, expected) in probabilities.iter().zip(refitted) {
        near(*found, expected);
    }
}

#[test]
fn says_what_was_done() {
    let outputs = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.unwrap();
    assert_eq!(fact(&evaluation, "evaluated on"), "2024-03-03, 80 rows, 60.0 % positive");
    assert_eq!(fact(&evaluation, "trained on"), "3 snapshots, 2023-06-07 to 2023-12-04, 240 rows");
    assert!(fact(&evaluation, "served model").contains("up to 2024-03-03 (320 rows)"));
    assert_eq!(fact(&evaluation, "imputed with the median"), "x in 18 rows");
    assert_eq!(fact(&evaluation, "levels of text"), "country: 3");
    assert!(fact(&evaluation, "fit").starts_with("converged"));
    // scikit-learn: roc_auc_score of x with its median for the missing.
    assert!(fact(&evaluation, "best single feature").starts_with("x, more is likelier: a ROC AUC of 0.863"));
    let table = evaluation.charts.iter().find_map(|chart| match chart {
        Chart::Table { rows, .. } => Some(rows),
        _ => None,
    });
    assert_eq!(table.unwrap()[0], ["x", "+1.996", "7.356"]);
    assert_eq!(evaluation.charts.len(), 7);
}

#[test]
fn the_signature_and_the_version_tell_the_model() {
    let stage = stage(json!({"target": "buys", "features": ["member", "x"], "class_weight": "balanced"}));
    let outputs = run(&stage, table(as_it_is)).unwrap();
    let model = outputs.model.as_ref().unwrap();
    let names: Vec<&str> = model.signature.inputs.iter().map(|field| field.name.as_str()).collect();
    assert_eq!((names, model.signature.rows), (vec!["member", "x"], 320));
    assert_eq!(model.signature.parameters["class_weight"], "balanced");
    let frame = outputs.tables[0].clone().collect().unwrap();
    let version = frame.column("model_version").unwrap().str().unwrap().get(0).unwrap().to_owned();
    assert_eq!(version, model.version());
    assert!(fact(outputs.evaluation.as_ref().unwrap(), "probabilities").contains("balanced"));
}

#[test]
fn a_model_is_applied_on_a_later_night() {
    let fit = stage(json!({"target": "buys", "mode": "fit"}));
    let fitted = run(&fit, table(as_it_is)).unwrap();
    assert_eq!(predictions(&fitted).0.len(), 0);
    let both = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();

    let apply = stage(json!({"target": "buys", "mode": "apply"}));
    assert!(apply.applies_earlier_model() && matches!(apply.protocol(), Protocol::Newest { .. }));
    let applied = apply.run(inputs(table(|_, _| false), fitted.model.clone()), &context()).unwrap();
    assert!(applied.model.is_none() && applied.evaluation.is_none());
    let (found, expected) = (predictions(&applied), predictions(&both));
    assert_eq!(found.0, expected.0);
    assert!(found.1.iter().zip(&expected.1).all(|(found, expected)| (found - expected).abs() < 1e-12));

    let other = stage(json!({"target": "leaves", "mode": "apply"}));
    let refused = other.run(inputs(table(|_, _| false), fitted.model.clone()), &context()).err().unwrap();
    assert!(refused.to_string().contains("fitted with other `target`; fit one"), "{refused}");
    let other = stage(json!({"target": "buys", "penalty": {"l2": 9.0}, "class_weight": "balanced", "mode": "apply"}));
    let refused = other.run(inputs(table(|_, _| false), fitted.model.clone()), &context()).err().unwrap();
    assert!(refused.to_string().contains("fitted with other `penalty`, `class_weight`;"), "{refused}");
    let refused = apply.run(inputs(table(|_, _| false), None), &context()).err().unwrap();
    assert_eq!(refused.to_string(), "the earlier model was not handed over");
    let mut without = table(|_, _| false);
    without.schema.columns.retain(|column| column.name != "country");
    let refused = apply.run(inputs(without, fitted.model), &context()).err().unwrap();
    assert!(refused.to_string().contains("`country`, which the table no longer has"));
}

#[test]
fn a_night_is_the_same_whatever_the_threads() {
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let outputs = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();
            (outputs.model.as_ref().unwrap().version(), outputs.evaluation.clone(), predictions(&outputs))
        })
    };
    assert_eq!(of(1), of(3));
}

/// A query may make an unknown label look like a known one; the newest event that the source has tells.
#[test]
fn a_label_made_known_before_its_time_is_none() {
    let of = |watermark: &str| {
        let known = Table { watermark: Some(watermark.parse().unwrap()), ..table(as_it_is) };
        let evaluation = run(&stage(json!({"target": "buys"})), known).unwrap().evaluation.unwrap();
        fact(&evaluation, "evaluated on").to_owned()
    };
    assert!(of("2024-06-01").starts_with("2024-03-03, "));
    assert!(of("2024-05-31").starts_with("2023-12-04, "), "the window of 2024-03-03 ends a day later");
}

#[test]
fn one_class_cannot_be_learned_but_can_be_judged() {
    let refused = run(&stage(json!({"target": "buys"})), table(|e, _| e <= 5)).err().unwrap().to_string();
    assert!(refused.contains("`buys` is true in 15 of 240 training rows, and at least 20 are needed"), "{refused}");
    // The evaluation snapshot is all false; the others are as before.
    let outputs = run(&stage(json!({"target": "buys"})), table(|e, s| s < 3 && as_it_is(e, s))).unwrap();
    let evaluation = outputs.evaluation.unwrap();
    let names: Vec<&str> = evaluation.measures.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!((names, evaluation.headline.as_str()), (vec!["log_loss", "brier", "ece"], "log_loss"));
    assert!(fact(&evaluation, "ROC AUC").contains("the target is false in every evaluated row"));
}

#[test]
fn linfa_agrees() {
    let of = |engine: &str| {
        predictions(&run(&stage(json!({"target": "buys", "engine": engine})), table(as_it_is)).unwrap()).1
    };
    assert!(of("linfa").iter().zip(of("native")).all(|(linfa, native)| (linfa - native).abs() < 1e-4));
}

#[test]
fn every_wrong_parameter_is_told_at_once() {
    let wrong = stage(json!({
        "target": "buys", "features": ["x", "x"], "penalty": {"l2": -1.0},
        "engine": "linfa", "class_weight": "balanced", "calibrate": "platt"
    }));
    let codes: Vec<Code> = wrong.check().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::BadValue, Code::BadValue, Code::BadValue, Code::NotYet]);
    assert!(wrong.check().iter().all(|problem| problem.place.path[0] == "with".into()));

    let problems = schemas(&schema(), &stage(json!({"target": "spend_next", "features": ["y", "buys"]}))).unwrap_err();
    let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::UnknownColumn, Code::Leak, Code::WrongColumnType]);
    let named = TableSchema { key: vec!["x".into()], ..schema() };
    assert_eq!(schemas(&named, &stage(json!({"target": "buys"}))).unwrap_err()[0].code, Code::NoSnapshots);
}

#[test]
fn the_schema_of_the_parameters_marks_what_is_not_available() {
    let schema = schemars::SchemaGenerator::default().into_root_schema_for::<Logistic>();
    let calibrate = &schema.as_value()["properties"]["calibrate"];
    assert_eq!(calibrate["x-not-yet"], true);
    assert_eq!(schema.as_value()["properties"]["features"]["default"], "all");
    assert_eq!(schema.as_value()["required"], json!(["target"]));
}

#[test]
fn the_lift_of_the_first_tenth_shares_ties() {
    let truth = [true, true, false, true, false, false, false, false, false, false, false];
    let probability = [0.9, 0.5, 0.5, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3];
    let top = evaluate::TopDecile::new(&truth, &probability);
    // Two of eleven rows: the first, and one of two of which one is positive; 3 of 11 are in all.
    assert!((top.lift(&[1; 11]).unwrap() - (1.5 / 2.0) / (3.0 / 11.0)).abs() < 1e-12);
    let slices =
        crate::metrics::classification::Predictions::new(truth.to_vec(), probability.to_vec()).unwrap().slices(10);
    assert!((top.lift(&[1; 11]).unwrap() - slices[0].lift.unwrap()).abs() < 1e-12);
    assert_eq!(top.lift(&[0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0]), None);
}
