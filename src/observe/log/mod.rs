//! The log: run events as `tracing` events, on stderr, in compact lines or one JSON object a line.

mod json;
mod scope;
mod text;

pub use scope::Scope;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber, debug, error, info, warn};
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt};

use crate::events::{Event, Listener, NodeRef, OutputRows, scope::node as scope_of};

/// Overrides the level, in the grammar of `RUST_LOG`: `debug`, `warn,patronage=trace`.
pub const FILTER_VARIABLE: &str = "PATRONAGE_LOG";

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people: time of day in UTC, node, what happened, rows, time taken.
    #[default]
    Text,
    /// For programs: one object a line, every field of the event and the ids of run and trace at its top level.
    Json,
}

/// Why there is no log; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("read the filter in {FILTER_VARIABLE}: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("start the log: {0}")]
    Installed(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Starts the log, once per process; `writer` leads to stderr. `color` is what the terminal could show; a variable
/// `NO_COLOR` that is not empty turns it off. Our own events show from `level` on, those of
/// libraries from warnings on at most.
///
/// # Errors
/// A filter in `PATRONAGE_LOG` that does not parse, or a log that is already there.
pub fn init<W>(level: LevelFilter, format: Format, color: bool, writer: W) -> Result<(), LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let wanted = std::env::var(FILTER_VARIABLE).ok();
    let filter = filter(level, wanted.as_deref())?;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let subscriber = subscriber(filter, format, color && !no_color, writer);
    Ok(tracing::subscriber::set_global_default(subscriber)?)
}

fn filter(level: LevelFilter, wanted: Option<&str>) -> Result<EnvFilter, LogError> {
    match wanted.filter(|wanted| !wanted.trim().is_empty()) {
        Some(wanted) => Ok(EnvFilter::try_new(wanted)?),
        None => {
            let others = level.min(LevelFilter::WARN);
            Ok(EnvFilter::try_new(format!("{others},patronage={level}"))?)
        }
    }
}

fn subscriber<W>(filter: EnvFilter, format: Format, color: bool, writer: W) -> impl Subscriber
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(color);
    let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = match format {
        Format::Text => vec![layer.event_format(text::Lines).with_filter(filter).boxed()],
        Format::Json => vec![
            scope::Scopes.with_filter(scope::spans()).boxed(),
            // No filter of lines may hide what they belong to.
            layer.event_format(json::Objects).with_filter(filter.or(scope::spans())).boxed(),
        ],
    };
    tracing_subscriber::registry().with(layers)
}

/// How often a node that is still running says so, where there is no live line.
const STILL_RUNNING_EVERY: Duration = Duration::from_secs(30);

/// Turns run events into log events with fields.
#[derive(Debug, Default)]
pub struct LogListener {
    /// Something else shows running nodes.
    quiet: bool,
    /// By node, when it is next said to be running.
    due: Mutex<BTreeMap<String, Duration>>,
    /// By node, what its lines are logged inside of, once it has begun.
    begun: Mutex<BTreeMap<String, Span>>,
    /// What libraries log in threads of their own belongs to the run that is at work.
    at_work: Mutex<Option<scope::AtWork>>,
}

impl LogListener {
    /// Says nothing of running nodes if `live` lines do.
    pub fn new(live: bool) -> LogListener {
        LogListener { quiet: live, ..LogListener::default() }
    }

    /// What the lines of an event are logged inside of: the node's span, if it has one, so that they bear its id.
    fn scope(&self, event: &Event) -> Span {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Event::NodeStarted { node } = event {
            begun.insert(node.id.clone(), scope_of(&node.id));
        }
        event.node().and_then(|node| begun.get(&node.id)).cloned().unwrap_or_else(Span::none)
    }

    fn running(&self, node: &NodeRef, rows: Option<u64>, elapsed: Duration) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let next = due.entry(node.id.clone()).or_insert(STILL_RUNNING_EVERY);
        if self.quiet || elapsed < *next {
            return;
        }
        *next = elapsed + STILL_RUNNING_EVERY;
        let rows_per_second = rows.and_then(|rows| super::rate(rows, elapsed));
        info!(node = node.id, kind = node.kind, rows, elapsed_seconds = seconds(elapsed), rows_per_second, "running");
    }

    fn tell(&self, event: &Event) {
        match event {
            Event::RunStarted { run_id, pipeline, run_date, nodes, .. } => {
                info!(pipeline, %run_date, nodes, run_id, "started");
            }
            Event::NodeStarted { node } => debug!(node = node.id, kind = node.kind, "started"),
            Event::NodeSkipped { node, reason } => {
                info!(node = node.id, kind = node.kind, reason, "skipped");
            }
            Event::NodeProgress { node, rows, elapsed } => self.running(node, *rows, *elapsed),
            Event::NodeFinished { node, outputs, elapsed } => finished(node, outputs, *elapsed),
            Event::NodeFailed { node, code, message, elapsed, .. } => {
                let elapsed_seconds = seconds(*elapsed);
                error!(node = node.id, kind = node.kind, elapsed_seconds, code, error = message, "failed");
            }
            Event::NodeBlocked { node, because } => {
                warn!(node = node.id, kind = node.kind, reason = because, "blocked");
            }
            Event::Warning { node: Some(node), message } => warn!(node = node.id, "{message}"),
            Event::Warning { node: None, message } => warn!("{message}"),
            Event::RunFinished { run_id, success: true, elapsed, .. } => {
                info!(run_id, elapsed_seconds = seconds(*elapsed), "finished");
            }
            Event::RunFinished { run_id, interrupted: true, elapsed, .. } => {
                error!(run_id, elapsed_seconds = seconds(*elapsed), "the run was stopped");
            }
            Event::RunFinished { run_id, elapsed, .. } => {
                error!(run_id, elapsed_seconds = seconds(*elapsed), "the run failed");
            }
        }
    }
}

impl Listener for LogListener {
    fn on_event(&self, event: &Event) {
        if let Event::RunStarted { run_id, .. } = event {
            *self.at_work.lock().unwrap_or_else(PoisonError::into_inner) = Some(scope::AtWork::new(run_id));
        }
        self.scope(event).in_scope(|| self.tell(event));
    }
}

/// `rows` are those of the first port; with several ports, `ports` names them all.
fn finished(node: &NodeRef, outputs: &[OutputRows], elapsed: Duration) {
    let rows = outputs.first().map(|output| output.rows);
    let ports = (outputs.len() > 1).then(|| {
        let ports = outputs.iter().map(|output| format!("{}:{}", output.port, output.rows));
        ports.collect::<Vec<_>>().join(",")
    });
    let rows_per_second = rows.and_then(|rows| super::rate(rows, elapsed));
    info!(node = node.id, kind = node.kind, rows, elapsed_seconds = seconds(elapsed), rows_per_second, ports, "done");
}

/// To the millisecond: more is noise.
fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests;
