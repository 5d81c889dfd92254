//! Where bytes live: paths, S3, source files in their formats, Parquet footers, atomic publishing. The only module that knows them.
//!
//! Everything goes through [`Location`], which [`Places`] gives; local files and S3 objects then behave alike, and what local
//! files lack (durability across a power cut, uploads that appear whole) is added by `local`.

pub mod batches;
mod error;
pub mod export;
pub mod footer;
mod format;
pub mod local;
mod location;
pub mod pieces;
mod places;
pub mod publish;
mod redact;
mod s3;
pub mod scan;
pub mod sources;
pub mod text;

pub use error::{Kind, StorageError};
pub use footer::Footer;
pub use format::{Csv, Format};
pub use location::Location;
pub use places::Places;
pub use publish::{Commit, Published};
pub use redact::Hidden;
#[cfg(feature = "adbc")]
pub(crate) use redact::redact;
pub use s3::{Credentials, Encryption, S3Settings};
pub use sources::SourceFile;
