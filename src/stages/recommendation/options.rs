//! The options that every recommender has: whom to serve what, and how to judge it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Span;
use crate::problem::{Code, Problem};
use crate::stages::model::Mode;

/// The parameters that say who is served what, and how lists are judged, and nothing of fitting.
pub const SERVING: &[&str] = &[
    "holdout",
    "splits",
    "top",
    "exclude_seen",
    "cold_start",
    "min_support",
    "allow",
    "deny",
    "stock",
    "diversity",
    "evaluate",
];

/// A recommender's parameters: its own, and in their midst those that every recommender has. `#[serde(flatten)]` would
/// lose the places of mistakes.
macro_rules! recommender {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The column that names the user.
            user: String,
            /// The column that names the item.
            item: String,
            /// The event time, which `holdout`, `half_life` and `exclude_seen: {after: …}` go by.
            #[serde(default)]
            time: Option<String>,
            /// The column that names the order, so that an item of one order counts once; without it what a user buys
            /// at one time is one order.
            #[serde(default)]
            order: Option<String>,
            /// The column that says what a row weighs; a pair of user and item weighs their sum, and counts only if
            /// that is above zero. Without it a pair weighs the number of its orders.
            #[serde(default)]
            weight: Option<String>,
            /// After this long a weight counts half; without it age does not matter.
            #[serde(default)]
            half_life: Option<super::options::Length>,
            $($own)*
            /// How much of the newest past is held out to judge by.
            #[serde(default)]
            holdout: Option<super::options::Length>,
            /// How many hold-outs, one before the other, get lists. The newest judges. The one before is what `hybrid`
            /// learns its weights from and `probability` its probabilities; 1 saves a third of the work.
            #[serde(default = "super::options::default_splits")]
            #[schemars(range(min = 1, max = 12))]
            splits: u32,
            /// How many items each user gets.
            #[serde(default = "super::options::default_top")]
            #[schemars(range(min = 1, max = 1000))]
            top: usize,
            /// Leave out what the user has met already. With it only what is new to a user counts as relevant in the
            /// evaluation; without it all does.
            #[serde(default)]
            exclude_seen: super::options::ExcludeSeen,
            /// What fills the lists of users of whom too little is known.
            #[serde(default)]
            cold_start: super::options::ColdStart,
            /// Items that fewer users have met are not recommended.
            #[serde(default = "super::options::default_min_support")]
            #[schemars(range(min = 1, max = 1_000_000))]
            min_support: u32,
            /// Only these items are recommended; without it, and without a table at `allowed`, all are.
            #[serde(default)]
            allow: Vec<super::options::Id>,
            /// These items are never recommended, nor are those of a table at `denied`.
            #[serde(default)]
            deny: Vec<super::options::Id>,
            /// The column of the table at `stock` that says what is there: a number above zero, or true.
            #[serde(default)]
            stock: Option<String>,
            /// Trades likeness to the user for difference within the list.
            #[serde(default)]
            diversity: Option<super::options::Diversity>,
            /// Adds the column `probability`, by which lists are then ordered: how likely the user meets the item in a
            /// time as long as the hold-out, learned from the hold-out before the one that judges.
            #[serde(default)]
            probability: bool,
            /// How lists are judged.
            #[serde(default)]
            evaluate: super::options::Evaluate,
            /// Fit and apply, only fit, or apply the newest model of an earlier run date.
            #[serde(default)]
            mode: $crate::stages::model::Mode,
        }

        impl super::options::HasOptions for $name {
            fn options(&self) -> super::options::Options<'_> {
                super::options::Options {
                    user: &self.user,
                    item: &self.item,
                    time: self.time.as_deref(),
                    order: self.order.as_deref(),
                    weight: self.weight.as_deref(),
                    half_life: self.half_life,
                    holdout: self.holdout,
                    splits: self.splits,
                    top: self.top,
                    exclude_seen: self.exclude_seen,
                    cold_start: self.cold_start,
                    min_support: self.min_support,
                    allow: &self.allow,
                    deny: &self.deny,
                    stock: self.stock.as_deref(),
                    diversity: self.diversity.as_ref(),
                    probability: self.probability,
                    evaluate: self.evaluate,
                    mode: self.mode,
                }
            }
        }
    };
}

/// A length of time, for the macro.
pub type Length = Span;

/// What has the options of every recommender.
pub trait HasOptions {
    fn options(&self) -> Options<'_>;
}

/// The options of every recommender.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pub user: &'a str,
    pub item: &'a str,
    pub time: Option<&'a str>,
    pub order: Option<&'a str>,
    pub weight: Option<&'a str>,
    pub half_life: Option<Span>,
    pub holdout: Option<Span>,
    pub splits: u32,
    pub top: usize,
    pub exclude_seen: ExcludeSeen,
    pub cold_start: ColdStart,
    pub min_support: u32,
    pub allow: &'a [Id],
    pub deny: &'a [Id],
    pub stock: Option<&'a str>,
    pub diversity: Option<&'a Diversity>,
    pub probability: bool,
    pub evaluate: Evaluate,
    pub mode: Mode,
}

pub fn default_splits() -> u32 {
    2
}

pub fn default_top() -> usize {
    10
}

pub fn default_min_support() -> u32 {
    1
}

/// An id as a pipeline writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", into = "String")]
#[schemars(with = "IdSchema")]
pub struct Id(pub String);

/// The two ways to write an id.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum IdSchema {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl TryFrom<serde_json::Value> for Id {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        match value {
            serde_json::Value::String(text) => Ok(Id(text)),
            serde_json::Value::Number(number) => Ok(Id(number.to_string())),
            other => Err(format!("an id is a whole number or text, not {other}")),
        }
    }
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        id.0
    }
}

/// Whether what a user has met already is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", untagged)]
#[schemars(with = "ExcludeSeenSchema")]
pub enum ExcludeSeen {
    /// Always, or never.
    Always(bool),
    /// For some time.
    For(SeenAfter),
}

/// The two ways to say it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ExcludeSeenSchema {
    /// Always, or never.
    Always(bool),
    /// For some time.
    For(SeenAfter),
}

/// For how long what was met is left out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenAfter {
    /// What was last met longer ago may be recommended again.
    pub after: Span,
}

impl Default for ExcludeSeen {
    fn default() -> Self {
        ExcludeSeen::Always(true)
    }
}

impl TryFrom<serde_json::Value> for ExcludeSeen {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        Ok(match value.as_bool() {
            Some(always) => ExcludeSeen::Always(always),
            None => ExcludeSeen::For(serde_json::from_value(value)?),
        })
    }
}

/// What users get of whom too little is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColdStart {
    /// As much as there is; the report says how many lists are short.
    #[default]
    None,
    /// The most popular items of the last days, as many as the hold-out has, or of all time without one.
    Popular,
}

/// Trades likeness to the user for difference within the list (maximal marginal relevance, Carbonell and Goldstein
/// 1998).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diversity {
    /// What difference counts against likeness: an item's score, from 0 to 1 within the list, times 1 − this, less its
    /// greatest cosine with those above it times this.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub strength: f64,
    /// At most so many items of one category.
    #[serde(default)]
    pub per_category: Option<PerCategory>,
    /// From how many of the best items the list is chosen; five times `top` by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 5000))]
    pub pool: Option<usize>,
}

impl Diversity {
    /// What would change nothing, or cannot be done for lists of `top` items.
    pub fn problems(&self, top: usize) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.strength == 0.0 && self.per_category.is_none() {
            let message = "neither a `strength` above zero nor `per_category` is given, so nothing changes";
            problems.push(Problem::new(Code::BadValue, message).at(["with", "diversity"]));
        }
        if self.pool.is_some_and(|pool| pool < top) {
            let message = format!("a list of {top} cannot be chosen from fewer");
            problems.push(Problem::new(Code::BadValue, message).at(["with", "diversity", "pool"]));
        }
        problems
    }
}

/// At most so many items of one category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PerCategory {
    /// The column of the table at `items` that names the category.
    pub column: String,
    /// How many.
    #[schemars(range(min = 1, max = 1000))]
    pub most: usize,
}

/// How lists are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
#[schemars(with = "EvaluateSchema")]
pub enum Evaluate {
    /// By time.
    #[default]
    Time,
    /// By the newest item of each user.
    LeaveLastOneOut,
    /// By users who were held out.
    StrongGeneralization(HeldOut),
    /// Not at all.
    None,
}

/// The ways to say it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum EvaluateSchema {
    /// In a word.
    Word(EvaluateWord),
    /// By users who were held out: fitted on all others, given a part of their items and judged by the rest.
    HeldOut(StrongGeneralization),
}

/// In a word.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EvaluateWord {
    /// By time: fitted on what came before run date − `holdout`, judged on what came after. What a shop meets.
    Time,
    /// By the newest item of each user, fitted on all others: for comparison with published tables. It sees other
    /// users' future.
    LeaveLastOneOut,
    /// By users who were held out (Liang et al. 2018), a tenth of them, 80 % of whose items are given.
    StrongGeneralization,
    /// Not at all.
    None,
}

/// By users who were held out.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StrongGeneralization {
    /// What is held out of whom.
    strong_generalization: HeldOut,
}

/// What is held out of whom, drawn at random from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    /// Which share of the users is held out.
    #[serde(default = "default_held_out_users")]
    #[schemars(range(min = 0.001, max = 0.5))]
    pub users: f64,
    /// Which share of their items is given.
    #[serde(default = "default_fold_in")]
    #[schemars(range(min = 0.05, max = 0.95))]
    pub fold_in: f64,
}

fn default_held_out_users() -> f64 {
    0.1
}

fn default_fold_in() -> f64 {
    0.8
}

impl Default for HeldOut {
    fn default() -> Self {
        HeldOut { users: default_held_out_users(), fold_in: default_fold_in() }
    }
}

impl TryFrom<serde_json::Value> for Evaluate {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        if value.is_object() {
            let given: StrongGeneralization = serde_json::from_value(value)?;
            return Ok(Evaluate::StrongGeneralization(given.strong_generalization));
        }
        Ok(match serde_json::from_value(value)? {
            EvaluateWord::Time => Evaluate::Time,
            EvaluateWord::LeaveLastOneOut => Evaluate::LeaveLastOneOut,
            EvaluateWord::StrongGeneralization => Evaluate::StrongGeneralization(HeldOut::default()),
            EvaluateWord::None => Evaluate::None,
        })
    }
}

impl From<Evaluate> for serde_json::Value {
    fn from(evaluate: Evaluate) -> Self {
        match evaluate {
            Evaluate::Time => "time".into(),
            Evaluate::LeaveLastOneOut => "leave_last_one_out".into(),
            Evaluate::StrongGeneralization(held_out) => serde_json::json!({ "strong_generalization": held_out }),
            Evaluate::None => "none".into(),
        }
    }
}

impl Options<'_> {
    /// How many items are scored for each user, of which the list is made.
    pub fn pool(&self) -> usize {
        match self.diversity {
            Some(diversity) => diversity.pool.unwrap_or(5 * self.top).max(self.top),
            None => self.top,
        }
    }

    /// Options that ask for what others do not give, each problem at its place.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = self.judging_problems();
        let timed = [
            (self.half_life.is_some(), "half_life", "a half-life"),
            (matches!(self.exclude_seen, ExcludeSeen::For(_)), "exclude_seen", "leaving out for some time"),
            (self.evaluate == Evaluate::LeaveLastOneOut, "evaluate", "leaving out the last one"),
        ];
        for (_, option, what) in timed.into_iter().filter(|(is_asked, ..)| *is_asked && self.time.is_none()) {
            problems.push(Problem::new(Code::MissingKey, format!("{what} needs `time`")).at(["with", option]));
        }
        if self.weight.is_some() && self.order.is_some() {
            let message = "rows that have a weight are added up, whatever their order";
            let problem = Problem::new(Code::BadValue, message).help("leave out `order` or `weight`");
            problems.push(problem.at(["with", "order"]));
        }
        problems.extend(self.diversity.map(|diversity| diversity.problems(self.top)).unwrap_or_default());
        problems
    }

    /// What of the options cannot judge; a model that is only applied is not judged.
    fn judging_problems(&self) -> Vec<Problem> {
        if self.mode == Mode::Apply {
            return vec![];
        }
        let mut problems = Vec::new();
        let lacking = |needed: &str, help: &str| {
            Problem::new(Code::MissingKey, format!("judging by time needs `{needed}`")).help(help).at(["with"])
        };
        match (self.evaluate == Evaluate::Time, self.time, self.holdout) {
            (true, None, _) => problems.push(lacking(
                "time",
                "name the event time, or say `evaluate: strong_generalization` or `evaluate: none`",
            )),
            (true, Some(_), None) => {
                problems
                    .push(lacking("holdout", "say how much of the newest past is held out, such as `holdout: 30d`"));
            }
            (false, _, Some(_)) => {
                let message = "nothing is held out by time, since `evaluate` says otherwise";
                problems.push(Problem::new(Code::BadValue, message).at(["with", "holdout"]));
            }
            _ => {}
        }
        if self.probability && (self.evaluate != Evaluate::Time || self.splits < 2) {
            let message = "probabilities are learned from a hold-out before the one that judges";
            let help = "they need `evaluate: time` and `splits: 2` at least";
            problems.push(Problem::new(Code::BadValue, message).help(help).at(["with", "probability"]));
        }
        problems
    }
}
