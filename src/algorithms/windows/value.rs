//! The two kinds of numbers that are aggregated: integers and floats.

use std::cmp::Ordering;

/// Why an aggregate has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("a SUM of integers does not fit in 64 bits")]
    Overflow,
}

/// One result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    Missing,
    Integer(i64),
    Float(f64),
}

/// A number that can be aggregated.
pub(super) trait Value: Copy + PartialEq {
    type Sum: Sum<Self>;
    fn compare(&self, other: &Self) -> Ordering;
    fn cell(self) -> Cell;
    fn float(self) -> f64;
    /// Equal for equal values only.
    fn bits(self) -> u64;
    /// One form for values that are equal.
    fn canonical(self) -> Self;
}

/// A sum under way.
pub(super) trait Sum<T>: Default + Copy {
    fn add(&mut self, value: T);
    fn total(self) -> Result<Cell, WindowError>;
    fn float(self) -> f64;
}

impl Value for i64 {
    type Sum = i128;

    fn compare(&self, other: &i64) -> Ordering {
        self.cmp(other)
    }

    fn cell(self) -> Cell {
        Cell::Integer(self)
    }

    fn float(self) -> f64 {
        self as f64
    }

    fn bits(self) -> u64 {
        self as u64
    }

    fn canonical(self) -> i64 {
        self
    }
}

impl Value for f64 {
    type Sum = Compensated;

    fn compare(&self, other: &f64) -> Ordering {
        self.total_cmp(other)
    }

    fn cell(self) -> Cell {
        Cell::Float(self)
    }

    fn float(self) -> f64 {
        self
    }

    fn bits(self) -> u64 {
        self.canonical().to_bits()
    }

    /// Adding zero makes −0 and 0 one value.
    fn canonical(self) -> f64 {
        self + 0.0
    }
}

impl Sum<i64> for i128 {
    fn add(&mut self, value: i64) {
        *self += i128::from(value);
    }

    fn total(self) -> Result<Cell, WindowError> {
        i64::try_from(self).map(Cell::Integer).map_err(|_| WindowError::Overflow)
    }

    fn float(self) -> f64 {
        self as f64
    }
}

/// Neumaier's compensated sum: the rounding errors are summed beside the sum.
/// Source: Neumaier, Zeitschrift für Angewandte Mathematik und Mechanik 54 (1974).
#[derive(Default, Clone, Copy)]
pub(super) struct Compensated {
    sum: f64,
    lost: f64,
}

impl Sum<f64> for Compensated {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    fn total(self) -> Result<Cell, WindowError> {
        Ok(Cell::Float(self.float()))
    }

    fn float(self) -> f64 {
        // Infinite sums have no meaningful error term.
        if self.sum.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

/// The compensated sum of floats.
pub(super) fn sum_floats(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Compensated::default();
    for value in values {
        sum.add(value);
    }
    sum.float()
}
