//! What happened where much and where little was predicted.

use serde::Serialize;

/// One of equally large slices of the rows ordered by prediction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// From 1, the highest predictions.
    pub slice: usize,
    /// Rows in it.
    pub rows: usize,
    /// Mean prediction.
    pub mean_predicted: f64,
    /// Mean of the truth. Rows of equal prediction share their truth evenly across a border between
    /// slices.
    pub mean_actual: f64,
}

/// `count` slices, 10 for deciles, of rows that [`super::check`] has passed. Sizes differ by at most
/// one, the larger ones first, as SQL's `NTILE`; with fewer rows than slices the last are left out.
pub fn slices(truth: &[f64], predicted: &[f64], count: usize) -> Vec<Slice> {
    let shared = shared_truth(truth, predicted);
    let rows = shared.len();
    let mut rest = shared.as_slice();
    let mut slices = Vec::with_capacity(count.min(rows));
    for slice in 1..=count.min(rows) {
        let size = rows / count + usize::from(slice <= rows % count);
        let (own, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let mean = |of: fn(&(f64, f64)) -> f64| own.iter().map(of).sum::<f64>() / size as f64;
        slices.push(Slice { slice, rows: size, mean_predicted: mean(|row| row.0), mean_actual: mean(|row| row.1) });
    }
    slices
}

/// Predictions from the highest, each with the mean truth of its equals.
fn shared_truth(truth: &[f64], predicted: &[f64]) -> Vec<(f64, f64)> {
    let mut rows: Vec<(f64, f64)> = predicted.iter().zip(truth).map(|(p, t)| (p + 0.0, *t)).collect();
    // By truth too, so that sums do not depend on the order of rows.
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)));
    for equal in rows.chunk_by_mut(|a, b| a.0 == b.0) {
        let mean = equal.iter().map(|row| row.1).sum::<f64>() / equal.len() as f64;
        equal.iter_mut().for_each(|row| row.1 = mean);
    }
    rows
}
