//! From a frame to the numbers that are clustered.

use ndarray::{Array2, ArrayView1};
use polars::prelude::DataFrame;

use super::options::{Change, Transform};
use crate::format;
use crate::stages::contract::Failure;
use crate::table;

/// Rows × columns, missing values as NaN; refuses infinite ones.
pub fn raw(frame: &DataFrame, columns: &[String]) -> Result<Array2<f64>, Failure> {
    let raw = table::matrix(frame, columns)?;
    let infinite = tell(columns, &raw, f64::is_infinite);
    if infinite.is_empty() {
        return Ok(raw);
    }
    let message =
        format!("infinite values cannot be clustered: {infinite}; make them null in the query that computes them");
    Err(Failure::data(message))
}

/// The median of each column's known values; refuses a column without any.
pub fn medians(raw: &Array2<f64>, columns: &[String]) -> Result<Vec<f64>, Failure> {
    let found: Vec<Option<f64>> = raw.columns().into_iter().map(median).collect();
    let empty = columns.iter().zip(&found).filter(|(_, median)| median.is_none());
    let empty: Vec<String> = empty.map(|(name, _)| format!("`{name}`")).collect();
    if empty.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    let message =
        format!("columns without a single known value cannot be clustered by: {}; remove them", empty.join(", "));
    Err(Failure::data(message))
}

/// The middle of the known values, or the mean of the two middle ones.
pub fn median(column: ArrayView1<'_, f64>) -> Option<f64> {
    let mut known: Vec<f64> = column.iter().copied().filter(|value| !value.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    let low = *known.get(known.len().checked_sub(1)? / 2)?;
    let high = *known.get(known.len() / 2)?;
    Some(low + (high - low) / 2.0)
}

/// Missing values replaced by those of `missing`, one a column.
pub fn impute(raw: &Array2<f64>, missing: &[f64]) -> Array2<f64> {
    let mut values = raw.clone();
    for (mut column, &median) in values.columns_mut().into_iter().zip(missing) {
        column.mapv_inplace(|value| if value.is_nan() { median } else { value });
    }
    values
}

/// Clips and takes logarithms in the order that is written; refuses what has no logarithm.
pub fn transform(values: &mut Array2<f64>, columns: &[String], transform: &Transform) -> Result<(), Failure> {
    for change in &transform.0 {
        match change {
            Change::Clip(limits) => {
                for (name, mut column) in columns.iter().zip(values.columns_mut()) {
                    if let Some(limits) = limits.get(name) {
                        column.mapv_inplace(|value| limits.clip(value));
                    }
                }
            }
            Change::Log1p(logged) => log1p(values, columns, logged)?,
        }
    }
    Ok(())
}

fn log1p(values: &mut Array2<f64>, columns: &[String], logged: &[String]) -> Result<(), Failure> {
    let low: Vec<String> = columns
        .iter()
        .zip(values.columns())
        .filter(|(name, _)| logged.contains(name))
        .filter_map(|(name, column)| rows_of(name, column, |value| value <= -1.0))
        .collect();
    if !low.is_empty() {
        let message = format!(
            "log1p needs values above -1, and there are others: {}; raise them with `clip: {{<column>: {{min: 0}}}}` \
             before it",
            low.join(", ")
        );
        return Err(Failure::data(message));
    }
    for (_, mut column) in columns.iter().zip(values.columns_mut()).filter(|(name, _)| logged.contains(name)) {
        column.mapv_inplace(f64::ln_1p);
    }
    Ok(())
}

/// How many values of each column are such, of the columns that have any: `spend` in 3 rows.
pub fn tell(columns: &[String], values: &Array2<f64>, such: impl Fn(f64) -> bool + Copy) -> String {
    let told = columns.iter().zip(values.columns()).filter_map(|(name, column)| rows_of(name, column, such));
    told.collect::<Vec<_>>().join(", ")
}

fn rows_of(name: &str, column: ArrayView1<'_, f64>, such: impl Fn(f64) -> bool) -> Option<String> {
    let rows = column.iter().filter(|value| such(**value)).count();
    (rows > 0).then(|| format!("`{name}` in {}", format::count(rows as u64, "row", "rows")))
}
