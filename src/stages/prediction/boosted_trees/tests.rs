use serde_json::{Value, json};

use super::*;
use crate::stages::contract::Stage;
use crate::stages::prediction::fixture::{column, customer, fact, measure, run};
use crate::table::Table;

fn table() -> Table {
    crate::stages::prediction::fixture::table(|e, s| customer(e, s).3 > 45, |e, s| customer(e, s).3 as f64)
}

fn stage(with: Value) -> BoostedTrees {
    serde_json::from_value(with).unwrap()
}

#[test]
fn trees_tell_customers_apart() {
    let outputs = run(&stage(json!({"target": "buys", "rounds": 30, "leaves": 4})), table()).unwrap();
    let evaluation = outputs.evaluation.as_ref().unwrap();
    assert!(measure(evaluation, "roc_auc").model.value > 0.8);
    assert!(fact(evaluation, "trees").starts_with("30 trees with "));
    assert!(column(&outputs, "probability").iter().all(|value| (0.0..=1.0).contains(value)));
    let Some(Chart::Bars { bars, .. }) = evaluation.charts.last() else { panic!("gains") };
    assert_eq!(bars[0].0, "x");
    let frame = outputs.tables[0].clone().collect().unwrap();
    let reasons = frame.column("reason_1").unwrap().str().unwrap();
    assert!(reasons.iter().flatten().filter(|reason| ["+x", "-x"].contains(reason)).count() > 40);
}

#[test]
fn trees_predict_numbers() {
    let outputs = run(&stage(json!({"target": "spend_next", "rounds": 30, "leaves": 4})), table()).unwrap();
    let evaluation = outputs.evaluation.as_ref().unwrap();
    assert!(measure(evaluation, "r2").model.value > 0.3);
    assert_eq!(column(&outputs, "prediction").len(), 80);
}

#[test]
fn a_night_is_the_same_whatever_the_threads() {
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let with = json!({"target": "buys", "rounds": 9, "rows_share": 0.7, "calibrate": "platt"});
            run(&stage(with), table()).unwrap().model.unwrap().version()
        })
    };
    assert_eq!(of(1), of(3));
}

#[test]
fn too_much_is_refused_beforehand() {
    assert!(stage(json!({"target": "buys", "learning_rate": 0.0})).check()[0].message.contains("learning_rate"));
    let cost = kernel::cost(100_000_000, 100, 1, &stage(json!({"target": "buys", "rounds": 10_000})).params(0));
    assert!(cost.steps > STEPS_MAX);
}
