//! Every profiled column: how it is distributed, what is missing, and how far it has moved.

use maud::{Markup, html};

use super::parts::{self, CELL_MAX};
use super::spark;
use crate::metrics::profile::{ColumnProfile, MODERATE, STRONG, Shape};
use crate::report::content::{Drift, ProfiledColumn, TableProfile};
use crate::report::format::{self, clip, percent, thousands};

/// Bytes of all these tables.
const BYTES_MAX: usize = 200_000;
/// Distributions that columns are compared with, and a table has columns for.
const REFERENCES_MAX: usize = 4;
/// A table of more columns is folded up if nothing in it moved.
const OPEN_MAX: usize = 40;

/// How far a column has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    Steady,
    /// Over the limit, but chance does as much to so few rows.
    Chance,
    Moved,
    Drifted,
}

impl Move {
    fn of(drift: &Drift) -> Option<Move> {
        let found = match drift.psi {
            psi if !psi.is_finite() => return None,
            psi if psi < MODERATE => Move::Steady,
            psi if psi <= drift.chance => Move::Chance,
            psi if psi <= STRONG => Move::Moved,
            _ => Move::Drifted,
        };
        Some(found)
    }

    /// The farthest of a column's; `None` where it is compared with nothing.
    fn of_column(column: &ProfiledColumn) -> Option<Move> {
        column.drift.iter().filter_map(Move::of).max()
    }

    fn mark(self) -> Markup {
        let (class, words) = match self {
            Move::Steady => ("soft", "steady"),
            Move::Chance => ("soft", "within chance"),
            Move::Moved => ("mark doubt", "● moved"),
            Move::Drifted => ("mark bad", "▲ drifted"),
        };
        html! { span class=(class) { (words) } }
    }
}

/// How many columns were compared, moved and drifted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moves {
    pub compared: usize,
    pub moved: usize,
    pub drifted: usize,
}

impl Moves {
    pub fn of(tables: &[TableProfile]) -> Moves {
        let mut moves = Moves::default();
        for found in tables.iter().flat_map(|table| &table.columns).filter_map(Move::of_column) {
            moves.compared += 1;
            moves.moved += usize::from(found == Move::Moved);
            moves.drifted += usize::from(found == Move::Drifted);
        }
        moves
    }
}

pub fn tables(tables: &[TableProfile]) -> Markup {
    let mut bytes = 0;
    let mut shown = vec![];
    for profile in tables {
        let drawn = table(profile, BYTES_MAX.saturating_sub(bytes));
        bytes += drawn.0.len();
        if bytes > BYTES_MAX + BYTES_MAX / 10 {
            break;
        }
        shown.push(drawn);
    }
    html! {
        @if !tables.is_empty() {
            h3.after #columns { "Columns and drift" }
            p.soft {
                "The population stability index (PSI) compares a distribution with an earlier one: below "
                (MODERATE) " it is steady, up to " (STRONG) " it has moved, above it has drifted, unless chance alone "
                "does as much to so few rows."
            }
            @for table in &shown { (table) }
            (parts::left_out(tables.len(), shown.len()))
        }
    }
}

fn table(profile: &TableProfile, bytes_max: usize) -> Markup {
    let mut columns: Vec<&ProfiledColumn> = profile.columns.iter().collect();
    // What moved most comes first; the others keep their order.
    columns.sort_by_key(|column| std::cmp::Reverse(Move::of_column(column).filter(|found| *found >= Move::Moved)));
    let references = references(&columns);
    let rows: Vec<Markup> = columns.iter().map(|column| row(column, &references)).collect();
    let rows = parts::within(&rows, bytes_max);
    let moves = Moves::of(std::slice::from_ref(profile));
    let name = clip(&profile.table, CELL_MAX);
    let open = columns.len() <= OPEN_MAX || moves.drifted > 0;
    html! {
        details.table open[open] {
            summary { h4 { (name) } span.soft { (described(profile, &moves)) } }
            div.scroll role="group" tabindex="0" aria-label={ "Columns of " (name) } {
                table.columns {
                    thead {
                        tr {
                            th scope="col" { "Column" }
                            th scope="col" { "Distribution" }
                            th.n scope="col" { "Median" }
                            th.n scope="col" { "Missing" }
                            @for reference in &references {
                                th.n.wrap scope="col" { "Against " (clip(reference, CELL_MAX)) }
                            }
                        }
                    }
                    tbody { @for row in rows { tr { (row) } } }
                }
            }
            (parts::left_out(columns.len(), rows.len()))
        }
    }
}

/// `as of 2011-12-10: 4,338 rows, 12 columns; 1 drifted, 2 moved`
fn described(profile: &TableProfile, moves: &Moves) -> String {
    let as_of = profile.as_of.map_or_else(String::new, |day| format!(" as of {day}"));
    let rows = format::count(profile.rows, "row", "rows");
    let columns = format::count(profile.columns.len() as u64, "column", "columns");
    let moves = match moves {
        Moves { compared: 0, .. } => "nothing to compare with".to_owned(),
        Moves { moved: 0, drifted: 0, .. } => "all steady".to_owned(),
        Moves { moved, drifted, .. } => format!("{drifted} drifted, {moved} moved"),
    };
    format!("{as_of}: {rows}, {columns}; {moves}")
}

/// What columns are compared with, in the order of the columns.
fn references<'a>(columns: &[&'a ProfiledColumn]) -> Vec<&'a str> {
    let mut found: Vec<&str> = vec![];
    for drift in columns.iter().flat_map(|column| &column.drift) {
        if !found.contains(&drift.against.as_str()) && found.len() < REFERENCES_MAX {
            found.push(&drift.against);
        }
    }
    found
}

fn row(column: &ProfiledColumn, references: &[&str]) -> Markup {
    let profile = &column.profile;
    html! {
        th scope="row" { (parts::breakable(&clip(&profile.name, CELL_MAX))) }
        td { (spark::cell(&profile.shape)) }
        td.n { (median(&profile.shape)) }
        td.n { (missing(profile)) }
        @for reference in references {
            td.n { (moved(column.drift.iter().find(|drift| drift.against == *reference))) }
        }
    }
}

fn median(shape: &Shape) -> String {
    match shape {
        Shape::Number { median, .. } => parts::figure(*median),
        _ => "–".to_owned(),
    }
}

fn missing(profile: &ColumnProfile) -> Markup {
    html! {
        @if profile.nulls == 0 {
            "0"
        } @else {
            (percent(profile.nulls as f64 / profile.rows.max(1) as f64))
            span.range { (thousands(profile.nulls)) }
        }
    }
}

fn moved(drift: Option<&Drift>) -> Markup {
    html! {
        @match drift.and_then(|drift| Some((drift, Move::of(drift)?))) {
            Some((drift, found)) => { (format::decimal(drift.psi, 3)) " " div { (found.mark()) } },
            None => "–",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(psi: f64, chance: f64) -> Drift {
        Drift { against: "the run of 2011-12-09".to_owned(), psi, chance }
    }

    #[test]
    fn words_of_an_index() {
        assert_eq!(Move::of(&drift(0.099, 0.0)), Some(Move::Steady));
        assert_eq!(Move::of(&drift(0.1, 0.0)), Some(Move::Moved));
        assert_eq!(Move::of(&drift(0.25, 0.0)), Some(Move::Moved));
        assert_eq!(Move::of(&drift(0.26, 0.0)), Some(Move::Drifted));
        assert_eq!(Move::of(&drift(0.26, 0.3)), Some(Move::Chance));
        assert_eq!(Move::of(&drift(f64::NAN, 0.0)), None);
    }

    #[test]
    fn what_moved_most_comes_first() {
        let column = |name: &str, psi: f64| ProfiledColumn {
            profile: ColumnProfile { name: name.to_owned(), rows: 100, nulls: 25, shape: Shape::None },
            drift: vec![drift(psi, 0.0)],
        };
        let columns = vec![column("calm", 0.01), column("wild", 0.5), column("lively", 0.2)];
        let profile = TableProfile { table: "t".to_owned(), as_of: None, rows: 100, columns };
        assert_eq!(Moves::of(std::slice::from_ref(&profile)), Moves { compared: 3, moved: 1, drifted: 1 });
        let page = table(&profile, BYTES_MAX).into_string();
        let place = |text: &str| page.find(text).unwrap();
        assert!(place("wild") < place("lively") && place("lively") < place("calm"));
        assert!(page.contains("25.0 %") && page.contains("0.500 <div><span class=\"mark bad\">▲ drifted"), "{page}");
    }
}
