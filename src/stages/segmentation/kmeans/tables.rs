//! The output tables.

use ndarray::{Array1, Array2};
use polars::prelude::{
    Column as Values, DataFrame, DataType, IdxCa, IdxSize, IntoColumn, IntoLazy, LazyFrame, NamedFrom, Series,
};

use super::fitted::Fitted;
use crate::algorithms::kmeans::Assignment;
use crate::stages::contract::Failure;
use crate::table::{Column, TableSchema};

/// The columns of `segments` after the entity.
pub const SEGMENT_COLUMNS: [&str; 4] = ["segment", NAME, "distance", "model_version"];

const NAME: &str = "segment_name";

/// The entities, ascending, and what they are called.
pub struct Entities {
    pub name: String,
    pub column: Values,
}

/// The table `profiles`, and what of it the report shows.
pub struct Profiles {
    pub frame: DataFrame,
    pub rows: Vec<ProfileRow>,
}

/// One segment.
pub struct ProfileRow {
    pub segment: i64,
    pub name: String,
    /// Rows that the segment was fitted on, and so its name.
    pub fitted: usize,
    pub size: usize,
    pub share: f64,
    /// Of each column's known values.
    pub means: Vec<Option<f64>>,
    /// How many rows have a value in each column.
    pub known: Vec<usize>,
}

/// The schemas of `segments` and `profiles`.
pub fn schemas(entity: Column, features: &TableSchema, columns: &[String]) -> Vec<TableSchema> {
    let class = |name: &str| features.column(name).map(|column| column.class).unwrap_or_default();
    let strictest = columns.iter().map(|name| class(name)).max().unwrap_or_default();
    let segment = || Column::new("segment", DataType::Int64).class(strictest);
    let name = || Column::new(NAME, DataType::String).class(strictest);
    let version = || Column::new("model_version", DataType::String);
    let key = vec![entity.name.clone()];
    let distance = Column::new("distance", DataType::Float64).class(strictest);
    let columns_of = vec![entity, segment(), name(), distance, version()];
    let segments = TableSchema { columns: columns_of, key, ..TableSchema::default() };
    let (size, share) = (Column::new("size", DataType::Int64), Column::new("share", DataType::Float64));
    let mut described = vec![segment(), name(), size, share];
    described.extend(columns.iter().map(|name| Column::new(mean_of(name), DataType::Float64).class(class(name))));
    described.push(version());
    let profiles = TableSchema { columns: described, key: vec!["segment".to_owned()], ..TableSchema::default() };
    vec![segments, profiles]
}

fn mean_of(name: &str) -> String {
    format!("mean_{name}")
}

/// One row per entity.
pub fn segments(entities: Entities, found: &Assignment, fitted: &Fitted, version: &str) -> Result<DataFrame, Failure> {
    let segments: Vec<i64> = found.labels.iter().map(|&label| label as i64 + 1).collect();
    let names: Vec<&str> = fitted.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    // Each name is kept once, however many rows have it.
    let places = IdxCa::from_vec(NAME.into(), found.labels.iter().map(|&label| label as IdxSize).collect());
    let columns = vec![
        entities.column,
        Series::new("segment".into(), segments).into_column(),
        Series::new(NAME.into(), names).take(&places)?.into_column(),
        Series::new("distance".into(), found.distances.to_vec()).into_column(),
        versions(version, found.labels.len()),
    ];
    Ok(DataFrame::new(found.labels.len(), columns)?)
}

/// One row per segment, also of those without rows.
pub fn profiles(
    raw: &Array2<f64>,
    labels: &Array1<usize>,
    fitted: &Fitted,
    version: &str,
) -> Result<Profiles, Failure> {
    let mut sums = vec![vec![(0.0, 0_usize); raw.ncols()]; fitted.clusters.len()];
    let mut sizes = vec![0_usize; fitted.clusters.len()];
    for (row, &label) in raw.rows().into_iter().zip(labels) {
        let (Some(sums), Some(size)) = (sums.get_mut(label), sizes.get_mut(label)) else { continue };
        *size += 1;
        for ((sum, known), value) in sums.iter_mut().zip(row).filter(|(_, value)| !value.is_nan()) {
            *sum += value;
            *known += 1;
        }
    }
    let row = |((cluster, size), sums): ((&super::fitted::Cluster, usize), Vec<(f64, usize)>)| ProfileRow {
        segment: cluster.segment,
        name: cluster.name.clone(),
        fitted: cluster.size,
        size,
        share: size as f64 / raw.nrows().max(1) as f64,
        means: sums.iter().map(|(sum, known)| (*known > 0).then(|| sum / *known as f64)).collect(),
        known: sums.iter().map(|(_, known)| *known).collect(),
    };
    let rows: Vec<ProfileRow> = fitted.clusters.iter().zip(sizes).zip(sums).map(row).collect();
    let mut columns = vec![
        Series::new("segment".into(), rows.iter().map(|row| row.segment).collect::<Vec<_>>()).into_column(),
        Series::new(NAME.into(), rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>()).into_column(),
        Series::new("size".into(), rows.iter().map(|row| row.size as i64).collect::<Vec<_>>()).into_column(),
        Series::new("share".into(), rows.iter().map(|row| row.share).collect::<Vec<_>>()).into_column(),
    ];
    for (index, name) in fitted.columns.iter().enumerate() {
        let means: Vec<Option<f64>> = rows.iter().map(|row| row.means.get(index).copied().flatten()).collect();
        columns.push(Series::new(mean_of(name).into(), means).into_column());
    }
    columns.push(versions(version, rows.len()));
    Ok(Profiles { frame: DataFrame::new(rows.len(), columns)?, rows })
}

fn versions(version: &str, rows: usize) -> Values {
    Series::new("model_version".into(), vec![version; rows]).into_column()
}

pub fn lazy(frames: [DataFrame; 2]) -> Vec<LazyFrame> {
    frames.map(IntoLazy::lazy).into()
}
