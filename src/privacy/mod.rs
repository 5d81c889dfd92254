//! Pseudonyms: what stands for an identifier once the identifier is not to be seen.
//!
//! A leaf: it knows no source, no plan and no environment.

mod column;
mod key;
mod pseudonym;

pub use key::{KEY_BYTES_MIN, KeyError, from_environment, from_file};
pub use pseudonym::Pseudonyms;
