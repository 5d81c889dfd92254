//! A target that is a number.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Judged, TENTHS, residuals};
use crate::format;
use crate::metrics::evaluation::{Better, Estimate, Evaluation, Fact, Measure, Slice};
use crate::metrics::intervals::{Interval, RESAMPLES, bootstrap};
use crate::metrics::regression;
use crate::stages::contract::{Failure, StageContext};
use crate::stages::watch;

/// A measure of rows drawn so often: of the true values, and of the predictions.
type Drawn<'a> = &'a (dyn Fn(&[f64], &[u32]) -> Option<f64> + Sync);

pub fn evaluation(judged: &Judged<'_>, truth: &[f64], context: &StageContext) -> Result<Evaluation, Failure> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
    let predicted = judged.expected.column(0).to_vec();
    let data = |error: crate::metrics::MetricError| Failure::data(error.to_string());
    regression::check(truth, &predicted).map_err(data)?;
    let mean = judged.prior.first().copied().unwrap_or(0.0);
    let flat = vec![mean; truth.len()];
    let ranks = regression::Spearman::new(truth, &predicted).map_err(data)?;
    let mut measures = Vec::new();
    let all: [(&str, Better, Drawn<'_>); 4] = [
        ("rmse", Better::Lower, &|predicted, times| regression::rmse(truth, predicted, times)),
        ("mae", Better::Lower, &|predicted, times| regression::mae(truth, predicted, times)),
        ("r2", Better::Higher, &|predicted, times| regression::r2(truth, predicted, times)),
        ("mape", Better::Lower, &|predicted, times| regression::mape(truth, predicted, times)),
    ];
    for (name, better, of) in all {
        measures.extend(measure(name, better, of, (&predicted, &flat), &mut rng));
        context.cancel.check()?;
    }
    let spearman: Option<Interval> = bootstrap(truth.len(), RESAMPLES, &mut rng, |times| ranks.of(times));
    measures.extend(super::against("spearman", Better::Higher, spearman, Some(0.0)));
    let headline = measures.first().map(|first| first.name.clone()).unwrap_or_default();
    let own_mean = truth.iter().sum::<f64>() / truth.len().max(1) as f64;
    let mut facts = vec![Fact::new(
        "evaluated on",
        format!(
            "{}, {} rows with a mean of {}; in training it was {}",
            judged.evaluated,
            format::thousands(truth.len() as u64),
            format::number(own_mean),
            format::number(mean)
        ),
    )];
    let zeros = regression::zeros(truth);
    if zeros > 0 && zeros < truth.len() {
        let rows = format::count(zeros as u64, "row", "rows");
        facts.push(Fact::new("mape", format!("without {rows} whose target is zero, of which there is no share")));
    }
    let mut evaluation = Evaluation {
        target: judged.options.target.to_owned(),
        model: judged.model.clone(),
        baseline: "mean".to_owned(),
        headline,
        measures,
        facts,
        charts: residuals::charts(truth, &predicted),
        slices: slices(truth, &predicted, mean),
        ..Evaluation::default()
    };
    let r2 = evaluation.measures.iter().find(|measure| measure.name == "r2").map(|measure| measure.model.value);
    let below = predicted.iter().filter(|value| **value < 0.0).count();
    let never = truth.iter().all(|value| *value >= 0.0);
    let rules = [
        watch::few_rows(truth.len()),
        watch::wide_interval(&evaluation),
        r2.and_then(watch::too_good_a_fit),
        watch::few_decide(truth.iter().zip(&predicted).map(|(truth, predicted)| (truth - predicted).powi(2))),
        watch::below_zero(judged.options.target, below as f64 / truth.len().max(1) as f64).filter(|_| never),
    ];
    evaluation.watch = rules.into_iter().flatten().collect();
    Ok(evaluation)
}

fn measure(
    name: &str,
    better: Better,
    of: Drawn<'_>,
    (predicted, flat): (&[f64], &[f64]),
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Measure> {
    let rows = predicted.len();
    let found: Interval = bootstrap(rows, RESAMPLES, rng, |times| of(predicted, times))?;
    let baseline: Interval = bootstrap(rows, RESAMPLES, rng, |times| of(flat, times))?;
    let difference = bootstrap(rows, RESAMPLES, rng, |times| Some(of(predicted, times)? - of(flat, times)?))?;
    Some(Measure {
        name: name.to_owned(),
        better,
        model: found.into(),
        baseline: Some(baseline.into()),
        difference: Some(Estimate::from(difference)),
    })
}

/// What was predicted and what happened, by tenth, the highest predictions first.
fn slices(truth: &[f64], predicted: &[f64], mean: f64) -> Vec<Slice> {
    let of = |slice: regression::Slice| {
        let name = format!("tenth {}", slice.slice);
        [
            Slice::new(&name, "mean_prediction", slice.mean_predicted),
            Slice { baseline: Some(mean), ..Slice::new(&name, "mean_actual", slice.mean_actual) },
        ]
    };
    // The mean of a few is not told.
    let is_told = |slice: &regression::Slice| slice.rows as u64 >= crate::metrics::disclosure::TOLD_MIN;
    regression::slices(truth, predicted, TENTHS).into_iter().filter(is_told).flat_map(of).collect()
}
