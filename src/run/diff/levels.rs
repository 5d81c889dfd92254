//! A column of few levels: who changed level.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use polars::prelude::PolarsResult;

use super::join::{Pairs, TextPair};
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::migration::{Matrix, pair};
use crate::report::diff::{Flow, LevelMatrix, Migration};

/// Levels up to which a matrix is readable.
const MATRIX_MAX: usize = 12;
const FLOWS_MAX: usize = 10;
/// What stands for null, and for text levels that too few entities have to be named.
const NULL: &str = "(null)";
const RARE: &str = "(rare)";

/// How a column is treated.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Its levels are those of a model that was fitted anew: the same name need not be the same thing.
    pub renamed: bool,
    /// Levels are free text, of which rare ones could name someone.
    pub text: bool,
    /// Only say how many moved.
    pub silent: bool,
    /// Tell small counts.
    pub unmask: bool,
}

/// Counts by level before and now; `None` is who was not there.
type Counts = BTreeMap<(Option<String>, Option<String>), u64>;

pub fn migration(table: &str, column: &str, pairs: &Pairs<'_>, rules: Rules) -> PolarsResult<Migration> {
    let counts = count(pairs)?;
    let counts = if rules.text && !rules.unmask { without_rare(counts) } else { counts };
    Ok(of_counts(table, column, &counts, rules))
}

fn count(pairs: &Pairs<'_>) -> PolarsResult<Counts> {
    let mut found: HashMap<TextPair<'_>, u64> = HashMap::new();
    for pair in pairs.texts()? {
        *found.entry(pair).or_default() += 1;
    }
    let name = |level: Option<Option<&str>>| level.map(|level| level.unwrap_or(NULL).to_owned());
    let mut counts = Counts::new();
    for ((before, now), count) in found {
        *counts.entry((name(before), name(now))).or_default() += count;
    }
    Ok(counts)
}

/// Levels that fewer than [`TOLD_MIN`] have, both times, as one.
fn without_rare(counts: Counts) -> Counts {
    let mut sizes: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for ((before, now), count) in &counts {
        if let Some(level) = before {
            sizes.entry(level.clone()).or_default().0 += count;
        }
        if let Some(level) = now {
            sizes.entry(level.clone()).or_default().1 += count;
        }
    }
    let rare = |level: &String| sizes.get(level).is_some_and(|(before, now)| *before.max(now) < TOLD_MIN);
    let name = |level: Option<String>| level.map(|level| if rare(&level) { RARE.to_owned() } else { level });
    let mut merged = Counts::new();
    for ((before, now), count) in counts {
        *merged.entry((name(before), name(now))).or_default() += count;
    }
    merged
}

fn of_counts(table: &str, column: &str, counts: &Counts, rules: Rules) -> Migration {
    let Levels { rows, columns, same } = levels(counts, rules.renamed);
    let matrix = Matrix { counts: cells(counts, &rows, &columns), same };
    let told = matrix.tell(rules.unmask);
    let flows = if rules.silent { vec![] } else { flows(&matrix, &told.counts, &rows, &columns) };
    let shown = !rules.silent && rows.len().max(columns.len()) <= MATRIX_MAX;
    let (both, moved) = (matrix.both(), matrix.moved());
    let matrix = LevelMatrix {
        rows,
        columns,
        counts: told.counts,
        row_totals: told.row_totals,
        column_totals: told.column_totals,
        same: matrix.same,
    };
    Migration {
        table: table.to_owned(),
        column: column.to_owned(),
        both,
        moved,
        paired: rules.renamed,
        flows,
        matrix: shown.then_some(matrix),
    }
}

/// The levels before and now, and which is which.
struct Levels {
    rows: Vec<String>,
    columns: Vec<String>,
    /// For each row the column that is the same level.
    same: Vec<Option<usize>>,
}

fn levels(counts: &Counts, renamed: bool) -> Levels {
    let mut rows: Vec<String> = counts.keys().filter_map(|(before, _)| before.clone()).collect();
    let mut columns: Vec<String> = counts.keys().filter_map(|(_, now)| now.clone()).collect();
    if !renamed {
        // The same level may be found on one side only; its zeros say so.
        rows.append(&mut columns);
        columns.clone_from(&rows);
    }
    for levels in [&mut rows, &mut columns] {
        levels.sort_unstable_by(|a, b| in_order(a, b));
        levels.dedup();
    }
    if !renamed {
        let same = (0..rows.len()).map(Some).collect();
        return Levels { rows, columns, same };
    }
    // Who is new or gone says nothing about which level is which.
    let mut shared = cells(counts, &rows, &columns);
    shared.pop();
    shared.iter_mut().for_each(|row| row.truncate(columns.len()));
    let pairs = pair(&shared);
    let columns = reordered(&columns, &pairs);
    let same = pairs.into_iter().scan(0, place_in_order).collect();
    Levels { rows, columns, same }
}

/// Counts by row and column; the last row is of who is new, the last column of who is gone.
fn cells(counts: &Counts, rows: &[String], columns: &[String]) -> Vec<Vec<u64>> {
    let sides = |levels: &[String]| -> Vec<Option<String>> { levels.iter().cloned().map(Some).chain([None]).collect() };
    let now = sides(columns);
    let row = |before: Option<String>| {
        now.iter().map(|now| counts.get(&(before.clone(), now.clone())).copied().unwrap_or(0)).collect()
    };
    sides(rows).into_iter().map(row).collect()
}

/// The greatest moves that may be told.
fn flows(matrix: &Matrix, told: &[Vec<Option<u64>>], rows: &[String], columns: &[String]) -> Vec<Flow> {
    let mut flows: Vec<Flow> = Vec::new();
    for (row, (from, counts)) in rows.iter().zip(told).enumerate() {
        for (place, (to, count)) in columns.iter().zip(counts).enumerate() {
            if let Some(entities @ 1..) = *count
                && matrix.is_move(row, place)
            {
                flows.push(Flow { from: from.clone(), to: to.clone(), entities });
            }
        }
    }
    // Stable: equal flows stay in the order of their levels.
    flows.sort_by_key(|flow| std::cmp::Reverse(flow.entities));
    flows.truncate(FLOWS_MAX);
    flows
}

/// Paired columns in the order of their rows, then the others.
fn reordered(columns: &[String], pairs: &[Option<usize>]) -> Vec<String> {
    let paired = pairs.iter().flatten().filter_map(|place| columns.get(*place));
    let others = columns.iter().enumerate().filter(|(place, _)| !pairs.contains(&Some(*place))).map(|(_, name)| name);
    paired.chain(others).cloned().collect()
}

/// Where a row's column is once columns are in the order of [`reordered`].
fn place_in_order(next: &mut usize, pair: Option<usize>) -> Option<Option<usize>> {
    Some(pair.map(|_| {
        *next += 1;
        *next - 1
    }))
}

/// Numbers by value, then texts by letter, then what is no level.
fn in_order(a: &str, b: &str) -> Ordering {
    let rank = |level: &str| match level {
        RARE => 2,
        NULL => 3,
        level if level.parse::<i128>().is_ok() => 0,
        _ => 1,
    };
    let number = |level: &str| level.parse::<i128>().ok();
    rank(a).cmp(&rank(b)).then_with(|| number(a).cmp(&number(b))).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { renamed: false, text: false, silent: false, unmask: true };

    fn counts(cells: &[(&str, &str, u64)]) -> Counts {
        let side = |level: &str| (level != "-").then(|| level.to_owned());
        cells.iter().map(|(before, now, count)| ((side(before), side(now)), *count)).collect()
    }

    #[test]
    fn levels_are_numbers_in_their_order() {
        let counts = counts(&[("2", "10", 7), ("10", "10", 20), ("2", "2", 30), ("-", "3", 2), ("10", "-", 1)]);
        let found = of_counts("segments", "segment", &counts, RULES);
        let matrix = found.matrix.unwrap();
        assert_eq!(matrix.rows, ["2", "3", "10"]);
        assert_eq!(matrix.columns, matrix.rows);
        let wanted = [[30, 0, 7, 0], [0, 0, 0, 0], [0, 0, 20, 1], [0, 2, 0, 0]].map(|row| row.map(Some).to_vec());
        assert_eq!(matrix.counts, wanted);
        assert_eq!((found.both, found.moved), (57, 7));
        assert_eq!(found.flows, [Flow { from: "2".into(), to: "10".into(), entities: 7 }]);
    }

    #[test]
    fn segments_of_another_model_are_paired_by_who_is_in_them() {
        let counts = counts(&[("1", "2", 90), ("1", "1", 6), ("2", "1", 50), ("2", "3", 8), ("-", "1", 40)]);
        let same_names = of_counts("segments", "segment", &counts, RULES);
        assert_eq!(same_names.moved, 90 + 50 + 8);
        let found = of_counts("segments", "segment", &counts, Rules { renamed: true, ..RULES });
        assert_eq!((found.both, found.moved), (154, 6 + 8));
        let matrix = found.matrix.unwrap();
        assert_eq!(matrix.columns, ["2", "1", "3"]);
        assert_eq!(matrix.same, [Some(0), Some(1)]);
        assert_eq!(matrix.counts[0], [Some(90), Some(6), Some(0), Some(0)]);
        assert_eq!(found.flows.iter().map(|flow| flow.entities).collect::<Vec<_>>(), [8, 6]);
    }

    #[test]
    fn rare_levels_of_text_are_not_named() {
        let found = without_rare(counts(&[("fr", "fr", 9), ("is", "mt", 2), ("mt", "fr", 1), ("-", "is", 1)]));
        assert_eq!(found, counts(&[("fr", "fr", 9), (RARE, RARE, 2), (RARE, "fr", 1), ("-", RARE, 1)]));
    }

    #[test]
    fn a_silent_column_says_only_how_many_moved() {
        let counts = counts(&[("a", "b", 9), ("b", "b", 9)]);
        let found = of_counts("t", "c", &counts, Rules { silent: true, ..RULES });
        assert_eq!((found.matrix, found.flows, found.moved), (None, vec![], 9));
    }
}
