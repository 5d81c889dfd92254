//! Measures of a clustering: how tight its clusters are and how far apart.
//!
//! Rows of equal label form a cluster; labels may skip numbers. With one cluster, or as many
//! clusters as rows, none of the measures exists.

mod agreement;
mod silhouette;
#[cfg(test)]
mod tests;

pub use agreement::{adjusted_rand, normalized_mutual_information};
pub use silhouette::{Silhouette, silhouette};

use super::{MetricError, check_lengths};
use ndarray::{Array1, Array2, ArrayView2};

/// Rows grouped by label.
struct Clusters {
    /// Positions of rows, cluster by cluster, ascending within.
    members: Vec<Vec<usize>>,
}

impl Clusters {
    /// Errors on no rows, a number of labels other than that of rows, and NaN or infinite values.
    fn new(x: ArrayView2<'_, f64>, labels: &[usize]) -> Result<Self, MetricError> {
        check_lengths(x.nrows(), labels.len())?;
        let bad = x.rows().into_iter().filter(|row| row.iter().any(|v| !v.is_finite())).count();
        if bad > 0 {
            return Err(MetricError::Invalid(bad));
        }
        let mut rows: Vec<usize> = (0..labels.len()).collect();
        let label = |row: &usize| labels.get(*row).copied();
        rows.sort_by_key(label);
        let members = rows.chunk_by(|a, b| label(a) == label(b)).map(<[usize]>::to_vec).collect();
        Ok(Self { members })
    }

    /// Whether measures exist for `rows` rows.
    fn is_measurable(&self, rows: usize) -> bool {
        self.members.len() > 1 && self.members.len() < rows
    }

    /// The mean of each cluster.
    fn centroids(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut centroids = Array2::zeros((self.members.len(), x.ncols()));
        for (mut centroid, rows) in centroids.rows_mut().into_iter().zip(&self.members) {
            rows.iter().for_each(|&row| centroid += &x.row(row));
            centroid /= rows.len() as f64;
        }
        centroids
    }
}

/// The Davies–Bouldin index (1979): the mean over clusters of the largest (sᵢ + sⱼ)/dᵢⱼ, s being the
/// mean distance of rows to their centroid and d that of centroids. Less is better, 0 the least;
/// pairs of equal centroids are passed over, as in scikit-learn. `None` where it does not exist.
pub fn davies_bouldin(x: ArrayView2<'_, f64>, labels: &[usize]) -> Result<Option<f64>, MetricError> {
    let clusters = Clusters::new(x, labels)?;
    if !clusters.is_measurable(x.nrows()) {
        return Ok(None);
    }
    let centroids = clusters.centroids(x);
    let spread = |(rows, centroid): (&Vec<usize>, ndarray::ArrayView1<'_, f64>)| {
        let sum: f64 = rows.iter().map(|&row| distance(&x.row(row), &centroid)).sum();
        sum / rows.len() as f64
    };
    let spreads: Array1<f64> = clusters.members.iter().zip(centroids.rows()).map(spread).collect();
    let count = spreads.len();
    let mut sum = 0.0;
    for i in 0..count {
        let likeness = (0..count).filter(|&j| j != i).map(|j| {
            let apart = distance(&centroids.row(i), &centroids.row(j));
            if apart > 0.0 { (spreads[i] + spreads[j]) / apart } else { 0.0 }
        });
        sum += likeness.fold(0.0, f64::max);
    }
    Ok(Some(sum / count as f64))
}

/// The Caliński–Harabasz index (1974): (B/(k − 1)) / (W/(n − k)), B and W being the sums of squared
/// distances of centroids (times their rows) to the common mean, and of rows to their centroids.
/// More is better; 1 when W is 0, as in scikit-learn. `None` where it does not exist.
pub fn calinski_harabasz(x: ArrayView2<'_, f64>, labels: &[usize]) -> Result<Option<f64>, MetricError> {
    let clusters = Clusters::new(x, labels)?;
    if !clusters.is_measurable(x.nrows()) {
        return Ok(None);
    }
    let Some(center) = x.mean_axis(ndarray::Axis(0)) else {
        return Ok(None);
    };
    let centroids = clusters.centroids(x);
    let of_cluster = |(rows, centroid): (&Vec<usize>, ndarray::ArrayView1<'_, f64>)| {
        rows.len() as f64 * distance(&centroid, &center.view()).powi(2)
    };
    let between: f64 = clusters.members.iter().zip(centroids.rows()).map(of_cluster).sum();
    let within = within(x, &clusters);
    let (rows, count) = (x.nrows() as f64, clusters.members.len() as f64);
    let index = between * (rows - count) / (within * (count - 1.0));
    Ok(Some(if within > 0.0 { index } else { 1.0 }))
}

/// The sum of the squared distances of rows to the mean of their cluster: what k-means makes small.
pub fn inertia(x: ArrayView2<'_, f64>, labels: &[usize]) -> Result<f64, MetricError> {
    Ok(within(x, &Clusters::new(x, labels)?))
}

fn within(x: ArrayView2<'_, f64>, clusters: &Clusters) -> f64 {
    let centroids = clusters.centroids(x);
    let of_cluster = |(rows, centroid): (&Vec<usize>, ndarray::ArrayView1<'_, f64>)| {
        rows.iter().map(|&row| distance(&x.row(row), &centroid).powi(2)).sum::<f64>()
    };
    clusters.members.iter().zip(centroids.rows()).map(of_cluster).sum()
}

/// The Euclidean distance.
fn distance(a: &ndarray::ArrayView1<'_, f64>, b: &ndarray::ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}
