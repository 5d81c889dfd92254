//! Log lines for people, such as `12:00:01 stage.customers  done  52,000 rows  0.41 s`.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::report::format;

const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const DIM: &str = "\u{1b}[2m";
const RESET: &str = "\u{1b}[0m";

/// Writes one event as one line; columns line up as long as names are not unusually long.
pub struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut words = Words::default();
        event.record(&mut words);
        let level = *event.metadata().level();
        let target = event.metadata().target();
        // A library's event has no node; its module says who speaks.
        if words.subject.is_empty() && !target.starts_with("patronage") {
            target.clone_into(&mut words.subject);
        }
        let time = chrono::Utc::now().format("%H:%M:%S");
        let line = words.line(level);
        if !writer.has_ansi_escapes() {
            return writeln!(writer, "{time} {line}");
        }
        let color = match level {
            Level::ERROR => RED,
            Level::WARN => YELLOW,
            Level::INFO => "",
            _ => DIM,
        };
        let reset = if color.is_empty() { "" } else { RESET };
        writeln!(writer, "{DIM}{time}{RESET} {color}{line}{reset}")
    }
}

/// The fields of an event, sorted into the columns of a line.
#[derive(Default)]
struct Words {
    /// The node, or the pipeline.
    subject: String,
    message: String,
    rows: Option<u64>,
    elapsed_seconds: Option<f64>,
    rest: String,
}

impl Words {
    fn line(&self, level: Level) -> String {
        // Without color the level must be told in words.
        let message = match level {
            Level::ERROR => format!("error: {}", self.message),
            Level::WARN => format!("warning: {}", self.message),
            _ => self.message.clone(),
        };
        let mut line = match self.subject.as_str() {
            "" => message,
            subject => format!("{subject:<26} {message:<8}"),
        };
        if let Some(rows) = self.rows {
            let rows = format::count(rows, "row", "rows");
            line = format!("{line} {rows:>15}");
        }
        if let Some(elapsed) = self.elapsed_seconds {
            let elapsed = format::duration(elapsed);
            line = format!("{line} {elapsed:>9}");
        }
        format!("{line} {}", self.rest).trim_end().to_owned()
    }

    fn other(&mut self, name: &str, value: &str) {
        match name {
            "message" => self.message = format::one_line(value),
            "node" | "pipeline" => self.subject = format::one_line(value),
            // Said by the name of the node, or by the line itself.
            "kind" => {}
            "reason" | "error" => {
                let _ = write!(self.rest, " {}", format::one_line(value));
            }
            _ => {
                let _ = write!(self.rest, " {name}={}", format::one_line(value));
            }
        }
    }
}

impl Visit for Words {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match field.name() {
            "elapsed_seconds" => self.elapsed_seconds = Some(value),
            name => self.other(name, &value.to_string()),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "rows" => self.rows = Some(value),
            "rows_per_second" => self.rest.push_str(&format!(" {} rows/s", format::thousands(value))),
            name => self.other(name, &value.to_string()),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.other(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.other(field.name(), &format!("{value:?}"));
    }
}
