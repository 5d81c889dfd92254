//! What storage can fail with: what was being done, where, and which kind of trouble it is.

use std::error::Error;
use std::fmt::Display;
use std::io;

use object_store::client::HttpError;

use super::redact::redact;

/// The kind of trouble, from which a caller chooses exit code and advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No such file, prefix, bucket or match.
    NotFound,
    /// Bytes that are there but are not what they should be.
    Corrupt,
    /// Credentials are missing or wrong, or access is denied.
    Permission,
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
        let (kind, detail) = classify(error);
        Self::new(kind, action, location, detail)
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
    use object_store::Error as E;
    if let Some(io) = cause::<io::Error>(error)
        && cause::<HttpError>(error).is_none()
        && !matches!(error, E::AlreadyExists { .. })
    {
        return (io_kind(io), io.to_string());
    }
    match error {
        E::NotFound { .. } => (Kind::NotFound, "it does not exist".to_owned()),
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => (Kind::Permission, error.to_string()),
        E::AlreadyExists { .. } | E::Precondition { .. } => (Kind::Conflict, "it already exists".to_owned()),
        E::InvalidPath { .. } => (Kind::Invalid, error.to_string()),
        _ => by_text(error),
    }
}

/// S3 errors hide their status behind a private type, so what is left to go by is the text.
fn by_text(error: &object_store::Error) -> (Kind, String) {
    let text = error.to_string();
    if text.contains("169.254.169.254") || text.contains("169.254.170.2") {
        let detail = "no AWS credentials were found (set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role)";
        return (Kind::Permission, detail.to_owned());
    }
    let status = text.split("status code: ").nth(1).and_then(|rest| rest.get(..3));
    let kind = match status.and_then(|digits| digits.parse::<u16>().ok()) {
        Some(401 | 403) => Kind::Permission,
        Some(404) => Kind::NotFound,
        Some(408 | 429 | 500..=599) => Kind::Transient,
        Some(_) => Kind::Other,
        None if cause::<HttpError>(error).is_some() || text.contains("SlowDown") => Kind::Transient,
        None => Kind::Other,
    };
    (kind, text)
}

fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
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
    fn http_statuses_are_told_apart() {
        for (status, kind) in [(503, Kind::Transient), (403, Kind::Permission), (404, Kind::NotFound)] {
            let text = format!("Server returned non-2xx status code: {status} Oops: body");
            assert_eq!(StorageError::store("read", "s3://b/x", &generic(text)).kind(), kind);
        }
    }

    #[test]
    fn the_metadata_address_means_missing_credentials() {
        let text = "Error performing PUT http://169.254.169.254/latest/api/token in 3s";
        let error = StorageError::store("read", "s3://b/x", &generic(text));
        assert_eq!(error.kind(), Kind::Permission);
        assert!(error.detail.contains("AWS_ACCESS_KEY_ID"));
    }
}
