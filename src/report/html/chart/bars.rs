//! Named bars, lying, so that long names fit; to the left of the zero line where negative.

use maud::{Markup, html};

use super::scale::Scale;
use super::{WIDTH, frame, nothing};
use crate::report::format::{clip, number};

const BARS_MAX: usize = 30;
/// Each bar stands below its name.
const ROW_HEIGHT: f64 = 34.0;
const NAME_MAX: usize = 48;

pub fn figure(id: &str, title: &str, unit: &str, bars: &[(String, f64)]) -> Markup {
    let finite: Vec<&(String, f64)> = bars.iter().filter(|(_, value)| value.is_finite()).collect();
    let shown: Vec<&(String, f64)> = finite.iter().copied().take(BARS_MAX).collect();
    let values = shown.iter().map(|(_, value)| *value).chain([0.0]);
    let (Some(scale), false) = (Scale::over(values), shown.is_empty()) else {
        return nothing(title);
    };
    let scale = scale.between(0.0, WIDTH);
    let zero = scale.at(0.0);
    let height = shown.len() as f64 * ROW_HEIGHT;
    let drawing = html! {
        @for (row, (name, value)) in shown.iter().enumerate() {
            @let top = row as f64 * ROW_HEIGHT;
            @let end = scale.at(*value);
            text x="0" y=(top + 12.0) { (clip(name, NAME_MAX)) }
            text.strong x=(WIDTH) y=(top + 12.0) text-anchor="end" { (number(*value)) }
            rect.fill x=(format!("{:.1}", end.min(zero))) y=(top + 17.0)
                width=(format!("{:.1}", (end - zero).abs().max(1.0))) height="10" {}
            line.axis x1=(format!("{zero:.1}")) x2=(format!("{zero:.1}")) y1=(top + 15.0) y2=(top + 29.0) {}
        }
    };
    let words: Vec<String> =
        shown.iter().map(|(name, value)| format!("{} {}", clip(name, NAME_MAX), number(*value))).collect();
    frame(id, title, &format!("{}.", words.join("; ")), height, &drawing, &caption(unit, bars.len(), shown.len()))
}

fn caption(unit: &str, total: usize, shown: usize) -> String {
    let mut parts = vec![];
    if !unit.is_empty() {
        parts.push(format!("In {}.", clip(unit, NAME_MAX)));
    }
    if total > shown {
        parts.push(format!("{} more in report.json.", total - shown));
    }
    parts.join(" ")
}
