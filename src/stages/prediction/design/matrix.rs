//! Rows to the matrix that is learned from.

use std::ops::Range;

use ndarray::Array2;
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

use super::choice::Scale;
use super::encoding::Encoding;
use super::prepare::Prepare;
use crate::algorithms::scale::Scaler;
use crate::stages::contract::Failure;
use crate::stages::model::Field;

/// The most cells of a matrix: 4 GB.
const CELLS_MAX: usize = 500_000_000;

/// How rows become a matrix, learned from training rows only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// In the order of the matrix' columns.
    pub columns: Vec<Encoding>,
    /// Features that teach nothing: without any value, or text without a frequent level.
    pub dropped: Vec<String>,
    /// Rows that it was learned from.
    pub rows: usize,
    /// Of the matrix' columns; `None` leaves them as they are.
    pub scaler: Option<Scaler>,
}

/// A column of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term<'a> {
    /// The feature.
    pub name: &'a str,
    /// The level, or another part of the feature, that the column stands for.
    pub part: Option<&'a str>,
}

impl std::fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.part {
            Some(part) => write!(f, "{} = {part}", self.name),
            None => f.write_str(self.name),
        }
    }
}

impl Design {
    /// Learns from training rows. Errors where no feature teaches anything.
    pub fn fit(frame: &DataFrame, names: &[String], prepare: &Prepare, scale: Scale) -> Result<Design, Failure> {
        let mut design = Design { columns: vec![], dropped: vec![], rows: frame.height(), scaler: None };
        let mut add = |name: String, found: Option<Encoding>| match found {
            Some(encoding) => design.columns.push(encoding),
            None => design.dropped.push(name),
        };
        for name in names {
            add(name.clone(), Encoding::fit(frame, name, prepare)?);
        }
        for name in &prepare.dates {
            add(name.clone(), Encoding::fit_date(frame, name)?);
        }
        for pair in &prepare.products {
            add(pair.join(" × "), Encoding::fit_product(frame, pair)?);
        }
        if design.columns.is_empty() {
            return Err(Failure::data("no feature has a value in any training row"));
        }
        if scale == Scale::Standard {
            let matrix = design.unscaled(frame)?;
            design.scaler = Some(Scaler::standard(matrix.view()).map_err(|error| Failure::data(error.to_string()))?);
        }
        Ok(design)
    }

    /// The features of the rows as they enter a model: rows × [`Design::width`].
    pub fn matrix(&self, frame: &DataFrame) -> Result<Array2<f64>, Failure> {
        let matrix = self.unscaled(frame)?;
        match &self.scaler {
            Some(scaler) => scaler.transform(matrix.view()).map_err(|error| Failure::data(error.to_string())),
            None => Ok(matrix),
        }
    }

    /// The same before scaling.
    pub fn unscaled(&self, frame: &DataFrame) -> Result<Array2<f64>, Failure> {
        let (rows, width) = (frame.height(), self.width());
        if rows.saturating_mul(width) > CELLS_MAX {
            return Err(Failure::TooLarge(format!(
                "{rows} rows × {width} columns are more than the {CELLS_MAX} numbers that one stage learns from; use fewer features, or fewer snapshots"
            )));
        }
        let mut matrix = Array2::zeros((rows, width));
        let mut columns = matrix.columns_mut().into_iter();
        for encoding in &self.columns {
            encoding.write(frame, &mut columns)?;
        }
        Ok(matrix)
    }

    /// What one unit of each column of the matrix is in standard deviations over these rows: 1 where it is scaled.
    pub fn deviations(&self, frame: &DataFrame) -> Result<Vec<f64>, Failure> {
        if self.scaler.is_some() {
            return Ok(vec![1.0; self.width()]);
        }
        let scaler = Scaler::standard(self.unscaled(frame)?.view());
        Ok(scaler.map_err(|error| Failure::data(error.to_string()))?.scale.to_vec())
    }

    /// The columns of the matrix.
    pub fn width(&self) -> usize {
        self.columns.iter().map(Encoding::width).sum()
    }

    /// What each column of the matrix stands for.
    pub fn terms(&self) -> Vec<Term<'_>> {
        let terms = self
            .columns
            .iter()
            .flat_map(|encoding| encoding.parts().into_iter().map(|part| Term { name: encoding.name(), part }));
        terms.collect()
    }

    /// Each feature with its columns of the matrix.
    pub fn features(&self) -> Vec<(&str, Range<usize>)> {
        let mut start = 0;
        let of = |encoding: &Encoding| {
            let range = start..start + encoding.width();
            start = range.end;
            range
        };
        let ranges: Vec<Range<usize>> = self.columns.iter().map(of).collect();
        self.columns.iter().map(Encoding::name).zip(ranges).collect()
    }

    /// The columns of the table that it reads, each once, with their types.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for field in self.columns.iter().flat_map(Encoding::fields) {
            if fields.iter().all(|other| other.name != field.name) {
                fields.push(field);
            }
        }
        fields
    }
}
