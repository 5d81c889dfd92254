//! What the report says of actions: counts only.

use super::Actions;
use super::choose::{Choices, Fared, Outcome};
use crate::format::{count, number, percent, thousands};
use crate::metrics::disclosure::{TOLD_MIN, hidden_cells, hidden_parts};
use crate::metrics::evaluation::{Chart, Evaluation, Fact};

/// A kind of outcome.
type Is = fn(Outcome) -> bool;

/// How many customers have an outcome of a kind.
type Tally<'a> = &'a dyn Fn(&dyn Fn(Outcome) -> bool) -> u64;

/// What stands for a count that is not told.
const UNTOLD: &str = "few";

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

/// How each rule fared, in the order in which they are tried. Small counts are hidden, and what would give them away.
fn rules(stage: &Actions, choices: &Choices) -> Chart {
    let (order, _) = stage.order();
    let hidden = hidden_cells(&choices.fared.iter().map(counts).collect::<Vec<_>>());
    let row = |place: &usize| {
        let (rule, fared) = (stage.rules.get(*place)?, choices.fared.get(*place)?);
        let cells = counts(fared).into_iter().zip(hidden.get(*place)?);
        let texts = cells.map(|(count, hidden)| if *hidden { UNTOLD.to_owned() } else { thousands(count) });
        let mut row = vec![rule.name.clone(), rule.action().to_owned(), rule.channel.clone().unwrap_or_default()];
        row.extend(texts);
        let is_told = hidden.get(*place).and_then(|hidden| hidden.get(1)) == Some(&false);
        row.push(if fared.cost > 0.0 && is_told { number(fared.cost) } else { String::new() });
        Some(row)
    };
    let columns = ["Rule", "Action", "Channel", "Holds of", "Given", "Control", "No consent", "No place left", "Cost"];
    Chart::Table {
        title: "Rules, in the order in which they are tried".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: order.iter().filter_map(row).collect(),
    }
}

/// The counts of a rule, in the order of the columns.
fn counts(fared: &Fared) -> Vec<u64> {
    vec![fared.matched, fared.acted, fared.held_out, fared.no_consent, fared.full]
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
    let counts: Vec<u64> = kinds.iter().map(|(_, of)| tally(of)).collect();
    let hidden = hidden_parts(&counts);
    let row = |((name, _), (customers, hidden)): ((&str, Is), (&u64, &bool))| {
        let share = percent(*customers as f64 / all.max(1) as f64);
        let [count, share] = if *hidden { [UNTOLD.to_owned(), String::new()] } else { [thousands(*customers), share] };
        vec![name.to_owned(), count, share]
    };
    let columns = ["Customers who are", "How many", "Share"];
    Chart::Table {
        title: "What becomes of customers".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: kinds.into_iter().zip(counts.iter().zip(&hidden)).map(row).collect(),
    }
}
