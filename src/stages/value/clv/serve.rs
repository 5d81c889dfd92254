//! What is expected of each customer, and the table of it.

use chrono::NaiveDate;
use polars::prelude::{Column as Values, DataFrame, DataType, IntoColumn, NamedFrom, Series};
use rayon::prelude::*;

use super::Clv;
use super::fitted::Learned;
use super::past::Customer;
use crate::algorithms::lifetime::{Ahead, Outlook};
use crate::stages::contract::Failure;
use crate::stages::value::days::{Days, day_of};
use crate::table::{AS_OF, Class, Column, TableSchema};

/// Rates are per year of so many days.
const YEAR_DAYS: f64 = 365.25;

/// What is expected of a customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    pub alive: f64,
    pub purchases: f64,
    pub purchases_low: f64,
    pub purchases_high: f64,
    /// What a purchase is expected to be worth.
    pub spend: f64,
    pub clv: f64,
    pub clv_low: f64,
    pub clv_high: f64,
}

/// The customers of a moment with their scores; without a model they have none.
pub struct Part {
    pub moment: NaiveDate,
    pub customers: Vec<Customer>,
    pub scores: Vec<Option<Score>>,
    /// Only what is served has a version.
    pub version: Option<String>,
}

/// The columns after the entity.
pub const OUTPUTS: [&str; 14] = [
    AS_OF,
    "frequency",
    "recency_days",
    "tenure_days",
    "mean_value",
    "alive",
    "purchases",
    "purchases_low",
    "purchases_high",
    "spend",
    "clv",
    "clv_low",
    "clv_high",
    "model_version",
];

/// What a column holds.
fn described(name: &str) -> &'static str {
    match name {
        AS_OF => "the moment that it is said of",
        "frequency" => "purchases after the first",
        "recency_days" => "days from the first purchase to the last one",
        "tenure_days" => "days from the first purchase to the last day before the moment",
        "mean_value" => "what purchases after the first were worth on average",
        "alive" => "chance that the customer is active, 0 to 1",
        "purchases" => "purchases expected in the horizon",
        "purchases_low" => "lower end of 90 % of what expected purchases may be",
        "purchases_high" => "upper end of 90 % of what expected purchases may be",
        "spend" => "what a purchase is expected to be worth",
        "clv" => "customer lifetime value: what is expected to be earned in the horizon, discounted",
        "clv_low" => "lower end of 90 % of what the value may be",
        "clv_high" => "upper end of 90 % of what the value may be",
        _ => "version of the model that says so",
    }
}

/// The schema of the table; `worth` is the class of what tells amounts.
pub fn schema(entity: Column, worth: Class, snapshots: Vec<NaiveDate>) -> TableSchema {
    let dtype = |name: &str| match name {
        AS_OF => DataType::Date,
        "frequency" | "recency_days" | "tenure_days" => DataType::Int64,
        "model_version" => DataType::String,
        _ => DataType::Float64,
    };
    let key = vec![entity.name.clone(), AS_OF.to_owned()];
    let class = |name: &str| match name {
        "mean_value" | "spend" | "clv" | "clv_low" | "clv_high" => worth,
        _ => Class::default(),
    };
    let column = |name| Column::new(name, dtype(name)).class(class(name)).described(described(name));
    let others = OUTPUTS.into_iter().map(column);
    let columns = std::iter::once(entity).chain(others).collect();
    TableSchema { columns, key, snapshots, ..TableSchema::default() }
}

impl Clv {
    /// What is expected of customers; nothing without a model of purchases.
    pub(super) fn scores(&self, learned: Option<&Learned>, days: &Days, customers: &[Customer]) -> Vec<Option<Score>> {
        let models = learned.and_then(|learned| Some((learned, learned.purchases.as_ref()?)));
        let Some((learned, fitted)) = models else { return vec![None; customers.len()] };
        let unit_days = self.unit.days();
        let (groups, group_of) = self.grouped(&learned.cohorts, days, customers.iter());
        let ahead = Ahead {
            horizon: f64::from(self.horizon.in_days()) / unit_days,
            discount: self.discount_rate.ln_1p() * unit_days / YEAR_DAYS,
        };
        let outlooks = fitted.outlook(&groups, learned.spend.as_ref(), ahead);
        let score =
            |(customer, group): (&Customer, &u32)| Some(self.score(learned, customer, outlooks.get(*group as usize)?));
        customers.par_iter().zip(&group_of).map(score).collect()
    }

    fn score(&self, learned: &Learned, customer: &Customer, outlook: &Outlook) -> Score {
        let spend = self.expected_spend(learned, customer);
        let kept = self.margin * (1.0 - learned.returned);
        let (low, high) = match &learned.spend {
            Some(model) => {
                let scale = model.scale(f64::from(customer.repeats), customer.mean_repeat().unwrap_or(0.0));
                (scale * outlook.worth.low, scale * outlook.worth.high)
            }
            None => {
                // Discounted as what is expected is.
                let discount = if outlook.purchases > 0.0 { outlook.discounted / outlook.purchases } else { 1.0 };
                (spend * discount * outlook.range.low, spend * discount * outlook.range.high)
            }
        };
        Score {
            alive: outlook.alive,
            purchases: outlook.purchases,
            purchases_low: outlook.range.low,
            purchases_high: outlook.range.high,
            spend,
            clv: kept * spend * outlook.discounted,
            clv_low: kept * low,
            clv_high: kept * high,
        }
    }

    /// What a purchase of a customer is expected to be worth.
    pub(super) fn expected_spend(&self, learned: &Learned, customer: &Customer) -> f64 {
        let Some(model) = &learned.spend else { return customer.mean() };
        let mean = customer.mean_repeat().unwrap_or(0.0);
        model.expected(f64::from(customer.repeats), mean).unwrap_or(learned.mean_value)
    }
}

/// One row a customer and moment; `parts` ascend by moment.
pub fn frame(days: &Days, parts: &[Part], entity: &str) -> Result<DataFrame, Failure> {
    let mut rows: Vec<Row<'_>> = parts.iter().flat_map(Part::rows).collect();
    rows.sort_by_key(|row| (row.customer.place, row.moment));
    let ids: Vec<u32> = rows.iter().map(|row| row.customer.place).collect();
    let mut columns = vec![days.customers.take_slice(&ids)?.with_name(entity.into()).into_column()];
    for name in OUTPUTS {
        columns.push(column(name, &rows)?);
    }
    Ok(DataFrame::new_infer_height(columns)?)
}

impl Part {
    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.customers.iter().zip(&self.scores).map(|(customer, score)| Row {
            moment: day_of(self.moment),
            customer: *customer,
            score: *score,
            version: self.version.as_deref(),
        })
    }
}

struct Row<'a> {
    moment: i32,
    customer: Customer,
    score: Option<Score>,
    version: Option<&'a str>,
}

fn column(name: &'static str, rows: &[Row<'_>]) -> Result<Values, Failure> {
    let whole = |of: fn(&Customer) -> i64| {
        Series::new(name.into(), rows.iter().map(|row| of(&row.customer)).collect::<Vec<_>>())
    };
    let score = |of: fn(&Score) -> f64| {
        Series::new(name.into(), rows.iter().map(|row| row.score.as_ref().map(of)).collect::<Vec<_>>())
    };
    let series = match name {
        AS_OF => {
            let moments: Vec<i32> = rows.iter().map(|row| row.moment).collect();
            Series::new(name.into(), moments).cast(&DataType::Date)?
        }
        "frequency" => whole(|customer| i64::from(customer.repeats)),
        "recency_days" => whole(|customer| i64::from(customer.recency_days)),
        "tenure_days" => whole(|customer| i64::from(customer.age_days)),
        "mean_value" => {
            let means: Vec<Option<f64>> = rows.iter().map(|row| row.customer.mean_repeat()).collect();
            Series::new(name.into(), means)
        }
        "alive" => score(|score| score.alive),
        "purchases" => score(|score| score.purchases),
        "purchases_low" => score(|score| score.purchases_low),
        "purchases_high" => score(|score| score.purchases_high),
        "spend" => score(|score| score.spend),
        "clv" => score(|score| score.clv),
        "clv_low" => score(|score| score.clv_low),
        "clv_high" => score(|score| score.clv_high),
        _ => Series::new(name.into(), rows.iter().map(|row| row.version).collect::<Vec<Option<&str>>>()),
    };
    Ok(series.into_column())
}
