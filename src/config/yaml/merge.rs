//! Mappings from their children: keys checked, merge keys (`<<`) resolved.

use std::collections::{HashMap, HashSet};

use super::node::{Mark, Node, Style, Value};
use super::parse::ParseFailure;
use crate::problem::Code;

/// Pairs up keys and values. A key of the mapping itself wins over a merged one, and of merged
/// ones the first; what is merged takes the place of the `<<`.
pub(super) fn mapping(children: impl Iterator<Item = Node>, failures: &mut Vec<ParseFailure>) -> Vec<(Node, Node)> {
    let pairs = pairs(children, failures);
    if !pairs.iter().any(|(key, _)| is_merge(key)) {
        return pairs;
    }
    let mut seen: HashSet<&str> =
        pairs.iter().filter(|(key, _)| !is_merge(key)).filter_map(|(key, _)| key.as_str()).collect();
    let mut merged: Vec<(Node, Node)> = Vec::with_capacity(pairs.len());
    for (key, value) in &pairs {
        if !is_merge(key) {
            merged.push((key.clone(), value.clone()));
            continue;
        }
        for (key, value) in merged_entries(value, failures) {
            if seen.insert(key.as_str().unwrap_or_default()) {
                merged.push((key.clone(), value.clone()));
            }
        }
    }
    merged
}

fn pairs(mut children: impl Iterator<Item = Node>, failures: &mut Vec<ParseFailure>) -> Vec<(Node, Node)> {
    // A quoted `<<` is a key like any other, beside a merge key.
    let mut first: HashMap<(String, bool), Mark> = HashMap::new();
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        let Some(name) = key.as_str() else {
            failures.push(not_text(&key));
            continue;
        };
        let id = (name.to_owned(), is_merge(&key));
        if let Some(earlier) = first.get(&id) {
            let message = format!("the key `{name}` is given twice");
            let failure = ParseFailure::new(key.start, Code::DuplicateKey, message);
            failures.push(failure.help(format!("it is first given on line {}", earlier.line)));
            continue;
        }
        first.insert(id, key.start);
        pairs.push((key, value));
    }
    pairs
}

fn not_text(key: &Node) -> ParseFailure {
    let (found, help) = match &key.value {
        Value::Mapping(_) | Value::Sequence(_) => {
            ("found a value in brackets".to_owned(), "text with `${…}` or `{…}` needs quotes")
        }
        Value::Null => ("found nothing before the colon".to_owned(), "write `\"\"` or `\"null\"`"),
        Value::Bool(value) => (format!("found `{value}`"), "put it in quotes"),
        Value::Int(value) => (format!("found the number {value}"), "put it in quotes"),
        Value::Float(value) => (format!("found the number {value}"), "put it in quotes"),
        Value::String(text) => (format!("found `{}`", text.text), "put it in quotes"),
    };
    let message = format!("a key must be a text; {found}");
    ParseFailure::new(key.start, Code::WrongType, message).help(help)
}

fn is_merge(key: &Node) -> bool {
    matches!(&key.value, Value::String(text) if text.text == "<<" && text.style == Style::Plain)
}

fn merged_entries<'n>(value: &'n Node, failures: &mut Vec<ParseFailure>) -> Vec<&'n (Node, Node)> {
    let sources = match &value.value {
        Value::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    for source in sources {
        if !matches!(source.value, Value::Mapping(_)) {
            let message = "`<<` merges a mapping or a list of mappings, such as `<<: *defaults`";
            failures.push(ParseFailure::new(source.start, Code::WrongType, message));
        }
    }
    sources.iter().flat_map(Node::entries).collect()
}
