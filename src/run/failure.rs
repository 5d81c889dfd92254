//! Why a node failed, with the code that decides the exit code.

use polars::prelude::PolarsError;

use super::state::CheckResult;
use crate::crash;
use crate::problem::Code;
use crate::stages::Failure;
use crate::storage::{Kind, StorageError};

/// A failed node. The message is a fragment that completes "failed to run …: " and holds no row
/// of data.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct NodeFailure {
    pub code: Code,
    pub message: String,
    /// What the checks found, where they were made.
    pub checks: Vec<CheckResult>,
    /// Whether the engine gave up, so that a damaged file may be behind it.
    pub(super) by_engine: bool,
}

impl NodeFailure {
    pub fn new(code: Code, message: impl Into<String>) -> NodeFailure {
        NodeFailure { code, message: message.into(), checks: vec![], by_engine: false }
    }

    /// A task that ended without a result: it panicked, and what it said then may quote a row.
    pub fn lost() -> NodeFailure {
        NodeFailure::new(Code::Bug, format!("a task was lost: it panicked{}", crash::place()))
    }

    /// Trouble of the local disk that a library told.
    pub fn disk(kind: Kind, message: &str) -> NodeFailure {
        NodeFailure::new(Code::LocalIo, format!("{message}{}", advice(kind)))
    }

    /// Whether nothing may be published because of it: a check, a contract or a bound of age does not hold.
    pub fn is_gate(&self) -> bool {
        matches!(self.code, Code::CheckFailed | Code::ContractBroken | Code::SourceStale | Code::GateFailed)
    }

    /// Trouble with the files of a source.
    pub fn source(error: StorageError) -> NodeFailure {
        let code = match error.kind() {
            Kind::NotFound => Code::SourceMissing,
            _ => return NodeFailure::from(error),
        };
        NodeFailure::new(code, format!("failed to {error}"))
    }
}

impl From<StorageError> for NodeFailure {
    fn from(error: StorageError) -> NodeFailure {
        let code = match error.kind() {
            Kind::Corrupt => Code::CorruptFile,
            Kind::Transient => Code::TransientStorage,
            Kind::Conflict => Code::PublishConflict,
            Kind::Invalid => Code::BadValue,
            Kind::Stopped => Code::Interrupted,
            Kind::Denied => Code::StorageDenied,
            Kind::BucketMissing => Code::BucketMissing,
            Kind::Refused => Code::StorageRefused,
            Kind::NotFound | Kind::Permission | Kind::DiskFull | Kind::ReadOnly | Kind::Other => Code::LocalIo,
        };
        NodeFailure::new(code, format!("failed to {error}{}", advice(error.kind())))
    }
}

/// How to mend what the local disk refuses; nothing where the error says it.
fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::DiskFull => "; make room (or raise the quota) and run again: only what is missing is done",
        Kind::ReadOnly => "; mount it writable, or choose another directory, and run again",
        _ => "",
    }
}

impl From<PolarsError> for NodeFailure {
    fn from(error: PolarsError) -> NodeFailure {
        // polars reads from stores nothing but sources.
        if let Some(error) = StorageError::of_polars(&error) {
            return NodeFailure::source(error);
        }
        let line = first_line(&error);
        let failure = match disk_trouble(&error.to_string()) {
            Some(kind) => NodeFailure::disk(kind, &line),
            None if is_io(&error) => NodeFailure::new(Code::LocalIo, line),
            None => NodeFailure::new(Code::StageFailed, line),
        };
        NodeFailure { by_engine: true, ..failure }
    }
}

fn is_io(error: &PolarsError) -> bool {
    match error {
        PolarsError::IO { .. } => true,
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => is_io(error),
        _ => false,
    }
}

/// How the disk refuses, if that is what an error or a panic of a library tells: below a Parquet writer only the text
/// of the system's error is left. The numbers are Linux's of ENOSPC, EFBIG, EDQUOT, EROFS and EIO.
pub fn disk_trouble(text: &str) -> Option<Kind> {
    let number: u32 = text.split("(os error ").nth(1)?.split(')').next()?.parse().ok()?;
    match number {
        28 | 27 | 122 => Some(Kind::DiskFull),
        30 => Some(Kind::ReadOnly),
        5 => Some(Kind::Other),
        _ => None,
    }
}

impl From<Failure> for NodeFailure {
    fn from(failure: Failure) -> NodeFailure {
        match failure {
            Failure::Data(message) => NodeFailure::new(Code::StageFailed, message),
            Failure::Frame(error) => NodeFailure::from(error),
            Failure::TooLarge(message) => NodeFailure::new(Code::MemoryLimit, message),
            Failure::Cancelled => NodeFailure::new(Code::Interrupted, failure.to_string()),
            Failure::Bug(message) => NodeFailure::new(Code::Bug, message),
        }
    }
}

/// polars appends the whole query plan after the first line, and in a list in brackets the values that it stumbled
/// over, which may be customers.
pub(super) fn first_line(error: &PolarsError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.split(": [").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{Column, DataType};

    #[test]
    fn a_full_disk_is_one_however_polars_says_it() {
        let full = "No space left on device (os error 28)";
        let io = PolarsError::from(std::io::Error::from_raw_os_error(28));
        for error in
            [PolarsError::ComputeError(format!("parquet: {full}").into()), io.clone().context("sink".into()), io]
        {
            let failure = NodeFailure::from(error);
            assert_eq!(failure.code, Code::LocalIo);
            assert!(failure.message.contains("make room"), "{}", failure.message);
        }
        let readonly = NodeFailure::from(PolarsError::ComputeError("x: Read-only file system (os error 30)".into()));
        assert!(readonly.code == Code::LocalIo && readonly.message.contains("writable"), "{readonly}");
        let other = NodeFailure::from(PolarsError::ComputeError("28 columns".into()));
        assert_eq!(other.code, Code::StageFailed);
    }

    #[test]
    fn who_loses_the_race_may_try_again() {
        let lost = StorageError::new(Kind::Conflict, "publish to", "out", "another run was faster");
        assert_eq!(NodeFailure::from(lost).code.exit(), crate::problem::Exit::Transient);
    }

    #[test]
    fn the_values_that_a_cast_stumbles_over_are_not_told() {
        let names = Column::new("name".into(), ["ann@example.org", "bob@example.org"]);
        let error = names.strict_cast(&DataType::Int64).unwrap_err();
        assert!(error.to_string().contains("@example"));
        let failure = NodeFailure::from(error);
        assert!(failure.message.contains("conversion") && !failure.message.contains("@example"), "{}", failure.message);
    }
}
