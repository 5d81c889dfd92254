//! What every supervised stage shares: which columns are features, how rows become a matrix, and
//! which snapshots' rows train, evaluate and are scored.

mod choice;
mod encoding;
pub mod facts;
pub mod snapshots;
#[cfg(test)]
mod tests;

pub use choice::{Choice, Scale, entity};
pub use encoding::{Design, Encoding, Term};

/// The input port of every supervised stage.
pub const PORT: &str = "features";
