//! The measure that decides: model and baseline, each a dot with its interval, on one scale.

use maud::{Markup, html};

use super::scale::Scale;
use super::{WIDTH, frame};
use crate::metrics::evaluation::{Better, Estimate, Measure};
use crate::report::format::{clip, number};
use crate::report::html::glossary;

const HEIGHT: f64 = 112.0;
const BASELINE_NAME_MAX: usize = 28;

/// The figure; nothing where there is no baseline to stand beside.
pub fn interval(id: &str, measure: &Measure, baseline_name: &str) -> Markup {
    let Some(baseline) = measure.baseline else {
        return html! {};
    };
    let ends = |estimate: &Estimate| {
        [estimate.low.unwrap_or(estimate.value), estimate.value, estimate.high.unwrap_or(estimate.value)]
    };
    let values = ends(&measure.model).into_iter().chain(ends(&baseline));
    let Some(scale) = Scale::over(values) else {
        return html! {};
    };
    let scale = scale.between(18.0, WIDTH - 18.0);
    let (name, _) = glossary::explain(&measure.name);
    let direction = match measure.better {
        Better::Higher => "further right is better",
        Better::Lower => "further left is better",
    };
    let baseline_name = format!("Baseline: {}", clip(baseline_name, BASELINE_NAME_MAX));
    let ticks = scale.ticks();
    let every = if ticks.len() > 6 { 2 } else { 1 };
    let drawing = html! {
        @for (value, label) in ticks.iter().step_by(every) {
            @let place = format!("{:.1}", scale.at(*value));
            line.grid x1=(place) x2=(place) y1="20" y2="44" {}
            line.grid x1=(place) x2=(place) y1="64" y2="92" {}
            text.tick x=(place) y="107" text-anchor="middle" { (label) }
        }
        (row("Model", &measure.model, &scale, 12.0, ("fill", "whisker")))
        (row(&baseline_name, &baseline, &scale, 56.0, ("fill-mute", "whisker-mute")))
    };
    let words = format!("Model {}; baseline {}.", said(&measure.model), said(&baseline));
    frame(id, &format!("{name}: {direction}"), &words, HEIGHT, &drawing, "")
}

fn row(name: &str, estimate: &Estimate, scale: &Scale, top: f64, class: (&str, &str)) -> Markup {
    let middle = top + 20.0;
    html! {
        text x="0" y=(top) { (name) }
        text.strong x=(WIDTH) y=(top) text-anchor="end" { (number(estimate.value)) }
        @if let (Some(low), Some(high)) = (finite(estimate.low), finite(estimate.high)) {
            line class=(class.1) x1=(format!("{:.1}", scale.at(low))) x2=(format!("{:.1}", scale.at(high)))
                y1=(middle) y2=(middle) {}
        }
        @if estimate.value.is_finite() {
            circle class=(class.0) cx=(format!("{:.1}", scale.at(estimate.value))) cy=(middle) r="5" {}
        }
    }
}

fn finite(end: Option<f64>) -> Option<f64> {
    end.filter(|end| end.is_finite())
}

fn said(estimate: &Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => {
            format!("{}, between {} and {}", number(estimate.value), number(low), number(high))
        }
        _ => number(estimate.value),
    }
}
