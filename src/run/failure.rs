//! Why a node failed, with the code that decides the exit code.

use polars::prelude::PolarsError;

use super::state::CheckResult;
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
}

impl NodeFailure {
    pub fn new(code: Code, message: impl Into<String>) -> NodeFailure {
        NodeFailure { code, message: message.into(), checks: vec![] }
    }

    /// Whether nothing may be published because of it: a check, a contract or a bound of age does not hold.
    pub fn is_gate(&self) -> bool {
        matches!(self.code, Code::CheckFailed | Code::ContractBroken | Code::SourceStale)
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
            Kind::NotFound | Kind::Permission | Kind::DiskFull | Kind::ReadOnly | Kind::Other => Code::LocalIo,
        };
        NodeFailure::new(code, format!("failed to {error}"))
    }
}

impl From<PolarsError> for NodeFailure {
    fn from(error: PolarsError) -> NodeFailure {
        let code = match &error {
            PolarsError::IO { .. } => Code::LocalIo,
            _ => Code::StageFailed,
        };
        NodeFailure::new(code, first_line(&error))
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

/// polars appends the whole query plan, and sometimes values, after the first line.
fn first_line(error: &PolarsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
