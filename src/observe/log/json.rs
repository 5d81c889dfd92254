//! Log lines for programs: one object a line, with the ids of what it belongs to.

use std::fmt::{self, Debug};

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::scope::Scope;

/// Writes one event as one object: `timestamp`, `level`, the event's fields, `target`, and the ids of run, trace, span and
/// node.
pub struct Objects;

impl<S, N> FormatEvent<S, N> for Objects
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut fields = Fields(Map::new());
        fields.add("timestamp", Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true));
        fields.add("level", metadata.level().as_str());
        event.record(&mut fields);
        let mut object = fields.0;
        object.insert("target".to_owned(), metadata.target().into());
        Scope::within(context.event_scope().into_iter().flatten()).add_to(&mut object);
        writeln!(writer, "{}", Value::Object(object))
    }
}

/// Fields by name; the first of a name stays.
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, name: &str, value: impl Into<Value>) {
        // As Rust spells names that are words of the language.
        let name = name.trim_start_matches("r#");
        self.0.entry(name).or_insert_with(|| value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field.name(), format!("{value:?}"));
    }
}
