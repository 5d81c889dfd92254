//! What the report says of customers' value: parameters, calibration, where the value is, what to be wary of.

use super::Clv;
use super::cohorts::{Cohort, Quarter};
use super::fitted::Learned;
use super::judge::{Forecast, Judged};
use super::options::Period;
use super::past::Customer;
use super::serve::Score;
use super::truncation;
use crate::algorithms::lifetime::{Fitted, Spend};
use crate::format::{count, number, percent, thousands};
use crate::metrics::disclosure::{TOLD_MIN, hidden_parts};
use crate::metrics::evaluation::{Chart, Curve, Evaluation, Fact};
use crate::metrics::regression::spearman;
use crate::stages::value::days::Days;
use crate::stages::watch;

/// Customers with so many repeat purchases or more are one class.
const FREQUENCY_MAX: u32 = 7;
/// Chances of being active that divide customers.
const BANDS: [f64; 6] = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9];
/// Points of the curve of the share of value.
const CURVE_POINTS: usize = 50;
/// Cohorts and quarters that a picture has room for.
const GRID_MAX: usize = 12;

/// Customers of one number of repeat purchases, and what became of them.
pub struct Class {
    pub name: String,
    pub customers: usize,
    /// Mean purchases in the hold-out: real, expected by the model, and by own rates.
    pub actual: f64,
    pub expected: f64,
    pub own_rate: f64,
    pub alive: f64,
}

/// The classes that may be told of.
pub fn classes(judged: &Judged<'_>, forecast: &Forecast) -> Vec<Class> {
    let of = |frequency: u32| {
        let is_own = |customer: &Customer| customer.repeats.min(FREQUENCY_MAX) == frequency;
        let places = judged.customers.iter().enumerate().filter(|(_, customer)| is_own(customer));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        let mean = |values: &dyn Fn(usize) -> f64| {
            places.iter().map(|place| values(*place)).sum::<f64>() / places.len().max(1) as f64
        };
        let at = |values: &[f64], place: usize| values.get(place).copied().unwrap_or(0.0);
        Class {
            name: if frequency == FREQUENCY_MAX { format!("{frequency}+") } else { frequency.to_string() },
            customers: places.len(),
            actual: mean(&|place| judged.deeds.get(place).map_or(0.0, |deeds| f64::from(deeds.purchases))),
            expected: mean(&|place| at(&forecast.purchases, place)),
            own_rate: mean(&|place| at(&forecast.own_rate, place)),
            alive: mean(&|place| at(&forecast.alive, place)),
        }
    };
    let all: Vec<Class> = (0..=FREQUENCY_MAX).map(of).collect();
    let hidden = hidden_parts(&all.iter().map(|class| class.customers as u64).collect::<Vec<_>>());
    let told = all.into_iter().zip(hidden).filter(|(class, hidden)| class.customers > 0 && !hidden);
    told.map(|(class, _)| class).collect()
}

/// Purchases expected in the hold-out against what came, by how often customers had bought again before it.
pub fn calibration(judged: &Judged<'_>, forecast: &Forecast) -> Vec<Chart> {
    let classes = classes(judged, forecast);
    let curve = |name: &str, of: fn(&Class) -> f64| Curve {
        name: name.to_owned(),
        points: classes.iter().zip(0..).map(|(class, place): (&Class, i32)| (f64::from(place), of(class))).collect(),
    };
    let curves = vec![
        curve("came", |class| class.actual),
        curve("expected", |class| class.expected),
        curve("own past rate", |class| class.own_rate),
    ];
    let columns = ["Repeat purchases before", "Customers", "Active, expected", "Came", "Expected", "Own past rate"];
    let row = |class: &Class| {
        vec![
            class.name.clone(),
            thousands(class.customers as u64),
            percent(class.alive),
            number(class.actual),
            number(class.expected),
            number(class.own_rate),
        ]
    };
    vec![
        Chart::Lines {
            title: "Purchases in the hold-out, by how often customers had bought again".to_owned(),
            x: format!("repeat purchases before the split ({FREQUENCY_MAX} and more together)"),
            y: "purchases a customer".to_owned(),
            curves,
            reference: vec![],
        },
        Chart::Table {
            title: "Expected against what came".to_owned(),
            columns: columns.map(str::to_owned).to_vec(),
            rows: classes.iter().map(row).collect(),
        },
    ]
}

/// What is known at the run date.
pub struct Served<'a> {
    pub stage: &'a Clv,
    pub days: &'a Days,
    /// The day before which everything is known.
    pub end: i32,
    pub learned: Option<&'a Learned>,
    pub customers: &'a [Customer],
    pub scores: &'a [Option<Score>],
    pub cohorts: &'a [Cohort],
}

impl Served<'_> {
    /// Adds what was learned, where the value is, and warnings.
    pub fn tell(&self, evaluation: &mut Evaluation) {
        let Served { stage, days, customers, learned, .. } = *self;
        if days.left_out > 0 {
            let rows = count(days.left_out, "row", "rows");
            evaluation.facts.push(Fact::new("left out", format!("{rows} without a customer, a time or an amount")));
        }
        let scored = customers.iter().zip(self.scores);
        let bought: Vec<(&Customer, &Score)> =
            scored.filter_map(|(customer, score)| Some((customer, score.as_ref()?))).collect();
        match learned.and_then(|learned| Some((learned, learned.purchases.as_ref()?))) {
            Some((learned, fitted)) => {
                evaluation.facts.extend(facts(stage, learned, fitted));
                evaluation.charts.push(parameters(learned, fitted, stage.unit));
                degenerate(evaluation, stage, fitted, &bought);
                evaluation.watch.extend(watch::unfinished(fitted.converged));
                evaluation.finds = finds(&bought);
            }
            None if customers.is_empty() => evaluation.warnings.push(watch::no_purchases()),
            None => evaluation.warnings.push(watch::no_repeats()),
        }
        if let Some(spend) = learned.and_then(|learned| learned.spend.as_ref()) {
            spending(evaluation, spend, customers);
        }
        self.tell_truncated(evaluation);
        evaluation.charts.extend(value_charts(&bought));
        evaluation.charts.extend(cohort_charts(self.cohorts));
    }

    /// Whether those who came first are older than the data, and whether they are fitted on.
    fn tell_truncated(&self, evaluation: &mut Evaluation) {
        let Served { stage, days, customers, .. } = *self;
        let Some(first) = days.first() else { return };
        let Some(found) = truncation::find(days, stage.counting(), customers, self.end) else { return };
        if stage.fit_on.is_some_and(|on| !on.holds(first, first)) {
            let value =
                "those who came first were customers before the data begins; `fit_on` leaves them out of the fit";
            evaluation.facts.push(Fact::new("left-truncated", value));
        } else {
            evaluation.warnings.push(watch::truncated(found.customers, found.again));
        }
    }
}

fn facts(stage: &Clv, learned: &Learned, fitted: &Fitted) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new(
            "served model",
            format!(
                "refitted on {}, {} of whom have bought again, as {}; log-likelihood {}, {} steps",
                count(learned.customers as u64, "customer", "customers"),
                thousands(learned.repeating as u64),
                count(learned.histories as u64, "different history", "different histories"),
                number(fitted.log_likelihood),
                fitted.steps
            ),
        ),
        Fact::new(
            "value",
            format!(
                "of the next {} days, at a discount of {} a year and a margin of {}",
                stage.horizon.in_days(),
                percent(stage.discount_rate),
                percent(stage.margin)
            ),
        ),
    ];
    if learned.returned > 0.0 {
        let share = percent(learned.returned);
        let value = format!(
            "{share} of what purchases came to was returned in a {} without one; everyone's value is less by it",
            stage.period.name()
        );
        facts.push(Fact::new("returns", value));
    }
    if !learned.cohorts.names.is_empty() {
        let names = learned.cohorts.names.iter().map(String::as_str);
        facts.push(Fact::new("cohorts", crate::format::list(names, 20)));
    }
    facts
}

/// The parameters with their standard errors.
fn parameters(learned: &Learned, fitted: &Fitted, unit: Period) -> Chart {
    let mut rows = Vec::new();
    for (place, own) in fitted.parameters.iter().enumerate() {
        let cohort = learned.cohorts.names.get(place).map_or("all", String::as_str);
        let errors = fitted.errors.get(place);
        for (index, (name, value)) in fitted.names().into_iter().zip(own).enumerate() {
            let error = errors.and_then(|errors| errors.get(index)).copied();
            rows.push(row(cohort, name, *value, error));
        }
    }
    if let Some(spend) = &learned.spend {
        for (index, (name, value)) in [("p", spend.p), ("q", spend.q), ("gamma", spend.gamma)].into_iter().enumerate() {
            let error = spend.errors.and_then(|errors| errors.get(index).copied());
            rows.push(row("all", &format!("{name} (spend)"), value, error));
        }
    }
    let columns = ["Cohort", "Parameter", "Value", "Standard error"];
    Chart::Table {
        title: format!("Parameters, per {}", unit.name()),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
    }
}

fn row(cohort: &str, name: &str, value: f64, error: Option<f64>) -> Vec<String> {
    let error = error.filter(|error| error.is_finite()).map_or_else(|| "not determined".to_owned(), number);
    vec![cohort.to_owned(), name.to_owned(), number(value), error]
}

/// Adds what gives away a fit that means little.
fn degenerate(evaluation: &mut Evaluation, stage: &Clv, fitted: &Fitted, bought: &[(&Customer, &Score)]) {
    let no_maximum =
        (!fitted.degenerate.is_empty()).then(|| watch::no_maximum(stage.purchases.name(), &fitted.degenerate));
    let repeating = bought.iter().filter(|(customer, _)| customer.repeats > 0);
    let (customers, alive) = repeating.fold((0_u64, 0.0), |(count, sum), (_, score)| (count + 1, sum + score.alive));
    // That nobody leaves is what most such fits come to; it is what a user must know.
    match watch::nobody_leaves(alive / customers.max(1) as f64, customers) {
        Some(told) => {
            evaluation.warnings.push(told);
            evaluation.watch.extend(no_maximum);
        }
        None => evaluation.warnings.extend(no_maximum),
    }
}

/// Whether purchases and what they are worth have nothing to do with each other, as the model of spending takes it.
fn spending(evaluation: &mut Evaluation, spend: &Spend, customers: &[Customer]) {
    let (repeats, means): (Vec<f64>, Vec<f64>) =
        customers.iter().filter_map(|customer| Some((f64::from(customer.repeats), customer.mean_repeat()?))).unzip();
    let pairs = repeats.len();
    if let Some(found) = spearman(&repeats, &means, &vec![1; pairs]) {
        // Under independence the rank correlation has a standard error of 1/√(n − 1).
        let errors = found * (pairs as f64 - 1.0).max(0.0).sqrt();
        let told = if errors.abs() < 1.96 { "within chance of none" } else { "more than chance" };
        let value = format!(
            "rank correlation of {} between how often {} bought again and what a purchase was worth: {told}",
            number(found),
            count(pairs as u64, "customer", "customers")
        );
        evaluation.facts.push(Fact::new("independence", value));
        evaluation.watch.extend(watch::dependent_spend(found, errors));
    }
    evaluation.watch.extend(watch::unfinished(spend.converged));
    evaluation.watch.extend((spend.q <= 1.0).then(watch::endless_spend));
}

/// Who has most of the value, in words.
fn finds(bought: &[(&Customer, &Score)]) -> String {
    let sorted = sorted(bought);
    let total: f64 = sorted.iter().sum();
    let tenth = sorted.len() / 10;
    if tenth == 0 || total <= 0.0 {
        return String::new();
    }
    let top: f64 = sorted.iter().take(tenth).sum();
    let gone: f64 = bought.iter().filter(|(_, score)| score.alive < 0.5).map(|(_, score)| score.clv).sum();
    format!(
        "The most valuable tenth of the customers has {} of the value expected; {} is of customers who have more likely left than not.",
        percent(top / total),
        percent(gone / total)
    )
}

/// Values, the highest first.
fn sorted(bought: &[(&Customer, &Score)]) -> Vec<f64> {
    let mut values: Vec<f64> = bought.iter().map(|(_, score)| score.clv).collect();
    values.sort_unstable_by(|a, b| b.total_cmp(a));
    values
}

/// Where the value is: by customer, by tenth, by the chance of being active.
fn value_charts(bought: &[(&Customer, &Score)]) -> Vec<Chart> {
    let values = sorted(bought);
    let total: f64 = values.iter().sum();
    if (values.len() as u64) < 10 * TOLD_MIN || total <= 0.0 {
        return vec![];
    }
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(values.iter().scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum)
        }))
        .collect();
    let upto = |customers: usize| sums.get(customers).copied().unwrap_or(total);
    let at = |step: usize, steps: usize| values.len() * step / steps;
    let point = |step: usize| (step as f64 / CURVE_POINTS as f64, upto(at(step, CURVE_POINTS)) / total);
    let tenth = |step: usize| {
        let (from, to) = (at(step - 1, 10), at(step, 10));
        let own = upto(to) - upto(from);
        let customers = (to - from) as f64;
        vec![
            step.to_string(),
            thousands((to - from) as u64),
            number(own / customers),
            percent(own / total),
            percent(upto(to) / total),
        ]
    };
    let columns = ["Tenth", "Customers", "Mean value", "Share of value", "Together"];
    vec![
        Chart::Line {
            title: "Share of the expected value, most valuable customers first".to_owned(),
            x: "share of customers".to_owned(),
            y: "share of value".to_owned(),
            points: (0..=CURVE_POINTS).map(point).collect(),
            reference: vec![(0.0, 0.0), (1.0, 1.0)],
        },
        Chart::Table {
            title: "Expected value by tenth of the customers".to_owned(),
            columns: columns.map(str::to_owned).to_vec(),
            rows: (1..=10).map(tenth).collect(),
        },
        bands(bought, total),
    ]
}

/// What is still expected of customers who may already be gone.
fn bands(bought: &[(&Customer, &Score)], total: f64) -> Chart {
    let ends = BANDS.iter().copied().skip(1).chain([1.0]);
    let bands: Vec<(f64, f64)> = BANDS.iter().copied().zip(ends).collect();
    let sum = |(low, high): &(f64, f64)| {
        // The highest one holds its upper end too.
        let is_within = |alive: f64| alive >= *low && (alive < *high || *high >= 1.0);
        let own = bought.iter().filter(|(_, score)| is_within(score.alive));
        own.fold((0_u64, 0.0), |(customers, sum), (_, score)| (customers + 1, sum + score.clv))
    };
    let sums: Vec<(u64, f64)> = bands.iter().map(sum).collect();
    let hidden = hidden_parts(&sums.iter().map(|(customers, _)| *customers).collect::<Vec<_>>());
    let row = |place: usize| {
        let ((low, high), (customers, value)) = (bands.get(place)?, sums.get(place)?);
        let mean = if *customers == 0 { 0.0 } else { value / *customers as f64 };
        let told = [thousands(*customers), number(mean), percent(value / total)];
        let is_hidden = hidden.get(place) != Some(&false);
        let [customers, mean, share] = if is_hidden { ["few".to_owned(), String::new(), String::new()] } else { told };
        Some(vec![format!("{} to {}", percent(*low), percent(*high)), customers, mean, share])
    };
    let columns = ["Chance of being active", "Customers", "Mean value", "Share of value"];
    Chart::Table {
        title: "Value of customers who may already be gone".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: (0..bands.len()).filter_map(row).collect(),
    }
}

/// What became of the newest cohorts, and how many of each bought in which quarter.
fn cohort_charts(cohorts: &[Cohort]) -> Vec<Chart> {
    let told: Vec<&Cohort> = cohorts.iter().filter(|cohort| cohort.customers >= TOLD_MIN).collect();
    let told = told.get(told.len().saturating_sub(GRID_MAX)..).unwrap_or_default();
    if told.is_empty() {
        return vec![];
    }
    let row = |cohort: &&Cohort| {
        let customers = cohort.customers as f64;
        let ahead = |of: fn(&super::cohorts::Expected) -> f64| cohort.ahead.as_ref().map(of);
        let text = |value: Option<f64>| value.map_or_else(|| "unknown".to_owned(), number);
        vec![
            cohort.name.clone(),
            thousands(cohort.customers),
            number(cohort.purchases as f64 / customers),
            number(cohort.value / customers),
            ahead(|ahead| ahead.alive).map_or_else(|| "unknown".to_owned(), |alive| percent(alive / customers)),
            text(ahead(|ahead| ahead.clv).map(|clv| clv / customers)),
            text(ahead(|ahead| ahead.clv)),
        ]
    };
    let columns = [
        "Cohort",
        "Customers",
        "Purchases each",
        "Spent each",
        "Active, expected",
        "Value ahead, each",
        "Value ahead, all",
    ];
    let table = Chart::Table {
        title: "Cohorts: what they spent, and what is expected of them".to_owned(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: told.iter().map(row).collect(),
    };
    std::iter::once(table).chain(retention(told)).collect()
}

/// The share of each cohort that bought in each quarter since its first.
fn retention(told: &[&Cohort]) -> Option<Chart> {
    let quarters = told.iter().map(|cohort| cohort.quarters.len()).max()?.min(GRID_MAX);
    if quarters < 2 {
        return None;
    }
    let share = |quarter: &Quarter| {
        let is_told = quarter.customers >= TOLD_MIN && (quarter.buyers == 0 || quarter.buyers >= TOLD_MIN);
        is_told.then(|| quarter.buyers as f64 / quarter.customers as f64)
    };
    let cells =
        |cohort: &&Cohort| (0..quarters).map(|since| cohort.quarters.get(since).and_then(share)).collect::<Vec<_>>();
    let all: Vec<Vec<Option<f64>>> = told.iter().map(cells).collect();
    Some(Chart::Grid {
        title: "Who bought again: share of customers, by quarters since that of the first purchase".to_owned(),
        rows_title: "Cohort".to_owned(),
        columns_title: "quarters since".to_owned(),
        rows: told.iter().map(|cohort| cohort.name.clone()).collect(),
        columns: (0..quarters).map(|since| since.to_string()).collect(),
        values: all.iter().map(|row| row.iter().map(|cell| cell.unwrap_or(0.0)).collect()).collect(),
        texts: all.iter().map(|row| row.iter().map(|cell| cell.map_or_else(String::new, percent)).collect()).collect(),
        center: None,
    })
}
