use polars::df;
use polars::prelude::{IntoColumn, IntoSeries, ListChunked, NamedFrom, Series};
use serde_json::json;

use super::super::fixture::{self, Purchase, fact, fixed, purchases, rows, run, served, stage, try_run};
use super::super::recommender::PORT;
use super::*;
use crate::table::Table;

/// 1 bought a red mug, 2 a green lamp, 3 something that nobody described.
const PURCHASES: [Purchase; 4] = [(1, "m1", -9), (2, "l1", -9), (3, "x", -9), (1, "m1", 5)];

fn catalog() -> Table {
    let items = ["l1", "l2", "m1", "m2", "n"];
    let list = |values: [&[f32]; 5]| -> ListChunked { values.iter().map(|v| Series::new("".into(), *v)).collect() };
    let texts = |values: [&[&str]; 5]| -> ListChunked { values.iter().map(|v| Series::new("".into(), *v)).collect() };
    let mut frame = df!(
        "item" => items,
        "name" => [Some("green lamp"), Some("blue lamp"), Some("red mug"), Some("Blue MUG"), None],
        "price" => [Some(9.0), Some(30.0), Some(8.5), Some(31.0), None],
        "kind" => [Some("light"), Some("light"), Some("cup"), Some("cup"), None],
    )
    .unwrap();
    let vectors = list([&[1.0, 0.0], &[0.9, 0.1], &[0.0, 1.0], &[0.1, 0.9], &[]]);
    let tags = texts([&["x", "y"], &["y"], &["z"], &["z", "x"], &[]]);
    frame.with_column(vectors.into_series().with_name("look".into()).into_column()).unwrap();
    frame.with_column(tags.into_series().with_name("tags".into()).into_column()).unwrap();
    fixed(frame, "item")
}

fn ports(catalog: Table) -> fixture::Ports {
    vec![(PORT, vec![("purchases", purchases(&PURCHASES))]), (beside::ITEMS, vec![("catalog", catalog)])]
}

fn first(with: serde_json::Value, user: i64) -> Option<String> {
    served(&run(&stage::<Content>(with), ports(catalog())), user).into_iter().next()
}

#[test]
fn each_block_says_what_is_alike() {
    let terms = json!({"min_items": 1, "max_share": 1.0});
    let text = json!({"text": ["name"], "terms": terms});
    // Nobody ever bought m2 or l2.
    assert_eq!(first(text.clone(), 1).as_deref(), Some("m2"), "a mug");
    assert_eq!(first(text, 2).as_deref(), Some("l2"), "a lamp");
    assert_eq!(first(json!({"category": ["kind"]}), 1).as_deref(), Some("m2"));
    assert_eq!(first(json!({"category": ["tags"]}), 2).as_deref(), Some("l2"), "half of what l1 is, m2 a third");
    assert_eq!(first(json!({"vector": ["look"]}), 1).as_deref(), Some("m2"));
    assert_eq!(first(json!({"number": ["price"]}), 1).as_deref(), Some("l1"), "as dear");
    let both = |price: f64| json!({"number": ["price"], "category": ["kind"], "weights": {"number": price}});
    assert_eq!(first(both(0.2), 1).as_deref(), Some("m2"));
    assert_eq!(first(both(9.0), 1).as_deref(), Some("l1"));
    for similarity in ["euclidean", "pearson"] {
        assert_eq!(first(json!({"vector": ["look"], "similarity": similarity}), 1).as_deref(), Some("m2"));
    }
}

#[test]
fn what_is_not_described_is_not_recommended() {
    let outputs = run(&stage::<Content>(json!({"category": ["kind"]})), ports(catalog()));
    let found = rows(&outputs);
    assert!(found.iter().all(|row| row.item != "n" && row.item != "x" && row.user != 3), "{found:?}");
    let reason = found.iter().find(|row| row.served && row.item == "m2").unwrap();
    assert_eq!((reason.user, reason.because.as_deref()), (1, Some("m1")));
    assert_eq!(fact(outputs.evaluation.as_ref().unwrap(), "described"), "4 of 6 items");
    let filled = stage::<Content>(json!({"category": ["kind"], "cold_start": "popular", "top": 3}));
    let found: Vec<_> =
        rows(&run(&filled, ports(catalog()))).into_iter().filter(|row| row.served && row.user == 3).collect();
    let told: Vec<(&str, &str)> = found.iter().map(|row| (row.item.as_str(), row.source.as_str())).collect();
    assert_eq!(told, [("m1", "popular_fill"), ("l1", "popular_fill")]);
}

#[test]
fn a_later_night_has_the_same_words() {
    let with = |mode: &str| json!({"text": ["name"], "terms": {"min_items": 1, "max_share": 1.0}, "mode": mode});
    let fitted = run(&stage::<Content>(with("fit_apply")), ports(catalog()));
    let applied = try_run(&stage::<Content>(with("apply")), ports(catalog()), fitted.model.clone(), 1).unwrap();
    assert_eq!(served(&applied, 1), served(&fitted, 1));
}

#[test]
fn columns_that_say_nothing_are_refused() {
    let told = |with: serde_json::Value| fixture::problems(&stage::<Content>(with), &ports(catalog()));
    let found = told(json!({}));
    assert_eq!(found, ["nothing describes the items: give columns of `text`, `category`, `number` or `vector`"]);
    let found = told(json!({"text": ["price"], "vector": ["name"], "number": ["cost"]}));
    assert_eq!(
        found,
        [
            "`price` is float64; `text` takes text",
            "the table at `items` has no column `cost`",
            "`name` is string; `vector` takes a list of numbers",
        ]
    );
    let uneven: ListChunked =
        [vec![1.0_f32], vec![1.0, 2.0]].iter().map(|values| Series::new("".into(), values)).collect();
    let mut frame = df!("item" => ["m1", "l1"]).unwrap();
    frame.with_column(uneven.into_series().with_name("look".into()).into_column()).unwrap();
    let refused = try_run(&stage::<Content>(json!({"vector": ["look"]})), ports(fixed(frame, "item")), None, 1);
    let told = refused.err().unwrap().to_string();
    assert_eq!(told, "the vectors of `look` have 1 and 2 numbers; they need as many each");
}

/// Without a term that is within the limits nothing is described, which is told.
#[test]
fn words_may_be_missing() {
    let of = |names: [Option<&str>; 2]| fixed(df!("item" => ["m1", "l1"], "name" => names).unwrap(), "item");
    let text = json!({"text": ["name"], "terms": {"min_items": 1}, "exclude_seen": false});
    for names in [[None, Some("?!")], [Some("mug"), Some("mug")]] {
        let outputs = run(&stage::<Content>(text.clone()), ports(of(names)));
        assert!(rows(&outputs).is_empty());
        assert!(fact(outputs.evaluation.as_ref().unwrap(), "terms").starts_with("none: no word of the texts"));
    }
    let outputs = run(&stage::<Content>(text), ports(of([Some("mug"), Some("lamp")])));
    assert_eq!(served(&outputs, 1), ["m1"]);
}
