//! Logistic regression of a yes-or-no label.

mod charts;
mod evaluate;
mod facts;
mod fitted;
mod options;
mod single;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::design::{Choice, Scale};
use super::supervised::{Supervised, penalty_problem};
use crate::algorithms::logistic;
use crate::metrics::evaluation::{Chart, Evaluation, Fact};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::model::Mode;
use crate::stages::protocol::SnapshotSplit;
use crate::table::{Column, type_name};
use evaluate::Judged;
use fitted::Fitted;
use options::{Calibrate, ClassWeight, Engine, Penalty};

/// The probability that a yes-or-no label will be true, by logistic regression.
///
/// The newest snapshot whose label is known evaluates; the snapshots whose label windows end before
/// it train. The baseline is the training rows' share of positives. The model that scores the run
/// date is then fitted once more on all labelled snapshots, with the same settings.
///
/// Features are numbers, truth values (0 and 1) and text. What is missing in a number becomes the
/// median of the training rows. Text becomes one column for each level that at least 10 training
/// rows have; other levels, and missing text, are zero in all of them.
///
/// The output `predictions` has one row per entity of the run date's snapshot: `probability` and
/// `model_version`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// The label, of type `bool`, such as `buys_90d`.
    #[schemars(length(min = 1))]
    target: String,
    /// The features: a list of columns, or `all`: every number, truth value and text of the table
    /// that is no label, not part of the key and not of class `direct_id`.
    #[serde(default)]
    features: Choice,
    /// What keeps coefficients small.
    #[serde(default)]
    penalty: Penalty,
    /// What a training row weighs.
    #[serde(default)]
    class_weight: ClassWeight,
    /// How features are scaled before fitting.
    #[serde(default)]
    scale: Scale,
    /// Who fits.
    #[serde(default)]
    engine: Engine,
    /// What turns scores into probabilities that hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-not-yet" = true))]
    calibrate: Option<Calibrate>,
    /// Whether to fit, to apply a model of an earlier run date, or both.
    #[serde(default)]
    mode: Mode,
}

impl StageConfig for Logistic {
    const KIND: &'static str = "logistic";
    const FAMILY: &'static str = "prediction";
}

impl Supervised for Logistic {
    type Learned = logistic::Logistic;
    const SCORE: &'static str = "probability";

    fn target(&self) -> &str {
        &self.target
    }

    fn features(&self) -> &Choice {
        &self.features
    }

    fn mode(&self) -> Mode {
        self.mode
    }

    fn own_problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = penalty_problem(self.penalty.l2).into_iter().collect();
        if self.engine == Engine::Linfa && self.class_weight == ClassWeight::Balanced {
            let problem = Problem::new(Code::BadValue, "the linfa engine ignores class weights");
            problems.push(problem.help("use `engine: native`, or `class_weight: none`").at(["with", "class_weight"]));
        }
        if self.calibrate.is_some() {
            problems.push(
                Problem::new(Code::NotYet, "`calibrate` is not available yet").at(["with", "calibrate"]).at_key(),
            );
        }
        problems
    }

    fn label_problem(&self, label: &Column) -> Option<Problem> {
        if label.dtype == DataType::Boolean {
            return None;
        }
        let message =
            format!("`{}` is {}, and what is predicted here is of type bool", label.name, type_name(&label.dtype));
        let problem = Problem::new(Code::WrongColumnType, message);
        Some(problem.help("make it a condition, such as `SUM(amount) > 0`").at(["with", "target"]))
    }

    fn fit(&self, rows: &DataFrame, features: &[String], horizon_days: u32) -> Result<Fitted, Failure> {
        fitted::fit(self, rows, features, horizon_days)
    }

    fn scores(fitted: &Fitted, rows: &DataFrame) -> Result<Vec<f64>, Failure> {
        fitted.probabilities(rows)
    }

    fn judge(
        &self,
        trial: &Fitted,
        train: &DataFrame,
        held: &DataFrame,
        evaluated: NaiveDate,
        context: &StageContext,
    ) -> Result<Evaluation, Failure> {
        Judged::new(trial, train, held)?.evaluation(evaluated, context)
    }

    fn facts(&self, split: &SnapshotSplit, train: &DataFrame, trial: &Fitted, served: &Fitted) -> Vec<Fact> {
        facts::of_fit(self, split, train, trial, served)
    }

    fn coefficients(served: &Fitted, rows: &DataFrame) -> Result<Chart, Failure> {
        charts::coefficients(served, rows)
    }
}
