//! The options that every kind that predicts has.

use std::collections::BTreeMap;

use polars::prelude::DataType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::design::{Choice, Prepare, Scale};
use super::task::Task;
use crate::problem::{Code, Problem};
use crate::stages::model::Mode;

/// A kind's parameters: its own, and around them those that every kind that predicts has. `#[serde(flatten)]` would lose
/// the places of mistakes. `classifies` adds those of kinds that tell classes apart.
macro_rules! predictor {
    ($(#[$meta:meta])* pub struct $name:ident { $($own:tt)* }) => {
        predictor! {
            @build [$(#[$meta])*] $name { $($own)* } {
                fn calibrate(&self) -> super::options::Calibrate {
                    super::options::Calibrate::None
                }

                fn threshold(&self) -> super::options::Threshold {
                    super::options::Threshold::default()
                }

                fn class_weight(&self) -> super::options::ClassWeight {
                    super::options::ClassWeight::None
                }
            }
        }
    };
    ($(#[$meta:meta])* classifies pub struct $name:ident { $($own:tt)* }) => {
        predictor! {
            @build [$(#[$meta])*] $name {
                $($own)*
                /// What a training row of a class weighs.
                #[serde(default)]
                class_weight: super::options::ClassWeight,
                /// What turns scores into probabilities that hold. It is learned from rows that the model did not see:
                /// three models, each fitted without a third of the entities, score that third.
                #[serde(default)]
                calibrate: super::options::Calibrate,
                /// From which probability on `decision` is true, for a target that is true or false: a number from 0 to
                /// 1, `f1` for the greatest F1, `{cost: {false_positive: 1, false_negative: 10}}` for the least cost, or
                /// `{capacity: 0.05}` for that share of the rows. What is chosen is chosen on rows that the model did
                /// not see, as for `calibrate`.
                #[serde(default)]
                threshold: super::options::Threshold,
            } {
                fn calibrate(&self) -> super::options::Calibrate {
                    self.calibrate
                }

                fn threshold(&self) -> super::options::Threshold {
                    self.threshold
                }

                fn class_weight(&self) -> super::options::ClassWeight {
                    self.class_weight
                }
            }
        }
    };
    (@build [$(#[$meta:meta])*] $name:ident { $($own:tt)* } { $($own_options:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The column to predict: of a table of snapshots a label, else any column; rows where it is null are scored.
            #[schemars(length(min = 1))]
            target: String,
            /// The features: a list of columns, or `all`: every number, truth value and text of the table that is no
            /// label, not part of the key, not of class `direct_id`, and not `unavailable_at_prediction`.
            #[serde(default)]
            features: super::design::Choice,
            /// Columns that are not known yet, or not as they will be, when rows are scored: never features.
            #[serde(default)]
            unavailable_at_prediction: Vec<String>,
            /// Features that may tell the target almost alone. Others are refused that reach a ROC AUC or an R² of .98 by
            /// themselves on the training rows: they mostly know the outcome.
            #[serde(default)]
            allow_leaks: Vec<String>,
            /// The column that says how often a training row counts in the fit and in calibration, a number at or above zero.
            /// Thresholds and measures count each row once.
            #[serde(default)]
            weight: Option<String>,
            /// How features become the columns that are learned from.
            #[serde(default)]
            prepare: super::design::Prepare,
            /// How these columns are scaled before fitting.
            #[serde(default)]
            scale: super::design::Scale,
            $($own)*
            /// How rows are held out to judge by. Of a table of snapshots the newest whose label is known by default,
            /// of other tables a quarter.
            #[serde(default)]
            validate: super::options::Validate,
            /// Chooses parameters out of a grid, on the training rows only.
            #[serde(default)]
            tune: Option<super::options::Tune>,
            /// Columns by whose values the evaluation is told apart as well, so that harm to a group shows.
            #[serde(default)]
            slice: Vec<String>,
            /// Whether to fit, to apply a model of an earlier run date, or both.
            #[serde(default)]
            mode: $crate::stages::model::Mode,
        }

        impl super::options::HasOptions for $name {
            fn options(&self) -> super::options::Options<'_> {
                super::options::Options {
                    target: &self.target,
                    features: &self.features,
                    unavailable: &self.unavailable_at_prediction,
                    allow_leaks: &self.allow_leaks,
                    weight: self.weight.as_deref(),
                    prepare: &self.prepare,
                    scale: self.scale,
                    validate: self.validate,
                    tune: self.tune.as_ref(),
                    slice: &self.slice,
                    mode: self.mode,
                    calibrate: self.calibrate(),
                    threshold: self.threshold(),
                    class_weight: self.class_weight(),
                }
            }
        }

        impl $name {
            $($own_options)*
        }
    };
}

/// What has the options of every kind that predicts.
pub trait HasOptions {
    fn options(&self) -> Options<'_>;
}

/// The options of every kind that predicts.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pub target: &'a str,
    pub features: &'a Choice,
    pub unavailable: &'a [String],
    pub allow_leaks: &'a [String],
    pub weight: Option<&'a str>,
    pub prepare: &'a Prepare,
    pub scale: Scale,
    pub validate: Validate,
    pub tune: Option<&'a Tune>,
    pub slice: &'a [String],
    pub mode: Mode,
    pub calibrate: Calibrate,
    pub threshold: Threshold,
    pub class_weight: ClassWeight,
}

/// What is predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Predicts {
    /// What the type of the target says: numbers with a fraction are predicted, all else are classes.
    #[default]
    ByType,
    /// Classes.
    Classes,
    /// A number.
    Number,
}

/// That linfa would pass over an option.
pub fn ignored_by_linfa(is_given: bool, what: &str, option: &'static str) -> Option<Problem> {
    let problem = || Problem::new(Code::BadValue, format!("the linfa engine ignores {what}"));
    is_given.then(|| problem().help("use `engine: native`").at(["with", option]))
}

impl Predicts {
    /// What a target of this type asks for.
    pub fn task(self, dtype: &DataType) -> Option<Task> {
        match self {
            Predicts::Classes => Task::of_classes(dtype),
            Predicts::Number => Task::of_numbers(dtype),
            Predicts::ByType => Task::of_classes(dtype).or_else(|| Task::of_numbers(dtype)),
        }
    }

    /// The targets in words, and what else would do.
    pub fn takes(self) -> (&'static str, &'static str) {
        match self {
            Predicts::Classes => ("true or false, text or a whole number", "`predicts: number` takes numbers"),
            Predicts::Number => ("a number", "`predicts: classes` tells classes apart"),
            Predicts::ByType => ("true or false, text or a number", "make it one of these"),
        }
    }
}

/// What a training row of a class weighs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// All classes weigh the same in all, however rare one is. The order of the customers hardly changes, but
    /// probabilities are then those of a world where all are equally frequent, unless `calibrate` mends them.
    Balanced,
    /// Every row weighs the same, so that probabilities are those to expect.
    #[default]
    None,
}

/// What turns scores into probabilities that hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calibrate {
    /// Nothing.
    #[default]
    None,
    /// A sigmoid (Platt 1999).
    Platt,
    /// A step function that rises (Zadrozny and Elkan 2002); for a thousand rows of each class and more.
    Isotonic,
}

/// From which probability on a decision is made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
#[schemars(with = "ThresholdSchema")]
pub enum Threshold {
    /// This one.
    At(f64),
    /// The one with the greatest F1.
    F1,
    /// The one with the least cost.
    Cost(Cost),
    /// The one that so large a share of the rows reaches.
    Capacity(f64),
}

/// The ways to say it.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ThresholdSchema {
    /// This one.
    At(#[schemars(range(min = 0, max = 1))] f64),
    /// By a word.
    Word(ThresholdWord),
    /// By what it leads to.
    By(ThresholdBy),
}

/// A word for a threshold.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(extend("x-expected" = "a number from 0 to 1, `f1`, `{cost: …}` or `{capacity: …}`"))]
#[expect(dead_code, reason = "only its schema is used")]
enum ThresholdWord {
    /// The one with the greatest F1.
    F1,
}

/// What a threshold leads to: one of the two.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ThresholdBy {
    /// What mistakes cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
    /// The share of the rows that a decision is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    capacity: Option<f64>,
}

/// What mistakes cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// A decision for a row whose target is false.
    #[schemars(range(min = 0))]
    pub false_positive: f64,
    /// None for one whose target is true.
    #[schemars(range(min = 0))]
    pub false_negative: f64,
}

impl Default for Threshold {
    fn default() -> Self {
        Threshold::At(0.5)
    }
}

impl TryFrom<serde_json::Value> for Threshold {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        use serde::de::Error;
        if let Some(at) = value.as_f64() {
            return Ok(Threshold::At(at));
        }
        if value.as_str() == Some("f1") {
            return Ok(Threshold::F1);
        }
        let by: ThresholdBy = serde_json::from_value(value)?;
        match (by.cost, by.capacity) {
            (Some(cost), None) => Ok(Threshold::Cost(cost)),
            (None, Some(share)) => Ok(Threshold::Capacity(share)),
            _ => Err(Self::Error::custom("a threshold is chosen by `cost` or by `capacity`, by one of them")),
        }
    }
}

impl From<Threshold> for serde_json::Value {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::At(at) => at.into(),
            Threshold::F1 => "f1".into(),
            Threshold::Cost(cost) => serde_json::json!({ "cost": cost }),
            Threshold::Capacity(share) => serde_json::json!({ "capacity": share }),
        }
    }
}

/// How rows are held out to judge by; at most one of its parts is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Validate {
    /// Of a table without snapshots: the share of the rows that judges, of each class the same; a quarter by default.
    #[schemars(range(min = 0.01, max = 0.9))]
    pub share: Option<f64>,
    /// Of a table without snapshots: so many parts, each of which judges a model that was fitted on the others.
    #[schemars(range(min = 2, max = 20))]
    pub folds: Option<u32>,
    /// Of a table of snapshots: so many of the newest whose labels are known, each of which judges a model that was
    /// fitted on those whose label windows end before it; 1 by default. Of another table that tells its event time: so
    /// many parts of the same size, each of which judges a model of all rows before it.
    #[schemars(range(min = 1, max = 60))]
    pub time_folds: Option<u32>,
}

/// A grid of parameters, of which the best are taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tune {
    /// The measure that decides: `roc_auc` (the default), `average_precision`, `log_loss` or `brier` of a target that is
    /// true or false; `log_loss` (the default), `accuracy`, `balanced_accuracy` or `macro_f1` of classes; `rmse` (the
    /// default), `mae` or `r2` of a number.
    #[serde(default)]
    pub by: Option<String>,
    /// So many parts of the training rows judge, each a model that was fitted on the others; of a table of snapshots the
    /// entities are parted.
    #[serde(default = "default_folds")]
    #[schemars(range(min = 2, max = 20))]
    pub folds: u32,
    /// Parameter to the values that are tried, such as `penalty.l2: [0.1, 1, 10]`; all combinations are, at most 500.
    pub grid: BTreeMap<String, Vec<serde_json::Value>>,
}

fn default_folds() -> u32 {
    3
}

/// Combinations above which a grid is refused.
pub const TRIALS_MAX: usize = 500;

impl Options<'_> {
    /// Everything wrong with them whatever the table, placed under `with`.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = self.features.check();
        let Validate { share, folds, time_folds } = self.validate;
        let given = usize::from(share.is_some()) + usize::from(folds.is_some()) + usize::from(time_folds.is_some());
        if given > 1 {
            let message = "rows are held out in one way: `share`, `folds` or `time_folds`";
            problems.push(Problem::new(Code::BadValue, message).at(["with", "validate"]));
        }
        let bad = |message: String| Problem::new(Code::BadValue, message).at(["with", "threshold"]);
        match self.threshold {
            Threshold::At(at) | Threshold::Capacity(at) if !(0.0..=1.0).contains(&at) => {
                problems.push(bad(format!("expected a number from 0 to 1, found {at}")));
            }
            Threshold::Cost(Cost { false_positive, false_negative })
                if !(false_positive >= 0.0 && false_negative >= 0.0 && false_positive + false_negative > 0.0) =>
            {
                problems.push(bad("costs are numbers at or above zero, one of them above it".to_owned()));
            }
            _ => {}
        }
        if let Some(tune) = self.tune {
            problems.extend(tune.problems());
        }
        problems
    }
}

impl Tune {
    fn problems(&self) -> Vec<Problem> {
        let bad = |message: String| Problem::new(Code::BadValue, message).at(["with", "tune", "grid"]);
        let mut problems = Vec::new();
        for (name, values) in &self.grid {
            if values.is_empty() {
                problems.push(bad(format!("`{name}` has no value to try")));
            }
            let first = name.split('.').next().unwrap_or_default();
            if FIXED.contains(&first) {
                problems.push(bad(format!("`{name}` says what is predicted or judged, so it cannot be tuned")));
            }
            if COLUMNS.contains(&first) {
                let message = format!("`{name}` names columns, which are not tuned; a `compare` stage may try several");
                problems.push(bad(message));
            }
        }
        let trials = self.grid.values().map(Vec::len).fold(1, usize::saturating_mul);
        if trials > TRIALS_MAX {
            problems.push(bad(format!("{trials} combinations are more than the {TRIALS_MAX} allowed")));
        }
        if self.grid.is_empty() {
            problems.push(bad("the grid is empty".to_owned()));
        }
        if !(2..=20).contains(&self.folds) {
            let message = format!("expected 2 to 20 folds, found {}", self.folds);
            problems.push(Problem::new(Code::BadValue, message).at(["with", "tune", "folds"]));
        }
        problems
    }

    /// All combinations, each as parameter and value.
    pub fn trials(&self) -> Vec<Vec<(&str, &serde_json::Value)>> {
        let mut trials: Vec<Vec<(&str, &serde_json::Value)>> = vec![vec![]];
        for (name, values) in &self.grid {
            let before = std::mem::take(&mut trials);
            for trial in before {
                trials.extend(values.iter().map(|value| [trial.as_slice(), &[(name.as_str(), value)]].concat()));
            }
        }
        trials
    }
}

/// Parameters whose columns a plan must know.
const COLUMNS: [&str; 3] = ["features", "prepare", "weight"];

/// Parameters that are not tuned.
const FIXED: [&str; 10] = [
    "target",
    "validate",
    "tune",
    "slice",
    "mode",
    "allow_leaks",
    "unavailable_at_prediction",
    "threshold",
    "calibrate",
    "predicts",
];
