//! Charts as inline SVG: each a figure with a caption, and its content in words for who cannot see it.

mod bars;
mod interval;
mod line;
mod scale;

pub use interval::interval;

use maud::{Markup, html};

use super::parts::{self, CELL_MAX};
use crate::metrics::evaluation::{Chart, Curve};
use crate::report::format::clip;

/// Width of every chart's coordinates, about as many pixels on a phone, so that text keeps its size.
const WIDTH: f64 = 360.0;
/// Rows of a small table, and its columns.
const TABLE_ROWS_MAX: usize = 40;
const TABLE_COLUMNS_MAX: usize = 16;

/// One chart as a figure; `id` is unique on the page.
pub fn figure(id: &str, chart: &Chart) -> Markup {
    match chart {
        Chart::Line { title, x, y, points, reference } => {
            let axes = line::Axes { x, y };
            line::figure(id, title, &axes, points, reference)
        }
        Chart::Lines { title, x, y, curves, reference } => {
            let axes = line::Axes { x, y };
            let one = |(place, curve): (usize, &Curve)| {
                let title = format!("{title}: {}", curve.name);
                line::figure(&format!("{id}-{place}"), &title, &axes, &curve.points, reference)
            };
            html! { @for figure in curves.iter().enumerate().map(one) { (figure) } }
        }
        Chart::Grid { title, columns, rows, texts, rows_title, .. } => {
            let head: Vec<String> = std::iter::once(rows_title).chain(columns).cloned().collect();
            let row = |(name, cells): (&String, &Vec<String>)| std::iter::once(name).chain(cells).cloned().collect();
            let rows: Vec<Vec<String>> = rows.iter().zip(texts).map(row).collect();
            table(title, &head, &rows)
        }
        Chart::Bars { title, unit, bars } => bars::figure(id, title, unit, bars),
        Chart::Table { title, columns, rows } => table(title, columns, rows),
    }
}

/// The frame of a drawing: heading, picture with words, caption.
fn frame(id: &str, title: &str, words: &str, height: f64, drawing: &Markup, caption: &str) -> Markup {
    let (name, description) = (format!("{id}-name"), format!("{id}-words"));
    html! {
        figure aria-labelledby=(name) {
            h4 id=(name) { (clip(title, CELL_MAX)) }
            svg.chart role="img" aria-labelledby={ (name) " " (description) }
                viewBox={ "0 0 " (WIDTH) " " (height) } {
                desc id=(description) { (words) }
                (drawing)
            }
            @if !caption.is_empty() { figcaption { (caption) } }
        }
    }
}

/// What stands where there is nothing to draw.
fn nothing(title: &str) -> Markup {
    html! { figure { h4 { (clip(title, CELL_MAX)) } p.soft { "There is nothing to draw." } } }
}

fn table(title: &str, columns: &[String], rows: &[Vec<String>]) -> Markup {
    let title = clip(title, CELL_MAX);
    let numeric = |text: &str| {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        digits * 2 >= text.len() && digits > 0
    };
    // A column of numbers is aligned to the right, its head too.
    let right: Vec<bool> = (0..columns.len())
        .map(|column| rows.iter().filter_map(|row| row.get(column)).all(|cell| numeric(cell)))
        .collect();
    let class = |column: usize| right.get(column).is_some_and(|right| *right).then_some("n");
    html! {
        figure {
            h4 { (title) }
            div.scroll role="region" tabindex="0" aria-label=(title) {
                table {
                    thead {
                        tr {
                            @for (column, name) in columns.iter().take(TABLE_COLUMNS_MAX).enumerate() {
                                th scope="col" class=[class(column)] { (clip(name, CELL_MAX)) }
                            }
                        }
                    }
                    tbody {
                        @for row in rows.iter().take(TABLE_ROWS_MAX) {
                            tr {
                                @for (column, cell) in row.iter().take(TABLE_COLUMNS_MAX).enumerate() {
                                    @if column == 0 {
                                        th scope="row" class=[class(column)] { (clip(cell, CELL_MAX)) }
                                    } @else {
                                        td class=[class(column)] { (clip(cell, CELL_MAX)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            (parts::left_out(rows.len(), TABLE_ROWS_MAX))
        }
    }
}
