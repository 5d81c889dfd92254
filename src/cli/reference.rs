//! The reference: a page per stage kind and the JSON schemas, from the doc comments.

use std::fmt::Write;
use std::io;
use std::path::Path;

use schemars::{Schema, schema_for};
use serde_json::{Value, json};

use crate::config::{DatabaseSpecs, PipelineSpec, PseudonymSpec, S3Spec};
use crate::stages::{self, Kind};

/// The first sentence of a kind's documentation.
pub fn first_sentence(kind: &Kind) -> String {
    let text = description((kind.schema)().as_value());
    let text = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    text.split_inclusive(". ").next().unwrap_or_default().trim().to_owned()
}

/// The reference page of a kind, in Markdown.
pub fn page(kind: &Kind) -> String {
    let schema = (kind.schema)();
    let schema = schema.as_value();
    let mut page = String::new();
    let _ = writeln!(page, "# {}\n\n*{}*\n\n{}\n", kind.name, kind.family, description(schema));
    let _ = writeln!(page, "## Parameters (`with:`)\n");
    parameters(&mut page, schema, schema);
    if let Some(definitions) = schema.get("$defs").and_then(Value::as_object) {
        for (name, definition) in definitions.iter().filter(|(_, one)| one.get("properties").is_some()) {
            let _ = writeln!(page, "\n### {name}\n\n{}\n", description(definition));
            parameters(&mut page, definition, schema);
        }
    }
    page
}

/// Writes every page and an index into a directory.
pub fn write_pages(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut index = String::from(
        "# Stage kinds\n\nGenerated from the doc comments by `patronage list --pages`.\n\n| kind | family | what it does |\n|---|---|---|\n",
    );
    for kind in stages::KINDS {
        std::fs::write(directory.join(format!("{}.md", kind.name)), page(kind))?;
        let _ = writeln!(index, "| [{0}]({0}.md) | {1} | {2} |", kind.name, kind.family, first_sentence(kind));
    }
    std::fs::write(directory.join("README.md"), index)
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn parameters(page: &mut String, schema: &Value, root: &Value) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let _ = writeln!(page, "| key | type | default | meaning |\n|---|---|---|---|");
    for (name, property) in properties {
        let default = match property.get("default") {
            _ if required.contains(&name.as_str()) => "required".to_owned(),
            None | Some(Value::Null) => String::new(),
            Some(value) => format!("`{value}`"),
        };
        let mut meaning = description(property).replace("\n\n", " ").replace('\n', " ").replace('|', "\\|");
        if property.get("x-not-yet").and_then(Value::as_bool) == Some(true) {
            meaning.push_str(" *Not available yet.*");
        }
        let _ =
            writeln!(page, "| `{name}` | {} | {default} | {meaning} |", type_of(property, root).replace('|', "\\|"));
    }
}

/// The type of a value in a few words.
fn type_of(schema: &Value, root: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let definition = root.get("$defs").and_then(|definitions| definitions.get(name)).unwrap_or(&Value::Null);
        return if definition.get("properties").is_some() { name.to_owned() } else { type_of(definition, root) };
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(word) = schema.get("const") {
        return format!("`{}`", word.as_str().unwrap_or_default());
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(key).and_then(Value::as_array) {
            let mut names: Vec<String> =
                branches.iter().map(|branch| type_of(branch, root)).filter(|name| name != "null").collect();
            names.dedup();
            return names.join(" or ");
        }
    }
    if schema.get("format").and_then(Value::as_str) == Some("duration") {
        return "length in days".to_owned();
    }
    let of = |name: &str| match name {
        "array" => format!("list of {}", schema.get("items").map(|items| type_of(items, root)).unwrap_or_default()),
        "object" => match schema.get("additionalProperties").filter(|value| value.is_object()) {
            Some(value) => format!("names to {}", type_of(value, root)),
            None => "mapping".to_owned(),
        },
        "integer" => "whole number".to_owned(),
        "string" => "text".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    };
    match schema.get("type") {
        Some(Value::String(name)) => of(name),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .filter(|name| *name != "null")
            .map(of)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    }
}

/// The JSON Schema of pipelines, with the parameters of each kind.
pub fn pipeline_schema() -> Schema {
    let mut schema = schema_for!(PipelineSpec);
    let mut kinds = Vec::new();
    let mut definitions = serde_json::Map::new();
    for kind in stages::KINDS {
        let mut with = (kind.schema)().to_value();
        if let Some(object) = with.as_object_mut() {
            object.remove("$schema");
        }
        let name = format!("with_{}", kind.name);
        relocate(&mut with, &name);
        definitions.insert(name.clone(), with);
        kinds.push(json!({
            "if": { "properties": { "stage": { "const": kind.name } }, "required": ["stage"] },
            "then": { "properties": { "with": { "$ref": format!("#/$defs/{name}") } } },
        }));
    }
    let names: Vec<&str> = stages::KINDS.iter().map(|kind| kind.name).collect();
    if let Some(root) = schema.as_object_mut() {
        root.insert("patternProperties".to_owned(), json!({ "^x-": true }));
        if let Some(known) = root.get_mut("$defs").and_then(Value::as_object_mut) {
            if let Some(stage) = known.get_mut("StageSpec") {
                stage["allOf"] = Value::Array(kinds);
                stage["properties"]["stage"]["enum"] = json!(names);
            }
            known.extend(definitions);
        }
    }
    schema
}

/// Makes `#/$defs/X` of a nested schema point into its own definitions.
fn relocate(value: &mut Value, name: &str) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(rest) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/$defs/{name}/$defs/{rest}");
            }
            object.values_mut().for_each(|one| relocate(one, name));
        }
        Value::Array(items) => items.iter_mut().for_each(|one| relocate(one, name)),
        _ => {}
    }
}

/// The JSON Schema of environments.
pub fn environment_schema() -> Value {
    let mut definitions = serde_json::Map::new();
    let mut block = |mut schema: Value| {
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("$schema");
            let own = schema.remove("$defs");
            definitions.extend(own.as_ref().and_then(Value::as_object).cloned().unwrap_or_default());
        }
        schema
    };
    let pseudonyms = block(schema_for!(PseudonymSpec).to_value());
    let s3 = block(schema_for!(S3Spec).to_value());
    let mut databases = block(schema_for!(DatabaseSpecs).to_value());
    databases["description"] = "The databases that rows are delivered into and read from, by name.".into();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Environment",
        "description": "The values that differ from place to place; a pipeline names them as ${name}.",
        "type": "object",
        "properties": {
            "run_date": {
                "description": "The default of --run-date: YYYY-MM-DD, `today` or `yesterday`.",
                "type": "string",
                "pattern": "^([0-9]{4}-[0-9]{2}-[0-9]{2}|today|yesterday)$"
            },
            "pseudonyms": pseudonyms,
            "s3": s3,
            "databases": databases,
            "artifacts": {
                "description": "Where run artifacts, tables and models are kept; target/patronage by default.",
                "type": "string"
            },
            "keep_runs": {
                "description": "Of how many runs of a pipeline the artifacts are kept; 30 by default.",
                "type": "integer",
                "minimum": 1
            }
        },
        "additionalProperties": { "type": ["string", "number", "boolean"] },
        "$defs": definitions
    })
}
