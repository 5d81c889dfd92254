//! Which scores make which segment.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::problem::{Code, Problem, Step};

/// Who is in no rule.
pub const OTHER: &str = "Other";
/// The scores that the usual segments are of.
const USUAL_BINS: u32 = 5;

/// A segment and the scores of those in it; what is left out may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What the segment is called.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The least and the greatest score of recency.
    #[serde(default)]
    pub recency: Option<[u32; 2]>,
    /// The least and the greatest score of frequency.
    #[serde(default)]
    pub frequency: Option<[u32; 2]>,
    /// The least and the greatest score of monetary value.
    #[serde(default)]
    pub monetary: Option<[u32; 2]>,
    /// The least and the greatest mean of frequency and monetary, half a point rounded up.
    #[serde(default)]
    pub value: Option<[u32; 2]>,
}

impl Rule {
    fn ranges(&self) -> [(&'static str, Option<[u32; 2]>); 4] {
        [("recency", self.recency), ("frequency", self.frequency), ("monetary", self.monetary), ("value", self.value)]
    }

    fn holds(&self, [recency, frequency, monetary]: [u32; 3]) -> bool {
        let scores = [recency, frequency, monetary, value(frequency, monetary)];
        let mut ranges = self.ranges().into_iter().zip(scores);
        ranges.all(|((_, range), score)| range.is_none_or(|[low, high]| (low..=high).contains(&score)))
    }
}

/// One of the usual segments: ranges of recency and value.
pub struct Usual {
    pub name: &'static str,
    recency: [u32; 2],
    value: [u32; 2],
}

impl Usual {
    /// Every pair of scores is in one of them.
    pub const ALL: [Usual; 11] = [
        Usual { name: "Champions", recency: [5, 5], value: [4, 5] },
        Usual { name: "Loyal", recency: [3, 4], value: [4, 5] },
        Usual { name: "Potential loyalists", recency: [4, 5], value: [2, 3] },
        Usual { name: "New", recency: [5, 5], value: [1, 1] },
        Usual { name: "Promising", recency: [4, 4], value: [1, 1] },
        Usual { name: "Need attention", recency: [3, 3], value: [3, 3] },
        Usual { name: "About to sleep", recency: [3, 3], value: [1, 2] },
        Usual { name: "Cannot lose them", recency: [1, 2], value: [5, 5] },
        Usual { name: "At risk", recency: [1, 2], value: [3, 4] },
        Usual { name: "Hibernating", recency: [2, 2], value: [1, 2] },
        Usual { name: "Lost", recency: [1, 1], value: [1, 2] },
    ];
}

/// The mean of two scores, half a point rounded up.
fn value(frequency: u32, monetary: u32) -> u32 {
    (frequency + monetary).div_ceil(2)
}

/// The first rule that holds.
pub fn by_rules(rules: &[Rule], scores: [u32; 3]) -> &str {
    rules.iter().find(|rule| rule.holds(scores)).map_or(OTHER, |rule| rule.name.as_str())
}

/// The usual segment of scores from 1 to `bins`.
pub fn usual(scores: [u32; 3], bins: u32) -> &'static str {
    let [recency, frequency, monetary] = scores.map(|score| (USUAL_BINS * score).div_ceil(bins.max(1)));
    let value = value(frequency, monetary);
    let holds = |[low, high]: [u32; 2], score: u32| (low..=high).contains(&score);
    let found = Usual::ALL.iter().find(|usual| holds(usual.recency, recency) && holds(usual.value, value));
    found.map_or(OTHER, |usual| usual.name)
}

/// Ranges that no score lies in, and names that are given twice.
pub fn problems(rules: &[Rule], bins: u32) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let place =
            |key: &'static str| [Step::from("with"), Step::from("segments"), Step::from(index), Step::from(key)];
        for (key, range) in rule.ranges() {
            let Some([low, high]) = range.filter(|[low, high]| low > high || *low < 1 || *high > bins) else {
                continue;
            };
            let message = format!("no score lies from {low} to {high}: they go from 1 to {bins}");
            problems.push(Problem::new(Code::BadValue, message).at(place(key)));
        }
        if rule.name == OTHER {
            let message = format!("`{OTHER}` is what those in no rule are called");
            problems.push(Problem::new(Code::DuplicateId, message).at(place("name")));
        }
        if rules.iter().take(index).any(|other| other.name == rule.name) {
            let message = format!("`{}` names two segments", rule.name);
            problems.push(Problem::new(Code::DuplicateId, message).at(place("name")));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_scores_has_one_usual_segment() {
        for bins in 2..=9 {
            for recency in 1..=bins {
                for frequency in 1..=bins {
                    assert_ne!(usual([recency, frequency, frequency], bins), OTHER, "{recency} {frequency} of {bins}");
                }
            }
        }
        let mut cells = 0;
        for Usual { recency, value, .. } in &Usual::ALL {
            cells += (recency[1] - recency[0] + 1) * (value[1] - value[0] + 1);
        }
        assert_eq!(cells, 25, "they do not overlap");
        assert_eq!(
            [[5, 5, 3], [1, 5, 5], [1, 1, 1], [3, 2, 3]].map(|scores| usual(scores, 5)),
            ["Champions", "Cannot lose them", "Lost", "Need attention"]
        );
        assert_eq!(usual([2, 2, 2], 2), "Champions");
    }

    #[test]
    fn the_first_rule_that_holds_counts() {
        let rules: Vec<Rule> = serde_json::from_value(serde_json::json!([
            {"name": "Whales", "monetary": [5, 5]},
            {"name": "Fresh", "recency": [4, 5], "value": [1, 3]},
        ]))
        .unwrap();
        let named = [[5, 1, 5], [5, 1, 4], [5, 4, 4]].map(|scores| by_rules(&rules, scores));
        assert_eq!(named, ["Whales", "Fresh", OTHER]);
        assert!(problems(&rules, 5).is_empty());
        let told: Vec<String> =
            problems(&[rules[0].clone(), rules[0].clone()], 4).into_iter().map(|p| p.message).collect();
        assert_eq!(told.len(), 3);
        assert!(told[0].contains("from 1 to 4"), "{told:?}");
    }
}
