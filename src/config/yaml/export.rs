//! The tree without its positions: for serde, and as YAML again.

use serde_json::Value as Json;
use serde_yaml::Value as Yaml;

use super::node::{Node, Value};

/// The document as YAML, aliases and variables replaced by what they stand for. What came from a
/// variable of the process may be secret and is left out.
///
/// # Errors
/// What the writer says.
pub fn render(node: &Node) -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(&shown(node))
}

fn shown(node: &Node) -> Yaml {
    match &node.value {
        Value::Null => Yaml::Null,
        Value::Bool(value) => Yaml::Bool(*value),
        Value::Int(value) => Yaml::Number((*value).into()),
        Value::Float(value) => Yaml::Number((*value).into()),
        Value::String(text) if text.from_process => Yaml::String("(from a variable of the process)".to_owned()),
        Value::String(text) => Yaml::String(text.text.clone()),
        Value::Sequence(items) => Yaml::Sequence(items.iter().map(shown).collect()),
        Value::Mapping(entries) => {
            Yaml::Mapping(entries.iter().map(|(key, value)| (shown(key), shown(value))).collect())
        }
    }
}

/// The document as JSON: unlike `serde_yaml`, `serde_json` reads an enum with data from a mapping
/// of one key (`{l2: 1.0}`) rather than from a tag. Numbers that are not finite become null.
pub fn to_json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::String(text) => Json::String(text.text.clone()),
        Value::Sequence(items) => items.iter().map(to_json).collect(),
        Value::Mapping(entries) => {
            entries.iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), to_json(value)))).collect()
        }
    }
}
