//! The run as OpenLineage: one run event a line in `events.ndjson`, for Marquez, DataHub and others.
//!
//! The run is a job named after the pipeline; every node that ran is a job `<pipeline>.<node>` whose
//! parent is the run, and so are the checks of what a stage writes, `<pipeline>.<node>.checks`. What was skipped or
//! blocked had no run of its own and is not in the file.
//! Times are those of the clock: this is an artifact of the run, not data.

mod datasets;
mod facets;
#[cfg(test)]
mod tests;
mod transport;

pub use transport::Transport;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use chrono::{NaiveDate, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::trace_context::{derived, uuid_of_run};
use crate::events::{Event, Listener, NodeRef, OutputRows};

/// Who wrote the events.
pub const PRODUCER: &str = concat!("urn:patronage:", env!("CARGO_PKG_VERSION"));
const SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// Writes run events to a file as they happen, each flushed at once, so that a crash loses none.
pub struct OpenLineage {
    namespace: String,
    /// Who else gets them.
    transport: Transport,
    state: Mutex<State>,
}

struct State {
    /// None after the first error: the rest of the file would have a hole.
    sink: Option<Box<dyn Write + Send>>,
    run: Option<Run>,
}

/// What every event of a run repeats.
struct Run {
    id: Uuid,
    pipeline: String,
    date: NaiveDate,
    /// Started and not ended.
    open: BTreeMap<String, NodeRef>,
    failed: Vec<String>,
}

impl OpenLineage {
    /// Creates the file, or empties it. `namespace` is that of the jobs. If the file cannot be
    /// written, that is warned of once and the run goes on without it.
    pub fn create(path: &Path, namespace: impl Into<String>, transport: Transport) -> OpenLineage {
        let sink = File::create(path).map(|file| Box::new(file) as Box<dyn Write + Send>);
        let sink = sink.map_err(|error| warn(&error)).ok();
        OpenLineage { transport, ..OpenLineage::to(sink, namespace) }
    }

    fn to(sink: Option<Box<dyn Write + Send>>, namespace: impl Into<String>) -> OpenLineage {
        let state = Mutex::new(State { sink, run: None });
        OpenLineage { namespace: namespace.into(), transport: Transport::default(), state }
    }

    /// What an event says, as zero or more OpenLineage events.
    fn translate(&self, run: &mut Run, event: &Event) -> Vec<Value> {
        match event {
            Event::RunStarted { .. } => vec![self.of_run(run, "START", None)],
            Event::NodeStarted { node } => {
                run.open.insert(node.id.clone(), node.clone());
                vec![self.of_node(run, node, "START", &[], None)]
            }
            Event::NodeFinished { node, outputs, .. } => {
                run.open.remove(&node.id);
                self.of_end(run, node, "COMPLETE", outputs, None)
            }
            Event::NodeFailed { node, interrupted: true, .. } => {
                run.open.remove(&node.id);
                self.of_end(run, node, "ABORT", &[], None)
            }
            Event::NodeFailed { node, code, message, .. } => {
                run.open.remove(&node.id);
                run.failed.push(node.id.clone());
                let message = format!("{code}: {message}");
                self.of_end(run, node, "FAIL", &[], Some(&message))
            }
            Event::RunFinished { success, interrupted, .. } => {
                // Who is still open was interrupted; every START needs its end.
                let open = std::mem::take(&mut run.open);
                let aborted = open.values().map(|node| self.of_node(run, node, "ABORT", &[], None));
                let mut events: Vec<Value> = aborted.collect();
                events.push(match (success, interrupted) {
                    (true, _) => self.of_run(run, "COMPLETE", None),
                    (false, true) => self.of_run(run, "ABORT", Some(&run.why("the run was interrupted"))),
                    (false, false) => self.of_run(run, "FAIL", Some(&run.why("the run failed"))),
                });
                events
            }
            // A publication that finds the same there has been begun.
            Event::NodeSkipped { node, .. } => {
                let begun = run.open.remove(&node.id);
                begun.iter().flat_map(|_| self.of_end(run, node, "COMPLETE", &[], None)).collect()
            }
            Event::NodeProgress { .. } | Event::NodeBlocked { .. } | Event::Warning { .. } => vec![],
        }
    }

    fn of_run(&self, run: &Run, kind: &str, error: Option<&str>) -> Value {
        let mut facets = facets::of_run(run.date);
        facets.extend(self.transport.parent());
        facets.extend(error.map(facets::error));
        json!({
            "eventType": kind,
            "eventTime": now(),
            "run": {"runId": run.id.to_string(), "facets": facets},
            "job": {
                "namespace": self.namespace,
                "name": run.pipeline,
                "facets": facets::job("PIPELINE"),
            },
            "inputs": [],
            "outputs": [],
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
        })
    }

    /// The end of a node, and before it the checks of what it wrote.
    fn of_end(&self, run: &Run, node: &NodeRef, kind: &str, rows: &[OutputRows], error: Option<&str>) -> Vec<Value> {
        let mut events = Vec::new();
        if let Some(checks) = datasets::checks(node) {
            let broken = datasets::broken(&checks);
            let kind = if broken.is_some() { "FAIL" } else { "COMPLETE" };
            events.push(self.of_node(run, &datasets::unexamined(&checks), "START", &[], None));
            events.push(self.of_node(run, &checks, kind, &[], broken.as_deref()));
        }
        events.push(self.of_node(run, node, kind, rows, error));
        events
    }

    fn of_node(&self, run: &Run, node: &NodeRef, kind: &str, rows: &[OutputRows], error: Option<&str>) -> Value {
        let mut facets = facets::of_run(run.date);
        facets.extend([facets::parent(&run.id, &self.namespace, &run.pipeline)]);
        facets.extend(error.map(facets::error));
        json!({
            "eventType": kind,
            "eventTime": now(),
            "run": {"runId": derived(&[&run.id.to_string(), &node.id]).to_string(), "facets": facets},
            "job": {
                "namespace": self.namespace,
                "name": format!("{}.{}", run.pipeline, node.id),
                "facets": facets::job(&node.kind.to_uppercase()),
            },
            "inputs": datasets::inputs(node),
            "outputs": datasets::outputs(node, rows),
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
        })
    }
}

impl Listener for OpenLineage {
    fn on_event(&self, event: &Event) {
        // A panic elsewhere leaves at worst a line half written; the next ones still count.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { sink, run } = &mut *state;
        if let Event::RunStarted { run_id, pipeline, run_date, .. } = event {
            *run = Some(Run::new(run_id, pipeline, *run_date));
        }
        let Some(run) = run.as_mut() else { return };
        let events = self.translate(run, event);
        self.transport.send(&events);
        let Some(open) = sink.as_mut() else { return };
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        if let Err(error) = open.write_all(lines.as_bytes()).and_then(|()| open.flush()) {
            warn(&error);
            *sink = None;
        }
    }
}

impl Run {
    fn new(run_id: &str, pipeline: &str, date: NaiveDate) -> Run {
        Run { id: uuid_of_run(run_id), pipeline: pipeline.to_owned(), date, open: BTreeMap::new(), failed: vec![] }
    }

    /// Names the nodes that failed, or says `otherwise`.
    fn why(&self, otherwise: &str) -> String {
        match self.failed.as_slice() {
            [] => otherwise.to_owned(),
            failed => format!("failed: {}", failed.join(", ")),
        }
    }
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn warn(error: &io::Error) {
    tracing::warn!(%error, "the OpenLineage events cannot be written; the run goes on without them");
}
