//! Checks of one value that is neither a list nor a mapping.

use regex::Regex;
use serde_json::Value as Json;

use super::super::node::{Node, Value};
use super::schema::{Kinds, allowed_words, equals};
use super::words::{available_words, expected, found, one_of};
use crate::problem::{Code, Problem};

/// A value of a type that the schema does not take.
pub(super) fn mismatch(node: &Node, schema: &Json) -> Problem {
    let format = schema.get("format").and_then(Json::as_str);
    let temporal = matches!(format, Some("duration" | "date"));
    let code = if temporal { Code::BadDuration } else { Code::WrongType };
    let message = format!("expected {}, found {}", expected(schema), found(node));
    let problem = Problem::new(code, message);
    let wants = |kind| schema.get("type").is_some_and(|named| Kinds::named(named).contains(kind));
    match &node.value {
        Value::Int(days) if format == Some("duration") && *days > 0 => {
            problem.help(format!("write `{days}d` for {days} days"))
        }
        Value::Int(_) | Value::Float(_) | Value::Bool(_) if wants(Kinds::STRING) && !temporal => {
            problem.help("put it in quotes to make it a text")
        }
        Value::String(text) if !text.from_process => {
            let meaning = super::super::scalar::resolve(&text.text);
            let quoted = matches!(
                (meaning, wants(Kinds::INTEGER), wants(Kinds::FLOAT), wants(Kinds::BOOL)),
                (super::super::scalar::Plain::Int(_), true, ..)
                    | (super::super::scalar::Plain::Float(_), _, true, _)
                    | (super::super::scalar::Plain::Bool(_), .., true)
            );
            let bool_of_old =
                wants(Kinds::BOOL) && ["yes", "no", "on", "off"].contains(&text.text.to_lowercase().as_str());
            match (quoted, bool_of_old) {
                (true, _) => problem.help("remove the quotes"),
                (_, true) => problem.help("YAML 1.2 knows `true` and `false` only"),
                _ => problem,
            }
        }
        _ => problem,
    }
}

/// A value that is none of those listed by `enum` or `const`.
pub(super) fn wrong_word(node: &Node, facets: &[&Json]) -> Option<Problem> {
    let refused = |facet: &&&Json| allowed_words(facet).is_some_and(|mut words| !words.any(|word| equals(node, word)));
    let facet = facets.iter().find(refused)?;
    let mut problem = not_among(node, &available_words(facet));
    // Where a word is but one way to write it, the schema says what else may stand here.
    if let Some(expected) = facets.iter().find_map(|facet| facet.get("x-expected")?.as_str()) {
        problem.message = format!("expected {expected}, found {}", found(node));
    }
    Some(problem)
}

/// A value that is none of these words.
pub(super) fn not_among(node: &Node, words: &[String]) -> Problem {
    let message = format!("expected {}, found {}", one_of(words.iter().map(String::as_str)), found(node));
    match &node.value {
        Value::String(text) => {
            Problem::new(Code::BadValue, message).nearest(&text.text, words.iter().map(String::as_str))
        }
        _ => Problem::new(Code::WrongType, message),
    }
}

/// What is wrong with a value of the right type.
pub(super) fn problem(node: &Node, schema: &Json) -> Option<Problem> {
    match &node.value {
        Value::Int(value) => integer_range(*value, schema).or_else(|| range(node, schema)),
        Value::Float(value) if !value.is_finite() && schema.get("type").is_some() => {
            let message = format!("expected a finite number, found {}", found(node));
            Some(Problem::new(Code::BadValue, message))
        }
        Value::Float(_) => range(node, schema),
        Value::String(text) => string(node, &text.text, schema),
        _ => None,
    }
}

/// The limits of the machine's integers, which `schemars` gives as a format.
fn integer_range(value: i64, schema: &Json) -> Option<Problem> {
    let (low, high) = match schema.get("format")?.as_str()? {
        "int8" => (i64::from(i8::MIN), i64::from(i8::MAX)),
        "int16" => (i64::from(i16::MIN), i64::from(i16::MAX)),
        "int32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        "uint8" => (0, i64::from(u8::MAX)),
        "uint16" => (0, i64::from(u16::MAX)),
        "uint32" => (0, i64::from(u32::MAX)),
        "uint64" | "uint" => (0, i64::MAX),
        _ => return None,
    };
    // The schema's own limits are tighter, and say more.
    let below = schema.get("minimum").is_none() && value < low;
    let limit = match () {
        () if below => format!("at least {low}"),
        () if value > high => format!("at most {high}"),
        () => return None,
    };
    let message = format!("expected {limit}, found the number {value}");
    Some(Problem::new(Code::BadValue, message))
}

fn range(node: &Node, schema: &Json) -> Option<Problem> {
    let value = match node.value {
        Value::Float(value) => value,
        #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
        Value::Int(value) => value as f64,
        _ => return None,
    };
    let limit = |keyword: &str| schema.get(keyword).and_then(Json::as_f64);
    let limits = [
        ("at least", limit("minimum"), limit("minimum").is_none_or(|low| value >= low)),
        ("above", limit("exclusiveMinimum"), limit("exclusiveMinimum").is_none_or(|low| value > low)),
        ("at most", limit("maximum"), limit("maximum").is_none_or(|high| value <= high)),
        ("below", limit("exclusiveMaximum"), limit("exclusiveMaximum").is_none_or(|high| value < high)),
    ];
    if limits.iter().all(|(.., kept)| *kept) {
        return None;
    }
    let words: Vec<String> =
        limits.iter().filter_map(|(word, limit, _)| Some(format!("{word} {}", (*limit)?))).collect();
    let message = format!("expected {}, found {}", words.join(" and "), found(node));
    Some(Problem::new(Code::BadValue, message))
}

fn string(node: &Node, text: &str, schema: &Json) -> Option<Problem> {
    let bad = |code, expected: String| Some(Problem::new(code, format!("expected {expected}, found {}", found(node))));
    match schema.get("format").and_then(Json::as_str) {
        Some("duration") if !is_duration(text) => {
            let help = "a positive whole number and a unit: `d` days, `w` weeks";
            return bad(Code::BadDuration, expected(schema)).map(|problem| problem.help(help));
        }
        Some("date") if !is_date(text) => return bad(Code::BadDuration, expected(schema)),
        Some("name") if !is_name(text) => {
            let help = "a lowercase letter, then lowercase letters, digits and `_`";
            return bad(Code::BadName, expected(schema)).map(|problem| problem.help(help));
        }
        _ => {}
    }
    let length = text.chars().count();
    let limit = |keyword: &str| schema.get(keyword).and_then(Json::as_u64);
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    match (limit("minLength"), limit("maxLength")) {
        (Some(low), _) if (length as u64) < low => {
            let asked = format!("a text of at least {low} character{}", plural(low));
            return bad(Code::BadValue, asked);
        }
        (_, Some(high)) if (length as u64) > high => {
            let asked = format!("a text of at most {high} character{}", plural(high));
            return bad(Code::BadValue, asked);
        }
        _ => {}
    }
    let pattern = schema.get("pattern")?.as_str()?;
    // A pattern that is none is our mistake, found by the tests of the schemas, not the user's.
    if Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text)) {
        let words = schema.get("x-expected").and_then(Json::as_str).map(str::to_owned);
        let problem = bad(Code::BadValue, words.unwrap_or(format!("a text of the form `{pattern}`")))?;
        let meant = schema.get("x-suggest").and_then(|words| words.get(text.to_lowercase())).and_then(Json::as_str);
        return Some(match meant {
            Some(meant) => problem.help(format!("did you mean `{meant}`?")),
            None => problem,
        });
    }
    None
}

/// A positive whole number and `d` or `w`.
fn is_duration(text: &str) -> bool {
    let number = text.strip_suffix(['d', 'w']).unwrap_or_default();
    number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u32>().is_ok_and(|number| number > 0)
}

fn is_date(text: &str) -> bool {
    let digits = |byte: u8| byte.is_ascii_digit() || byte == b'-';
    text.len() == 10 && text.bytes().all(digits) && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
