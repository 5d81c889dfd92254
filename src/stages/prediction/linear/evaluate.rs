//! The model against the training rows' mean, on rows that it was not fitted on.

use chrono::NaiveDate;
use polars::prelude::DataFrame;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::fitted::{Fitted, truth};
use super::{charts, facts};
use crate::metrics::evaluation::{Better, Estimate, Evaluation, Measure};
use crate::metrics::intervals::{Interval, RESAMPLES, bootstrap};
use crate::metrics::regression;
use crate::stages::contract::{Failure, StageContext};
use crate::stages::watch;

/// A model and its baseline with the true values of the evaluation rows.
pub struct Judged<'a> {
    pub target: &'a str,
    pub truth: Vec<f64>,
    pub predicted: Vec<f64>,
    /// What the baseline predicts for every row: the mean of the training rows.
    pub mean: f64,
}

/// A measure of rows drawn so often: of the true values, and of the predictions of either side.
type Drawn = fn(&[f64], &[f64], &[u32]) -> Option<f64>;

impl<'a> Judged<'a> {
    /// Scores the rows of `held` with a model fitted on `train`.
    pub fn new(trial: &'a Fitted, train: &DataFrame, held: &DataFrame) -> Result<Judged<'a>, Failure> {
        let learned = truth(train, &trial.target)?;
        let mean = learned.iter().sum::<f64>() / learned.len().max(1) as f64;
        let judged = Judged {
            target: &trial.target,
            truth: truth(held, &trial.target)?,
            predicted: trial.predictions(held)?,
            mean,
        };
        regression::check(&judged.truth, &judged.predicted).map_err(|error| Failure::data(error.to_string()))?;
        Ok(judged)
    }

    /// Every measure that exists, with facts and charts of these rows.
    pub fn evaluation(&self, evaluated: NaiveDate, context: &StageContext) -> Result<Evaluation, Failure> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
        let mut measures = Vec::new();
        let all: [(&str, Better, Drawn); 3] = [
            ("rmse", Better::Lower, regression::rmse),
            ("mae", Better::Lower, regression::mae),
            ("r2", Better::Higher, regression::r2),
        ];
        for (name, better, of) in all {
            measures.extend(self.measure(name, better, of, &mut rng));
            context.cancel.check()?;
        }
        let headline = measures.first().map(|first| first.name.clone()).unwrap_or_default();
        let mut evaluation = Evaluation {
            target: self.target.to_owned(),
            model: "linear regression".to_owned(),
            baseline: "mean".to_owned(),
            headline,
            measures,
            facts: facts::of_rows(self, evaluated),
            charts: charts::of_rows(self),
            slices: charts::slices(self),
            finds: String::new(),
            watch: vec![],
        };
        evaluation.watch = self.watch(&evaluation);
        Ok(evaluation)
    }

    /// What to be wary of.
    fn watch(&self, evaluation: &Evaluation) -> Vec<String> {
        let r2 = evaluation.measures.iter().find(|measure| measure.name == "r2").map(|measure| measure.model.value);
        let below = self.predicted.iter().filter(|value| **value < 0.0).count();
        let never = self.truth.iter().all(|value| *value >= 0.0);
        let rules = [
            watch::few_rows(self.truth.len()),
            watch::wide_interval(evaluation),
            r2.and_then(watch::too_good_a_fit),
            watch::few_decide(
                self.truth.iter().zip(&self.predicted).map(|(truth, predicted)| (truth - predicted).powi(2)),
            ),
            watch::below_zero(self.target, below as f64 / self.truth.len().max(1) as f64).filter(|_| never),
        ];
        rules.into_iter().flatten().collect()
    }

    fn measure(&self, name: &str, better: Better, of: Drawn, rng: &mut Xoshiro256PlusPlus) -> Option<Measure> {
        let (rows, flat) = (self.truth.len(), vec![self.mean; self.truth.len()]);
        let of_model = |times: &[u32]| of(&self.truth, &self.predicted, times);
        let of_mean = |times: &[u32]| of(&self.truth, &flat, times);
        let found: Interval = bootstrap(rows, RESAMPLES, rng, of_model)?;
        let baseline: Interval = bootstrap(rows, RESAMPLES, rng, of_mean)?;
        let difference = bootstrap(rows, RESAMPLES, rng, |times| Some(of_model(times)? - of_mean(times)?))?;
        Some(Measure {
            name: name.to_owned(),
            better,
            model: found.into(),
            baseline: Some(baseline.into()),
            difference: Some(Estimate::from(difference)),
        })
    }
}
