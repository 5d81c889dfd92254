//! What must hold of a table: one entry of `checks:` in a source or a stage.

mod kinds;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use kinds::{
    Accepted, Bound, Columns, Condition, Freshness, NotNull, Pattern, Range, References, RowBounds, Rows, Unique,
};

/// One check. The key that names its kind stands first by custom; `severity` and `on` go with every kind.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct CheckSpec {
    pub kind: CheckKind,
    pub severity: Severity,
    /// The output of the stage that is checked; the first if it is not said.
    pub on: Option<String>,
    /// As it stands in the pipeline.
    written: Value,
}

/// What is checked.
#[derive(Debug, Clone)]
pub enum CheckKind {
    NotNull(NotNull),
    Unique(Unique),
    Range(Range),
    Accepted(Accepted),
    Pattern(Pattern),
    Condition(Condition),
    References(References),
    Freshness(Freshness),
    Rows(Rows),
    Columns(Columns),
}

/// The keys that every kind has.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Common {
    /// What happens when the check fails.
    #[serde(default)]
    severity: Severity,
    /// Of a stage with several outputs: the one that is checked; the first if it is not said.
    #[serde(default)]
    on: Option<String>,
}

/// What happens when a check fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The rows are counted and reported.
    Warn,
    /// The run ends with exit code 65 (66 for a stale table) and nothing is published.
    #[default]
    Error,
    /// The rows are set aside, counted and reported, and the run goes on without them.
    Quarantine,
}

/// What happens with something that need not be wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// It is fine.
    #[default]
    Allow,
    /// It is reported.
    Warn,
    /// The run ends with exit code 65 and nothing is published.
    Error,
}

impl Severity {
    /// The word for it in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Severity::Warn => "warn",
            Severity::Error => "error",
            Severity::Quarantine => "quarantine",
        }
    }
}

impl Tolerance {
    /// The severity of finding it; none where it is allowed.
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Tolerance::Allow => None,
            Tolerance::Warn => Some(Severity::Warn),
            Tolerance::Error => Some(Severity::Error),
        }
    }
}

impl CheckSpec {
    /// A check that nobody wrote: what a contract implies.
    pub fn implied(kind: CheckKind) -> CheckSpec {
        CheckSpec { kind, severity: Severity::Error, on: None, written: Value::Null }
    }

    /// The key that names its kind.
    pub const fn key(&self) -> &'static str {
        match self.kind {
            CheckKind::NotNull(_) => "not_null",
            CheckKind::Unique(_) => "unique",
            CheckKind::Range(_) => "range",
            CheckKind::Accepted(_) => "accepted",
            CheckKind::Pattern(_) => "pattern",
            CheckKind::Condition(_) => "sql",
            CheckKind::References(_) => "references",
            CheckKind::Freshness(_) => "freshness",
            CheckKind::Rows(_) => "rows",
            CheckKind::Columns(_) => "columns",
        }
    }

    /// The table that it compares with, by the name of a source, a stage or `stage.port`.
    pub fn refers_to(&self) -> Option<&str> {
        match &self.kind {
            CheckKind::References(references) => references.table_and_column().map(|(table, _)| table),
            _ => None,
        }
    }
}

impl TryFrom<Value> for CheckSpec {
    type Error = serde_json::Error;

    fn try_from(written: Value) -> Result<Self, Self::Error> {
        let mut own = written.as_object().cloned().unwrap_or_default();
        let names = ["severity", "on"];
        let common = names.iter().filter_map(|name| Some(((*name).to_owned(), own.remove(*name)?))).collect();
        let common: Common = serde_json::from_value(Value::Object(common))?;
        let has = |key: &str| own.contains_key(key);
        let kind = if has("not_null") {
            CheckKind::NotNull(serde_json::from_value(Value::Object(own))?)
        } else if has("unique") {
            CheckKind::Unique(serde_json::from_value(Value::Object(own))?)
        } else if has("range") {
            CheckKind::Range(serde_json::from_value(Value::Object(own))?)
        } else if has("accepted") {
            CheckKind::Accepted(serde_json::from_value(Value::Object(own))?)
        } else if has("pattern") {
            CheckKind::Pattern(serde_json::from_value(Value::Object(own))?)
        } else if has("sql") {
            CheckKind::Condition(serde_json::from_value(Value::Object(own))?)
        } else if has("references") {
            CheckKind::References(serde_json::from_value(Value::Object(own))?)
        } else if has("freshness") {
            CheckKind::Freshness(serde_json::from_value(Value::Object(own))?)
        } else if has("rows") {
            CheckKind::Rows(serde_json::from_value(Value::Object(own))?)
        } else {
            CheckKind::Columns(serde_json::from_value(Value::Object(own))?)
        };
        Ok(CheckSpec { kind, severity: common.severity, on: common.on, written })
    }
}

impl From<CheckSpec> for Value {
    fn from(check: CheckSpec) -> Value {
        check.written
    }
}

impl JsonSchema for CheckSpec {
    fn schema_name() -> Cow<'static, str> {
        "CheckSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let common = Common::json_schema(generator);
        let kinds = [
            NotNull::json_schema(generator),
            Unique::json_schema(generator),
            Range::json_schema(generator),
            Accepted::json_schema(generator),
            Pattern::json_schema(generator),
            Condition::json_schema(generator),
            References::json_schema(generator),
            Freshness::json_schema(generator),
            Rows::json_schema(generator),
            Columns::json_schema(generator),
        ];
        let kinds = kinds.map(|mut kind| {
            let shared = common.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            if let Some(own) = kind.get_mut("properties").and_then(Value::as_object_mut) {
                own.extend(shared);
            }
            kind
        });
        json_schema!({ "description": "One check; the key that only it has names its kind.", "oneOf": kinds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: Value) -> CheckSpec {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_key_names_the_kind_and_the_rest_is_shared() {
        let check = read(serde_json::json!({ "on": "profiles", "rows": { "min": 3 }, "severity": "warn" }));
        assert_eq!((check.key(), check.severity, check.on.as_deref()), ("rows", Severity::Warn, Some("profiles")));
        let check = read(serde_json::json!({ "references": "item", "in": "segments.profiles.item" }));
        assert_eq!(
            (check.key(), check.refers_to(), check.severity),
            ("references", Some("segments.profiles"), Severity::Error)
        );
    }

    #[test]
    fn what_was_written_is_what_is_fingerprinted() {
        let written = serde_json::json!({ "range": "price", "min": 0, "severity": "quarantine" });
        assert_eq!(serde_json::to_value(read(written.clone())).unwrap(), written);
    }

    #[test]
    fn unknown_keys_are_refused() {
        for wrong in [
            serde_json::json!({ "not_null": ["a"], "min": 1 }),
            serde_json::json!({ "sql": "a > 0", "severty": "warn" }),
            serde_json::json!({ "unique": ["a"], "range": "b" }),
        ] {
            assert!(serde_json::from_value::<CheckSpec>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
