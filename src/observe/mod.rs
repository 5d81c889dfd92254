//! Listeners to run events: the log on stderr and OpenLineage. Nothing else prints during a run.

pub mod log;
mod memory;
pub mod openlineage;
pub mod scheduler;

pub use memory::{memory_bytes, peak_memory_bytes};

#[cfg(test)]
mod sample;
