//! Checks of a mapping.

use regex::Regex;
use serde_json::Value as Json;

use super::super::node::Node;
use super::schema::{is_not_yet, required};
use super::words::one_of;
use super::{Check, scalar};
use crate::problem::{Code, Problem, nearest};

impl<'s> Check<'s> {
    /// Keys that are unknown, missing or misnamed, and each value.
    pub(super) fn mapping(&mut self, entries: &[(Node, Node)], facets: &[&'s Json]) {
        let closed = facets.iter().any(|facet| {
            ["additionalProperties", "unevaluatedProperties"]
                .iter()
                .any(|keyword| facet.get(keyword) == Some(&Json::Bool(false)))
        });
        let allowed: Vec<&str> = facets.iter().flat_map(|facet| available_keys(facet)).collect();
        let given = |key: &str| entries.iter().any(|(name, _)| name.as_str() == Some(key));
        let mut meant = Vec::new();
        for (key, value) in entries {
            let name = key.as_str().unwrap_or_default();
            self.key(key, name, facets);
            if !self.value(name, value, facets) && closed {
                let free: Vec<&str> = allowed.iter().copied().filter(|key| !given(key)).collect();
                meant.extend(nearest(name, free.iter().copied()));
                self.report(unknown_key(name, &allowed, &free).under(name).at_key());
            }
        }
        for key in facets.iter().flat_map(|facet| required(facet)) {
            // A misspelt key is one mistake, not two.
            if !given(key) && !meant.contains(&key) {
                let mut problem = Problem::new(Code::MissingKey, format!("missing key `{key}`"));
                let property = facets.iter().find_map(|facet| facet.get("properties")?.get(key));
                problem.help = property.and_then(|property| self.schema.about(property, key));
                // There is nothing at that place, so it is shown where the mapping is.
                self.report(problem.under(key));
            }
        }
        for facet in facets {
            self.size(entries.len() as u64, facet);
        }
    }

    /// Checks a key's value; false if no schema knows the key.
    fn value(&mut self, name: &str, value: &Node, facets: &[&'s Json]) -> bool {
        let mut known = Vec::new();
        for facet in facets {
            let property = facet.get("properties").and_then(|all| all.get(name));
            let patterns = facet.get("patternProperties").and_then(Json::as_object);
            let matching = patterns
                .into_iter()
                .flatten()
                .filter(|(pattern, _)| Regex::new(pattern).is_ok_and(|regex| regex.is_match(name)));
            known.extend(property.into_iter().chain(matching.map(|(_, schema)| schema)));
        }
        if known.is_empty() {
            let rest = facets.iter().filter_map(|facet| facet.get("additionalProperties"));
            known.extend(rest.filter(|rest| rest.is_object()));
        }
        if known.iter().any(|schema| is_not_yet(schema)) {
            let problem = Problem::new(Code::NotYet, format!("`{name}` is not available yet"));
            self.report(problem.under(name).at_key());
            return true;
        }
        for schema in &known {
            self.below(name, value, schema);
        }
        !known.is_empty()
    }

    /// Checks a key as a text of its own.
    fn key(&mut self, key: &Node, name: &str, facets: &[&'s Json]) {
        for names in facets.iter().filter_map(|facet| facet.get("propertyNames")) {
            let mut all = Vec::new();
            let problem = match self.gather(key, names, &mut all, 0) {
                Err(problem) => Some(*problem),
                Ok(()) => scalar::wrong_word(key, &all)
                    .or_else(|| all.iter().find_map(|facet| scalar::problem(key, facet)))
                    .map(|mut problem| {
                        problem.code = Code::BadName;
                        problem
                    }),
            };
            if let Some(problem) = problem {
                self.report(problem.under(name).at_key());
            }
        }
    }

    fn size(&mut self, found: u64, schema: &Json) {
        let limit = |keyword: &str| schema.get(keyword).and_then(Json::as_u64);
        let keys = |count: u64| format!("{count} key{}", if count == 1 { "" } else { "s" });
        let expected = match (limit("minProperties"), limit("maxProperties")) {
            (Some(low), _) if found < low => format!("at least {}", keys(low)),
            (_, Some(high)) if found > high => format!("at most {}", keys(high)),
            _ => return,
        };
        let message = format!("expected {expected}, found {found}");
        self.report(Problem::new(Code::BadValue, message));
    }
}

/// The keys that a schema names, without those that are not available yet.
fn available_keys(schema: &Json) -> impl Iterator<Item = &str> {
    let properties = schema.get("properties").and_then(Json::as_object).into_iter().flatten();
    properties.filter(|(_, property)| !is_not_yet(property)).map(|(key, _)| key.as_str())
}

/// A key that does not belong here; `free` are the allowed ones that are not there yet.
pub(super) fn unknown_key(name: &str, allowed: &[&str], free: &[&str]) -> Problem {
    if allowed.is_empty() {
        let message = format!("unknown key `{name}`; no keys are expected here");
        return Problem::new(Code::UnknownKey, message);
    }
    let expected = one_of(allowed.iter().copied());
    let message = format!("unknown key `{name}`; expected {expected}");
    let problem = Problem::new(Code::UnknownKey, message);
    let problem = if name.contains(' ') {
        problem.help("inside `{…}`, a text that holds a comma needs quotes")
    } else {
        problem
    };
    problem.nearest(name, free.iter().copied())
}
