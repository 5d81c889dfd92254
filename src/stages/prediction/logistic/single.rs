//! How far the best single feature alone gets: what a simple rule would reach.

use ndarray::{Array2, ArrayView1, s};
use polars::prelude::DataFrame;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::evaluate::drawn;
use crate::metrics::classification::Predictions;
use crate::metrics::intervals::{Interval, RESAMPLES, bootstrap};
use crate::stages::contract::Failure;
use crate::stages::prediction::design::{Design, Encoding};

/// The feature that orders the training rows best, and the order that it gives the evaluation rows.
pub struct Single {
    pub name: String,
    /// Whether more of it means that the target is more likely; text has no direction.
    pub rising: Option<bool>,
    /// The evaluation rows as it orders them; the ranks are no probabilities.
    pub ranked: Predictions,
    /// The area under the ROC curve on the evaluation rows.
    pub roc_auc: f64,
}

impl Single {
    /// The ROC AUC of the model minus that of the feature, on the same rows.
    pub fn advantage(&self, model: &Predictions, rng: &mut Xoshiro256PlusPlus) -> Option<Interval> {
        bootstrap(model.rows(), RESAMPLES, rng, |times| {
            Some(model.roc_auc_of(|row| drawn(times, row))? - self.ranked.roc_auc_of(|row| drawn(times, row))?)
        })
    }
}

/// Chooses by the training rows only, and measures on the evaluation rows. `None` where the latter
/// are all of one class.
pub fn best(
    design: &Design,
    train: (&DataFrame, &[bool]),
    held: (&DataFrame, &[bool]),
) -> Result<Option<Single>, Failure> {
    let (known, judged) = (design.unscaled(train.0)?, design.unscaled(held.0)?);
    let mut best: Option<(f64, Single)> = None;
    let mut start = 0;
    for encoding in &design.columns {
        let terms = start..start + encoding.width();
        start = terms.end;
        let weights: Vec<f64> = match encoding {
            Encoding::Number { .. } => vec![1.0],
            // A level is worth the share of positives among its training rows, above that of all.
            Encoding::Levels { .. } => {
                terms.clone().map(|term| over_share(known.column(term).iter(), train.1)).collect()
            }
        };
        let weights = ArrayView1::from(&weights);
        let score = |matrix: &Array2<f64>| matrix.slice(s![.., terms.clone()]).dot(&weights).to_vec();
        let (learned, found) = (score(&known), score(&judged));
        let Some(auc) = ranked(train.1, &learned, true)?.roc_auc() else { continue };
        let rising = auc >= 0.5;
        let auc = auc.max(1.0 - auc);
        if best.as_ref().is_some_and(|(most, _)| *most >= auc) {
            continue;
        }
        let ranked = ranked(held.1, &found, rising)?;
        let Some(roc_auc) = ranked.roc_auc() else { return Ok(None) };
        let rising = matches!(encoding, Encoding::Number { .. }).then_some(rising);
        best = Some((auc, Single { name: encoding.name().to_owned(), rising, ranked, roc_auc }));
    }
    Ok(best.map(|(_, single)| single))
}

/// The share of positives among the rows of a level, minus that of all rows.
fn over_share<'a>(level: impl Iterator<Item = &'a f64>, truth: &[bool]) -> f64 {
    let (mut rows, mut positives) = (0.0, 0.0);
    for (member, truth) in level.zip(truth) {
        rows += member;
        positives += if *truth { *member } else { 0.0 };
    }
    let all = truth.iter().filter(|&&one| one).count() as f64 / truth.len().max(1) as f64;
    if rows > 0.0 { positives / rows - all } else { 0.0 }
}

/// Scores as ranks between 0 and 1, since only their order matters.
fn ranked(truth: &[bool], scores: &[f64], rising: bool) -> Result<Predictions, Failure> {
    let mut distinct = scores.to_vec();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    let most = distinct.len().saturating_sub(1).max(1) as f64;
    let rank = |score: &f64| {
        let rank = distinct.partition_point(|value| value < score) as f64 / most;
        if rising { rank } else { 1.0 - rank }
    };
    Predictions::new(truth.to_vec(), scores.iter().map(rank).collect())
        .map_err(|error| Failure::data(error.to_string()))
}
