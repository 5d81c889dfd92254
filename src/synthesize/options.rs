//! What to make.

use chrono::NaiveDate;

use super::error::SynthesizeError;

/// Longest period, in days: a hundred years.
pub const DAYS_MAX: i64 = 36_525;

/// Most customers: order ids have twelve digits.
pub const CUSTOMERS_MAX: u32 = 100_000_000;

/// Greatest of [`Factors`].
pub const FACTOR_MAX: f64 = 10.0;

/// What to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Customers with an id, at least 1; each buys at least once.
    pub customers: u32,
    pub seed: u64,
    /// First day.
    pub from: NaiveDate,
    /// Last day, itself within the period.
    pub to: NaiveDate,
    /// Threads to work on, 0 for as many as the machine runs at once; no part of the outcome.
    pub threads: usize,
    pub factors: Factors,
}

impl Options {
    /// 1,500 customers over two years: the data that ships.
    pub fn shipped() -> Self {
        Self {
            customers: 1_500,
            seed: 42,
            from: NaiveDate::from_ymd_opt(2023, 1, 1).unwrap_or_default(),
            to: NaiveDate::from_ymd_opt(2024, 12, 31).unwrap_or_default(),
            threads: 0,
            factors: Factors::default(),
        }
    }

    /// # Errors
    /// Options that describe no history.
    pub fn check(&self) -> Result<(), SynthesizeError> {
        let &Self { customers, from, to, .. } = self;
        if customers == 0 {
            return Err(SynthesizeError::NoCustomers);
        }
        if customers > CUSTOMERS_MAX {
            return Err(SynthesizeError::TooManyCustomers { customers });
        }
        let days = to.signed_duration_since(from).num_days() + 1;
        if days < 1 {
            return Err(SynthesizeError::PeriodEmpty { from, to });
        }
        if days > DAYS_MAX {
            return Err(SynthesizeError::PeriodTooLong { days });
        }
        let Factors { seasonality, one_time, returns, bad_rows } = self.factors;
        for (name, value) in
            [("seasonality", seasonality), ("one-time", one_time), ("returns", returns), ("bad-rows", bad_rows)]
        {
            if !(0.0..=FACTOR_MAX).contains(&value) {
                return Err(SynthesizeError::BadFactor { name, value });
            }
        }
        Ok(())
    }
}

/// How much of what makes real data hard is in it: each 1 as documented, 0 for none, from 0 to
/// [`FACTOR_MAX`]. Where one multiplies a probability, that ends at 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factors {
    /// Multiplies the power to which seasons are raised.
    pub seasonality: f64,
    /// Multiplies the share of customers who buy once.
    pub one_time: f64,
    /// Multiplies the share of lines that come back.
    pub returns: f64,
    /// Multiplies the share of bad rows.
    pub bad_rows: f64,
}

impl Default for Factors {
    fn default() -> Self {
        Self { seasonality: 1.0, one_time: 1.0, returns: 1.0, bad_rows: 1.0 }
    }
}
