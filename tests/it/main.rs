//! The program from outside: what a user types, and what comes of it.
//!
//! One binary for all of it, since linking polars takes longer than running the tests.

mod checks;
mod commands;
mod diff;
mod edges;
mod features;
mod layers;
mod planted;
mod privacy;
mod recovered;
mod report;
mod run;
mod sources;
mod support;
mod synthesize;
mod unit_tests;
mod wrong;
