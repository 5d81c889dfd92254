//! Which columns are features, and how rows become a matrix.

mod choice;
mod encoding;
pub mod facts;
mod matrix;
mod prepare;
#[cfg(test)]
mod tests;

pub use choice::{Choice, Scale, entity};
pub use encoding::Encoding;
pub use matrix::{Design, Term};
pub use prepare::Prepare;

/// The column of each row's moment, which ages count from: of a table of snapshots `as_of`, of others the event time, or
/// the run date.
pub const MOMENT: &str = "__moment";

/// The input port of every stage that predicts.
pub const PORT: &str = "features";
