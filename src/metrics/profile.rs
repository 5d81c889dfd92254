//! How a column is distributed, small enough to keep from night to night, and how far it has moved.
//!
//! A profile is an aggregate: it is stored and reported in place of data, so it must not give away
//! a single row. Edges are rounded, and levels that few rows have are counted together.

use serde::{Deserialize, Serialize};

/// The distribution of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    pub name: String,
    pub rows: u64,
    /// Null or NaN.
    pub nulls: u64,
    pub shape: Shape,
}

/// What the values that are there look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shape {
    /// `counts[i]` values lie in [`edges[i]`, `edges[i + 1]`), those outside in the first and last;
    /// one edge more than counts.
    Number {
        edges: Vec<f64>,
        counts: Vec<u64>,
        mean: f64,
        median: f64,
        /// Evenly spaced quantiles without the extremes, so that another profile can be binned as this one.
        #[serde(default)]
        quantiles: Vec<f64>,
    },
    /// The most frequent levels with their counts, most frequent first, and what all others have.
    Category { levels: Vec<(String, u64)>, other: u64 },
    /// Nothing but nulls, or a type that is not profiled (identifiers, lists).
    None,
}
