//! How a column is distributed, small enough to keep from night to night, and how far it has moved.
//!
//! A profile is an aggregate: it is stored and reported in place of data, so it must not give away
//! a single row. Fewer than [`DESCRIBED_MIN`] values are not described at all; levels, bars and steps
//! between quantiles hold at least [`TOGETHER_MIN`] rows; the extremes are not kept, and what is
//! kept of single values is rounded to three digits.

mod drift;
mod numbers;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use drift::{MODERATE, Psi, STRONG, psi};

/// Fewer values than this are not described.
pub const DESCRIBED_MIN: usize = 20;
/// A level, bar or step between quantiles stands for no fewer rows than this.
pub const TOGETHER_MIN: usize = 10;
/// The most levels that are named.
pub const LEVELS_MAX: usize = 20;

/// The distribution of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    pub name: String,
    pub rows: u64,
    /// Null, NaN or infinite.
    pub nulls: u64,
    pub shape: Shape,
}

/// What the values that are there look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shape {
    /// `counts[i]` values lie in [`edges[i]`, `edges[i + 1]`), those outside in the first and last;
    /// one edge more than counts. Bars are equally wide but where few values would be alone.
    Number {
        edges: Vec<f64>,
        counts: Vec<u64>,
        mean: f64,
        /// Rounded.
        median: f64,
        /// Evenly spaced quantiles without the extremes: of n, the i-th (from 1) is that of i/(n + 1). From
        /// them another profile can be counted into the bins of this one.
        #[serde(default)]
        quantiles: Vec<f64>,
    },
    /// The most frequent levels with their counts, most frequent first, and what all others have.
    Category { levels: Vec<(String, u64)>, other: u64 },
    /// Nothing but nulls, too few values to describe, or a type that is not profiled (identifiers, lists).
    None,
}

impl ColumnProfile {
    /// Numbers; NaN and infinite ones count as null.
    pub fn of_numbers(name: impl Into<String>, mut values: Vec<f64>) -> ColumnProfile {
        let rows = values.len();
        values.retain(|value| value.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        let nulls = rows - values.len();
        ColumnProfile { name: name.into(), rows: rows as u64, nulls: nulls as u64, shape: numbers::shape(&values) }
    }

    /// Levels with how often each occurs, in any order, and rows without one.
    pub fn of_levels(
        name: impl Into<String>,
        counts: impl IntoIterator<Item = (String, u64)>,
        nulls: u64,
    ) -> ColumnProfile {
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        let known: u64 = counts.iter().map(|(_, count)| count).sum();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(LEVELS_MAX);
        counts.retain(|(_, count)| *count >= TOGETHER_MIN as u64);
        let mut named: u64 = counts.iter().map(|(_, count)| count).sum();
        // The rest must not be a few rows either: the rarest level joins it.
        while (1..TOGETHER_MIN as u64).contains(&(known - named)) && counts.len() > 1 {
            named -= counts.pop().map_or(0, |(_, count)| count);
        }
        let few = (1..TOGETHER_MIN as u64).contains(&(known - named));
        let shape = match known >= DESCRIBED_MIN as u64 && !few {
            true => Shape::Category { levels: counts, other: known - named },
            false => Shape::None,
        };
        ColumnProfile { name: name.into(), rows: known + nulls, nulls, shape }
    }

    /// A column of which no more is told than how much is missing.
    pub fn untold(name: impl Into<String>, rows: u64, nulls: u64) -> ColumnProfile {
        ColumnProfile { name: name.into(), rows, nulls, shape: Shape::None }
    }

    /// Rows with a value.
    pub fn known(&self) -> u64 {
        self.rows.saturating_sub(self.nulls)
    }
}
