//! What moved since the run before.

use maud::{Markup, html};

use super::glossary;
use super::parts::{self, CELL_MAX, Head, ROWS_MAX, figure};
use crate::report::content::Change;
use crate::report::format::{clip, decimal, percent};

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
    let (absolute, relative) = difference(change.before, change.now);
    html! {
        th scope="row" { (parts::breakable(&clip(&change.of, CELL_MAX))) }
        td { (clip(&what, CELL_MAX)) }
        td.n { (figure(change.before)) }
        td.n { (figure(change.now)) }
        td.n { (absolute) @if let Some(relative) = relative { span.range { (relative) } } }
    }
}

/// `+0.021`, and in parts of what was before `+2.8 %`, where that is not zero.
fn difference(before: f64, now: f64) -> (String, Option<String>) {
    let difference = now - before;
    if !difference.is_finite() {
        return ("–".to_owned(), None);
    }
    let sign = |value: f64| match value {
        value if value > 0.0 => "+",
        value if value < 0.0 => "−",
        _ => "",
    };
    // As exact as the figures themselves are shown.
    let decimals = |value: f64| figure(value).split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let absolute = decimal(difference.abs(), decimals(before).max(decimals(now)).min(6));
    let relative = difference / before.abs();
    let relative = relative.is_finite().then(|| format!("{}{}", sign(relative), percent(relative.abs())));
    (format!("{}{absolute}", sign(difference)), relative)
}

#[cfg(test)]
mod tests {
    use super::{difference, figure};

    #[test]
    fn counts_stay_counts() {
        assert_eq!(figure(4.0), "4");
        assert_eq!(figure(4_338.0), "4,338");
        assert_eq!(figure(0.762), "0.762");
        let told = |before, now| {
            let (absolute, relative) = difference(before, now);
            (absolute, relative.unwrap_or_default())
        };
        assert_eq!(told(4_300.0, 4_338.0), ("+38".to_owned(), "+0.9 %".to_owned()));
        assert_eq!(told(0.8, 0.61), ("−0.190".to_owned(), "−23.8 %".to_owned()));
        assert_eq!(told(0.0, 3.0), ("+3".to_owned(), String::new()));
        assert_eq!(told(1.0, f64::NAN), ("–".to_owned(), String::new()));
    }
}
