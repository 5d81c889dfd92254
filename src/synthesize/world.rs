//! What all customers share: the days, the goods, the segments and the countries.

use super::calendar::{Calendar, Clock};
use super::catalog::Catalog;
use super::options::{Factors, Options};
use super::prices::Prices;
use super::random::Weighted;
use super::segment;
use super::{catalog, customer};

/// The countries with their shares; the shop is in the first.
pub const COUNTRIES: [(&str, f64); 9] = [
    ("United Kingdom", 0.84),
    ("Germany", 0.035),
    ("France", 0.035),
    ("Ireland", 0.025),
    ("Netherlands", 0.020),
    ("Spain", 0.015),
    ("Belgium", 0.012),
    ("Switzerland", 0.010),
    ("Portugal", 0.008),
];

/// Where the shop is, as a place in [`COUNTRIES`].
pub const HOME: usize = 0;

/// Everything that is the same for all customers.
#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub customers: u32,
    pub factors: Factors,
    pub calendar: Calendar,
    pub catalog: Catalog,
    pub prices: Prices,
    /// Places in `segment::ALL`.
    pub segments: Weighted<usize>,
    /// How time runs for each segment.
    pub clocks: Vec<Clock>,
    /// Places in [`COUNTRIES`].
    pub countries: Weighted<usize>,
}

impl World {
    pub fn new(options: &Options) -> Self {
        let calendar = Calendar::new(options.from, options.to);
        let products = catalog::product_count(options.customers);
        let clock = |segment: &segment::Segment| {
            Clock::new(&calendar, segment.seasonality * options.factors.seasonality, customer::ARRIVAL_EXPONENT)
        };
        Self {
            seed: options.seed,
            customers: options.customers,
            factors: options.factors,
            catalog: Catalog::new(options.seed, products),
            prices: Prices::new(options.seed, products, calendar.weeks()),
            segments: Weighted::new(segment::ALL.iter().enumerate().map(|(at, segment)| (at, segment.share))),
            clocks: segment::ALL.iter().map(clock).collect(),
            countries: Weighted::new(COUNTRIES.iter().enumerate().map(|(at, (_, share))| (at, *share))),
            calendar,
        }
    }
}
