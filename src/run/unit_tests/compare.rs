//! Expected rows beside those that came out.

use crate::plan::{Cell, Expected};

/// Rows that differ, among those that do not.
pub struct Difference {
    pub columns: Vec<String>,
    /// In the order of the expected rows, what nobody expected at the end.
    pub lines: Vec<Line>,
    /// Rows that were expected, and rows that came out.
    pub expected: usize,
    pub found: usize,
}

/// A row of the comparison.
pub enum Line {
    Same(Vec<Cell>),
    /// The same row by its key or by most of its values, and the columns that differ.
    Changed {
        expected: Vec<Cell>,
        found: Vec<Cell>,
        columns: Vec<String>,
    },
    Missing(Vec<Cell>),
    Unexpected(Vec<Cell>),
}

/// Rows beyond which those that differ are not paired, since each is compared with each.
const PAIRED_MAX: usize = 500;

/// What differs; none where the rows are those that were expected. `key`: the compared columns that identify a row.
pub fn compare(expect: &Expected, key: &[usize], found: Vec<Vec<Cell>>) -> Option<Difference> {
    let counts = (expect.rows.len(), found.len());
    let lines = if expect.ordered { in_order(expect, found) } else { in_any_order(expect, key, found) };
    let differs = lines.iter().any(|line| !matches!(line, Line::Same(_)));
    differs.then(|| Difference { columns: expect.columns.clone(), lines, expected: counts.0, found: counts.1 })
}

fn in_order(expect: &Expected, found: Vec<Vec<Cell>>) -> Vec<Line> {
    let mut found = found.into_iter();
    let mut lines: Vec<Line> = expect
        .rows
        .iter()
        .map(|expected| match found.next() {
            Some(row) => line(expect, expected, row),
            None => Line::Missing(expected.clone()),
        })
        .collect();
    lines.extend(found.map(Line::Unexpected));
    lines
}

/// Each expected row takes the first row that matches it; what is left on both sides is paired by key, else by the
/// number of values that are the same.
fn in_any_order(expect: &Expected, key: &[usize], found: Vec<Vec<Cell>>) -> Vec<Line> {
    let mut left: Vec<Option<Vec<Cell>>> = found.into_iter().map(Some).collect();
    let mut partners: Vec<Option<Vec<Cell>>> = Vec::new();
    for expected in &expect.rows {
        let slot = left.iter_mut().find(|row| {
            row.as_ref().is_some_and(|row| differing(expect, expected, row).is_empty() && row.len() == expected.len())
        });
        partners.push(slot.and_then(Option::take));
    }
    let rest = left.iter().flatten().count();
    let likeness = |expected: &[Cell], row: &[Cell]| {
        let differing = differing_places(expect, expected, row);
        let same = expected.len() - differing.len();
        let by_key = !key.is_empty() && key.iter().all(|place| !differing.contains(place));
        match (by_key, key.is_empty()) {
            (true, _) => same,
            (false, true) if same * 2 >= expected.len() => same,
            _ => 0,
        }
    };
    if rest <= PAIRED_MAX {
        for (expected, partner) in expect.rows.iter().zip(&mut partners).filter(|(_, partner)| partner.is_none()) {
            let like = |row: &Option<Vec<Cell>>| row.as_ref().map_or(0, |row| likeness(expected, row));
            // The first of the most alike.
            let best = left.iter_mut().rev().max_by_key(|row| like(row)).filter(|row| like(row) > 0);
            *partner = best.and_then(Option::take);
        }
    }
    let mut lines: Vec<Line> = expect
        .rows
        .iter()
        .zip(partners)
        .map(|(expected, partner)| match partner {
            Some(row) => line(expect, expected, row),
            None => Line::Missing(expected.clone()),
        })
        .collect();
    lines.extend(left.into_iter().flatten().map(Line::Unexpected));
    lines
}

fn line(expect: &Expected, expected: &[Cell], found: Vec<Cell>) -> Line {
    let columns = differing(expect, expected, &found);
    if columns.is_empty() { Line::Same(found) } else { Line::Changed { expected: expected.to_vec(), found, columns } }
}

fn differing(expect: &Expected, expected: &[Cell], found: &[Cell]) -> Vec<String> {
    let places = differing_places(expect, expected, found);
    places.into_iter().filter_map(|place| expect.columns.get(place).cloned()).collect()
}

fn differing_places(expect: &Expected, expected: &[Cell], found: &[Cell]) -> Vec<usize> {
    let pairs = expected.iter().zip(found).enumerate();
    pairs.filter(|(_, (expected, found))| !found.matches(expected, expect.tolerance)).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(rows: &[(i128, f64)], ordered: bool) -> Expected {
        let columns = vec!["id".to_owned(), "spend".to_owned()];
        Expected { columns, rows: cells(rows), ordered, tolerance: 1e-9 }
    }

    fn cells(rows: &[(i128, f64)]) -> Vec<Vec<Cell>> {
        rows.iter().map(|(id, spend)| vec![Cell::Integer(*id), Cell::Float(*spend)]).collect()
    }

    fn signs(difference: &Difference) -> String {
        let sign = |line: &Line| match line {
            Line::Same(_) => '=',
            Line::Changed { .. } => '~',
            Line::Missing(_) => '-',
            Line::Unexpected(_) => '+',
        };
        difference.lines.iter().map(sign).collect()
    }

    #[test]
    fn order_matters_only_where_it_is_said() {
        let found = cells(&[(2, 5.0), (1, 0.1 + 0.2)]);
        assert!(compare(&expect(&[(1, 0.3), (2, 5.0)], false), &[0], found.clone()).is_none());
        let difference = compare(&expect(&[(1, 0.3), (2, 5.0)], true), &[0], found).unwrap();
        assert_eq!(signs(&difference), "~~");
    }

    #[test]
    fn rows_are_counted_and_not_only_looked_up() {
        let difference = compare(&expect(&[(1, 1.0)], false), &[], cells(&[(1, 1.0), (1, 1.0)])).unwrap();
        assert_eq!((signs(&difference).as_str(), difference.expected, difference.found), ("=+", 1, 2));
        assert!(compare(&expect(&[], false), &[], vec![]).is_none());
        assert_eq!(signs(&compare(&expect(&[(1, 1.0)], false), &[], vec![]).unwrap()), "-");
    }

    #[test]
    fn rows_that_differ_are_paired_by_key() {
        let expected = expect(&[(1, 1.0), (2, 2.0), (4, 4.0)], false);
        let difference = compare(&expected, &[0], cells(&[(3, 1.0), (2, 9.0), (4, 4.0)])).unwrap();
        assert_eq!(signs(&difference), "-~=+");
        let Line::Changed { columns, .. } = &difference.lines[1] else { panic!("a changed row") };
        assert_eq!(columns, &["spend"]);
        // Without a key, by what they share.
        let difference = compare(&expected, &[], cells(&[(3, 1.0), (2, 9.0), (4, 4.0)])).unwrap();
        assert_eq!(signs(&difference), "~~=");
    }
}
