//! The S3 client: settings, credentials, retries within a budget, and what it takes to read no wrong byte.

mod client;
mod faults;
mod profile;
mod scanned;
mod settings;
mod sound;
mod store;
#[cfg(test)]
mod tests;
mod upload;

pub(super) use client::connect;
pub(super) use faults::classify;
pub(super) use scanned::{address, bucket_of};
pub use settings::{Credentials, Encryption, S3Settings};
pub(super) use store::S3Store;
