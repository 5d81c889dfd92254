//! What storage can fail with: what was being done, where, and which kind of trouble it is.

use std::error::Error;
use std::fmt::Display;
use std::io;

use object_store::client::HttpError;
use polars::prelude::PolarsError;

use super::redact::redact;
use super::s3;

/// The kind of trouble, from which a caller chooses exit code and advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No such file, prefix, bucket or match.
    NotFound,
    /// Bytes that are there but are not what they should be.
    Corrupt,
    /// The file system does not let this user.
    Permission,
    /// S3 denies access, or nobody knows who is asking: credentials are missing, wrong or not enough.
    Denied,
    /// S3 has no bucket of that name.
    BucketMissing,
    /// S3 does not take the request and will not take it later: a wrong region or endpoint, above all.
    Refused,
    /// The device or quota is full.
    DiskFull,
    /// The file system is mounted read-only.
    ReadOnly,
    /// It may well work later: timeouts, lost connections, throttling, server errors.
    Transient,
    /// Another run did it first.
    Conflict,
    /// It was given up because the run was to stop.
    Stopped,
    /// A location or request that can never work.
    Invalid,
    Other,
}

/// A failed storage operation. Its text completes "failed to …" and holds no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action} {location}: {detail}")]
pub struct StorageError {
    /// What was being done: `read`, `list`, `publish to`, …
    pub action: &'static str,
    /// Where, as the user wrote it.
    pub location: String,
    kind: Kind,
    /// What went wrong, credentials removed.
    pub detail: String,
}

impl StorageError {
    pub fn new(kind: Kind, action: &'static str, location: impl Display, detail: impl Display) -> Self {
        let detail = redact(&detail.to_string());
        Self { action, location: redact(&location.to_string()), kind, detail }
    }

    /// Which kind of trouble this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn io(action: &'static str, location: impl Display, error: &io::Error) -> Self {
        Self::new(io_kind(error), action, location, error)
    }

    pub(crate) fn store(action: &'static str, location: impl Display, error: &object_store::Error) -> Self {
        let (kind, detail) = match error {
            // Reads ask for the version that was listed.
            object_store::Error::Precondition { .. } if action.starts_with("read") => {
                (Kind::Transient, "it changed while it was read".to_owned())
            }
            error => classify(error),
        };
        Self::new(kind, action, location, detail)
    }

    /// What polars failed at in an object store; none where it failed at something else.
    pub fn of_polars(error: &PolarsError) -> Option<Self> {
        // The error of the store has no bucket in it, that of polars has, but is its own cause's cause.
        let below = cause::<object_store::Error>(error)?;
        let text = error.to_string();
        let address = text.split("(path: ").nth(1).and_then(|rest| rest.split(')').next());
        let location = address.and_then(s3::bucket_of).unwrap_or_else(|| "a file".to_owned());
        Some(Self::store("read", location, below))
    }
}

fn io_kind(error: &io::Error) -> Kind {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Kind::NotFound,
        io::ErrorKind::PermissionDenied => Kind::Permission,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::DiskFull,
        io::ErrorKind::ReadOnlyFilesystem => Kind::ReadOnly,
        io::ErrorKind::TimedOut | io::ErrorKind::Interrupted | io::ErrorKind::StaleNetworkFileHandle => Kind::Transient,
        _ => Kind::Other,
    }
}

/// The kind and the shortest telling text: the operating system's words for local trouble.
fn classify(error: &object_store::Error) -> (Kind, String) {
    if let Some(io) = cause::<io::Error>(error)
        && cause::<HttpError>(error).is_none()
        && !matches!(error, object_store::Error::AlreadyExists { .. })
    {
        return (io_kind(io), io.to_string());
    }
    s3::classify(error)
}

/// The first error of this type on the way down to the first cause.
pub(super) fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use polars::io::cloud::PolarsObjectStoreError;

    use super::*;

    fn generic(source: impl Into<Box<dyn Error + Send + Sync>>) -> object_store::Error {
        object_store::Error::Generic { store: "S3", source: source.into() }
    }

    #[test]
    fn operating_system_errors_keep_their_meaning() {
        let cases = [
            (io::ErrorKind::StorageFull, Kind::DiskFull),
            (io::ErrorKind::ReadOnlyFilesystem, Kind::ReadOnly),
            (io::ErrorKind::PermissionDenied, Kind::Permission),
            (io::ErrorKind::NotFound, Kind::NotFound),
        ];
        for (io_error, kind) in cases {
            let error = StorageError::store("write", "data/x", &generic(io::Error::from(io_error)));
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().starts_with("write data/x: "), "{error}");
        }
    }

    #[test]
    fn what_polars_failed_at_in_a_store_is_found_below_its_error() {
        let text = "Error performing GET http://s3/b/x in 3s - Server returned non-2xx status code: 503 Busy: ";
        let below = PolarsObjectStoreError { base_url: "patronage://7.lake/x".into(), source: generic(text) };
        let error = PolarsError::from(below);
        let found = StorageError::of_polars(&error).unwrap();
        assert_eq!((found.kind(), found.location.as_str()), (Kind::Transient, "s3://lake"));
        let changed = object_store::Error::Precondition { path: "x".to_owned(), source: "412".into() };
        let below = PolarsObjectStoreError { base_url: "patronage://7.lake/x".into(), source: changed };
        let found = StorageError::of_polars(&PolarsError::from(below)).unwrap();
        assert!(found.kind() == Kind::Transient && found.detail.contains("changed"), "{found}");
        assert_eq!(StorageError::of_polars(&PolarsError::ComputeError("no".into())), None);
    }
}
