//! The kinds of customer. Each has its own rate of purchase, life time, basket and taste.

use super::random::Weighted;

/// Number of product categories; `words.rs` has their words in this order.
pub const CATEGORIES: usize = 12;

/// What a segment's customers have in common; each customer varies around it.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Share of all customers.
    pub share: f64,
    /// Share of these who buy once and never again.
    pub one_time_share: f64,
    /// Mean orders a year while active, and the shape of the gamma distribution around it.
    pub orders_per_year: f64,
    pub rate_shape: f64,
    /// A customer's drop-out rate is gamma with mean 1 / this, in days.
    pub life_days: f64,
    /// Power to which the seasons are raised.
    pub seasonality: f64,
    /// Mean lines in an order.
    pub lines: f64,
    /// Mean units in a line at the list price.
    pub units: f64,
    /// Median own-price elasticity of the units bought, as a positive number.
    pub elasticity: f64,
    /// Relative liking of the categories.
    pub likes: [f64; CATEGORIES],
}

/// The segments, weighted by share.
pub fn segments() -> Weighted<Segment> {
    Weighted::new(ALL.into_iter().map(|segment| {
        let share = segment.share;
        (segment, share)
    }))
}

const ALL: [Segment; 5] = [
    // Households
    Segment {
        share: 0.33,
        one_time_share: 0.02,
        orders_per_year: 11.0,
        rate_shape: 1.8,
        life_days: 420.0,
        seasonality: 0.8,
        lines: 5.0,
        units: 1.8,
        elasticity: 1.2,
        likes: [5.0, 4.0, 1.0, 0.5, 3.0, 0.5, 0.5, 1.0, 0.5, 0.5, 0.5, 3.0],
    },
    // Gift buyers
    Segment {
        share: 0.26,
        one_time_share: 0.08,
        orders_per_year: 5.0,
        rate_shape: 1.6,
        life_days: 400.0,
        seasonality: 1.8,
        lines: 3.5,
        units: 1.5,
        elasticity: 0.8,
        likes: [0.5, 0.5, 4.0, 5.0, 0.5, 0.5, 4.0, 0.5, 3.0, 0.5, 1.0, 0.5],
    },
    // Families
    Segment {
        share: 0.20,
        one_time_share: 0.04,
        orders_per_year: 8.0,
        rate_shape: 1.5,
        life_days: 350.0,
        seasonality: 1.2,
        lines: 4.5,
        units: 1.7,
        elasticity: 1.4,
        likes: [1.0, 0.5, 0.5, 2.0, 0.5, 6.0, 1.0, 0.5, 0.5, 5.0, 0.5, 1.0],
    },
    // Bargain hunters
    Segment {
        share: 0.16,
        one_time_share: 0.08,
        orders_per_year: 6.0,
        rate_shape: 1.2,
        life_days: 300.0,
        seasonality: 1.0,
        lines: 3.0,
        units: 2.2,
        elasticity: 3.0,
        likes: [1.0, 2.0, 1.0, 0.5, 1.0, 0.5, 1.0, 5.0, 0.5, 0.5, 4.0, 1.0],
    },
    // Resellers
    Segment {
        share: 0.05,
        one_time_share: 0.0,
        orders_per_year: 20.0,
        rate_shape: 3.0,
        life_days: 900.0,
        seasonality: 0.6,
        lines: 12.0,
        units: 9.0,
        elasticity: 1.8,
        likes: [1.0, 1.0, 3.0, 3.0, 0.5, 1.0, 2.0, 0.5, 4.0, 1.0, 0.5, 0.5],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_one() {
        let total: f64 = ALL.iter().map(|segment| segment.share).sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
    }
}
