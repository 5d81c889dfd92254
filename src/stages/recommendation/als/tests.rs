use serde_json::json;

use super::super::fixture::{self, Purchase, fact, measure, purchases, rows, run, served, stage, try_run, two_tastes};
use super::super::recommender::PORT;
use super::*;

fn ports(of: &[Purchase]) -> fixture::Ports {
    vec![(PORT, vec![("purchases", purchases(of))])]
}

fn small(with: serde_json::Value) -> Als {
    let mut all = json!({"factors": 4, "top": 3});
    all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    stage(all)
}

#[test]
fn factors_find_the_taste_and_are_given() {
    let outputs = run(&small(json!({})), ports(&two_tastes()));
    for row in rows(&outputs).iter().filter(|row| row.served).filter(|row| row.score > 0.3) {
        let is_own = |item: &str| (item < "g") == (row.user % 2 == 0);
        assert!(is_own(&row.item) && is_own(row.because.as_ref().unwrap()), "{row:?}");
    }
    let users = outputs.tables[1].clone().collect().unwrap();
    let items = outputs.tables[2].clone().collect().unwrap();
    assert_eq!((users.height(), items.height()), (40, 12));
    assert!(items.column("factors").unwrap().list().unwrap().get_as_series(0).unwrap().len() == 4);
    let evaluation = outputs.evaluation.unwrap();
    assert!(measure(&evaluation, "ndcg@3").model.value > 0.3);
    assert!(fact(&evaluation, "loss").ends_with("than one iteration before"));
}

/// One who came after the fit is described by what they bought, and an item that came after it by nothing.
#[test]
fn late_users_are_folded_in() {
    let all = two_tastes();
    let fitted = run(&small(json!({})), ports(&all));
    let mut later = all.clone();
    later.extend([(77, "a", 29), (77, "c", 29), (77, "new", 29)]);
    let apply = small(json!({"mode": "apply"}));
    let applied = try_run(&apply, ports(&later), fitted.model, 1).unwrap();
    let own = rows(&applied).into_iter().filter(|row| row.user == 77).collect::<Vec<_>>();
    assert!(["b", "d", "e", "f"].contains(&own[0].item.as_str()), "{own:?}");
    assert!(own.iter().all(|row| row.item != "new"));
    assert_eq!(applied.tables[1].clone().collect().unwrap().height(), 0, "no users were fitted");
}

#[test]
fn threads_do_not_matter_and_the_solver_hardly() {
    let frame = |with: serde_json::Value, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&small(with), ports(&two_tastes()))).tables[0].clone().collect().unwrap()
    };
    assert!(frame(json!({}), 1).equals_missing(&frame(json!({}), 3)));
    let list =
        |solver: &str| served(&run(&small(json!({"solver": solver, "iterations": 60})), ports(&two_tastes())), 2);
    assert_eq!(list("conjugate_gradient")[0], list("cholesky")[0]);
}

/// A fit that would not fit is refused before it starts.
#[test]
fn factors_beyond_the_memory_are_refused() {
    let within = |factors: usize, bytes: u64| {
        let stage = small(json!({"factors": factors}));
        fixture::try_run_within(&stage, ports(&two_tastes()), None, 1, Some(bytes)).err().map(|told| told.to_string())
    };
    let told = within(256, 500_000).unwrap();
    assert!(told.starts_with("40 users and 12 items take ") && told.contains("the 500 kB that are left"), "{told}");
    assert_eq!(within(4, 1_000_000_000), None);
}
