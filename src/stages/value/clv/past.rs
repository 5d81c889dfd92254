//! What is known of customers at a moment, and what they did after it.

use rayon::prelude::*;

use super::options::{Counts, Period};
use crate::algorithms::lifetime::History;
use crate::stages::value::days::{Day, Days, net};

/// What counts as one purchase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counting {
    pub period: Period,
    pub counts: Counts,
}

/// A customer at a moment: someone who has bought before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Customer {
    /// The place among [`Days::customers`].
    pub place: u32,
    /// Of the first purchase, days since 1970.
    pub first_day: i32,
    /// Purchases after the first.
    pub repeats: u32,
    /// From the first purchase to the last one.
    pub recency_days: i32,
    /// From the first purchase to the last day before the moment.
    pub age_days: i32,
    /// What the purchases after the first came to.
    pub repeat_value: f64,
    /// What all purchases came to.
    pub value: f64,
    /// What periods came to that are no purchase, at most zero.
    pub returned: f64,
}

impl Customer {
    /// What purchases after the first were worth on average, where there were any.
    pub fn mean_repeat(&self) -> Option<f64> {
        (self.repeats > 0).then(|| self.repeat_value / f64::from(self.repeats))
    }

    /// What a purchase was worth on average, the first one too.
    pub fn mean(&self) -> f64 {
        self.value / f64::from(self.repeats + 1)
    }

    /// In units of so many days.
    pub fn history(&self, unit_days: f64, cohort: u32) -> History {
        History {
            repeats: self.repeats,
            recency: f64::from(self.recency_days) / unit_days,
            age: f64::from(self.age_days) / unit_days,
            cohort,
        }
    }
}

/// What a customer did in a time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Deeds {
    pub purchases: u32,
    /// Of all that was bought and returned.
    pub value: f64,
}

/// Everyone who has bought before the day `end`, in the order of ids.
pub fn customers(days: &Days, counting: Counting, end: i32) -> Vec<Customer> {
    let of = |place: usize| {
        let known = before(days.of_customer(place), end);
        let mut found: Option<Customer> = None;
        let mut returned = 0.0;
        for (start, net) in periods(known, counting.period) {
            if !counting.counts.is_purchase(net) {
                returned += net;
                continue;
            }
            let customer = found.get_or_insert(Customer {
                place: place as u32,
                first_day: start,
                repeats: 0,
                recency_days: 0,
                age_days: end - 1 - start,
                repeat_value: 0.0,
                value: 0.0,
                returned: 0.0,
            });
            if start > customer.first_day {
                customer.repeats += 1;
                customer.repeat_value += net;
                customer.recency_days = start - customer.first_day;
            }
            customer.value += net;
        }
        found.map(|customer| Customer { returned, ..customer })
    };
    (0..days.customers.len()).into_par_iter().filter_map(of).collect()
}

/// What each of the customers did from the day `from` on, before the day `end`.
pub fn deeds(days: &Days, customers: &[Customer], counting: Counting, from: i32, end: i32) -> Vec<Deeds> {
    let of = |customer: &Customer| {
        let all = days.of_customer(customer.place as usize);
        let within = before(all, end);
        let within = within.get(before(within, from).len()..).unwrap_or_default();
        let purchases = periods(within, counting.period).filter(|(_, net)| counting.counts.is_purchase(*net));
        Deeds { purchases: purchases.count() as u32, value: within.iter().map(|day| day.net).sum() }
    };
    customers.par_iter().map(of).collect()
}

/// The days before a day.
fn before(days: &[Day], end: i32) -> &[Day] {
    days.get(..days.partition_point(|day| day.day < end)).unwrap_or_default()
}

/// The first day of each period in which something happened, and its net.
pub fn periods(days: &[Day], period: Period) -> impl Iterator<Item = (i32, f64)> {
    let same = move |a: &Day, b: &Day| period.start(a.day) == period.start(b.day);
    days.chunk_by(same).filter_map(move |days| {
        let start = period.start(days.first()?.day);
        Some((start, net(days.iter().map(|day| day.net))))
    })
}
