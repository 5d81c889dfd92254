//! The model: how rows become numbers, and the coefficients of those.

use polars::prelude::DataFrame;

use super::Logistic;
use crate::algorithms::logistic::{self, Params};
use crate::format;
use crate::stages::contract::Failure;
use crate::stages::prediction::design::Design;
use crate::stages::prediction::supervised;

/// Fewer rows of a class than this teach nothing that would last.
const CLASS_ROWS_MIN: usize = 20;

/// linfa's stopping rule is another one than ours: the norm of the gradient.
const LINFA_TOLERANCE: f64 = 1e-6;

/// A fitted model.
pub type Fitted = supervised::Fitted<logistic::Logistic>;

/// Fits on rows whose target is known.
pub fn fit(stage: &Logistic, rows: &DataFrame, columns: &[String], horizon_days: u32) -> Result<Fitted, Failure> {
    let truth = truth(rows, &stage.target)?;
    enough_of_each_class(&truth, &stage.target)?;
    let design = Design::fit(rows, columns, stage.scale)?;
    let engine: logistic::Engine = stage.engine.into();
    let tolerance = match engine {
        logistic::Engine::Linfa => LINFA_TOLERANCE,
        logistic::Engine::Native => Params::default().tolerance,
    };
    let params = Params {
        l2: stage.penalty.l2,
        class_weight: stage.class_weight.into(),
        engine,
        tolerance,
        ..Params::default()
    };
    let regression = logistic::fit(design.matrix(rows)?.view(), &truth, &params)
        .map_err(|error| Failure::data(error.to_string()))?;
    Ok(Fitted { target: stage.target.clone(), horizon_days, design, regression })
}

impl Fitted {
    /// The probability that the target is true, for each row.
    pub fn probabilities(&self, rows: &DataFrame) -> Result<Vec<f64>, Failure> {
        let matrix = self.design.matrix(rows)?;
        let probabilities =
            self.regression.predict_proba(matrix.view()).map_err(|error| Failure::data(error.to_string()))?;
        Ok(probabilities.to_vec())
    }
}

/// The target of rows where it is known.
pub fn truth(rows: &DataFrame, target: &str) -> Result<Vec<bool>, Failure> {
    Ok(rows.column(target)?.bool()?.iter().map(|value| value.unwrap_or(false)).collect())
}

fn enough_of_each_class(truth: &[bool], target: &str) -> Result<(), Failure> {
    let positive = truth.iter().filter(|&&one| one).count();
    let negative = truth.len() - positive;
    let (fewer, word) = if positive < negative { (positive, "true") } else { (negative, "false") };
    if fewer >= CLASS_ROWS_MIN {
        return Ok(());
    }
    Err(Failure::data(format!(
        "`{target}` is {word} in {} of {} training rows, and at least {CLASS_ROWS_MIN} are needed to learn from: \
         add snapshots (`count`), or change the label so that it is {word} more often",
        format::thousands(fewer as u64),
        format::thousands(truth.len() as u64),
    )))
}
