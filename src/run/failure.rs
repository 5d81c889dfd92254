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
            Kind::Denied => Code::StorageDenied,
            Kind::BucketMissing => Code::BucketMissing,
            Kind::Refused => Code::StorageRefused,
            Kind::NotFound | Kind::Permission | Kind::DiskFull | Kind::ReadOnly | Kind::Other => Code::LocalIo,
        };
        NodeFailure::new(code, format!("failed to {error}"))
    }
}

impl From<PolarsError> for NodeFailure {
    fn from(error: PolarsError) -> NodeFailure {
        // polars reads from stores nothing but sources.
        if let Some(error) = StorageError::of_polars(&error) {
            return NodeFailure::source(error);
        }
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

/// polars appends the whole query plan after the first line, and in a list in brackets the values that it stumbled
/// over, which may be customers.
fn first_line(error: &PolarsError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.split(": [").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{Column, DataType};

    #[test]
    fn the_values_that_a_cast_stumbles_over_are_not_told() {
        let names = Column::new("name".into(), ["ann@example.org", "bob@example.org"]);
        let error = names.strict_cast(&DataType::Int64).unwrap_err();
        assert!(error.to_string().contains("@example"));
        let failure = NodeFailure::from(error);
        assert!(failure.message.contains("conversion") && !failure.message.contains("@example"), "{}", failure.message);
    }
}
