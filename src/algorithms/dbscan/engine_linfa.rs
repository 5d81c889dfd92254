//! linfa-clustering's DBSCAN.

use linfa::ParamGuard;
use linfa::traits::Transformer;
use linfa_clustering::Dbscan;
use linfa_nn::CommonNearestNeighbour;
use linfa_nn::distance::{Distance, L1Dist, L2Dist};
use ndarray::ArrayView2;

use super::{DbscanError, Metric, Params};

/// The cluster of each row and their number; rows have length one where directions are compared.
pub(super) fn labels(x: ArrayView2<'_, f64>, params: &Params) -> Result<(Vec<Option<usize>>, usize), DbscanError> {
    match params.metric {
        Metric::Euclidean => by(x, params, params.radius, L2Dist),
        Metric::Manhattan => by(x, params, params.radius, L1Dist),
        Metric::Cosine => by(x, params, (2.0 * params.radius).sqrt(), L2Dist),
    }
}

fn by<D: Distance<f64>>(
    x: ArrayView2<'_, f64>,
    params: &Params,
    radius: f64,
    distance: D,
) -> Result<(Vec<Option<usize>>, usize), DbscanError> {
    let valid = Dbscan::params_with(params.min_points, distance, CommonNearestNeighbour::KdTree)
        .tolerance(radius)
        .check()
        .map_err(|error| DbscanError::Linfa(error.to_string()))?;
    let labels = valid.transform(&x).to_vec();
    let clusters = labels.iter().flatten().max().map_or(0, |last| last + 1);
    Ok((labels, clusters))
}
