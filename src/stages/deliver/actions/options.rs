//! What a pipeline may say of actions.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Actions;
use crate::config::Span;
use crate::problem::{Code, Problem, Step};

/// Who gets what.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called.
    #[schemars(length(min = 1))]
    pub name: String,
    /// A condition in SQL over the columns of `scores`, such as `will_buy_probability < 0.3 AND tiers_tier = 'gold'`.
    pub when: String,
    /// What to do; the name of the rule by default.
    #[serde(default)]
    pub action: Option<String>,
    /// By which channel.
    #[serde(default)]
    pub channel: Option<String>,
    /// What is offered.
    #[serde(default)]
    pub offer: Option<String>,
    /// Rules of a lower number are tried first; without one it is the place in the list, from 1.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub priority: Option<i64>,
    /// How many customers it may reach a night.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub capacity: Option<u64>,
    /// What one action costs; that of the channel by default.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub cost: Option<f64>,
    /// Where places or money are few, customers with the highest value of this column of `scores` come first, those
    /// without one last.
    #[serde(default)]
    pub order_by: Option<String>,
    /// Those with the lowest value first.
    #[serde(default)]
    pub ascending: bool,
}

impl Rule {
    pub fn action(&self) -> &str {
        self.action.as_deref().unwrap_or(&self.name)
    }
}

/// Channels by name.
pub type Channels = IndexMap<String, Channel>;

/// What holds for all actions of a channel.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// How many customers it may reach a night, whatever the rule.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub capacity: Option<u64>,
    /// What one action costs.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub cost: Option<f64>,
    /// The column of `scores` that says whether the customer agrees to be contacted so: true or false; null is no.
    #[serde(default)]
    pub consent: Option<String>,
}

/// How the table of contacts is read: a row for each time a customer was contacted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contacts {
    /// The column that says when.
    pub time: String,
    /// Who was contacted within this time before the run date is not contacted again.
    pub within: Span,
}

impl Actions {
    /// Rules in the order in which they are tried, by place, with the priorities of all.
    pub fn order(&self) -> (Vec<usize>, Vec<i64>) {
        let priority = |(place, rule): (usize, &Rule)| rule.priority.unwrap_or(place as i64 + 1);
        let priorities: Vec<i64> = self.rules.iter().enumerate().map(priority).collect();
        let mut order: Vec<usize> = (0..self.rules.len()).collect();
        order.sort_by_key(|place| priorities.get(*place).copied());
        (order, priorities)
    }

    /// Whether a rule may run out of places or money.
    fn is_limited(&self, rule: &Rule) -> bool {
        let channel = rule.channel.as_ref().and_then(|channel| self.channels.get(channel));
        let has_places = rule.capacity.is_some() || channel.is_some_and(|channel| channel.capacity.is_some());
        has_places || (self.budget.is_some() && self.cost(rule) > 0.0)
    }

    /// What is wrong with the options themselves.
    pub fn option_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, rule) in self.rules.iter().enumerate() {
            let at = |problem: Problem, key: &'static str| problem.at(rule_path(place, key));
            if let Some(first) = names.insert(&rule.name, place) {
                let message = format!("rule {} is called `{}` too", first + 1, rule.name);
                problems.push(at(Problem::new(Code::DuplicateId, message), "name"));
            }
            let unknown =
                rule.channel.as_ref().filter(|name| !self.channels.is_empty() && !self.channels.contains_key(*name));
            if let Some(name) = unknown {
                let problem = Problem::new(Code::BadValue, format!("`channels` has no `{name}`"));
                problems.push(at(problem.nearest(name, self.channels.keys().map(String::as_str)), "channel"));
            }
            if rule.order_by.is_some() && !self.is_limited(rule) {
                let message = "who comes first makes no difference, since neither places nor money are limited";
                problems.push(at(Problem::new(Code::BadValue, message), "order_by"));
            }
            if rule.ascending && rule.order_by.is_none() {
                problems.push(at(Problem::new(Code::MissingKey, "there is no `order_by` to turn round"), "ascending"));
            }
        }
        problems.extend(self.idle_problems());
        problems
    }

    /// Options that change nothing.
    fn idle_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let is_free = self.rules.iter().all(|rule| self.cost(rule) == 0.0);
        if self.budget.is_some() && is_free {
            let problem = Problem::new(Code::BadValue, "no action costs anything, so the budget limits nothing");
            problems.push(problem.help("give rules or channels a `cost`").at(["with", "budget"]));
        }
        for name in
            self.channels.keys().filter(|name| !self.rules.iter().any(|rule| rule.channel.as_ref() == Some(*name)))
        {
            let problem = Problem::new(Code::BadValue, format!("no rule uses the channel `{name}`"));
            problems.push(problem.at(["with", "channels", name.as_str()]));
        }
        // What comes after a rule that takes everyone is never reached.
        let (order, _) = self.order();
        let takes_all = |place: &usize| {
            self.rules.get(*place).is_some_and(|rule| {
                let needs_consent =
                    rule.channel.as_ref().and_then(|channel| self.channels.get(channel)?.consent.as_ref());
                rule.when.trim().eq_ignore_ascii_case("true") && !self.is_limited(rule) && needs_consent.is_none()
            })
        };
        if let Some(found) = order.iter().position(takes_all) {
            let first = order.get(found).and_then(|place| self.rules.get(*place)).map_or("", |rule| rule.name.as_str());
            for place in order.iter().skip(found + 1) {
                let message = format!("it is never tried, since `{first}` takes everyone");
                problems.push(Problem::new(Code::BadValue, message).at(rule_path(*place, "when")));
            }
        }
        problems
    }
}

/// Where a key of a rule stands.
pub fn rule_path(place: usize, key: &'static str) -> [Step; 4] {
    [Step::from("with"), Step::from("rules"), Step::from(place), Step::from(key)]
}
