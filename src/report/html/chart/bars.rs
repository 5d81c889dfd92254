//! Named bars: standing where the names are as short as numbers, else lying, each below its name.

use maud::{Markup, html};
use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Rectangle};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{self, Area, DrawError, px};
use super::scale::Scale;
use super::{Figure, WIDTH};
use crate::report::format::clip;
use crate::report::html::parts;

const BARS_MAX: usize = 30;
/// Each bar stands below its name.
const ROW_HEIGHT: f64 = 40.0;
const NAME_MAX: usize = 40;
const COLUMNS_HEIGHT: f64 = 240.0;
/// So many columns fit beside each other with their values on top, if no name is longer than so many letters.
const COLUMNS_MAX: usize = 10;
const COLUMN_NAME_MAX: usize = 4;

type Bar = (String, f64);

/// The figure; `None` where there is nothing to draw.
pub fn figure(unit: &str, bars: &[Bar]) -> Option<Figure> {
    let finite = || bars.iter().filter(|(_, value)| value.is_finite());
    let shown: Vec<Bar> = finite().take(BARS_MAX).map(|(name, value)| (clip(name, NAME_MAX), *value)).collect();
    if shown.is_empty() {
        return None;
    }
    let scale = Scale::over(shown.iter().map(|(_, value)| *value).chain([0.0]))?;
    let short = shown.len() <= COLUMNS_MAX && shown.iter().all(|(name, _)| name.chars().count() <= COLUMN_NAME_MAX);
    let height = if short { COLUMNS_HEIGHT } else { shown.len() as f64 * ROW_HEIGHT };
    let paint = |area: &Area<'_>| if short { standing(area, &shown, scale) } else { lying(area, &shown, scale) };
    let words: Vec<String> = shown.iter().map(|(name, value)| format!("{name} {}", parts::figure(*value))).collect();
    Some(Figure {
        drawing: canvas::draw(WIDTH, height, paint)?,
        height,
        words: format!("{}.", words.join("; ")),
        caption: caption(unit, bars.len(), finite().count(), shown.len()),
        // The drawing says every value.
        figures: html! {},
    })
}

fn lying(area: &Area<'_>, bars: &[Bar], scale: Scale) -> Result<(), DrawError> {
    let rows = bars.len() as f64;
    // Upside down: the first is on top.
    let chart = ChartBuilder::on(area).build_cartesian_2d(scale, rows..0.0)?;
    let plane = chart.plotting_area();
    let name = canvas::text(canvas::INK, HPos::Left, VPos::Top);
    let reached = canvas::text(canvas::INK, HPos::Right, VPos::Top);
    for (row, (label, value)) in bars.iter().enumerate() {
        let top = row as f64;
        let (left, right) = (0_f64.min(*value), 0_f64.max(*value));
        plane.draw(&Rectangle::new([(left, top + 0.52), (right, top + 0.8)], canvas::SERIES[0].filled()))?;
        plane.draw(&PathElement::new(vec![(0.0, top + 0.47), (0.0, top + 0.85)], canvas::AXIS.stroke_width(4)))?;
        let height = px(top * ROW_HEIGHT + 2.0);
        area.draw_text(label, &name, (0, height))?;
        area.draw_text(&parts::figure(*value), &reached, (px(WIDTH), height))?;
    }
    Ok(())
}

fn standing(area: &Area<'_>, bars: &[Bar], scale: Scale) -> Result<(), DrawError> {
    let columns = bars.len() as f64;
    let chart =
        ChartBuilder::on(area).margin_top(px(20.0)).margin_bottom(px(22.0)).build_cartesian_2d(0.0..columns, scale)?;
    let plane = chart.plotting_area();
    let name = canvas::text(canvas::SOFT, HPos::Center, VPos::Bottom);
    let reached = canvas::text(canvas::INK, HPos::Center, VPos::Bottom);
    for (column, (label, value)) in bars.iter().enumerate() {
        let left = column as f64;
        plane.draw(&Rectangle::new([(left + 0.14, 0.0), (left + 0.86, *value)], canvas::SERIES[0].filled()))?;
        let (across, top) = plane.map_coordinate(&(left + 0.5, value.max(0.0)));
        area.draw_text(&short_number(*value), &reached, (across, top - px(3.0)))?;
        area.draw_text(label, &name, (across, px(COLUMNS_HEIGHT - 4.0)))?;
    }
    plane.draw(&PathElement::new(vec![(0.0, 0.0), (columns, 0.0)], canvas::AXIS.stroke_width(4)))
}

/// Three digits, which is what fits over a column.
fn short_number(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.1}M", value / 1e6),
        size if size >= 1e4 => format!("{:.0}k", value / 1e3),
        size if size >= 1e3 => format!("{:.1}k", value / 1e3),
        size if size >= 99.5 => format!("{value:.0}"),
        size if size >= 9.95 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn caption(unit: &str, total: usize, finite: usize, shown: usize) -> Markup {
    html! {
        @if !unit.is_empty() { (parts::capital(&clip(unit, NAME_MAX))) ". " }
        @if total > finite { (total - finite) " not a number. " }
        @if finite > shown { (finite - shown) " more in report.json." }
    }
}

#[cfg(test)]
mod tests {
    use super::{figure, short_number};

    #[test]
    fn values_fit_over_columns() {
        let cases = [
            (2.345, "2.35"),
            (-0.5, "-0.50"),
            (12.34, "12.3"),
            (432.1, "432"),
            (1_234.0, "1.2k"),
            (43_210.0, "43k"),
            (2.5e6, "2.5M"),
        ];
        for (value, text) in cases {
            assert_eq!(short_number(value), text);
        }
    }

    #[test]
    fn what_is_no_number_is_counted() {
        let drawn = figure("rows", &[("a".to_owned(), f64::NAN), ("b".to_owned(), 2.0)]).unwrap();
        assert!(drawn.caption.into_string().contains("1 not a number."));
        assert_eq!(drawn.words, "b 2.");
        assert!(figure("rows", &[("a".to_owned(), f64::INFINITY)]).is_none());
    }
}
