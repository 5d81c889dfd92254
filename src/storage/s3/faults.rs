//! What a failed request to S3 means. Statuses hide behind private types of `object_store`, so what is left to go by
//! is the text.

use object_store::Error;
use object_store::client::HttpError;

use crate::storage::Kind;
use crate::storage::error::cause;

/// What was read twice was never the same twice.
#[derive(Debug, thiserror::Error)]
#[error("{reads} reads in a row gave different bytes: something damages or changes what is read")]
pub(super) struct Disagreement {
    pub(super) reads: usize,
}

/// A body ended early although the connection did not break.
#[derive(Debug, thiserror::Error)]
#[error("{found} bytes came instead of {expected}")]
pub(super) struct Shortened {
    pub(super) expected: u64,
    pub(super) found: u64,
}

impl From<Disagreement> for Error {
    fn from(error: Disagreement) -> Error {
        Error::Generic { store: "S3", source: error.into() }
    }
}

impl From<Shortened> for Error {
    fn from(error: Shortened) -> Error {
        Error::Generic { store: "S3", source: error.into() }
    }
}

/// Codes by which a server says that the request did not arrive as it was sent, or that it cannot answer now.
const PASSING: [&str; 13] = [
    "BadDigest",
    "IncompleteBody",
    "InternalError",
    "InvalidDigest",
    "InvalidPart",
    "NoSuchUpload",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "ThrottlingException",
    "TooManyRequests",
    "XAmzContentSHA256Mismatch",
];

/// Answers that make no sense: cut short or damaged on the way.
const SENSELESS: [&str; 5] =
    ["Got invalid", "Error getting", "Unable to extract metadata", "Content-Range", "non-partial response"];

pub(super) fn is_transient(error: &Error) -> bool {
    classify(error).0 == Kind::Transient
}

/// Whether the server knows no such upload (any more): waiting brings it back to nobody.
pub(super) fn is_gone_upload(error: &Error) -> bool {
    says(&error.to_string(), "NoSuchUpload")
}

/// The kind and the shortest telling text.
pub(in crate::storage) fn classify(error: &Error) -> (Kind, String) {
    let text = error.to_string();
    if text.contains("NoSuchBucket") {
        return (Kind::BucketMissing, "there is no such bucket at this endpoint".to_owned());
    }
    if text.contains("169.254.169.254") || text.contains("169.254.170.") || text.contains("/latest/api/token") {
        let detail = "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role, or \
                      `s3: {credentials: …}` in the environment file";
        return (Kind::Denied, detail.to_owned());
    }
    let kind = match error {
        _ if PASSING.iter().any(|code| says(&text, code)) => Kind::Transient,
        _ if says(&text, "AccessDenied") => Kind::Denied,
        _ if text.contains("Failed to read token file") => Kind::Denied,
        Error::NotFound { .. } => Kind::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Kind::Denied,
        Error::AlreadyExists { .. } | Error::Precondition { .. } => Kind::Conflict,
        Error::InvalidPath { .. } | Error::UnknownConfigurationKey { .. } => Kind::Invalid,
        _ => by_text(error, &text),
    };
    match kind {
        Kind::NotFound => (kind, "it does not exist".to_owned()),
        Kind::Conflict => (kind, "it already exists".to_owned()),
        _ => (kind, text),
    }
}

/// Whether the server says so: in its XML, or of one object of several (`… (code: AccessDenied)`).
fn says(text: &str, code: &str) -> bool {
    text.contains(&format!("<Code>{code}<")) || text.contains(&format!("(code: {code})"))
}

/// What lies behind an error, without its own words, which quote the address.
fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source()).map(|error| format!("{error}; ")).collect()
}

fn by_text(error: &Error, text: &str) -> Kind {
    if cause::<Disagreement>(error).is_some() || cause::<Shortened>(error).is_some() {
        return Kind::Transient;
    }
    // A certificate that is not trusted now will not be trusted in an hour.
    let is_distrust = cause::<HttpError>(error).is_some_and(|error| causes(error).contains("certificate"));
    if is_distrust || text.contains("Received redirect") {
        return Kind::Refused;
    }
    let status = text.split("status code: ").nth(1).and_then(|rest| rest.get(..3));
    match status.and_then(|digits| digits.parse::<u16>().ok()) {
        Some(401 | 403) => Kind::Denied,
        Some(404) => Kind::NotFound,
        Some(408 | 429 | 500..=599) => Kind::Transient,
        Some(_) => Kind::Refused,
        None if cause::<HttpError>(error).is_some() => Kind::Transient,
        None if SENSELESS.iter().any(|words| text.contains(words)) => Kind::Transient,
        None => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpErrorKind;

    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    fn kind(text: &str) -> Kind {
        classify(&generic(text)).0
    }

    #[test]
    fn statuses_are_told_apart() {
        for (status, expected) in [
            (503, Kind::Transient),
            (429, Kind::Transient),
            (403, Kind::Denied),
            (404, Kind::NotFound),
            (301, Kind::Refused),
            (400, Kind::Refused),
        ] {
            assert_eq!(kind(&format!("Server returned non-2xx status code: {status} Oops: body")), expected);
        }
    }

    #[test]
    fn what_the_server_says_counts_more_than_the_status() {
        let said =
            |status: u16, code: &str| kind(&format!("status code: {status} X: <Error><Code>{code}</Code></Error>"));
        assert_eq!(said(400, "XAmzContentSHA256Mismatch"), Kind::Transient);
        assert_eq!(said(400, "AuthorizationHeaderMalformed"), Kind::Refused);
        assert_eq!(said(404, "NoSuchBucket"), Kind::BucketMissing);
    }

    #[test]
    fn of_several_objects_each_has_its_code() {
        let said = |code: &str| kind(&format!("Error performing DeleteObjects for lake/x: no (code: {code})"));
        assert_eq!(said("AccessDenied"), Kind::Denied);
        assert_eq!(said("InternalError"), Kind::Transient);
        assert_eq!(kind("Failed to read token file '/var/run/token': No such file or directory"), Kind::Denied);
    }

    #[test]
    fn the_metadata_address_means_missing_credentials() {
        let error = generic("Error performing PUT http://169.254.169.254/latest/api/token in 3s");
        let (kind, detail) = classify(&error);
        assert_eq!(kind, Kind::Denied);
        assert!(detail.contains("AWS_ACCESS_KEY_ID"));
    }

    #[test]
    fn only_what_lies_behind_an_error_tells_of_certificates() {
        let kind = |path: &str, cause: &str| {
            let http = HttpError::new(HttpErrorKind::Connect, std::io::Error::other(cause.to_owned()));
            by_text(&Error::Generic { store: "S3", source: http.into() }, &format!("GET https://s3/{path}: {cause}"))
        };
        assert_eq!(kind("gift_certificates.parquet", "connection refused"), Kind::Transient);
        assert_eq!(kind("sales.parquet", "invalid peer certificate: UnknownIssuer"), Kind::Refused);
    }

    #[test]
    fn what_differs_or_is_cut_is_worth_another_run() {
        assert!(is_transient(&Disagreement { reads: 3 }.into()));
        assert!(is_transient(&Shortened { expected: 9, found: 4 }.into()));
        assert!(is_transient(&generic("Got invalid list response: unexpected end of stream")));
        assert!(!is_transient(&generic("invalid peer certificate: UnknownIssuer")));
    }
}
