//! How the weights of interactions are turned into what similarities are measured on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithms::sparse::Csr;
use crate::algorithms::weighting::{self, Documents, Weights};
use crate::stages::contract::Failure;

/// What a pair of user and item counts when users or items are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weighting {
    /// 1, however often they met.
    Binary,
    /// Its weight: the number of orders, or the sum of `weight`.
    Count,
    /// 1 + ln of its weight.
    Log,
    /// The root of its weight, and less the more items a user, or users an item, has.
    TfIdf,
    /// BM25 of its weight with k1 = 100 and b = 0.8.
    Bm25,
}

impl Weighting {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Weighting::Binary => "binary",
            Weighting::Count => "counts",
            Weighting::Log => "log counts",
            Weighting::TfIdf => "TF-IDF",
            Weighting::Bm25 => "BM25",
        }
    }
}

/// The histories, weighted by what was learned.
pub fn apply(weights: &Weights, histories: &Csr) -> Result<Csr, Failure> {
    weights.apply(histories).map_err(|error| Failure::data(format!("failed to {error}")))
}

/// What a pair of user and item counts, whatever others have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Plain {
    /// 1, however often they met.
    #[default]
    Binary,
    /// Its weight: the number of orders, or the sum of `weight`.
    Count,
    /// 1 + ln of its weight.
    Log,
}

impl Plain {
    /// In words.
    pub fn name(self) -> &'static str {
        Weighting::from(self).name()
    }

    /// What all pairs count.
    pub fn apply(self, histories: &Csr) -> Result<Csr, Failure> {
        apply(&Weights::fit(histories, Weighting::from(self).into(), Documents::Items), histories)
    }
}

impl From<Plain> for Weighting {
    fn from(plain: Plain) -> Self {
        match plain {
            Plain::Binary => Weighting::Binary,
            Plain::Count => Weighting::Count,
            Plain::Log => Weighting::Log,
        }
    }
}

impl From<Weighting> for weighting::Weighting {
    fn from(weighting: Weighting) -> Self {
        match weighting {
            Weighting::Binary => weighting::Weighting::Binary,
            Weighting::Count => weighting::Weighting::Count,
            Weighting::Log => weighting::Weighting::Log,
            Weighting::TfIdf => weighting::Weighting::TfIdf,
            Weighting::Bm25 => weighting::Weighting::Bm25 { k1: 100.0, b: 0.8 },
        }
    }
}
