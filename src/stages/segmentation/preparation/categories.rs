//! Text as numbers: one column a level, 1 where a row has it and 0 where not.

use std::collections::HashMap;

use polars::prelude::{Column, DataType};
use serde::{Deserialize, Serialize};

use crate::stages::contract::Failure;

/// The most levels that get a column of their own.
const LEVELS_MAX: usize = 20;
/// Levels of fewer rows get none: they would say little of a segment, and much of a few entities.
const LEVEL_ROWS_MIN: usize = 10;

/// The levels of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Category {
    pub column: String,
    /// The most frequent first, of equally frequent ones by name. All others, also those that come later, share one
    /// more column; a row without a value has zeros only.
    pub levels: Vec<String>,
}

impl Category {
    /// Finds the levels that are frequent enough.
    pub fn fit(values: &Column) -> Result<Category, Failure> {
        let texts = values.cast(&DataType::String)?;
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for text in texts.str()?.iter().flatten() {
            *counts.entry(text).or_default() += 1;
        }
        let mut levels: Vec<(&str, usize)> = counts.into_iter().filter(|(_, rows)| *rows >= LEVEL_ROWS_MIN).collect();
        levels.sort_unstable_by(|(a, a_rows), (b, b_rows)| b_rows.cmp(a_rows).then(a.cmp(b)));
        let levels = levels.into_iter().take(LEVELS_MAX).map(|(level, _)| level.to_owned()).collect();
        Ok(Category { column: values.name().to_string(), levels })
    }

    /// How many columns of numbers it becomes.
    pub fn width(&self) -> usize {
        self.levels.len() + 1
    }

    /// The names of these columns.
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        let mut other = "(other)".to_owned();
        while self.levels.contains(&other) {
            other = format!("({other})");
        }
        self.levels.iter().cloned().chain([other]).map(|level| format!("{}={level}", self.column))
    }

    /// Which of them is 1 in each row.
    pub fn places(&self, values: &Column) -> Result<Vec<Option<usize>>, Failure> {
        let texts = values.cast(&DataType::String)?;
        let places: HashMap<&str, usize> =
            self.levels.iter().enumerate().map(|(place, level)| (level.as_str(), place)).collect();
        let other = self.levels.len();
        let place = |text: Option<&str>| text.map(|text| places.get(text).copied().unwrap_or(other));
        Ok(texts.str()?.iter().map(place).collect())
    }
}
