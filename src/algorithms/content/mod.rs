//! Content-based recommendation: items described by texts, categories, numbers and vectors, and
//! what a user's purchases say of the user's interests (Pazzani and Billsus 2007).
//!
//! An item's vector is that of its blocks side by side, each of length √weight where the item has
//! it and zero where not. So the cosine of two items that have every block is the weighted mean of
//! the cosines block by block.

mod because;
mod interest;
mod items;
mod numbers;
mod recommend;
mod scan;
#[cfg(test)]
mod tests;

pub use because::because;
pub use items::{Block, Content, ContentError, Items, MOST_WEIGHT};
pub use numbers::MOST_STEPS;
pub use recommend::{cost, recommend};

use serde::{Deserialize, Serialize};

/// How alike two vectors u and v of D columns are. Zeros count: a column that neither item has is
/// one in which they agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// u·v / (‖u‖ ‖v‖), from −1 to 1.
    Cosine,
    /// 1 / (1 + ‖u − v‖), above 0 and up to 1. An item with few blocks has a short vector and is near everything.
    Euclidean,
    /// The correlation of the columns, from −1 to 1: the cosine after subtracting each vector's mean.
    /// Of a vector whose columns are all the same there is none.
    Pearson,
}

/// What a similarity needs to know of a vector besides the products with others.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Shape {
    /// Σ v².
    square: f64,
    /// Σ v.
    sum: f64,
}

/// Of a variance below this share of the mean square nothing is left but rounding.
const ROUNDING: f64 = 1e-12;

impl Shape {
    /// Σ (v − mean)², or none when the columns are all the same.
    fn spread(self, columns: usize) -> Option<f64> {
        let spread = self.square - self.sum * self.sum / columns as f64;
        (spread > ROUNDING * self.square).then_some(spread)
    }
}

impl Similarity {
    /// From the product u·v; none where it is not defined.
    fn of(self, product: f64, u: Shape, v: Shape, columns: usize) -> Option<f64> {
        match self {
            Self::Cosine => {
                let lengths = u.square.sqrt() * v.square.sqrt();
                (lengths > 0.0).then(|| (product / lengths).clamp(-1.0, 1.0))
            }
            Self::Euclidean => Some(1.0 / (1.0 + (u.square + v.square - 2.0 * product).max(0.0).sqrt())),
            Self::Pearson => {
                let covariance = product - u.sum * v.sum / columns as f64;
                let spreads = u.spread(columns)?.sqrt() * v.spread(columns)?.sqrt();
                Some((covariance / spreads).clamp(-1.0, 1.0))
            }
        }
    }
}
