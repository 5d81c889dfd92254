use chrono::NaiveDate;
use polars::prelude::{DataType, IntoColumn, IntoLazy, NamedFrom, Series};

use serde_json::json;

use super::super::fixture;
use super::super::recommender::PORT;
use super::*;
use crate::metrics::evaluation::{Chart, Evaluation, Measure};
use crate::metrics::profile::Shape;
use crate::stages::contract::{Cancel, Inputs, NamedTable, Outputs, Stage};
use crate::table::{Class, Column, Table, TableSchema, midnight_us};
use polars::df;

fn run_date() -> NaiveDate {
    NaiveDate::from_ymd_opt(2024, 6, 1).unwrap()
}

/// Days since the split, which is 30 days before the run date; negative ones are before it.
type Purchase = (i64, &'static str, i64);

/// Before the split a and b are bought together by two, a and c by one, c and e by two. What happens
/// after it: 1 buys c, and a again; 2 buys only what it knows; 3 buys b; 4 buys a, and d, which nobody
/// has bought before; 5 comes; 8 buys e.
const PURCHASES: [Purchase; 23] = [
    (1, "a", -9),
    (1, "b", -8),
    (2, "a", -9),
    (2, "b", -2),
    (3, "a", -9),
    (3, "c", -1),
    (4, "b", -9),
    (6, "c", -9),
    (6, "e", -7),
    (7, "e", -9),
    (7, "c", -7),
    (8, "c", -9),
    (8, "c", -8),
    (1, "c", 3),
    (1, "a", 4),
    (2, "a", 0),
    (3, "b", 9),
    (4, "d", 2),
    (4, "a", 2),
    (5, "a", 29),
    (8, "e", 29),
    // At the run date and after it: never seen.
    (2, "e", 30),
    (7, "a", 99),
];

fn table(purchases: &[Purchase]) -> Table {
    const DAY_US: i64 = 86_400_000_000;
    let split = midnight_us(run_date()) - 30 * DAY_US;
    let times: Vec<i64> = purchases.iter().map(|(_, _, day)| split + day * DAY_US).collect();
    let microseconds = DataType::Datetime(polars::prelude::TimeUnit::Microseconds, None);
    let mut frame = df!(
        "user" => purchases.iter().map(|(user, _, _)| *user).collect::<Vec<_>>(),
        "item" => purchases.iter().map(|(_, item, _)| *item).collect::<Vec<_>>()
    )
    .unwrap();
    frame.with_column(Series::new("at".into(), times).cast(&microseconds).unwrap().into_column()).unwrap();
    let columns = vec![
        Column::new("user", DataType::Int64).class(Class::DirectId),
        Column::new("item", DataType::String),
        Column::new("at", microseconds),
    ];
    let schema = TableSchema { columns, event_time: Some("at".into()), ..TableSchema::default() };
    Table { frame: frame.lazy(), schema, watermark: Some(run_date()) }
}

fn stage(with: serde_json::Value) -> ItemCf {
    let mut all = serde_json::json!({"user": "user", "item": "item", "time": "at", "holdout": "30d", "splits": 1});
    for (key, value) in with.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn run(stage: &ItemCf, purchases: &[Purchase], earlier: Option<Model>) -> Outputs {
    try_run(stage, purchases, earlier).unwrap()
}

fn try_run(stage: &ItemCf, purchases: &[Purchase], earlier: Option<Model>) -> Result<Outputs, Failure> {
    let named = NamedTable { name: "purchases".into(), table: table(purchases) };
    let inputs = Inputs { ports: [(PORT.to_owned(), vec![named])].into(), earlier, ..Inputs::default() };
    let context = StageContext { run_date: run_date(), seed: 7, threads: 1, cancel: Cancel::default() };
    stage.run(inputs, &context)
}

/// User, whether as of the run date, item and score, in the order of the output.
fn lists(outputs: &Outputs) -> Vec<(i64, bool, String, f64)> {
    let frame = outputs.tables[0].clone().collect().unwrap();
    let users = frame.column("user").unwrap().i64().unwrap();
    let served = frame.column("model_version").unwrap().is_not_null();
    let items = frame.column("item").unwrap().str().unwrap();
    let scores = frame.column("score").unwrap().f64().unwrap();
    let ranks: Vec<i64> = frame.column("rank").unwrap().i64().unwrap().iter().flatten().collect();
    let rows: Vec<(i64, bool, String, f64)> = (0..frame.height())
        .map(|row| {
            let item = items.get(row).unwrap().to_owned();
            (users.get(row).unwrap(), served.get(row).unwrap(), item, scores.get(row).unwrap())
        })
        .collect();
    // Ranks count from 1 within each list.
    let mut expected = 0;
    for (row, rank) in ranks.iter().enumerate() {
        let starts = row == 0 || (rows[row].0, rows[row].1) != (rows[row - 1].0, rows[row - 1].1);
        expected = if starts { 1 } else { expected + 1 };
        assert_eq!(*rank, expected);
    }
    rows
}

fn measure<'a>(evaluation: &'a Evaluation, name: &str) -> &'a Measure {
    evaluation.measures.iter().find(|measure| measure.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// By hand. Before the split cos(a, b) = 2/3, cos(a, c) = 1/√12, cos(c, e) = 2/√8; popularity is c, a, b, e.
/// Judged are 1, 3, 4 and 8: 2 bought nothing new and 5 has no history. The model's lists are c; e, b; a; e, a,
/// of which c; b; a (and d, which it cannot know); e happened. Popularity's are c, e; b, e; c, a, e; a, b, e.
#[test]
fn judged_by_what_is_new_after_the_split() {
    let evaluation = run(&stage(serde_json::json!({"top": 5})), &PURCHASES, None).evaluation.unwrap();
    let second = 1.0 / 3.0_f64.log2();
    let of_two = 1.0 + second;
    let expected = [
        ("ndcg@5", (1.0 + second + 1.0 / of_two + 1.0) / 4.0, (1.0 + 1.0 + second / of_two + 0.5) / 4.0),
        ("recall@5", (1.0 + 1.0 + 0.5 + 1.0) / 4.0, (1.0 + 1.0 + 0.5 + 1.0) / 4.0),
        ("precision@5", 0.2, 0.2),
        ("map@5", (1.0 + 0.5 + 0.5 + 1.0) / 4.0, (1.0 + 1.0 + 0.25 + 1.0 / 3.0) / 4.0),
        ("hit_rate@5", 1.0, 1.0),
        ("mrr@5", (1.0 + 0.5 + 1.0 + 1.0) / 4.0, (1.0 + 1.0 + 0.5 + 1.0 / 3.0) / 4.0),
        ("coverage@5", 1.0, 1.0),
    ];
    for (name, model, baseline) in expected {
        let found = measure(&evaluation, name);
        assert!((found.model.value - model).abs() < 1e-12, "{name}: {} is not {model}", found.model.value);
        let beside = found.baseline.unwrap().value;
        assert!((beside - baseline).abs() < 1e-12, "{name}: {beside} is not {baseline}");
    }
    // And novelty and diversity.
    assert_eq!((evaluation.measures.len(), evaluation.headline.as_str()), (expected.len() + 2, "ndcg@5"));
    let judged_on = &evaluation.facts[0].value;
    assert_eq!(judged_on, "4 users who bought something new to them after the split");
    assert!(evaluation.watch.iter().any(|sentence| sentence.starts_with("Only 4 users")), "{:?}", evaluation.watch);
}

/// Then 2, who bought a again, is judged as well; 5 still has no history.
#[test]
fn what_is_known_counts_unless_it_is_left_out() {
    let both = run(&stage(serde_json::json!({"top": 5, "exclude_seen": false})), &PURCHASES, None).evaluation.unwrap();
    assert_eq!(both.facts[0].value, "5 users who bought something after the split");
}

#[test]
fn lists_at_the_split_and_at_the_run_date() {
    let outputs = run(&stage(serde_json::json!({"top": 5})), &PURCHASES, None);
    let found = lists(&outputs);
    let of = |user: i64, served: bool| -> Vec<(&str, f64)> {
        let own = found.iter().filter(|row| row.0 == user && row.1 == served);
        own.map(|row| (row.2.as_str(), row.3)).collect()
    };
    let check = |found: Vec<(&str, f64)>, expected: &[(&str, f64)]| {
        let near = |(found, expected): (&(&str, f64), &(&str, f64))| {
            found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-7
        };
        let same = found.len() == expected.len() && found.iter().zip(expected).all(near);
        assert!(same, "{found:?} is not {expected:?}");
    };
    check(of(1, false), &[("c", 1.0 / 12.0_f64.sqrt())]);
    check(of(3, false), &[("e", 2.0 / 8.0_f64.sqrt()), ("b", 2.0 / 3.0)]);
    assert_eq!(of(5, false), [], "who comes later has no list at the split");
    // At the run date a has 1 to 5, b 1 to 4, c 1, 3, 6, 7, 8, d 4, e 6, 7, 8; 5 has bought a:
    // cos(a, b) = 4/√20, cos(a, c) = 2/5, cos(a, d) = 1/√5.
    check(of(5, true), &[("b", 4.0 / 20.0_f64.sqrt()), ("d", 1.0 / 5.0_f64.sqrt()), ("c", 0.4)]);
    assert!(found.iter().is_sorted_by_key(|row| (row.0, row.1)), "{found:?}");
}

/// z, y and x are as near to w: they come in the order of their ids.
#[test]
fn equal_scores_go_by_item_id() {
    let together = ["z", "w", "y", "x"];
    let mut purchases: Vec<Purchase> = Vec::new();
    for user in [1, 2] {
        purchases.extend(together.map(|item| (user, item, -5)));
    }
    purchases.push((3, "w", -5));
    let outputs = run(&stage(serde_json::json!({"top": 2})), &purchases, None);
    let own: Vec<String> = lists(&outputs).into_iter().filter(|row| row.0 == 3 && row.1).map(|row| row.2).collect();
    assert_eq!(own, ["x", "y"]);
    let evaluation = outputs.evaluation.unwrap();
    assert!(evaluation.measures.iter().all(|measure| measure.name.starts_with("coverage@2")), "nobody bought after");
    assert!(evaluation.headline().is_none());
}

#[test]
fn lengths_reach_as_far_as_the_lists() {
    let names = |top: u32| -> Vec<String> {
        let outputs = run(&stage(serde_json::json!({"top": top})), &PURCHASES, None);
        let measures = outputs.evaluation.unwrap().measures;
        let ndcg = measures.into_iter().map(|measure| measure.name).filter(|name| name.starts_with("ndcg"));
        ndcg.collect()
    };
    assert_eq!(names(3), ["ndcg@3"]);
    assert_eq!(names(12), ["ndcg@10", "ndcg@5"]);
    assert_eq!(names(50), ["ndcg@20", "ndcg@10", "ndcg@5"]);
    let evaluation = run(&stage(serde_json::json!({"top": 50})), &PURCHASES, None).evaluation.unwrap();
    assert_eq!(evaluation.headline, "ndcg@10");
    let Chart::Lines { curves, .. } = &evaluation.charts[1] else { panic!("no curves") };
    let lengths: Vec<f64> = curves[0].points.iter().map(|point| point.0).collect();
    assert_eq!(lengths, [1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0]);
    assert_eq!((evaluation.charts.len(), curves[1].name.as_str()), (5, "popularity of all time"));
}

#[test]
fn a_model_is_applied_on_a_later_night_and_remembers_what_it_was_fitted_on() {
    let many: Vec<Purchase> = (0..60).flat_map(|user| [(user, "a", -5), (user, "b", -5)]).collect();
    let fitted = run(&stage(serde_json::json!({})), &many, None);
    let model = fitted.model.clone().unwrap();
    assert_eq!(model.signature.profile, fitted.profile);
    let items = model.signature.profile.iter().find(|profile| profile.name == "items_per_user").unwrap();
    assert!(matches!(&items.shape, Shape::Number { mean, .. } if *mean == 2.0), "{items:?}");

    let apply = stage(serde_json::json!({"mode": "apply"}));
    let applied = run(&apply, &[(1, "a", 3), (2, "c", 3)], Some(model));
    assert!(applied.model.is_none() && applied.evaluation.is_none() && applied.profile.len() == 3);
    let found: Vec<(i64, String)> = lists(&applied).into_iter().map(|row| (row.0, row.2)).collect();
    assert_eq!(found, [], "b is not among the items of this night, and c is not in the model");
    let both = run(&apply, &[(1, "a", 3), (2, "b", 3)], fitted.model);
    let found: Vec<(i64, String)> = lists(&both).into_iter().map(|row| (row.0, row.2)).collect();
    assert_eq!(found, [(1, "b".to_owned()), (2, "a".to_owned())]);
}

#[test]
fn only_a_model_that_was_fitted_alike_is_applied() {
    let model = run(&stage(serde_json::json!({"mode": "fit"})), &PURCHASES, None).model;
    let refused = |with: serde_json::Value, model: Option<Model>| {
        try_run(&stage(with), &PURCHASES, model).err().unwrap().to_string()
    };
    let other = serde_json::json!({"mode": "apply", "neighbors": 7, "shrinkage": 2.0});
    let told = refused(other, model.clone());
    assert!(told.contains("was fitted with other `neighbors`, `shrinkage`; fit one with these first"), "{told}");
    let told = refused(serde_json::json!({"mode": "apply"}), None);
    assert_eq!(told, "the earlier model was not handed over");
    // How many items are served, and how lists are judged, is no matter of fitting.
    let serving = serde_json::json!({"mode": "apply", "top": 1, "exclude_seen": false, "holdout": "60d"});
    let applied = run(&stage(serving), &PURCHASES, model);
    let lists = lists(&applied);
    assert!(!lists.is_empty() && lists.windows(2).all(|pair| pair[0].0 != pair[1].0), "one a user: {lists:?}");
}

/// Of two categories a list that is cut to one each has two items, the best of each.
#[test]
fn a_list_has_so_many_of_a_category() {
    let catalog = fixture::fixed(df!("item" => ["a", "b", "c", "e"], "kind" => ["x", "x", "y", "y"]).unwrap(), "item");
    let ports = || {
        vec![
            (PORT, vec![("purchases", table(&PURCHASES))]),
            (super::super::beside::ITEMS, vec![("catalog", catalog.clone())]),
        ]
    };
    let limit = json!({"per_category": {"column": "kind", "most": 1}});
    let with = |diversity: serde_json::Value| json!({"exclude_seen": false, "top": 3, "diversity": diversity});
    let outputs = fixture::run(&fixture::stage::<ItemCf>(with(limit)), ports());
    let kind = |item: &str| if item < "c" { "x" } else { "y" };
    for user in [1, 3, 6] {
        // d is in no category, so that it takes nobody's place.
        let shown = fixture::served(&outputs, user);
        let kinds: Vec<&str> = shown.iter().filter(|item| *item != "d").map(|item| kind(item)).collect();
        assert!(!kinds.is_empty() && kinds.len() <= 2 && kinds.windows(2).all(|pair| pair[0] != pair[1]), "{kinds:?}");
    }
    // What fills a list up keeps to it as well.
    let mut filled = with(json!({"per_category": {"column": "kind", "most": 1}}));
    filled["cold_start"] = json!("popular");
    filled["top"] = json!(5);
    let outputs = fixture::run(&fixture::stage::<ItemCf>(filled), ports());
    for user in [1, 3, 6] {
        let shown = fixture::served(&outputs, user);
        let of = |wanted: &str| shown.iter().filter(|item| *item != "d" && kind(item) == wanted).count();
        assert!(of("x") <= 1 && of("y") <= 1 && shown.contains(&"d".to_owned()), "{shown:?}");
    }
    let told = |diversity: serde_json::Value| fixture::problems(&fixture::stage::<ItemCf>(with(diversity)), &ports());
    assert_eq!(told(json!({})), ["neither a `strength` above zero nor `per_category` is given, so nothing changes"]);
    assert_eq!(told(json!({"strength": 0.5, "pool": 2})), ["a list of 3 cannot be chosen from fewer"]);
    let unknown = json!({"per_category": {"column": "kinds", "most": 1}});
    assert_eq!(told(unknown), ["the table at `items` has no column `kinds`"]);
}

/// Probabilities order the lists, are judged on the newest hold-out, and are there for what is served.
#[test]
fn chances_are_learned_from_the_hold_out_before() {
    let with = json!({"exclude_seen": false, "top": 4, "splits": 2, "probability": true});
    let ports = || vec![(PORT, vec![("purchases", fixture::purchases(&fixture::two_tastes()))])];
    let outputs = fixture::run(&fixture::stage::<ItemCf>(with.clone()), ports());
    let rows = fixture::rows(&outputs);
    let of_one: Vec<f64> =
        rows.iter().filter(|row| row.served && row.user == 3).map(|row| row.probability.unwrap()).collect();
    assert!(of_one.len() == 4 && of_one.is_sorted_by(|a, b| a >= b), "{of_one:?}");
    assert!(rows.iter().filter_map(|row| row.probability).all(|chance| chance > 0.0 && chance < 1.0));
    let first = rows.iter().filter(|row| row.probability.is_none()).count();
    assert!(
        first > 0 && rows.iter().all(|row| !row.served || row.probability.is_some()),
        "nothing came before the first"
    );
    let evaluation = outputs.evaluation.unwrap();
    assert!(fixture::measure(&evaluation, "brier").baseline.is_some());
    assert!(fixture::measure(&evaluation, "ece").model.value < 0.5);
    let mut apply = with;
    apply["mode"] = "apply".into();
    let applied = fixture::try_run(&fixture::stage::<ItemCf>(apply), ports(), outputs.model, 1).unwrap();
    assert!(fixture::rows(&applied).iter().all(|row| row.probability.is_some()));
    let told = fixture::problems(&fixture::stage::<ItemCf>(json!({"probability": true, "splits": 1})), &ports());
    assert_eq!(told, ["probabilities are learned from a hold-out before the one that judges"]);
}
