use serde_json::json;

use super::super::fixture::{self, Purchase, purchases, rows, run, served, stage, try_run, two_tastes};
use super::super::recommender::PORT;
use super::*;

fn ports(of: &[Purchase]) -> fixture::Ports {
    vec![(PORT, vec![("purchases", purchases(of))])]
}

#[test]
fn weights_find_the_taste_and_serve_a_later_night() {
    let all = two_tastes();
    let fitted = run(&stage::<Ease>(json!({"regularization": 5.0, "exclude_seen": false, "top": 4})), ports(&all));
    for row in rows(&fitted).iter().filter(|row| row.served) {
        let is_own = |item: &str| (item < "g") == (row.user % 2 == 0);
        assert!(is_own(&row.item) && row.because.as_deref().is_none_or(is_own), "{row:?}");
    }
    let mut later = all.clone();
    later.extend([(77, "a", 29), (77, "new", 29)]);
    let apply = stage::<Ease>(json!({"regularization": 5.0, "mode": "apply"}));
    let applied = try_run(&apply, ports(&later), fitted.model, 1).unwrap();
    let own = served(&applied, 77);
    assert!(!own.is_empty() && own.iter().all(|item| item.as_str() < "g"), "{own:?}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let items: Vec<&'static str> = (0..400).map(|item| &*Box::leak(format!("i{item}").into_boxed_str())).collect();
    let all: Vec<Purchase> = items.into_iter().map(|item| (1, item, -5)).collect();
    let refused = try_run(&stage::<Ease>(json!({"memory_megabytes": 1})), ports(&all), None, 1);
    let told = refused.err().unwrap().to_string();
    assert!(
        told.starts_with("the weights of 400 items on each other take") && told.contains("`memory_megabytes`"),
        "{told}"
    );
}
