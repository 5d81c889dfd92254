//! The table of one row an entity.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IdxCa, IdxSize, IntoColumn, NamedFrom, Series};

use super::fitted::{Fitted, Placed, Point};
use crate::stages::contract::Failure;
use crate::stages::segmentation::input::Rows;
use crate::stages::segmentation::profiles::{NAME, as_of, versions};
use crate::table::{AS_OF, Class, Column, TableSchema};

/// The columns after the entity.
pub const SEGMENT_COLUMNS: [&str; 5] = [AS_OF, "segment", NAME, "point", "model_version"];

/// The schema; `strictest` is the class of what tells a segment.
pub fn schema(entity: Column, strictest: Class, run_date: NaiveDate) -> TableSchema {
    let key = vec![entity.name.clone(), AS_OF.to_owned()];
    let columns = vec![
        entity,
        Column::new(AS_OF, DataType::Date),
        Column::new("segment", DataType::Int64).class(strictest),
        Column::new(NAME, DataType::String).class(strictest),
        Column::new("point", DataType::String).class(strictest),
        Column::new("model_version", DataType::String),
    ];
    TableSchema { columns, key, snapshots: vec![run_date], ..TableSchema::default() }
}

pub fn segments(
    rows: &Rows,
    placed: &Placed,
    fitted: &Fitted,
    (version, run_date): (&str, NaiveDate),
) -> Result<DataFrame, Failure> {
    let (count, groups) = (placed.clusters.len(), fitted.groups());
    // Each number and name is kept once, however many rows have it.
    let places = placed.places(groups.len()).into_iter().map(|place| place as IdxSize).collect();
    let places = IdxCa::from_vec("".into(), places);
    let numbers: Vec<i64> = groups.iter().map(|group| group.segment).collect();
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let point = |point: &Point| match point {
        Point::Core => "core",
        Point::Border => "border",
        Point::Noise => "noise",
    };
    let columns = vec![
        rows.entities.clone(),
        as_of(run_date, count),
        Series::new("segment".into(), numbers).take(&places)?.into_column(),
        Series::new(NAME.into(), names).take(&places)?.into_column(),
        Series::new("point".into(), placed.points.iter().map(point).collect::<Vec<_>>()).into_column(),
        versions(version, count),
    ];
    Ok(DataFrame::new(count, columns)?)
}
