//! The tree without its positions, for serde.

use serde_json::Value as Json;
use serde_yaml::Value as Yaml;

use super::node::{Node, Value};

/// The document as a `serde_yaml` value.
pub fn to_value(node: &Node) -> Yaml {
    match &node.value {
        Value::Null => Yaml::Null,
        Value::Bool(value) => Yaml::Bool(*value),
        Value::Int(value) => Yaml::Number((*value).into()),
        Value::Float(value) => Yaml::Number((*value).into()),
        Value::String(text) => Yaml::String(text.text.clone()),
        Value::Sequence(items) => Yaml::Sequence(items.iter().map(to_value).collect()),
        Value::Mapping(entries) => {
            Yaml::Mapping(entries.iter().map(|(key, value)| (to_value(key), to_value(value))).collect())
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
