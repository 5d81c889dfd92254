//! Expected and actual rows as text. They are rows that the author of the test made up, so they may be shown.

use std::fmt::Write;

use crate::cli::table;
use crate::plan::Cell;
use crate::run::unit_tests::{Difference, Line};

/// Rows of a comparison beyond which those that are the same are only counted.
const LINES_MAX: usize = 30;

/// How many rows were expected, and how many came out.
pub fn headline(difference: &Difference) -> String {
    let rows = |count: usize| if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
    let (expected, found) = (rows(difference.expected), rows(difference.found));
    format!("expected (-) {expected}, found (+) {found}")
}

/// The rows side by side: `-` was expected, `+` came out.
pub fn render(difference: &Difference) -> String {
    let mut header = vec![""];
    header.extend(difference.columns.iter().map(String::as_str));
    header.push("");
    let cells = |sign: &str, row: &[Cell], note: String| {
        let values = row.iter().map(ToString::to_string);
        std::iter::once(sign.to_owned()).chain(values).chain(std::iter::once(note)).collect::<Vec<String>>()
    };
    let few = difference.lines.len() <= LINES_MAX;
    let mut rows = Vec::new();
    let mut same = 0;
    for line in &difference.lines {
        match line {
            Line::Same(row) if few => rows.push(cells("", row, String::new())),
            Line::Same(_) => same += 1,
            Line::Missing(row) => rows.push(cells("-", row, "missing".to_owned())),
            Line::Unexpected(row) => rows.push(cells("+", row, "not expected".to_owned())),
            Line::Changed { expected, found, columns } => {
                rows.push(cells("-", expected, String::new()));
                rows.push(cells("+", found, format!("differs in {}", columns.join(", "))));
            }
        }
    }
    let mut text = headline(difference) + "\n";
    text.push_str(&table::render(&header, &rows, &[]));
    if same > 0 {
        let _ = writeln!(text, "and {same} rows as expected");
    }
    text
}
