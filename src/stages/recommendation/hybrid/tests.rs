use serde_json::json;

use super::super::fixture::{self, Purchase, fact, purchases, rows, run, run_date, served, stage, two_tastes};
use super::super::item_cf::ItemCf;
use super::super::popular::Popular;
use super::*;
use crate::stages::contract::Outputs;
use crate::table::Table;

/// What a stage gave, as the input of another.
fn given(stage: &dyn Stage, of: &[Purchase]) -> Table {
    let ports = vec![(INTERACTIONS, vec![("purchases", purchases(of))])];
    let schemas = |table: &Table| [("purchases".to_owned(), table.schema.clone())].to_vec();
    let inputs = InputSchemas { ports: [(INTERACTIONS.to_owned(), schemas(&purchases(of)))].into() };
    let schema = stage.schemas(&inputs, run_date()).unwrap().remove(0);
    let frame = run(stage, ports).tables.remove(0);
    Table { frame, schema, watermark: Some(run_date()) }
}

fn ports(of: &[Purchase], splits: u32) -> fixture::Ports {
    let items = stage::<ItemCf>(json!({"splits": splits, "top": 50}));
    let popular = stage::<Popular>(json!({"splits": splits, "top": 50}));
    let parts = vec![("alike", given(&items, of)), ("sellers", given(&popular, of))];
    vec![(INTERACTIONS, vec![("purchases", purchases(of))]), (PORT, parts)]
}

fn hybrid(with: serde_json::Value) -> Hybrid {
    serde_json::from_value(with).unwrap()
}

fn facts(outputs: &Outputs) -> &Evaluation {
    outputs.evaluation.as_ref().unwrap()
}

/// Item-based filtering knows the taste, popularity does not.
#[test]
fn weights_are_learned_from_the_hold_out_before() {
    let outputs = run(&hybrid(json!({"top": 5})), ports(&two_tastes(), 2));
    let told = fact(facts(&outputs), "served weights");
    let weight: f64 = told.split(' ').nth(1).unwrap().trim_end_matches(',').parse().unwrap();
    assert!(told.starts_with("alike") && weight > 0.5, "{told}");
    assert!(fact(facts(&outputs), "learned from").ends_with("users of earlier hold-outs"));
    assert!(fact(facts(&outputs), "best part").starts_with("alike, NDCG@5"));
    let found = rows(&outputs);
    assert!(found.iter().filter(|row| row.served).all(|row| ["alike", "sellers"].contains(&row.source.as_str())));
    assert!(found.iter().any(|row| row.served && row.because.is_some()));
    let moments = outputs.tables[0].clone().collect().unwrap().column("as_of").unwrap().n_unique().unwrap();
    assert_eq!(moments, 3);
}

/// The best sellers tell nothing of tastes, and serve whom they are to serve nevertheless.
#[test]
fn the_cold_part_serves_whatever_it_has_learned() {
    let with = json!({"top": 3, "method": "switching", "cold_part": "sellers", "few_orders": 9});
    let outputs = run(&hybrid(with), ports(&two_tastes(), 2));
    assert!(fact(facts(&outputs), "served weights").contains("sellers 0."));
    let found = rows(&outputs);
    let mut served = found.iter().filter(|row| row.served).peekable();
    assert!(served.peek().is_some() && served.all(|row| row.source == "sellers"), "{found:?}");
}

#[test]
fn given_weights_and_methods() {
    let all = two_tastes();
    let list = |with: serde_json::Value| served(&run(&hybrid(with), ports(&all, 1)), 0);
    let alone = |name: &str| {
        let ports = ports(&all, 1);
        let part = ports[1].1.iter().find(|(part, _)| *part == name).unwrap().1.clone();
        let outputs = Outputs { tables: vec![part.frame], ..Outputs::default() };
        served(&outputs, 0).into_iter().take(3).collect::<Vec<_>>()
    };
    assert_eq!(list(json!({"top": 3, "weights": {"alike": 1.0}})), alone("alike"));
    assert_eq!(list(json!({"top": 3, "weights": {"sellers": 2.0}})), alone("sellers"));
    let scores = list(json!({"top": 3, "weights": "equal", "method": "weighted"}));
    assert_eq!(scores.len(), 3);
    // Everyone has five orders: with few meaning nine, all are served from the cold part.
    let cold = json!({"top": 3, "weights": "equal", "method": "switching", "cold_part": "sellers", "few_orders": 9});
    assert_eq!(list(cold), alone("sellers"));
    let warm = json!({"top": 1, "weights": "equal", "method": "switching", "cold_part": "sellers", "few_orders": 1});
    assert_eq!(list(warm), alone("alike")[..1]);
    let pooled = list(json!({"top": 3, "weights": {"alike": 0.001, "sellers": 1.0}, "method": "cascade", "pool": 1}));
    assert_eq!(pooled, alone("alike")[..1]);
    // The first part chooses three, and the best sellers order them.
    let ordered = list(json!({"top": 3, "weights": "equal", "method": "cascade", "pool": 3}));
    let best: Vec<String> = {
        let part = ports(&all, 1)[1].1[1].1.clone();
        let sellers = served(&Outputs { tables: vec![part.frame], ..Outputs::default() }, 0);
        sellers.into_iter().filter(|item| alone("alike").contains(item)).collect()
    };
    assert_eq!(ordered, best);
}

/// What only fills the list of a part up is not what the part recommends.
#[test]
fn what_fills_lists_up_is_no_candidate() {
    let all = two_tastes();
    let filled = stage::<ItemCf>(json!({"top": 50, "cold_start": "popular"}));
    let lists = given(&filled, &all);
    let outputs = Outputs { tables: vec![lists.frame.clone()], ..Outputs::default() };
    assert!(rows(&outputs).iter().any(|row| row.source == "popular_fill"));
    let ports = vec![(INTERACTIONS, vec![("purchases", purchases(&all))]), (PORT, vec![("alike", lists)])];
    let hybrid = hybrid(json!({"weights": "equal", "method": "weighted", "top": 50}));
    let found = rows(&run(&hybrid, ports));
    let is_own = |item: &str, user: i64| (item < "g") == (user % 2 == 0);
    assert!(!found.is_empty() && found.iter().all(|row| is_own(&row.item, row.user)), "{found:?}");
}

#[test]
fn parts_that_do_not_go_together_are_refused() {
    let all = two_tastes();
    let told = |with: serde_json::Value, ports: &fixture::Ports| fixture::problems(&hybrid(with), ports);
    let one_split = ports(&all, 1);
    let found = told(json!({}), &one_split);
    assert!(found[0].starts_with("weights are learned from a hold-out before"), "{found:?}");
    assert!(told(json!({"weights": "equal"}), &one_split).is_empty());
    let found = told(json!({"weights": {"alikes": 1.0}}), &one_split);
    assert_eq!(found, ["none of the tables at `candidates` is called `alikes`"]);
    let mut mixed = ports(&all, 2);
    mixed[1].1[1] = one_split[1].1[1].clone();
    let found = told(json!({"weights": "equal"}), &mixed);
    assert_eq!(found, ["`sellers` does not go with `alike`: they have lists of other moments"]);
    mixed[1].1[1] = ("purchases", purchases(&all));
    assert_eq!(told(json!({"weights": "equal"}), &mixed), ["`purchases` is no table of recommendations"]);
    let idle = json!({"weights": "equal", "pool": 9, "few_users": 2, "few_orders": 1});
    assert_eq!(
        told(idle, &one_split),
        [
            "only `method: switching` knows new items",
            "only `method: cascade` has a pool",
            "only `method: switching` tells such users apart",
        ]
    );
    let found = told(json!({"weights": "equal", "top": 9, "diversity": {"strength": 0.1, "pool": 5}}), &one_split);
    assert_eq!(found, ["a list of 9 cannot be chosen from fewer"]);
    let found = told(json!({"weights": "equal", "method": "switching"}), &one_split);
    assert!(found[0].starts_with("switching needs `cold_part`"), "{found:?}");
}
