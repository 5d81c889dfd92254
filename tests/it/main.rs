//! The program from outside: what a user types, and what comes of it.
//!
//! One binary for all of it, since linking polars takes longer than running the tests.

mod backfill;
mod checks;
mod commands;
mod damage;
mod diff;
mod edges;
mod faults;
mod features;
mod formats;
mod gates;
mod input;
mod layers;
mod lineage;
mod memory;
mod models;
mod mutations;
mod operate;
mod planted;
mod privacy;
mod process;
mod race;
mod recovered;
mod report;
mod run;
mod sources;
mod stop;
mod support;
mod synthesize;
mod tidy;
mod traces;
mod unit_tests;
mod value;
mod verify;
mod wrong;
