use chrono::NaiveDate;
use polars::df;

use super::Tiers;
use crate::metrics::evaluation::{Chart, Evaluation};
use crate::stages::contract::{Failure, Outputs, Stage};
use crate::stages::fixture::{self, Night, Ports, keyed, schemas, texts};
use crate::stages::model::Model;
use crate::table::Table;

fn run_date() -> NaiveDate {
    "2024-01-02".parse().unwrap()
}

fn values(all: &[Option<f64>]) -> Table {
    keyed(df!("customer" => (0..all.len() as i64).collect::<Vec<_>>(), "clv" => all).unwrap(), &["customer"])
}

fn stage(with: serde_json::Value) -> Tiers {
    let tiers = serde_json::json!({"gold": 0.1, "silver": 0.3, "bronze": "rest"});
    fixture::stage(serde_json::json!({"value": "clv", "tiers": tiers}), &with)
}

fn try_run(stage: &Tiers, tables: Ports, earlier: Option<Model>) -> Result<Outputs, Failure> {
    fixture::try_run(stage, tables, Night { earlier, ..Night::of(run_date()) })
}

fn run(stage: &Tiers, tables: Ports, earlier: Option<Model>) -> Outputs {
    try_run(stage, tables, earlier).unwrap()
}

fn evaluation(outputs: &Outputs) -> &Evaluation {
    outputs.evaluation.as_ref().unwrap()
}

#[test]
fn customers_are_ranked_and_tiered() {
    let all: Vec<Option<f64>> = (0..20).map(|place| Some(f64::from(place))).chain([None]).collect();
    let outputs = run(&stage(serde_json::json!({})), vec![("values", values(&all))], None);
    let tiers = texts(&outputs, "tier");
    let count = |tier: &str| tiers.iter().flatten().filter(|own| *own == tier).count();
    assert_eq!((count("gold"), count("silver"), count("bronze")), (2, 6, 12));
    assert_eq!((tiers[19].as_deref(), tiers[20].as_deref()), (Some("gold"), None));
    assert_eq!(texts(&outputs, "rank")[19].as_deref(), Some("1"));
    assert_eq!(texts(&outputs, "since")[19].as_deref(), Some("2024-01-02"));
    assert!(texts(&outputs, "previous_tier").iter().all(Option::is_none));
    let summary = outputs.tables[1].clone().collect().unwrap();
    let values = crate::table::floats(&summary, "share_of_value").unwrap();
    assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(evaluation(&outputs).facts.iter().any(|fact| fact.value.contains("1 customer without a value")));
}

#[test]
fn a_small_change_moves_nobody_and_a_large_one_does() {
    let all: Vec<Option<f64>> = (1..=20).map(|place| Some(100.0 * f64::from(place))).collect();
    let first = run(&stage(serde_json::json!({})), vec![("values", values(&all))], None);
    let model = first.model.clone().unwrap();
    // 18 and 19 change places by little: without a margin they would change tiers.
    let mut next = all.clone();
    (next[17], next[18]) = (Some(1910.0), Some(1890.0));
    let second = run(&stage(serde_json::json!({})), vec![("values", values(&next))], Some(model.clone()));
    assert_eq!(texts(&first, "tier"), texts(&second, "tier"));
    assert!(
        evaluation(&second).facts.iter().any(|fact| fact.value.contains("2 would have moved")),
        "{:?}",
        evaluation(&second).facts
    );
    let loose =
        run(&stage(serde_json::json!({"hysteresis": 0.0})), vec![("values", values(&next))], Some(model.clone()));
    assert_ne!(texts(&first, "tier"), texts(&loose, "tier"));
    next[0] = Some(9000.0);
    let third = run(&stage(serde_json::json!({})), vec![("values", values(&next))], Some(model));
    let of = |name: &str| texts(&third, name)[0].clone();
    assert_eq!((of("tier").as_deref(), of("previous_tier").as_deref()), (Some("gold"), Some("bronze")));
    let grid = |chart: &&Chart| matches!(chart, Chart::Grid { title, .. } if title.starts_with("Who moved"));
    assert_eq!(evaluation(&third).charts.iter().filter(grid).count(), 1);
}

#[test]
fn tier_and_price_sensitivity_say_what_is_given() {
    let all: Vec<Option<f64>> = (0..10).map(|place| Some(f64::from(place))).collect();
    let levels = ["low", "high", "medium", "unknown", "high", "high", "low", "low", "high"];
    let response = keyed(df!("customer" => (0..9_i64).collect::<Vec<_>>(), "level" => levels).unwrap(), &["customer"]);
    let with = stage(serde_json::json!({"groups": [
        {"tier": ["gold", "silver"], "price_sensitivity": ["high"], "service": "priority", "offer": "ten percent"},
        {"tier": "gold", "service": "personal"},
        {"price_sensitivity": "high", "offer": "five percent"},
    ]}));
    let outputs = run(&with, vec![("values", values(&all)), ("price_response", response)], None);
    let (service, offer) = (texts(&outputs, "service"), texts(&outputs, "offer"));
    assert_eq!(
        (service[9].as_deref(), offer[9].as_deref()),
        (Some("personal"), None),
        "unknown, since not in the table"
    );
    assert_eq!((service[8].as_deref(), offer[8].as_deref()), (Some("priority"), Some("ten percent")));
    assert_eq!((service[1].as_deref(), offer[1].as_deref()), (None, Some("five percent")));
    assert_eq!((service[0].as_deref(), offer[0].as_deref()), (None, None));
    assert_eq!(texts(&outputs, "price_sensitivity")[9], None);
    let alone = with.schemas(&schemas(&vec![("values", values(&all))]), run_date()).unwrap_err();
    assert!(alone[0].message.contains("no table at `price_response`"));
}

#[test]
fn odd_tables_have_an_answer() {
    let of =
        |all: &[Option<f64>]| texts(&run(&stage(serde_json::json!({})), vec![("values", values(all))], None), "tier");
    assert!(of(&[]).is_empty());
    assert_eq!(of(&[Some(3.0)])[0].as_deref(), Some("bronze"), "a tenth of one is nobody");
    assert!(of(&[Some(3.0); 10]).iter().all(|tier| tier.as_deref() == Some("gold")));
    assert_eq!(of(&[None, None, Some(f64::NAN)]), [None, None, None]);
    let twice = keyed(df!("customer" => [1_i64, 1], "clv" => [1.0, 2.0]).unwrap(), &["customer"]);
    let refused = try_run(&stage(serde_json::json!({})), vec![("values", twice)], None).err().unwrap();
    assert!(refused.to_string().contains("several rows"));
    let text = keyed(df!("customer" => ["b", "a"], "clv" => [1_i64, 2]).unwrap(), &["customer"]);
    let outputs = run(
        &stage(serde_json::json!({"by": "threshold", "tiers": {"best": 2, "rest": "rest"}})),
        vec![("values", text)],
        None,
    );
    assert_eq!(texts(&outputs, "customer"), [Some("a".to_owned()), Some("b".to_owned())]);
    assert_eq!(texts(&outputs, "tier"), [Some("best".to_owned()), Some("rest".to_owned())]);
}
