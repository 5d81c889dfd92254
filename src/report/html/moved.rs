//! What moved since the run before.

use maud::{Markup, html};

use super::glossary;
use super::parts::{self, CELL_MAX, Head, ROWS_MAX};
use crate::report::content::Change;
use crate::report::format::{clip, decimal, number, percent};

/// So many are shown at once; the others are folded up.
const SHOWN: usize = 8;

pub fn section(changes: &[Change]) -> Markup {
    let rows: Vec<Markup> = changes.iter().take(ROWS_MAX).map(row).collect();
    let heads =
        [Head::Text("Of"), Head::Text("What"), Head::Number("Before"), Head::Number("Now"), Head::Number("Change")];
    let (first, others) = rows.split_at(rows.len().min(SHOWN));
    html! {
        @if let Some(one) = changes.first() {
            h3.after { "What moved since the run of " time datetime=(one.since) { (one.since) } }
            (parts::table("Figures that differ from the run before", &heads, first, first.len()))
            @if !others.is_empty() {
                details {
                    summary { (others.len()) " more that moved" }
                    (parts::table("Other figures that differ", &heads, others, changes.len() - first.len()))
                }
            }
        }
    }
}

fn row(change: &Change) -> Markup {
    let (what, _) = glossary::explain(&change.measure);
    html! {
        th scope="row" { (parts::breakable(&clip(&change.of, CELL_MAX))) }
        td { (clip(&what, CELL_MAX)) }
        td.n { (figure(change.before)) }
        td.n { (figure(change.now)) }
        td.n { (difference(change.before, change.now)) }
    }
}

/// Whole numbers are counts.
fn figure(value: f64) -> String {
    if value.is_finite() && value.fract() == 0.0 && value.abs() < 1e15 { decimal(value, 0) } else { number(value) }
}

/// `+0.021 (+2.8 %)`: signed, and in parts of what was before where that is not zero.
fn difference(before: f64, now: f64) -> String {
    let difference = now - before;
    if !difference.is_finite() {
        return "–".to_owned();
    }
    let sign = |value: f64| match value {
        value if value > 0.0 => "+",
        value if value < 0.0 => "−",
        _ => "",
    };
    let absolute = if before.fract() == 0.0 && now.fract() == 0.0 { figure(difference.abs()) } else { number(difference.abs()) };
    let relative = difference / before.abs();
    let relative = match relative.is_finite() {
        true => format!(" ({}{})", sign(relative), percent(relative.abs())),
        false => String::new(),
    };
    format!("{}{absolute}{relative}", sign(difference))
}

#[cfg(test)]
mod tests {
    use super::{difference, figure};

    #[test]
    fn counts_stay_counts() {
        assert_eq!(figure(4.0), "4");
        assert_eq!(figure(4_338.0), "4,338");
        assert_eq!(figure(0.762), "0.762");
        assert_eq!(difference(4_300.0, 4_338.0), "+38 (+0.9 %)");
        assert_eq!(difference(0.8, 0.6), "−0.200 (−25.0 %)");
        assert_eq!(difference(0.0, 3.0), "+3");
        assert_eq!(difference(1.0, f64::NAN), "–");
    }
}
