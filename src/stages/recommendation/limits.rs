//! What a recommender refuses beforehand, for memory or for time.

use super::interactions::Interactions;
use super::recommender::{PORT, Recommender};
use crate::format;
use crate::stages::contract::{Failure, Inputs};

/// What a row of the interactions takes: as it is read, as it is kept, and in the matrices that are learned from.
const BYTES_A_ROW: u64 = 64;

pub fn memory_bytes_min(inputs: &Inputs) -> Option<u64> {
    inputs.sized(PORT).map(|(rows, _)| rows.saturating_mul(BYTES_A_ROW))
}

/// Refuses beforehand a fit that would take more than is left of the run's memory.
pub fn within_memory<R: Recommender>(stage: &R, interactions: &Interactions, left: Option<u64>) -> Result<(), Failure> {
    let (users, items, rows) = (interactions.users.len(), interactions.items.len(), interactions.len());
    let needed = stage.fit_bytes(users, items, rows).saturating_add((rows as u64).saturating_mul(BYTES_A_ROW));
    match left {
        Some(left) if needed > left => Err(Failure::TooLarge(format!(
            "{} and {} take {} with what is learned of them, more than the {} that are left of the memory limit: raise \
             it, or let less be learned",
            format::count(users as u64, "user", "users"),
            format::count(items as u64, "item", "items"),
            format::bytes(needed),
            format::bytes(left)
        ))),
        _ => Ok(()),
    }
}

/// Refuses beforehand what would take too long.
pub fn affordable(cost: u64, cost_max: u64, what: &str, help: &str) -> Result<(), Failure> {
    if cost <= cost_max {
        return Ok(());
    }
    Err(Failure::TooLarge(format!(
        "{what} takes {} multiplications, more than the {} allowed: {help}",
        format::thousands(cost),
        format::thousands(cost_max),
    )))
}
