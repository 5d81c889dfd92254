//! Environments and pipelines: YAML to typed specs, with the position of everything.

pub mod yaml;

pub mod checks;
mod databases;
mod entry;
mod environment;
mod format;
mod gates;
mod load;
mod pipeline;
mod pseudonyms;
mod s3;
mod salvage;
mod secret;
mod span;
pub mod unit_tests;

pub use checks::{CheckKind, CheckSpec, Severity, Tolerance};
pub use databases::{DatabaseSpec, DatabaseSpecs};
pub use entry::{EntryAction, OnEntry};
pub use environment::{Environment, RunDate};
pub use format::{CsvSpec, SourceFormat};
pub use gates::{BaselineRule, DriftGate, GateSpec, MeasureGate, NullsGate};
pub use load::{Document, Loaded, Located, Project, load, load_environment};
pub use pipeline::{
    BigqueryLoad, ColumnSpec, DeliverMode, DeliverSpec, Feeds, LoadSpec, PipelineSpec, PublishFormat, PublishSpec,
    SnapshotChoice, SourceSpec, StageSpec,
};
pub use pseudonyms::PseudonymSpec;
pub use s3::{CredentialsSpec, EncryptionSpec, EncryptionType, S3Spec};
pub use secret::{Secret, SecretRef};
pub use span::Span;
