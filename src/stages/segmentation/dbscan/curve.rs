//! The curve of distances that a radius is looked for in.

use ndarray::ArrayView2;

use super::Dbscan;
use crate::algorithms::dbscan::{distances_to_nearest, knee};
use crate::metrics::evaluation::Chart;
use crate::stages::contract::{Failure, StageContext};
use crate::stages::segmentation::judge::rng;

/// The distances of more rows are those of a sample.
pub const ROWS_MAX: usize = 10_000;
/// Points that are drawn, and of how many rows each is the mean at the least.
const POINTS_MAX: usize = 200;
const POINT_ROWS_MIN: usize = 10;

/// Distances to the nearest rows, ascending, and the radius found in them.
pub struct Curve {
    distances: Vec<f64>,
    pub radius: f64,
}

impl Curve {
    pub fn of(stage: &Dbscan, x: ArrayView2<'_, f64>, context: &StageContext) -> Result<Curve, Failure> {
        let mut rng = rng(context);
        let distances = distances_to_nearest(x, stage.metric.into(), stage.min_points, ROWS_MAX, &mut rng)
            .map_err(|error| Failure::data(format!("could not {error}")))?;
        let radius = knee(&distances).and_then(|place| distances.get(place).copied()).filter(|radius| *radius > 0.0);
        let radius = radius.ok_or_else(|| {
            Failure::data(
                "no radius was found: the distances to the nearest rows have no knee above zero; say one with `radius: \
                 <number>`",
            )
        })?;
        Ok(Curve { distances, radius })
    }

    /// The curve over the level of its knee. No point of it is a single row's: each is the mean of ten or more.
    pub fn chart(&self) -> Chart {
        let step = self.distances.len().div_ceil(POINTS_MAX).max(POINT_ROWS_MIN);
        let rows = self.distances.len() as f64;
        let points = (self.distances.len() / step).max(1);
        let point = |place: usize| {
            // What is left over belongs to the last point.
            let end = if place + 1 == points { self.distances.len() } else { (place + 1) * step };
            let some = self.distances.get(place * step..end).unwrap_or_default();
            let middle = place as f64 * step as f64 + (some.len() as f64 - 1.0) / 2.0;
            (middle / rows, some.iter().sum::<f64>() / some.len() as f64)
        };
        Chart::Line {
            title: "Distances to the nearest rows, and the radius at their knee".to_owned(),
            x: "share of rows".to_owned(),
            y: "distance".to_owned(),
            points: (0..points).map(point).collect(),
            reference: vec![(0.0, self.radius), (1.0, self.radius)],
        }
    }
}
