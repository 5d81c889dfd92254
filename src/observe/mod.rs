//! Listeners to run events: the log and live lines on stderr, OpenLineage, and traces. Nothing else prints during a run.
//! And who is told at its end: schedulers, Prometheus, a webhook.

mod cgroup;
pub mod http;
mod limit;
pub mod log;
mod memory;
pub mod openlineage;
pub mod otlp;
pub mod progress;
pub mod prometheus;
pub mod scheduler;
pub mod trace_context;
pub mod webhook;

pub use limit::{MemoryLimit, Pressure};
pub use memory::peak_memory_bytes;

/// Rows in a second, on average; none while the time is too short to tell.
fn rate(rows: u64, elapsed: std::time::Duration) -> Option<u64> {
    const SECONDS_MIN: f64 = 0.01;
    let seconds = elapsed.as_secs_f64();
    (seconds >= SECONDS_MIN).then(|| (rows as f64 / seconds).round() as u64)
}

#[cfg(test)]
mod sample;
