//! A model beside the trivial answers, on rows that it was not fitted on.

mod binary;
mod classes;
pub mod contest;
mod number;
mod residuals;
mod single;
mod slices;

use ndarray::Array2;
use polars::prelude::DataFrame;

use super::options::{Options, Threshold};
use super::task::{Target, Task};
use crate::metrics::evaluation::{Better, Chart, Estimate, Evaluation, Measure};
use crate::metrics::intervals::Interval;
use crate::stages::contract::{Failure, StageContext};

/// Parts that rows are cut into, by prediction.
pub const TENTHS: usize = 10;

/// What is judged: rows that no model which scored them was fitted on, one below the other.
pub struct Judged<'a> {
    pub options: &'a Options<'a>,
    /// The model in words.
    pub model: String,
    /// What judged, in words.
    pub evaluated: &'a str,
    pub truth: Target,
    /// Rows × scores.
    pub expected: Array2<f64>,
    /// Whether these are probabilities.
    pub is_probability: bool,
    /// The probabilities before they were calibrated, where they were.
    pub before: Option<Array2<f64>>,
    /// For each row whether the decision was made, of a target that is true or false.
    pub decided: Vec<bool>,
    /// From which score on, in the newest fold.
    pub threshold: Option<f64>,
    /// What the training rows alone say: the share of each class (of true), or the mean.
    pub prior: Vec<f64>,
    /// The rows themselves.
    pub held: &'a DataFrame,
    /// The newest fold: what trained, its targets, and the encoding of the features.
    pub train: (&'a DataFrame, &'a Target),
    pub design: &'a super::design::Design,
}

impl Judged<'_> {
    /// Every measure that exists, with facts and charts.
    pub fn evaluation(&self, context: &StageContext) -> Result<Evaluation, Failure> {
        let mut evaluation = match &self.truth {
            Target::Binary(truth) => binary::evaluation(self, truth, context)?,
            Target::Classes { names, of } => classes::evaluation(self, names, of, context)?,
            Target::Number(truth) => number::evaluation(self, truth, context)?,
        };
        slices::add(self, &mut evaluation)?;
        Ok(evaluation)
    }

    fn threshold_words(&self) -> Option<String> {
        let is_chosen = !matches!(self.options.threshold, Threshold::At(_));
        self.threshold
            .filter(|_| is_chosen || self.is_probability)
            .map(|at| super::threshold::words(self.options.threshold, at))
    }
}

/// A measure from an interval, beside a baseline of a known value.
fn against(name: &str, better: Better, found: Option<Interval>, baseline: Option<f64>) -> Option<Measure> {
    let found = found?;
    let difference = baseline
        .map(|baseline| Estimate::interval(found.estimate - baseline, found.low - baseline, found.high - baseline));
    Some(Measure {
        name: name.to_owned(),
        better,
        model: found.into(),
        baseline: baseline.map(Estimate::point),
        difference,
    })
}

/// A measure without an interval.
fn point(name: &str, better: Better, value: f64, baseline: Option<f64>) -> Measure {
    let (model, baseline) = (Estimate::point(value), baseline.map(Estimate::point));
    Measure { name: name.to_owned(), better, model, baseline, difference: None }
}

/// The features by what the model loses without them, for the report.
pub fn importance(found: &[(String, f64)], measure: &str) -> Option<Chart> {
    let bars: Vec<(String, f64)> = found.iter().take(20).cloned().collect();
    (!bars.is_empty()).then(|| Chart::Bars {
        title: "Permutation importance: what is lost when a feature is dealt out anew among the rows".to_owned(),
        unit: format!("{measure} lost"),
        bars,
    })
}

/// A measure of expected values; whether more of it is better tells [`contest::sign`].
pub fn measure_of(name: &str, truth: &Target, expected: &Array2<f64>) -> Option<f64> {
    use crate::metrics::classification::{Predictions, Ranking};
    use crate::metrics::many_classes::{ClassMeasure, ClassPredictions};
    use crate::metrics::regression;
    let first = || expected.column(0).to_vec();
    match truth {
        Target::Binary(truth) => match name {
            "roc_auc" => Ranking::new(truth, &first()).ok()?.roc_auc(),
            "average_precision" => Ranking::new(truth, &first()).ok()?.average_precision(),
            "log_loss" => Some(Predictions::new(truth.clone(), first()).ok()?.log_loss()),
            "brier" => Some(Predictions::new(truth.clone(), first()).ok()?.brier()),
            _ => None,
        },
        Target::Classes { of, .. } => {
            let predictions = ClassPredictions::new(of, as_probabilities(expected)).ok()?;
            match name {
                "log_loss" => Some(predictions.log_loss()),
                "accuracy" => predictions.confusion().measure(ClassMeasure::Accuracy),
                "balanced_accuracy" => predictions.confusion().measure(ClassMeasure::BalancedAccuracy),
                "macro_f1" => predictions.confusion().measure(ClassMeasure::MacroF1),
                _ => None,
            }
        }
        Target::Number(truth) => {
            let (predicted, once) = (first(), vec![1; truth.len()]);
            match name {
                "rmse" => regression::rmse(truth, &predicted, &once),
                "mae" => regression::mae(truth, &predicted, &once),
                "r2" => regression::r2(truth, &predicted, &once),
                _ => None,
            }
        }
    }
}

/// The names that [`measure_of`] knows of a task, the default first.
pub fn measures_of(task: Task, is_probability: bool) -> &'static [&'static str] {
    match (task, is_probability) {
        (Task::Binary, true) => &["roc_auc", "average_precision", "log_loss", "brier"],
        (Task::Binary, false) => &["roc_auc", "average_precision"],
        (Task::Classes, true) => &["log_loss", "accuracy", "balanced_accuracy", "macro_f1"],
        (Task::Classes, false) => &["accuracy", "balanced_accuracy", "macro_f1"],
        (Task::Number, _) => &["rmse", "mae", "r2"],
    }
}

/// What models are told apart by unless another measure is asked for.
pub fn default_measure(task: Task, is_probability: bool) -> &'static str {
    measures_of(task, is_probability).first().copied().unwrap_or_default()
}

/// Scores that are no probabilities as such that have the same greatest one, for measures of what is chosen.
fn as_probabilities(expected: &Array2<f64>) -> Array2<f64> {
    let is_one = |row: ndarray::ArrayView1<'_, f64>| {
        row.iter().all(|value| (0.0..=1.0).contains(value)) && (row.sum() - 1.0).abs() < 1e-9
    };
    if expected.rows().into_iter().all(is_one) {
        return expected.clone();
    }
    let mut found = expected.clone();
    for mut row in found.rows_mut() {
        let most = row.fold(f64::NEG_INFINITY, |most, value| most.max(*value));
        row.mapv_inplace(|value| (value - most).exp());
        let sum = row.sum();
        row.mapv_inplace(|value| value / sum);
    }
    found
}
