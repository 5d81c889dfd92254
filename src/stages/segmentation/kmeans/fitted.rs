//! The model's file.

use indexmap::IndexMap;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::algorithms::kmeans::{self, Assignment};
use crate::algorithms::scale::Scaler;
use crate::stages::contract::Failure;
use crate::stages::segmentation::identity::{self, Earlier, Numbers, Segments};
use crate::stages::segmentation::names::{self, Name};
use crate::stages::segmentation::preparation::Preparation;

/// Everything that is needed to apply the model: prepare the columns, take the segment of the nearest centroid, of
/// equally near ones the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    pub preparation: Preparation,
    /// Ascending by segment.
    pub clusters: Vec<Cluster>,
    /// The first number that no segment ever had.
    pub next_segment: i64,
    /// Sum of the squared distances of the rows fitted on to their centroids, in prepared units, each times its weight.
    pub inertia: f64,
    pub iterations: usize,
    /// Whether it came to rest before the iterations were used up.
    pub converged: bool,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub segment: i64,
    /// In plain words, unlike all others.
    pub name: Name,
    /// Rows fitted on.
    pub size: usize,
    /// The coordinates in prepared units.
    pub centroid: Vec<f64>,
    /// The same in the units of the input.
    pub original: IndexMap<String, f64>,
}

impl Segments for Fitted {
    fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    fn next_segment(&self) -> i64 {
        self.next_segment
    }

    fn segments(&self) -> Vec<(i64, Name, IndexMap<String, f64>)> {
        let clusters = self.clusters.iter();
        clusters.map(|cluster| (cluster.segment, cluster.name.clone(), cluster.original.clone())).collect()
    }
}

impl Fitted {
    /// Numbers and names the clusters of the prepared rows, and says where they lie in the units of the input.
    pub fn new(
        preparation: Preparation,
        clustering: kmeans::KMeans,
        prepared: ArrayView2<'_, f64>,
        earlier: Option<&Earlier>,
    ) -> Result<(Fitted, Numbers), Failure> {
        let (numbers, kept) = identity::identify(earlier, &clustering.centroids);
        let shape = (clustering.centroids.len(), prepared.ncols());
        let centroids = Array2::from_shape_vec(shape, clustering.centroids.concat()).map_err(bug)?;
        // Off the mean of all rows, whether the columns were scaled or not.
        let all = Scaler::standard(prepared).map_err(bug)?;
        let deviations = all.transform(centroids.view()).map_err(bug)?;
        let words = deviations.slice(ndarray::s![.., ..preparation.columns.len()]);
        let names = names::names(&preparation.columns, words, &kept);
        let mut clusters = Vec::new();
        let found = clustering.centroids.into_iter().zip(clustering.sizes).zip(&numbers.numbers).zip(names);
        for (((centroid, size), &segment), name) in found {
            let original = preparation.original(&centroid)?;
            clusters.push(Cluster { segment, name, size, centroid, original });
        }
        clusters.sort_by_key(|cluster| cluster.segment);
        let fitted = Fitted {
            preparation,
            clusters,
            next_segment: numbers.next,
            inertia: clustering.inertia,
            iterations: clustering.iterations,
            converged: clustering.converged,
        };
        Ok((fitted, numbers))
    }

    /// The cluster (its place) and distance of each prepared row.
    pub fn assign(&self, prepared: ArrayView2<'_, f64>) -> Result<Assignment, Failure> {
        self.clustering().predict(prepared).map_err(bug)
    }

    fn clustering(&self) -> kmeans::KMeans {
        let centroids = self.clusters.iter().map(|cluster| cluster.centroid.clone()).collect();
        kmeans::KMeans { centroids, ..kmeans::KMeans::default() }
    }

    /// How far each row is from being in its nearest other segment: 1 − distance / distance to the second centroid.
    pub fn confidence(&self, prepared: ArrayView2<'_, f64>, found: &Assignment) -> Result<Vec<f64>, Failure> {
        let second = self.clustering().second(prepared, &found.labels).map_err(bug)?;
        let confidence = |(near, next): (&f64, f64)| if next > 0.0 { 1.0 - near / next } else { 0.0 };
        Ok(found.distances.iter().zip(second).map(confidence).collect())
    }
}

/// Values are finite and widths agree by then.
fn bug(error: impl std::error::Error) -> Failure {
    Failure::bug(error.to_string())
}
