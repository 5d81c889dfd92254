//! Environments and pipelines: YAML to typed specs, with the position of everything.

pub mod yaml;

mod environment;
mod load;
mod pipeline;
mod salvage;
mod span;

pub use environment::{Environment, RunDate};
pub use load::{Document, Loaded, Located, Project, load, load_environment};
pub use pipeline::{CheckSpec, Feeds, PipelineSpec, PublishSpec, Severity, SnapshotChoice, SourceSpec, StageSpec};
pub use span::Span;
