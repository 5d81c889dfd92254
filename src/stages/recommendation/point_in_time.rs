//! What every kind must keep to: lists at a split do not depend on what came after it, and a time is not needed.

use serde_json::{Value, json};

use super::als::Als;
use super::ease::Ease;
use super::fixture::{Purchase, Row, purchases, rows, run, stage, two_tastes};
use super::item_cf::ItemCf;
use super::popular::Popular;
use super::recommender::PORT;
use super::user_cf::UserCf;
use crate::stages::contract::Stage;

/// Every kind that needs no further table, with what counts users, items or documents.
fn kinds(with: &Value) -> Vec<(String, Box<dyn Stage>)> {
    let merged = |own: Value| {
        let mut all = with.clone();
        all.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        all
    };
    let mut all: Vec<(String, Box<dyn Stage>)> = Vec::new();
    for similarity in ["cosine", "pearson", "jaccard"] {
        for weighting in ["binary", "tf_idf", "bm25"] {
            let own = json!({"similarity": similarity, "weighting": weighting, "neighbors": 9});
            let name = format!("{similarity} {weighting}");
            all.push((format!("item_cf {name}"), Box::new(stage::<ItemCf>(merged(own.clone())))));
            all.push((format!("user_cf {name}"), Box::new(stage::<UserCf>(merged(own)))));
        }
    }
    all.push(("als".to_owned(), Box::new(stage::<Als>(merged(json!({"factors": 3}))))));
    all.push(("ease".to_owned(), Box::new(stage::<Ease>(merged(json!({}))))));
    all.push(("popular".to_owned(), Box::new(stage::<Popular>(merged(json!({}))))));
    all
}

fn at_the_split(stage: &dyn Stage, of: &[Purchase]) -> Vec<Row> {
    let outputs = run(stage, vec![(PORT, vec![("purchases", purchases(of))])]);
    rows(&outputs).into_iter().filter(|row| !row.served).collect()
}

/// Many come after the split, with ids before and behind the others, and items that nobody had before.
#[test]
fn lists_at_a_split_do_not_know_what_comes_after_it() {
    let before: Vec<Purchase> = two_tastes().into_iter().filter(|(_, _, day)| *day < 0).collect();
    let after = (0..300).flat_map(|user| [(user - 150, "0", 1), (user - 150, "zz", 2), (user + 1_000, "a", 3)]);
    let all: Vec<Purchase> = before.iter().copied().chain(after).collect();
    for (name, stage) in kinds(&json!({"top": 12})) {
        let (known, told) = (at_the_split(stage.as_ref(), &before), at_the_split(stage.as_ref(), &all));
        assert!(!known.is_empty(), "{name}");
        assert_eq!(known, told, "{name}");
    }
}

#[test]
fn interactions_need_no_time() {
    for (name, stage) in kinds(&json!({"time": null, "holdout": null, "evaluate": "none", "exclude_seen": false})) {
        let outputs = run(stage.as_ref(), vec![(PORT, vec![("purchases", purchases(&two_tastes()))])]);
        assert!(rows(&outputs).iter().any(|row| row.served), "{name}");
    }
}
