//! What every supervised stage shares: which columns are features, how rows become a matrix, and
//! which snapshots' rows train, evaluate and are scored.

mod choice;
mod encoding;
pub mod facts;
pub mod snapshots;
#[cfg(test)]
mod tests;

use crate::stages::contract::{Failure, Inputs};
use crate::stages::model::Mode;
use crate::table::{Role, TableSchema};

pub use choice::{Choice, Scale, entity};
pub use encoding::{Design, Encoding, Term};

/// The input port of every supervised stage.
pub const PORT: &str = "features";

/// The names of the features, which the planner has checked.
pub fn chosen(features: &Choice, schema: &TableSchema) -> Result<Vec<String>, Failure> {
    features.columns(schema).map_err(|problems| {
        Failure::bug(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
    })
}

/// The length of the future that a label looks at.
pub fn horizon_days(features: &TableSchema, target: &str) -> Result<u32, Failure> {
    match features.column(target).map(|column| column.role) {
        Some(Role::Label { horizon_days }) => Ok(horizon_days),
        _ => Err(Failure::bug(format!("`{target}` is not a label"))),
    }
}

/// All snapshots as a table, and those that are learned from as a matrix: all but the newest ones, at least half.
pub fn memory_bytes_min(features: &Choice, inputs: &Inputs, mode: Mode) -> Option<u64> {
    let (rows, schema) = inputs.sized(PORT)?;
    let columns = features.columns(schema).ok()?.len() as u64;
    let table = rows.saturating_mul(columns + 2).saturating_mul(size_of::<f64>() as u64);
    Some(table.saturating_add(if mode == Mode::Apply { 0 } else { table / 2 }))
}
