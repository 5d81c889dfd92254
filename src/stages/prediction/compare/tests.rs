use serde_json::{Value, json};

use super::*;
use crate::stages::prediction::fixture::{context, customer, fact, inputs, schema};

fn table() -> Table {
    crate::stages::prediction::fixture::table(|e, s| customer(e, s).3 > 45, |e, s| customer(e, s).3 as f64)
}

fn stage(more: Value) -> Compare {
    let mut with = json!({
        "target": "buys",
        "candidates": [
            {"id": "one", "stage": "logistic", "with": {"features": ["country"]}},
            {"id": "all", "stage": "logistic"},
            {"id": "margin", "stage": "svm", "with": {"kernel": "linear", "calibrate": "platt"}}
        ]
    });
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(with).unwrap()
}

fn run(stage: &Compare, earlier: Option<Model>) -> Outputs {
    stage.run(inputs(table(), earlier), &context()).unwrap()
}

fn champion(outputs: &Outputs) -> (String, String) {
    let told = fact(outputs.evaluation.as_ref().unwrap(), "champion").to_owned();
    (outputs.model.as_ref().unwrap().main::<Fitted>().unwrap().champion, told)
}

#[test]
fn the_best_is_served_and_the_others_are_ranked() {
    let outputs = run(&stage(json!({})), None);
    let (name, told) = champion(&outputs);
    assert!(
        ["all", "margin"].contains(&name.as_str()) && told.contains("no champion of an earlier night is known"),
        "{told}"
    );
    let Some(Chart::Table { rows, .. }) = outputs.evaluation.as_ref().unwrap().charts.first() else {
        panic!("a table")
    };
    assert_eq!((rows.len(), rows[2][0].as_str(), rows[2][4].as_str()), (3, "one", "worse"));
    assert!(fact(outputs.evaluation.as_ref().unwrap(), "indistinguishable").contains("cannot be told apart"));
    let frame = outputs.tables[0].clone().collect().unwrap();
    assert_eq!((frame.height(), outputs.tables[1].clone().collect().unwrap().height()), (80, 160));
    let version = frame.column("model_version").unwrap().str().unwrap().get(0).unwrap().to_owned();
    assert_eq!(version, outputs.model.unwrap().version());
}

/// The champion of before stays until another is better by the margin, and surely; one may be named by hand.
#[test]
fn a_champion_stays_until_a_challenger_clearly_wins() {
    let first = run(&stage(json!({"champion": "one"})), None);
    assert_eq!(champion(&first), ("one".to_owned(), "`one`: named by hand".to_owned()));
    let (name, told) = champion(&run(&stage(json!({})), first.model.clone()));
    assert!(name != "one" && told.contains("took over from `one`"), "{told}");
    let (name, told) = champion(&run(&stage(json!({"margin": 0.9})), first.model.clone()));
    assert!(name == "one" && told.contains("is ahead, but not clearly"), "{told}");
    let held = run(&stage(json!({"champion": "margin"})), None);
    let (name, _) = champion(&run(&stage(json!({"margin": 0.05})), held.model));
    assert_eq!(name, "margin", "it cannot be told apart from the best");
    let others = stage(json!({"candidates": [
        {"id": "all", "stage": "logistic"},
        {"id": "margin", "stage": "svm", "with": {"kernel": "linear", "calibrate": "platt"}}
    ]}));
    let (_, told) = champion(&run(&others, first.model));
    assert!(told.contains("`one`, champion before, is no candidate any more"), "{told}");
    let gone: Fitted =
        Fitted { champion: "gone".into(), kind: "svm".into(), since: context().run_date, measure: "roc_auc".into() };
    let told = stage(json!({})).champion_of(&gone).err().unwrap().to_string();
    assert!(told.contains("`gone`, is no candidate any more"), "{told}");
}

#[test]
fn the_champion_is_applied_on_a_later_night() {
    let fitted = run(&stage(json!({})), None);
    let applied = run(&stage(json!({"mode": "apply"})), fitted.model.clone());
    let frame = |outputs: &Outputs| outputs.tables[0].clone().collect().unwrap();
    assert!(frame(&applied).equals_missing(&frame(&fitted)));
}

#[test]
fn numbers_are_compared_as_well() {
    let numbers = stage(json!({"target": "spend_next", "candidates": [
        {"id": "one", "stage": "linear", "with": {"features": ["country"]}},
        {"id": "all", "stage": "linear", "with": {"penalty": {"l1": 1.0}}}
    ]}));
    let outputs = run(&numbers, None);
    assert_eq!(champion(&outputs).0, "all");
    let told = crate::stages::prediction::fixture::schemas(&schema(), &numbers).unwrap();
    for (table, schema) in outputs.tables.into_iter().zip(told) {
        assert_eq!(*table.collect().unwrap().schema().as_ref(), schema.to_polars());
    }
}

#[test]
fn candidates_must_go_together() {
    let schemas = |stage: &Compare| crate::stages::prediction::fixture::schemas(&schema(), stage);
    let uncalibrated = stage(json!({"candidates": [
        {"id": "a", "stage": "logistic"},
        {"id": "b", "stage": "svm"}
    ]}));
    assert!(schemas(&uncalibrated).unwrap_err()[0].message.contains("`b` gives other columns"));
    let wrong = stage(json!({"champion": "c", "margin": -1.0, "candidates": [
        {"id": "a", "stage": "logistic", "with": {"target": "x"}},
        {"id": "a", "stage": "logistic", "with": {"penalti": 1}},
    ]}));
    let told: Vec<String> = wrong.check().into_iter().map(|problem| problem.message).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told[0].starts_with("`target` is said once for all"));
    let numbers = stage(json!({"target": "spend_next", "by": "roc_auc", "candidates": [
        {"id": "a", "stage": "linear"},
        {"id": "b", "stage": "linear", "with": {"log_target": true}}
    ]}));
    assert!(
        schemas(&numbers).unwrap_err()[0].message.contains("`roc_auc` is no measure of such a target: rmse, mae, r2")
    );
}
