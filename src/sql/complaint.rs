//! What an engine says when it refuses to plan, in the words of the dialect.

use sqlparser::ast::Visit;
use sqlparser::tokenizer::Location;

use super::names::{culprit, identifiers};
use crate::problem::{Code, Problem};

/// An engine's refusal, without a place; only its first line counts, since what follows can hold values.
pub fn complaint(text: &str) -> Problem {
    Problem::new(Code::SqlInvalid, in_our_words(first_line(text)))
}

/// An engine's refusal, at the column that it names if it names one.
pub fn complaint_at<T: Visit>(text: &str, tree: &T) -> Problem {
    let message = first_line(text);
    let named = identifiers(tree).into_iter().find(|ident| {
        let quoted = [format!("'{}'", ident.value), format!("\"{}\"", ident.value), format!("`{}`", ident.value)];
        quoted.iter().any(|name| message.contains(name))
    });
    let start = match named {
        Some(ident) => ident.span.start,
        None => culprit(tree, message).unwrap_or(Location { line: 1, column: 1 }),
    };
    complaint(text).within((start.line as usize).max(1), (start.column as usize).max(1))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches([':', '.'])
}

/// What polars says most often, with the pipeline's names of types.
fn in_our_words(message: &str) -> String {
    const NAMES: [(&str, &str); 10] = [
        ("datetime[μs]", "datetime"),
        ("str", "string"),
        ("String", "string"),
        ("f64", "float64"),
        ("Float64", "float64"),
        ("i64", "int64"),
        ("Int64", "int64"),
        ("Boolean", "bool"),
        ("Date", "date"),
        ("Datetime", "datetime"),
    ];
    let ours = |word: &str| {
        let bare = word.trim_matches(['`', ',']);
        NAMES.iter().find(|(theirs, _)| *theirs == bare).map_or_else(|| word.to_owned(), |(_, ours)| (*ours).to_owned())
    };
    if let Some(found) = message.strip_prefix("filter predicate must be of type `Boolean`, got ") {
        return format!("expected a condition, found {}", ours(found));
    }
    if message.starts_with("cannot compare string with numeric type") || message.starts_with("cannot compare str value")
    {
        return "text cannot be compared with what is no text".to_owned();
    }
    if let Some((operator, types)) = message.split_once(" not allowed on ")
        && let Some((left, right)) = types.split_once(" and ")
    {
        return format!("`{operator}` is not possible between {} and {}", ours(left), ours(right));
    }
    message.to_owned()
}
