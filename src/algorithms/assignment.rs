//! Who goes with whom: pairs of rows and columns of a matrix of costs, of the least sum.

use ndarray::ArrayView2;

/// For each row the column that it is paired with, so that the sum of the costs is the least (the Hungarian method in
/// the form of Jonker and Volgenant 1987: shortest augmenting paths, in time cubic in the larger side). Each column is
/// in one pair at most; where there are more rows than columns, rows are left over. Costs are finite.
pub fn least_cost(costs: ArrayView2<'_, f64>) -> Vec<Option<usize>> {
    let (rows, columns) = costs.dim();
    if rows > columns {
        let mut pairs = vec![None; rows];
        for (column, row) in least_cost(costs.t()).into_iter().enumerate() {
            if let Some(pair) = row.and_then(|row| pairs.get_mut(row)) {
                *pair = Some(column);
            }
        }
        return pairs;
    }
    // Row and column 0 stand for nobody, as is usual in this form.
    let (mut of_rows, mut of_columns) = (vec![0.0; rows + 1], vec![0.0; columns + 1]);
    let mut row_of = vec![0; columns + 1];
    for row in 1..=rows {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![f64::INFINITY; columns + 1];
        let mut before = vec![0; columns + 1];
        let mut is_used = vec![false; columns + 1];
        while row_of[column] != 0 {
            is_used[column] = true;
            let (from, mut step, mut next) = (row_of[column], f64::INFINITY, 0);
            for other in (1..=columns).filter(|other| !is_used[*other]) {
                let cost = costs[(from - 1, other - 1)] - of_rows[from] - of_columns[other];
                if cost < least[other] {
                    (least[other], before[other]) = (cost, column);
                }
                if least[other] < step {
                    (step, next) = (least[other], other);
                }
            }
            for other in 0..=columns {
                if is_used[other] {
                    of_rows[row_of[other]] += step;
                    of_columns[other] -= step;
                } else {
                    least[other] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    let mut pairs = vec![None; rows];
    for (column, row) in row_of.into_iter().enumerate().skip(1).filter(|(_, row)| *row > 0) {
        pairs[row - 1] = Some(column - 1);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    /// scipy 1.17, linear_sum_assignment([[4, 1, 3], [2, 0, 5], [3, 2, 2]]): columns 1, 0, 2.
    #[test]
    fn it_agrees_with_scipy() {
        let costs = array![[4.0, 1.0, 3.0], [2.0, 0.0, 5.0], [3.0, 2.0, 2.0]];
        assert_eq!(least_cost(costs.view()), [Some(1), Some(0), Some(2)]);
    }

    #[test]
    fn some_are_left_over() {
        let tall = array![[9.0, 1.0], [0.5, 2.0], [3.0, 0.1]];
        assert_eq!(least_cost(tall.view()), [None, Some(0), Some(1)]);
        assert_eq!(least_cost(tall.t()), [Some(1), Some(2)]);
        assert_eq!(least_cost(Array2::zeros((0, 3)).view()), []);
        assert_eq!(least_cost(Array2::zeros((2, 0)).view()), [None, None]);
    }

    fn least_of_all(costs: &Array2<f64>, row: usize, free: &mut Vec<usize>) -> f64 {
        if row == costs.nrows() {
            return 0.0;
        }
        let mut least = f64::INFINITY;
        for place in 0..free.len() {
            let column = free.remove(place);
            least = least.min(costs[(row, column)] + least_of_all(costs, row + 1, free));
            free.insert(place, column);
        }
        least
    }

    proptest! {
        #[test]
        fn no_other_pairs_cost_less(rows in 1..5_usize, more in 0..3_usize, costs in proptest::collection::vec(0..50_u8, 40)) {
            let costs = Array2::from_shape_fn((rows, rows + more), |(i, j)| f64::from(costs[i * 7 + j]));
            let pairs = least_cost(costs.view());
            let sum: f64 = pairs.iter().enumerate().map(|(row, column)| costs[(row, column.unwrap())]).sum();
            let mut columns: Vec<_> = pairs.iter().flatten().collect();
            columns.sort();
            columns.dedup();
            prop_assert_eq!(columns.len(), rows);
            prop_assert_eq!(sum, least_of_all(&costs, 0, &mut (0..rows + more).collect()));
        }
    }
}
