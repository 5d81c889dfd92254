//! The model's files: how rows are prepared, what the segments are, and the core points.

use std::io::Cursor;

use indexmap::IndexMap;
use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::{
    DataFrame, IntoColumn, NamedFrom, ParquetCompression, ParquetReader, ParquetWriter, SerReader, Series,
};
use serde::{Deserialize, Serialize};

use crate::algorithms::dbscan::{self, CorePoints, Params};
use crate::algorithms::scale::Scaler;
use crate::stages::contract::Failure;
use crate::stages::model::Model;
use crate::stages::segmentation::identity::{self, Earlier, Numbers, Segments};
use crate::stages::segmentation::names::{self, Name};
use crate::stages::segmentation::pictures::NOISE;
use crate::stages::segmentation::preparation::Preparation;
use crate::stages::segmentation::profiles::Group;
use crate::table;

/// The file of the core points: `segment`, and the prepared columns `x0`, `x1`, … in the order of
/// [`Preparation::names`].
pub const CORE_POINTS: &str = "core_points.parquet";

/// What noise is called.
const NOISE_NAME: &str = "noise";

/// Everything that is needed to apply the model but the core points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    pub preparation: Preparation,
    pub metric: dbscan::Metric,
    /// In prepared units.
    pub radius: f64,
    pub min_points: usize,
    /// Ascending by segment.
    pub clusters: Vec<Cluster>,
    /// Rows fitted on that are of no segment.
    pub noise: usize,
    /// The first number that no segment ever had.
    pub next_segment: i64,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub segment: i64,
    /// In plain words, unlike all others.
    pub name: Name,
    /// Rows fitted on, and core points among them.
    pub size: usize,
    pub core_points: usize,
    /// The mean of the core points, in prepared units.
    pub center: Vec<f64>,
    /// The same in the units of the input.
    pub original: IndexMap<String, f64>,
}

/// What an entity is to its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    Core,
    Border,
    Noise,
}

/// Where each row belongs.
pub struct Placed {
    /// The place of its cluster in [`Fitted::clusters`]; none for noise.
    pub clusters: Vec<Option<usize>>,
    pub points: Vec<Point>,
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

/// A cluster as it was found.
#[derive(Default, Clone)]
struct Found {
    place: usize,
    size: usize,
    core_points: usize,
    center: Vec<f64>,
}

impl Fitted {
    /// Numbers and names the clusters.
    pub fn new(
        preparation: Preparation,
        params: &Params,
        found: dbscan::Dbscan,
        x: ArrayView2<'_, f64>,
        earlier: Option<&Earlier>,
    ) -> Result<(Fitted, Placed, Numbers), Failure> {
        let mut all = described(&found, x);
        // Stable: of equally large ones the one found first.
        all.sort_by_key(|cluster| std::cmp::Reverse(cluster.size));
        let centers: Vec<Vec<f64>> = all.iter().map(|cluster| cluster.center.clone()).collect();
        let (numbers, kept) = identity::identify(earlier, &centers);
        let centers = Array2::from_shape_vec((all.len(), x.ncols()), centers.concat()).map_err(bug)?;
        let deviations = Scaler::standard(x).and_then(|all| all.transform(centers.view())).map_err(bug)?;
        let words = deviations.slice(ndarray::s![.., ..preparation.columns.len()]);
        let names = names::names(&preparation.columns, words, &kept);
        let mut clusters = Vec::new();
        for ((found, &segment), name) in all.into_iter().zip(&numbers.numbers).zip(names) {
            let Found { place, size, core_points, center } = found;
            let original = preparation.original(&center)?;
            clusters.push((place, Cluster { segment, name, size, core_points, center, original }));
        }
        clusters.sort_by_key(|(_, cluster)| cluster.segment);
        let mut places = vec![0; clusters.len()];
        for (now, (found, _)) in clusters.iter().enumerate() {
            if let Some(place) = places.get_mut(*found) {
                *place = now;
            }
        }
        let labels = found.labels.iter().map(|label| label.and_then(|label| places.get(label).copied()));
        let points = found.labels.iter().zip(&found.cores).map(|(label, core)| match (label, core) {
            (None, _) => Point::Noise,
            (Some(_), true) => Point::Core,
            (Some(_), false) => Point::Border,
        });
        let placed = Placed { clusters: labels.collect(), points: points.collect() };
        let fitted = Fitted {
            preparation,
            metric: params.metric,
            radius: params.radius,
            min_points: params.min_points,
            clusters: clusters.into_iter().map(|(_, cluster)| cluster).collect(),
            noise: found.labels.iter().filter(|label| label.is_none()).count(),
            next_segment: numbers.next,
        };
        Ok((fitted, placed, numbers))
    }

    /// The segments, and noise after them.
    pub fn groups(&self) -> Vec<Group> {
        let noise = Group { segment: NOISE, name: NOISE_NAME.to_owned(), fitted: self.noise };
        let of = |cluster: &Cluster| Group {
            segment: cluster.segment,
            name: cluster.name.text.clone(),
            fitted: cluster.size,
        };
        [noise].into_iter().chain(self.clusters.iter().map(of)).collect()
    }

    /// Places new rows by the core points of the model.
    pub fn place(&self, model: &Model, x: ArrayView2<'_, f64>) -> Result<Placed, Failure> {
        let (points, segments) = self.read_core_points(model)?;
        if segments.is_empty() {
            return Ok(Placed { clusters: vec![None; x.nrows()], points: vec![Point::Noise; x.nrows()] });
        }
        let could_not = |error: dbscan::DbscanError| Failure::data(format!("could not {error}"));
        let points = CorePoints::new(points.view(), self.metric).map_err(could_not)?;
        let found = points.nearest(x, self.radius).map_err(could_not)?;
        let cluster = |found: &Option<(usize, f64)>| {
            let segment = segments.get((*found)?.0)?;
            self.clusters.iter().position(|cluster| cluster.segment == *segment)
        };
        let point = |found: &Option<(usize, f64)>| match found {
            None => Point::Noise,
            Some((_, apart)) if *apart == 0.0 => Point::Core,
            Some(_) => Point::Border,
        };
        Ok(Placed { clusters: found.iter().map(cluster).collect(), points: found.iter().map(point).collect() })
    }

    fn read_core_points(&self, model: &Model) -> Result<(Array2<f64>, Vec<i64>), Failure> {
        let bytes = model.files.get(CORE_POINTS).map(Vec::as_slice).unwrap_or_default();
        let frame = ParquetReader::new(Cursor::new(bytes))
            .finish()
            .map_err(|_| Failure::data(format!("the earlier model cannot be read: its `{CORE_POINTS}` is damaged")))?;
        let segments = frame.column("segment")?.i64()?.iter().flatten().collect();
        Ok((table::matrix(&frame, &self.coordinates())?, segments))
    }

    /// The names of the prepared columns in the file.
    fn coordinates(&self) -> Vec<String> {
        (0..self.preparation.names().len()).map(|place| format!("x{place}")).collect()
    }
}

impl Placed {
    /// The place of each row's group: noise first, then the segments.
    pub fn places(&self, groups: usize) -> Vec<usize> {
        self.clusters
            .iter()
            .map(|cluster| cluster.map_or(0, |cluster| cluster + 1).min(groups.saturating_sub(1)))
            .collect()
    }

    /// The core points as a file.
    pub fn core_points(&self, x: ArrayView2<'_, f64>, fitted: &Fitted) -> Result<Vec<u8>, Failure> {
        let rows: Vec<usize> =
            self.points.iter().enumerate().filter(|(_, point)| **point == Point::Core).map(|(row, _)| row).collect();
        let segment = |row: &usize| {
            let cluster = self.clusters.get(*row).copied().flatten()?;
            fitted.clusters.get(cluster).map(|cluster| cluster.segment)
        };
        let segments: Vec<i64> = rows.iter().filter_map(segment).collect();
        let points = x.select(Axis(0), &rows);
        let mut columns = vec![Series::new("segment".into(), segments).into_column()];
        for (name, values) in fitted.coordinates().into_iter().zip(points.columns()) {
            columns.push(Series::new(name.as_str().into(), values.to_vec()).into_column());
        }
        let mut frame = DataFrame::new(rows.len(), columns)?;
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Zstd(None)).finish(&mut frame)?;
        Ok(bytes)
    }
}

/// Sizes and centers of the clusters, in the order in which they were found.
fn described(found: &dbscan::Dbscan, x: ArrayView2<'_, f64>) -> Vec<Found> {
    let empty = |place: usize| Found { place, center: vec![0.0; x.ncols()], ..Found::default() };
    let mut all: Vec<Found> = (0..found.clusters).map(empty).collect();
    for ((label, core), row) in found.labels.iter().zip(&found.cores).zip(x.rows()) {
        let Some(cluster) = label.and_then(|label| all.get_mut(label)) else { continue };
        cluster.size += 1;
        if *core {
            cluster.core_points += 1;
            cluster.center.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    }
    for Found { core_points, center, .. } in &mut all {
        center.iter_mut().for_each(|sum| *sum /= *core_points as f64);
    }
    all
}

/// Values are finite and widths agree by then.
fn bug(error: impl std::error::Error) -> Failure {
    Failure::bug(error.to_string())
}
