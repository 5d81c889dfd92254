//! The run as a trace, sent by OTLP over HTTP: one span for the run, below it one for each node that ran.
//!
//! It is on if `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` is set. A span is sent as it ends, so
//! a run that is killed leaves what was done before. Nodes that did not run are events of the run's span.
//!
//! Why not the crates of OpenTelemetry (0.33, by `cargo tree`): they add nine crates, and with the client that they bring a
//! second reqwest (0.13) beside object_store's. `opentelemetry_sdk` asks for other features of `futures-executor`, for which
//! Cargo builds polars again. Neither `OTEL_SDK_DISABLED` nor `OTEL_TRACES_EXPORTER` is read by them. And what is left for
//! them to do is small: ten messages, which prost encodes (two crates, none built again), and a list of variables.

mod message;
mod settings;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prost::Message as _;

use self::message::{
    ExportTraceServiceRequest, InstrumentationScope, KeyValue, Resource, ResourceSpans, ScopeSpans, Span,
};
use self::settings::{Encoding, Settings};
use self::trace::Trace;
use super::http::{Courier, Message};
use super::trace_context::TraceContext;
use crate::events::{Event, Listener};

/// A run that has ended does not wait longer for a collector.
const PATIENCE: Duration = Duration::from_secs(5);

const USER_AGENT: &str = concat!("OTel-OTLP-Exporter-Patronage/", env!("CARGO_PKG_VERSION"));

/// Sends the spans of a run as they end.
pub struct Traces {
    settings: Settings,
    context: TraceContext,
    /// None before the run starts and after it has ended.
    run: Mutex<Option<(Trace, Courier)>>,
}

impl Traces {
    /// By the variables of the process; none if they do not ask for traces.
    pub fn of_process() -> Option<Traces> {
        Traces::of(&|name| std::env::var(name).ok(), TraceContext::of_process().clone())
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>, context: TraceContext) -> Option<Traces> {
        let mut warnings = Vec::new();
        let read = Settings::read(variable, &mut warnings);
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        let settings = read.unwrap_or_else(|why| {
            tracing::warn!("no traces are sent: {why}");
            None
        })?;
        settings.samples(context.parent.as_ref()).then(|| Traces { settings, context, run: Mutex::default() })
    }

    fn message(&self, spans: Vec<Span>) -> Message {
        let request = self.request(spans);
        let (content_type, body) = match self.settings.encoding {
            Encoding::Protobuf => ("application/x-protobuf", request.encode_to_vec()),
            // None of it can fail to be written: there are no maps and no numbers that JSON does not have.
            Encoding::Json => ("application/json", serde_json::to_vec(&request).unwrap_or_default()),
        };
        let message =
            Message::post(self.settings.endpoint.clone(), content_type, body).header("user-agent", USER_AGENT);
        let headers = self.settings.headers.iter();
        let message = headers.fold(message, |message, (name, value)| message.header(name, value));
        Message { timeout: self.settings.timeout, ..message }
    }

    fn request(&self, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let attributes = self.settings.resource.iter().map(|(name, value)| KeyValue::new(name, value.as_str()));
        let (name, version) = ("patronage".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource { attributes: attributes.collect() }),
                scope_spans: vec![ScopeSpans { scope: Some(InstrumentationScope { name, version }), spans }],
            }],
        }
    }
}

impl Listener for Traces {
    fn on_event(&self, event: &Event) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trace) = Trace::start(event, &self.context) {
            *run = Some((trace, Courier::start("traces", PATIENCE)));
        }
        let Some((trace, courier)) = run.as_mut() else { return };
        let ended = trace.hear(event);
        if !ended.is_empty() {
            courier.send(self.message(ended));
        }
        if let Event::RunFinished { .. } = event {
            // Waits here: threads that do not stop may hold this listener for ever.
            run.take();
        }
    }
}
