//! The model's file.

use indexmap::IndexMap;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::options::{Scale, Transform};
use super::{KMeans, names, prepare};
use crate::algorithms::kmeans::{self, Assignment};
use crate::algorithms::scale::StandardScaler;
use crate::stages::contract::Failure;

/// Everything that is needed to apply the model: fill what is missing, transform in the order in which
/// the changes stand, subtract the mean and divide by the scale; the segment is that of the nearest
/// centroid, of equally near ones the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The columns, in the order of every list here.
    pub columns: Vec<String>,
    /// What stands for a missing value of each column.
    pub missing: Vec<f64>,
    pub transform: Transform,
    /// None where the columns are not scaled.
    pub scaler: Option<StandardScaler>,
    pub clusters: Vec<Cluster>,
    /// Sum of the squared distances of the rows fitted on to their centroids, in prepared units.
    pub inertia: f64,
    pub iterations: usize,
    /// Whether it came to rest before the iterations were used up.
    pub converged: bool,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// From 1.
    pub segment: i64,
    /// In plain words, unlike all others.
    pub name: String,
    /// Rows fitted on.
    pub size: usize,
    /// The coordinates in prepared units.
    pub centroid: Vec<f64>,
    /// The same in the units of the input.
    pub original: IndexMap<String, f64>,
}

impl Fitted {
    /// Learns how to prepare the rows; there are no clusters yet.
    pub fn preparing(stage: &KMeans, raw: &Array2<f64>) -> Result<Fitted, Failure> {
        let mut fitted = Fitted {
            columns: stage.columns.clone(),
            missing: prepare::medians(raw, &stage.columns)?,
            transform: stage.transform.clone(),
            scaler: None,
            clusters: vec![],
            inertia: 0.0,
            iterations: 0,
            converged: false,
        };
        if stage.scale == Scale::Standard {
            let values = fitted.prepare(raw)?;
            fitted.scaler = Some(StandardScaler::fit(values.view()).map_err(bug)?);
        }
        Ok(fitted)
    }

    /// Rows in the units in which distances are taken.
    pub fn prepare(&self, raw: &Array2<f64>) -> Result<Array2<f64>, Failure> {
        let mut values = prepare::impute(raw, &self.missing);
        prepare::transform(&mut values, &self.columns, &self.transform)?;
        match &self.scaler {
            Some(scaler) => scaler.transform(values.view()).map_err(bug),
            None => Ok(values),
        }
    }

    /// Takes over the clusters of the prepared rows, names them, and says where they lie in the units of the
    /// input.
    pub fn describe(&mut self, clustering: kmeans::KMeans, prepared: ArrayView2<'_, f64>) -> Result<(), Failure> {
        let names = self.names(&clustering, prepared)?;
        let mut clusters = Vec::new();
        let found = clustering.centroids.into_iter().zip(clustering.sizes);
        for (((centroid, size), segment), name) in found.zip(1..).zip(names) {
            let original = self.columns.iter().cloned().zip(self.original(&centroid)?).collect();
            clusters.push(Cluster { segment, name, size, centroid, original });
        }
        self.clusters = clusters;
        self.inertia = clustering.inertia;
        self.iterations = clustering.iterations;
        self.converged = clustering.converged;
        Ok(())
    }

    /// From how far the centroids lie from the mean of all rows, whether the columns were scaled or not.
    fn names(&self, clustering: &kmeans::KMeans, prepared: ArrayView2<'_, f64>) -> Result<Vec<String>, Failure> {
        let shape = (clustering.centroids.len(), self.columns.len());
        let centroids = Array2::from_shape_vec(shape, clustering.centroids.concat()).map_err(bug)?;
        let all = StandardScaler::fit(prepared).map_err(bug)?;
        Ok(names::names(&self.columns, all.transform(centroids.view()).map_err(bug)?.view()))
    }

    fn original(&self, centroid: &[f64]) -> Result<Vec<f64>, Failure> {
        let mut point = ArrayView2::from_shape((1, centroid.len()), centroid).map_err(bug)?.to_owned();
        if let Some(scaler) = &self.scaler {
            point = scaler.inverse(point.view()).map_err(bug)?;
        }
        let values = self.columns.iter().zip(point.iter());
        Ok(values.map(|(name, value)| if self.transform.logs(name) { value.exp_m1() } else { *value }).collect())
    }

    /// The cluster (from 0) and distance of each prepared row.
    pub fn assign(&self, prepared: ArrayView2<'_, f64>) -> Result<Assignment, Failure> {
        let centroids = self.clusters.iter().map(|cluster| cluster.centroid.clone()).collect();
        let clustering = kmeans::KMeans { centroids, ..kmeans::KMeans::default() };
        clustering.predict(prepared).map_err(bug)
    }
}

/// Values are finite and widths agree by then.
fn bug(error: impl std::error::Error) -> Failure {
    Failure::bug(error.to_string())
}
