use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::DataType;
use serde::{Deserialize, Serialize};

use super::learner::{Lesson, Predictor, Trained};
use super::options::{Calibrate, ClassWeight, ignored_by_linfa};
use super::penalty::{Penalty, penalty_problems};
use super::task::{Target, Task};
use crate::algorithms::softmax::{self, Softmax, SoftmaxError};
use crate::metrics::evaluation::{Chart, Fact};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::engine::Engine;
use crate::stages::watch;

predictor! {
    /// The probability of what is true or false, or of each of several classes, by logistic regression.
    ///
    /// It minimizes the sum over rows of weight · −log(probability of what happened) + `penalty.l2` · ½‖w‖² +
    /// `penalty.l1` · ‖w‖₁; intercepts are not penalized. A target of text or whole numbers has 2 to 50 classes, each of
    /// which gets coefficients.
    ///
    /// Of a table of snapshots the newest whose label is known judges, and the snapshots whose label windows end before it
    /// train; then all are fitted once more with the same settings, and the run date is scored. Of a table without
    /// snapshots rows whose target is null are scored. The baseline is the training rows' share of each class.
    ///
    /// What is missing in a number becomes the median of the training rows, with a column that says so. Text becomes one
    /// column for each level that enough training rows have, and one for the others where enough have one.
    ///
    /// The output `predictions` has one row an entity: `probability`, `percentile` (the share of rows with a lower one and half of those with the same,
    /// times 100) and `decision` for a target that is true or false, else `prediction` (a class) and its `probability`;
    /// `reason_1` to `reason_3` (the features that moved the log-odds most from the mean, with the sign of the move) and
    /// `model_version`. The output `probabilities` has one row an entity and `class`.
    classifies pub struct Logistic {
        /// What keeps coefficients small; l2 of 1 unless it is given.
        #[serde(default = "default_penalty")]
        penalty: Penalty,
        /// Who fits: `linfa` takes targets that are true or false, and knows no weights and no l1.
        #[serde(default)]
        engine: Engine,
    }
}

fn default_penalty() -> Penalty {
    Penalty { l1: 0.0, l2: 1.0 }
}

impl StageConfig for Logistic {
    const KIND: &'static str = "logistic";
    const FAMILY: &'static str = "prediction";
}

/// How many coefficients are shown, the largest first.
const COEFFICIENTS_MAX: usize = 20;

/// What is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learned {
    /// Of a target that is true or false.
    Binary(Softmax),
    /// Of several classes.
    Classes(Softmax),
    /// Of a target that is true or false, by linfa.
    Linfa(Softmax),
}

impl Learned {
    fn fitted(&self) -> &Softmax {
        let (Learned::Binary(fitted) | Learned::Classes(fitted) | Learned::Linfa(fitted)) = self;
        fitted
    }
}

impl Predictor for Logistic {
    type Learned = Learned;
    const TELLS_CLASSES: bool = true;

    fn task(&self, dtype: &DataType) -> Option<Task> {
        Task::of_classes(dtype)
    }

    fn takes(&self) -> (&'static str, &'static str) {
        (
            "true or false, text or a whole number",
            "make it a condition, such as `SUM(amount) > 0`, or predict the number with `linear`",
        )
    }

    fn own_problems(&self) -> Vec<Problem> {
        let mut problems = penalty_problems(self.penalty);
        let is_linfa = self.engine == Engine::Linfa;
        problems.extend(ignored_by_linfa(
            is_linfa && self.class_weight == ClassWeight::Balanced,
            "weights",
            "class_weight",
        ));
        problems.extend(ignored_by_linfa(is_linfa && self.weight.is_some(), "weights", "weight"));
        problems.extend(ignored_by_linfa(is_linfa && self.penalty.l1 > 0.0, "a penalty of l1", "penalty"));
        problems
    }

    fn idle(&self, task: Task) -> Vec<Problem> {
        let is_wrong = self.engine == Engine::Linfa && task == Task::Classes;
        let problem = Problem::new(Code::BadValue, "the linfa engine takes targets that are true or false only");
        is_wrong.then(|| problem.help("use `engine: native`").at(["with", "engine"])).into_iter().collect()
    }

    fn name(&self, task: Task) -> String {
        match task {
            Task::Classes => "multinomial logistic regression".to_owned(),
            _ => "logistic regression".to_owned(),
        }
    }

    fn fit(&self, lesson: &Lesson<'_>, context: &StageContext) -> Result<Learned, Failure> {
        if self.engine == Engine::Linfa {
            let Target::Binary(truth) = lesson.target else {
                return Err(Failure::bug("the linfa engine takes targets that are true or false only"));
            };
            let fitted = softmax::linfa::fit(lesson.x, truth, self.penalty.l2);
            return fitted.map(Learned::Linfa).map_err(|error| Failure::data(format!("failed to {error}")));
        }
        let penalty = softmax::Penalty { l1: self.penalty.l1, l2: self.penalty.l2 };
        let (classes, count) = (lesson.target.class_of(), lesson.target.class_count());
        let keep_going = || !context.cancel.is_set();
        let params = softmax::Params::default();
        let is_binary = matches!(lesson.target, Target::Binary(_));
        softmax::fit(lesson.x, &classes, count, lesson.weights, &penalty, &params, &keep_going)
            .map(if is_binary { Learned::Binary } else { Learned::Classes })
            .map_err(|error| match error {
                SoftmaxError::Stopped => Failure::Cancelled,
                other => Failure::data(format!("failed to {other}")),
            })
    }

    fn scores(learned: &Learned, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Failure> {
        let data = |error: crate::algorithms::InputError| Failure::data(format!("failed to {error}"));
        match learned {
            Learned::Binary(fitted) | Learned::Linfa(fitted) => {
                let found = fitted.probabilities(x).map_err(data)?;
                Ok(found.column(1).to_owned().insert_axis(Axis(1)))
            }
            Learned::Classes(fitted) => fitted.probabilities(x).map_err(data),
        }
    }

    fn effects(learned: &Learned) -> Option<Array2<f64>> {
        match learned {
            Learned::Binary(fitted) | Learned::Linfa(fitted) => Some(fitted.coefficients.clone()),
            // Of two classes the second one alone has coefficients, which speak against the first.
            Learned::Classes(fitted) if fitted.coefficients.nrows() == 1 => {
                ndarray::concatenate(Axis(0), &[(-&fitted.coefficients).view(), fitted.coefficients.view()]).ok()
            }
            Learned::Classes(fitted) => Some(fitted.coefficients.clone()),
        }
    }

    fn facts(&self, trained: &Trained<Learned>) -> Vec<Fact> {
        let fitted = trained.learned.fitted();
        let steps = fitted.iterations;
        let fit = match (&trained.learned, fitted.converged) {
            (Learned::Linfa(_), _) => "by linfa, which does not tell whether it converged".to_owned(),
            (_, true) => format!("converged after {steps} steps"),
            (_, false) => format!(
                "did not converge in {steps} steps: the coefficients are not final; scale the features or raise the penalty"
            ),
        };
        let mut facts = vec![Fact::new("fit", fit)];
        if self.class_weight == ClassWeight::Balanced && self.calibrate == Calibrate::None {
            let value = "those of a world where all classes are equally frequent (class_weight: balanced), so log loss, \
                         Brier score and calibration error suffer; `calibrate` would mend them";
            facts.push(Fact::new("probabilities", value));
        }
        facts
    }

    fn warnings(&self, trained: &Trained<Learned>) -> Vec<String> {
        watch::unfinished(trained.learned.fitted().converged).into_iter().collect()
    }

    fn picture(&self, trained: &Trained<Learned>, deviations: &[f64]) -> Option<Chart> {
        let effects = Self::effects(&trained.learned)?;
        let terms: Vec<String> = trained.design.terms().into_iter().map(|term| term.to_string()).collect();
        let several = effects.nrows() > 1;
        let mut found: Vec<(String, String, f64)> = Vec::new();
        for (class, row) in effects.rows().into_iter().enumerate() {
            let name = trained.subject.classes.get(class).cloned().unwrap_or_default();
            for ((term, coefficient), deviation) in terms.iter().zip(row).zip(deviations) {
                found.push((name.clone(), term.clone(), coefficient * deviation));
            }
        }
        found.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
        let row = |(class, term, coefficient): (String, String, f64)| {
            let figures = vec![term, format!("{coefficient:+.3}"), format!("{:.3}", coefficient.exp())];
            if several { [class].into_iter().chain(figures).collect() } else { figures }
        };
        let columns = ["class", "feature", "log-odds per deviation", "times the odds"];
        Some(Chart::Table {
            title: "Largest coefficients of the served model".to_owned(),
            columns: columns.into_iter().skip(usize::from(!several)).map(str::to_owned).collect(),
            rows: found.into_iter().take(COEFFICIENTS_MAX).map(row).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
