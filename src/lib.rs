//! Patronage: customer intelligence as one nightly batch job. See ARCHITECTURE.md.

// Nothing that data or configuration can reach may panic, and one place prints.
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)
)]

#[macro_use]
mod vector; // functions compiled for several vector widths

pub mod algorithms; // pure numerics on ndarray and sparse matrices
pub mod checks; // checks of tables: what they compute
pub mod cli; // one command per file
pub mod config; // environments and pipelines, with the position of everything
pub mod crash; // what is told of a panic
pub mod database; // databases, through ADBC
pub mod events; // what happens in a run, as data
pub mod format; // numbers, dates and lists as people read them
pub mod metrics; // evaluation measures
pub mod observe; // listeners to run events: log, OpenLineage
pub mod plan; // the DAG: schemas, rules, selection, fingerprints
pub mod privacy; // pseudonyms
pub mod problem; // what can be wrong, with its code and its exit code
pub mod report; // evaluations to JSON, HTML and the closing summary
pub mod run; // executes a plan
pub mod sql; // the dialect
pub mod stages; // the stage kinds
pub mod storage; // files, S3, atomic publish
pub mod synthesize; // made-up data
pub mod table; // tables between stages
