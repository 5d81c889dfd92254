use polars::df;
use serde_json::json;

use super::super::fixture::{self, Purchase, fact, fixed, purchases, served, stage, try_run};
use super::super::recommender::PORT;
use super::*;

/// a has been bought by three long ago, b by two lately, c by one lately.
const PURCHASES: [Purchase; 7] =
    [(1, "a", -50), (2, "a", -50), (3, "a", -50), (4, "b", 20), (5, "b", 21), (5, "c", 22), (5, "c", 23)];

fn ports() -> fixture::Ports {
    vec![(PORT, vec![("purchases", purchases(&PURCHASES))])]
}

#[test]
fn all_time_the_last_days_and_by_age() {
    let list = |with: serde_json::Value, user: i64| served(&fixture::run(&stage::<Popular>(with), ports()), user);
    assert_eq!(list(json!({}), 1), ["b", "c"], "not what they have");
    assert_eq!(list(json!({"exclude_seen": false}), 1), ["a", "b", "c"]);
    assert_eq!(list(json!({"exclude_seen": false, "window": "30d"}), 1), ["b", "c"]);
    assert_eq!(list(json!({"exclude_seen": false, "half_life": "20d"}), 1), ["b", "c", "a"]);
    assert_eq!(list(json!({"exclude_seen": false, "top": 1}), 1), ["a"]);
    assert_eq!(list(json!({"exclude_seen": {"after": "30d"}}), 4), ["a", "c"], "b was bought ten days ago");
    assert_eq!(list(json!({"exclude_seen": {"after": "30d"}}), 1), ["a", "b", "c"], "a long ago");
    assert_eq!(list(json!({"exclude_seen": false, "min_support": 2}), 1), ["a", "b"]);
    assert_eq!(list(json!({"exclude_seen": false, "deny": ["a"], "allow": ["a", "c"]}), 1), ["c"]);
}

/// North bought b and c only; user 9 has bought nothing and 8 is not in the table.
#[test]
fn by_group_and_for_those_without_history() {
    let users = || {
        let frame = df!("user" => [1_i64, 2, 3, 4, 5, 9], "land" => [Some("s"), Some("s"), None, Some("n"), Some("n"), Some("n")]);
        fixed(frame.unwrap(), "user")
    };
    let ports = || {
        let mut ports = ports();
        ports.push((beside::USERS, vec![("customers", users())]));
        ports
    };
    let by = |smoothing: f64| stage::<Popular>(json!({"by": "land", "smoothing": smoothing, "exclude_seen": false}));
    let outputs = fixture::run(&by(0.0), ports());
    assert_eq!(served(&outputs, 9), ["b", "c"]);
    assert_eq!(served(&outputs, 1), ["a"]);
    assert_eq!(served(&outputs, 3), ["a", "b", "c"], "those without a group get the ranking of all");
    // In the north b has 2, c 1 and a 0 buyers; of all five users 3 have a and 2 b: with 9 more users like
    // all a has 5.4 and b 5.6.
    assert_eq!(served(&fixture::run(&by(9.0), ports()), 9), ["b", "a", "c"]);
    let model = outputs.model.unwrap();
    let apply = stage::<Popular>(json!({"by": "land", "smoothing": 0.0, "exclude_seen": false, "mode": "apply"}));
    let applied = try_run(&apply, ports(), Some(model), 1).unwrap();
    assert_eq!(served(&applied, 9), ["b", "c"]);
    let told = fixture::problems(&stage::<Popular>(json!({"by": "lend"})), &ports());
    assert_eq!(told, ["the table at `users` has no column `lend`"]);
    let told = fixture::problems(&stage::<Popular>(json!({"by": "land"})), &self::ports());
    assert_eq!(told, ["there is no table at `users` that could name a user's `land`"]);
}

#[test]
fn stock_of_tonight_decides_what_is_served() {
    let stock = || fixed(df!("item" => ["a", "b", "c"], "left" => [5_i64, 0, 1]).unwrap(), "item");
    let mut ports = ports();
    ports.push((beside::STOCK, vec![("stock", stock())]));
    let outputs = fixture::run(&stage::<Popular>(json!({"stock": "left", "exclude_seen": false})), ports);
    assert_eq!(served(&outputs, 1), ["a", "c"]);
    let evaluation = outputs.evaluation.unwrap();
    assert!(fact(&evaluation, "stock").starts_with("of tonight"));
    assert_eq!(
        fact(&evaluation, "served"),
        "0 of 5 users got all 10 items; 5 fewer: only 2 known items may be shown (by `allow`, `deny`, stock, their tables and `min_support`)"
    );
}

/// All that one taste buys is alike, and nothing of the other taste is: with diversity alone, tastes take turns.
#[test]
fn a_list_may_be_made_diverse() {
    let is_first_taste = |strength: f64| -> Vec<bool> {
        let diversity = json!({"strength": strength, "pool": 12});
        let with = json!({"exclude_seen": false, "top": 2, "diversity": diversity});
        let mut of = fixture::two_tastes();
        // What the first taste bought lately is bought by most.
        of.extend((50..90).flat_map(|user| [(user, "a", 25), (user, "b", 25)]));
        let ports = vec![(PORT, vec![("purchases", purchases(&of))])];
        served(&fixture::run(&stage::<Popular>(with), ports), 0).iter().map(|item| item.as_str() < "g").collect()
    };
    assert_eq!(is_first_taste(0.000_001), [true, true]);
    assert_eq!(is_first_taste(0.9), [true, false]);
}
