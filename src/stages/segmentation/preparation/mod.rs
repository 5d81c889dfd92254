//! From the columns of a table to the numbers between which distances are taken.
//!
//! Missing values are filled if that is asked for, then come the changes of `transform` in the order in which they are
//! written, then `scale`. Text becomes columns of zeros and ones after those of numbers, which are not scaled: two rows
//! of different levels are √2 apart, those of the same level 0.

mod categories;
mod options;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use ndarray::{Array2, ArrayView1, s};
use serde::{Deserialize, Serialize};

pub use categories::Category;
pub use options::{Change, Impute, Limits, Scale, Transform};

use super::input::Rows;
use crate::algorithms::scale::{Scaler, quantile_of_sorted};
use crate::format;
use crate::stages::contract::Failure;

/// Squares of larger values, and their sums over many rows, would no longer be finite.
const MAGNITUDE_MAX: f64 = 1e140;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    pub numbers: &'a [String],
    pub impute: Option<Impute>,
    pub transform: &'a Transform,
    pub scale: Scale,
}

/// What was learned, so that other rows can be prepared in the same way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// The columns of numbers, in the order of every list here.
    pub columns: Vec<String>,
    /// What stands for a missing value of each; none where such rows are refused.
    pub missing: Option<Vec<f64>>,
    /// Limits that were quantiles are values here.
    pub transform: Transform,
    /// None where the columns are not scaled.
    pub scaler: Option<Scaler>,
    /// What becomes zeros and ones, after the columns of numbers.
    pub categories: Vec<Category>,
}

impl Preparation {
    /// Learns from the rows, and prepares them.
    pub fn fit(recipe: Recipe<'_>, rows: &Rows) -> Result<(Preparation, Array2<f64>), Failure> {
        let categories = rows.texts.iter().map(Category::fit).collect::<Result<_, _>>()?;
        let mut fitted = Preparation {
            columns: recipe.numbers.to_vec(),
            missing: recipe.impute.map(|impute| fill_values(rows, recipe.numbers, impute)).transpose()?,
            transform: Transform::default(),
            scaler: None,
            categories,
        };
        let mut values = fitted.filled(rows)?;
        for change in &recipe.transform.0 {
            let change = resolved(change, &values, recipe.numbers);
            apply(&change, &mut values, recipe.numbers)?;
            fitted.transform.0.push(change);
        }
        too_large(recipe.numbers, &values)?;
        let scaler = match recipe.scale {
            Scale::None => None,
            Scale::Standard => Some(Scaler::standard(values.view())),
            Scale::Robust => Some(Scaler::robust(values.view())),
            Scale::Minmax => Some(Scaler::min_max(values.view())),
        };
        fitted.scaler = scaler.transpose().map_err(bug)?;
        let prepared = fitted.finished(values, rows)?;
        Ok((fitted, prepared))
    }

    /// Prepares rows as those that were fitted on.
    pub fn prepare(&self, rows: &Rows) -> Result<Array2<f64>, Failure> {
        let mut values = self.filled(rows)?;
        for change in &self.transform.0 {
            apply(change, &mut values, &self.columns)?;
        }
        self.finished(values, rows)
    }

    /// The names of the prepared columns.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().cloned().chain(self.categories.iter().flat_map(Category::names)).collect()
    }

    /// A prepared point in the units of the input, by name of column; of a level, the share of rows that have it.
    pub fn original(&self, point: &[f64]) -> Result<IndexMap<String, f64>, Failure> {
        let numbers = point.get(..self.columns.len()).unwrap_or_default();
        let mut values = Array2::from_shape_vec((1, numbers.len()), numbers.to_vec()).map_err(bug)?;
        if let Some(scaler) = &self.scaler {
            values = scaler.inverse(values.view()).map_err(bug)?;
        }
        let unlogged = |(name, value): (&String, &f64)| if self.transform.logs(name) { value.exp_m1() } else { *value };
        let numbers = self.columns.iter().zip(values.iter()).map(unlogged).collect::<Vec<_>>();
        Ok(self
            .names()
            .into_iter()
            .zip(numbers.into_iter().chain(point.iter().skip(self.columns.len()).copied()))
            .collect())
    }

    /// The way back: a point in the units of the input as one that is prepared. A column that is not among them is 0.
    pub fn point(&self, original: &IndexMap<String, f64>) -> Result<Vec<f64>, Failure> {
        let value = |name: &String| original.get(name).copied().unwrap_or(0.0);
        let mut values =
            Array2::from_shape_vec((1, self.columns.len()), self.columns.iter().map(value).collect()).map_err(bug)?;
        for change in &self.transform.0 {
            apply(change, &mut values, &self.columns)?;
        }
        if let Some(scaler) = &self.scaler {
            scaler.transform_in_place(&mut values).map_err(bug)?;
        }
        let levels = self.categories.iter().flat_map(Category::names);
        Ok(values.into_iter().chain(levels.map(|name| value(&name))).collect())
    }

    /// Numbers without gaps; refuses missing and infinite ones unless they are to be filled.
    fn filled(&self, rows: &Rows) -> Result<Array2<f64>, Failure> {
        let Some(missing) = &self.missing else {
            refuse(&self.columns, &rows.numbers)?;
            return Ok(rows.numbers.clone());
        };
        let mut values = rows.numbers.clone();
        for mut row in values.rows_mut() {
            for (value, filling) in row.iter_mut().zip(missing) {
                if !value.is_finite() {
                    *value = *filling;
                }
            }
        }
        Ok(values)
    }

    /// Scales numbers and puts levels beside them.
    fn finished(&self, mut values: Array2<f64>, rows: &Rows) -> Result<Array2<f64>, Failure> {
        if let Some(scaler) = &self.scaler {
            scaler.transform_in_place(&mut values).map_err(bug)?;
        }
        too_large(&self.columns, &values)?;
        if self.categories.is_empty() {
            return Ok(values);
        }
        let width = self.columns.len() + self.categories.iter().map(Category::width).sum::<usize>();
        let mut prepared = Array2::zeros((values.nrows(), width));
        prepared.slice_mut(s![.., ..self.columns.len()]).assign(&values);
        let mut start = self.columns.len();
        for (category, texts) in self.categories.iter().zip(&rows.texts) {
            for (mut row, place) in prepared.rows_mut().into_iter().zip(category.places(texts)?) {
                if let Some(cell) = place.and_then(|place| row.get_mut(start + place)) {
                    *cell = 1.0;
                }
            }
            start += category.width();
        }
        Ok(prepared)
    }
}

/// Refuses values that are missing or infinite, by column and number of rows.
fn refuse(columns: &[String], numbers: &Array2<f64>) -> Result<(), Failure> {
    let told = [("missing", f64::is_nan as fn(f64) -> bool), ("infinite", f64::is_infinite)].into_iter();
    let told = told.map(|(what, such)| (what, tell(columns, numbers, such))).filter(|(_, rows)| !rows.is_empty());
    let told: Vec<String> = told.map(|(what, rows)| format!("{what} values: {rows}")).collect();
    if told.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{}; fill them in the query that computes them, or say what stands for them with `impute`, such as `impute: \
         median`",
        told.join("; ")
    );
    Err(Failure::data(message))
}

/// Refuses values whose squares could not be added up any more.
fn too_large(columns: &[String], values: &Array2<f64>) -> Result<(), Failure> {
    let told = tell(columns, values, |value| value.is_nan() || value.abs() > MAGNITUDE_MAX);
    if told.is_empty() {
        return Ok(());
    }
    let message = format!(
        "values so large, or so far beyond the scale of the rows that were fitted on, that no distance can be taken: \
         {told}; limit them with `clip`"
    );
    Err(Failure::data(message))
}

/// What stands for a missing value of each column; refuses a column without any known value.
fn fill_values(rows: &Rows, columns: &[String], impute: Impute) -> Result<Vec<f64>, Failure> {
    let found: Vec<Option<f64>> = rows.numbers.columns().into_iter().map(|column| fill_value(column, impute)).collect();
    let empty = columns.iter().zip(&found).filter(|(_, found)| found.is_none());
    let empty: Vec<String> = empty.map(|(name, _)| format!("`{name}`")).collect();
    if empty.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    let message =
        format!("columns without a single known value cannot be clustered by: {}; remove them", empty.join(", "));
    Err(Failure::data(message))
}

fn fill_value(column: ArrayView1<'_, f64>, impute: Impute) -> Option<f64> {
    let mut known: Vec<f64> = column.iter().copied().filter(|value| value.is_finite()).collect();
    if known.is_empty() {
        return None;
    }
    Some(match impute {
        Impute::Zero => 0.0,
        Impute::Mean => known.iter().sum::<f64>() / known.len() as f64,
        Impute::Median => {
            known.sort_unstable_by(f64::total_cmp);
            quantile_of_sorted(&known, 0.5)
        }
    })
}

/// A change whose limits are values.
fn resolved(change: &Change, values: &Array2<f64>, columns: &[String]) -> Change {
    let Change::Clip(limits) = change else { return change.clone() };
    let of = |(name, limits): (&String, &Limits)| {
        let place = columns.iter().position(|column| column == name);
        let (Some([low, high]), Some(place)) = (limits.quantiles, place) else { return (name.clone(), *limits) };
        let mut sorted = values.column(place).to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let [low, high] = [low, high].map(|share| quantile_of_sorted(&sorted, share));
        let (mut min, mut max) =
            (limits.min.map_or(low, |min| min.max(low)), limits.max.map_or(high, |max| max.min(high)));
        // What is given wins where both exclude each other.
        match (limits.min, limits.max) {
            (None, Some(_)) => min = min.min(max),
            _ => max = max.max(min),
        }
        (name.clone(), Limits { min: Some(min), max: Some(max), quantiles: None })
    };
    Change::Clip(limits.iter().map(of).collect())
}

/// Clips or takes logarithms; refuses what has none.
fn apply(change: &Change, values: &mut Array2<f64>, columns: &[String]) -> Result<(), Failure> {
    let named = columns.iter().enumerate();
    match change {
        Change::Clip(limits) => {
            for (place, limits) in named.filter_map(|(place, name)| Some((place, limits.get(name)?))) {
                values.column_mut(place).mapv_inplace(|value| limits.clip(value));
            }
        }
        Change::Log1p(logged) => {
            let logged: Vec<usize> = named.filter(|(_, name)| logged.contains(name)).map(|(place, _)| place).collect();
            let low = logged
                .iter()
                .filter_map(|place| rows_of(columns.get(*place)?, values.column(*place), |value| value <= -1.0));
            let low: Vec<String> = low.collect();
            if !low.is_empty() {
                return Err(Failure::data(format!(
                    "log1p needs values above -1, and there are others: {}; raise them with `clip: {{<column>: {{min: \
                     0}}}}` before it",
                    low.join(", ")
                )));
            }
            for place in logged {
                values.column_mut(place).mapv_inplace(f64::ln_1p);
            }
        }
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

/// Values are finite and widths agree by then.
fn bug(error: impl std::error::Error) -> Failure {
    Failure::bug(error.to_string())
}
