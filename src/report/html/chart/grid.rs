//! A grid of shaded cells, as a table: a table is read aloud, scrolled and wrapped, which no drawing is.

use maud::{Markup, html};

use crate::report::format::clip;
use crate::report::html::parts::{self, CELL_MAX};

const ROWS_MAX: usize = 40;
const COLUMNS_MAX: usize = 24;
/// A grid of so few columns stands beside another chart.
const COLUMNS_NARROW_MAX: usize = 3;
/// The part of the color in the deepest shade, in percent; text stays readable on it.
const SHADE_MAX: f64 = 38.0;
/// From this part of the deepest shade on a cell has a sign too.
const SIGN_FROM: f64 = 0.5;

/// What is shown.
pub struct Grid<'a> {
    pub title: &'a str,
    pub rows_title: &'a str,
    pub columns_title: &'a str,
    pub rows: &'a [String],
    pub columns: &'a [String],
    pub values: &'a [Vec<f64>],
    pub texts: &'a [Vec<String>],
    pub center: Option<f64>,
}

impl Grid<'_> {
    pub fn figure(&self) -> Markup {
        let title = clip(self.title, CELL_MAX);
        let rows: Vec<Markup> =
            self.rows.iter().enumerate().take(ROWS_MAX).map(|(place, name)| self.row(place, name)).collect();
        html! {
            figure.wide[self.columns.len() > COLUMNS_NARROW_MAX] {
                h4 { (title) }
                div.scroll role="group" tabindex="0" aria-label=(title) {
                    table.shaded {
                        thead {
                            tr {
                                th scope="col" {
                                    (clip(self.rows_title, CELL_MAX))
                                    @if !self.columns_title.is_empty() { " \\ " (clip(self.columns_title, CELL_MAX)) }
                                }
                                @for column in self.columns.iter().take(COLUMNS_MAX) {
                                    th.n scope="col" { (parts::breakable(&clip(column, CELL_MAX))) }
                                }
                            }
                        }
                        tbody { @for row in rows { (row) } }
                    }
                }
                figcaption { (self.legend()) }
                (parts::left_out(self.rows.len(), ROWS_MAX))
            }
        }
    }

    fn row(&self, place: usize, name: &str) -> Markup {
        let texts = self.texts.get(place).map_or(&[][..], Vec::as_slice);
        let values = self.values.get(place).map_or(&[][..], Vec::as_slice);
        let deepest = self.deepest();
        html! {
            tr {
                th scope="row" { (clip(name, CELL_MAX)) }
                @for (column, text) in texts.iter().enumerate().take(COLUMNS_MAX) {
                    @let depth = values.get(column).map_or(0.0, |value| self.depth(*value, deepest));
                    td class=(if depth < 0.0 { "n below" } else { "n above" })
                        style=(format!("--shade:{:.0}%", depth.abs() * SHADE_MAX)) {
                        (clip(text, CELL_MAX))
                        @if self.center.is_some() && depth.abs() >= SIGN_FROM { (sign(depth)) }
                    }
                }
            }
        }
    }

    /// The greatest distance from the center.
    fn deepest(&self) -> f64 {
        let center = self.center.unwrap_or(0.0);
        let far = self.values.iter().flatten().filter(|value| value.is_finite()).map(|value| (value - center).abs());
        far.fold(0.0, f64::max)
    }

    /// From -1, deepest below the center, to 1.
    fn depth(&self, value: f64, deepest: f64) -> f64 {
        let depth = (value - self.center.unwrap_or(0.0)) / deepest;
        if depth.is_finite() { depth.clamp(-1.0, 1.0) } else { 0.0 }
    }

    fn legend(&self) -> &'static str {
        match self.center {
            Some(_) => "Deeper shades lie further from the middle; ↑ is far above it, ↓ far below.",
            None => "Deeper shades are more.",
        }
    }
}

fn sign(depth: f64) -> Markup {
    let (sign, words) = if depth < 0.0 { ("↓", " far below") } else { ("↑", " far above") };
    html! { span.sign aria-hidden="true" { " " (sign) } span.unseen { (words) } }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    #[test]
    fn shades_and_signs() {
        let names = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let texts = [vec!["1".to_owned(), "2".to_owned(), "3".to_owned()]];
        let values = [vec![-2.0, f64::NAN, 0.5]];
        let grid = Grid {
            title: "t",
            rows_title: "r",
            columns_title: "",
            rows: &names[..1],
            columns: &names,
            values: &values,
            texts: &texts,
            center: Some(0.0),
        };
        let page = grid.figure().into_string();
        assert!(
            page.contains(r#"class="n below" style="--shade:38%">1<span class="sign" aria-hidden="true"> ↓</span>"#),
            "{page}"
        );
        assert!(page.contains(r#"style="--shade:0%">2</td>"#), "{page}");
        assert!(page.contains(r#"class="n above" style="--shade:10%">3</td>"#), "{page}");
    }
}
