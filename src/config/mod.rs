//! Environments and pipelines: YAML to typed specs, with the position of everything.

pub mod yaml;

pub mod checks;
mod environment;
mod load;
mod pipeline;
mod salvage;
mod span;

pub use checks::{CheckKind, CheckSpec, Severity, Tolerance};
pub use environment::{Environment, RunDate};
pub use load::{Document, Loaded, Located, Project, load};
pub use pipeline::{Feeds, PipelineSpec, PublishSpec, SnapshotChoice, SourceSpec, StageSpec};
pub use span::Span;
