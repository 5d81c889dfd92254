use chrono::NaiveDate;
use polars::df;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series, TimeUnit};
use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, LogNormal, Poisson};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::PriceSensitivity;
use crate::metrics::evaluation::Evaluation;
use crate::metrics::regression::spearman;
use crate::stages::contract::{InputSchemas, Outputs, Stage};
use crate::stages::fixture::{self, Night, Ports, table};
use crate::table::{Class, Column, Table, TableSchema, floats, midnight_us};

/// Customer, item, day of 2023, price, quantity.
type Event = (i64, &'static str, i64, f64, f64);

const ITEMS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

fn run_date() -> NaiveDate {
    "2024-01-01".parse().unwrap()
}

fn events(events: &[Event]) -> Table {
    let zero = midnight_us("2023-01-01".parse().unwrap());
    let times: Vec<i64> = events.iter().map(|event| zero + event.2 * 86_400_000_000).collect();
    let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
    let mut frame = df!(
        "customer" => events.iter().map(|event| event.0).collect::<Vec<_>>(),
        "item" => events.iter().map(|event| event.1).collect::<Vec<_>>(),
        "price" => events.iter().map(|event| event.3).collect::<Vec<_>>(),
        "quantity" => events.iter().map(|event| event.4).collect::<Vec<_>>()
    )
    .unwrap();
    frame.with_column(Series::new("at".into(), times).cast(&microseconds).unwrap().into_column()).unwrap();
    let columns = vec![
        Column::new("customer", DataType::Int64).class(Class::DirectId),
        Column::new("item", DataType::String),
        Column::new("price", DataType::Float64),
        Column::new("quantity", DataType::Float64),
        Column::new("at", microseconds),
    ];
    let schema = TableSchema { columns, event_time: Some("at".into()), ..TableSchema::default() };
    Table { frame: frame.lazy(), schema, watermark: Some(run_date()) }
}

fn stage(with: serde_json::Value) -> PriceSensitivity {
    let columns = serde_json::json!({
        "entity": "customer", "item": "item", "price": "price", "quantity": "quantity", "time": "at"
    });
    fixture::stage(columns, &with)
}

fn run_with(stage: &PriceSensitivity, tables: Ports, threads: usize) -> Outputs {
    fixture::try_run(stage, tables, Night { threads, ..Night::of(run_date()) }).unwrap()
}

fn run(all: &[Event]) -> Outputs {
    run_with(&stage(serde_json::json!({})), vec![("events", events(all))], 2)
}

fn evaluation(outputs: &Outputs) -> &Evaluation {
    outputs.evaluation.as_ref().unwrap()
}

fn levels(frame: &DataFrame) -> Vec<String> {
    frame.column("level").unwrap().str().unwrap().iter().flatten().map(str::to_owned).collect()
}

/// Customers who respond to prices each in their own way, and what that is. Every fifth buys by the dozen and is given a
/// tenth off for it, which is no response.
fn shop(customers: i64, orders: i64) -> (Vec<Event>, Vec<f64>) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let responses = LogNormal::new(0.3, 0.6).unwrap();
    let (mut all, mut truth) = (Vec::new(), Vec::new());
    for customer in 0..customers {
        let response: f64 = responses.sample(&mut rng);
        let wholesale = customer % 5 == 0;
        let units = if wholesale { 60.0 } else { rng.gen_range(3.0..9.0) };
        for _ in 0..orders {
            let day = rng.gen_range(0..365);
            for _ in 0..rng.gen_range(1..4) {
                let item = rng.gen_range(0..ITEMS.len());
                let factor: f64 = [1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 1.1][rng.gen_range(0..7)];
                let price = (2.0 + item as f64) * factor * if wholesale { 0.9 } else { 1.0 };
                let taken: f64 = Poisson::new(units * factor.powf(-response)).unwrap().sample(&mut rng);
                all.push((customer, ITEMS[item], day, price, 1.0 + taken));
            }
        }
        truth.push(response);
    }
    (all, truth)
}

/// The bar: a rank correlation of .6 at twenty purchases.
#[test]
fn planted_responses_are_recovered() {
    let (all, truth) = shop(300, 20);
    let outputs = run(&all);
    let customers = table(&outputs, 0);
    let (found, score) = (floats(&customers, "elasticity").unwrap(), floats(&customers, "score").unwrap());
    let once = vec![1; truth.len()];
    assert!(spearman(&truth, &found, &once).unwrap() > 0.7);
    assert!(score.iter().all(|score| (0.0..=1.0).contains(score)), "all are known");
    let (low, high) = (floats(&customers, "elasticity_low").unwrap(), floats(&customers, "elasticity_high").unwrap());
    let held = (0..truth.len()).filter(|place| (low[*place]..=high[*place]).contains(&truth[*place])).count();
    let share = held as f64 / truth.len() as f64;
    assert!((0.8..=0.97).contains(&share), "{share}");
    let (below, above) = (floats(&customers, "score_low").unwrap(), floats(&customers, "score_high").unwrap());
    assert!((0..300).all(|place| below[place] <= score[place] && score[place] <= above[place]));
    let mean = score.iter().sum::<f64>() / 300.0;
    assert!((mean - 0.5).abs() < 0.05, "{mean}");
    let items = table(&outputs, 1);
    let elasticity = floats(&items, "elasticity").unwrap();
    assert!(elasticity.iter().all(|own| (0.5..3.0).contains(own)), "{elasticity:?}");
    let found = evaluation(&outputs);
    assert!(found.measures[0].model.value > 0.3 && found.warnings.is_empty());
    assert!(found.finds.contains("of 300 customers can be told apart"), "{}", found.finds);
}

/// Who always pays less because they buy more has low prices, and no response for that.
#[test]
fn who_buys_more_is_not_taken_to_respond_more() {
    let (all, truth) = shop(300, 20);
    let customers = table(&run(&all), 0);
    let found = floats(&customers, "elasticity").unwrap();
    let mean = |values: &[f64], wholesale: bool| {
        let own: Vec<f64> = (0..300).filter(|place| (place % 5 == 0) == wholesale).map(|place| values[place]).collect();
        own.iter().sum::<f64>() / own.len() as f64
    };
    let gap = (mean(&found, true) - mean(&found, false)) - (mean(&truth, true) - mean(&truth, false));
    assert!(gap.abs() < 0.3, "{gap}");
    let share = floats(&customers, "discount_share").unwrap();
    assert!(mean(&share, true) > mean(&share, false));
    let index = floats(&customers, "price_index").unwrap();
    assert!(mean(&index, true) < 0.95 * mean(&index, false));
}

#[test]
fn what_cannot_be_told_is_unknown() {
    let (mut all, _) = shop(60, 20);
    // Always the same price; one line; two lines of which little can be learned.
    all.extend([(900, "a", 3, 2.0, 4.0), (900, "a", 9, 2.0, 5.0), (901, "z", 3, 8.0, 1.0), (902, "b", 3, 3.0, 4.0)]);
    all.push((902, "b", 200, 3.3, 4.0));
    // No price, no quantity, neither above zero.
    all.extend([
        (903, "a", 3, 0.0, 4.0),
        (903, "a", 3, f64::NAN, 4.0),
        (903, "a", 3, 2.0, -4.0),
        (903, "a", 3, 2.0, f64::INFINITY),
    ]);
    let outputs = run(&all);
    let customers = table(&outputs, 0);
    let because: Vec<Option<String>> =
        customers.column("because").unwrap().str().unwrap().iter().map(|text| text.map(str::to_owned)).collect();
    assert_eq!(customers.height(), 63);
    assert_eq!(levels(&customers)[60..], ["unknown", "unknown", "unknown"]);
    assert_eq!(because[61].as_deref(), Some("one price"));
    assert_eq!(because[62].as_deref(), Some("too little"));
    assert!(because[..60].iter().all(Option::is_none));
    assert!(evaluation(&outputs).facts.iter().any(|fact| fact.value.starts_with("4 rows without")));
    let items = table(&outputs, 1);
    assert_eq!(items.column("elasticity").unwrap().null_count(), 1);
}

#[test]
fn odd_shops_have_an_answer() {
    let constant: Vec<Event> = (0..50).map(|place| (place % 5, "a", place, 2.0, 1.0 + (place % 3) as f64)).collect();
    let once: Vec<Event> = (0..50).map(|place| (place, "a", place, 2.0 + (place % 4) as f64, 1.0)).collect();
    let one: Vec<Event> =
        (0..9).map(|place| (1, "a", place, 2.0 + (place % 4) as f64, 1.0 + (place % 2) as f64)).collect();
    let far: Vec<Event> = (0..90)
        .map(|place| (place % 9, "a", place, [1e-3, 1e3][place as usize % 2], 1.0 + (place % 5) as f64))
        .collect();
    for (all, customers, name) in
        [(constant, 5, "constant"), (once, 50, "once"), (one, 1, "one"), (vec![], 0, "none"), (far, 9, "far")]
    {
        let outputs = run(&all);
        let found = table(&outputs, 0);
        assert_eq!(found.height(), customers, "{name}");
        if name != "far" {
            assert!(levels(&found).iter().all(|level| level == "unknown"), "{name}");
            assert_eq!(evaluation(&outputs).warnings.len(), usize::from(customers > 0), "{name}");
        }
        let finite = |name: &str| floats(&found, name).unwrap().iter().all(|value| !value.is_infinite());
        assert!(["elasticity", "elasticity_low", "score", "price_index"].into_iter().all(finite), "{name}");
    }
}

#[test]
fn segments_are_what_customers_are_shrunk_towards() {
    // Those of `dear` do not respond, those of `cheap` by twice the price; six orders each say little of one.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
    let mut all: Vec<Event> = Vec::new();
    for customer in 0..200 {
        let response = if customer < 100 { 0.0 } else { 3.0 };
        for _ in 0..6 {
            let factor: f64 = [1.0, 0.9, 0.8][rng.gen_range(0..3)];
            let taken: f64 = Poisson::new(6.0 * factor.powf(-response)).unwrap().sample(&mut rng);
            all.push((customer, ITEMS[rng.gen_range(0..3)], rng.gen_range(0..365), 5.0 * factor, 1.0 + taken));
        }
    }
    let frame = df!(
        "customer" => (0..200_i64).collect::<Vec<_>>(),
        "segment" => (0..200).map(|place| if place < 100 { "dear" } else { "cheap" }).collect::<Vec<_>>()
    )
    .unwrap();
    let columns = vec![Column::new("customer", DataType::Int64), Column::new("segment", DataType::String)];
    let schema = TableSchema { columns, key: vec!["customer".into()], ..TableSchema::default() };
    let segments = || Table { frame: frame.clone().lazy(), schema: schema.clone(), watermark: None };
    let with = stage(serde_json::json!({"by": "segment"}));
    let by = run_with(&with, vec![("events", events(&all)), ("segments", segments())], 2);
    let alone = run(&all);
    let apart = |outputs: &Outputs| {
        let found = floats(&table(outputs, 0), "elasticity").unwrap();
        found[100..].iter().sum::<f64>() / 100.0 - found[..100].iter().sum::<f64>() / 100.0
    };
    assert!(apart(&by) > apart(&alone) && apart(&by) > 2.0, "{} {}", apart(&by), apart(&alone));
    assert!(evaluation(&by).facts.iter().any(|fact| fact.name == "by segment"));
    let problems = |with: &PriceSensitivity, ports: Vec<(&str, &TableSchema)>| {
        let ports = ports.into_iter().map(|(port, schema)| (port.to_owned(), vec![("t".to_owned(), schema.clone())]));
        with.schemas(&InputSchemas { ports: ports.collect() }, run_date()).unwrap_err()
    };
    let table = events(&[]).schema;
    assert!(problems(&with, vec![("events", &table)])[0].message.contains("no table at `segments`"));
    let unused = problems(&stage(serde_json::json!({})), vec![("events", &table), ("segments", &schema)]);
    assert!(unused[0].message.contains("has no use"));
}

#[test]
fn the_same_bytes_whatever_the_threads_and_the_order() {
    let (all, _) = shop(80, 10);
    let at = |all: &[Event], threads| run_with(&stage(serde_json::json!({})), vec![("events", events(all))], threads);
    let mut turned = all.clone();
    turned.reverse();
    let (one, other) = (at(&all, 1), at(&turned, 3));
    for place in 0..2 {
        assert!(table(&one, place).equals_missing(&table(&other, place)));
    }
    assert_eq!(one.evaluation, other.evaluation);
}
