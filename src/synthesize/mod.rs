//! A made-up retailer's purchase history, to try a pipeline on.
//!
//! # The model
//!
//! Each customer *c* belongs to one of five segments *z* and draws, once,
//!
//! | what | from |
//! |---|---|
//! | arrival day *A* | days · U^2, thinned by the season *s* |
//! | rate *λ*, orders a day while active | Gamma(shape *r_z*, mean *m_z*) |
//! | drop-out rate *μ* | Gamma(shape 1.5, mean 1/*T_z*) |
//! | life time *τ*, days | Exponential(*μ*); 0 with probability *π_z* (bought once) |
//! | lines of an order *b* | Gamma(4, mean *b_z*) |
//! | units of a line *u* | 1 + Gamma(2, mean *u_z* − 1) |
//! | own-price elasticity *ε* | log-normal, median *ε_z*, σ 0.35 |
//! | taste over 12 categories, 4 styles | Dirichlet(4 · *a_z*); Dirichlet(¾, ¾, ¾, ¾) |
//! | 3 favorite products | from the taste |
//!
//! The first order is on day *A*. After it orders follow a Poisson process of rate
//! *λ · s(day)^σ_z* until *A + τ*, at most one a day: the Pareto/NBD model of Schmittlein,
//! Morrison and Colombo (1987) with seasons. *s* is the product of a month's and a weekday's
//! factor.
//!
//! An order has 1 + Poisson(*b* − 1) lines. A line is a favorite with probability 1/4; else a
//! category and a style are drawn from the taste, and in them a product with weight
//! 1/(*rank* + 4), the rank being its place in the popularity of all products: Zipf's law with a
//! flattened head. Products drawn again are dropped. The line has
//! 1 + Poisson((*u* − 1)(1 − *d*)^−ε) units at price (1 − *d*) · list, where *d* is 10, 15, 20 or
//! 30 percent in 6 % of all (product, week) and else 0. List prices are log-normal around their
//! category's median.
//!
//! 3.2 % of lines come back, in a return of the order after 1 + ⌊Exponential(mean 9)⌋ days: its
//! `order_id` starts with `C` and its quantities are negative, from one unit to all. An order
//! brings a guest along with probability 0.062, a new person whose rows have no `customer_id`.
//! Orders carry `POST` lines (1 % at home, 40 % abroad) and `M` lines (0.3 %). 0.04 % of lines of
//! goods have price 0, 0.02 % a negative price, 0.04 % no description.
//!
//! # What is promised
//!
//! The same options give the same bytes. Every draw comes from a stream keyed by the seed, the
//! purpose and the customer (and order), never by the place in a batch. Rows are in the order of
//! `ordered_at`, then of `order_id` (ids are given in that order, purchases before returns).
//! Memory is a few bytes a customer, one day's orders and one row group.

mod calendar;
mod catalog;
mod customer;
mod history;
mod order;
mod random;
mod segment;
mod words;
mod world;
mod write;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use parquet::errors::ParquetError;
use thiserror::Error;

use calendar::Calendar;
use order::Order;
use world::World;
use write::TransactionWriter;

/// The file that [`synthesize`] writes.
pub const TRANSACTIONS: &str = "transactions.parquet";

/// Longest period, in days: a hundred years.
const DAYS_MAX: i64 = 36_525;

/// The order before the first one has this number; nine digits hold 900 million orders.
const ORDER_NUMBER_BEFORE: u64 = 100_000_000;

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Customers with an id, at least 1; each buys at least once.
    pub customers: u32,
    pub seed: u64,
    /// First day.
    pub from: NaiveDate,
    /// Last day, itself within the period.
    pub to: NaiveDate,
}

/// What was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub rows: u64,
    /// Orders that are not returns, guests' among them.
    pub orders: u64,
    pub returns: u64,
    /// Rows without a customer.
    pub guest_rows: u64,
    pub customers: u32,
    /// Products that can be bought; a rare one may not have been.
    pub products: usize,
    /// Sum of quantity · price over all rows, wrong ones too, in cents.
    pub amount_cents: i64,
}

impl Summary {
    fn count(&mut self, order: &Order<'_>) {
        let rows = order.lines.len() as u64;
        self.rows += rows;
        *(if order.is_return { &mut self.returns } else { &mut self.orders }) += 1;
        if order.customer.is_none() {
            self.guest_rows += rows;
        }
        let amounts = order.lines.iter().map(|line| i64::from(line.quantity) * line.price_cents);
        self.amount_cents += amounts.sum::<i64>();
    }
}

/// Why nothing was made.
#[derive(Debug, Error)]
pub enum SynthesizeError {
    #[error("make a history of no customers: ask for at least 1")]
    NoCustomers,
    #[error("make a history that ends on {to}, before it begins on {from}")]
    PeriodEmpty { from: NaiveDate, to: NaiveDate },
    #[error("make a history of {days} days: at most {max} are possible", max = DAYS_MAX)]
    PeriodTooLong { days: i64 },
    #[error("write {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("write {} as Parquet", path.display())]
    Parquet { path: PathBuf, source: ParquetError },
}

/// Writes `transactions.parquet` into the folder `out`, which is made if need be, replacing an
/// earlier one only when the new one is whole.
///
/// # Errors
/// Options that describe no history, and failures to write.
pub fn synthesize(options: &Options, out: &Path) -> Result<Summary, SynthesizeError> {
    check(options)?;
    fs::create_dir_all(out).map_err(|source| SynthesizeError::Io { path: out.into(), source })?;
    let path = out.join(TRANSACTIONS);
    let partial = out.join(format!(".{TRANSACTIONS}.partial"));
    let written = write_to(options, &partial).and_then(|summary| {
        fs::rename(&partial, &path).map_err(|source| SynthesizeError::Io { path, source })?;
        Ok(summary)
    });
    if written.is_err() {
        // The first error is the one to tell; a leftover is only untidy.
        let _ = fs::remove_file(&partial);
    }
    written
}

fn check(options: &Options) -> Result<(), SynthesizeError> {
    let &Options { customers, from, to, .. } = options;
    if customers == 0 {
        return Err(SynthesizeError::NoCustomers);
    }
    let days = to.signed_duration_since(from).num_days() + 1;
    match days {
        ..1 => Err(SynthesizeError::PeriodEmpty { from, to }),
        1..=DAYS_MAX => Ok(()),
        _ => Err(SynthesizeError::PeriodTooLong { days }),
    }
}

fn write_to(options: &Options, path: &Path) -> Result<Summary, SynthesizeError> {
    let io = |source| SynthesizeError::Io { path: path.into(), source };
    let parquet = |source| SynthesizeError::Parquet { path: path.into(), source };
    let calendar = Calendar::new(options.from, options.to);
    let world = World::new(options.seed, calendar, catalog::product_count(options.customers));
    let mut summary =
        Summary { customers: options.customers, products: world.catalog.products().count(), ..Summary::default() };
    let mut writer = TransactionWriter::new(File::create(path).map_err(io)?).map_err(parquet)?;
    history::generate(&world, options.customers, |day, order| {
        summary.count(order);
        let number = ORDER_NUMBER_BEFORE + summary.orders + summary.returns;
        let prefix = if order.is_return { "C" } else { "" };
        writer.write(&format!("{prefix}{number}"), world.calendar.start_micros(day), order)
    })
    .map_err(parquet)?;
    writer.finish().map_err(parquet)?.sync_all().map_err(io)?;
    Ok(summary)
}

#[cfg(test)]
mod tests;
