//! A small table.

use maud::{Markup, html};

use crate::report::format::clip;
use crate::report::html::parts::{self, CELL_MAX};

const ROWS_MAX: usize = 40;
const COLUMNS_MAX: usize = 16;
/// A table of so few columns and rows stands beside another chart.
const COLUMNS_NARROW_MAX: usize = 3;
const ROWS_NARROW_MAX: usize = 8;

pub fn figure(title: &str, columns: &[String], rows: &[Vec<String>]) -> Markup {
    let title = clip(title, CELL_MAX);
    // A column of numbers is aligned to the right, its head too.
    let right: Vec<bool> = (0..columns.len())
        .map(|column| rows.iter().filter_map(|row| row.get(column)).all(|cell| is_number(cell)))
        .collect();
    let class = |column: usize| right.get(column).is_some_and(|right| *right).then_some("n");
    html! {
        figure.wide[columns.len() > COLUMNS_NARROW_MAX || rows.len() > ROWS_NARROW_MAX] {
            h4 { (title) }
            div.scroll role="group" tabindex="0" aria-label=(title) {
                table {
                    thead {
                        tr {
                            @for (column, name) in columns.iter().take(COLUMNS_MAX).enumerate() {
                                @if name.is_empty() {
                                    td {}
                                } @else {
                                    th scope="col" class=[class(column)] { (parts::breakable(&clip(name, CELL_MAX))) }
                                }
                            }
                        }
                    }
                    tbody {
                        @for row in rows.iter().take(ROWS_MAX) {
                            tr {
                                @for (column, cell) in row.iter().take(COLUMNS_MAX).enumerate() {
                                    @if column == 0 {
                                        th scope="row" class=[class(column)] { (parts::breakable(&clip(cell, CELL_MAX))) }
                                    } @else {
                                        td class=[class(column)] { (clip(cell, CELL_MAX)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            (parts::left_out(rows.len(), ROWS_MAX))
        }
    }
}

/// Whether a cell is mostly digits.
fn is_number(cell: &str) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    digits * 2 >= cell.len() && digits > 0
}
