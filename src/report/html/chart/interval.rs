//! The measure that decides: model and baseline, each a dot with its interval, on one scale.

use maud::{Markup, html};

use super::WIDTH;
use super::scale::Scale;
use crate::metrics::evaluation::{Better, Estimate, Measure};
use crate::report::format::{clip, number};
use crate::report::html::glossary;

const HEIGHT: f64 = 126.0;
const BASELINE_NAME_MAX: usize = 34;

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
    let (printed, _) = glossary::explain(&measure.name);
    let direction = match measure.better {
        Better::Higher => "further right is better",
        Better::Lower => "further left is better",
    };
    let baseline_name = format!("Baseline: {}", clip(baseline_name, BASELINE_NAME_MAX));
    let (name, description) = (format!("{id}-name"), format!("{id}-words"));
    html! {
        figure aria-labelledby=(name) {
            h4 id=(name) { (printed) ": " (direction) }
            svg.chart role="img" aria-labelledby={ (name) " " (description) } viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } {
                desc id=(description) {
                    "Model " (said(&measure.model)) "; baseline " (said(&baseline)) "."
                }
                (ticks(&scale))
                (row("Model", &measure.model, &scale, 14.0, ("fill", "whisker")))
                (row(&baseline_name, &baseline, &scale, 62.0, ("fill-mute", "whisker-mute")))
            }
        }
    }
}

fn ticks(scale: &Scale) -> Markup {
    let ticks = scale.ticks();
    let longest = ticks.iter().map(|(_, label)| label.chars().count()).max().unwrap_or(1);
    let every = (ticks.len() * (longest + 2)).div_ceil(44);
    html! {
        @for (value, label) in ticks.iter().step_by(every.max(1)) {
            @let place = format!("{:.1}", scale.at(*value));
            line.grid x1=(place) x2=(place) y1="22" y2="48" {}
            line.grid x1=(place) x2=(place) y1="70" y2="104" {}
            text.tick x=(place) y="120" text-anchor="middle" { (label) }
        }
    }
}

fn row(name: &str, estimate: &Estimate, scale: &Scale, top: f64, class: (&str, &str)) -> Markup {
    let middle = top + 22.0;
    html! {
        text x="0" y=(top) { (name) }
        text.strong x=(WIDTH) y=(top) text-anchor="end" { (number(estimate.value)) }
        @if let (Some(low), Some(high)) = (finite(estimate.low), finite(estimate.high)) {
            @let (from, to) = (scale.at(low), scale.at(high));
            line class=(class.1) x1=(format!("{from:.1}")) x2=(format!("{to:.1}")) y1=(middle) y2=(middle) {}
            @for end in [from, to] {
                line class=(class.1) x1=(format!("{end:.1}")) x2=(format!("{end:.1}")) y1=(middle - 5.0) y2=(middle + 5.0) {}
            }
        }
        @if estimate.value.is_finite() {
            circle class=(class.0) cx=(format!("{:.1}", scale.at(estimate.value))) cy=(middle) r="5.5" {}
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
