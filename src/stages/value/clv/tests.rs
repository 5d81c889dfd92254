use chrono::NaiveDate;
use polars::df;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series, TimeUnit};
use rand::{Rng, SeedableRng};
use rand_distr::{Beta, Distribution, Exp, Gamma};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Clv;
use super::fitted::Learned;
use crate::algorithms::lifetime::{Ahead, Fitted, Group, History, Spend};
use crate::metrics::evaluation::Evaluation;
use crate::metrics::profile::{ColumnProfile, Shape};
use crate::metrics::regression::spearman;
use crate::stages::contract::{Failure, Outputs, Stage};
use crate::stages::fixture::{self, Night, schemas, table};
use crate::stages::model::Model;
use crate::table::{AS_OF, Class, Column, Table, TableSchema, floats, midnight_us};

/// Customer, days since the first one of 2023, amount.
type Event = (i64, i64, f64);

fn run_date() -> NaiveDate {
    "2024-01-01".parse().unwrap()
}

fn events(events: &[Event]) -> Table {
    let zero = midnight_us("2023-01-01".parse().unwrap());
    // At some time of the day, which does not matter.
    let time =
        |(place, (_, day, _)): (usize, &Event)| zero + day * 86_400_000_000 + (place as i64 % 86_400) * 1_000_000;
    let times: Vec<i64> = events.iter().enumerate().map(time).collect();
    let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
    let mut frame = df!(
        "customer" => events.iter().map(|event| event.0).collect::<Vec<_>>(),
        "amount" => events.iter().map(|event| event.2).collect::<Vec<_>>(),
        "country" => events.iter().map(|event| if event.0 % 2 == 0 { "DE" } else { "FR" }).collect::<Vec<_>>()
    )
    .unwrap();
    frame.with_column(Series::new("at".into(), times).cast(&microseconds).unwrap().into_column()).unwrap();
    let columns = vec![
        Column::new("customer", DataType::Int64).class(Class::DirectId),
        Column::new("amount", DataType::Float64),
        Column::new("country", DataType::String),
        Column::new("at", microseconds),
    ];
    let schema = TableSchema { columns, event_time: Some("at".into()), ..TableSchema::default() };
    Table { frame: frame.lazy(), schema, watermark: Some(run_date()) }
}

fn stage(with: serde_json::Value) -> Clv {
    fixture::stage(serde_json::json!({"entity": "customer", "time": "at", "amount": "amount"}), &with)
}

fn try_run(stage: &Clv, table: Table, earlier: Option<Model>, threads: usize) -> Result<Outputs, Failure> {
    fixture::try_run(stage, vec![("events", table)], Night { run_date: run_date(), earlier, threads })
}

fn run(stage: &Clv, events: Table) -> Outputs {
    try_run(stage, events, None, 2).unwrap()
}

/// The customers at the run date.
fn served(outputs: &Outputs) -> DataFrame {
    let all = table(outputs, 0);
    let day = i32::try_from(midnight_us(run_date()) / 86_400_000_000).unwrap();
    let kept = all.column(AS_OF).unwrap().cast(&DataType::Int32).unwrap();
    let kept: Vec<bool> = kept.i32().unwrap().iter().map(|moment| moment == Some(day)).collect();
    all.filter(&polars::prelude::BooleanChunked::new("kept".into(), kept)).unwrap()
}

fn column(frame: &DataFrame, name: &str) -> Vec<f64> {
    floats(frame, name).unwrap()
}

fn evaluation(outputs: &Outputs) -> &Evaluation {
    outputs.evaluation.as_ref().unwrap()
}

fn measure(evaluation: &Evaluation, name: &str) -> f64 {
    evaluation.measures.iter().find(|measure| measure.name == name).unwrap().model.value
}

/// A shop of BG/NBD customers who come over the first half of the year, buy every twenty days or so, and often leave.
fn shop(customers: i64) -> Vec<Event> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let (rates, leaving) = (Gamma::new(1.5, 1.0 / 30.0).unwrap(), Beta::new(1.2, 3.0).unwrap());
    let values = Gamma::new(4.0, 1.0).unwrap();
    let mut events = Vec::new();
    for customer in 0..customers {
        let (rate, leaves): (f64, f64) = (rates.sample(&mut rng), leaving.sample(&mut rng));
        let scale = 40.0 / values.sample(&mut rng);
        let mut at = f64::from(rng.gen_range(0_u32..180));
        while at < 365.0 {
            let value: f64 = values.sample(&mut rng);
            events.push((customer, at as i64, scale * value));
            let is_first = events.iter().rev().nth(1).is_none_or(|event| event.0 != customer);
            if !is_first && rng.gen_bool(leaves) {
                break;
            }
            at += Exp::new(rate).unwrap().sample(&mut rng) + 1.0;
        }
    }
    events
}

#[test]
fn every_answer_is_sensible() {
    for purchases in ["bg_nbd", "pareto_nbd"] {
        let outputs = run(&stage(serde_json::json!({"purchases": purchases})), events(&shop(1500)));
        let now = served(&outputs);
        assert_eq!(now.height(), 1500);
        let get = |name: &str| column(&now, name);
        let (alive, expected, clv, spend) = (get("alive"), get("purchases"), get("clv"), get("spend"));
        let (low, high) = (get("clv_low"), get("clv_high"));
        for place in 0..now.height() {
            assert!((0.0..=1.0).contains(&alive[place]) && expected[place] >= 0.0 && spend[place] > 0.0);
            // What is expected may be above what nine in ten are worth, where most are worth nothing.
            assert!(low[place] <= clv[place], "{} {}", low[place], clv[place]);
            assert!(clv[place] <= high[place] || alive[place] < 0.3, "{} {} {}", clv[place], high[place], alive[place]);
            // A discount takes some of it, and ten percent a year not more than that.
            let undiscounted = expected[place] * spend[place];
            assert!(clv[place] <= undiscounted && clv[place] >= undiscounted / 1.1, "{place}");
        }
        let found = evaluation(&outputs);
        assert!(found.measures.iter().all(|measure| measure.model.low.is_some() && measure.baseline.is_some()));
        assert!(measure(found, "r2") > 0.2, "{}", measure(found, "r2"));
        let rmse = &found.measures[0];
        assert!(rmse.model.value < rmse.baseline.unwrap().value, "the model knows that customers leave: {rmse:?}");
        assert_eq!(found.warnings, Vec::<String>::new());
        assert!(found.charts.len() >= 8 && !found.finds.is_empty());
    }
}

/// In the hold-out, with what is known at the split alone.
#[test]
fn nothing_after_the_split_is_known_before_it() {
    let mut all = shop(300);
    let before = table(&run(&stage(serde_json::json!({})), events(&all)), 0);
    all.iter_mut().filter(|event| event.1 >= 275).for_each(|event| event.2 *= 3.0);
    all.push((5, 360, 1000.0));
    let after = table(&run(&stage(serde_json::json!({})), events(&all)), 0);
    let split = |frame: &DataFrame| {
        let moments = frame.column(AS_OF).unwrap().cast(&DataType::Int32).unwrap();
        let first = moments.i32().unwrap().iter().flatten().min();
        let kept: Vec<bool> = moments.i32().unwrap().iter().map(|moment| moment == first).collect();
        frame.filter(&polars::prelude::BooleanChunked::new("kept".into(), kept)).unwrap()
    };
    assert!(split(&before).equals_missing(&split(&after)));
    assert!(!before.equals_missing(&after));
}

#[test]
fn days_are_netted_and_count_only_if_above_zero() {
    let mut all = shop(60);
    // Bought and returned on the same day; a gift; a return alone; two purchases on one day.
    all.extend([(900, 10, 10.1), (900, 10, 10.1), (900, 10, 10.1), (900, 10, -30.3), (900, 20, 5.0)]);
    all.extend([(901, 10, 0.0), (902, 10, -4.0), (903, 10, 2.0), (903, 10, 3.0), (903, 40, 7.0), (903, 50, -7.0)]);
    let of = |with: serde_json::Value| served(&run(&stage(with), events(&all)));
    let strict = of(serde_json::json!({}));
    let row = |frame: &DataFrame, customer: f64| column(frame, "customer").iter().position(|own| *own == customer);
    let place = row(&strict, 900.0).unwrap();
    assert_eq!(column(&strict, "frequency")[place], 0.0);
    assert_eq!(column(&strict, "tenure_days")[place], 344.0, "from the twentieth day to the last one of the year");
    assert_eq!((row(&strict, 901.0), row(&strict, 902.0)), (None, None));
    let place = row(&strict, 903.0).unwrap();
    assert_eq!((column(&strict, "frequency")[place], column(&strict, "recency_days")[place]), (1.0, 30.0));
    assert_eq!(column(&strict, "mean_value")[place], 7.0, "the first one does not count");
    let free = of(serde_json::json!({"counts": "not_below_zero"}));
    let place = row(&free, 900.0).unwrap();
    assert_eq!(column(&free, "frequency")[place], 1.0);
    assert!(row(&free, 901.0).is_some() && row(&free, 902.0).is_none());
}

#[test]
fn units_change_nothing_and_periods_what_is_counted() {
    let all = shop(400);
    let of = |with: serde_json::Value| served(&run(&stage(with), events(&all)));
    let weeks = of(serde_json::json!({}));
    for unit in ["day", "month"] {
        let other = of(serde_json::json!({"unit": unit}));
        for name in ["purchases", "clv", "alive"] {
            for (a, b) in column(&weeks, name).iter().zip(column(&other, name)) {
                assert!((a - b).abs() < 1e-3 * a.abs().max(0.01), "{unit} {name}: {a} {b}");
            }
        }
    }
    let days: f64 = column(&weeks, "frequency").iter().sum();
    let by_week: f64 = column(&of(serde_json::json!({"period": "week"})), "frequency").iter().sum();
    let by_month: f64 = column(&of(serde_json::json!({"period": "month"})), "frequency").iter().sum();
    assert!(days > by_week && by_week > by_month, "{days} {by_week} {by_month}");
}

#[test]
fn odd_shops_have_an_answer() {
    let once: Vec<Event> = (0..50).map(|customer| (customer, customer, 10.0)).collect();
    let same_day: Vec<Event> = (0..50).map(|customer| (customer, 100, 10.0)).collect();
    for (all, name) in [(once, "once"), (same_day, "one day")] {
        let outputs = run(&stage(serde_json::json!({})), events(&all));
        let now = served(&outputs);
        assert_eq!(now.height(), 50);
        assert_eq!(now.column("clv").unwrap().null_count(), 50, "{name}");
        assert!(evaluation(&outputs).warnings.iter().any(|told| told.contains("more than once")), "{name}");
        assert!(evaluation(&outputs).facts.iter().any(|fact| fact.name == "not evaluated"), "{name}");
    }
    let nothing = run(&stage(serde_json::json!({})), events(&[]));
    assert_eq!((table(&nothing, 0).height(), table(&nothing, 1).height()), (0, 0));
    assert!(evaluation(&nothing).warnings.iter().any(|told| told.contains("Nobody has bought anything")));
    let only_returns = run(&stage(serde_json::json!({})), events(&[(1, 5, -3.0), (1, 9, -2.0)]));
    assert_eq!(table(&only_returns, 0).height(), 0);
    for all in [vec![(1, 5, 3.0), (1, 20, 4.0), (1, 200, 5.0)], vec![(1, 0, 1.0), (1, 364, 1.0), (2, 364, 1.0)]] {
        let outputs = run(&stage(serde_json::json!({})), events(&all));
        let clv = column(&served(&outputs), "clv");
        assert!(clv.iter().all(|clv| clv.is_finite() && *clv >= 0.0), "{clv:?}");
    }
}

#[test]
fn horizons_scale_value() {
    let all = shop(300);
    let of = |days: &str, rate: f64| {
        let with = serde_json::json!({"horizon": days, "discount_rate": rate, "margin": 0.5});
        column(&served(&run(&stage(with), events(&all))), "clv").iter().sum::<f64>()
    };
    let (day, year, decade, dear) = (of("1d", 0.0), of("365d", 0.0), of("3650d", 0.0), of("3650d", 0.1));
    assert!(day > 0.0 && day < year / 100.0 && year < decade && dear < decade, "{day} {year} {decade} {dear}");
    assert!(
        serde_json::from_value::<Clv>(serde_json::json!({
            "entity": "customer", "time": "at", "amount": "amount", "horizon": "0d"
        }))
        .is_err()
    );
}

#[test]
fn cohorts_have_parameters_of_their_own() {
    let mut all = shop(1200);
    // Even customers buy twice as often: every purchase again two days later.
    let more: Vec<Event> =
        all.iter().filter(|event| event.0 % 2 == 0).map(|event| (event.0, event.1 + 2, event.2)).collect();
    all.extend(more.into_iter().filter(|event| event.1 < 365));
    let outputs = run(&stage(serde_json::json!({"cohorts": {"column": "country"}})), events(&all));
    let cohorts = table(&outputs, 1);
    let names: Vec<&str> = cohorts.column("cohort").unwrap().str().unwrap().iter().flatten().collect();
    assert_eq!(names, ["DE", "FR"]);
    let each = |name: &str| column(&cohorts, name);
    assert!(each("expected_purchases")[0] > 1.05 * each("expected_purchases")[1], "{:?}", each("expected_purchases"));
    assert_eq!(each("customers").iter().sum::<f64>(), 1200.0);
    let clv: f64 = column(&served(&outputs), "clv").iter().sum();
    assert!((each("clv").iter().sum::<f64>() - clv).abs() < 1e-6 * clv);
    let retention = table(&outputs, 2);
    let since = column(&retention, "quarters_since");
    let first = since.iter().position(|since| *since == 0.0).unwrap();
    assert_eq!(column(&retention, "buyers")[first], column(&retention, "customers")[first]);
    let values: f64 = column(&retention, "value").iter().sum();
    let spent: f64 = all.iter().map(|event| event.2).sum();
    assert!((values - spent).abs() < 1e-6 * spent);
    // Months: those with too few customers share parameters.
    run(&stage(serde_json::json!({"cohorts": {"first": "month"}})), events(&all));
}

#[test]
fn the_same_bytes_whatever_the_threads_and_the_order() {
    let all = shop(500);
    let one = try_run(&stage(serde_json::json!({})), events(&all), None, 1).unwrap();
    let mut turned = all.clone();
    turned.reverse();
    let other = try_run(&stage(serde_json::json!({})), events(&turned), None, 3).unwrap();
    for place in 0..3 {
        assert!(table(&one, place).equals_missing(&table(&other, place)), "{place}");
    }
    assert_eq!(one.model.unwrap().version(), other.model.unwrap().version());
    assert_eq!(one.evaluation, other.evaluation);
}

#[test]
fn an_earlier_model_is_applied() {
    let all = shop(500);
    let fitted = run(&stage(serde_json::json!({})), events(&all));
    let model = fitted.model.clone().unwrap();
    let applied = stage(serde_json::json!({"mode": "apply", "horizon": "365d"}));
    let outputs = try_run(&applied, events(&all), Some(model.clone()), 2).unwrap();
    let (before, after) = (served(&fitted), served(&outputs));
    assert!(before.equals_missing(&after));
    assert_eq!(outputs.evaluation, None);
    let other = stage(serde_json::json!({"mode": "apply", "purchases": "pareto_nbd"}));
    let refused = try_run(&other, events(&all), Some(model), 2).err().unwrap();
    assert!(refused.to_string().contains("`purchases`"), "{refused}");
    let only = run(&stage(serde_json::json!({"mode": "fit"})), events(&all));
    assert_eq!(table(&only, 0).height(), 0);
    assert!(only.model.is_some() && only.evaluation.is_some());
}

#[test]
fn a_base_that_begins_before_the_data_is_told() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let mut all: Vec<Event> = Vec::new();
    for customer in 0..400 {
        // Customers of old, every month or so.
        let mut day = rng.gen_range(0..35);
        while day < 365 {
            all.push((customer, day, 10.0));
            day += rng.gen_range(15..45);
        }
    }
    // New ones, few of whom buy again.
    for customer in 400..800 {
        let day = rng.gen_range(0..300);
        all.push((customer, day, 10.0));
        if customer % 4 == 0 {
            all.push((customer, day + 40, 10.0));
        }
    }
    let told = |outputs: &Outputs| {
        evaluation(outputs).warnings.iter().any(|told| told.contains("began") || told.contains("begin after"))
    };
    assert!(told(&run(&stage(serde_json::json!({})), events(&all))));
    let cut = run(&stage(serde_json::json!({"fit_on": {"after_first": "60d"}})), events(&all));
    assert!(!told(&cut));
    assert!(evaluation(&cut).facts.iter().any(|fact| fact.name == "left-truncated"));
    assert_eq!(served(&cut).height(), 800, "all are scored");
    assert!(!told(&run(&stage(serde_json::json!({})), events(&shop(800)))));
    let none = try_run(&stage(serde_json::json!({"fit_on": {"from": "2023-12-31"}})), events(&all), None, 2);
    assert!(none.err().unwrap().to_string().contains("`fit_on`"));
}

/// Returns in periods of their own make everyone worth less.
#[test]
fn returns_are_taken_off() {
    let all = shop(300);
    let with: Vec<Event> = all.iter().flat_map(|event| [*event, (event.0, event.1 + 1, -event.2 / 4.0)]).collect();
    let of = |events_of: &[Event]| run(&stage(serde_json::json!({})), events(events_of));
    let (plain, less) = (of(&all), of(&with));
    let sum = |outputs: &Outputs| column(&served(outputs), "clv").iter().sum::<f64>();
    let ratio = sum(&less) / sum(&plain);
    assert!((ratio - 0.75).abs() < 0.02, "{ratio}");
    assert!(evaluation(&less).facts.iter().any(|fact| fact.name == "returns" && fact.value.contains("% of what")));
}

/// What tells amounts is as sensitive as they are, and then no profile tells of it.
#[test]
fn worth_is_of_the_class_of_amounts() {
    let mut table = events(&shop(100));
    table.schema.columns.iter_mut().filter(|own| own.name == "amount").for_each(|own| own.class = Class::Sensitive);
    let stage = stage(serde_json::json!({}));
    let schemas = stage.schemas(&schemas(&vec![("events", table.clone())]), run_date()).unwrap();
    let classes = |place: usize, class: Class| {
        let own = schemas[place].columns.iter().filter(move |column| column.class == class);
        own.map(|column| column.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(classes(0, Class::Sensitive), ["mean_value", "spend", "clv", "clv_low", "clv_high"]);
    assert_eq!((classes(1, Class::Sensitive), classes(2, Class::Sensitive)), (vec!["value", "clv"], vec!["value"]));
    let outputs = run(&stage, table);
    let untold = |profile: &&ColumnProfile| profile.shape == Shape::None;
    assert_eq!(outputs.profile.iter().filter(untold).map(|own| own.name.as_str()).collect::<Vec<_>>(), ["mean_value"]);
}

#[test]
fn what_cannot_be_is_refused() {
    let problems =
        |with: serde_json::Value| stage(with).check().into_iter().map(|problem| problem.message).collect::<Vec<_>>();
    let clash = problems(serde_json::json!({"entity": "alive"}));
    assert!(clash[0].contains("also the name"), "{clash:?}");
    assert!(problems(serde_json::json!({"fit_on": {}}))[0].contains("no limit"));
    let turned = serde_json::json!({"fit_on": {"from": "2023-05-01", "before": "2023-05-01"}});
    assert!(problems(turned)[0].contains("first purchase"));
    let wrong = serde_json::json!({"entity": "customers", "amount": "country", "cohorts": {"column": "land"}});
    let found = stage(wrong).schemas(&schemas(&vec![("events", events(&[]))]), run_date()).unwrap_err();
    assert_eq!(found.len(), 3);
}

/// Parameters that made the customers of [`known`]: BG/NBD in weeks, and Gamma-Gamma.
const TRUTH: [f64; 4] = [0.8, 6.0, 0.9, 3.0];
const SPEND: [f64; 3] = [5.0, 3.5, 60.0];
/// What money is worth a week later, logarithm; the horizon of a year in weeks.
const DISCOUNT: f64 = 0.095_310_179_804_324_87 * 7.0 / 365.25;
const WEEKS: f64 = 365.0 / 7.0;

/// Customers whose rate, chance of leaving and spending are known, and what each will be worth in the next year given
/// these and whether they have left.
fn known(customers: i64, seed: u64) -> (Vec<Event>, Vec<f64>) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let ([r, alpha, a, b], [p, q, gamma]) = (TRUTH, SPEND);
    let (rates, leaving) = (Gamma::new(r, 1.0 / alpha).unwrap(), Beta::new(a, b).unwrap());
    let (scales, values) = (Gamma::new(q, 1.0 / gamma).unwrap(), Gamma::new(p, 1.0).unwrap());
    let (mut events, mut truth) = (Vec::new(), Vec::new());
    for customer in 0..customers {
        let (rate, leaves, scale): (f64, f64, f64) =
            (rates.sample(&mut rng), leaving.sample(&mut rng), scales.sample(&mut rng));
        let wait = Exp::new(rate.max(1e-9)).unwrap();
        let first: f64 = rng.gen_range(0..250).into();
        let (mut at, mut is_active) = (first, true);
        events.push((customer, first as i64, values.sample(&mut rng) / scale));
        loop {
            at += 7.0 * wait.sample(&mut rng);
            if at >= 365.0 {
                break;
            }
            events.push((customer, at as i64, values.sample(&mut rng) / scale));
            if rng.gen_bool(leaves) {
                is_active = false;
                break;
            }
        }
        let decay = rate * leaves + DISCOUNT;
        let purchases = rate * (1.0 - (-decay * WEEKS).exp()) / decay;
        truth.push(if is_active { purchases * p / scale } else { 0.0 });
    }
    (events, truth)
}

/// The bar: as good an order as that of who knows the parameters, less .02.
#[test]
fn value_is_ordered_nearly_as_well_as_by_who_knows_the_parameters() {
    for seed in [1, 2, 3] {
        let (all, truth) = known(4_000, seed);
        let outputs = run(&stage(serde_json::json!({})), events(&all));
        let now = served(&outputs);
        let found = column(&now, "clv");
        let (frequency, recency, tenure, mean) = (
            column(&now, "frequency"),
            column(&now, "recency_days"),
            column(&now, "tenure_days"),
            column(&now, "mean_value"),
        );
        let spend = Spend {
            p: SPEND[0],
            q: SPEND[1],
            gamma: SPEND[2],
            errors: None,
            log_likelihood: 0.0,
            customers: 0,
            converged: true,
        };
        let knowing: Learned = outputs.model.unwrap().main().unwrap();
        let knowing = Fitted { parameters: vec![TRUTH], ..knowing.purchases.unwrap() };
        let oracle: Vec<f64> = (0..now.height())
            .map(|place| {
                let history = History {
                    repeats: frequency[place] as u32,
                    recency: recency[place] / 7.0,
                    age: tenure[place] / 7.0,
                    cohort: 0,
                };
                let ahead = Ahead { horizon: WEEKS, discount: DISCOUNT };
                let outlook = knowing.outlook(&[Group { history, customers: 1 }], None, ahead)[0];
                let mean = if mean[place].is_nan() { 0.0 } else { mean[place] };
                outlook.discounted * spend.expected(frequency[place], mean).unwrap()
            })
            .collect();
        // Ids are the places of the truth, and the table is sorted by them.
        let once = vec![1; truth.len()];
        let (own, best) = (spearman(&truth, &found, &once).unwrap(), spearman(&truth, &oracle, &once).unwrap());
        assert!(own >= best - 0.02, "{own} {best}");
        let (low, high) = (column(&now, "clv_low"), column(&now, "clv_high"));
        let held = (0..truth.len()).filter(|place| (low[*place] - 1e-9..=high[*place] + 1e-9).contains(&truth[*place]));
        let share = held.count() as f64 / truth.len() as f64;
        assert!((0.85..=0.95).contains(&share), "{share}");
    }
}
