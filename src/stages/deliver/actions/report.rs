//! What the report says of actions: counts only.

use super::Actions;
use super::choose::{Choices, Fared, Outcome};
use super::options::Rule;
use crate::format::{count, number, percent, thousands};
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::evaluation::{Chart, Evaluation, Fact};

/// A kind of outcome.
type Is = fn(Outcome) -> bool;

/// How many customers have an outcome of a kind.
type Tally<'a> = &'a dyn Fn(&dyn Fn(Outcome) -> bool) -> u64;

fn told(customers: u64) -> String {
    if (1..TOLD_MIN).contains(&customers) { format!("fewer than {TOLD_MIN}") } else { thousands(customers) }
}

pub fn evaluation(stage: &Actions, choices: &Choices) -> Evaluation {
    let tally =
        |of: &dyn Fn(Outcome) -> bool| choices.of_customers.iter().filter(|choice| of(choice.outcome)).count() as u64;
    let acted = tally(&|outcome| outcome == Outcome::Acted);
    let all = choices.of_customers.len() as u64;
    let idle = stage
        .rules
        .iter()
        .zip(&choices.fared)
        .filter(|(_, fared)| fared.matched == 0)
        .map(|(rule, _)| rule.name.as_str());
    let idle: Vec<&str> = if all == 0 { vec![] } else { idle.collect() };
    let mut watch = Vec::new();
    if !idle.is_empty() {
        watch.push(format!("Nobody is meant by {}.", crate::format::list(idle, 20)));
    }
    Evaluation {
        target: "next best action".to_owned(),
        model: count(stage.rules.len() as u64, "rule", "rules"),
        facts: facts(stage, choices, &tally),
        charts: vec![rules(stage, choices), outcomes(choices.of_customers.len(), &tally)],
        finds: format!("{} of {} are given an action.", told(acted), count(all, "customer", "customers")),
        watch,
        ..Evaluation::default()
    }
}

fn facts(stage: &Actions, choices: &Choices, tally: Tally<'_>) -> Vec<Fact> {
    let mut facts = vec![Fact::new("customers", thousands(choices.of_customers.len() as u64))];
    if stage.control_share > 0.0 {
        let control = choices.of_customers.iter().filter(|choice| choice.is_control).count();
        let share = control as f64 / choices.of_customers.len().max(1) as f64;
        let held = tally(&|outcome| outcome == Outcome::HeldOut);
        let value = format!(
            "{} ({}) are left alone every night; {} of them would be given an action",
            told(control as u64),
            percent(share),
            told(held)
        );
        facts.push(Fact::new("control group", value));
    }
    if choices.cost > 0.0 || stage.budget.is_some() {
        let of = stage.budget.map(|budget| format!(" of {}", number(budget))).unwrap_or_default();
        facts.push(Fact::new("cost", format!("{}{of}", number(choices.cost))));
    }
    let by_chance: Vec<&str> = stage
        .rules
        .iter()
        .zip(&choices.fared)
        .filter(|(rule, fared)| rule.order_by.is_none() && fared.full > 0)
        .map(|(rule, _)| rule.name.as_str())
        .collect();
    if !by_chance.is_empty() {
        let names = crate::format::list(by_chance, 20);
        facts.push(Fact::new(
            "by chance",
            format!("who gets the places of {names}, the same every night; `order_by` would say who"),
        ));
    }
    facts
}

/// How each rule fared, in the order in which they are tried.
fn rules(stage: &Actions, choices: &Choices) -> Chart {
    let (order, _) = stage.order();
    let row = |(rule, fared): (&Rule, &Fared)| {
        vec![
            rule.name.clone(),
            rule.action().to_owned(),
            rule.channel.clone().unwrap_or_default(),
            told(fared.matched),
            told(fared.acted),
            told(fared.held_out),
            told(fared.no_consent),
            told(fared.full),
            if fared.cost > 0.0 { number(fared.cost) } else { String::new() },
        ]
    };
    let columns = ["Rule", "Action", "Channel", "Holds of", "Given", "Control", "No consent", "No place left", "Cost"];
    let pairs = order.iter().filter_map(|place| Some((stage.rules.get(*place)?, choices.fared.get(*place)?)));
    Chart::Table {
        title: "Rules, in the order in which they are tried".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: pairs.map(row).collect(),
    }
}

/// What becomes of customers.
fn outcomes(all: usize, tally: Tally<'_>) -> Chart {
    let kinds: [(&str, Is); 7] = [
        ("given an action", |outcome| outcome == Outcome::Acted),
        ("left alone as control", |outcome| outcome == Outcome::HeldOut),
        ("suppressed", |outcome| outcome == Outcome::Suppressed),
        ("contacted lately", |outcome| outcome == Outcome::Contacted),
        ("no consent", |outcome| matches!(outcome, Outcome::NoConsent(_))),
        ("no place left", |outcome| matches!(outcome, Outcome::Full(_))),
        ("no rule applies", |outcome| outcome == Outcome::Nothing),
    ];
    let row = |(name, of): (&str, Is)| {
        let customers = tally(&of);
        let share = customers as f64 / all.max(1) as f64;
        let is_told = customers == 0 || customers >= TOLD_MIN;
        vec![name.to_owned(), told(customers), if is_told { percent(share) } else { String::new() }]
    };
    let columns = ["Customers who are", "How many", "Share"];
    Chart::Table {
        title: "What becomes of customers".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: kinds.into_iter().map(row).collect(),
    }
}
