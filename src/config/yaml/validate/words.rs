//! What messages call things.

use serde_json::Value as Json;

use super::super::node::{Node, Value};
use super::schema::{Kinds, Schema, allowed_words, is_not_yet, parts, required};

/// Characters of a text that a message repeats at most.
const QUOTED_MAX: usize = 40;

/// What stands in the file, for "found …".
pub(super) fn found(node: &Node) -> String {
    match &node.value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Int(value) => format!("the number {value}"),
        Value::Float(value) if value.is_nan() => "`.nan`".to_owned(),
        Value::Float(value) if value.is_infinite() => if *value > 0.0 { "`.inf`" } else { "`-.inf`" }.to_owned(),
        // With `.0`, lest a float be taken for the whole number that was asked for.
        Value::Float(value) => format!("the number {value:?}"),
        Value::String(text) if text.from_process => "a text from `${env.…}`".to_owned(),
        Value::String(text) if text.text.is_empty() => "an empty text".to_owned(),
        Value::String(text) => format!("the text \"{}\"", shortened(&text.text)),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Mapping(_) => "a mapping".to_owned(),
    }
}

fn shortened(text: &str) -> String {
    let line = text.trim_end().split('\n').next().unwrap_or_default();
    let mut short: String = line.chars().take(QUOTED_MAX).collect();
    if short.len() < text.trim_end().len() {
        short.push('…');
    }
    short
}

/// What a schema asks for, for "expected …".
pub(super) fn expected(schema: &Json) -> String {
    if let Some(words) = schema.get("x-expected").and_then(Json::as_str) {
        return words.to_owned();
    }
    let words = available_words(schema);
    if !words.is_empty() {
        return one_of(words.iter().map(String::as_str));
    }
    match schema.get("format").and_then(Json::as_str) {
        Some("duration") => return "a duration such as `90d`".to_owned(),
        Some("date") => return "a date written YYYY-MM-DD".to_owned(),
        Some("name") => return "a snake_case name".to_owned(),
        _ => {}
    }
    let kinds = schema.get("type").map_or(Kinds::ALL, Kinds::named);
    let named: Vec<&str> = [
        (Kinds::STRING, "a text"),
        (Kinds::FLOAT, "a number"),
        (Kinds::INTEGER, "a whole number"),
        (Kinds::BOOL, "`true` or `false`"),
        (Kinds::SEQUENCE, "a list"),
        (Kinds::MAPPING, "a mapping"),
    ]
    .into_iter()
    .filter(|(kind, _)| kinds.contains(*kind))
    .filter(|(kind, _)| *kind != Kinds::INTEGER || !kinds.contains(Kinds::FLOAT))
    .map(|(_, name)| name)
    .collect();
    if named.is_empty() { "nothing".to_owned() } else { named.join(" or ") }
}

/// What any of several shapes ask for.
pub(super) fn expected_any(branches: &[&Json]) -> String {
    let words: Vec<String> = branches.iter().flat_map(|branch| available_words(branch)).collect();
    let mut all = Vec::new();
    if !words.is_empty() {
        all.push(one_of(words.iter().map(String::as_str)));
    }
    let null = |branch: &Json| branch.get("type").is_some_and(|kind| kind == "null");
    for branch in branches {
        let next = expected(branch);
        if allowed_words(branch).is_none() && !null(branch) && !all.contains(&next) {
            all.push(next);
        }
    }
    all.join(" or ")
}

/// The words of `const` and `enum`, without null and what is not available yet.
pub(super) fn available_words(schema: &Json) -> Vec<String> {
    if is_not_yet(schema) {
        return Vec::new();
    }
    let later = |word: &Json| parts(schema, "x-not-yet").any(|listed| listed == word);
    let words = allowed_words(schema).into_iter().flatten();
    words.filter(|word| !word.is_null() && !later(word)).map(word).collect()
}

fn word(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// `` `a` ``, or `` one of `a`, `b` ``.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut seen = Vec::new();
    for word in words {
        let word = format!("`{word}`");
        if !seen.contains(&word) {
            seen.push(word);
        }
    }
    if seen.len() == 1 { seen.concat() } else { format!("one of {}", seen.join(", ")) }
}

/// The word by which a value is chosen: itself, its tag, or the one key that tells it apart.
pub(super) fn label(node: &Node, facets: &[&Json]) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.text.clone()),
        Value::Mapping(entries) => {
            let tag = entries.iter().find_map(|(key, value)| {
                let key = key.as_str()?;
                let tagged = facets.iter().any(|facet| {
                    let property = facet.get("properties").and_then(|all| all.get(key));
                    property.is_some_and(|property| property.get("const").is_some())
                });
                tagged.then(|| value.as_str())?
            });
            let key = || {
                let named = facets.iter().rev().flat_map(|facet| required(facet));
                named.into_iter().find(|key| node.get(key).is_some())
            };
            tag.or_else(key).or_else(|| entries.first()?.0.as_str()).map(str::to_owned)
        }
        Value::Null => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Sequence(_) => Some("this list".to_owned()),
    }
}

impl Schema<'_> {
    /// The first line of a property's documentation, as help.
    pub fn about(self, property: &Json, key: &str) -> Option<String> {
        let text = property.get("description")?.as_str()?;
        let paragraph = text.split("\n\n").next()?.replace('\n', " ");
        Some(format!("`{key}`: {paragraph}"))
    }
}
