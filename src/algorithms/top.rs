//! The best few of many scored candidates.

use std::cmp::Ordering;

/// Higher score first, of equal ones the lower index.
pub(super) fn best_first(a: &(u32, f64), b: &(u32, f64)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// Keeps the best `count` in order, without sorting the rest.
pub(super) fn keep_best(candidates: &mut Vec<(u32, f64)>, count: usize) {
    if count == 0 {
        candidates.clear();
    } else if candidates.len() > count {
        candidates.select_nth_unstable_by(count - 1, best_first);
        candidates.truncate(count);
    }
    candidates.sort_unstable_by(best_first);
}

/// A sum per column, of which only those touched are visited and reset.
pub(super) struct Accumulator {
    sums: Vec<f64>,
    touched: Vec<u32>,
    is_touched: Vec<bool>,
}

impl Accumulator {
    pub(super) fn new(columns: usize) -> Self {
        Self { sums: vec![0.0; columns], touched: Vec::new(), is_touched: vec![false; columns] }
    }

    /// Adds to the sum of a column.
    pub(super) fn add(&mut self, column: u32, amount: f64) {
        let index = column as usize;
        if !self.is_touched[index] {
            self.is_touched[index] = true;
            self.touched.push(column);
        }
        self.sums[index] += amount;
    }

    /// Takes columns and sums out, leaving everything at zero.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u32, f64)> + '_ {
        let Self { sums, touched, is_touched } = self;
        touched.drain(..).map(|column| {
            is_touched[column as usize] = false;
            (column, std::mem::take(&mut sums[column as usize]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_index() {
        let mut candidates = vec![(7, 1.0), (2, 1.0), (9, 3.0), (1, 0.5)];
        keep_best(&mut candidates, 2);
        assert_eq!(candidates, [(9, 3.0), (2, 1.0)]);
        keep_best(&mut candidates, 5);
        assert_eq!(candidates.len(), 2);
        keep_best(&mut candidates, 0);
        assert!(candidates.is_empty());
    }
}
