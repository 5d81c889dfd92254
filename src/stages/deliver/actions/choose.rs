//! Who is given which action.

use std::collections::BTreeMap;

use super::Actions;

/// What is known of everyone, by place.
pub struct People {
    pub count: usize,
    /// Of each rule: of whom it holds.
    pub matches: Vec<Vec<bool>>,
    pub suppressed: Option<Vec<bool>>,
    pub contacted: Option<Vec<bool>>,
    /// Of each rule whose channel needs consent: who has given it.
    pub consents: Vec<Option<Vec<bool>>>,
    /// Of each rule that says who comes first: by which value.
    pub orders: Vec<Option<Vec<f64>>>,
    /// What decides where nothing else does.
    pub chance: Vec<u64>,
    pub control: Vec<bool>,
}

/// What becomes of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Acted,
    /// Left alone, though a rule would apply.
    HeldOut,
    Suppressed,
    Contacted,
    /// The first rule that applied needs a consent that is not there, and no other applied.
    NoConsent(usize),
    /// The first rule that applied had no place or no money left, and no other applied.
    Full(usize),
    Nothing,
}

/// What is chosen for a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub rule: Option<usize>,
    pub outcome: Outcome,
    pub is_control: bool,
}

/// How a rule fared.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fared {
    /// Of whom it holds, whoever gets what.
    pub matched: u64,
    pub acted: u64,
    pub held_out: u64,
    pub no_consent: u64,
    pub full: u64,
    pub cost: f64,
}

/// All that is chosen.
pub struct Choices {
    pub of_customers: Vec<Choice>,
    /// By rule.
    pub fared: Vec<Fared>,
    pub priorities: Vec<i64>,
    pub cost: f64,
}

fn is(flags: &Option<Vec<bool>>, place: usize) -> bool {
    flags.as_ref().and_then(|flags| flags.get(place)).copied().unwrap_or(false)
}

/// What is left of places and money.
struct Left {
    channels: BTreeMap<String, u64>,
    money: Option<f64>,
}

/// Chooses for everyone: rule after rule, customer after customer.
pub fn all(stage: &Actions, people: &People) -> Choices {
    let (order, priorities) = stage.order();
    let first = |place: usize| {
        let outcome = match (is(&people.suppressed, place), is(&people.contacted, place)) {
            (true, _) => Outcome::Suppressed,
            (_, true) => Outcome::Contacted,
            _ => Outcome::Nothing,
        };
        let is_control = people.control.get(place).copied().unwrap_or(false);
        Choice { rule: None, outcome, is_control }
    };
    let mut choices = Choices {
        of_customers: (0..people.count).map(first).collect(),
        fared: vec![Fared::default(); stage.rules.len()],
        priorities,
        cost: 0.0,
    };
    let capacities = stage.channels.iter().filter_map(|(name, channel)| Some((name.clone(), channel.capacity?)));
    let mut left = Left { channels: capacities.collect(), money: stage.budget };
    for place in order {
        one(stage, people, place, &mut left, &mut choices);
    }
    choices
}

/// Gives the action of one rule to those of whom it holds, in their order, as far as it goes.
fn one(stage: &Actions, people: &People, place: usize, left: &mut Left, choices: &mut Choices) {
    let (Some(rule), Some(matches), Some(fared)) =
        (stage.rules.get(place), people.matches.get(place), choices.fared.get_mut(place))
    else {
        return;
    };
    fared.matched = matches.iter().filter(|holds| **holds).count() as u64;
    let cost = stage.cost(rule);
    let consents = people.consents.get(place).and_then(Option::as_ref);
    let mut capacity = rule.capacity;
    for customer in candidates(people, place, rule.ascending) {
        let Some(choice) = choices.of_customers.get_mut(customer).filter(|choice| choice.rule.is_none()) else {
            continue;
        };
        if matches!(choice.outcome, Outcome::Suppressed | Outcome::Contacted) {
            continue;
        }
        let passed_over = |choice: &mut Choice, outcome| {
            if choice.outcome == Outcome::Nothing {
                choice.outcome = outcome;
            }
        };
        if consents.is_some_and(|all| !all.get(customer).copied().unwrap_or(false)) {
            fared.no_consent += 1;
            passed_over(choice, Outcome::NoConsent(place));
            continue;
        }
        let channel = rule.channel.as_ref().and_then(|name| left.channels.get_mut(name));
        let has_place = capacity != Some(0) && channel.as_ref().is_none_or(|left| **left > 0);
        // What is left after many subtractions may be off by rounding.
        let has_money = left.money.is_none_or(|money| cost <= money * (1.0 + 1e-12));
        if !(has_place && has_money) {
            fared.full += 1;
            passed_over(choice, Outcome::Full(place));
            continue;
        }
        choice.rule = Some(place);
        if choice.is_control {
            fared.held_out += 1;
            choice.outcome = Outcome::HeldOut;
            continue;
        }
        fared.acted += 1;
        fared.cost += cost;
        choice.outcome = Outcome::Acted;
        choices.cost += cost;
        capacity = capacity.map(|places| places - 1);
        if let Some(places) = channel {
            *places -= 1;
        }
        left.money = left.money.map(|money| money - cost);
    }
}

/// Of whom a rule holds: who comes first by its order, then by chance.
fn candidates(people: &People, place: usize, ascending: bool) -> Vec<usize> {
    let matches = people.matches.get(place).map(Vec::as_slice).unwrap_or_default();
    let mut found: Vec<usize> =
        matches.iter().enumerate().filter(|(_, holds)| **holds).map(|(place, _)| place).collect();
    let values = people.orders.get(place).and_then(Option::as_ref);
    let value = |customer: &usize| {
        let own = values.and_then(|values| values.get(*customer)).copied().unwrap_or(f64::NAN);
        let is_unknown = own.is_nan();
        (
            is_unknown,
            if is_unknown {
                0.0
            } else if ascending {
                own
            } else {
                -own
            },
        )
    };
    let chance = |customer: &usize| people.chance.get(*customer).copied();
    found.sort_by(|a, b| {
        let ((unknown_a, a_value), (unknown_b, b_value)) = (value(a), value(b));
        unknown_a.cmp(&unknown_b).then(a_value.total_cmp(&b_value)).then(chance(a).cmp(&chance(b))).then(a.cmp(b))
    });
    found
}
