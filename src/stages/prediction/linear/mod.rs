//! Linear regression of a label that is a number.

mod charts;
mod evaluate;
mod facts;
mod fitted;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::design::{Choice, Scale};
use super::supervised::{Supervised, penalty_problem};
use crate::algorithms::linear;
use crate::metrics::evaluation::{Chart, Evaluation, Fact};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::model::Mode;
use crate::stages::protocol::SnapshotSplit;
use crate::table::{Column, type_name};
use evaluate::Judged;
use fitted::Fitted;

/// The expected value of a label that is a number, by linear regression.
///
/// The newest snapshot whose label is known evaluates; the snapshots whose label windows end before it train. The
/// baseline is the training rows' mean. The model that scores the run date is then fitted once more on all labelled
/// snapshots, with the same settings.
///
/// Features are numbers, truth values (0 and 1) and text. What is missing in a number becomes the median of the
/// training rows. Text becomes one column for each level that at least 10 training rows have; other levels, and missing
/// text, are zero in all of them. Columns that others determine are left out, and the evaluation names them.
///
/// The output `predictions` has one row per entity of the run date's snapshot: `prediction`, in the unit of the label,
/// and `model_version`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// The label, a number, such as `spend_next_90d`.
    #[schemars(length(min = 1))]
    target: String,
    /// The features: a list of columns, or `all`: every number, truth value and text of the table that is no label, not
    /// part of the key and not of class `direct_id`.
    #[serde(default)]
    features: Choice,
    /// What keeps coefficients small; nothing unless it is given (ordinary least squares).
    #[serde(default)]
    penalty: Penalty,
    /// How features are scaled before fitting.
    #[serde(default)]
    scale: Scale,
    /// Whether to fit, to apply a model of an earlier run date, or both.
    #[serde(default)]
    mode: Mode,
}

/// What keeps coefficients small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    /// Multiplies ‖w‖² against the summed squared errors, so it is scikit-learn's `alpha` of `Ridge`; the intercept is
    /// not penalized.
    #[schemars(range(min = 0.0))]
    pub l2: f64,
}

impl StageConfig for Linear {
    const KIND: &'static str = "linear";
    const FAMILY: &'static str = "prediction";
}

impl Supervised for Linear {
    type Learned = linear::Linear;
    const SCORE: &'static str = "prediction";

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
        penalty_problem(self.penalty.l2).into_iter().collect()
    }

    fn label_problem(&self, label: &Column) -> Option<Problem> {
        if label.dtype.is_primitive_numeric() || matches!(label.dtype, DataType::Decimal(..)) {
            return None;
        }
        let message =
            format!("`{}` is {}, and what is predicted here is a number", label.name, type_name(&label.dtype));
        let problem = Problem::new(Code::WrongColumnType, message).at(["with", "target"]);
        Some(match label.dtype {
            DataType::Boolean => problem.help("`logistic` predicts what is true or false"),
            _ => problem,
        })
    }

    fn fit(&self, rows: &DataFrame, features: &[String], horizon_days: u32) -> Result<Fitted, Failure> {
        fitted::fit(self, rows, features, horizon_days)
    }

    fn scores(fitted: &Fitted, rows: &DataFrame) -> Result<Vec<f64>, Failure> {
        fitted.predictions(rows)
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
        facts::of_fit(split, train, trial, served)
    }

    fn coefficients(served: &Fitted, rows: &DataFrame) -> Result<Chart, Failure> {
        charts::coefficients(served, rows)
    }
}
