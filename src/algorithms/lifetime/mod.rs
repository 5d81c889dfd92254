//! How often customers will buy, what they will spend, and what they are worth: models of purchases without a contract,
//! in which nobody says that they have left.
//!
//! A customer is known by a [`History`] of three numbers; customers of the same history are the same ([`grouped`]). A
//! model of purchases ([`fit()`]) has four parameters, found by maximum likelihood: gradients by automatic
//! differentiation, several starts, standard errors from the Hessian. With it, each customer has a chance of being
//! active, expected purchases, and a range of what is likely. A model of spending ([`gamma_gamma`]) says what a purchase
//! is worth.

mod bg_nbd;
mod dual;
mod fit;
pub mod gamma_gamma;
mod history;
mod hypergeometric;
mod maximize;
mod outlook;
mod pareto_nbd;
mod posterior;
mod process;
#[cfg(test)]
mod tests;

pub use fit::{Fitted, fit};
pub use gamma_gamma::{Spend, Spent};
pub use history::{Group, History, grouped};
pub use outlook::{Ahead, Outlook};
pub use posterior::Range;

use serde::{Deserialize, Serialize};

/// Which model of purchases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purchases {
    BgNbd,
    ParetoNbd,
}

/// Why there is no model.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum LifetimeError {
    #[error("fit purchases: there are no customers")]
    NoCustomers,
    /// Without repeats the likelihood has no maximum.
    #[error("fit purchases: nobody has bought more than once")]
    NoRepeats,
    #[error("fit what purchases are worth: fewer than two customers have bought more than once")]
    NoSpend,
    /// A caller's mistake.
    #[error("fit purchases: a history or a value cannot be that of a customer")]
    Impossible,
    #[error("fit {cohorts} cohorts: at most {most} can be told apart")]
    Cohorts { cohorts: usize, most: usize },
    #[error("fit purchases: the likelihood is not finite anywhere")]
    NoMaximum,
    /// The caller asked for no more.
    #[error("fit purchases: stopped before the end")]
    Stopped,
}
