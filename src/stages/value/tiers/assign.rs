//! Who is in which tier.

use std::borrow::Cow;

use chrono::NaiveDate;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};

/// What the numbers of tiers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Shares of the customers.
    #[default]
    Customers,
    /// Shares of all value; what is below zero counts nothing.
    Value,
    /// Least values.
    Threshold,
}

/// The number of a tier, or what is left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum Limit {
    Number(f64),
    Rest,
}

const REST: &str = "rest";

impl TryFrom<serde_json::Value> for Limit {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        match (value.as_f64(), value.as_str()) {
            (Some(number), _) => Ok(Limit::Number(number)),
            (None, Some(REST)) => Ok(Limit::Rest),
            _ => Err(format!("expected a number or `{REST}`, found {value}")),
        }
    }
}

impl From<Limit> for serde_json::Value {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Number(number) => number.into(),
            Limit::Rest => REST.into(),
        }
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number" }, { "type": "string", "enum": [REST] }] })
    }
}

/// The least value of a tier, which every tier but the last has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cut {
    pub least: f64,
}

/// Where a customer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// None without a value.
    pub tier: Option<usize>,
    pub before: Option<usize>,
    pub since: NaiveDate,
    /// Whether it would be another one but for the margin.
    pub is_held: bool,
}

/// What is wrong with the tiers.
pub fn problems(tiers: &IndexMap<String, Limit>, by: By) -> Vec<Problem> {
    let mut problems = Vec::new();
    let at = |message: String, name: &str| Problem::new(Code::BadValue, message).at(["with", "tiers", name]);
    let (mut sum, mut last): (f64, Option<f64>) = (0.0, None);
    for (place, (name, limit)) in tiers.iter().enumerate() {
        let is_last = place + 1 == tiers.len();
        match limit {
            Limit::Rest if !is_last => problems.push(at(format!("only the last tier is the `{REST}`"), name)),
            Limit::Number(_) if is_last => {
                problems.push(
                    at(format!("the last tier takes the `{REST}`"), name).help(format!("write `{name}: {REST}`")),
                );
            }
            Limit::Number(number) if by == By::Threshold => {
                if last.is_some_and(|last| *number >= last) {
                    problems.push(at(format!("{number} is not below the least value of the tier before"), name));
                }
                last = Some(*number);
            }
            Limit::Number(number) => {
                sum += number;
                if !(*number > 0.0 && *number < 1.0) {
                    problems.push(at(format!("{number} is not a share between 0 and 1"), name));
                } else if sum >= 1.0 - 1e-12 {
                    problems.push(at(format!("the shares come to {sum}, which leaves nothing for the `{REST}`"), name));
                }
            }
            Limit::Rest => {}
        }
    }
    problems
}

/// The least values tonight. Where nobody belongs to a tier its least value is infinite.
pub fn cuts(values: &[Option<f64>], tiers: &IndexMap<String, Limit>, by: By) -> Vec<Cut> {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let total: f64 = sorted.iter().map(|value| value.max(0.0)).sum();
    let numbers = tiers.values().filter_map(|limit| match limit {
        Limit::Number(number) => Some(*number),
        Limit::Rest => None,
    });
    let mut share = 0.0;
    let least = |number: f64| {
        share += number;
        match by {
            By::Threshold => number,
            By::Customers => {
                let count = (share * sorted.len() as f64).round() as usize;
                count.checked_sub(1).and_then(|place| sorted.get(place)).copied().unwrap_or(f64::INFINITY)
            }
            By::Value => {
                let mut sum = 0.0;
                let found = sorted.iter().find(|value| {
                    sum += value.max(0.0);
                    sum >= share * total * (1.0 - 1e-12)
                });
                found.filter(|_| total > 0.0).copied().unwrap_or(f64::INFINITY)
            }
        }
    };
    numbers.map(least).map(|least| Cut { least }).collect()
}

/// The tier of a value where limits are moved up by a share of them, or down where it is below zero.
fn tier(value: f64, cuts: &[Cut], margin: f64) -> usize {
    let is_above = |cut: &Cut| match margin {
        0.0 => value >= cut.least,
        margin => value >= cut.least + margin * cut.least.abs(),
    };
    cuts.iter().position(is_above).unwrap_or(cuts.len())
}

/// Everyone's tier: who was in one yesterday leaves it only by the margin.
pub fn place(
    values: &[Option<f64>],
    cuts: &[Cut],
    before: Option<&[Option<(usize, NaiveDate)>]>,
    margin: f64,
    run_date: NaiveDate,
) -> Vec<Placed> {
    let of = |(place, value): (usize, &Option<f64>)| {
        let was = before.and_then(|before| before.get(place).copied().flatten());
        let Some(value) = *value else {
            return Placed { tier: None, before: was.map(|(tier, _)| tier), since: run_date, is_held: false };
        };
        let plain = tier(value, cuts, 0.0);
        let Some((own, since)) = was else {
            return Placed { tier: Some(plain), before: None, since: run_date, is_held: false };
        };
        let found = if plain < own {
            own.min(tier(value, cuts, margin))
        } else if plain > own && tier(value, cuts, -margin) > own {
            plain
        } else {
            own
        };
        let since = if found == own { since } else { run_date };
        Placed { tier: Some(found), before: Some(own), since, is_held: found != plain }
    };
    values.iter().enumerate().map(of).collect()
}

/// Places by value, 1 the greatest; equal values have the same.
pub fn ranks(values: &[Option<f64>]) -> Vec<Option<i64>> {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let rank = |value: f64| sorted.partition_point(|other| *other > value) as i64 + 1;
    values.iter().map(|value| value.map(rank)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tiers(limits: &[f64]) -> IndexMap<String, Limit> {
        let named = limits.iter().enumerate().map(|(place, number)| (format!("t{place}"), Limit::Number(*number)));
        named.chain([("rest".to_owned(), Limit::Rest)]).collect()
    }

    fn least(values: &[f64], limits: &[f64], by: By) -> Vec<f64> {
        let values: Vec<Option<f64>> = values.iter().copied().map(Some).collect();
        cuts(&values, &tiers(limits), by).iter().map(|cut| cut.least).collect()
    }

    #[test]
    fn limits_are_shares_of_customers_of_value_or_values() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(least(&values, &[0.05, 0.15, 0.3], By::Customers), [20.0, 17.0, 11.0]);
        // 210 in all: 20 + 19 + 18 + 17 + 16 + 15 is the first half of it.
        assert_eq!(least(&values, &[0.5], By::Value), [15.0]);
        assert_eq!(least(&values, &[7.5, 2.0], By::Threshold), [7.5, 2.0]);
        assert_eq!(least(&[], &[0.5], By::Customers), [f64::INFINITY]);
        assert_eq!(least(&[-3.0, -4.0], &[0.5], By::Value), [f64::INFINITY]);
        assert_eq!(least(&[-3.0, -4.0], &[0.5], By::Customers), [-3.0]);
        assert_eq!(least(&[5.0; 9], &[0.1], By::Customers), [5.0], "all are equal: all are in the best");
        assert_eq!(ranks(&[Some(3.0), None, Some(9.0), Some(3.0)]), [Some(2), None, Some(1), Some(2)]);
    }

    #[test]
    fn wrong_tiers_are_refused() {
        let said = |limits: IndexMap<String, Limit>, by| {
            problems(&limits, by).into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        assert!(said(tiers(&[0.5, 0.4]), By::Customers).is_empty());
        assert!(said(tiers(&[0.5, 0.5]), By::Customers)[0].contains("leaves nothing"));
        assert!(said(tiers(&[5.0]), By::Value)[0].contains("not a share"));
        assert!(said(tiers(&[5.0, 7.0]), By::Threshold)[0].contains("not below"));
        let mut without = tiers(&[0.5, 0.4]);
        without.pop();
        assert!(said(without, By::Customers)[0].contains("takes the `rest`"));
        let turned: IndexMap<String, Limit> = tiers(&[0.5]).into_iter().rev().collect();
        assert_eq!(said(turned, By::Customers).len(), 2);
    }

    #[test]
    fn a_night_later_limits_have_a_margin() {
        let (day, next) = ("2024-01-01".parse().unwrap(), "2024-01-02".parse().unwrap());
        let cuts = [Cut { least: 100.0 }, Cut { least: 10.0 }];
        let night = |value: f64, was: usize| {
            let before = [Some((was, day))];
            let own = place(&[Some(value)], &cuts, Some(&before), 0.1, next)[0];
            (own.tier, own.is_held, own.since == day)
        };
        assert_eq!(night(109.0, 1), (Some(1), true, true));
        assert_eq!(night(110.0, 1), (Some(0), false, false));
        assert_eq!(night(91.0, 0), (Some(0), true, true));
        assert_eq!(night(89.0, 0), (Some(1), false, false));
        assert_eq!(night(2.0, 0), (Some(2), false, false));
        assert_eq!(night(105.0, 2), (Some(1), true, false), "as far as the margin lets it");
        let new = place(&[Some(105.0), None], &cuts, Some(&[None, Some((0, day))]), 0.1, next);
        assert_eq!((new[0].tier, new[0].before, new[1].tier, new[1].before), (Some(0), None, None, Some(0)));
    }

    proptest! {
        /// A value that wobbles around a limit by less than the margin never changes its tier after the first night.
        #[test]
        fn what_wobbles_stays(first in 0.92..1.08f64, nights in proptest::collection::vec(0.92..1.08f64, 1..20)) {
            let cuts = [Cut { least: 50.0 }];
            let day: NaiveDate = "2024-01-01".parse().unwrap();
            let mut was = place(&[Some(50.0 * first)], &cuts, None, 0.1, day)[0];
            for value in nights {
                let before = [was.tier.map(|tier| (tier, was.since))];
                let next = place(&[Some(50.0 * value)], &cuts, Some(&before), 0.1, day)[0];
                prop_assert_eq!(next.tier, was.tier);
                was = next;
            }
        }

        /// Without a margin the night before does not matter.
        #[test]
        fn without_a_margin_there_is_no_memory(values in proptest::collection::vec(-9.0..9.0f64, 1..30), was in 0..3_usize) {
            let day: NaiveDate = "2024-01-01".parse().unwrap();
            let values: Vec<Option<f64>> = values.into_iter().map(Some).collect();
            let cuts = cuts(&values, &tiers(&[0.2, 0.3]), By::Customers);
            let before = vec![Some((was, day)); values.len()];
            let tiers = |all: Vec<Placed>| all.into_iter().map(|own| own.tier).collect::<Vec<_>>();
            prop_assert_eq!(
                tiers(place(&values, &cuts, Some(&before), 0.0, day)), tiers(place(&values, &cuts, None, 0.0, day))
            );
        }
    }
}
