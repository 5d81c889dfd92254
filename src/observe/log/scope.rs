//! Which run and which node a line belongs to: by the spans that it is logged inside of, and where there are none (a
//! thread of a library), by the run that is at work.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Metadata, Span, Subscriber};
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use tracing_subscriber::{Layer, Registry};

use crate::events::scope::TARGET;
use crate::observe::trace_context::{TraceContext, hex, span_id};

/// The runs that are at work in this process.
static RUNS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A run is at work until this is dropped.
#[derive(Debug)]
pub struct AtWork(String);

impl AtWork {
    pub fn new(run_id: &str) -> AtWork {
        RUNS.lock().unwrap_or_else(PoisonError::into_inner).push(run_id.to_owned());
        AtWork(run_id.to_owned())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = runs.iter().position(|run| *run == self.0) {
            runs.swap_remove(place);
        }
    }
}

/// The run that is at work, if it is the only one.
fn only_run() -> Option<String> {
    match RUNS.lock().unwrap_or_else(PoisonError::into_inner).as_slice() {
        [run] => Some(run.clone()),
        _ => None,
    }
}

/// What a line belongs to.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    run_id: Option<String>,
    node: Option<String>,
}

impl Scope {
    /// By the spans around a line, the innermost first.
    pub fn within<'a, S>(spans: impl Iterator<Item = SpanRef<'a, S>>) -> Scope
    where
        S: for<'b> LookupSpan<'b> + 'a,
    {
        let mut scope = Scope::default();
        for span in spans {
            if let Some(outer) = span.extensions().get::<Scope>() {
                scope.run_id = scope.run_id.or_else(|| outer.run_id.clone());
                scope.node = scope.node.or_else(|| outer.node.clone());
            }
        }
        scope
    }

    /// Of what is not logged but written at this point.
    pub fn current() -> Scope {
        let within = Span::current().with_subscriber(|(id, dispatch)| {
            let spans = dispatch.downcast_ref::<Registry>().and_then(|registry| registry.span(id));
            spans.map(|span| Scope::within(span.scope()))
        });
        within.flatten().unwrap_or_default()
    }

    /// Adds the ids; none of them stands there twice.
    pub fn add_to(self, object: &mut Map<String, Value>) {
        let Some(run_id) = self.run_id.or_else(only_run) else { return };
        let span = span_id(&run_id, self.node.as_deref());
        object.insert("trace_id".to_owned(), hex(&TraceContext::of_process().trace_id(&run_id)).into());
        object.insert("span_id".to_owned(), hex(&span).into());
        object.insert("run_id".to_owned(), run_id.into());
        if let Some(node) = self.node {
            object.entry("node").or_insert(node.into());
        }
    }
}

impl Visit for Scope {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "run_id" => self.run_id = Some(value.to_owned()),
            "node" => self.node = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// Keeps beside each span what it says.
pub struct Scopes;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Scopes {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut scope = Scope::default();
        attributes.record(&mut scope);
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(scope);
        }
    }
}

/// Our own spans, whatever else is to be seen.
pub fn spans() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    let own: fn(&Metadata<'_>) -> bool = |metadata| metadata.is_span() && metadata.target() == TARGET;
    filter_fn(own).with_max_level_hint(LevelFilter::ERROR)
}
