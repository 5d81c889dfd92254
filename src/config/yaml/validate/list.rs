//! Checks of a list.

use serde_json::Value as Json;

use super::super::node::Node;
use super::{Check, schema};
use crate::problem::{Code, Problem};

impl<'s> Check<'s> {
    /// Length, repetition, and each item.
    pub(super) fn list(&mut self, items: &[Node], facets: &[&'s Json]) {
        for facet in facets {
            if let Some(problem) = wrong_length(items.len() as u64, facet) {
                self.report(problem);
            }
            if facet.get("uniqueItems") == Some(&Json::Bool(true)) {
                self.repeated(items);
            }
            let first: Vec<&Json> = schema::parts(facet, "prefixItems").collect();
            for (index, (item, schema)) in items.iter().zip(&first).enumerate() {
                self.below(index, item, schema);
            }
            // `items: false` behind a tuple only repeats its length.
            if let Some(rest) = facet.get("items").filter(|rest| !rest.is_boolean()) {
                for (index, item) in items.iter().enumerate().skip(first.len()) {
                    self.below(index, item, rest);
                }
            }
        }
    }

    fn repeated(&mut self, items: &[Node]) {
        for (index, item) in items.iter().enumerate() {
            let earlier = items.iter().take(index).position(|earlier| earlier.same(item));
            if let Some(earlier) = earlier {
                let what = item.as_str().map_or("the item".to_owned(), |text| format!("`{text}`"));
                let problem = Problem::new(Code::BadValue, format!("{what} is listed twice"));
                let help = format!("it is item {} already", earlier + 1);
                self.report(problem.help(help).under(index));
            }
        }
    }
}

fn wrong_length(found: u64, schema: &Json) -> Option<Problem> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Json::as_u64);
    let (low, high) = (limit("minItems"), limit("maxItems"));
    let refused = low.is_some_and(|low| found < low) || high.is_some_and(|high| found > high);
    let expected = match (low, high) {
        (Some(low), Some(high)) if low == high => items(low),
        (Some(low), Some(high)) => format!("{low} to {}", items(high)),
        (Some(low), None) => format!("at least {}", items(low)),
        (None, Some(high)) => format!("at most {}", items(high)),
        (None, None) => return None,
    };
    let found = if found == 0 { "an empty list".to_owned() } else { items(found) };
    refused.then(|| Problem::new(Code::BadValue, format!("expected {expected}, found {found}")))
}

fn items(count: u64) -> String {
    format!("{count} item{}", if count == 1 { "" } else { "s" })
}
