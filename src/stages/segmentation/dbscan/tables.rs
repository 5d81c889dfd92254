//! The table of one row an entity.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, NamedFrom, Series};

use super::fitted::{Placed, Point};
use crate::stages::contract::Failure;
use crate::stages::segmentation::input::Rows;
use crate::stages::segmentation::profiles::{self, Group, NAME};
use crate::table::{AS_OF, Class, Column, TableSchema};

/// The columns after the entity.
pub const SEGMENT_COLUMNS: [&str; 5] = [AS_OF, "segment", NAME, "point", "model_version"];

/// The schema; `strictest` is the class of what tells a segment.
pub fn schema(entity: Column, strictest: Class, run_date: NaiveDate) -> TableSchema {
    profiles::segments_schema(entity, strictest, run_date, [("point", DataType::String)])
}

/// `labels` are places among `groups`.
pub fn segments(
    rows: &Rows,
    placed: &Placed,
    labels: &[usize],
    groups: &[Group],
    made: (&str, NaiveDate),
) -> Result<DataFrame, Failure> {
    let groups = groups.iter().map(|group| (group.segment, group.name.clone()));
    let point = |point: &Point| match point {
        Point::Core => "core",
        Point::Border => "border",
        Point::Noise => "noise",
    };
    let points = Series::new("point".into(), placed.points.iter().map(point).collect::<Vec<_>>());
    profiles::segments(rows, labels.iter().copied(), groups, [points], made)
}
