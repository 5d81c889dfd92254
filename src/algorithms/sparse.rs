//! A compressed sparse row matrix, as interactions of users (rows) with items (columns).

use super::input::InputError;
use rayon::prelude::*;

/// What several triples of one user and item come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Their weights are added.
    Sum,
    /// They count once, with weight 1, whatever their weights.
    Once,
}

/// Sparse matrix of `rows` × `columns`. Within a row columns ascend and are distinct.
#[derive(Debug, Clone, PartialEq)]
pub struct Csr {
    columns: usize,
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
}

/// Why triples make no matrix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SparseError {
    /// A row or column index at or above the size of the matrix.
    #[error("place interaction {position}: its row or column is outside {rows} × {columns}")]
    Outside {
        /// Which triple, from 0.
        position: usize,
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix.
        columns: usize,
    },
    /// Weights that are NaN or infinite, or sums that overflow.
    #[error("add up interactions: {0} weights are not finite")]
    NonFinite(usize),
    /// Rows whose columns do not ascend, or that are not where they are said to be.
    #[error("take rows as they are: their columns do not ascend within the matrix")]
    Unordered,
    /// More rows or columns than 32 bits can count.
    #[error(transparent)]
    Input(#[from] InputError),
}

impl Csr {
    /// Builds a matrix of `rows` × `columns` from (row, column, weight) in any order. Weights are
    /// summed in an order that depends on their values only, never on that of the triples. A zero
    /// weight is kept as an entry. No triples give an empty matrix of that size.
    pub fn from_triples(
        rows: usize,
        columns: usize,
        mut triples: Vec<(u32, u32, f64)>,
        duplicates: Duplicates,
    ) -> Result<Self, SparseError> {
        if let Some(&size) = [rows, columns].iter().find(|&&size| size > u32::MAX as usize) {
            return Err(InputError::TooLarge(size).into());
        }
        let outside = |t: &(u32, u32, f64)| t.0 as usize >= rows || t.1 as usize >= columns;
        if let Some(position) = triples.iter().position(outside) {
            return Err(SparseError::Outside { position, rows, columns });
        }
        let bad = triples.iter().filter(|t| !t.2.is_finite()).count();
        if bad > 0 {
            return Err(SparseError::NonFinite(bad));
        }
        triples.par_sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.total_cmp(&b.2)));
        triples.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        let matrix = Self::from_sorted(rows, columns, &triples, duplicates);
        match matrix.values.iter().filter(|v| !v.is_finite()).count() {
            0 => Ok(matrix),
            overflown => Err(SparseError::NonFinite(overflown)),
        }
    }

    fn from_sorted(rows: usize, columns: usize, triples: &[(u32, u32, f64)], duplicates: Duplicates) -> Self {
        let weight = |t: &(u32, u32, f64)| match duplicates {
            Duplicates::Sum => t.2,
            Duplicates::Once => 1.0,
        };
        Self {
            columns,
            starts: running_starts(rows, triples.iter().map(|t| t.0)),
            indices: triples.iter().map(|t| t.1).collect(),
            values: triples.iter().map(weight).collect(),
        }
    }

    /// A matrix without entries.
    pub fn empty(rows: usize, columns: usize) -> Self {
        Self { columns, starts: vec![0; rows + 1], indices: Vec::new(), values: Vec::new() }
    }

    /// A matrix of rows that are at hand: `starts` has where each begins and, last, where the last ends; within a row
    /// the columns must ascend.
    ///
    /// # Errors
    /// Rows that do not ascend or reach outside, and values that are not finite.
    pub fn from_rows(
        columns: usize,
        starts: Vec<usize>,
        indices: Vec<u32>,
        values: Vec<f64>,
    ) -> Result<Self, SparseError> {
        let rows = starts.len().saturating_sub(1);
        if let Some(&size) = [rows, columns].iter().find(|&&size| size > u32::MAX as usize) {
            return Err(InputError::TooLarge(size).into());
        }
        let whole = starts.first() == Some(&0)
            && starts.is_sorted()
            && starts.last() == Some(&indices.len())
            && indices.len() == values.len();
        let ascends = |row: &[u32]| row.windows(2).all(|pair| pair[0] < pair[1]);
        let sound = |row: &[u32]| ascends(row) && row.last().is_none_or(|&last| (last as usize) < columns);
        if !whole || !starts.windows(2).all(|pair| sound(&indices[pair[0]..pair[1]])) {
            return Err(SparseError::Unordered);
        }
        match values.iter().filter(|value| !value.is_finite()).count() {
            0 => Ok(Self { columns, starts, indices, values }),
            bad => Err(SparseError::NonFinite(bad)),
        }
    }

    /// How many entries the rows before this one have.
    pub fn start(&self, row: usize) -> usize {
        self.starts.get(row).copied().unwrap_or(self.indices.len())
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The number of stored entries.
    pub fn entries(&self) -> usize {
        self.indices.len()
    }

    /// Columns and values of a row; a row that does not exist is empty.
    pub fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let range = match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(&start), Some(&end)) => start..end,
            _ => 0..0,
        };
        let indices = self.indices.get(range.clone()).unwrap_or_default();
        (indices, self.values.get(range).unwrap_or_default())
    }

    /// Pairs of column and value of a row.
    pub fn pairs(&self, row: usize) -> impl Iterator<Item = (u32, f64)> + '_ {
        let (indices, values) = self.row(row);
        indices.iter().copied().zip(values.iter().copied())
    }

    /// The matrix with rows and columns exchanged.
    pub fn transpose(&self) -> Self {
        let starts = running_starts(self.columns, self.indices.iter().copied());
        let mut next = starts.clone();
        let mut indices = vec![0; self.entries()];
        let mut values = vec![0.0; self.entries()];
        for row in 0..self.rows() {
            for (column, value) in self.pairs(row) {
                let slot = &mut next[column as usize];
                indices[*slot] = row as u32;
                values[*slot] = value;
                *slot += 1;
            }
        }
        Self { columns: self.rows(), starts, indices, values }
    }
}

/// Where each row starts once entries are sorted by row, and behind the last where it ends.
fn running_starts(rows: usize, of_entries: impl Iterator<Item = u32>) -> Vec<usize> {
    let mut starts = vec![0; rows + 1];
    for row in of_entries {
        starts[row as usize + 1] += 1;
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn duplicates_are_summed_or_counted_once() {
        let triples = vec![(1, 2, 2.0), (0, 1, 1.0), (1, 2, 3.0), (1, 0, -1.0)];
        let sum = Csr::from_triples(3, 4, triples.clone(), Duplicates::Sum).unwrap();
        assert_eq!(sum.row(0), (&[1][..], &[1.0][..]));
        assert_eq!(sum.row(1), (&[0, 2][..], &[-1.0, 5.0][..]));
        assert_eq!((sum.row(2).0.len(), sum.row(99).0.len()), (0, 0));
        let once = Csr::from_triples(3, 4, triples, Duplicates::Once).unwrap();
        assert_eq!(once.row(1), (&[0, 2][..], &[1.0, 1.0][..]));
        assert_eq!((once.rows(), once.columns(), once.entries()), (3, 4, 3));
    }

    #[test]
    fn refuses_what_is_outside_or_not_finite() {
        let build = |triple| Csr::from_triples(2, 2, vec![(0, 0, 1.0), triple], Duplicates::Sum);
        let outside = SparseError::Outside { position: 1, rows: 2, columns: 2 };
        assert_eq!(build((2, 0, 1.0)), Err(outside.clone()));
        assert_eq!(build((0, 2, 1.0)), Err(outside));
        assert_eq!(build((0, 1, f64::NAN)), Err(SparseError::NonFinite(1)));
        let huge = vec![(0, 0, f64::MAX), (0, 0, f64::MAX)];
        let overflow = Csr::from_triples(1, 1, huge, Duplicates::Sum);
        assert_eq!(overflow, Err(SparseError::NonFinite(1)));
    }

    #[test]
    fn rows_at_hand_must_ascend() {
        let build = |starts: &[usize], indices: &[u32]| {
            Csr::from_rows(3, starts.to_vec(), indices.to_vec(), vec![1.0; indices.len()])
        };
        let matrix = build(&[0, 2, 2, 3], &[0, 2, 1]).unwrap();
        let triples = vec![(0, 0, 1.0), (0, 2, 1.0), (2, 1, 1.0)];
        assert_eq!(matrix, Csr::from_triples(3, 3, triples, Duplicates::Sum).unwrap());
        assert_eq!((matrix.start(2), matrix.start(9)), (2, 3));
        for (starts, indices) in [
            (&[0, 2][..], &[2, 0][..]),
            (&[0, 2], &[1, 1]),
            (&[0, 1], &[3]),
            (&[0, 2], &[1]),
            (&[], &[]),
            (&[0, 2, 1], &[1]),
        ] {
            assert_eq!(build(starts, indices), Err(SparseError::Unordered), "{starts:?} {indices:?}");
        }
        let bad = Csr::from_rows(3, vec![0, 1], vec![1], vec![f64::NAN]);
        assert_eq!(bad, Err(SparseError::NonFinite(1)));
        assert_eq!(Csr::empty(2, 3), build(&[0, 0, 0], &[]).unwrap());
    }

    #[test]
    fn empty_matrices() {
        let empty = Csr::from_triples(0, 0, vec![], Duplicates::Sum).unwrap();
        assert_eq!((empty.rows(), empty.transpose().rows()), (0, 0));
    }

    proptest! {
        #[test]
        fn order_of_triples_does_not_matter_and_transposing_twice_is_nothing(
            triples in proptest::collection::vec((0..9_u32, 0..7_u32, -1e3..1e3f64), 0..80),
        ) {
            let mut reversed = triples.clone();
            reversed.reverse();
            let a = Csr::from_triples(9, 7, triples, Duplicates::Sum).unwrap();
            let b = Csr::from_triples(9, 7, reversed, Duplicates::Sum).unwrap();
            prop_assert_eq!(&a, &b);
            prop_assert_eq!(&a.transpose().transpose(), &a);
        }
    }
}
