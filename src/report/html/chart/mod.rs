//! Charts: each a figure with a caption, its content in words for who cannot see it, and its numbers.
//!
//! Charts with axes are drawn by plotters (`canvas`). Grids and tables are tables. The deciding measure
//! (`interval`) is drawn by hand: two dots on one scale are no chart that plotters has.

mod bars;
mod canvas;
mod curves;
mod figures;
mod grid;
mod interval;
mod scale;
mod table;

pub use interval::interval;

use maud::{Markup, PreEscaped, html};

use super::parts::CELL_MAX;
use crate::metrics::evaluation::{Chart, Curve};
use crate::report::format::clip;

/// Width of every chart's coordinates, about as many pixels on a phone, so that text keeps its size.
const WIDTH: f64 = 360.0;

/// A drawing and what belongs to it.
struct Figure {
    /// What is inside of the SVG.
    drawing: String,
    /// In the page's pixels.
    height: f64,
    /// What the drawing shows, for who cannot see it.
    words: String,
    caption: Markup,
    figures: Markup,
}

/// One chart as a figure; `id` is unique on the page.
pub fn figure(id: &str, chart: &Chart) -> Markup {
    match chart {
        Chart::Line { title, x, y, points, reference } => {
            let curve = Curve { name: "the model".to_owned(), points: points.clone() };
            drawing(id, title, curves::figure(&curves::Axes { x, y }, &[curve], reference))
        }
        Chart::Lines { title, x, y, curves, reference } => {
            drawing(id, title, curves::figure(&curves::Axes { x, y }, curves, reference))
        }
        Chart::Bars { title, unit, bars } => drawing(id, title, bars::figure(unit, bars)),
        Chart::Grid { title, rows_title, columns_title, rows, columns, values, texts, center } => {
            grid::Grid { title, rows_title, columns_title, rows, columns, values, texts, center: *center }.figure()
        }
        Chart::Table { title, columns, rows } => table::figure(title, columns, rows),
    }
}

/// The frame of a drawing: heading, picture with words, caption, numbers.
fn drawing(id: &str, title: &str, figure: Option<Figure>) -> Markup {
    let (name, description) = (format!("{id}-name"), format!("{id}-words"));
    let title = clip(title, CELL_MAX);
    let Some(figure) = figure else {
        return html! { figure { h4 { (title) } p.soft { "There is nothing to draw." } } };
    };
    html! {
        figure aria-labelledby=(name) {
            h4 id=(name) { (title) }
            svg.chart.plot role="img" aria-labelledby={ (name) " " (description) }
                viewBox=(canvas::view_box(WIDTH, figure.height)) {
                desc id=(description) { (figure.words) }
                (PreEscaped(figure.drawing))
            }
            figcaption { (figure.caption) }
            (figure.figures)
        }
    }
}
