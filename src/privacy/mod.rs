//! Pseudonyms: what stands for an identifier once the identifier is not to be seen.
//!
//! A leaf but for the types of problems: it knows no source and no plan.

mod column;
mod key;
mod pseudonym;

pub use key::{KEY_BYTES_MIN, KeyError, from_environment, from_file};
pub use pseudonym::Pseudonyms;
