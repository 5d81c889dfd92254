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

/// The input port of every stage that predicts.
pub const PORT: &str = "features";
