//! Customers by cohort: which parameters are theirs, and what became of each cohort.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, DataType, IntoColumn, NamedFrom, Series};
use serde::{Deserialize, Serialize};

use super::options::{Calendar, Cohorts};
use super::past::{Counting, Customer, periods};
use super::serve::Score;
use crate::stages::contract::Failure;
use crate::stages::value::days::Days;
use crate::table::{Class, Column, TableSchema};

/// A cohort with fewer customers, or fewer of them who have repeated a purchase, has no parameters of its own.
const CUSTOMERS_MIN: usize = 100;
const REPEATING_MIN: usize = 50;
/// The cohort of who has no value in the column.
const NONE: &str = "none";

/// To which cohort a customer belongs.
pub fn label(cohorts: &Cohorts, days: &Days, customer: &Customer) -> String {
    match cohorts {
        Cohorts::First(calendar) => calendar.name(customer.first_day),
        Cohorts::Column(_) => {
            let group = days.group_of.get(customer.place as usize).copied().flatten();
            group.and_then(|group| days.groups.get(group as usize)).map_or_else(|| NONE.to_owned(), Clone::clone)
        }
    }
}

/// Which cohorts have parameters of their own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cohorting {
    /// Their names in the order of the parameters; empty where all customers share theirs.
    pub names: Vec<String>,
    /// Which of them all others belong to.
    others: u32,
}

/// The name of what holds the cohorts too small for parameters of their own.
const OTHERS: &str = "all others";

impl Cohorting {
    /// Those large enough among the customers that are fitted on, given with their labels. All others share parameters,
    /// or have those of the largest cohort if they are too few together.
    pub fn of<'a>(fitted: impl Iterator<Item = (&'a Customer, String)>) -> Cohorting {
        let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (customer, label) in fitted {
            let (customers, repeating) = counts.entry(label).or_default();
            *customers += 1;
            *repeating += usize::from(customer.repeats > 0);
        }
        let is_large =
            |(customers, repeating): (usize, usize)| customers >= CUSTOMERS_MIN && repeating >= REPEATING_MIN;
        let (large, small): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(_, counts)| is_large(*counts));
        let rest = small.iter().fold((0, 0), |sum, (_, own)| (sum.0 + own.0, sum.1 + own.1));
        let largest = large.iter().zip(0..).max_by_key(|((_, counts), _)| counts.0).map_or(0, |(_, place)| place);
        let mut names: Vec<String> = large.into_iter().map(|(name, _)| name).collect();
        if is_large(rest) || names.is_empty() {
            names.push(OTHERS.to_owned());
            let others = names.len() as u32 - 1;
            return Cohorting { names, others };
        }
        Cohorting { names, others: largest }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len().max(1)
    }

    /// The place of the parameters of a label.
    pub fn place(&self, label: &str) -> u32 {
        let found = self.names.iter().zip(0..).find(|(name, _)| *name == label);
        found.map_or(self.others, |(_, place)| place)
    }
}

/// The schema of what became of each cohort; `worth` is the class of what tells amounts.
pub fn schema(worth: Class) -> TableSchema {
    let number = |name| Column::new(name, DataType::Float64);
    let count = |name| Column::new(name, DataType::Int64);
    let columns = vec![
        Column::new("cohort", DataType::String),
        count("customers"),
        count("purchases"),
        number("value").class(worth),
        number("alive"),
        number("expected_purchases"),
        number("clv").class(worth),
    ];
    TableSchema { columns, key: vec!["cohort".to_owned()], ..TableSchema::default() }
}

/// The schema of who of each cohort bought again in which quarter.
pub fn retention_schema(worth: Class) -> TableSchema {
    let count = |name| Column::new(name, DataType::Int64);
    let columns = vec![
        Column::new("cohort", DataType::String),
        count("quarters_since"),
        count("customers"),
        count("buyers"),
        count("purchases"),
        Column::new("value", DataType::Float64).class(worth),
    ];
    let key = vec!["cohort".to_owned(), "quarters_since".to_owned()];
    TableSchema { columns, key, ..TableSchema::default() }
}

/// What became of a cohort.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cohort {
    pub name: String,
    pub customers: u64,
    pub purchases: u64,
    pub value: f64,
    /// Expected; none without a model.
    pub ahead: Option<Expected>,
    /// By quarters of the calendar since that of the first purchase.
    pub quarters: Vec<Quarter>,
}

/// What is expected of a cohort.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Expected {
    pub alive: f64,
    pub purchases: f64,
    pub clv: f64,
}

/// A quarter of a cohort.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quarter {
    /// For whom it has begun.
    pub customers: u64,
    pub buyers: u64,
    pub purchases: u64,
    pub value: f64,
}

/// The cohorts in the order of their names: those of the pipeline, or quarters of the first purchase. `end` is the day
/// before which everything is known.
pub fn all(
    cohorts: Option<&Cohorts>,
    days: &Days,
    counting: Counting,
    end: i32,
    (customers, scores): (&[Customer], &[Option<Score>]),
) -> Vec<Cohort> {
    let by = cohorts.cloned().unwrap_or(Cohorts::First(Calendar::Quarter));
    let last = Calendar::Quarter.index(end - 1);
    let mut found: BTreeMap<String, Cohort> = BTreeMap::new();
    for (customer, score) in customers.iter().zip(scores) {
        let cohort = found.entry(label(&by, days, customer)).or_default();
        cohort.customers += 1;
        cohort.purchases += u64::from(customer.repeats) + 1;
        cohort.value += customer.value + customer.returned;
        if let Some(score) = score {
            let ahead = cohort.ahead.get_or_insert_default();
            ahead.alive += score.alive;
            ahead.purchases += score.purchases;
            ahead.clv += score.clv;
        }
        let first = Calendar::Quarter.index(customer.first_day);
        let begun = usize::try_from(last - first).unwrap_or_default() + 1;
        if cohort.quarters.len() < begun {
            cohort.quarters.resize(begun, Quarter::default());
        }
        cohort.quarters.iter_mut().take(begun).for_each(|quarter| quarter.customers += 1);
        let mut counted = None;
        for (start, net) in periods(days.of_customer(customer.place as usize), counting.period) {
            let since = Calendar::Quarter.index(start) - first;
            let Some(quarter) = usize::try_from(since).ok().and_then(|since| cohort.quarters.get_mut(since)) else {
                continue;
            };
            quarter.value += net;
            if counting.counts.is_purchase(net) {
                quarter.purchases += 1;
                quarter.buyers += u64::from(counted != Some(since));
                counted = Some(since);
            }
        }
    }
    let named = found.into_iter().map(|(name, cohort)| Cohort { name, ..cohort });
    named.collect()
}

/// The table of what became of each cohort.
pub fn frame(cohorts: &[Cohort]) -> Result<DataFrame, Failure> {
    let counts = |of: fn(&Cohort) -> u64| cohorts.iter().map(|cohort| of(cohort) as i64).collect::<Vec<_>>();
    let expected = |of: fn(&Expected) -> f64| {
        let values = cohorts.iter().map(|cohort| cohort.ahead.as_ref().map(of));
        values.collect::<Vec<Option<f64>>>()
    };
    let names: Vec<&str> = cohorts.iter().map(|cohort| cohort.name.as_str()).collect();
    let values: Vec<f64> = cohorts.iter().map(|cohort| cohort.value).collect();
    Ok(DataFrame::new_infer_height(vec![
        Series::new("cohort".into(), names).into_column(),
        Series::new("customers".into(), counts(|cohort| cohort.customers)).into_column(),
        Series::new("purchases".into(), counts(|cohort| cohort.purchases)).into_column(),
        Series::new("value".into(), values).into_column(),
        Series::new("alive".into(), expected(|ahead| ahead.alive)).into_column(),
        Series::new("expected_purchases".into(), expected(|ahead| ahead.purchases)).into_column(),
        Series::new("clv".into(), expected(|ahead| ahead.clv)).into_column(),
    ])?)
}

/// The table of who bought again.
pub fn retention(cohorts: &[Cohort]) -> Result<DataFrame, Failure> {
    let rows = || cohorts.iter().flat_map(|cohort| (0_i64..).zip(&cohort.quarters).map(move |row| (cohort, row)));
    let counts = |of: fn(&Quarter) -> u64| rows().map(|(_, (_, quarter))| of(quarter) as i64).collect::<Vec<_>>();
    let names: Vec<&str> = rows().map(|(cohort, _)| cohort.name.as_str()).collect();
    let since: Vec<i64> = rows().map(|(_, (since, _))| since).collect();
    let values: Vec<f64> = rows().map(|(_, (_, quarter))| quarter.value).collect();
    Ok(DataFrame::new_infer_height(vec![
        Series::new("cohort".into(), names).into_column(),
        Series::new("quarters_since".into(), since).into_column(),
        Series::new("customers".into(), counts(|quarter| quarter.customers)).into_column(),
        Series::new("buyers".into(), counts(|quarter| quarter.buyers)).into_column(),
        Series::new("purchases".into(), counts(|quarter| quarter.purchases)).into_column(),
        Series::new("value".into(), values).into_column(),
    ])?)
}
