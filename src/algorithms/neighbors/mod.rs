//! Collaborative filtering by neighbors: what those buy who are alike (users, Resnick et al. 1994), or what is bought by
//! the same users (items, Sarwar et al. 2001, Deshpande and Karypis 2004).
//!
//! An entry counts when its weight is above zero; others, and NaN, are as good as absent. Weights enter similarities
//! rounded to 32 bits (seven digits; larger ones than 32 bits hold as the largest), sums are 64 bits. Similarities are
//! rounded to 32 bits before they are compared and kept. Scores are 64 bits.

mod best;
mod items;
mod measure;
mod model;
mod postings;
mod ranked;
mod scan;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_users;
mod users;

pub use items::{cost, items, weighted_items};
pub use model::{ItemNeighbors, because, recommend};
pub use postings::Postings;
pub use users::{Neighborhood, because_of_users, by_users};

/// How alike two sparse vectors x and y are, absent entries being zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Similarity {
    /// Σ xy / (‖x‖ ‖y‖).
    #[default]
    Cosine,
    /// Pearson's correlation over the whole vectors, zeros included. A vector whose entries are all the same has none.
    Pearson,
    /// Σ min(x, y) / Σ max(x, y), which is |X ∩ Y| / |X ∪ Y| where weights are 1.
    Jaccard,
    /// 1 / (1 + ‖x − y‖).
    Euclidean,
    /// Σ xy.
    Dot,
}

/// Which neighbors there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// How two items, or two users, are compared.
    pub similarity: Similarity,
    /// How many neighbors are kept at most. Only those with a common entry and a similarity above zero are any.
    pub neighbors: usize,
    /// s in the factor n / (n + s) on the similarity, n being the number of common entries: it holds back similarities
    /// with little behind them. Zero does nothing, and so does what is below or NaN.
    pub shrinkage: f64,
}

/// Asked between pieces of work; false ends it.
pub type KeepGoing<'a> = &'a (dyn Fn() -> bool + Sync);

/// Why there are no neighbors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NeighborsError {
    /// It was told to stop.
    #[error("compare items: it was stopped")]
    Stopped,
    /// More than 2²⁸ items or 2³⁶ entries.
    #[error("compare items: {items} items with {entries} entries are too many")]
    TooLarge {
        /// Items of the matrix.
        items: usize,
        /// Entries above zero.
        entries: usize,
    },
}
