//! A curve with its reference: ROC, calibration, gain, inertia by number of clusters.

use maud::{Markup, html};

use super::scale::Scale;
use super::{WIDTH, frame, nothing};
use crate::report::format::{clip, number};

const HEIGHT: f64 = 260.0;
/// Points that are drawn; a longer curve is thinned evenly.
const POINTS_MAX: usize = 240;
const LABEL_MAX: usize = 44;

/// What the axes show.
pub struct Axes<'a> {
    pub x: &'a str,
    pub y: &'a str,
}

pub fn figure(id: &str, title: &str, axes: &Axes, points: &[(f64, f64)], reference: &[(f64, f64)]) -> Markup {
    let curve = thin(points);
    let reference = thin(reference);
    let all = || curve.iter().chain(&reference);
    let scales = (Scale::over(all().map(|point| point.0)), Scale::over(all().map(|point| point.1)));
    let (Some(x), Some(y), false) = (scales.0, scales.1, curve.is_empty()) else {
        return nothing(title);
    };
    let widest = y.ticks().iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
    let left = 14.0 + widest as f64 * 6.6;
    let (x, y) = (x.between(left, WIDTH - 14.0), y.between(HEIGHT - 42.0, 24.0));
    let drawing = html! {
        (grid(axes, &x, &y, left))
        @if reference.len() > 1 { polyline.reference points=(path(&reference, &x, &y)) {} }
        @match curve.as_slice() {
            [only] => circle.fill cx=(coordinate(x.at(only.0))) cy=(coordinate(y.at(only.1))) r="4" {},
            _ => polyline.curve points=(path(&curve, &x, &y)) {},
        }
    };
    let caption = if reference.len() > 1 { "Solid: the model. Dashed: what a useless one would give." } else { "" };
    frame(id, title, &words(axes, &curve), HEIGHT, &drawing, caption)
}

fn grid(axes: &Axes, x: &Scale, y: &Scale, left: f64) -> Markup {
    let (right, bottom) = (WIDTH - 14.0, HEIGHT - 42.0);
    // Long labels leave room for fewer of them.
    let every = |ticks: &[(f64, String)]| {
        let longest = ticks.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
        if longest * ticks.len() > 40 { 2 } else { 1 }
    };
    let across = x.ticks();
    html! {
        text.tick x="0" y="11" { (clip(axes.y, LABEL_MAX)) }
        @for (value, label) in y.ticks() {
            @let height = coordinate(y.at(value));
            line.grid x1=(left) x2=(right) y1=(height) y2=(height) {}
            text.tick x=(left - 6.0) y=(height) dy="4" text-anchor="end" { (label) }
        }
        @for (value, label) in across.iter().step_by(every(&across)) {
            @let place = coordinate(x.at(*value));
            line.axis x1=(place) x2=(place) y1=(bottom) y2=(bottom + 4.0) {}
            text.tick x=(place) y=(bottom + 17.0) text-anchor="middle" { (label) }
        }
        line.axis x1=(left) x2=(right) y1=(bottom) y2=(bottom) {}
        text.tick x=(right) y=(HEIGHT - 6.0) text-anchor="end" { (clip(axes.x, LABEL_MAX)) }
    }
}

/// Ends and extremes, which is what one would read off the drawing.
fn words(axes: &Axes, curve: &[(f64, f64)]) -> String {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else {
        return String::new();
    };
    let low = curve.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = curve.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    format!(
        "{} by {}: from {} at {} to {} at {}; lowest {}, highest {}.",
        clip(axes.y, LABEL_MAX),
        clip(axes.x, LABEL_MAX),
        number(first.1),
        number(first.0),
        number(last.1),
        number(last.0),
        number(low),
        number(high)
    )
}

/// The finite points, evenly thinned, the last one kept.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let finite = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite());
    let finite: Vec<(f64, f64)> = finite.collect();
    let stride = finite.len().div_ceil(POINTS_MAX).max(1);
    let last = finite.len().saturating_sub(1);
    let kept = finite.iter().enumerate().filter(|(place, _)| place % stride == 0 || *place == last);
    kept.map(|(_, point)| *point).collect()
}

fn path(points: &[(f64, f64)], x: &Scale, y: &Scale) -> String {
    let pairs: Vec<String> =
        points.iter().map(|point| format!("{},{}", coordinate(x.at(point.0)), coordinate(y.at(point.1)))).collect();
    pairs.join(" ")
}

/// A tenth of a pixel is as fine as a screen shows.
fn coordinate(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::{POINTS_MAX, thin};

    #[test]
    fn long_curves_keep_their_ends() {
        let points: Vec<(f64, f64)> = (0..100_001).map(|x| (f64::from(x), 0.0)).collect();
        let thinned = thin(&points);
        assert!(thinned.len() <= POINTS_MAX + 1);
        assert_eq!((thinned[0].0, thinned[thinned.len() - 1].0), (0.0, 100_000.0));
        assert_eq!(thin(&[(f64::NAN, 1.0), (1.0, 2.0)]), [(1.0, 2.0)]);
    }
}
