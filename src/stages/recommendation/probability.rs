//! How likely a recommended item is met: a logistic regression on how the list was made, learned from one hold-out and
//! judged on the next.

use ndarray::Array2;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::lists::{Entry, Lists};
use super::trial::Trial;
use crate::algorithms::softmax::{self, Penalty};
use crate::metrics::classification::Predictions;
use crate::metrics::evaluation::{Better, Chart, Curve, Estimate, Measure};
use crate::metrics::intervals::{self, RESAMPLES};
use crate::stages::contract::Failure;
use crate::stages::model::Model;
use crate::stages::watch;
use crate::table::midnight_us;

/// The file of the model.
const FILE: &str = "probability.json";
/// What the regression looks at: score, rank, buyers of the item, orders of the user, days since the last one; whether
/// the item is of the user's own, with what weight, and days since they last met; and whether it only fills the list up,
/// in which case its score is none.
const COLUMNS: usize = 9;
/// Rows above which the regression learns from every k-th only.
const ROWS_MAX: usize = 500_000;
/// The bins of the calibration curve.
const BINS: usize = 10;

/// What turns places on lists into probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chances {
    means: Vec<f64>,
    deviations: Vec<f64>,
    coefficients: Vec<f64>,
    intercept: f64,
}

/// What is told of an item on a list.
struct Told {
    buyers: Vec<f64>,
    days_since: Vec<f64>,
    orders: Vec<f64>,
}

impl Told {
    fn of(trial: &Trial) -> Told {
        let histories = trial.histories();
        let now = midnight_us(trial.moment);
        let days_since = (0..histories.weights.rows()).map(|user| {
            let own = histories.weights.start(user)..histories.weights.start(user + 1);
            let latest = histories.latest.get(own).unwrap_or_default().iter().max();
            latest.map_or(DAYS_MAX, |latest| days_between(*latest, now))
        });
        Told {
            buyers: trial.known.users_per_item(i64::MIN).into_iter().map(f64::ln_1p).collect(),
            days_since: days_since.map(f64::ln_1p).collect(),
            orders: histories.orders.iter().map(|orders| f64::from(*orders).ln_1p()).collect(),
        }
    }

    fn row(&self, trial: &Trial, user: usize, rank: usize, entry: &Entry, is_filled: bool) -> [f64; COLUMNS] {
        let histories = trial.histories();
        let (items, weights) = histories.weights.row(user);
        let own = items.binary_search(&entry.item).ok();
        let weight = own.and_then(|place| weights.get(place)).copied().unwrap_or(0.0);
        let latest = own.and_then(|place| histories.latest.get(histories.weights.start(user) + place));
        let days = latest.map_or(0.0, |latest| days_between(*latest, midnight_us(trial.moment)));
        let of = |values: &[f64], place: usize| values.get(place).copied().unwrap_or(0.0);
        [
            if is_filled { 0.0 } else { entry.score },
            (rank as f64 + 1.0).ln(),
            of(&self.buyers, entry.item as usize),
            of(&self.orders, user),
            of(&self.days_since, user),
            f64::from(u8::from(own.is_some())),
            weight.ln_1p(),
            days.ln_1p(),
            f64::from(u8::from(is_filled)),
        ]
    }
}

/// What stands for never.
const DAYS_MAX: f64 = 36_525.0;

fn days_between(start_us: i64, end_us: i64) -> f64 {
    (end_us.saturating_sub(start_us) as f64 / 86_400e6).clamp(0.0, DAYS_MAX)
}

fn was_met(trial: &Trial, user: usize, item: u32) -> bool {
    trial.met.row(user).0.binary_search(&item).is_ok()
}

impl Chances {
    /// Learns from lists of a moment what came of them; `None` where nothing, or everything, did.
    pub fn learn(lists: &Lists, trial: &Trial) -> Option<Chances> {
        let told = Told::of(trial);
        let rows: usize = lists.of_users.iter().map(Vec::len).sum();
        let step = rows.div_ceil(ROWS_MAX).max(1);
        let (mut cells, mut outcomes) = (Vec::new(), Vec::new());
        let all = lists.of_users.iter().enumerate();
        let all = all.flat_map(|(user, list)| list.iter().enumerate().map(move |(rank, entry)| (user, rank, entry)));
        for (user, rank, entry) in all.step_by(step) {
            cells.extend(told.row(trial, user, rank, entry, lists.is_filled(entry)));
            outcomes.push(u32::from(was_met(trial, user, entry.item)));
        }
        let mut x = Array2::from_shape_vec((outcomes.len(), COLUMNS), cells).ok()?;
        let (mut means, mut deviations) = (vec![], vec![]);
        for mut column in x.columns_mut() {
            let mean = column.mean().unwrap_or(0.0);
            let spread = column.std(0.0);
            let deviation = if spread > 1e-12 { spread } else { 1.0 };
            column.mapv_inplace(|value| (value - mean) / deviation);
            means.push(mean);
            deviations.push(deviation);
        }
        let (penalty, params) = (Penalty { l1: 0.0, l2: 1.0 }, softmax::Params::default());
        let fitted = softmax::fit(x.view(), &outcomes, 2, None, &penalty, &params, &|| true).ok()?;
        let coefficients = fitted.coefficients.iter().copied().collect();
        Some(Chances { means, deviations, coefficients, intercept: *fitted.intercepts.first()? })
    }

    fn of(&self, row: [f64; COLUMNS]) -> f64 {
        let scaled = row
            .iter()
            .zip(&self.means)
            .zip(&self.deviations)
            .map(|((value, mean), deviation)| (value - mean) / deviation);
        let linear = self.intercept + scaled.zip(&self.coefficients).map(|(x, w)| x * w).sum::<f64>();
        1.0 / (1.0 + (-linear).exp())
    }

    /// Writes the probabilities into the lists, and orders them by these; of equal ones the item with the lower index
    /// comes first.
    pub fn apply(&self, lists: &mut Lists, trial: &Trial) {
        let told = Told::of(trial);
        let mut of_users = std::mem::take(&mut lists.of_users);
        for (user, list) in of_users.iter_mut().enumerate() {
            for (rank, entry) in list.iter_mut().enumerate() {
                entry.probability = Some(self.of(told.row(trial, user, rank, entry, lists.is_filled(entry))));
            }
            let chance = |entry: &Entry| entry.probability.unwrap_or(0.0);
            list.sort_by(|a, b| chance(b).total_cmp(&chance(a)).then(a.item.cmp(&b.item)));
        }
        lists.of_users = of_users;
    }

    pub fn file(&self) -> Result<(String, Vec<u8>), Failure> {
        let json = serde_json::to_vec_pretty(self).map_err(|error| Failure::bug(error.to_string()))?;
        Ok((FILE.to_owned(), json))
    }
}

/// The probabilities of an earlier model.
pub fn load(model: &Model, wanted: bool) -> Result<Option<Chances>, Failure> {
    let Some(json) = model.files.get(FILE).filter(|_| wanted) else { return Ok(None) };
    let read = serde_json::from_slice(json);
    read.map(Some).map_err(|error| Failure::data(format!("the earlier model cannot be read: {error}")))
}

/// Measures, a chart and warnings of probabilities that were learned from an earlier hold-out, beside the share of
/// items on lists that were met.
pub fn judge(lists: &Lists, trial: &Trial, seed: u64) -> (Vec<Measure>, Vec<Chart>, Vec<String>) {
    let (mut outcomes, mut probabilities) = (Vec::new(), Vec::new());
    for (user, list) in lists.of_users.iter().enumerate() {
        for entry in list {
            outcomes.push(was_met(trial, user, entry.item));
            probabilities.push(entry.probability.unwrap_or(0.0));
        }
    }
    if outcomes.is_empty() {
        return (vec![], vec![], vec![]);
    }
    let rows = outcomes.len() as f64;
    let share = outcomes.iter().filter(|met| **met).count() as f64 / rows;
    let mean = probabilities.iter().sum::<f64>() / rows;
    let squared = |of: &dyn Fn(usize) -> f64| -> Vec<f64> {
        outcomes.iter().enumerate().map(|(row, met)| (of(row) - f64::from(u8::from(*met))).powi(2)).collect()
    };
    let model = squared(&|row| probabilities.get(row).copied().unwrap_or(0.0));
    let prior = squared(&|_| share);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let brier = intervals::mean(&model, RESAMPLES, &mut rng).map(|found| Measure {
        name: "brier".to_owned(),
        better: Better::Lower,
        model: found.into(),
        baseline: intervals::mean(&prior, RESAMPLES, &mut rng).map(Into::into),
        difference: intervals::mean_difference(&model, &prior, RESAMPLES, &mut rng).map(Into::into),
    });
    let Ok(predictions) = Predictions::new(outcomes, probabilities) else { return (vec![], vec![], vec![]) };
    let calibration = predictions.calibration(BINS);
    let error = Measure {
        name: "ece".to_owned(),
        better: Better::Lower,
        model: Estimate::point(calibration.expected_error),
        baseline: None,
        difference: None,
    };
    let points = calibration.bins.iter().map(|bin| (bin.mean_probability, bin.positive_share)).collect();
    let chart = Chart::Lines {
        title: "Probabilities: what was expected and what happened".to_owned(),
        x: "probability".to_owned(),
        y: "share that was bought".to_owned(),
        curves: vec![Curve { name: "model".to_owned(), points }],
        reference: vec![(0.0, 0.0), (1.0, 1.0)],
    };
    let warning = watch::miscalibrated(calibration.expected_error, mean, share);
    (brier.into_iter().chain([error]).collect(), vec![chart], warning.into_iter().collect())
}
