//! The model against the class prior, on rows that it was not fitted on.

use chrono::NaiveDate;
use polars::prelude::DataFrame;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::fitted::{Fitted, truth};
use super::{charts, facts, single};
use crate::metrics::classification::Predictions;
use crate::metrics::evaluation::{Better, Estimate, Evaluation, Measure};
use crate::metrics::intervals::{Interval, RESAMPLES, bootstrap, mean, mean_difference};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::watch;

/// Parts that the rows are cut into, by probability.
pub const DECILES: usize = 10;

/// A model and its baseline with the outcomes of the evaluation rows.
pub struct Judged<'a> {
    pub target: &'a str,
    pub truth: Vec<bool>,
    pub probability: Vec<f64>,
    pub model: Predictions,
    pub prior: Predictions,
    /// What the best single feature reaches, where the outcomes differ.
    pub single: Option<single::Single>,
    converged: bool,
}

impl<'a> Judged<'a> {
    /// Scores the rows of `held` with a model fitted on `train`.
    pub fn new(trial: &'a Fitted, train: &DataFrame, held: &DataFrame) -> Result<Judged<'a>, Failure> {
        let (learned, truth) = (truth(train, &trial.target)?, truth(held, &trial.target)?);
        let share = learned.iter().filter(|&&one| one).count() as f64 / learned.len().max(1) as f64;
        let probability = trial.probabilities(held)?;
        let measured = |probability: Vec<f64>| {
            Predictions::new(truth.clone(), probability).map_err(|error| Failure::data(error.to_string()))
        };
        let model = measured(probability.clone())?;
        let prior = measured(vec![share; truth.len()])?;
        let single = single::best(&trial.design, (train, &learned), (held, &truth))?;
        Ok(Judged {
            target: &trial.target,
            truth,
            probability,
            model,
            prior,
            single,
            converged: trial.regression.converged,
        })
    }

    /// Every measure that exists, with facts and charts of these rows.
    pub fn evaluation(&self, evaluated: NaiveDate, context: &StageContext) -> Result<Evaluation, Failure> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
        let mut measures: Vec<Measure> = self.roc_auc(&mut rng).into_iter().collect();
        let losses = |name, model: &dyn Fn(&Predictions) -> Vec<f64>, rng: &mut _| {
            self.loss(name, &model(&self.model), &model(&self.prior), rng)
        };
        measures.extend(losses("log_loss", &Predictions::log_losses, &mut rng));
        measures.extend(losses("brier", &Predictions::brier_losses, &mut rng));
        context.cancel.check()?;
        measures.extend(self.average_precision(&mut rng));
        measures.extend(self.lift(&mut rng));
        let error = self.model.calibration(DECILES).expected_error;
        measures.push(measure("ece", Better::Lower, Estimate::point(error), None, None));
        let headline = measures.first().map(|first| first.name.clone()).unwrap_or_default();
        let advantage = self.single.as_ref().and_then(|single| single.advantage(&self.model, &mut rng));
        let mut evaluation = Evaluation {
            target: self.target.to_owned(),
            model: "logistic regression".to_owned(),
            baseline: "class prior".to_owned(),
            headline,
            measures,
            facts: facts::of_rows(self, evaluated, self.single.as_ref().zip(advantage)),
            charts: charts::of_rows(self),
            slices: charts::slices(&self.model),
            finds: String::new(),
            watch: vec![],
        };
        evaluation.watch = self.watch(&evaluation, error, advantage);
        Ok(evaluation)
    }

    /// What to be wary of.
    fn watch(&self, evaluation: &Evaluation, error: f64, advantage: Option<Interval>) -> Vec<String> {
        let (rows, roc_auc) = (self.model.rows(), self.model.roc_auc());
        let mean = self.probability.iter().sum::<f64>() / rows as f64;
        let single = self.single.as_ref().zip(advantage).zip(roc_auc);
        let rules = [
            watch::few_of_a_class(self.target, rows, self.model.positives()),
            watch::wide_interval(evaluation),
            single.and_then(|((single, lead), model)| {
                watch::single_feature(&single.name, single.roc_auc, model, lead.low)
            }),
            roc_auc.and_then(watch::too_good),
            watch::miscalibrated(error, mean, self.share()),
            watch::unfinished(self.converged),
        ];
        rules.into_iter().flatten().collect()
    }

    /// The share of evaluation rows whose target is true.
    pub fn share(&self) -> f64 {
        self.model.positives() as f64 / self.model.rows() as f64
    }

    fn roc_auc(&self, rng: &mut Xoshiro256PlusPlus) -> Option<Measure> {
        let found =
            bootstrap(self.truth.len(), RESAMPLES, rng, |times| self.model.roc_auc_of(|row| drawn(times, row)))?;
        let over = |value: f64| value - 0.5;
        let difference = Estimate::interval(over(found.estimate), over(found.low), over(found.high));
        Some(measure("roc_auc", Better::Higher, found.into(), Some(Estimate::point(0.5)), Some(difference)))
    }

    fn loss(&self, name: &str, model: &[f64], prior: &[f64], rng: &mut Xoshiro256PlusPlus) -> Option<Measure> {
        let found = mean(model, RESAMPLES, rng)?;
        let baseline = mean(prior, RESAMPLES, rng)?;
        let difference = mean_difference(model, prior, RESAMPLES, rng)?;
        Some(measure(name, Better::Lower, found.into(), Some(baseline.into()), Some(difference.into())))
    }

    fn average_precision(&self, rng: &mut Xoshiro256PlusPlus) -> Option<Measure> {
        let rows = self.truth.len();
        let of_model = |times: &[u32]| self.model.average_precision_of(|row| drawn(times, row));
        // Whoever ranks at random reaches the share of positives.
        let over = |times: &[u32]| {
            let positives: u32 =
                self.truth.iter().zip(times).filter(|(truth, _)| **truth).map(|(_, times)| *times).sum();
            Some(of_model(times)? - f64::from(positives) / rows as f64)
        };
        let found = bootstrap(rows, RESAMPLES, rng, of_model)?;
        let difference = bootstrap(rows, RESAMPLES, rng, over)?;
        let baseline = Estimate::point(self.share());
        Some(measure("average_precision", Better::Higher, found.into(), Some(baseline), Some(difference.into())))
    }

    fn lift(&self, rng: &mut Xoshiro256PlusPlus) -> Option<Measure> {
        let order = TopDecile::new(&self.truth, &self.probability);
        let found: Interval = bootstrap(self.truth.len(), RESAMPLES, rng, |times| order.lift(times))?;
        let over = |value: f64| value - 1.0;
        let difference = Estimate::interval(over(found.estimate), over(found.low), over(found.high));
        Some(measure("lift@10%", Better::Higher, found.into(), Some(Estimate::point(1.0)), Some(difference)))
    }
}

/// How often a row was drawn.
pub fn drawn(times: &[u32], row: usize) -> u32 {
    times.get(row).copied().unwrap_or(0)
}

fn measure(
    name: &str,
    better: Better,
    model: Estimate,
    baseline: Option<Estimate>,
    difference: Option<Estimate>,
) -> Measure {
    Measure { name: name.to_owned(), better, model, baseline, difference }
}

/// Rows from the most probable, to measure the lift of many resamples after sorting once.
pub struct TopDecile {
    /// Row, outcome, and probability.
    order: Vec<(usize, bool, f64)>,
}

impl TopDecile {
    pub fn new(truth: &[bool], probability: &[f64]) -> TopDecile {
        let mut order: Vec<(usize, bool, f64)> =
            truth.iter().zip(probability).enumerate().map(|(row, (truth, p))| (row, *truth, *p)).collect();
        order.sort_by(|a, b| b.2.total_cmp(&a.2));
        TopDecile { order }
    }

    /// The positive share of the most probable tenth (rounded up) over that of all, each row
    /// occurring as often as `times` says; rows of equal probability share their outcomes.
    pub fn lift(&self, times: &[u32]) -> Option<f64> {
        let rows = self.order.len();
        let size = rows.div_ceil(DECILES) as f64;
        let (mut taken, mut found, mut positives) = (0.0, 0.0, 0.0);
        for level in self.order.chunk_by(|a, b| a.2 == b.2) {
            let (mut own, mut own_positives) = (0.0, 0.0);
            for (row, truth, _) in level {
                let weight = f64::from(drawn(times, *row));
                own += weight;
                own_positives += if *truth { weight } else { 0.0 };
            }
            let fits: f64 = f64::min(own, size - taken);
            if own > 0.0 {
                found += own_positives * fits / own;
                taken += fits;
            }
            positives += own_positives;
        }
        (positives > 0.0).then(|| (found / size) / (positives / rows as f64))
    }
}
