use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::DataType;
use serde::{Deserialize, Serialize};

use super::design::facts::NAMES_MAX;
use super::learner::{Lesson, Predictor, Trained};
use super::options::ignored_by_linfa;
use super::penalty::{Penalty, penalty_problems};
use super::task::{Target, Task};
use crate::algorithms::elastic::{self, Elastic, ElasticError};
use crate::algorithms::linear;
use crate::format;
use crate::metrics::evaluation::{Chart, Fact};
use crate::problem::Problem;
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::engine::Engine;
use crate::stages::watch;

predictor! {
    /// The expected value of a number, by linear regression: ordinary least squares, ridge, lasso or elastic net.
    ///
    /// It minimizes the sum over rows of weight · (y − x·w − b)² + `penalty.l2` · ‖w‖² + `penalty.l1` · ‖w‖₁; the intercept b
    /// is not penalized. Without a penalty of l1 it is solved by reflections, so that columns which others determine
    /// are found; they are left out, and the evaluation names them. Coefficients come with intervals then. With
    /// `log_target` ln(1 + y) is learned, and the prediction is its mean (Duan 1983).
    ///
    /// Of a table of snapshots the newest whose label is known judges, and the snapshots whose label windows end before it
    /// train; then all are fitted once more with the same settings, and the run date is scored. Of a table without
    /// snapshots rows whose target is null are scored. The baseline is the training rows' mean.
    ///
    /// What is missing in a number becomes the median of the training rows, with a column that says so. Text becomes one
    /// column for each level that enough training rows have, and one for the others where enough have one.
    ///
    /// The output `predictions` has one row an entity: `prediction`, `percentile` (the share of rows with a lower one and half
    /// of those with the same, times 100), `reason_1` to `reason_3` (the features that moved it most from the mean, with the sign of the move) and
    /// `model_version`.
    pub struct Linear {
        /// What keeps coefficients small; nothing unless it is given.
        #[serde(default)]
        penalty: Penalty,
        /// Learns ln(1 + y), for amounts that a few large values would rule; the target is then at or above zero.
        #[serde(default)]
        log_target: bool,
        /// Who fits: `linfa` knows least squares without weights and penalties, and gives no intervals.
        #[serde(default)]
        engine: Engine,
    }
}

impl StageConfig for Linear {
    const KIND: &'static str = "linear";
    const FAMILY: &'static str = "prediction";
}

/// Half the width of a 95 % interval in standard errors, of many rows.
const NORMAL_95: f64 = 1.959_963_984_540_054;
/// How many coefficients are shown, the largest first.
const COEFFICIENTS_MAX: usize = 20;
/// The most columns, and the most rows times columns squared: minutes on two cores.
const COLUMNS_MAX: usize = 2000;
const WORK_MAX: u64 = 1_000_000_000_000;

/// What is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learned {
    LeastSquares(linear::Linear),
    Elastic(Elastic),
}

impl Learned {
    fn coefficients(&self) -> &[f64] {
        match self {
            Learned::LeastSquares(fitted) => &fitted.coefficients,
            Learned::Elastic(fitted) => &fitted.coefficients,
        }
    }
}

impl Predictor for Linear {
    type Learned = Learned;
    const TELLS_CLASSES: bool = false;

    fn task(&self, dtype: &DataType) -> Option<Task> {
        Task::of_numbers(dtype)
    }

    fn takes(&self) -> (&'static str, &'static str) {
        ("a number", "`logistic` predicts what is true or false, or one of some classes")
    }

    fn own_problems(&self) -> Vec<Problem> {
        let mut problems = penalty_problems(self.penalty);
        let is_linfa = self.engine == Engine::Linfa;
        problems.extend(ignored_by_linfa(is_linfa && self.weight.is_some(), "weights", "weight"));
        let is_penalized = self.penalty.l1 > 0.0 || self.penalty.l2 > 0.0;
        problems.extend(ignored_by_linfa(is_linfa && is_penalized, "penalties", "penalty"));
        problems
    }

    fn log_target(&self) -> bool {
        self.log_target
    }

    fn name(&self, _: Task) -> String {
        let of = match (self.penalty.l1 > 0.0, self.penalty.l2 > 0.0) {
            (true, true) => ", elastic net",
            (true, false) => ", lasso",
            (false, true) => ", ridge",
            (false, false) => "",
        };
        format!("linear regression{of}{}", if self.log_target { " of ln(1 + y)" } else { "" })
    }

    fn fit(&self, lesson: &Lesson<'_>, context: &StageContext) -> Result<Learned, Failure> {
        let Target::Number(values) = lesson.target else { return Err(Failure::bug("the target is no number")) };
        let (rows, width) = lesson.x.dim();
        let work = (width as u64).saturating_mul(width as u64).saturating_mul(rows as u64);
        if width > COLUMNS_MAX || work > WORK_MAX {
            return Err(Failure::TooLarge(format!(
                "{} rows × {width} columns are more than linear regression takes here (at most {COLUMNS_MAX} columns, \
                 and fewer of many rows); leave out text with many levels, or use fewer snapshots",
                format::thousands(rows as u64)
            )));
        }
        if self.engine == Engine::Linfa {
            let fitted = linear::fit_linfa(lesson.x, values).map(Learned::LeastSquares);
            return fitted.map_err(|error| Failure::data(format!("failed to {error}; use `engine: native`")));
        }
        if self.penalty.l1 == 0.0 {
            let fitted = linear::fit_weighted(lesson.x, values, lesson.weights, self.penalty.l2);
            return fitted.map(Learned::LeastSquares).map_err(|error| Failure::data(format!("failed to {error}")));
        }
        // The kernel has half the squares.
        let penalty = elastic::Penalty { l1: self.penalty.l1 / 2.0, l2: self.penalty.l2 };
        let params = elastic::Params::default();
        let keep_going = || !context.cancel.is_set();
        elastic::fit(lesson.x, values, lesson.weights, &penalty, &params, &keep_going).map(Learned::Elastic).map_err(
            |error| match error {
                ElasticError::Stopped => Failure::Cancelled,
                other => Failure::data(format!("failed to {other}")),
            },
        )
    }

    fn scores(learned: &Learned, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Failure> {
        let found = match learned {
            Learned::LeastSquares(fitted) => fitted.predict(x),
            Learned::Elastic(fitted) => fitted.predict(x),
        };
        let found = found.map_err(|error| Failure::data(format!("failed to {error}")))?;
        Ok(found.insert_axis(Axis(1)))
    }

    fn effects(learned: &Learned) -> Option<Array2<f64>> {
        let own = learned.coefficients();
        Array2::from_shape_vec((1, own.len()), own.to_vec()).ok()
    }

    fn facts(&self, trained: &Trained<Learned>) -> Vec<Fact> {
        let terms = trained.design.terms();
        match &trained.learned {
            Learned::LeastSquares(fitted) => {
                let names: Vec<String> =
                    fitted.dependent.iter().filter_map(|place| Some(terms.get(*place)?.to_string())).collect();
                let listed = format::list(names.iter().map(String::as_str), NAMES_MAX);
                let fact = Fact::new("left out", format!("{listed}: constant, or other columns determine them"));
                (!names.is_empty()).then_some(fact).into_iter().collect()
            }
            Learned::Elastic(fitted) => {
                let zero = fitted.coefficients.iter().filter(|value| **value == 0.0).count();
                let all = fitted.coefficients.len();
                let rest = if fitted.converged { "converged" } else { "did not converge" };
                let value = format!("{rest} after {} sweeps; {zero} of {all} coefficients are zero", fitted.iterations);
                vec![Fact::new("fit", value)]
            }
        }
    }

    fn warnings(&self, trained: &Trained<Learned>) -> Vec<String> {
        match &trained.learned {
            Learned::LeastSquares(_) => vec![],
            Learned::Elastic(fitted) => watch::unfinished(fitted.converged).into_iter().collect(),
        }
    }

    fn picture(&self, trained: &Trained<Learned>, deviations: &[f64]) -> Option<Chart> {
        let (errors, dependent): (Option<&Vec<f64>>, &[usize]) = match &trained.learned {
            Learned::LeastSquares(fitted) => (fitted.standard_errors.as_ref(), &fitted.dependent),
            Learned::Elastic(_) => (None, &[]),
        };
        let terms = trained.design.terms().into_iter().map(|term| term.to_string());
        let mut found: Vec<(String, f64, Option<f64>)> = terms
            .zip(trained.learned.coefficients().iter().zip(deviations))
            .enumerate()
            .filter(|(place, _)| !dependent.contains(place))
            .map(|(place, (term, (coefficient, deviation)))| {
                let error = errors.and_then(|errors| Some(errors.get(place)? * deviation));
                (term, coefficient * deviation, error)
            })
            .collect();
        found.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        let signed = |value: f64| format!("{}{}", if value > 0.0 { "+" } else { "" }, format::number(value));
        let row = |(term, coefficient, error): (String, f64, Option<f64>)| {
            let interval = error.map_or_else(String::new, |error| {
                format!("{} to {}", signed(coefficient - NORMAL_95 * error), signed(coefficient + NORMAL_95 * error))
            });
            vec![term, signed(coefficient), interval]
        };
        Some(Chart::Table {
            title: "Largest coefficients of the served model".to_owned(),
            columns: ["feature", "change per deviation", "95 % interval"].map(str::to_owned).to_vec(),
            rows: found.into_iter().take(COEFFICIENTS_MAX).map(row).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
