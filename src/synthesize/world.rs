//! What all customers share: the days, the goods, the segments and the countries.

use super::calendar::Calendar;
use super::catalog::Catalog;
use super::random::Weighted;
use super::segment::{self, Segment};

const COUNTRIES: [(&str, f64); 9] = [
    (HOME, 0.84),
    ("Germany", 0.035),
    ("France", 0.035),
    ("Ireland", 0.025),
    ("Netherlands", 0.020),
    ("Spain", 0.015),
    ("Belgium", 0.012),
    ("Switzerland", 0.010),
    ("Portugal", 0.008),
];

/// Where the shop is.
pub const HOME: &str = "United Kingdom";

/// Everything that is the same for all customers.
#[derive(Debug)]
pub struct World {
    pub seed: u64,
    pub calendar: Calendar,
    pub catalog: Catalog,
    pub segments: Weighted<Segment>,
    pub countries: Weighted<&'static str>,
}

impl World {
    pub fn new(seed: u64, calendar: Calendar, product_count: usize) -> Self {
        Self {
            seed,
            calendar,
            catalog: Catalog::new(seed, product_count),
            segments: segment::segments(),
            countries: Weighted::new(COUNTRIES),
        }
    }
}
