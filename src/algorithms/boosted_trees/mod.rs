//! Gradient-boosted trees for two classes, for many, and for a number.
//!
//! Each tree is fitted to the first and second derivatives of the loss at what the trees before it say, on columns cut
//! into at most 255 bins (Chen and Guestrin 2016, "XGBoost: A Scalable Tree Boosting System", its sections 2.2 and 3.2),
//! and grows at the leaf that gains most (as LightGBM and scikit-learn's HistGradientBoosting). Sums of the larger side of a
//! split are those of the whole less those of the smaller.
//!
//! Losses: log(1 + exp(−y s)) of two classes, −log softmax of many, ½(t − s)² of a number, times the weight of the row.
//! Weights are brought to a mean of 1, and targets to a mean of 0 and a variance of 1, so that `l2` and
//! `min_leaf_weight` mean the same whatever the units. Cuts do not depend on weights. A split that gains less than 1e-6
//! is not made, so that of a number whose few largest values are most of its variance only these are learned.
//!
//! Input that is refused: no rows, no columns, NaN or infinity (in rows of weight zero too), one class, weights that are
//! negative or not finite, or all zero. Rows of weight zero are left out. Constant columns are never used; of columns
//! that repeat each other one is. Classes without rows are legal as long as two have some.

mod cuts;
mod engine;
mod grow;
mod histogram;
mod model;
mod part;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_reference;

pub use model::Trees;

use super::input::{InputError, check, check_finite};
use engine::Task;
use ndarray::{ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// The most trees: rounds times classes.
pub const TREES_MAX: usize = 100_000;

/// The most leaves of a tree.
pub const LEAVES_MAX: usize = 4096;

/// The most classes.
pub const CLASSES_MAX: usize = 1000;

/// How to fit. Without sampling (both shares 1) the seed changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Rounds: each adds one tree, or one for each of more than two classes.
    pub rounds: usize,
    /// What each tree's values are multiplied by.
    pub learning_rate: f64,
    /// Leaves of a tree, at most.
    pub leaves: usize,
    /// Splits between the root and a leaf, at most; without it only `leaves` bounds a tree.
    pub depth: Option<usize>,
    /// Multiplies half the square of each leaf's value.
    pub l2: f64,
    /// The least sum of second derivatives in a leaf: rows (times weights) for a number, times p(1 − p) for classes.
    pub min_leaf_weight: f64,
    /// The share of rows that each tree is fitted to.
    pub rows_share: f64,
    /// The share of columns that each tree may use.
    pub columns_share: f64,
    /// Chooses those.
    pub seed: u64,
}

impl Default for Params {
    /// 100 rounds at a rate of 0.1 and 31 leaves, as scikit-learn and LightGBM; l2 = 1 and a leaf weight of 1, as XGBoost.
    fn default() -> Self {
        Self {
            rounds: 100,
            learning_rate: 0.1,
            leaves: 31,
            depth: None,
            l2: 1.0,
            min_leaf_weight: 1.0,
            rows_share: 1.0,
            columns_share: 1.0,
            seed: 0,
        }
    }
}

impl Params {
    /// Refuses what is out of range; `outputs` is the number of classes for [`fit_classes`], 1 otherwise.
    pub fn check(&self, outputs: usize) -> Result<(), TreesError> {
        let refuse = |name, allowed| Err(TreesError::Param { name, allowed });
        let share = |share: f64| share > 0.0 && share <= 1.0;
        let positive = |value: f64| value >= 0.0 && value <= f64::from(f32::MAX);
        match self {
            _ if self.rounds == 0 => refuse("rounds", "at least 1"),
            _ if self.rounds.saturating_mul(outputs) > TREES_MAX => {
                refuse("rounds", "such that rounds times classes is at most 100,000")
            }
            _ if !(self.learning_rate > 1e-6 && self.learning_rate <= 1.0) => {
                refuse("learning_rate", "above 0.000001, at most 1")
            }
            _ if !(2..=LEAVES_MAX).contains(&self.leaves) => refuse("leaves", "2 to 4,096"),
            _ if self.depth.is_some_and(|depth| !(1..=64).contains(&depth)) => refuse("depth", "1 to 64"),
            _ if !positive(self.l2) => refuse("l2", "a number at or above zero"),
            _ if !positive(self.min_leaf_weight) => refuse("min_leaf_weight", "a number at or above zero"),
            _ if !share(self.rows_share) => refuse("rows_share", "above 0, at most 1"),
            _ if !share(self.columns_share) => refuse("columns_share", "above 0, at most 1"),
            _ => Ok(()),
        }
    }
}

/// Why there are no trees.
#[derive(Debug, thiserror::Error)]
pub enum TreesError {
    /// The table itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A parameter out of range.
    #[error("boost trees: `{name}` must be {allowed}")]
    Param {
        /// Which.
        name: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// All rows that weigh anything are of one class.
    #[error("tell classes apart: all {rows} rows are of one class")]
    OneClass {
        /// Rows that weigh more than zero.
        rows: usize,
    },
    /// A number of classes below two or above [`CLASSES_MAX`], or a class at or above that number.
    #[error("tell {0} classes apart: there must be 2 to 1,000, and no row of another")]
    Classes(usize),
    /// A weight that is negative or not finite, or all are zero.
    #[error("weigh rows: a weight is negative or not a number, or all are zero")]
    Weights,
    /// The caller wanted it to end.
    #[error("finish: it was told to stop")]
    Stopped,
}

/// What fitting takes, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Of memory beside the table itself.
    pub bytes: u64,
    /// Values added to histograms or looked at for a split: some 3·10⁹ a second on one core.
    pub steps: u64,
}

/// What fitting will take; `outputs` is the number of classes for [`fit_classes`], 1 otherwise. Saturates.
pub fn cost(rows: usize, columns: usize, outputs: usize, params: &Params) -> Cost {
    let product = |factors: &[usize]| factors.iter().fold(1_u64, |all, factor| all.saturating_mul(*factor as u64));
    // Splits below one another at most; of the two sides of a split only the smaller is summed, the other subtracted.
    let levels = params.depth.unwrap_or(usize::MAX).min(params.leaves.saturating_sub(1));
    let summed = product(&[rows, columns, 1 + levels / 2]);
    let searched = product(&[2, params.leaves, columns, cuts::BINS]);
    let trees = product(&[params.rounds, outputs]);
    // Bins; targets, weights and rows in two orders; scores and derivatives of all outputs and of one.
    let per_row = product(&[rows, columns.saturating_mul(2).saturating_add(7 + 48)])
        .saturating_add(product(&[rows, 24, outputs]));
    let histograms = product(&[params.leaves, columns, cuts::BINS, 16]).min(grow::HISTOGRAMS_MAX);
    let sorted = product(&[rows.min(cuts::SAMPLE_ROWS), 16, columns.min(64)]);
    let kept = trees.saturating_mul(product(&[params.leaves, 200]));
    Cost {
        bytes: [per_row, histograms, sorted, kept].iter().fold(0, |sum: u64, part| sum.saturating_add(*part)),
        steps: trees.saturating_mul(summed.saturating_add(searched)),
    }
}

/// Learns the probability that `truth` is true. `x` is rows × columns. The result does not depend on the number of
/// threads. `keep_going` is asked once a round; when it says no, the error is [`TreesError::Stopped`].
pub fn fit_binary(
    x: ArrayView2<'_, f64>,
    truth: &[bool],
    weights: Option<&[f64]>,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Trees, TreesError> {
    params.check(1)?;
    let rows = Rows::new(x, truth.len(), weights)?;
    let class = |row: &usize| u32::from(truth.get(*row).copied().unwrap_or(false));
    let classes: Vec<u32> = rows.kept.iter().map(class).collect();
    check_classes(&classes)?;
    let labels: Vec<f64> = classes.into_iter().map(f64::from).collect();
    engine::fit(x, &rows, &labels, &Task::Binary, params, keep_going)
}

/// Learns the probability of each of `count` classes, which are numbered from zero.
pub fn fit_classes(
    x: ArrayView2<'_, f64>,
    classes: &[u32],
    count: usize,
    weights: Option<&[f64]>,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Trees, TreesError> {
    if !(2..=CLASSES_MAX).contains(&count) || classes.iter().any(|class| *class as usize >= count) {
        return Err(TreesError::Classes(count));
    }
    params.check(count)?;
    let rows = Rows::new(x, classes.len(), weights)?;
    let kept: Vec<u32> = rows.kept.iter().filter_map(|row| classes.get(*row).copied()).collect();
    check_classes(&kept)?;
    let labels: Vec<f64> = kept.into_iter().map(f64::from).collect();
    engine::fit(x, &rows, &labels, &Task::Classes(count), params, keep_going)
}

/// Learns the mean of a number. Targets that are all the same give a model without trees.
pub fn fit_number(
    x: ArrayView2<'_, f64>,
    targets: &[f64],
    weights: Option<&[f64]>,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Trees, TreesError> {
    params.check(1)?;
    let rows = Rows::new(x, targets.len(), weights)?;
    check_finite(ArrayView1::from(targets).insert_axis(Axis(1)))?;
    // Divided by the largest, so that squares are finite.
    let largest = targets.iter().fold(0.0_f64, |most, target| most.max(target.abs()));
    let unit = if largest > 0.0 { largest } else { 1.0 };
    let target = |row: &usize| targets.get(*row).map_or(0.0, |target| target / unit);
    let mut scaled: Vec<f64> = rows.kept.iter().map(target).collect();
    let mean = rows.mean(scaled.iter().copied());
    let deviation = rows.mean(scaled.iter().map(|value| (value - mean) * (value - mean))).sqrt();
    if deviation <= 1e-13 * mean.abs() || deviation < f64::MIN_POSITIVE {
        return Ok(Trees::constant(x.ncols(), mean * unit));
    }
    scaled.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
    let task = Task::Number { mean: mean * unit, deviation: deviation * unit };
    engine::fit(x, &rows, &scaled, &task, params, keep_going)
}

fn check_classes(classes: &[u32]) -> Result<(), TreesError> {
    let first = classes.first();
    if classes.iter().all(|class| Some(class) == first) {
        return Err(TreesError::OneClass { rows: classes.len() });
    }
    Ok(())
}

/// The rows that weigh anything.
struct Rows {
    kept: Vec<usize>,
    /// One for each, with a mean of 1; none where all are 1.
    weights: Option<Vec<f64>>,
}

impl Rows {
    fn new(x: ArrayView2<'_, f64>, targets: usize, weights: Option<&[f64]>) -> Result<Self, TreesError> {
        check(x)?;
        let rows = x.nrows();
        if targets != rows {
            return Err(InputError::Length { rows, targets }.into());
        }
        if u32::try_from(rows).is_err() {
            return Err(InputError::TooLarge(rows).into());
        }
        let Some(weights) = weights else { return Ok(Self { kept: (0..rows).collect(), weights: None }) };
        if weights.len() != rows {
            return Err(InputError::Length { rows, targets: weights.len() }.into());
        }
        if !weights.iter().all(|weight| *weight >= 0.0 && weight.is_finite()) {
            return Err(TreesError::Weights);
        }
        let largest = weights.iter().fold(0.0_f64, |most, weight| most.max(*weight));
        // A weight that is nothing beside the largest cannot be held as a 32-bit number.
        let (kept, mut weights): (Vec<usize>, Vec<f64>) =
            weights.iter().map(|weight| weight / largest).enumerate().filter(|(_, weight)| *weight > 1e-30).unzip();
        if kept.is_empty() {
            return Err(TreesError::Weights);
        }
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        weights.iter_mut().for_each(|weight| *weight /= mean);
        Ok(Self { kept, weights: Some(weights) })
    }

    /// Weighted.
    fn mean(&self, values: impl Iterator<Item = f64>) -> f64 {
        let sum: f64 = match &self.weights {
            Some(weights) => values.zip(weights).map(|(value, weight)| value * weight).sum(),
            None => values.sum(),
        };
        sum / self.kept.len() as f64
    }
}
