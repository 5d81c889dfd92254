//! The model: how rows become numbers, and the coefficients of those.

use polars::prelude::DataFrame;

use super::Linear;
use crate::algorithms::linear;
use crate::format;
use crate::stages::contract::Failure;
use crate::stages::prediction::design::Design;
use crate::stages::prediction::supervised;
use crate::table::floats;

/// Fewer rows than this teach nothing that would last.
const ROWS_MIN: usize = 20;

/// The most columns, and the most rows times columns squared: minutes on two cores.
const COLUMNS_MAX: usize = 1000;
const WORK_MAX: u64 = 500_000_000_000;

/// A fitted model.
pub type Fitted = supervised::Fitted<linear::Linear>;

/// Fits on rows whose target is known.
pub fn fit(stage: &Linear, rows: &DataFrame, columns: &[String], horizon_days: u32) -> Result<Fitted, Failure> {
    let truth = truth(rows, &stage.target)?;
    if truth.len() < ROWS_MIN {
        return Err(Failure::data(format!(
            "`{}` is known in {} training rows, and at least {ROWS_MIN} are needed to learn from: add snapshots \
             (`count`)",
            stage.target,
            truth.len()
        )));
    }
    if truth.iter().all(|value| truth.first() == Some(value)) {
        let rows = format::thousands(truth.len() as u64);
        return Err(Failure::data(format!(
            "`{}` is the same in all {rows} training rows, so there is nothing to learn",
            stage.target
        )));
    }
    let design = Design::fit(rows, columns, stage.scale)?;
    let width = design.width() as u64;
    let work = width.saturating_mul(width).saturating_mul(rows.height() as u64);
    if design.width() > COLUMNS_MAX || work > WORK_MAX {
        return Err(Failure::TooLarge(format!(
            "{} rows × {width} columns are more than least squares takes here (at most {COLUMNS_MAX} columns, and \
             fewer of many rows); leave out text with many levels, or use fewer snapshots",
            format::thousands(rows.height() as u64)
        )));
    }
    let regression = linear::fit(design.matrix(rows)?.view(), &truth, stage.penalty.l2)
        .map_err(|error| Failure::data(error.to_string()))?;
    Ok(Fitted { target: stage.target.clone(), horizon_days, design, regression })
}

impl Fitted {
    /// The expected target of each row.
    pub fn predictions(&self, rows: &DataFrame) -> Result<Vec<f64>, Failure> {
        let matrix = self.design.matrix(rows)?;
        let predictions = self.regression.predict(matrix.view()).map_err(|error| Failure::data(error.to_string()))?;
        Ok(predictions.to_vec())
    }
}

/// The target of rows where it is known.
pub fn truth(rows: &DataFrame, target: &str) -> Result<Vec<f64>, Failure> {
    let truth = floats(rows, target)?;
    match truth.iter().filter(|value| !value.is_finite()).count() {
        0 => Ok(truth),
        bad => Err(Failure::data(format!(
            "`{target}` is not a finite number in {} of {} rows: mend what it is made of",
            format::thousands(bad as u64),
            format::thousands(truth.len() as u64)
        ))),
    }
}
