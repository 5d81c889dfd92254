//! Run events as spans: one for the run, below it one for each node that ran.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;

use super::message::{ERROR, INTERNAL, KeyValue, Span, SpanEvent, Status, Value};
use crate::events::{Event, NodeRef};
use crate::observe::trace_context::{SpanId, TraceContext, TraceId, span_id};
use crate::report::format::clip;

/// As many as SDKs keep by default.
const EVENTS_MAX: usize = 128;
const MESSAGE_CHARACTERS_MAX: usize = 2_000;

/// Bits of a span's flags: it is recorded; whether its parent is of another process is known; it is.
const SAMPLED: u32 = 0x1;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// The spans of a run that are not yet ended.
pub struct Trace {
    run_id: String,
    run_date: NaiveDate,
    trace_id: TraceId,
    clock: Clock,
    root: Span,
    open: BTreeMap<String, Span>,
    failed: Vec<String>,
}

impl Trace {
    /// Of a run that starts; none of another event.
    pub fn start(event: &Event, context: &TraceContext) -> Option<Trace> {
        let Event::RunStarted { run_id, pipeline, run_date, nodes, elapsed } = event else { return None };
        let clock = Clock::start();
        let parent = context.parent.as_ref();
        let trace_id = context.trace_id(run_id);
        let attributes = vec![
            KeyValue::new("patronage.pipeline", pipeline.as_str()),
            KeyValue::new("patronage.nodes", *nodes as u64),
        ];
        let mut root = Span {
            trace_state: parent.map(|parent| parent.state.clone()).unwrap_or_default(),
            flags: SAMPLED | HAS_IS_REMOTE | if parent.is_some() { IS_REMOTE } else { 0 },
            ..begun(
                trace_id,
                span_id(run_id, None),
                parent.map(|parent| parent.span_id),
                pipeline,
                clock.before(*elapsed),
            )
        };
        root.attributes = of_run(run_id, *run_date).into_iter().chain(attributes).collect();
        let (open, failed) = (BTreeMap::new(), vec![]);
        Some(Trace { run_id: run_id.to_owned(), run_date: *run_date, trace_id, clock, root, open, failed })
    }

    /// What has ended by this event.
    pub fn hear(&mut self, event: &Event) -> Vec<Span> {
        match event {
            Event::RunStarted { .. } | Event::NodeProgress { .. } => vec![],
            Event::NodeStarted { node } => {
                let span = self.begin(node);
                self.open.insert(node.id.clone(), span);
                vec![]
            }
            Event::NodeFinished { node, outputs, .. } => {
                let rows =
                    outputs.iter().map(|output| KeyValue::new(format!("patronage.rows.{}", output.port), output.rows));
                vec![self.end(node, "success", rows.collect(), None)]
            }
            Event::NodeFailed { node, code, message, interrupted, .. } => {
                let outcome = if *interrupted { "interrupted" } else { "failed" };
                if !interrupted {
                    self.failed.push(node.id.clone());
                }
                vec![self.end(
                    node,
                    outcome,
                    vec![KeyValue::new("error.type", *code)],
                    Some(format!("{code}: {message}")),
                )]
            }
            // A publication that finds the same there has been begun.
            Event::NodeSkipped { node, reason } if self.open.contains_key(&node.id) => {
                vec![self.end(node, "skipped", vec![KeyValue::new("patronage.reason", reason.as_str())], None)]
            }
            Event::NodeSkipped { node, reason } => self.note("skipped", Some(node), "patronage.reason", reason),
            Event::NodeBlocked { node, because } => self.note("blocked", Some(node), "patronage.reason", because),
            Event::Warning { node, message } => self.note("warning", node.as_ref(), "patronage.message", message),
            Event::RunFinished { success, interrupted, .. } => self.finish(*success, *interrupted),
        }
    }

    fn begin(&self, node: &NodeRef) -> Span {
        let id = span_id(&self.run_id, Some(&node.id));
        let parent = span_id(&self.run_id, None);
        let mut span = begun(self.trace_id, id, Some(parent), &node.id, self.clock.now());
        let kind = KeyValue::new("patronage.kind", node.kind.as_str());
        let node = KeyValue::new("patronage.node", node.id.as_str());
        span.attributes = of_run(&self.run_id, self.run_date).into_iter().chain([node, kind]).collect();
        span.trace_state.clone_from(&self.root.trace_state);
        span
    }

    /// Ends the span of a node. One that was never begun is as long as a moment.
    fn end(&mut self, node: &NodeRef, outcome: &str, attributes: Vec<KeyValue>, error: Option<String>) -> Span {
        let mut span = self.open.remove(&node.id).unwrap_or_else(|| self.begin(node));
        span.attributes.extend(attributes);
        end(&mut span, outcome, error.as_deref(), self.clock.now());
        span
    }

    /// An event of the node's span, or of the run's if the node's has not begun or is sent.
    fn note(&mut self, name: &str, node: Option<&NodeRef>, key: &str, text: &str) -> Vec<Span> {
        let attributes = node.map(|node| KeyValue::new("patronage.node", node.id.as_str()));
        let text = KeyValue::new(key, clip(text, MESSAGE_CHARACTERS_MAX).as_str());
        let span = node.and_then(|node| self.open.get_mut(&node.id)).unwrap_or(&mut self.root);
        if span.events.len() < EVENTS_MAX {
            span.events.push(SpanEvent {
                time_unix_nano: self.clock.now(),
                name: name.to_owned(),
                attributes: attributes.into_iter().chain([text]).collect(),
            });
        } else {
            span.dropped_events_count = span.dropped_events_count.saturating_add(1);
        }
        vec![]
    }

    /// Ends the run, and before it whoever is still open.
    fn finish(&mut self, success: bool, interrupted: bool) -> Vec<Span> {
        let now = self.clock.now();
        let mut ended: Vec<Span> = std::mem::take(&mut self.open).into_values().collect();
        for span in &mut ended {
            end(span, "interrupted", Some("the run has ended"), now);
        }
        let (outcome, otherwise) = match (success, interrupted) {
            (true, _) => ("success", None),
            (false, true) => ("interrupted", Some("the run was interrupted")),
            (false, false) => ("failed", Some("the run failed")),
        };
        let error = otherwise.map(|otherwise| match self.failed.as_slice() {
            [] => otherwise.to_owned(),
            failed => format!("failed: {}", failed.join(", ")),
        });
        let mut root = std::mem::take(&mut self.root);
        end(&mut root, outcome, error.as_deref(), now);
        ended.push(root);
        ended
    }
}

fn of_run(run_id: &str, run_date: NaiveDate) -> [KeyValue; 2] {
    let run_date = Value::StringValue(run_date.to_string());
    [KeyValue::new("patronage.run_id", run_id), KeyValue::new("patronage.run_date", run_date)]
}

fn begun(trace_id: TraceId, id: SpanId, parent: Option<SpanId>, name: &str, now: u64) -> Span {
    Span {
        trace_id: trace_id.to_vec(),
        span_id: id.to_vec(),
        parent_span_id: parent.map(|parent| parent.to_vec()).unwrap_or_default(),
        name: name.to_owned(),
        kind: INTERNAL,
        start_time_unix_nano: now,
        flags: SAMPLED | HAS_IS_REMOTE,
        ..Span::default()
    }
}

fn end(span: &mut Span, outcome: &str, error: Option<&str>, now: u64) {
    span.end_time_unix_nano = now;
    span.attributes.push(KeyValue::new("patronage.outcome", outcome));
    // Of what went well the status stays unset, as the specification asks.
    span.status = error.map(|error| Status { message: clip(error, MESSAGE_CHARACTERS_MAX), code: ERROR });
}

/// Moments of a run in nanoseconds since 1970. A system's clock that is set meanwhile moves none of them.
struct Clock {
    start: u64,
    since: Instant,
}

impl Clock {
    fn start() -> Clock {
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { start: u64::try_from(start.as_nanos()).unwrap_or_default(), since: Instant::now() }
    }

    fn before(&self, elapsed: Duration) -> u64 {
        self.now().saturating_sub(u64::try_from(elapsed.as_nanos()).unwrap_or_default())
    }

    fn now(&self) -> u64 {
        self.start.saturating_add(u64::try_from(self.since.elapsed().as_nanos()).unwrap_or_default())
    }
}
