//! Small pieces that several sections are made of, and the limits that keep the page small.

use maud::{Markup, html};

use crate::metrics::evaluation::{Estimate, Verdict};
use crate::report::format;

/// Rows of one table on the page; the rest is in report.json.
pub const ROWS_MAX: usize = 150;
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
    html! {
        div.scroll role="region" tabindex="0" aria-label=(caption) {
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
    html! {
        dl {
            @for (name, value) in facts.take(ROWS_MAX) {
                dt { (format::clip(name, CELL_MAX)) }
                dd { (format::clip(value, MESSAGE_MAX)) }
            }
        }
    }
}

/// The text with a capital at its start.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
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
