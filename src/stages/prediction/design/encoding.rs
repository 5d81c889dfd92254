//! One feature to columns of numbers: what is learned of it from training rows, and how it is written.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike};
use ndarray::ArrayViewMut1;
use polars::prelude::{DataFrame, DataType, TimeUnit};
use serde::{Deserialize, Serialize};

use super::MOMENT;
use super::prepare::Prepare;
use crate::stages::contract::Failure;
use crate::stages::model::Field;
use crate::table::{floats, type_name};

/// The most numbers that a quantile transform keeps.
const KNOTS_MAX: usize = 1_001;

/// How one feature becomes columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "snake_case")]
pub enum Encoding {
    /// The number; truth values are 0 and 1; what is missing, or not finite, is the median, and with `indicator` a second
    /// column says so.
    Number {
        name: String,
        #[serde(rename = "type")]
        dtype: String,
        median: f64,
        /// Training rows without a value.
        imputed: usize,
        indicator: bool,
        transform: Transform,
    },
    /// One column a level, 1 where the text is that level; with `other` one for all other levels, with `missing` one
    /// for none.
    Levels {
        name: String,
        /// Ascending.
        levels: Vec<String>,
        other: bool,
        missing: bool,
    },
    /// Age in days, month and weekday; of what is missing the medians.
    Date { name: String, medians: [f64; 3], imputed: usize },
    /// The product of two numbers, of which what is missing is the median.
    Product { name: String, factors: [String; 2], medians: [f64; 2] },
}

/// What becomes of a number before it is scaled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "transform", rename_all = "snake_case")]
pub enum Transform {
    #[default]
    None,
    /// sign(x) · ln(1 + |x|).
    Log,
    /// The share of training rows that have less, between these quantiles on straight lines.
    Quantile { knots: Vec<f64> },
}

impl Transform {
    fn of(&self, value: f64) -> f64 {
        match self {
            Transform::None => value,
            Transform::Log => value.signum() * value.abs().ln_1p(),
            Transform::Quantile { knots } => {
                let last = knots.len().saturating_sub(1).max(1) as f64;
                // Of equal knots the middle one counts.
                let (below, up_to) = (knots.partition_point(|k| *k < value), knots.partition_point(|k| *k <= value));
                if below < up_to {
                    return (below + up_to - 1) as f64 / 2.0 / last;
                }
                match (below.checked_sub(1).and_then(|place| knots.get(place)), knots.get(below)) {
                    (Some(low), Some(high)) => ((below - 1) as f64 + (value - low) / (high - low)) / last,
                    (Some(_), None) => 1.0,
                    _ => 0.0,
                }
            }
        }
    }
}

impl Encoding {
    /// The feature.
    pub fn name(&self) -> &str {
        match self {
            Encoding::Number { name, .. }
            | Encoding::Levels { name, .. }
            | Encoding::Date { name, .. }
            | Encoding::Product { name, .. } => name,
        }
    }

    /// What each of its columns says beside its name.
    pub fn parts(&self) -> Vec<Option<&str>> {
        match self {
            Encoding::Number { indicator, .. } => {
                [Some(None), indicator.then_some(Some("missing"))].into_iter().flatten().collect()
            }
            Encoding::Levels { levels, other, missing, .. } => {
                let more = [other.then_some("other"), missing.then_some("missing")];
                levels.iter().map(String::as_str).map(Some).chain(more.into_iter().flatten().map(Some)).collect()
            }
            Encoding::Date { .. } => vec![Some("age"), Some("month"), Some("weekday")],
            Encoding::Product { .. } => vec![None],
        }
    }

    /// The number of columns of the matrix.
    pub fn width(&self) -> usize {
        self.parts().len()
    }

    /// The columns of the table that it reads, with their types.
    pub fn fields(&self) -> Vec<Field> {
        match self {
            Encoding::Number { name, dtype, .. } => vec![Field::new(name, dtype)],
            Encoding::Levels { name, .. } => vec![Field::new(name, "string")],
            Encoding::Date { name, .. } => vec![Field::new(name, "date")],
            Encoding::Product { factors, .. } => factors.iter().map(|name| Field::new(name, "float64")).collect(),
        }
    }

    /// Learns a feature from the training rows; `None` where there is nothing to learn.
    pub fn fit(frame: &DataFrame, name: &str, prepare: &Prepare) -> Result<Option<Encoding>, Failure> {
        let dtype = frame.column(name)?.dtype().clone();
        if dtype == DataType::String {
            return levels(frame, name, prepare.level_rows_min);
        }
        let mut present: Vec<f64> = floats(frame, name)?.into_iter().filter(|value| value.is_finite()).collect();
        let imputed = frame.height() - present.len();
        let Some(median) = median(&mut present) else { return Ok(None) };
        let is_in = |names: &[String]| names.iter().any(|own| own == name);
        let transform = match (is_in(&prepare.log), is_in(&prepare.quantile)) {
            (true, _) => Transform::Log,
            (_, true) => Transform::Quantile { knots: knots(present) },
            _ => Transform::None,
        };
        let indicator = prepare.missing_indicators && imputed > 0;
        let (name, dtype) = (name.to_owned(), type_name(&dtype));
        Ok(Some(Encoding::Number { name, dtype, median, imputed, indicator, transform }))
    }

    /// Learns the parts of a date.
    pub fn fit_date(frame: &DataFrame, name: &str) -> Result<Option<Encoding>, Failure> {
        let rows = date_parts(frame, name)?;
        let of = |part: usize| -> Option<f64> {
            let mut values: Vec<f64> = rows.iter().flatten().filter_map(|parts| parts.get(part)).copied().collect();
            median(&mut values)
        };
        let imputed = rows.iter().filter(|parts| parts.is_none()).count();
        let (Some(age), Some(month), Some(weekday)) = (of(0), of(1), of(2)) else { return Ok(None) };
        Ok(Some(Encoding::Date { name: name.to_owned(), medians: [age, month, weekday], imputed }))
    }

    /// Learns the product of two numbers.
    pub fn fit_product(frame: &DataFrame, factors: &[String; 2]) -> Result<Option<Encoding>, Failure> {
        let of = |name: &str| -> Result<Option<f64>, Failure> {
            let mut values: Vec<f64> = floats(frame, name)?.into_iter().filter(|value| value.is_finite()).collect();
            Ok(median(&mut values))
        };
        let [left, right] = factors;
        let (Some(a), Some(b)) = (of(left)?, of(right)?) else { return Ok(None) };
        let name = format!("{left} × {right}");
        Ok(Some(Encoding::Product { name, factors: factors.clone(), medians: [a, b] }))
    }

    /// Writes the feature of every row into its columns.
    pub fn write<'a>(
        &self,
        frame: &DataFrame,
        columns: &mut impl Iterator<Item = ArrayViewMut1<'a, f64>>,
    ) -> Result<(), Failure> {
        self.check(frame)?;
        let mut own: Vec<ArrayViewMut1<'a, f64>> = columns.by_ref().take(self.width()).collect();
        let mut set = |column: usize, row: usize, value: f64| {
            if let Some(cell) = own.get_mut(column).and_then(|column| column.get_mut(row)) {
                *cell = value;
            }
        };
        match self {
            Encoding::Number { name, median, transform, .. } => {
                for (row, value) in floats(frame, name)?.into_iter().enumerate() {
                    let is_there = value.is_finite();
                    set(0, row, transform.of(if is_there { value } else { *median }));
                    set(1, row, f64::from(u8::from(!is_there)));
                }
            }
            Encoding::Levels { name, levels, other, missing } => {
                let place: HashMap<&str, usize> =
                    levels.iter().enumerate().map(|(place, level)| (level.as_str(), place)).collect();
                let others = other.then_some(levels.len());
                let nothing = missing.then_some(levels.len() + usize::from(*other));
                for (row, text) in frame.column(name)?.str()?.iter().enumerate() {
                    let column = match text {
                        Some(text) => place.get(text).copied().or(others),
                        None => nothing,
                    };
                    if let Some(column) = column {
                        set(column, row, 1.0);
                    }
                }
            }
            Encoding::Date { name, medians, .. } => {
                for (row, parts) in date_parts(frame, name)?.into_iter().enumerate() {
                    parts.unwrap_or(*medians).into_iter().enumerate().for_each(|(part, value)| set(part, row, value));
                }
            }
            Encoding::Product { factors: [left, right], medians: [a, b], .. } => {
                let or = |value: f64, median: f64| if value.is_finite() { value } else { median };
                for (row, (left, right)) in floats(frame, left)?.into_iter().zip(floats(frame, right)?).enumerate() {
                    let product = or(left, *a) * or(right, *b);
                    set(0, row, product.clamp(f64::MIN, f64::MAX));
                }
            }
        }
        Ok(())
    }

    /// A model of an earlier night may meet a table that has changed since.
    fn check(&self, frame: &DataFrame) -> Result<(), Failure> {
        for Field { name, dtype } in self.fields() {
            let Ok(column) = frame.column(&name) else {
                return Err(Failure::data(format!(
                    "the model was fitted on a column `{name}`, which the table no longer has; fit it again"
                )));
            };
            let kind = |is_text: bool, is_time: bool| (is_text, is_time);
            let found = column.dtype();
            let expected = kind(dtype == "string", dtype == "date");
            if kind(found == &DataType::String, matches!(found, DataType::Date | DataType::Datetime(..))) != expected {
                let found = type_name(found);
                return Err(Failure::data(format!(
                    "`{name}` is {found} now, and was of another kind when the model was fitted; fit it again"
                )));
            }
        }
        Ok(())
    }
}

/// Age in days, month and weekday of each row's date.
fn date_parts(frame: &DataFrame, name: &str) -> Result<Vec<Option<[f64; 3]>>, Failure> {
    let times = frame.column(name)?.cast(&DataType::Datetime(TimeUnit::Microseconds, None))?.cast(&DataType::Int64)?;
    let moments = frame.column(MOMENT)?.cast(&DataType::Date)?.cast(&DataType::Int32)?;
    let moments = moments.i32()?.iter();
    let of = |(time, moment): (Option<i64>, Option<i32>)| -> Option<[f64; 3]> {
        let day = DateTime::from_timestamp_micros(time?)?.date_naive();
        let age = f64::from(moment?) - time? as f64 / 86_400e6;
        Some([age.floor(), f64::from(day.month()), f64::from(day.weekday().number_from_monday())])
    };
    Ok(times.i64()?.iter().zip(moments).map(of).collect())
}

/// Levels that enough rows have, and whether enough rows have another one, or none.
fn levels(frame: &DataFrame, name: &str, rows_min: usize) -> Result<Option<Encoding>, Failure> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut nothing = 0;
    let column = frame.column(name)?;
    for text in column.str()?.iter() {
        match text {
            Some(text) => *counts.entry(text).or_insert(0) += 1,
            None => nothing += 1,
        }
    }
    let (frequent, rare): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(_, rows)| *rows >= rows_min);
    let other = rare.iter().map(|(_, rows)| rows).sum::<usize>() >= rows_min && !rare.is_empty();
    let levels: Vec<String> = frequent.into_iter().map(|(level, _)| level.to_owned()).collect();
    let missing = nothing >= rows_min;
    let teaches = levels.len() + usize::from(other) + usize::from(missing) > 0 && !levels.is_empty();
    Ok(teaches.then(|| Encoding::Levels { name: name.to_owned(), levels, other, missing }))
}

/// Quantiles at equal steps, ascending; all values where they are few.
fn knots(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    if values.len() <= KNOTS_MAX {
        return values;
    }
    let last = values.len() - 1;
    (0..KNOTS_MAX).filter_map(|knot| values.get(knot * last / (KNOTS_MAX - 1)).copied()).collect()
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
