//! Coordinate descent on the products of columns, and the duality gap that ends it.

use super::{ElasticError, Gram, Penalty};

/// Sweeps over the columns in use before all are looked at again, at most.
const INNER_MAX: usize = 100;

/// Sweeps over the columns in use end when one gains less than this share of the gap.
const INNER_SHARE: f64 = 1e-3;

/// Coefficients on their way.
pub(super) struct Descent<'a> {
    gram: &'a Gram,
    penalty: Penalty,
    coefficients: Vec<f64>,
    /// Products of each column with what is left of the target.
    left: Vec<f64>,
    /// Columns that are not constant.
    varying: Vec<usize>,
}

impl<'a> Descent<'a> {
    /// All coefficients zero.
    pub(super) fn new(gram: &'a Gram, penalty: Penalty) -> Descent<'a> {
        let width = gram.with_target.len();
        let varying = (0..width).filter(|column| gram.square(*column) > 0.0).collect();
        Descent { gram, penalty, coefficients: vec![0.0; width], left: gram.with_target.clone(), varying }
    }

    /// Sweeps until the gap is at most `enough`; gives the coefficients, the number of sweeps and the gap.
    pub(super) fn run(
        mut self,
        enough: f64,
        sweeps_max: usize,
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Vec<f64>, usize, f64), ElasticError> {
        let all = self.varying.clone();
        let mut gap = self.gap();
        let mut sweeps = 0;
        while gap > enough && sweeps < sweeps_max {
            if !keep_going() {
                return Err(ElasticError::Stopped);
            }
            let gain = self.sweep(&all);
            sweeps += 1;
            self.refresh();
            gap = self.gap();
            if gain == 0.0 || gap <= enough {
                break;
            }
            let used: Vec<usize> = all.iter().copied().filter(|column| self.coefficient(*column) != 0.0).collect();
            let little = INNER_SHARE * gap.min(enough.max(gain));
            for _ in 0..INNER_MAX.min(sweeps_max - sweeps) {
                if !keep_going() {
                    return Err(ElasticError::Stopped);
                }
                let gain = self.sweep(&used);
                sweeps += 1;
                if gain <= little {
                    break;
                }
            }
            self.refresh();
            gap = self.gap();
        }
        Ok((self.coefficients, sweeps, gap))
    }

    fn coefficient(&self, column: usize) -> f64 {
        self.coefficients.get(column).copied().unwrap_or(0.0)
    }

    /// Brings each of some columns to its minimum while the others rest; gives what the objective went down by, about.
    fn sweep(&mut self, columns: &[usize]) -> f64 {
        let Penalty { l1, l2 } = self.penalty;
        let width = self.left.len();
        let mut gain = 0.0;
        for &column in columns {
            let (Some(slot), Some(left)) = (self.coefficients.get_mut(column), self.left.get(column)) else { continue };
            let square = self.gram.square(column);
            let towards = left + square * *slot;
            let new = (towards.abs() - l1).max(0.0).copysign(towards) / (square + l2);
            let change = new - *slot;
            if change == 0.0 {
                continue;
            }
            *slot = new;
            gain += (square + l2) * change * change / 2.0;
            let Some(products) = self.gram.products.get(column * width..(column + 1) * width) else { continue };
            subtract(change, products, &mut self.left);
        }
        gain
    }

    /// What is left, computed anew, so that rounding errors of many changes do not add up.
    fn refresh(&mut self) {
        self.left.clone_from(&self.gram.with_target);
        let rows = self.gram.products.chunks_exact(self.left.len().max(1));
        for (coefficient, products) in self.coefficients.iter().zip(rows) {
            if *coefficient != 0.0 {
                subtract(*coefficient, products, &mut self.left);
            }
        }
    }

    /// The duality gap of scikit-learn's `ElasticNet`: what is left, shrunk until it is feasible, is the dual point; the
    /// l2 penalty counts as one more row a column (Kim et al. 2007, "An interior-point method for large-scale
    /// l1-regularized least squares"). Written so that no term can be negative and near the minimum none cancels.
    fn gap(&self) -> f64 {
        let Penalty { l1, l2 } = self.penalty;
        let pairs = || self.coefficients.iter().zip(&self.left);
        let steepest = pairs().fold(0.0_f64, |most, (w, left)| most.max((left - l2 * w).abs()));
        let shrink = if steepest > l1 { l1 / steepest } else { 1.0 };
        let explained = self.gram.with_target.iter().zip(pairs()).map(|(b, (w, left))| w * (b + left));
        let squares = (self.gram.target - explained.sum::<f64>()).max(0.0)
            + l2 * self.coefficients.iter().map(|w| w * w).sum::<f64>();
        let complementary = pairs().map(|(w, left)| (l1 * w.abs() - shrink * w * (left - l2 * w)).max(0.0));
        (1.0 - shrink) * (1.0 - shrink) / 2.0 * squares + complementary.sum::<f64>()
    }
}

vectorized! {
    fn subtract(times: f64, what: &[f64], from: &mut [f64]) {
        for (slot, value) in from.iter_mut().zip(what) {
            *slot -= times * value;
        }
    }
}
