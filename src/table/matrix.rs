//! Columns of a frame as numbers.

use ndarray::Array2;
use polars::prelude::{DataFrame, DataType, PolarsResult};

/// A column as f64, null as NaN; booleans are 0 and 1.
pub fn floats(frame: &DataFrame, name: &str) -> PolarsResult<Vec<f64>> {
    let column = frame.column(name)?.cast(&DataType::Float64)?;
    Ok(column.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// The columns side by side, rows × columns, row-major, null as NaN.
pub fn matrix(frame: &DataFrame, names: &[String]) -> PolarsResult<Array2<f64>> {
    let mut matrix = Array2::zeros((frame.height(), names.len()));
    for (index, name) in names.iter().enumerate() {
        let values = floats(frame, name)?;
        for (cell, value) in matrix.column_mut(index).iter_mut().zip(values) {
            *cell = value;
        }
    }
    Ok(matrix)
}
