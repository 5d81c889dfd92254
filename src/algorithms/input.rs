//! What every algorithm demands of the numbers it is given.

use ndarray::ArrayView2;

/// What can be wrong with the numbers handed to an algorithm. Values are never named, since they
/// may be personal; columns are counted from zero.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// There are no rows.
    #[error("learn from a table without rows")]
    NoRows,
    /// There are no columns.
    #[error("learn from a table without numeric columns")]
    NoColumns,
    /// NaN or infinity; `column` is the first one that has any.
    #[error("use {rows} of {total} rows: they hold values that are not finite, the first in column {column}")]
    NonFinite {
        /// Rows with at least one such value.
        rows: usize,
        /// Rows in all.
        total: usize,
        /// The lowest position of a column with such a value.
        column: usize,
    },
    /// A model meets a table of another width than the one it was fitted on.
    #[error("use a table of {found} columns with a model of {expected}")]
    Width {
        /// Columns the model was fitted on.
        expected: usize,
        /// Columns found.
        found: usize,
    },
    /// Rows and targets differ in number.
    #[error("pair {rows} rows with {targets} targets")]
    Length {
        /// Rows of the matrix.
        rows: usize,
        /// Targets given.
        targets: usize,
    },
    /// A matrix is too large for the 32-bit indices used inside.
    #[error("index {0} rows or columns: the limit is 4,294,967,295")]
    TooLarge(usize),
}

/// Refuses a matrix without rows or columns, or with NaN or infinite values.
pub fn check(x: ArrayView2<'_, f64>) -> Result<(), InputError> {
    if x.nrows() == 0 {
        return Err(InputError::NoRows);
    }
    if x.ncols() == 0 {
        return Err(InputError::NoColumns);
    }
    check_finite(x)
}

/// Refuses NaN and infinite values; an empty matrix passes.
pub fn check_finite(x: ArrayView2<'_, f64>) -> Result<(), InputError> {
    // Looking at every value, without leaving early, vectorizes.
    let finite = match x.as_slice_memory_order() {
        Some(values) => values.iter().fold(true, |all, v| all & v.is_finite()),
        None => x.iter().all(|v| v.is_finite()),
    };
    if finite {
        return Ok(());
    }
    let first_bad = |row: ndarray::ArrayView1<'_, f64>| row.iter().position(|v| !v.is_finite());
    let bad: Vec<usize> = x.rows().into_iter().filter_map(first_bad).collect();
    Err(InputError::NonFinite { rows: bad.len(), total: x.nrows(), column: bad.into_iter().min().unwrap_or(0) })
}

/// Refuses a matrix whose width is not that of the model.
pub fn check_width(x: ArrayView2<'_, f64>, expected: usize) -> Result<(), InputError> {
    match x.ncols() {
        found if found == expected => Ok(()),
        found => Err(InputError::Width { expected, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn counts_rows_and_names_the_first_column() {
        let x = array![[1.0, f64::NAN], [f64::INFINITY, f64::NAN], [1.0, 2.0]];
        let expected = InputError::NonFinite { rows: 2, total: 3, column: 0 };
        assert_eq!(check(x.view()), Err(expected));
        assert_eq!(check(x.slice(ndarray::s![2.., ..])), Ok(()));
    }

    #[test]
    fn refuses_empty_tables() {
        assert_eq!(check(ndarray::Array2::zeros((0, 3)).view()), Err(InputError::NoRows));
        assert_eq!(check(ndarray::Array2::zeros((3, 0)).view()), Err(InputError::NoColumns));
    }

    #[test]
    fn strided_views_are_checked_too() {
        let x = array![[1.0, 2.0, f64::NAN], [1.0, 2.0, 3.0]];
        assert_eq!(check(x.slice(ndarray::s![.., ..2])), Ok(()));
        assert!(check(x.slice(ndarray::s![.., 1..])).is_err());
    }
}
