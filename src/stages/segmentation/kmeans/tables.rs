//! The table of one row an entity.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IdxCa, IdxSize, IntoColumn, NamedFrom, Series};

use super::fitted::Fitted;
use crate::algorithms::kmeans::Assignment;
use crate::stages::contract::Failure;
use crate::stages::segmentation::input::Rows;
use crate::stages::segmentation::profiles::{NAME, as_of, versions};
use crate::table::{AS_OF, Class, Column, TableSchema};

/// The columns after the entity.
pub const SEGMENT_COLUMNS: [&str; 6] = [AS_OF, "segment", NAME, "distance", "confidence", "model_version"];

/// The schema; `strictest` is the class of what tells a segment.
pub fn schema(entity: Column, strictest: Class, run_date: NaiveDate) -> TableSchema {
    let key = vec![entity.name.clone(), AS_OF.to_owned()];
    let columns = vec![
        entity,
        Column::new(AS_OF, DataType::Date),
        Column::new("segment", DataType::Int64).class(strictest),
        Column::new(NAME, DataType::String).class(strictest),
        Column::new("distance", DataType::Float64).class(strictest),
        Column::new("confidence", DataType::Float64).class(strictest),
        Column::new("model_version", DataType::String),
    ];
    TableSchema { columns, key, snapshots: vec![run_date], ..TableSchema::default() }
}

pub fn segments(
    rows: &Rows,
    found: &Assignment,
    confidence: Vec<f64>,
    fitted: &Fitted,
    (version, run_date): (&str, NaiveDate),
) -> Result<DataFrame, Failure> {
    let count = found.labels.len();
    // Each number and name is kept once, however many rows have it.
    let places = IdxCa::from_vec("".into(), found.labels.iter().map(|&label| label as IdxSize).collect());
    let numbers: Vec<i64> = fitted.clusters.iter().map(|cluster| cluster.segment).collect();
    let names: Vec<&str> = fitted.clusters.iter().map(|cluster| cluster.name.text.as_str()).collect();
    let columns = vec![
        rows.entities.clone(),
        as_of(run_date, count),
        Series::new("segment".into(), numbers).take(&places)?.into_column(),
        Series::new(NAME.into(), names).take(&places)?.into_column(),
        Series::new("distance".into(), found.distances.to_vec()).into_column(),
        Series::new("confidence".into(), confidence).into_column(),
        versions(version, count),
    ];
    Ok(DataFrame::new(count, columns)?)
}
