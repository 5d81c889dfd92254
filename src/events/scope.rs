//! What is being worked on, for the log: spans of `tracing`. Whatever is logged inside of one, by us or by a library, is
//! known to belong to the run and the node.

use tracing::Span;

/// By this target the log knows them from the spans of libraries.
pub const TARGET: &str = "patronage::scope";

/// Of a run; an error's level, so that no level of the log hides it.
pub fn run(run_id: &str) -> Span {
    tracing::error_span!(target: TARGET, "run", run_id)
}

/// Of a node, inside of the run's.
pub fn node(id: &str) -> Span {
    tracing::error_span!(target: TARGET, "node", node = id)
}
