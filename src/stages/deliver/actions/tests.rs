use chrono::NaiveDate;
use polars::df;
use polars::prelude::{DataType, IntoColumn, NamedFrom, Series, TimeUnit};
use proptest::prelude::*;

use super::Actions;
use crate::metrics::evaluation::Evaluation;
use crate::stages::contract::{Failure, Outputs, Stage};
use crate::stages::fixture::{self, Night, Ports, keyed, schemas, texts};
use crate::table::{AS_OF, Class, Table, midnight_us};

fn run_date() -> NaiveDate {
    "2024-01-02".parse().unwrap()
}

/// Customers 0 to n − 1: `risk` falls from 1, `value` is the place, every fourth has not agreed to be called, and of every
/// tenth neither is known.
fn scores(count: i64) -> Table {
    let each = || 0..count;
    let frame = df!(
        "customer" => each().collect::<Vec<_>>(),
        "risk" => each().map(|id| (id % 10 != 9).then(|| 1.0 - id as f64 / count as f64)).collect::<Vec<_>>(),
        "value" => each().map(|id| id as f64).collect::<Vec<_>>(),
        "tier" => each().map(|id| if id % 2 == 0 { "gold" } else { "silver" }).collect::<Vec<_>>(),
        "may_call" => each().map(|id| (id % 10 != 9).then_some(id % 4 != 3)).collect::<Vec<_>>()
    )
    .unwrap();
    keyed(frame, &["customer"])
}

fn stage(with: serde_json::Value) -> Actions {
    fixture::stage(serde_json::json!({"entity": "customer"}), &with)
}

fn try_run(stage: &Actions, tables: Ports) -> Result<Outputs, Failure> {
    fixture::try_run(stage, tables, Night::of(run_date()))
}

fn run(stage: &Actions, tables: Ports) -> Outputs {
    try_run(stage, tables).unwrap()
}

fn evaluation(outputs: &Outputs) -> &Evaluation {
    outputs.evaluation.as_ref().unwrap()
}

fn count(all: &[Option<String>], word: &str) -> usize {
    all.iter().flatten().filter(|own| *own == word).count()
}

#[test]
fn the_first_rule_that_applies_counts() {
    let with = stage(serde_json::json!({"rules": [
        {"name": "win_back", "when": "risk > 0.5 AND tier IN ('gold', 'platinum')", "action": "call", "channel": "phone", "offer": "ten percent"},
        {"name": "letter", "when": "risk > 0.5", "channel": "post", "cost": 1.5},
        {"name": "suggest", "when": "true", "channel": "email"},
    ]}));
    let outputs = run(&with, vec![("scores", scores(20))]);
    let (rule, action, reason) = (texts(&outputs, "rule"), texts(&outputs, "action"), texts(&outputs, "reason"));
    assert_eq!((rule[0].as_deref(), action[0].as_deref()), (Some("win_back"), Some("call")));
    assert_eq!(reason[0].as_deref(), Some("win_back: risk > 0.5 AND tier IN ('gold', 'platinum')"));
    assert_eq!((rule[1].as_deref(), action[1].as_deref()), (Some("letter"), Some("letter")));
    assert_eq!(rule[9].as_deref(), Some("suggest"), "null does not apply");
    assert_eq!(
        (texts(&outputs, "offer")[0].as_deref(), texts(&outputs, "offer")[1].as_deref()),
        (Some("ten percent"), None)
    );
    assert_eq!(
        (texts(&outputs, "priority")[1].as_deref(), texts(&outputs, "cost")[1].as_deref()),
        (Some("2"), Some("1.5"))
    );
    assert!(texts(&outputs, "control").iter().all(|control| control.as_deref() == Some("false")));
    // In another order.
    let turned = stage(serde_json::json!({"rules": [
        {"name": "a", "when": "value < 5", "priority": 9},
        {"name": "b", "when": "value < 3", "priority": 2},
    ]}));
    let rule = texts(&run(&turned, vec![("scores", scores(6))]), "rule");
    assert_eq!(rule, [Some("b"), Some("b"), Some("b"), Some("a"), Some("a"), None].map(|text| text.map(str::to_owned)));
}

#[test]
fn places_and_money_run_out() {
    let with = stage(serde_json::json!({"rules": [
        {"name": "best", "when": "true", "capacity": 3, "order_by": "value"},
        {"name": "least", "when": "true", "channel": "phone", "order_by": "value", "ascending": true},
        {"name": "some", "when": "value < 15", "channel": "phone"},
        {"name": "dear", "when": "true", "cost": 4.0, "order_by": "value"},
    ], "channels": {"phone": {"capacity": 2}}, "budget": 10.0}));
    let outputs = run(&with, vec![("scores", scores(20))]);
    let rule = texts(&outputs, "rule");
    let who = |name: &str| (0..20).filter(|place| rule[*place].as_deref() == Some(name)).collect::<Vec<_>>();
    assert_eq!(
        (who("best"), who("least"), who("some"), who("dear")),
        (vec![17, 18, 19], vec![0, 1], vec![], vec![15, 16])
    );
    assert!(texts(&outputs, "reason")[5].as_deref().unwrap().contains("places or the budget are used up"));
    assert!(
        evaluation(&outputs).facts.iter().any(|fact| fact.value == "8.000 of 10.00"),
        "{:?}",
        evaluation(&outputs).facts
    );
}

#[test]
fn consent_and_contacts_are_kept() {
    let with = stage(serde_json::json!({
        "rules": [{"name": "call", "when": "value < 8", "channel": "phone"}, {"name": "mail", "when": "value < 4", "channel": "email"}],
        "channels": {"phone": {"consent": "may_call"}, "email": {}},
        "suppress": "value = 1",
        "contacts": {"time": "at", "within": "14d"},
    }));
    let day = 86_400_000_000_i64;
    let at = [midnight_us(run_date()) - 14 * day, midnight_us(run_date()) - 14 * day - 1, midnight_us(run_date())];
    let mut frame = df!("customer" => [2_i64, 4, 5]).unwrap();
    let times = Series::new("at".into(), at.to_vec()).cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
    frame.with_column(times.into_column()).unwrap();
    let outputs = run(&with, vec![("scores", scores(20)), ("contacts", keyed(frame, &[]))]);
    let (rule, reason) = (texts(&outputs, "rule"), texts(&outputs, "reason"));
    let of = |place: usize| (rule[place].as_deref(), reason[place].as_deref().unwrap());
    assert_eq!(of(0).0, Some("call"));
    assert_eq!(of(1), (None, "suppressed: value = 1"));
    assert_eq!(of(2), (None, "contacted in the last 14 days"));
    assert_eq!(of(3).0, Some("mail"), "no consent to calls, so the next rule");
    assert_eq!((of(4).0, of(5).0), (Some("call"), Some("call")), "longer ago, and not before the run date");
    assert_eq!(of(7), (None, "no consent to phone, which `call` needs"));
    assert_eq!(of(9), (None, "no rule applies"));
}

#[test]
fn the_control_group_is_the_same_every_night() {
    let with = |capacity: u64| {
        stage(
            serde_json::json!({"control_share": 0.2, "rules": [{"name": "offer", "when": "true", "capacity": capacity}]}),
        )
    };
    let first = run(&with(1000), vec![("scores", scores(1000))]);
    let control = texts(&first, "control");
    let share = count(&control, "true") as f64 / 1000.0;
    assert!((share - 0.2).abs() < 0.04, "{share}");
    assert_eq!(count(&texts(&first, "rule"), "offer"), 1000, "what they would be given is told");
    for (action, control) in texts(&first, "action").iter().zip(&control) {
        assert_eq!(action.is_none(), control.as_deref() == Some("true"));
    }
    let later = texts(&run(&with(1000), vec![("scores", scores(1500))]), "control");
    assert_eq!(control[..], later[..1000], "whoever else comes");
    // They take no place, and only those are among them who would have had one.
    let few = run(&with(100), vec![("scores", scores(1000))]);
    assert_eq!(count(&texts(&few, "action"), "offer"), 100);
    let held = texts(&few, "reason").iter().flatten().filter(|reason| reason.starts_with("left alone")).count();
    assert!((10..45).contains(&held), "{held}");
}

#[test]
fn recommendations_stand_beside() {
    let users = [0_i64, 0, 0, 2];
    let mut frame = df!("customer" => users, "rank" => [1_i64, 2, 3, 1], "item" => ["a", "b", "c", "d"]).unwrap();
    let moments = Series::new(AS_OF.into(), [19_724_i32; 4]).cast(&DataType::Date).unwrap();
    frame.with_column(moments.into_column()).unwrap();
    let mut table = keyed(frame, &["customer", AS_OF, "rank"]);
    table.schema.snapshots = vec![run_date()];
    let with = stage(serde_json::json!({"items": 2, "rules": [{"name": "suggest", "when": "true"}]}));
    let outputs = run(&with, vec![("scores", scores(3)), ("recommendations", table)]);
    assert_eq!(texts(&outputs, "item_1"), [Some("a".to_owned()), None, Some("d".to_owned())]);
    assert_eq!(texts(&outputs, "item_2"), [Some("b".to_owned()), None, None]);
}

#[test]
fn odd_tables_have_an_answer() {
    let with = stage(serde_json::json!({"rules": [{"name": "call", "when": "risk > 2"}], "control_share": 0.1}));
    for count in [0, 1] {
        let outputs = run(&with, vec![("scores", scores(count))]);
        assert_eq!(texts(&outputs, "reason").len(), count as usize);
    }
    let outputs = run(&with, vec![("scores", scores(30))]);
    assert!(evaluation(&outputs).watch[0].contains("Nobody is meant by call"), "{:?}", evaluation(&outputs).watch);
    let twice = keyed(df!("customer" => ["x", "x"], "risk" => [1.0, 2.0]).unwrap(), &["customer"]);
    assert!(try_run(&with, vec![("scores", twice)]).err().unwrap().to_string().contains("several rows"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let said =
        |with: serde_json::Value| stage(with).check().into_iter().map(|problem| problem.message).collect::<Vec<_>>();
    let twice = serde_json::json!({"rules": [{"name": "a", "when": "x"}, {"name": "a", "when": "y"}]});
    assert!(said(twice)[0].contains("called `a` too"));
    let late = serde_json::json!({"rules": [{"name": "a", "when": "TRUE"}, {"name": "b", "when": "y"}]});
    assert!(said(late)[0].contains("never tried"));
    let free = serde_json::json!({"budget": 5, "rules": [{"name": "a", "when": "x"}]});
    assert!(said(free)[0].contains("limits nothing"));
    let unlimited = serde_json::json!({"rules": [{"name": "a", "when": "x", "order_by": "y"}]});
    assert!(said(unlimited)[0].contains("no difference"));
    let channels =
        serde_json::json!({"rules": [{"name": "a", "when": "x", "channel": "fax"}], "channels": {"phone": {}}});
    assert_eq!(said(channels).len(), 2);
    let wrong = stage(serde_json::json!({
        "rules": [{"name": "a", "when": "rsk > 1"}, {"name": "b", "when": "value + 1"}, {"name": "c", "when": "risk >"}],
        "suppress": "tier > 3", "items": 3, "contacts": {"time": "at", "within": "3d"},
    }));
    let found = wrong.schemas(&schemas(&vec![("scores", scores(3))]), run_date()).unwrap_err();
    assert_eq!(found.len(), 6, "{found:?}");
}

/// What an action tells is as sensitive as what decides on it.
#[test]
fn actions_are_of_the_class_of_what_decides() {
    let with = stage(serde_json::json!({"rules": [{"name": "call", "when": "risk > 0.5 AND tier = 'gold'"}]}));
    let mut table = scores(3);
    let classes = [("risk", Class::Sensitive), ("tier", Class::QuasiId)];
    for column in &mut table.schema.columns {
        column.class = classes.iter().find(|(name, _)| *name == column.name).map_or(column.class, |(_, class)| *class);
    }
    let schema = with.schemas(&schemas(&vec![("scores", table)]), run_date()).unwrap().remove(0);
    let class = |name: &str| schema.column(name).unwrap().class;
    assert_eq!(
        (class("action"), class("reason"), class("control")),
        (Class::Sensitive, Class::Sensitive, Class::Behavioral)
    );
}

proptest! {
    /// Nobody is given two actions, no limit is passed, and nobody of the control group is given any.
    #[test]
    fn limits_hold(count in 1..80_i64, capacity in 1..20_u64, phone in 1..20_u64, share in 0.0..0.5f64) {
        let with = stage(serde_json::json!({"control_share": share, "budget": 30.0, "rules": [
            {"name": "a", "when": "risk > 0.3", "capacity": capacity, "channel": "phone"},
            {"name": "b", "when": "value > 3", "channel": "phone", "order_by": "risk"},
            {"name": "c", "when": "tier = 'gold'", "cost": 7.0},
        ], "channels": {"phone": {"capacity": phone}}}));
        let outputs = run(&with, vec![("scores", scores(count))]);
        let (action, channel, control) = (texts(&outputs, "action"), texts(&outputs, "channel"), texts(&outputs, "control"));
        prop_assert!(count_of(&action, "a") <= capacity && count_of(&channel, "phone") <= phone && count_of(&action, "c") <= 4);
        for (action, control) in action.iter().zip(&control) {
            prop_assert!(action.is_none() || control.as_deref() == Some("false"));
        }
    }
}

fn count_of(all: &[Option<String>], word: &str) -> u64 {
    count(all, word) as u64
}
