//! How far the best single feature alone gets: what a simple rule would reach.

use ndarray::{Array2, ArrayView1, s};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Judged;
use super::binary::truth_of;
use crate::metrics::classification::{BinaryMeasure, Ranking};
use crate::metrics::evaluation::Fact;
use crate::metrics::intervals::{Interval, RESAMPLES};
use crate::stages::contract::Failure;
use crate::stages::prediction::design::Encoding;

/// The feature that orders the training rows best, and the order that it gives the evaluation rows.
pub struct Single {
    pub name: String,
    /// Whether more of it means that the target is more likely; text has no direction.
    rising: Option<bool>,
    pub ranking: Ranking,
    /// The area under the ROC curve on the evaluation rows.
    pub roc_auc: f64,
}

impl Single {
    /// The ROC AUC of the model minus that of the feature, on the same rows.
    pub fn advantage(&self, model: &Ranking, rng: &mut Xoshiro256PlusPlus) -> Option<Interval> {
        let found = model.difference_intervals(&self.ranking, &[BinaryMeasure::RocAuc], [0.0, 0.0], RESAMPLES, rng);
        found.first().copied().flatten()
    }

    pub fn fact(&self, advantage: Interval) -> Fact {
        let direction = match self.rising {
            Some(true) => ", more is likelier",
            Some(false) => ", less is likelier",
            None => "",
        };
        let value = format!(
            "{}{direction}: a ROC AUC of {:.3} on the same rows; the model's is {:+.3} from that (95 % interval {:+.3} to {:+.3}). \
             It was chosen on the training rows",
            self.name, self.roc_auc, advantage.estimate, advantage.low, advantage.high
        );
        Fact::new("best single feature", value)
    }
}

/// Chooses by the training rows only, and measures on the evaluation rows. `None` where the latter are all of one class.
pub fn best(judged: &Judged<'_>, truth: &[bool]) -> Result<Option<Single>, Failure> {
    let design = judged.design;
    let (known, held) = (design.unscaled(judged.train.0)?, design.unscaled(judged.held)?);
    let learned = truth_of(judged.train.1);
    let mut best: Option<(f64, Single)> = None;
    for (encoding, (name, terms)) in design.columns.iter().zip(design.features()) {
        let is_level = matches!(encoding, Encoding::Levels { .. });
        let weights: Vec<f64> = match is_level {
            // A level is worth the share of positives among its training rows, above that of all.
            true => terms.clone().map(|term| over_share(known.column(term).iter(), learned)).collect(),
            false => terms.clone().enumerate().map(|(place, _)| f64::from(u8::from(place == 0))).collect(),
        };
        let weights = ArrayView1::from(&weights);
        let score = |matrix: &Array2<f64>| matrix.slice(s![.., terms.clone()]).dot(&weights).to_vec();
        let (before, found) = (score(&known), score(&held));
        let data = |error: crate::metrics::MetricError| Failure::data(error.to_string());
        let Some(auc) = Ranking::new(learned, &before).map_err(data)?.roc_auc() else { continue };
        let rising = auc >= 0.5;
        let auc = auc.max(1.0 - auc);
        if best.as_ref().is_some_and(|(most, _)| *most >= auc) {
            continue;
        }
        let found: Vec<f64> = if rising { found } else { found.into_iter().map(|value| -value).collect() };
        let ranking = Ranking::new(truth, &found).map_err(data)?;
        let Some(roc_auc) = ranking.roc_auc() else { return Ok(None) };
        best = Some((auc, Single { name: name.to_owned(), rising: (!is_level).then_some(rising), ranking, roc_auc }));
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
