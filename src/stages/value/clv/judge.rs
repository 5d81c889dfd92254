//! What was expected in the hold-out against what came, beside what each customer's own past would say.

use chrono::NaiveDate;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Clv;
use super::fitted::Learned;
use super::past::{Customer, Deeds};
use super::report;
use crate::format;
use crate::metrics::evaluation::{Better, Estimate, Evaluation, Fact, Measure, Slice};
use crate::metrics::intervals::{Interval, RESAMPLES, bootstrap};
use crate::metrics::regression::{self, Spearman};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::value::days::{Days, day_of};
use crate::stages::watch;

/// What is judged.
pub struct Judged<'a> {
    pub stage: &'a Clv,
    pub days: &'a Days,
    /// Fitted before.
    pub split: NaiveDate,
    /// Judged until.
    pub until: NaiveDate,
    /// At the split.
    pub customers: &'a [Customer],
    /// What each of them did from the split on.
    pub deeds: &'a [Deeds],
}

/// What was expected of each customer in the hold-out, and what the customer's past alone would say.
pub struct Forecast {
    pub alive: Vec<f64>,
    pub purchases: Vec<f64>,
    pub value: Vec<f64>,
    pub own_rate: Vec<f64>,
    pub own_value: Vec<f64>,
}

const TARGET: &str = "purchases";
const BASELINE: &str = "each customer's own past rate";

/// Measures of the model that was fitted before the split; without one it says why.
pub fn evaluate(judged: &Judged<'_>, learned: Option<&Learned>, context: &StageContext) -> Result<Evaluation, Failure> {
    let stage = judged.stage;
    let empty = Evaluation {
        target: TARGET.to_owned(),
        model: stage.purchases.name().to_owned(),
        baseline: BASELINE.to_owned(),
        ..Evaluation::default()
    };
    let unjudged = |why: String| Evaluation { facts: vec![Fact::new("not evaluated", why)], ..empty.clone() };
    if judged.until <= judged.split {
        let why = format!("nothing is known from {} on, where the hold-out begins", judged.split);
        return Ok(unjudged(why));
    }
    let Some(learned) = learned else {
        let why = format!("nobody of whom the model may learn has bought before {}", judged.split);
        return Ok(unjudged(why));
    };
    let Some(forecast) = judged.forecast(learned) else {
        return Ok(unjudged(format!("nobody has bought more than once before {}", judged.split)));
    };
    let mut evaluation = Evaluation { headline: "rmse".to_owned(), ..empty };
    evaluation.measures = judged.measures(&forecast, context)?;
    evaluation.facts = judged.facts(&forecast);
    evaluation.slices = judged.slices(&forecast);
    evaluation.charts = report::calibration(judged, &forecast);
    let counts = judged.deeds.iter().map(|deeds| f64::from(deeds.purchases));
    let rules = [
        watch::few_rows(judged.customers.len()),
        watch::wide_interval(&evaluation),
        watch::few_decide(counts.zip(&forecast.purchases).map(|(truth, expected)| (truth - expected).powi(2))),
    ];
    evaluation.watch = rules.into_iter().flatten().collect();
    Ok(evaluation)
}

impl Judged<'_> {
    /// Days from the last one that was known to the last one that judges.
    fn horizon_days(&self) -> f64 {
        f64::from(day_of(self.until) - day_of(self.split))
    }

    fn forecast(&self, learned: &Learned) -> Option<Forecast> {
        let fitted = learned.purchases.as_ref()?;
        let stage = self.stage;
        let (groups, group_of) = stage.grouped(&learned.cohorts, self.days, self.customers.iter());
        let of_groups = fitted.expected(&groups, self.horizon_days() / stage.unit.days());
        let expected = |group: &u32| of_groups.get(*group as usize).copied().unwrap_or([f64::NAN; 2]);
        let (alive, purchases): (Vec<f64>, Vec<f64>) =
            group_of.iter().map(expected).map(|[alive, purchases]| (alive, purchases)).unzip();
        let kept = 1.0 - learned.returned;
        let worth =
            |(customer, purchases): (&Customer, &f64)| kept * purchases * stage.expected_spend(learned, customer);
        let value = self.customers.iter().zip(&purchases).map(worth).collect();
        let rate = |customer: &Customer| match customer.age_days {
            0 => 0.0,
            age => f64::from(customer.repeats) / f64::from(age) * self.horizon_days(),
        };
        let own_rate: Vec<f64> = self.customers.iter().map(rate).collect();
        let own_value = self.customers.iter().zip(&own_rate).map(|(customer, rate)| rate * customer.mean()).collect();
        Some(Forecast { alive, purchases, value, own_rate, own_value })
    }

    fn measures(&self, forecast: &Forecast, context: &StageContext) -> Result<Vec<Measure>, Failure> {
        let counts: Vec<f64> = self.deeds.iter().map(|deeds| f64::from(deeds.purchases)).collect();
        let values: Vec<f64> = self.deeds.iter().map(|deeds| deeds.value).collect();
        let of_counts = (counts.as_slice(), forecast.purchases.as_slice(), forecast.own_rate.as_slice());
        let of_values = (values.as_slice(), forecast.value.as_slice(), forecast.own_value.as_slice());
        let data = |error: crate::metrics::MetricError| Failure::data(error.to_string());
        regression::check(&counts, &forecast.purchases).map_err(data)?;
        regression::check(&values, &forecast.value).map_err(data)?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
        let mut measures = Vec::new();
        let rmse: Maker = |truth, own| Box::new(|times| regression::rmse(truth, own, times));
        let mae: Maker = |truth, own| Box::new(|times| regression::mae(truth, own, times));
        let all: [(&str, Better, Maker, _); 7] = [
            ("rmse", Better::Lower, rmse, of_counts),
            ("mae", Better::Lower, mae, of_counts),
            ("r2", Better::Higher, |truth, own| Box::new(|times| regression::r2(truth, own, times)), of_counts),
            ("spearman", Better::Higher, ranks, of_counts),
            ("value_rmse", Better::Lower, rmse, of_values),
            ("value_mae", Better::Lower, mae, of_values),
            ("value_spearman", Better::Higher, ranks, of_values),
        ];
        for (name, better, maker, rows) in all {
            context.cancel.check()?;
            measures.extend(measure((name, better), maker, rows, &mut rng));
        }
        Ok(measures)
    }

    fn facts(&self, forecast: &Forecast) -> Vec<Fact> {
        let sum = |values: &[f64]| format::number(values.iter().sum::<f64>());
        let bought: u64 = self.deeds.iter().map(|deeds| u64::from(deeds.purchases)).sum();
        let spent: f64 = self.deeds.iter().map(|deeds| deeds.value).sum();
        vec![
            Fact::new(
                "evaluated on",
                format!(
                    "{} who bought before {}, by what they did until {}",
                    format::count(self.customers.len() as u64, "customer", "customers"),
                    self.split,
                    self.until
                ),
            ),
            Fact::new(
                "purchases in all",
                format!(
                    "{} came; the model expected {}, own rates {}",
                    format::thousands(bought),
                    sum(&forecast.purchases),
                    sum(&forecast.own_rate)
                ),
            ),
            Fact::new(
                "value in all",
                format!(
                    "{} came, net of returns; the model expected {}, own rates {}",
                    format::number(spent),
                    sum(&forecast.value),
                    sum(&forecast.own_value)
                ),
            ),
        ]
    }

    /// Purchases of each class of frequency.
    fn slices(&self, forecast: &Forecast) -> Vec<Slice> {
        let of = |class: report::Class| {
            let name = format!("frequency {}", class.name);
            [
                Slice::new(&name, "customers", class.customers as f64),
                Slice::new(&name, "mean_actual", class.actual),
                Slice { baseline: Some(class.own_rate), ..Slice::new(&name, "mean_prediction", class.expected) },
            ]
        };
        report::classes(self, forecast).into_iter().flat_map(of).collect()
    }
}

/// Of more customers the width of an interval is that of so many of them, less by the root of how many more there are:
/// the same within chance, in a part of the time.
const DRAWN_MAX: usize = 20_000;

/// A measure of customers drawn so often.
type Drawn<'a> = Box<dyn Fn(&[u32]) -> Option<f64> + Sync + 'a>;

/// Makes a measure of truths and predictions.
type Maker = for<'a> fn(&'a [f64], &'a [f64]) -> Drawn<'a>;

fn ranks<'a>(truth: &'a [f64], predicted: &'a [f64]) -> Drawn<'a> {
    let ranks = Spearman::new(truth, predicted).ok();
    Box::new(move |times| ranks.as_ref().and_then(|ranks| ranks.of(times)))
}

/// A measure of the model beside that of its baseline, on the same draws.
fn measure(
    (name, better): (&str, Better),
    maker: Maker,
    (truth, model, baseline): (&[f64], &[f64], &[f64]),
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Measure> {
    let once = vec![1; truth.len()];
    let own = maker(truth, model)(&once)?;
    let beside = maker(truth, baseline)(&once);
    let step = truth.len().div_ceil(DRAWN_MAX).max(1);
    let some = |values: &[f64]| values.iter().step_by(step).copied().collect::<Vec<f64>>();
    let (some_truth, some_model, some_baseline) = (some(truth), some(model), some(baseline));
    let drawn = some_truth.len();
    let of_model = maker(&some_truth, &some_model);
    let of_baseline = maker(&some_truth, &some_baseline);
    let shrink = (drawn as f64 / truth.len() as f64).sqrt();
    let around = |value: f64, found: Interval| {
        let [low, high] = [found.low, found.high].map(|end| value + shrink * (end - found.estimate));
        Estimate::interval(value, low, high)
    };
    let found = bootstrap(drawn, RESAMPLES, rng, &of_model)?;
    let other = bootstrap(drawn, RESAMPLES, rng, &of_baseline);
    let apart = bootstrap(drawn, RESAMPLES, rng, |times| Some(of_model(times)? - of_baseline(times)?));
    Some(Measure {
        name: name.to_owned(),
        better,
        model: around(own, found),
        baseline: beside.zip(other).map(|(value, found)| around(value, found)),
        difference: beside.zip(apart).map(|(value, found)| around(own - value, found)),
    })
}
