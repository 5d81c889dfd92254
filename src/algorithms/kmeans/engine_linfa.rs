//! linfa-clustering's k-means, and this crate's k-means behind linfa's traits.

use super::{Init, KMeans, KMeansError, Params};
use linfa::DatasetBase;
use linfa::prelude::ParamGuard;
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, ArrayBase, ArrayView2, Data, Ix2};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;

/// Fits with linfa (k-means++, Lloyd). Sizes and inertia are computed here from the centroids: the
/// published `cluster_count()` is that of the last start rather than the best, and its inertia is
/// a mean over rows taken one move before the end.
pub(super) fn fit(x: ArrayView2<'_, f64>, params: &Params, rng: &mut impl Rng) -> Result<KMeans, KMeansError> {
    let rng = Xoshiro256Plus::seed_from_u64(rng.r#gen());
    let fitted = linfa_clustering::KMeans::params_with_rng(params.clusters, rng)
        .init_method(match params.init {
            Init::PlusPlus => linfa_clustering::KMeansInit::KMeansPlusPlus,
            Init::Random => linfa_clustering::KMeansInit::Random,
        })
        .n_runs(params.restarts.max(1))
        .max_n_iterations(params.max_iterations.max(1) as u64)
        // linfa demands a tolerance above zero.
        .tolerance(params.tolerance.max(f64::MIN_POSITIVE))
        .check()
        .map_err(|error| KMeansError::LinfaKMeans(error.into()))?
        .fit(&DatasetBase::from(x))?;
    let centroids: Vec<Vec<f64>> = fitted.centroids().rows().into_iter().map(|c| c.to_vec()).collect();
    let mut sizes = vec![0; centroids.len()];
    let unordered = KMeans { centroids, ..KMeans::default() };
    let assignment = unordered.predict(x)?;
    for &label in &assignment.labels {
        if let Some(size) = sizes.get_mut(label) {
            *size += 1;
        }
    }
    let inertia = assignment.distances.iter().map(|d| d * d).sum();
    let clusters = unordered.centroids.into_iter().zip(sizes);
    Ok(KMeans::canonical(clusters, inertia, params.max_iterations.max(1), true))
}

/// [`Params`] with the state of a random number generator: what linfa's `Fit` needs to run.
#[derive(Debug, Clone)]
pub struct Seeded<R> {
    /// How to fit.
    pub params: Params,
    /// Where random numbers come from; cloned, so that fitting twice gives the same model.
    pub rng: R,
}

impl<R: Rng + Clone, D: Data<Elem = f64>, T> Fit<ArrayBase<D, Ix2>, T, KMeansError> for Seeded<R> {
    type Object = KMeans;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<KMeans, KMeansError> {
        super::fit(dataset.records().view(), &self.params, &mut self.rng.clone())
    }
}

/// Rows that cannot be assigned (another width, NaN or infinity) get the label `usize::MAX`, since
/// the trait has no errors; [`KMeans::predict`] reports them.
impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<usize>> for KMeans {
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<usize>) {
        match KMeans::predict(self, x.view()) {
            Ok(assignment) => *y = assignment.labels,
            Err(_) => y.fill(usize::MAX),
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(x.nrows())
    }
}
