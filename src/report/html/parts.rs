//! Small pieces that several sections are made of, and the limits that keep the page small.

use maud::{Markup, html};

use crate::metrics::evaluation::{Estimate, Verdict};
use crate::report::format;

/// Rows of one table on the page; the rest is in report.json.
pub const ROWS_MAX: usize = 150;
/// Bytes of one table: names may be long, and markup in them takes six bytes a letter.
const TABLE_BYTES_MAX: usize = 40_000;
/// Bytes of a list of facts or sentences.
pub const LIST_BYTES_MAX: usize = 12_000;
/// Characters of one cell.
pub const CELL_MAX: usize = 120;
/// Characters of one sentence, such as an error message.
pub const MESSAGE_MAX: usize = 400;

/// A column's head; numbers are aligned to the right.
pub enum Head {
    Text(&'static str),
    Number(&'static str),
}

/// A table that scrolls sideways by itself, by keyboard too, instead of widening the page.
pub fn table(caption: &str, heads: &[Head], rows: &[Markup], total: usize) -> Markup {
    let rows = within(rows, TABLE_BYTES_MAX);
    html! {
        div.scroll role="group" tabindex="0" aria-label=(caption) {
            table {
                caption { (caption) }
                thead {
                    tr {
                        @for head in heads {
                            @match head {
                                Head::Text(name) => th scope="col" { (name) },
                                Head::Number(name) => th.n scope="col" { (name) },
                            }
                        }
                    }
                }
                tbody { @for row in rows { tr { (row) } } }
            }
        }
        (left_out(total, rows.len()))
    }
}

/// As many of the first pieces as fit.
pub fn within(pieces: &[Markup], bytes_max: usize) -> &[Markup] {
    let ends = pieces.iter().scan(0, |bytes, piece| {
        *bytes += piece.0.len();
        Some(*bytes)
    });
    let count = ends.take_while(|bytes| *bytes <= bytes_max).count();
    pieces.get(..count).unwrap_or(pieces)
}

/// How many of `total` rows are not on the page, if any.
pub fn left_out(total: usize, shown: usize) -> Markup {
    let hidden = total.saturating_sub(shown) as u64;
    html! {
        @if hidden > 0 {
            p.small.soft { (format::thousands(hidden)) " more in report.json." }
        }
    }
}

/// Names and values, one a line.
pub fn facts<'a>(facts: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
    let fact = |(name, value): (&str, &str)| {
        html! {
            dt { (capital(&format::clip(name, CELL_MAX))) }
            dd { (format::clip(value, MESSAGE_MAX)) }
        }
    };
    let facts: Vec<Markup> = facts.map(fact).collect();
    let shown = within(&facts, LIST_BYTES_MAX);
    html! {
        dl { @for fact in shown { (fact) } }
        (left_out(facts.len(), shown.len()))
    }
}

/// Sentences, one below the other.
pub fn sentences(sentences: &[Markup]) -> Markup {
    let shown = within(sentences, LIST_BYTES_MAX);
    html! {
        ul { @for sentence in shown { li { (sentence) } } }
        (left_out(sentences.len(), shown.len()))
    }
}

/// A name that may be broken where its parts meet, so that a narrow column can hold it.
pub fn breakable(name: &str) -> Markup {
    html! {
        @for part in name.split_inclusive(['_', '.', '/']) { (part) wbr; }
    }
}

/// A message of at most [`MESSAGE_MAX`] characters, in which names stand between backticks.
pub fn message(text: &str) -> Markup {
    let text = format::clip(text, MESSAGE_MAX);
    let pieces: Vec<&str> = text.split('`').collect();
    // One that is not closed is no name.
    if pieces.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (place, piece) in pieces.iter().enumerate() {
            @if place % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// The text with a capital at its start.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// A value as it is counted or measured: whole numbers have no decimals.
pub fn figure(value: f64) -> String {
    match value.is_finite() && value.fract() == 0.0 && value.abs() < 1e15 {
        true => format::decimal(value, 0),
        false => format::number(value),
    }
}

/// A value with its interval below it.
pub fn estimate(estimate: Option<&Estimate>) -> Markup {
    html! {
        @if let Some(estimate) = estimate {
            (format::number(estimate.value))
            @if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
                span.range { (format::number(low)) " " span { "to " (format::number(high)) } }
            }
        } @else {
            "–"
        }
    }
}

/// The verdict as a sign and words; the color only repeats what they say.
pub fn mark(verdict: Option<Verdict>, words: &str) -> Markup {
    let (class, sign) = match verdict {
        Some(Verdict::Beats) => ("mark good", "▲"),
        Some(Verdict::NotShown) => ("mark doubt", "●"),
        Some(Verdict::Loses) => ("mark bad", "▼"),
        None => ("mark soft", "○"),
    };
    html! { span class=(class) { span aria-hidden="true" { (sign) } " " (words) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let rows: Vec<Markup> = (0..100).map(|row| html! { td { (row) ("\"".repeat(120)) } }).collect();
        let page = table("t", &[Head::Text("h")], &rows, 100).0;
        assert!(page.len() < TABLE_BYTES_MAX + 500);
        assert!(page.contains(&format!("{} more in report.json.", 100 - page.matches("<tr><td").count())));
    }

    #[test]
    fn names_in_messages() {
        assert_eq!(message("`a<` is b").0, "<code>a&lt;</code> is b");
        assert_eq!(message("a `b").0, "a `b");
        assert_eq!(message("`a` `b").0, "`a` `b");
        assert_eq!(message("a").0, "a");
    }

    #[test]
    fn names_break_between_their_parts() {
        assert_eq!(breakable("a_b<").0, "a_<wbr>b&lt;<wbr>");
    }
}
