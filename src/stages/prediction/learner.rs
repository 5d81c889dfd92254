//! A kind that predicts: all that does not depend on how it learns.

use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::DataFrame;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::design::Design;
use super::options::{Calibrate, ClassWeight, HasOptions, Options, Threshold};
use super::parts;
use super::task::{CLASS_ROWS_MIN, Target, Task, rows_at};
use super::threshold;
use crate::format;
use crate::metrics::evaluation::{Chart, Fact};
use crate::problem::Problem;
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::table::floats;
use polars::prelude::DataType;

/// What a model learns from.
pub struct Lesson<'a> {
    /// Rows × columns.
    pub x: ArrayView2<'a, f64>,
    pub target: &'a Target,
    /// One a row, at or above zero; `None` where all are 1.
    pub weights: Option<&'a [f64]>,
}

/// How a kind learns, and what it says of it.
pub trait Predictor: StageConfig + Serialize + HasOptions + Clone {
    /// Whether it tells classes apart, and so gives the probabilities of all of them as a further table.
    const TELLS_CLASSES: bool;
    /// What is learned from the columns of the matrix.
    type Learned: Serialize + DeserializeOwned + Send + Sync;

    /// What a target of this type asks for; `None` where the kind cannot give it.
    fn task(&self, dtype: &DataType) -> Option<Task>;

    /// What targets it takes, in words, and what else would predict others.
    fn takes(&self) -> (&'static str, &'static str);

    /// What is wrong with its own parameters, placed under `with`.
    fn own_problems(&self) -> Vec<Problem> {
        vec![]
    }

    /// Parameters of its own that such a target does not go with, placed under `with`.
    fn idle(&self, _task: Task) -> Vec<Problem> {
        vec![]
    }

    /// Whether its scores are probabilities, before `calibrate`.
    fn gives_probabilities(&self) -> bool {
        true
    }

    /// Whether a number is learned as ln(1 + y).
    fn log_target(&self) -> bool {
        false
    }

    /// The model in words, such as `logistic regression`.
    fn name(&self, task: Task) -> String;

    /// Learns.
    fn fit(&self, lesson: &Lesson<'_>, context: &StageContext) -> Result<Self::Learned, Failure>;

    /// The scores of rows: one column for true or false (of true) and for numbers, else one a class.
    fn scores(learned: &Self::Learned, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Failure>;

    /// What one unit of each column of the matrix adds to each score (scores × columns), where that is all that a score
    /// is made of; for probabilities, to their log-odds.
    fn effects(_learned: &Self::Learned) -> Option<Array2<f64>> {
        None
    }

    /// Rows × columns: by how much each column moved the score of each row's class, where the kind can tell at once and
    /// `effects` cannot.
    fn moves(
        _learned: &Self::Learned,
        _x: ArrayView2<'_, f64>,
        _classes: &[usize],
    ) -> Result<Option<Array2<f64>>, Failure> {
        Ok(None)
    }

    /// What a reader must know of a fit.
    fn facts(&self, trained: &Trained<Self::Learned>) -> Vec<Fact>;

    /// What to be wary of.
    fn warnings(&self, _trained: &Trained<Self::Learned>) -> Vec<String> {
        vec![]
    }

    /// What the served model looks at; `deviations` are those of the matrix' columns, 1 where they are scaled.
    fn picture(&self, _trained: &Trained<Self::Learned>, _deviations: &[f64]) -> Option<Chart> {
        None
    }
}

/// What is predicted of which rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    pub target: String,
    pub task: Task,
    /// Of a target of classes, ascending.
    pub classes: Vec<String>,
    /// The length of the future that a label looks at.
    pub horizon_days: Option<u32>,
    /// The column that names who the rows are of.
    pub entity: String,
    pub features: Vec<String>,
}

/// A fitted model, as its main file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trained<L> {
    pub subject: Subject,
    pub design: Design,
    /// The mean of each column of the matrix.
    pub means: Vec<f64>,
    pub learned: L,
    pub calibration: Option<Calibration>,
    /// From which score on a decision is made, for a target that is true or false.
    pub threshold: Option<f64>,
    /// What the mean of exp(error) is, where ln(1 + y) was learned.
    pub smearing: Option<f64>,
    /// Parameters that were chosen out of a grid.
    pub tuned: Vec<(String, serde_json::Value)>,
}

impl Subject {
    /// The targets of rows where they are known.
    pub fn target_of(&self, rows: &DataFrame) -> Result<Target, Failure> {
        Target::read(rows, &self.target, self.task, &self.classes)
    }
}

/// A model without what is learned from rows that it did not see.
fn plain<P: Predictor>(
    stage: &P,
    subject: &Subject,
    rows: &DataFrame,
    least: usize,
    context: &StageContext,
) -> Result<Trained<P::Learned>, Failure> {
    let options = stage.options();
    let target = subject.target_of(rows)?;
    target.check_enough(&subject.target, least)?;
    let design = Design::fit(rows, &subject.features, options.prepare, options.scale)?;
    let x = design.matrix(rows)?;
    let means = x.mean_axis(Axis(0)).map(|means| means.to_vec()).unwrap_or_default();
    let weights = weights(&options, rows, &target)?;
    let logged = match &target {
        Target::Number(values) if stage.log_target() => Some(logged(values, &subject.target)?),
        _ => None,
    };
    let lesson = Lesson { x: x.view(), target: logged.as_ref().unwrap_or(&target), weights: weights.as_deref() };
    let learned = stage.fit(&lesson, context)?;
    let smearing = match &logged {
        Some(Target::Number(values)) => {
            // Duan 1983: the mean of exp(error) makes of the median the mean.
            let found = P::scores(&learned, x.view())?;
            let errors = values.iter().zip(found.column(0)).map(|(value, found)| (value - found).exp());
            Some(mean(errors, weights.as_deref()))
        }
        _ => None,
    };
    let subject = subject.clone();
    Ok(Trained { subject, design, means, learned, calibration: None, threshold: None, smearing, tuned: vec![] })
}

/// A model, and scores of its training rows by models that were not fitted on them.
pub type Calibrated<L> = (Trained<L>, Option<Array2<f64>>);

/// Fits on rows whose target is known and calibrates; gives also what is expected of these rows by models that were not
/// fitted on them, where that was needed.
pub fn calibrated<P: Predictor>(
    stage: &P,
    subject: &Subject,
    rows: &DataFrame,
    context: &StageContext,
) -> Result<Calibrated<P::Learned>, Failure> {
    let mut trained = plain(stage, subject, rows, CLASS_ROWS_MIN, context)?;
    let method = stage.options().calibrate;
    if subject.task == Task::Number || method == Calibrate::None {
        return Ok((trained, None));
    }
    let unseen = cross_fit(stage, subject, rows, context)?;
    let target = subject.target_of(rows)?;
    // Not those of classes, which `class_weight` changes and calibration mends.
    let weights = stage.options().weight.map(|name| own_weights(rows, name)).transpose()?;
    let of_log_odds = stage.gives_probabilities();
    trained.calibration = Calibration::learn(method, unseen.view(), &target, weights.as_deref(), of_log_odds)?;
    let expected = match &trained.calibration {
        Some(calibration) => calibration.apply(unseen.view()),
        None => unseen,
    };
    Ok((trained, Some(expected)))
}

/// As [`calibrated`], with the threshold of decisions.
pub fn train<P: Predictor>(
    stage: &P,
    subject: &Subject,
    rows: &DataFrame,
    context: &StageContext,
) -> Result<Trained<P::Learned>, Failure> {
    let (mut trained, unseen) = calibrated(stage, subject, rows, context)?;
    if subject.task == Task::Binary {
        trained.threshold = Some(match stage.options().threshold {
            Threshold::At(at) if stage.gives_probabilities() || trained.calibration.is_some() => at,
            Threshold::At(_) => 0.0,
            chosen => {
                let unseen = unseen.map_or_else(|| cross_fit(stage, subject, rows, context), Ok)?;
                threshold::choose(chosen, &unseen.column(0).to_vec(), &subject.target_of(rows)?)?
            }
        });
    }
    Ok(trained)
}

/// Parts of the entities, of which each is scored by a model that was fitted on the others.
const CROSS_FOLDS: u32 = 3;
/// Rows of a class that a part's model needs; that all have enough is checked before.
const CROSS_ROWS_MIN: usize = 2;

/// The scores that models give rows which they were not fitted on: the entities are parted, and each part is scored by a
/// model of the others.
pub fn cross_fit<P: Predictor>(
    stage: &P,
    subject: &Subject,
    rows: &DataFrame,
    context: &StageContext,
) -> Result<Array2<f64>, Failure> {
    let target = subject.target_of(rows)?;
    let folds = parts::by_entity(rows, &subject.entity, &target, CROSS_FOLDS, context.seed)?;
    let width = if subject.task == Task::Classes { target.class_count() } else { 1 };
    let mut scores = Array2::zeros((rows.height(), width));
    for fold in 0..CROSS_FOLDS {
        context.cancel.check()?;
        let places =
            |own: bool| -> Vec<usize> { (0..folds.len()).filter(|row| (folds[*row] == fold) == own).collect() };
        let held = places(true);
        if held.is_empty() {
            continue;
        }
        let trained = plain(stage, subject, &rows_at(rows, &places(false))?, CROSS_ROWS_MIN, context)?;
        let found = P::scores(&trained.learned, trained.design.matrix(&rows_at(rows, &held)?)?.view())?;
        for (row, values) in held.into_iter().zip(found.rows()) {
            scores.row_mut(row).assign(&values);
        }
    }
    Ok(scores)
}

impl<L> Trained<L> {
    /// What is expected of each row: a number, the probability (or the score, where there is none) of true, or the
    /// probabilities of the classes.
    pub fn expected<P: Predictor<Learned = L>>(&self, rows: &DataFrame) -> Result<Array2<f64>, Failure> {
        self.expected_of::<P>(self.design.matrix(rows)?.view())
    }

    /// The same of rows of the matrix.
    pub fn expected_of<P: Predictor<Learned = L>>(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Failure> {
        let scores = P::scores(&self.learned, x)?;
        if let Some(smearing) = self.smearing {
            return Ok(scores.mapv(|score| (score.exp() * smearing - 1.0).min(f64::MAX)));
        }
        Ok(match &self.calibration {
            Some(calibration) => calibration.apply(scores.view()),
            None => scores,
        })
    }
}

/// The mean of values that count as often as their weights say.
fn mean(values: impl Iterator<Item = f64>, weights: Option<&[f64]>) -> f64 {
    let weights = weights.into_iter().flatten().copied().chain(std::iter::repeat(1.0));
    let (sum, total) = values.zip(weights).fold((0.0, 0.0), |(sum, total), (v, w)| (sum + w * v, total + w));
    sum / total
}

/// ln(1 + y) of numbers at or above zero.
fn logged(values: &[f64], target: &str) -> Result<Target, Failure> {
    let below = values.iter().filter(|value| **value < 0.0).count();
    if below > 0 {
        return Err(Failure::data(format!(
            "`{target}` is below zero in {} training rows, which have no ln(1 + y): leave out `log_target`",
            format::thousands(below as u64)
        )));
    }
    Ok(Target::Number(values.iter().map(|value| value.ln_1p()).collect()))
}

/// What each row weighs: its own weight times that of its class.
fn weights(options: &Options<'_>, rows: &DataFrame, target: &Target) -> Result<Option<Vec<f64>>, Failure> {
    let own = options.weight.map(|name| own_weights(rows, name)).transpose()?;
    if options.class_weight == ClassWeight::None {
        return Ok(own);
    }
    let classes = target.class_of();
    let mut sums = vec![0.0; target.class_count()];
    let of_row = |row: usize| own.as_ref().and_then(|own| own.get(row)).copied().unwrap_or(1.0);
    for (row, class) in classes.iter().enumerate() {
        if let Some(sum) = sums.get_mut(*class as usize) {
            *sum += of_row(row);
        }
    }
    let total: f64 = sums.iter().sum();
    let count = sums.len() as f64;
    let of_class = |class: u32| {
        let sum = sums.get(class as usize).copied().unwrap_or(0.0);
        if sum > 0.0 { total / (count * sum) } else { 0.0 }
    };
    Ok(Some(classes.iter().enumerate().map(|(row, class)| of_row(row) * of_class(*class)).collect()))
}

fn own_weights(rows: &DataFrame, name: &str) -> Result<Vec<f64>, Failure> {
    let weights = floats(rows, name)?;
    let bad = weights.iter().filter(|weight| !(**weight >= 0.0 && weight.is_finite())).count();
    match bad {
        0 if weights.iter().any(|weight| *weight > 0.0) => Ok(weights),
        0 => Err(Failure::data(format!("`{name}` is zero in all training rows, so none of them counts"))),
        bad => Err(Failure::data(format!(
            "`{name}` is no number at or above zero in {} of {} training rows, so they have no weight",
            format::thousands(bad as u64),
            format::thousands(weights.len() as u64)
        ))),
    }
}
