//! A distribution as small as a word.

use maud::{Markup, html};

use super::parts::figure;
use crate::metrics::profile::Shape;
use crate::report::format::{clip, percent};

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 26.0;
/// A bar that has anything in it is at least so high, so that it is seen.
const BAR_MIN: f64 = 1.5;
const LEVELS_MAX: usize = 20;
const NAMED_MAX: usize = 2;
const NAME_MAX: usize = 24;

/// The picture and, below it, the ends of numbers or the commonest levels.
pub fn cell(shape: &Shape) -> Markup {
    match shape {
        Shape::Number { edges, counts, .. } => {
            let (Some(low), Some(high)) = (edges.first(), edges.last()) else { return html! { "–" } };
            let words = format!("{} to {}", figure(*low), figure(*high));
            html! { (bars(&steps(edges, counts), &words)) span.range { (words) } }
        }
        Shape::Category { levels, .. } if levels.is_empty() => html! { span.soft { "no common level" } },
        Shape::Category { levels, other } => {
            let all = (levels.iter().map(|(_, count)| count).sum::<u64>() + other).max(1) as f64;
            let named = levels.iter().take(NAMED_MAX);
            let words: Vec<String> = named
                .map(|(name, count)| format!("{} {}", clip(name, NAME_MAX), percent(*count as f64 / all)))
                .collect();
            let words = words.join(", ");
            let heights = levels.iter().take(LEVELS_MAX).map(|(_, count)| *count as f64);
            // Levels stand apart: they are no scale.
            let bars_of: Vec<Bar> = heights
                .enumerate()
                .map(|(place, height)| Bar { left: place as f64, right: place as f64 + 0.7, height })
                .collect();
            html! { (bars(&bars_of, &words)) span.range { (words) } }
        }
        Shape::None => html! { span.soft { "not described" } },
    }
}

struct Bar {
    left: f64,
    right: f64,
    height: f64,
}

/// The bars of a histogram: as high as values are dense, so that a wide bar does not look fuller than it is.
fn steps(edges: &[f64], counts: &[u64]) -> Vec<Bar> {
    let widths: Vec<f64> =
        edges.windows(2).map(|pair| pair.last().unwrap_or(&0.0) - pair.first().unwrap_or(&0.0)).collect();
    let sound = widths.iter().all(|width| width.is_finite() && *width > 0.0);
    let bars = edges.iter().zip(edges.iter().skip(1)).zip(counts).enumerate();
    let bar = |(place, ((left, right), count)): (usize, ((&f64, &f64), &u64))| match sound {
        true => Bar { left: *left, right: *right, height: *count as f64 / (right - left) },
        false => Bar { left: place as f64, right: place as f64 + 1.0, height: *count as f64 },
    };
    bars.map(bar).collect()
}

fn bars(bars: &[Bar], words: &str) -> Markup {
    let low = bars.first().map_or(0.0, |bar| bar.left);
    let wide = bars.last().map_or(1.0, |bar| bar.right) - low;
    let high = bars.iter().map(|bar| bar.height).fold(0.0, f64::max);
    let path: String = bars.iter().filter_map(|bar| path(bar, low, wide, high)).collect();
    html! {
        svg.spark role="img" aria-label={ "Distribution: " (words) } viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } {
            path d=(path) {}
        }
    }
}

/// `None` for an empty bar.
fn path(bar: &Bar, low: f64, wide: f64, high: f64) -> Option<String> {
    let at = |value: f64| (value - low) / wide * WIDTH;
    let (left, right) = (at(bar.left), at(bar.right));
    let height = (bar.height / high * HEIGHT).max(BAR_MIN);
    let sound = bar.height > 0.0 && left.is_finite() && right.is_finite() && height.is_finite();
    // A hair between bars, if there is room for one.
    let width = (right - left - 0.6).max(0.4);
    sound.then(|| format!("M{left:.1} {HEIGHT}v-{height:.1}h{width:.1}V{HEIGHT}z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_densities() {
        let shape = Shape::Number {
            edges: vec![0.0, 1.0, 3.0],
            counts: vec![10, 10],
            mean: 1.0,
            median: 1.0,
            quantiles: vec![],
        };
        let drawn = cell(&shape).into_string();
        // The second bar is twice as wide and so half as high.
        assert!(drawn.contains("M0.0 26v-26.0h39.4V26zM40.0 26v-13.0h79.4V26z"), "{drawn}");
        assert!(drawn.contains(r#"aria-label="Distribution: 0 to 3""#), "{drawn}");
    }

    #[test]
    fn what_cannot_be_drawn_is_not() {
        let infinite = Shape::Number {
            edges: vec![0.0, f64::INFINITY],
            counts: vec![3],
            mean: 0.0,
            median: 0.0,
            quantiles: vec![],
        };
        for shape in [infinite, Shape::Category { levels: vec![], other: 0 }, Shape::None] {
            let drawn = cell(&shape).into_string();
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }
}
