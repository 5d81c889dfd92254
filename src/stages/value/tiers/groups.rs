//! What is given to whom, by tier and price sensitivity.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem, Step};
use crate::stages::value::levels::LEVELS;

/// A row of the table: who is meant, and what they are given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The tier, or several; without it any.
    #[serde(default)]
    pub tier: Option<Words>,
    /// low, medium, high or unknown, or several; without it any. Who is not in the table at `price_response` is unknown.
    #[serde(default)]
    pub price_sensitivity: Option<Words>,
    /// What service they get.
    #[serde(default)]
    pub service: Option<String>,
    /// What they are offered.
    #[serde(default)]
    pub offer: Option<String>,
}

/// A word, or several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "Vec<String>")]
pub struct Words(Vec<String>);

impl TryFrom<serde_json::Value> for Words {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        Ok(Words(match value {
            serde_json::Value::String(word) => vec![word],
            other => serde_json::from_value(other)?,
        }))
    }
}

impl From<Words> for Vec<String> {
    fn from(words: Words) -> Self {
        words.0
    }
}

impl JsonSchema for Words {
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
    }
}

impl Group {
    pub fn asks_for_sensitivity(&self) -> bool {
        self.price_sensitivity.is_some()
    }

    /// Whether it is meant for customers of a tier; without a level their price sensitivity is unknown.
    pub fn fits(&self, tier: &str, level: Option<&str>) -> bool {
        let has = |words: &Option<Words>, word: &str| {
            words.as_ref().is_none_or(|words| words.0.iter().any(|own| own == word))
        };
        has(&self.tier, tier) && has(&self.price_sensitivity, level.unwrap_or("unknown"))
    }
}

/// Rows that name what there is not, give nothing, or that nobody can be in.
pub fn problems(groups: &[Group], tiers: &[&str]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut covered: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (place, group) in groups.iter().enumerate() {
        let at = |problem: Problem, key: Option<&'static str>| {
            let path = [Step::from("with"), Step::from("groups"), Step::from(place)];
            problem.at(path.into_iter().chain(key.map(Step::from)))
        };
        let sides: [(&'static str, &Option<Words>, &[&str], &str); 2] = [
            ("tier", &group.tier, tiers, "tier"),
            ("price_sensitivity", &group.price_sensitivity, &LEVELS, "price sensitivity"),
        ];
        let mut is_wrong = false;
        for (key, words, known, what) in sides {
            for word in words.iter().flat_map(|words| &words.0).filter(|word| !known.contains(&word.as_str())) {
                is_wrong = true;
                let problem = Problem::new(Code::BadValue, format!("there is no {what} `{word}`"));
                problems.push(at(problem.nearest(word, known.to_vec()), Some(key)));
            }
        }
        if group.service.is_none() && group.offer.is_none() {
            let message = "it gives neither a `service` nor an `offer`";
            problems.push(at(Problem::new(Code::MissingKey, message), None));
        }
        let cells = tiers.iter().flat_map(|tier| LEVELS.iter().map(move |level| (*tier, *level)));
        let own: Vec<(&str, &str)> = cells.filter(|(tier, level)| group.fits(tier, Some(level))).collect();
        if !is_wrong && own.iter().all(|cell| covered.contains(cell)) {
            let problem = Problem::new(Code::BadValue, "nobody is left for it: earlier rows take all of them");
            problems.push(at(problem.help("put it before those"), None));
        }
        covered.extend(own);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(json: serde_json::Value) -> Vec<Group> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_first_that_fits_counts() {
        let all = groups(serde_json::json!([
            {"tier": "gold", "price_sensitivity": ["high", "medium"], "offer": "ten percent"},
            {"tier": ["gold", "silver"], "service": "priority"},
            {"service": "standard"},
        ]));
        let of = |tier, level| all.iter().position(|group| group.fits(tier, level));
        assert_eq!((of("gold", Some("high")), of("gold", Some("low")), of("gold", None)), (Some(0), Some(1), Some(1)));
        assert_eq!((of("silver", Some("high")), of("bronze", None)), (Some(1), Some(2)));
        assert_eq!(problems(&all, &["gold", "silver", "bronze"]), vec![]);
    }

    #[test]
    fn rows_without_sense_are_refused() {
        let said = |json| {
            let found = problems(&groups(json), &["gold", "silver"]);
            found.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        assert!(said(serde_json::json!([{"tier": "goldd", "offer": "x"}]))[0].contains("no tier `goldd`"));
        assert!(
            said(serde_json::json!([{"price_sensitivity": "none", "offer": "x"}]))[0].contains("no price sensitivity")
        );
        assert!(said(serde_json::json!([{"tier": "gold"}]))[0].contains("neither"));
        let late = serde_json::json!([{"tier": ["gold", "silver"], "offer": "x"}, {"tier": "gold", "offer": "y"}]);
        assert!(said(late)[0].contains("nobody is left"));
    }
}
