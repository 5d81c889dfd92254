//! Who went from which level to which between two moments, as a matrix of counts.

use super::disclosure::{Entry, hidden};

/// Counts by level before (rows) and level after (columns). The last row counts who is new, the last
/// column who is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// Rows of equal length, at least one.
    pub counts: Vec<Vec<u64>>,
    /// For each row but the last, the column that is the same level, if one is.
    pub same: Vec<Option<usize>>,
}

/// A matrix of which small counts are hidden; `None` is a hidden count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub counts: Vec<Vec<Option<u64>>>,
    /// Of each row.
    pub row_totals: Vec<Option<u64>>,
    /// Of each column.
    pub column_totals: Vec<Option<u64>>,
}

impl Matrix {
    /// Everyone who was there both times.
    pub fn both(&self) -> u64 {
        self.pairs().map(|(_, _, count)| count).sum()
    }

    /// Who of them is no longer at the same level.
    pub fn moved(&self) -> u64 {
        self.pairs().filter(|(row, column, _)| self.is_move(*row, *column)).map(|(_, _, count)| count).sum()
    }

    /// Whether this cell is a change of level.
    pub fn is_move(&self, row: usize, column: usize) -> bool {
        self.same.get(row).copied().flatten() != Some(column)
    }

    /// The cells of those who were there both times.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        let (rows, columns) = (self.counts.len() - 1, self.columns() - 1);
        let rows = self.counts.iter().enumerate().take(rows);
        rows.flat_map(move |(row, counts)| {
            counts.iter().enumerate().take(columns).map(move |(column, count)| (row, column, *count))
        })
    }

    fn columns(&self) -> usize {
        self.counts.first().map_or(1, Vec::len)
    }

    /// Without small counts and what would give them away. How many moved, are new and are gone stays
    /// known.
    pub fn tell(&self, unmask: bool) -> Told {
        self.told(unmask, false)
    }

    /// The same where it is told elsewhere how many are of each level, then and now, and not how many are new and gone.
    pub fn tell_with_totals(&self) -> Told {
        self.told(false, true)
    }

    fn told(&self, unmask: bool, totals: bool) -> Told {
        let (rows, columns) = (self.counts.len(), self.columns());
        // Cells, row totals and column totals behind one another; `width` is that of a row with its total.
        let width = columns + 1;
        let place = |row: usize, column: usize| row * width + column;
        let total_of = |row: &Vec<u64>| row.iter().sum::<u64>();
        let mut entries: Vec<Entry> = Vec::new();
        for (index, row) in self.counts.iter().enumerate() {
            entries.extend(row.iter().map(|count| Entry { count: *count, known: false }));
            entries.push(Entry { count: total_of(row), known: (index + 1 == rows) != totals });
        }
        for column in 0..columns {
            let count = self.counts.iter().filter_map(|row| row.get(column)).sum();
            entries.push(Entry { count, known: (column + 1 == columns) != totals });
        }
        entries.push(Entry { count: self.counts.iter().map(total_of).sum(), known: true });
        let mut lines: Vec<Vec<usize>> = (0..=rows).map(|row| (0..width).map(|at| place(row, at)).collect()).collect();
        lines.extend((0..width).map(|column| (0..=rows).map(|row| place(row, column)).collect()));
        // The number that moved is told, and so is the rest.
        for moved in [true, false] {
            let of_kind = self.pairs().filter(|(row, column, _)| self.is_move(*row, *column) == moved);
            lines.push(of_kind.map(|(row, column, _)| place(row, column)).collect());
        }
        let hidden = if unmask { vec![false; entries.len()] } else { hidden(&entries, &lines) };
        let told: Vec<Option<u64>> =
            entries.iter().zip(hidden).map(|(entry, hidden)| (!hidden).then_some(entry.count)).collect();
        let mut by_row = told.chunks(width).map(|row| row.split_last().unwrap_or((&None, &[])));
        let (row_totals, counts) = by_row.by_ref().take(rows).map(|(total, cells)| (*total, cells.to_vec())).unzip();
        let column_totals = by_row.next().map(|(_, totals)| totals.to_vec()).unwrap_or_default();
        Told { counts, row_totals, column_totals }
    }
}

/// Which column is which row, where levels were named anew: the pairs that share most, each row and
/// column in one pair at most; of equal pairs the first. Greedy: the largest count is always a pair.
pub fn pair(counts: &[Vec<u64>]) -> Vec<Option<usize>> {
    let mut cells: Vec<(u64, usize, usize)> = Vec::new();
    for (row, values) in counts.iter().enumerate() {
        let shared = values.iter().enumerate().filter(|(_, count)| **count > 0);
        cells.extend(shared.map(|(column, count)| (*count, row, column)));
    }
    cells.sort_unstable_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut pairs: Vec<Option<usize>> = vec![None; counts.len()];
    let mut taken = std::collections::BTreeSet::new();
    for (_, row, column) in cells {
        if let Some(free @ None) = pairs.get_mut(row)
            && taken.insert(column)
        {
            *free = Some(column);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 stay a, 9 go a to b, 7 b to a, 40 stay b; 6 new in a, none new in b; 5 gone from b.
    fn matrix() -> Matrix {
        Matrix { counts: vec![vec![60, 9, 0], vec![7, 40, 5], vec![6, 0, 0]], same: vec![Some(0), Some(1)] }
    }

    #[test]
    fn moves_are_counted_off_the_diagonal() {
        let matrix = matrix();
        assert_eq!((matrix.both(), matrix.moved()), (116, 16));
        let swapped = Matrix { same: vec![Some(1), Some(0)], ..matrix };
        assert_eq!((swapped.both(), swapped.moved()), (116, 100));
    }

    #[test]
    fn totals_are_those_of_rows_and_columns() {
        let told = matrix().tell(false);
        assert_eq!(told.counts[0], [Some(60), Some(9), Some(0)]);
        assert_eq!(told.row_totals, [Some(69), Some(52), Some(6)]);
        assert_eq!(told.column_totals, [Some(73), Some(49), Some(5)]);
    }

    #[test]
    fn small_counts_are_hidden_unless_asked_for() {
        let mut matrix = matrix();
        matrix.counts[0][1] = 2;
        assert_eq!(matrix.tell(true).counts[0], [Some(60), Some(2), Some(0)]);
        let told = matrix.tell(false);
        assert_eq!(told.counts[0][1], None);
        // The other move too, or the number that moved (9) would tell it.
        assert_eq!(told.counts[1][0], None);
        let hidden = |row: &Vec<Option<u64>>| row.iter().filter(|count| count.is_none()).count();
        for (row, total) in told.counts.iter().zip(&told.row_totals) {
            assert_ne!(hidden(row) + usize::from(total.is_none()), 1, "{told:?}");
        }
    }

    #[test]
    fn levels_named_anew_are_found_again() {
        // 1 became 2 and 2 became 1; 3 is gone, and what is 3 now is new.
        assert_eq!(pair(&[vec![3, 90, 0], vec![80, 2, 1], vec![0, 0, 0]]), [Some(1), Some(0), None]);
        // More rows than columns: the row that shares least is left over.
        assert_eq!(pair(&[vec![10, 0], vec![0, 8], vec![9, 0]]), [Some(0), Some(1), None]);
        assert_eq!(pair(&[]), []);
    }
}
