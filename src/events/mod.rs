//! What happens in a run, as data. The runner emits events; listeners log, draw, count and report.
//! No event carries a row of data or a secret.

mod dataset;
pub mod scope;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use dataset::{Assertion, Column, ColumnCounts, Counts, Dataset, Lineage, Origin, Quality, Use};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    RunStarted {
        run_id: String,
        pipeline: String,
        run_date: chrono::NaiveDate,
        nodes: usize,
        /// Since it began: sources that are queries are asked before it is known what there is to do.
        elapsed: Duration,
    },
    NodeStarted {
        node: NodeRef,
    },
    /// Nothing of it changed: its outputs are those of an earlier run.
    NodeSkipped {
        node: NodeRef,
        reason: String,
    },
    /// It is still running; told again and again.
    NodeProgress {
        node: NodeRef,
        /// Rows read or written so far, where they can be counted.
        rows: Option<u64>,
        elapsed: Duration,
    },
    NodeFinished {
        node: NodeRef,
        outputs: Vec<OutputRows>,
        elapsed: Duration,
    },
    NodeFailed {
        node: NodeRef,
        code: &'static str,
        message: String,
        /// It did not fail: the run was to stop.
        interrupted: bool,
        elapsed: Duration,
    },
    /// Something it needs failed.
    NodeBlocked {
        node: NodeRef,
        because: String,
    },
    Warning {
        node: Option<NodeRef>,
        message: String,
    },
    RunFinished {
        run_id: String,
        success: bool,
        /// Whether it was stopped from outside.
        interrupted: bool,
        elapsed: Duration,
    },
}

impl Event {
    /// The node that it is about.
    pub fn node(&self) -> Option<&NodeRef> {
        match self {
            Event::NodeStarted { node }
            | Event::NodeSkipped { node, .. }
            | Event::NodeProgress { node, .. }
            | Event::NodeFinished { node, .. }
            | Event::NodeFailed { node, .. }
            | Event::NodeBlocked { node, .. } => Some(node),
            Event::Warning { node, .. } => node.as_ref(),
            Event::RunStarted { .. } | Event::RunFinished { .. } => None,
        }
    }
}

/// A node of the plan, by name; the name of a source or publication may also name a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeRef {
    /// `source.transactions`, `stage.segments`, `publish.customer_scores`
    pub id: String,
    /// The stage kind, `source` or `publish`.
    pub kind: String,
    /// What it reads, by dataset name. That which it checks has its findings once it has ended.
    pub reads: Vec<Dataset>,
    /// What it writes, by dataset name. Once it has ended, with what that is made of and what was found of it.
    pub writes: Vec<Dataset>,
}

/// Rows of an output port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputRows {
    pub port: String,
    pub rows: u64,
}

/// Someone who wants to know. Listeners must not fail the run: they swallow their own errors.
pub trait Listener: Send + Sync {
    fn on_event(&self, event: &Event);
}

/// Everyone who listens.
#[derive(Clone, Default)]
pub struct Listeners(Vec<Arc<dyn Listener>>);

impl Listeners {
    pub fn add(&mut self, listener: Arc<dyn Listener>) {
        self.0.push(listener);
    }

    pub fn emit(&self, event: &Event) {
        for listener in &self.0 {
            listener.on_event(event);
        }
    }
}
