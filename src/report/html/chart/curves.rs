//! Curves with their reference: ROC, precision and recall, gain, calibration, inertia by number of clusters.

use maud::{Markup, html};
use plotters::chart::{ChartBuilder, LabelAreaPosition};
use plotters::element::{Circle, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, TRANSPARENT};

use super::canvas::{self, Area, DrawError, px};
use super::scale::Scale;
use super::{Figure, WIDTH, figures};
use crate::metrics::evaluation::Curve;
use crate::report::format::{clip, number};

const HEIGHT: f64 = 280.0;
const TOP: f64 = 30.0;
const RIGHT: f64 = 8.0;
const BOTTOM: f64 = 24.0;
/// Points that are drawn; a longer curve is thinned evenly.
const POINTS_MAX: usize = 200;
/// So few points are marked one by one.
const MARKED_MAX: usize = 25;
/// As many as there are ways to draw them.
const CURVES_MAX: usize = canvas::SERIES.len();
const LABEL_MAX: usize = 44;

/// What the axes show.
pub struct Axes<'a> {
    pub x: &'a str,
    pub y: &'a str,
}

/// Curves that are ready to be drawn: finite points, thinned, none empty.
struct Curves<'a> {
    axes: &'a Axes<'a>,
    curves: Vec<Curve>,
    reference: Vec<(f64, f64)>,
    x: Scale,
    y: Scale,
}

/// The figure; `None` where there is nothing to draw.
pub fn figure(axes: &Axes<'_>, curves: &[Curve], reference: &[(f64, f64)]) -> Option<Figure> {
    let shown = curves.iter().map(|curve| Curve { name: clip(&curve.name, LABEL_MAX), points: thin(&curve.points) });
    let shown: Vec<Curve> = shown.filter(|curve| !curve.points.is_empty()).collect();
    let total = shown.len();
    let shown: Vec<Curve> = shown.into_iter().take(CURVES_MAX).collect();
    let reference = thin(reference);
    if shown.is_empty() {
        return None;
    }
    let all = || shown.iter().flat_map(|curve| &curve.points).chain(&reference);
    let x = Scale::over(all().map(|point| point.0))?;
    let y = Scale::over(all().map(|point| point.1))?;
    let drawn = Curves { axes, curves: shown, reference, x, y };
    Some(Figure {
        drawing: canvas::draw(WIDTH, HEIGHT, |area| drawn.paint(area))?,
        height: HEIGHT,
        words: drawn.words(),
        caption: drawn.legend(total),
        figures: drawn.figures(),
    })
}

impl Curves<'_> {
    fn paint(&self, area: &Area<'_>) -> Result<(), DrawError> {
        let soft = |across| canvas::text(canvas::SOFT, across, VPos::Top);
        area.draw_text(&clip(self.axes.y, LABEL_MAX), &soft(HPos::Left), (0, px(1.0)))?;
        // Half of the last label stands beyond the axis.
        let longest = self.x.ticks().iter().map(|(_, label)| label.chars().count()).max().unwrap_or(1);
        let right = RIGHT + longest as f64 * 3.5;
        let below = (px(WIDTH - right), px(HEIGHT - 15.0));
        area.draw_text(&clip(self.axes.x, LABEL_MAX), &soft(HPos::Right), below)?;
        let widest = self.y.ticks().iter().map(|(_, label)| label.chars().count()).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(area)
            .margin_top(px(TOP))
            .margin_right(px(right))
            .margin_bottom(px(19.0))
            .x_label_area_size(px(BOTTOM))
            .y_label_area_size(px(12.0 + widest as f64 * 7.0))
            .build_cartesian_2d(self.x, self.y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(canvas::GRID.stroke_width(4))
            .axis_style(canvas::AXIS.stroke_width(4))
            // Long labels leave room for fewer of them.
            .x_labels((36 / (longest + 2)).clamp(2, 11))
            .y_labels(11)
            .set_tick_mark_size(LabelAreaPosition::Bottom, px(5.0))
            .set_tick_mark_size(LabelAreaPosition::Left, px(4.0))
            .x_label_style(soft(HPos::Center))
            .y_label_style(canvas::text(canvas::SOFT, HPos::Right, VPos::Center))
            .draw()?;
        if self.reference.len() > 1 {
            let style = canvas::REFERENCE.stroke_width(6);
            chart.draw_series([PathElement::new(self.reference.clone(), style)])?;
        }
        // The first is the one that matters: it lies on top.
        for (curve, color) in self.curves.iter().zip(canvas::SERIES).rev() {
            chart.draw_series([PathElement::new(curve.points.clone(), color.stroke_width(9))])?;
            if curve.points.len() <= MARKED_MAX {
                chart.draw_series(curve.points.iter().map(|point| Circle::new(*point, px(3.5), dot(color))))?;
            }
        }
        Ok(())
    }

    /// Which line is which; nothing where there is one alone.
    fn legend(&self, total: usize) -> Markup {
        let reference = self.reference.len() > 1;
        html! {
            @if self.curves.len() > 1 || reference {
                ul.legend {
                    @for (place, curve) in self.curves.iter().enumerate() {
                        li { (swatch(&format!("swatch s{}", place + 1))) (curve.name) }
                    }
                    @if reference { li { (swatch("swatch s0")) "for comparison" } }
                }
            }
            @if total > self.curves.len() {
                span { (total - self.curves.len()) " more in report.json." }
            }
        }
    }

    /// Ends and extremes, which is what one would read off the drawing.
    fn words(&self) -> String {
        let axes = format!("{} by {}.", clip(self.axes.y, LABEL_MAX), clip(self.axes.x, LABEL_MAX));
        let curves = self.curves.iter().filter_map(|curve| {
            let (first, last) = (curve.points.first()?, curve.points.last()?);
            let heights = || curve.points.iter().map(|point| point.1);
            Some(format!(
                " {}: from {} at {} to {} at {}; lowest {}, highest {}.",
                curve.name,
                number(first.1),
                number(first.0),
                number(last.1),
                number(last.0),
                number(heights().fold(f64::INFINITY, f64::min)),
                number(heights().fold(f64::NEG_INFINITY, f64::max))
            ))
        });
        axes + &curves.collect::<String>()
    }

    /// The curves read off at a dozen places.
    fn figures(&self) -> Markup {
        let heads: Vec<String> = std::iter::once(self.axes.x.to_owned())
            .chain(
                self.curves
                    .iter()
                    .map(|curve| if self.curves.len() == 1 { self.axes.y.to_owned() } else { curve.name.clone() }),
            )
            .collect();
        let row = |x: f64| -> Vec<String> {
            let read = |curve: &Curve| at(&curve.points, x).map_or_else(|| "–".to_owned(), number);
            std::iter::once(number(x)).chain(self.curves.iter().map(read)).collect()
        };
        let rows: Vec<Vec<String>> = figures::places(&self.curves).into_iter().map(row).collect();
        figures::table(&heads, &rows)
    }
}

fn dot(color: RGBColor) -> plotters::style::ShapeStyle {
    color.filled()
}

fn swatch(class: &str) -> Markup {
    html! { svg class=(class) aria-hidden="true" viewBox="0 0 28 8" { line x1="0" x2="28" y1="4" y2="4" {} } }
}

/// The height of a curve at a place, linearly between its points; of several points there, the last.
fn at(points: &[(f64, f64)], x: f64) -> Option<f64> {
    let next = points.partition_point(|point| point.0 <= x);
    let before = points.get(next.checked_sub(1)?)?;
    match points.get(next) {
        Some(after) if after.0 > before.0 => {
            Some(before.1 + (after.1 - before.1) * (x - before.0) / (after.0 - before.0))
        }
        _ if before.0 == x => Some(before.1),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::{POINTS_MAX, at, thin};

    #[test]
    fn long_curves_keep_their_ends() {
        let points: Vec<(f64, f64)> = (0..100_001).map(|x| (f64::from(x), 0.0)).collect();
        let thinned = thin(&points);
        assert!(thinned.len() <= POINTS_MAX + 1);
        assert_eq!((thinned[0].0, thinned[thinned.len() - 1].0), (0.0, 100_000.0));
        assert_eq!(thin(&[(f64::NAN, 1.0), (1.0, 2.0)]), [(1.0, 2.0)]);
    }

    #[test]
    fn curves_are_read_between_their_points_and_not_beyond() {
        let points = [(0.0, 0.0), (0.0, 0.4), (1.0, 0.6)];
        assert_eq!(at(&points, 0.0), Some(0.4));
        assert_eq!(at(&points, 0.5), Some(0.5));
        assert_eq!(at(&points, 1.0), Some(0.6));
        assert_eq!((at(&points, -0.1), at(&points, 1.1)), (None, None));
    }
}
