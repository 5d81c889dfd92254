use serde_json::json;

use super::super::fixture::{Purchase, purchases, run_date, stage, two_tastes};
use super::super::interactions::Columns;
use super::super::item_cf::ItemCf;
use super::super::options::HasOptions;
use super::*;

/// 1 has a, then b, then a again; 2 has only c.
const PURCHASES: [Purchase; 5] = [(1, "a", -9), (1, "b", -5), (1, "a", 3), (2, "c", -9), (1, "d", 4)];

fn read(of: &[Purchase]) -> Interactions {
    let columns = Columns { user: "user", item: "item", time: Some("at"), order: None, weight: None };
    Interactions::read(purchases(of), &columns, run_date(), vec![], vec![]).unwrap()
}

fn trial(with: serde_json::Value, of: &[Purchase]) -> Trial {
    let stage: ItemCf = stage(with);
    let options = stage.options();
    let split = *plan(&options, run_date()).last().unwrap();
    Trial::of(split, &read(of), &options, run_date(), 7).unwrap()
}

/// Items a, b, c and d are 0 to 3.
#[test]
fn by_time_what_came_before_is_known_and_what_came_after_counts() {
    let new = trial(json!({}), &PURCHASES);
    assert_eq!(new.known.weights.row(0).0, [0, 1]);
    assert_eq!(new.known.orders, [2, 1]);
    assert_eq!(new.relevant, [vec![3], vec![]], "a is not new");
    assert_eq!(new.met.row(0).0, [0, 3]);
    assert_eq!(trial(json!({"exclude_seen": false}), &PURCHASES).relevant[0], [0, 3]);
    // a was bought nine days before the split.
    assert_eq!(trial(json!({"exclude_seen": {"after": "7d"}}), &PURCHASES).relevant[0], [0, 3]);
    assert_eq!(trial(json!({"exclude_seen": {"after": "10d"}}), &PURCHASES).relevant[0], [3]);
    let told = &new.facts.iter().find(|fact| fact.name == "bought again").unwrap().value;
    assert_eq!(told, "50.0 % of the 2 pairs after the split had been bought before");
}

#[test]
fn hold_outs_follow_each_other() {
    let stage: ItemCf = stage(json!({"splits": 3}));
    let plan = plan(&stage.options(), run_date());
    let back = |days: u64| run_date() - Days::new(days);
    assert_eq!(plan, [(90, 60), (60, 30), (30, 0)].map(|(start, end)| Split::Time(back(start), back(end))));
}

#[test]
fn the_last_item_is_left_out_whole() {
    let found = trial(json!({"evaluate": "leave_last_one_out", "holdout": null}), &PURCHASES);
    assert_eq!(found.relevant, [vec![3], vec![]], "who has one item keeps it");
    assert_eq!((found.known.weights.row(0).0, found.known.weights.row(1).0), (&[0, 1][..], &[2][..]));
    // a is met last of all, so none of its rows is known.
    let found = trial(json!({"evaluate": "leave_last_one_out", "holdout": null}), &PURCHASES[..4]);
    assert_eq!((found.relevant[0].as_slice(), found.known.weights.row(0).0), (&[0][..], &[1][..]));
}

#[test]
fn held_out_users_are_not_learned_from() {
    let held_out = json!({"strong_generalization": {"users": 0.5, "fold_in": 0.6}});
    let all = two_tastes();
    let found = trial(json!({"evaluate": held_out, "holdout": null}), &all);
    let whole = read(&all).history(Decay::default(), |_| true).unwrap();
    let given = found.histories();
    assert!(!found.is_own());
    let mut held = 0;
    for user in 0..whole.weights.rows() {
        let (known, given, asked) = (found.known.weights.row(user).0, given.weights.row(user).0, &found.relevant[user]);
        if asked.is_empty() {
            assert_eq!((known, given), (whole.weights.row(user).0, &[][..]));
            continue;
        }
        held += 1;
        assert_eq!((known.len(), given.len(), asked.len()), (0, 3, 2), "of five items three are given");
        let mut both: Vec<u32> = given.iter().chain(asked).copied().collect();
        both.sort_unstable();
        assert_eq!(both, whole.weights.row(user).0);
    }
    assert!((5..=35).contains(&held), "{held}");
    assert_eq!(trial(json!({"evaluate": "strong_generalization", "holdout": null}), &all).relevant.len(), 40);
}
