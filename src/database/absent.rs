//! What is left of databases in a build without them.

use std::path::Path;

use arrow::datatypes::Field;
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;

use super::{DatabaseError, Delivery, Kind, Question, Settings, Stop, Target};

fn absent() -> DatabaseError {
    DatabaseError::new(Kind::Driver, "reach a database: this program was built without the feature `adbc`")
}

/// See the module of the feature.
///
/// # Errors
/// Always.
pub fn loadable(_: &Settings) -> Result<(), DatabaseError> {
    Err(absent())
}

/// See the module of the feature.
///
/// # Errors
/// Always.
pub fn delivered(_: &Settings, _: &Target, _: NaiveDate) -> Result<Option<String>, DatabaseError> {
    Err(absent())
}

/// See the module of the feature.
///
/// # Errors
/// Always.
pub fn deliver(_: &Settings, _: &Delivery, _: &Path, _: Stop) -> Result<(), DatabaseError> {
    Err(absent())
}

/// See the module of the feature.
///
/// # Errors
/// Always.
pub fn columns(_: &Settings, _: &str) -> Result<Vec<Field>, DatabaseError> {
    Err(absent())
}

/// See the module of the feature.
///
/// # Errors
/// Always.
pub fn answer<E: From<DatabaseError>>(
    _: &Settings,
    _: &Question,
    _: impl FnMut(RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    Err(absent().into())
}
