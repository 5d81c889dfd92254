//! The table of one row an entity.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, NamedFrom, Series};

use super::fitted::Fitted;
use crate::algorithms::kmeans::Assignment;
use crate::stages::contract::Failure;
use crate::stages::segmentation::input::Rows;
use crate::stages::segmentation::profiles::{self, NAME};
use crate::table::{AS_OF, Class, Column, TableSchema};

/// The columns after the entity.
pub const SEGMENT_COLUMNS: [&str; 6] = [AS_OF, "segment", NAME, "distance", "confidence", "model_version"];

/// The schema; `strictest` is the class of what tells a segment.
pub fn schema(entity: Column, strictest: Class, run_date: NaiveDate) -> TableSchema {
    let own = ["distance", "confidence"].map(|name| (name, DataType::Float64));
    profiles::segments_schema(entity, strictest, run_date, own)
}

pub fn segments(
    rows: &Rows,
    found: &Assignment,
    confidence: Vec<f64>,
    fitted: &Fitted,
    made: (&str, NaiveDate),
) -> Result<DataFrame, Failure> {
    let groups = fitted.clusters.iter().map(|cluster| (cluster.segment, cluster.name.text.clone()));
    let own = [Series::new("distance".into(), found.distances.to_vec()), Series::new("confidence".into(), confidence)];
    profiles::segments(rows, found.labels.iter().copied(), groups, own, made)
}
