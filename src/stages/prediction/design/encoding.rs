//! Rows to numbers: medians for what is missing, one column per level of a text, one scale for all.

use std::collections::{BTreeMap, HashMap};

use ndarray::{Array2, ArrayViewMut1};
use polars::prelude::{DataFrame, DataType};
use serde::{Deserialize, Serialize};

use super::choice::Scale;
use crate::algorithms::scale::Scaler;
use crate::stages::contract::Failure;
use crate::stages::model::Field;
use crate::table::{floats, type_name};

/// A level of a text with fewer training rows has no column of its own: it is too rare to learn from.
const LEVEL_ROWS_MIN: usize = 10;

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

/// How one feature becomes columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Encoding {
    /// One column: the number; truth values are 0 and 1; what is missing, or not finite, is the median.
    Number {
        name: String,
        #[serde(rename = "type")]
        dtype: String,
        median: f64,
        /// Training rows without a value.
        imputed: usize,
    },
    /// One column a level, 1 where the text is that level; any other text, and none, is 0 in all.
    Levels {
        name: String,
        /// Ascending.
        levels: Vec<String>,
    },
}

/// A column of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term<'a> {
    /// The feature.
    pub name: &'a str,
    /// The level that the column stands for, where the feature is text.
    pub level: Option<&'a str>,
}

impl std::fmt::Display for Term<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.level {
            Some(level) => write!(f, "{} = {level}", self.name),
            None => f.write_str(self.name),
        }
    }
}

impl Encoding {
    /// The feature.
    pub fn name(&self) -> &str {
        match self {
            Encoding::Number { name, .. } | Encoding::Levels { name, .. } => name,
        }
    }

    /// The number of columns of the matrix.
    pub fn width(&self) -> usize {
        match self {
            Encoding::Number { .. } => 1,
            Encoding::Levels { levels, .. } => levels.len(),
        }
    }

    /// Learns from the training rows; `None` where there is nothing to learn.
    fn fit(frame: &DataFrame, name: &str) -> Result<Option<Encoding>, Failure> {
        let dtype = frame.column(name)?.dtype().clone();
        if dtype == DataType::String {
            let levels = frequent_levels(frame, name)?;
            return Ok((!levels.is_empty()).then(|| Encoding::Levels { name: name.to_owned(), levels }));
        }
        let mut present: Vec<f64> = floats(frame, name)?.into_iter().filter(|value| value.is_finite()).collect();
        let imputed = frame.height() - present.len();
        let number = |median| Encoding::Number { name: name.to_owned(), dtype: type_name(&dtype), median, imputed };
        Ok(median(&mut present).map(number))
    }

    /// Writes the feature of every row into its columns.
    fn write<'a>(
        &self,
        frame: &DataFrame,
        columns: &mut impl Iterator<Item = ArrayViewMut1<'a, f64>>,
    ) -> Result<(), Failure> {
        self.check(frame)?;
        match self {
            Encoding::Number { name, median, .. } => {
                for (cell, value) in columns.next().into_iter().flatten().zip(floats(frame, name)?) {
                    *cell = if value.is_finite() { value } else { *median };
                }
            }
            Encoding::Levels { name, levels } => {
                let mut own: Vec<ArrayViewMut1<'a, f64>> = columns.by_ref().take(levels.len()).collect();
                let place: HashMap<&str, usize> =
                    levels.iter().enumerate().map(|(place, level)| (level.as_str(), place)).collect();
                for (row, text) in frame.column(name)?.str()?.iter().enumerate() {
                    let column = text.and_then(|text| place.get(text)).and_then(|place| own.get_mut(*place));
                    if let Some(cell) = column.and_then(|column| column.get_mut(row)) {
                        *cell = 1.0;
                    }
                }
            }
        }
        Ok(())
    }

    /// A model of an earlier night may meet a table that has changed since.
    fn check(&self, frame: &DataFrame) -> Result<(), Failure> {
        let name = self.name();
        let Ok(column) = frame.column(name) else {
            return Err(Failure::data(format!(
                "the model was fitted on a column `{name}`, which the table no longer has; fit it again"
            )));
        };
        if matches!(self, Encoding::Levels { .. }) == (column.dtype() == &DataType::String) {
            return Ok(());
        }
        let found = type_name(column.dtype());
        Err(Failure::data(format!(
            "`{name}` is {found} now, and was of another kind when the model was fitted; fit it again"
        )))
    }
}

impl Design {
    /// Learns from training rows. Errors where no feature teaches anything.
    pub fn fit(frame: &DataFrame, names: &[String], scale: Scale) -> Result<Design, Failure> {
        let mut design = Design { columns: vec![], dropped: vec![], rows: frame.height(), scaler: None };
        for name in names {
            match Encoding::fit(frame, name)? {
                Some(encoding) => design.columns.push(encoding),
                None => design.dropped.push(name.clone()),
            }
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
        let mut terms = Vec::with_capacity(self.width());
        for encoding in &self.columns {
            match encoding {
                Encoding::Number { name, .. } => terms.push(Term { name, level: None }),
                Encoding::Levels { name, levels } => {
                    terms.extend(levels.iter().map(|level| Term { name, level: Some(level) }))
                }
            }
        }
        terms
    }

    /// The features with their types.
    pub fn fields(&self) -> Vec<Field> {
        let field = |encoding: &Encoding| match encoding {
            Encoding::Number { name, dtype, .. } => Field::new(name, dtype),
            Encoding::Levels { name, .. } => Field::new(name, "string"),
        };
        self.columns.iter().map(field).collect()
    }
}

/// The middle value, of an even number of values the mean of the two; `None` without values.
fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if !even {
        return Some(*upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(lower + (*upper - lower) / 2.0)
}

fn level_counts<'a>(frame: &'a DataFrame, name: &str) -> Result<BTreeMap<&'a str, usize>, Failure> {
    let mut counts = BTreeMap::new();
    for text in frame.column(name)?.str()?.iter().flatten() {
        *counts.entry(text).or_insert(0) += 1;
    }
    Ok(counts)
}

fn frequent_levels(frame: &DataFrame, name: &str) -> Result<Vec<String>, Failure> {
    let counts = level_counts(frame, name)?;
    Ok(counts.into_iter().filter(|(_, rows)| *rows >= LEVEL_ROWS_MIN).map(|(level, _)| level.to_owned()).collect())
}
