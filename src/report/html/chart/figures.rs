//! The numbers behind a drawing, for who would rather read them.

use maud::{Markup, html};

use crate::metrics::evaluation::Curve;
use crate::report::format::clip;
use crate::report::html::parts::{self, CELL_MAX};

/// Rows of such a table.
const ROWS_MAX: usize = 11;

/// Folded up until it is asked for; the first column names the rows.
pub fn table(heads: &[String], rows: &[Vec<String>]) -> Markup {
    html! {
        details.figures {
            summary { "In figures" }
            table {
                thead {
                    tr {
                        @for (place, head) in heads.iter().enumerate() {
                            th scope="col" class=[(place > 0).then_some("n")] { (parts::breakable(&clip(head, CELL_MAX))) }
                        }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (place, cell) in row.iter().enumerate() {
                                @if place == 0 { th scope="row" { (cell) } } @else { td.n { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where curves are read: at their own points where these are few and the same, else evenly spread.
pub fn places(curves: &[Curve]) -> Vec<f64> {
    let of = |curve: &Curve| -> Vec<f64> { curve.points.iter().map(|point| point.0).collect() };
    let own = curves.first().map(of).unwrap_or_default();
    if own.len() <= ROWS_MAX && curves.iter().all(|curve| of(curve) == own) {
        return own;
    }
    let all = || curves.iter().flat_map(|curve| &curve.points).map(|point| point.0);
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let steps = (ROWS_MAX - 1) as f64;
    (0..ROWS_MAX).map(|step| low + (high - low) * step as f64 / steps).collect()
}

#[cfg(test)]
mod tests {
    use super::{Curve, places};

    #[test]
    fn few_points_are_read_themselves() {
        let curve =
            |count: u32| Curve { name: String::new(), points: (0..count).map(|x| (f64::from(x), 0.0)).collect() };
        assert_eq!(places(&[curve(3)]), [0.0, 1.0, 2.0]);
        assert_eq!(
            places(&[curve(101), curve(51)]),
            [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0]
        );
        assert_eq!(places(&[curve(3), curve(2)]).len(), 11);
    }
}
