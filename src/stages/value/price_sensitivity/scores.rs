//! What the response of each customer and item comes to.

use polars::prelude::{Column as Values, DataFrame, DataType, IntoColumn, NamedFrom, Series};
use statrs::distribution::{ContinuousCDF, Normal};

use super::PriceSensitivity;
use super::lines::{Groups, Lines};
use crate::algorithms::price_response::{Line, Prior, Response, Shrunk, prior, shrink};
use crate::stages::contract::Failure;
use crate::table::{Class, Column, TableSchema};

/// Ranges are of so many deviations to both sides: 90 % of a normal distribution.
const DEVIATIONS: f64 = 1.644_853_626_951_472_2;
/// Scores that divide levels.
const THIRDS: [f64; 2] = [1.0 / 3.0, 2.0 / 3.0];

/// The columns of the first output after the customer.
pub const CUSTOMERS: [&str; 12] = [
    "lines",
    "orders",
    "discount_share",
    "price_index",
    "elasticity",
    "elasticity_low",
    "elasticity_high",
    "score",
    "score_low",
    "score_high",
    "level",
    "because",
];

/// Those of the second after the item.
pub const ITEMS: [&str; 8] = [
    "usual_price",
    "lines",
    "customers",
    "discount_share",
    "elasticity",
    "elasticity_low",
    "elasticity_high",
    "elasticity_shrunk",
];

pub fn customers_schema(entity: Column, told: Class) -> TableSchema {
    let described = |name: &str| match name {
        "lines" => "order lines with a price and a quantity above zero",
        "orders" => "orders of these lines",
        "discount_share" => "share of the lines that were bought on discount, 0 to 1",
        "price_index" => "what was paid over what the items usually cost, geometric mean; 1 is the usual price",
        "elasticity" => "percent less that is taken when one percent more is paid, shrunk towards segment and all",
        "elasticity_low" => "lower end of 90 % of what the elasticity may be",
        "elasticity_high" => "upper end of 90 % of what the elasticity may be",
        "score" => "share of customers expected to respond less to prices, 0 to 1; null where unknown",
        "score_low" => "lower end of 90 % of what the score may be",
        "score_high" => "upper end of 90 % of what the score may be",
        "level" => "low, medium or high by thirds of the score, or unknown",
        _ => "why the level is unknown: one price, or too little",
    };
    schema(entity, told, &CUSTOMERS, described)
}

pub fn items_schema(item: Column, told: Class) -> TableSchema {
    let described = |name: &str| match name {
        "usual_price" => "median price in the newest period in which it was bought",
        "lines" => "order lines with a price and a quantity above zero",
        "customers" => "customers who bought it",
        "discount_share" => "share of the lines that were bought on discount, 0 to 1",
        "elasticity" => "percent less that is taken when one percent more is paid; null where the price never varied",
        "elasticity_low" => "lower end of 90 % of what the elasticity may be",
        "elasticity_high" => "upper end of 90 % of what the elasticity may be",
        _ => "the same, shrunk towards that of all items",
    };
    schema(item, told, &ITEMS, described)
}

/// `told` is the class of what prices and quantities tell; how often something was bought is not among it.
fn schema(id: Column, told: Class, names: &[&str], described: impl Fn(&str) -> &'static str) -> TableSchema {
    let dtype = |name: &str| match name {
        "lines" | "orders" | "customers" => DataType::Int64,
        "level" | "because" => DataType::String,
        _ => DataType::Float64,
    };
    let key = vec![id.name.clone()];
    let class = |name: &str| match name {
        "lines" | "orders" | "customers" => Class::default(),
        _ => told,
    };
    let column = |name: &&str| Column::new(*name, dtype(name)).class(class(name)).described(described(name));
    let others = names.iter().map(column);
    TableSchema { columns: std::iter::once(id).chain(others).collect(), key, ..TableSchema::default() }
}

/// How far a customer's response is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Low,
    Medium,
    High,
    /// The customer never saw an item at two prices.
    OnePrice,
    /// What is known of the customer hardly tells more than what is known of all.
    TooLittle,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::OnePrice | Level::TooLittle => "unknown",
        }
    }

    fn because(self) -> Option<&'static str> {
        match self {
            Level::OnePrice => Some("one price"),
            Level::TooLittle => Some("too little"),
            _ => None,
        }
    }
}

/// A customer, or an item.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub lines: u64,
    /// Orders of a customer, customers of an item.
    pub others: u64,
    pub discounted: u64,
    /// Σ log of price over usual price.
    pub logarithms: f64,
    pub usual: f64,
    newest: i32,
}

/// A customer's answers.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub elasticity: Option<Shrunk>,
    /// Score with its range.
    pub score: Option<[f64; 3]>,
    pub level: Level,
}

/// All that is said.
pub struct Judged<'a> {
    pub lines: &'a Lines,
    pub usual: &'a [f64],
    pub response: &'a Response,
    pub groups: &'a Groups,
    pub of_customers: Vec<Tally>,
    pub of_items: Vec<Tally>,
    pub prior: Option<Prior>,
    /// Of items.
    pub item_prior: Option<Prior>,
    pub answers: Vec<Answer>,
}

impl<'a> Judged<'a> {
    pub fn of(
        lines: &'a Lines,
        usual: &'a [f64],
        response: &'a Response,
        groups: &'a Groups,
        stage: &PriceSensitivity,
    ) -> Judged<'a> {
        let (mut of_customers, mut of_items) =
            (vec![Tally::default(); lines.customers.len()], vec![Tally::default(); lines.items.len()]);
        let mut last: Option<&Line> = None;
        let mut buyers = vec![u32::MAX; lines.items.len()];
        for (line, usual) in lines.lines.iter().zip(usual) {
            let is_new_order = last.is_none_or(|last| (last.customer, last.order) != (line.customer, line.order));
            last = Some(line);
            if let Some(tally) = of_customers.get_mut(line.customer as usize) {
                tally.add(line, *usual, stage.discount);
                tally.others += u64::from(is_new_order);
            }
            let (tally, buyer) = (of_items.get_mut(line.item as usize), buyers.get_mut(line.item as usize));
            if let (Some(tally), Some(buyer)) = (tally, buyer) {
                tally.add(line, *usual, stage.discount);
                tally.others += u64::from(*buyer != line.customer);
                *buyer = line.customer;
            }
        }
        let noise = response.variance;
        let prior_of = |slopes, of: &[u32], count| noise.and_then(|noise| prior(slopes, of, count, noise));
        let own = prior_of(&response.customers, &groups.of, groups.count);
        let item_prior = prior_of(&response.items, &vec![0; lines.items.len()], 1);
        let mut judged =
            Judged { lines, usual, response, groups, of_customers, of_items, prior: own, item_prior, answers: vec![] };
        judged.answers = (0..lines.customers.len()).map(|place| judged.answer(place, stage.known)).collect();
        judged
    }

    fn answer(&self, place: usize, known_min: f64) -> Answer {
        let slope = self.response.customers.get(place).copied().unwrap_or_default();
        let unknown = if slope.is_known() { Level::TooLittle } else { Level::OnePrice };
        let (Some(prior), Some(noise)) = (&self.prior, self.response.variance) else {
            return Answer { elasticity: None, score: None, level: unknown };
        };
        let group = self.groups.of.get(place).copied().unwrap_or_default();
        let mean = prior.groups.get(group as usize).copied().unwrap_or(prior.mean);
        let shrunk = shrink(&slope, mean, prior.variance, noise);
        // Which share of what customers differ by is known of this one, within the segment; who differ by nothing are
        // not told apart.
        let variance = shrunk.deviation.powi(2);
        let known = if prior.variance > 0.0 { 1.0 - variance / prior.variance } else { 0.0 };
        let is_known = slope.is_known() && prior.variance > 0.0 && known >= known_min;
        let score = is_known.then(|| {
            let spread = prior.total_variance.sqrt();
            let below = |value: f64, deviation: f64| Normal::standard().cdf((value - prior.mean) / deviation);
            let end = |side: f64| below(shrunk.mean + side * DEVIATIONS * shrunk.deviation, spread);
            [below(shrunk.mean, (prior.total_variance + variance).sqrt()), end(-1.0), end(1.0)]
        });
        let level = score.map_or(unknown, |[score, ..]| match THIRDS {
            [low, _] if score < low => Level::Low,
            [_, high] if score < high => Level::Medium,
            _ => Level::High,
        });
        Answer { elasticity: Some(shrunk), score, level }
    }

    /// The first output, by customer.
    pub fn customers(&self, entity: &str) -> Result<DataFrame, Failure> {
        let tallies = &self.of_customers;
        let elasticity = |side: f64| {
            let of = |answer: &Answer| answer.elasticity.map(|own| own.mean + side * DEVIATIONS * own.deviation);
            self.answers.iter().map(of).collect::<Vec<Option<f64>>>()
        };
        let score = |place: usize| {
            let of = |answer: &Answer| answer.score.and_then(|score| score.get(place).copied());
            self.answers.iter().map(of).collect::<Vec<Option<f64>>>()
        };
        let of = |name: &str| -> Series {
            let name_of = name.into();
            match name {
                "lines" => Series::new(name_of, tallies.iter().map(|tally| tally.lines as i64).collect::<Vec<_>>()),
                "orders" => Series::new(name_of, tallies.iter().map(|tally| tally.others as i64).collect::<Vec<_>>()),
                "discount_share" => Series::new(name_of, tallies.iter().map(Tally::discount_share).collect::<Vec<_>>()),
                "price_index" => Series::new(name_of, tallies.iter().map(Tally::price_index).collect::<Vec<_>>()),
                "elasticity" => Series::new(name_of, elasticity(0.0)),
                "elasticity_low" => Series::new(name_of, elasticity(-1.0)),
                "elasticity_high" => Series::new(name_of, elasticity(1.0)),
                "score" => Series::new(name_of, score(0)),
                "score_low" => Series::new(name_of, score(1)),
                "score_high" => Series::new(name_of, score(2)),
                "level" => Series::new(name_of, self.answers.iter().map(|own| own.level.name()).collect::<Vec<_>>()),
                _ => Series::new(name_of, self.answers.iter().map(|own| own.level.because()).collect::<Vec<_>>()),
            }
        };
        table(self.lines.customers.clone(), entity, &CUSTOMERS, of)
    }

    /// The second, by item.
    pub fn items(&self, item: &str) -> Result<DataFrame, Failure> {
        let tallies = &self.of_items;
        let elasticity = |side: f64| {
            let of = |place: usize| {
                let slope = self.response.items.get(place).filter(|slope| slope.is_known())?;
                let error = (self.response.variance? / slope.variation).sqrt();
                Some(slope.elasticity + side * DEVIATIONS * error)
            };
            (0..tallies.len()).map(of).collect::<Vec<Option<f64>>>()
        };
        let shrunk = |place: usize| {
            let (slope, prior) = (self.response.items.get(place)?, self.item_prior.as_ref()?);
            slope
                .is_known()
                .then(|| shrink(slope, prior.mean, prior.variance, self.response.variance.unwrap_or(0.0)).mean)
        };
        let of = |name: &str| -> Series {
            let name_of = name.into();
            match name {
                "usual_price" => Series::new(name_of, tallies.iter().map(|tally| tally.usual).collect::<Vec<_>>()),
                "lines" => Series::new(name_of, tallies.iter().map(|tally| tally.lines as i64).collect::<Vec<_>>()),
                "customers" => {
                    Series::new(name_of, tallies.iter().map(|tally| tally.others as i64).collect::<Vec<_>>())
                }
                "discount_share" => Series::new(name_of, tallies.iter().map(Tally::discount_share).collect::<Vec<_>>()),
                "elasticity" => Series::new(name_of, elasticity(0.0)),
                "elasticity_low" => Series::new(name_of, elasticity(-1.0)),
                "elasticity_high" => Series::new(name_of, elasticity(1.0)),
                _ => Series::new(name_of, (0..tallies.len()).map(shrunk).collect::<Vec<_>>()),
            }
        };
        table(self.lines.items.clone(), item, &ITEMS, of)
    }
}

fn table(ids: Series, id: &str, names: &[&str], of: impl Fn(&str) -> Series) -> Result<DataFrame, Failure> {
    let mut columns: Vec<Values> = vec![ids.with_name(id.into()).into_column()];
    columns.extend(names.iter().map(|name| of(name).into_column()));
    Ok(DataFrame::new_infer_height(columns)?)
}

impl Tally {
    fn add(&mut self, line: &Line, usual: f64, discount: f64) {
        self.lines += 1;
        let over = line.price / usual;
        // A price of exactly so much less may be off by rounding.
        self.discounted += u64::from(over <= 1.0 - discount + 1e-9);
        self.logarithms += over.ln();
        if self.lines == 1 || line.period > self.newest {
            (self.newest, self.usual) = (line.period, usual);
        }
    }

    pub fn discount_share(&self) -> f64 {
        self.discounted as f64 / self.lines.max(1) as f64
    }

    fn price_index(&self) -> f64 {
        (self.logarithms / self.lines.max(1) as f64).exp()
    }
}
