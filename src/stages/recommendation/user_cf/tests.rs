use serde_json::json;

use super::super::fixture::{self, Purchase, fact, purchases, rows, run, served, stage, try_run, two_tastes};
use super::super::recommender::PORT;
use super::*;

fn ports(of: &[Purchase]) -> fixture::Ports {
    vec![(PORT, vec![("purchases", purchases(of))])]
}

/// 1 and 2 share a and b, 1 and 3 only a: by cosine of counts 1·2 is (2·1 + 1·1)/(√5 √3), 1·3 is 2/(√5 √2).
const FEW: [Purchase; 9] = [
    (1, "a", -9),
    (1, "a", -8),
    (1, "b", -9),
    (2, "a", -9),
    (2, "b", -9),
    (2, "c", -9),
    (3, "a", -9),
    (3, "d", -9),
    (4, "e", -9),
];

#[test]
fn neighbors_say_what_is_missing() {
    let outputs = run(&stage::<UserCf>(json!({})), ports(&FEW));
    let own: Vec<_> = rows(&outputs).into_iter().filter(|row| row.user == 1 && row.served).collect();
    let (c, d) = (3.0 / 15.0_f64.sqrt(), 2.0 / 10.0_f64.sqrt());
    assert_eq!(own.iter().map(|row| row.item.as_str()).collect::<Vec<_>>(), ["c", "d"]);
    assert!((own[0].score - c).abs() < 1e-6 && (own[1].score - d).abs() < 1e-6, "{own:?}");
    assert_eq!(own[0].because.as_deref(), Some("a"), "it adds twice as much as b");
    assert_eq!((own[0].source.as_str(), own.len()), ("user_cf", 2));
    assert_eq!(served(&outputs, 4), [] as [&str; 0], "nobody is like 4");
    let one = run(&stage::<UserCf>(json!({"neighbors": 1})), ports(&FEW));
    assert_eq!(served(&one, 1), ["c"]);
    let told = fact(outputs.evaluation.as_ref().unwrap(), "cap");
    assert_eq!(told, "no item has more than 10,000 users: similarities are exact");
}

#[test]
fn every_similarity_finds_the_taste_and_the_cap_is_told() {
    let all = two_tastes();
    for similarity in ["cosine", "pearson", "jaccard", "euclidean"] {
        let with = json!({"similarity": similarity, "neighbors": 8, "weighting": "binary", "exclude_seen": false});
        let outputs = run(&stage::<UserCf>(with), ports(&all));
        for user in 0..40 {
            let items = served(&outputs, user);
            let own = |item: &String| (item.as_str() < "g") == (user % 2 == 0);
            assert!(!items.is_empty() && items.iter().all(own), "{similarity} {user}: {items:?}");
        }
    }
    let outputs = run(&stage::<UserCf>(json!({"most_users": 10})), ports(&all));
    let told = fact(outputs.evaluation.as_ref().unwrap(), "cap").to_owned();
    assert!(told.contains("items have more than 10 users") && told.contains("are there without the cap"), "{told}");
}

#[test]
fn a_later_night_compares_its_own_users() {
    let fitted = run(&stage::<UserCf>(json!({})), ports(&FEW));
    let model = fitted.model.clone().unwrap();
    assert_eq!(model.files.len(), 2, "no customer is in the model: {:?}", model.files.keys());
    let apply = stage::<UserCf>(json!({"mode": "apply"}));
    let applied = try_run(&apply, ports(&FEW), Some(model), 1).unwrap();
    assert_eq!(served(&applied, 1), served(&fitted, 1));
}
