//! Rounds of trees.

use super::cuts::Binned;
use super::grow::Grower;
use super::histogram::Slope;
use super::model::{Target, Trees};
use super::{Params, Rows, TreesError};
use crate::algorithms::exponential::exponential;
use ndarray::ArrayView2;
use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

/// Rows that a thread takes at once.
const BLOCK_ROWS: usize = 4096;

/// The least share of a class that a first score stands for.
const SHARE_MIN: f64 = 1e-9;

/// What is learned.
pub(super) enum Task {
    Binary,
    /// So many.
    Classes(usize),
    /// Targets were brought to a mean of 0 and a variance of 1.
    Number {
        mean: f64,
        deviation: f64,
    },
}

impl Task {
    fn outputs(&self) -> usize {
        match self {
            Task::Classes(count) => *count,
            Task::Binary | Task::Number { .. } => 1,
        }
    }

    /// Where the scores start.
    fn base(&self, labels: &[f64], rows: &Rows) -> Vec<f64> {
        let share = |class: f64| rows.mean(labels.iter().map(|label| f64::from(u8::from(*label == class))));
        match self {
            Task::Binary => vec![(share(1.0) / share(0.0)).ln()],
            Task::Classes(count) => (0..*count).map(|class| share(class as f64).max(SHARE_MIN).ln()).collect(),
            Task::Number { .. } => vec![0.0],
        }
    }

    /// The derivatives at the scores of rows, one an output and row.
    fn slopes(&self, scores: &[f64], labels: &[f64], slopes: &mut [Slope]) {
        match self {
            Task::Binary => {
                // Plain arithmetic on one row like the other, so that it vectorizes.
                for ((slope, score), label) in slopes.iter_mut().zip(scores).zip(labels) {
                    let small = exponential(-score.abs());
                    let p = if *score < 0.0 { small } else { 1.0 } / (1.0 + small);
                    *slope = Slope { first: (p - label) as f32, second: (p * (1.0 - p)) as f32 };
                }
            }
            Task::Number { .. } => {
                for ((slope, score), label) in slopes.iter_mut().zip(scores).zip(labels) {
                    *slope = Slope { first: (score - label) as f32, second: 1.0 };
                }
            }
            Task::Classes(count) => {
                let rows = slopes.chunks_exact_mut(*count).zip(scores.chunks_exact(*count)).zip(labels);
                for ((slopes, scores), label) in rows {
                    let top = scores.iter().fold(f64::NEG_INFINITY, |top, score| top.max(*score));
                    let sum: f64 = scores.iter().map(|score| exponential(score - top)).sum();
                    for ((class, score), slope) in (0..).zip(scores).zip(slopes) {
                        let p = exponential(score - top) / sum;
                        let own = f64::from(u8::from(*label == f64::from(class)));
                        *slope = Slope { first: (p - own) as f32, second: (p * (1.0 - p)) as f32 };
                    }
                }
            }
        }
    }
}

/// Grows trees on rows with their labels.
pub(super) fn fit(
    x: ArrayView2<'_, f64>,
    rows: &Rows,
    labels: &[f64],
    task: &Task,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Trees, TreesError> {
    let binned = Binned::new(x, &rows.kept);
    let (outputs, columns) = (task.outputs(), x.ncols());
    let base = task.base(labels, rows);
    let (target, center, scale) = match task {
        Task::Binary => (Target::Binary, 0.0, 1.0),
        Task::Classes(_) => (Target::Classes, 0.0, 1.0),
        Task::Number { mean, deviation } => (Target::Number, *mean, *deviation),
    };
    let mut scores = base.repeat(labels.len());
    let mut slopes = vec![Slope::default(); scores.len()];
    let mut gains = vec![0.0; columns];
    let mut trees = Vec::new();
    let mut grower = Grower::new(&binned, params);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(params.seed);
    for _ in 0..params.rounds {
        if !keep_going() {
            return Err(TreesError::Stopped);
        }
        derive(task, &scores, labels, rows.weights.as_deref(), &mut slopes);
        for output in 0..outputs {
            let columns = some(columns, params.columns_share, &mut rng);
            // What is left out has no say.
            let mut stays = || params.rows_share >= 1.0 || rng.r#gen::<f64>() < params.rows_share;
            let own = slopes.iter().skip(output).step_by(outputs);
            let own = own.map(|slope| if stays() { *slope } else { Slope::default() });
            let grown = grower.grow(own, &columns, scale, &mut gains);
            for (leaf, value) in &grown.leaves {
                for row in grower.rows(leaf) {
                    if let Some(score) = scores.get_mut(row.row as usize * outputs + output) {
                        *score += value;
                    }
                }
            }
            trees.push(grown.tree);
        }
    }
    Ok(Trees::new(target, base.iter().map(|base| center + scale * base).collect(), trees, gains))
}

/// The derivatives at all scores, row after row.
fn derive(task: &Task, scores: &[f64], labels: &[f64], weights: Option<&[f64]>, slopes: &mut [Slope]) {
    let outputs = task.outputs();
    let blocks = slopes.par_chunks_mut(BLOCK_ROWS * outputs).zip(scores.par_chunks(BLOCK_ROWS * outputs));
    blocks.zip(labels.par_chunks(BLOCK_ROWS)).enumerate().for_each(|(block, ((slopes, scores), labels))| {
        task.slopes(scores, labels, slopes);
        let weights = weights.and_then(|weights| weights.get(block * BLOCK_ROWS..)).unwrap_or_default();
        for (slopes, weight) in slopes.chunks_exact_mut(outputs).zip(weights) {
            for slope in slopes {
                slope.first *= *weight as f32;
                slope.second *= *weight as f32;
            }
        }
    });
}

/// A share of the columns, one at least, ascending.
fn some(columns: usize, share: f64, rng: &mut Xoshiro256PlusPlus) -> Vec<usize> {
    if share >= 1.0 {
        return (0..columns).collect();
    }
    let count = ((columns as f64 * share).round() as usize).clamp(1, columns);
    let mut chosen = index::sample(rng, columns, count).into_vec();
    chosen.sort_unstable();
    chosen
}
