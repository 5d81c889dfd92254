//! Which features moved a score most, for each row and for all.

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use super::design::Design;
use super::learner::{Predictor, Trained};
use super::task::Task;
use crate::metrics::classification::Ranking;
use crate::stages::contract::{Failure, StageContext};

/// Reasons that are given for a row.
pub const REASONS: usize = 3;
/// Rows that are explained at once, so that the changed copies of a matrix stay small.
const BLOCK_ROWS: usize = 16_384;

/// For each row the features that moved its score most, with the sign of the move: `+orders`, `-recency_days`.
///
/// Where scores are sums over columns, a feature's move is what its columns add beyond their means; trees tell theirs.
/// Else it is the score less that of the same row with the feature at its means. Of classes the score is that of the class
/// that is expected.
pub fn of_rows<P: Predictor>(
    trained: &Trained<P::Learned>,
    x: ArrayView2<'_, f64>,
    expected: &Array2<f64>,
    context: &StageContext,
) -> Result<Vec<[Option<String>; REASONS]>, Failure> {
    let moves = moves::<P>(trained, x, expected, context)?;
    let names: Vec<&str> = trained.design.features().into_iter().map(|(name, _)| name).collect();
    let of_row = |row: usize| {
        let mut found: Vec<(usize, f64)> = moves.row(row).iter().copied().enumerate().collect();
        found.retain(|(_, moved)| *moved != 0.0 && moved.is_finite());
        found.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        let mut reasons = [const { None }; REASONS];
        for (slot, (feature, moved)) in reasons.iter_mut().zip(found) {
            let sign = if moved > 0.0 { '+' } else { '-' };
            *slot = names.get(feature).map(|name| format!("{sign}{name}"));
        }
        reasons
    };
    Ok((0..x.nrows()).into_par_iter().map(of_row).collect())
}

/// Rows × features.
fn moves<P: Predictor>(
    trained: &Trained<P::Learned>,
    x: ArrayView2<'_, f64>,
    expected: &Array2<f64>,
    context: &StageContext,
) -> Result<Array2<f64>, Failure> {
    let features = trained.design.features();
    let classes: Vec<usize> = expected.rows().into_iter().map(|row| best(row.iter().copied())).collect();
    let mut moves = Array2::zeros((x.nrows(), features.len()));
    if let Some(effects) = P::effects(&trained.learned) {
        moves.rows_mut().into_iter().zip(x.rows()).zip(&classes).par_bridge().for_each(|((mut moves, row), class)| {
            let effects = effects.row((*class).min(effects.nrows() - 1));
            for (slot, (_, columns)) in moves.iter_mut().zip(&features) {
                *slot = columns.clone().map(|column| effects[column] * (row[column] - trained.means[column])).sum();
            }
        });
        return Ok(moves);
    }
    if let Some(of_columns) = P::moves(&trained.learned, x, &classes)? {
        for (mut moves, own) in moves.rows_mut().into_iter().zip(of_columns.rows()) {
            for (slot, (_, columns)) in moves.iter_mut().zip(&features) {
                *slot = own.iter().take(columns.end).skip(columns.start).sum();
            }
        }
        return Ok(moves);
    }
    for start in (0..x.nrows()).step_by(BLOCK_ROWS) {
        let rows = start..x.nrows().min(start + BLOCK_ROWS);
        let own = x.slice(s![rows.clone(), ..]);
        let before = P::scores(&trained.learned, own)?;
        for (feature, (_, columns)) in features.iter().enumerate() {
            context.cancel.check()?;
            let mut changed = own.to_owned();
            for column in columns.clone() {
                changed.column_mut(column).fill(trained.means.get(column).copied().unwrap_or(0.0));
            }
            let after = P::scores(&trained.learned, changed.view())?;
            for (place, row) in rows.clone().enumerate() {
                let class = classes.get(row).copied().unwrap_or(0).min(before.ncols().saturating_sub(1));
                moves[[row, feature]] = before[[place, class]] - after[[place, class]];
            }
        }
    }
    Ok(moves)
}

/// The place of the greatest value, of equal ones the first.
pub fn best(values: impl Iterator<Item = f64>) -> usize {
    let mut found = (0, f64::NEG_INFINITY);
    for (place, value) in values.enumerate() {
        if value > found.1 {
            found = (place, value);
        }
    }
    found.0
}

/// How much worse each feature makes a measure when its values are dealt out anew among the rows, the features by name:
/// what the model loses without it (Breiman 2001). Less is worse for `measure`.
pub fn importance<P: Predictor>(
    trained: &Trained<P::Learned>,
    x: ArrayView2<'_, f64>,
    measure: impl Fn(&Array2<f64>) -> Option<f64>,
    context: &StageContext,
) -> Result<Vec<(String, f64)>, Failure> {
    let Some(whole) = measure(&trained.expected_of::<P>(x)?) else { return Ok(vec![]) };
    let mut found = Vec::new();
    for (feature, (name, columns)) in trained.design.features().into_iter().enumerate() {
        context.cancel.check()?;
        let mut lost = 0.0;
        for turn in 0..TURNS {
            let order = shuffled(x.nrows(), context.seed ^ ((feature as u64) << 8) ^ turn);
            let mut changed = x.to_owned();
            for column in columns.clone() {
                for (row, other) in order.iter().enumerate() {
                    changed[[row, column]] = x[[*other, column]];
                }
            }
            lost += whole - measure(&trained.expected_of::<P>(changed.view())?).unwrap_or(whole);
        }
        found.push((name.to_owned(), lost / TURNS as f64));
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(found)
}

/// How often values are dealt out anew.
const TURNS: u64 = 3;
/// Rows that importance is measured on at most.
pub const IMPORTANCE_ROWS_MAX: usize = 20_000;

fn shuffled(rows: usize, seed: u64) -> Vec<usize> {
    use rand::SeedableRng;
    use rand::seq::SliceRandom;
    let mut order: Vec<usize> = (0..rows).collect();
    order.shuffle(&mut rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(seed));
    order
}

/// Features that tell the target almost alone, each with what it reaches: the ROC AUC (of classes the greatest of one
/// against the rest) or the R² that a feature's values alone reach on the rows that it is read from.
pub fn alone(design: &Design, x: ArrayView2<'_, f64>, target: &super::task::Target) -> Vec<(String, f64)> {
    let task = match target {
        super::task::Target::Number(_) => Task::Number,
        _ => Task::Classes,
    };
    let features = design.features();
    let of = |(name, columns): &(&str, std::ops::Range<usize>)| {
        let each = columns.clone().map(|column| x.column(column).to_vec());
        let reached = outcomes(target).into_iter().map(|outcome| {
            let reach = |values: &[f64]| match task {
                Task::Number => squared_correlation(values, &outcome),
                _ => auc(values, &outcome.iter().map(|value| *value > 0.5).collect::<Vec<_>>()),
            };
            let alone = each.clone().map(|values| reach(&values)).fold(0.0, f64::max);
            // Of a text all levels together: a level is worth the mean outcome of its rows.
            let mut together = vec![0.0; x.nrows()];
            for values in each.clone() {
                let (mut rows, mut sum) = (0.0, 0.0);
                values
                    .iter()
                    .zip(&outcome)
                    .for_each(|(value, outcome)| (rows, sum) = (rows + value, sum + value * outcome));
                let worth = if rows > 0.0 { sum / rows } else { 0.0 };
                together.iter_mut().zip(&values).for_each(|(slot, value)| *slot += worth * value);
            }
            if columns.len() > 1 { alone.max(reach(&together)) } else { alone }
        });
        ((*name).to_owned(), reached.fold(0.0, f64::max))
    };
    features.par_iter().map(of).collect()
}

/// What may be told alone: a number, whether something is true, or each of the classes.
fn outcomes(target: &super::task::Target) -> Vec<Vec<f64>> {
    if let super::task::Target::Number(values) = target {
        return vec![values.clone()];
    }
    let classes = target.class_of();
    let first = u32::from(target.class_count() == 2);
    let of = |class: u32| classes.iter().map(|own| f64::from(u8::from(*own == class))).collect();
    (first..target.class_count() as u32).map(of).collect()
}

/// The ROC AUC of a value, whichever way it points.
fn auc(values: &[f64], truth: &[bool]) -> f64 {
    let auc = Ranking::new(truth, values).ok().and_then(|ranking| ranking.roc_auc()).unwrap_or(0.5);
    auc.max(1.0 - auc)
}

/// The squared correlation.
fn squared_correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().max(1) as f64;
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (dx, dy) = (x - mean_x, y - mean_y);
        (xx, yy, xy) = (xx + dx * dx, yy + dy * dy, xy + dx * dy);
    }
    if xx * yy > 0.0 { xy * xy / (xx * yy) } else { 0.0 }
}
