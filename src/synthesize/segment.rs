//! The kinds of customer. Each has its own rate of purchase, life time, basket and taste.

use super::words::CATEGORIES;

/// What a segment's customers have in common; each customer varies around it.
#[derive(Debug, Clone)]
pub struct Segment {
    pub name: &'static str,
    /// Share of all customers.
    pub share: f64,
    /// Share of these who buy once and never again, whatever their rate.
    pub one_time_share: f64,
    /// Mean orders a year while active, and the shape *r* of the gamma distribution around it.
    pub orders_per_year: f64,
    pub r: f64,
    /// The beta distribution of the probability to drop out after a repeat order.
    pub a: f64,
    pub b: f64,
    /// Power to which the seasons are raised.
    pub seasonality: f64,
    /// Mean products drawn for an order.
    pub lines: f64,
    /// Mean units of a draw at the base price.
    pub units: f64,
    /// Median own-price elasticity of the units bought, as a positive number.
    pub elasticity: f64,
    /// Relative liking of the categories, in the order of `words::ALL`.
    pub likes: [f64; CATEGORIES],
}

impl Segment {
    /// The rate parameter *α* of the gamma distribution of orders a day.
    pub fn alpha(&self) -> f64 {
        self.r * DAYS_PER_YEAR / self.orders_per_year
    }

    /// A category's share of what the segment buys.
    pub fn affinity(&self, category: usize) -> f64 {
        self.likes.get(category).copied().unwrap_or(0.0) / self.likes.iter().sum::<f64>()
    }
}

const DAYS_PER_YEAR: f64 = 365.25;

pub const ALL: [Segment; 5] = [
    Segment {
        name: "households",
        share: 0.33,
        one_time_share: 0.10,
        orders_per_year: 7.0,
        r: 1.8,
        a: 1.4,
        b: 11.0,
        seasonality: 0.8,
        lines: 3.6,
        units: 2.2,
        elasticity: 1.2,
        likes: [6.0, 4.0, 0.4, 0.2, 4.0, 0.2, 0.2, 0.4, 0.2, 0.2, 0.2, 4.0],
    },
    Segment {
        name: "gift buyers",
        share: 0.26,
        one_time_share: 0.20,
        orders_per_year: 4.0,
        r: 1.6,
        a: 1.5,
        b: 9.0,
        seasonality: 1.8,
        lines: 3.2,
        units: 2.0,
        elasticity: 0.6,
        likes: [0.2, 0.2, 4.0, 6.0, 0.2, 0.2, 5.0, 0.2, 4.0, 0.2, 0.4, 0.2],
    },
    Segment {
        name: "families",
        share: 0.20,
        one_time_share: 0.12,
        orders_per_year: 6.0,
        r: 1.5,
        a: 1.4,
        b: 11.0,
        seasonality: 1.2,
        lines: 3.8,
        units: 2.4,
        elasticity: 1.8,
        likes: [0.4, 0.2, 0.2, 0.6, 0.2, 8.0, 0.2, 0.2, 0.2, 8.0, 0.4, 0.4],
    },
    Segment {
        name: "bargain hunters",
        share: 0.16,
        one_time_share: 0.20,
        orders_per_year: 5.0,
        r: 1.3,
        a: 1.6,
        b: 9.0,
        seasonality: 1.0,
        lines: 3.0,
        units: 3.0,
        elasticity: 3.0,
        likes: [0.3, 0.6, 0.3, 0.2, 0.3, 0.2, 0.3, 8.0, 0.2, 0.2, 7.0, 0.3],
    },
    Segment {
        name: "resellers",
        share: 0.05,
        one_time_share: 0.0,
        orders_per_year: 14.0,
        r: 3.0,
        a: 1.5,
        b: 30.0,
        seasonality: 0.6,
        lines: 9.0,
        units: 12.0,
        elasticity: 1.5,
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
        for segment in &ALL {
            let affinities: f64 = (0..CATEGORIES).map(|category| segment.affinity(category)).sum();
            assert!((affinities - 1.0).abs() < 1e-12, "{}", segment.name);
        }
    }
}
