//! What is predicted: true or false, one of some classes, or a number.

use polars::prelude::{BooleanChunked, DataFrame, DataType, NewChunkedArray};
use serde::{Deserialize, Serialize};

use crate::format;
use crate::stages::contract::Failure;
use crate::table::{Column, floats};

/// The kinds of targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// True or false.
    Binary,
    /// One of 2 to 50 classes.
    Classes,
    /// A number.
    Number,
}

/// The classes of text and whole numbers at most.
const CLASSES_MAX: usize = 50;
/// Fewer rows of a class than this teach nothing that would last.
pub const CLASS_ROWS_MIN: usize = 10;
/// Fewer rows of a number than this likewise.
pub const ROWS_MIN: usize = 20;

/// The targets of some rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    Binary(Vec<bool>),
    Classes {
        /// Of all classes, ascending.
        names: Vec<String>,
        of: Vec<u32>,
    },
    Number(Vec<f64>),
}

impl Task {
    /// Of a kind that tells classes apart.
    pub fn of_classes(dtype: &DataType) -> Option<Task> {
        match dtype {
            DataType::Boolean => Some(Task::Binary),
            other if *other == DataType::String || other.is_integer() => Some(Task::Classes),
            _ => None,
        }
    }

    /// Of a kind that predicts numbers.
    pub fn of_numbers(dtype: &DataType) -> Option<Task> {
        (dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..))).then_some(Task::Number)
    }
}

impl Target {
    /// The names of the classes that rows have, ascending: whole numbers by size.
    pub fn classes(frame: &DataFrame, target: &str) -> Result<Vec<String>, Failure> {
        let column = frame.column(target)?.drop_nulls();
        let distinct = column.as_materialized_series().unique()?.sort(Default::default())?;
        if distinct.len() > CLASSES_MAX {
            return Err(Failure::data(format!(
                "`{target}` has {} different values, and at most {CLASSES_MAX} classes can be told apart; \
                 predict a number with `linear`, or put values together",
                format::thousands(distinct.len() as u64)
            )));
        }
        let names = distinct.cast(&DataType::String)?;
        Ok(names.str()?.iter().flatten().map(str::to_owned).collect())
    }

    /// Reads the targets of rows; `classes` are those of all rows where there are any.
    pub fn read(frame: &DataFrame, target: &str, task: Task, classes: &[String]) -> Result<Target, Failure> {
        match task {
            Task::Binary => {
                let values = frame.column(target)?.bool()?;
                Ok(Target::Binary(values.iter().map(|value| value.unwrap_or(false)).collect()))
            }
            Task::Classes => {
                let values = frame.column(target)?.cast(&DataType::String)?;
                // What is missing is asked of nobody: rows without a target are not read.
                let place = |name: &str| classes.iter().position(|class| class == name).map_or(0, |place| place as u32);
                let of = values.str()?.iter().map(|value| value.map_or(0, place)).collect();
                Ok(Target::Classes { names: classes.to_vec(), of })
            }
            Task::Number => {
                let values = floats(frame, target)?;
                match values.iter().filter(|value| !value.is_finite()).count() {
                    0 => Ok(Target::Number(values)),
                    bad => Err(Failure::data(format!(
                        "`{target}` is not a finite number in {} of {} rows: mend what it is made of",
                        format::thousands(bad as u64),
                        format::thousands(values.len() as u64)
                    ))),
                }
            }
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Target::Binary(values) => values.len(),
            Target::Classes { of, .. } => of.len(),
            Target::Number(values) => values.len(),
        }
    }

    /// Those of some rows.
    pub fn at(&self, rows: &[usize]) -> Target {
        fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().filter_map(|row| values.get(*row).copied()).collect()
        }
        match self {
            Target::Binary(values) => Target::Binary(pick(values, rows)),
            Target::Classes { names, of } => Target::Classes { names: names.clone(), of: pick(of, rows) },
            Target::Number(values) => Target::Number(pick(values, rows)),
        }
    }

    /// The class of each row, false and true being 0 and 1; of numbers 0.
    pub fn class_of(&self) -> Vec<u32> {
        match self {
            Target::Binary(values) => values.iter().map(|value| u32::from(*value)).collect(),
            Target::Classes { of, .. } => of.clone(),
            Target::Number(values) => vec![0; values.len()],
        }
    }

    /// How many classes there are; 1 of numbers.
    pub fn class_count(&self) -> usize {
        match self {
            Target::Binary(_) => 2,
            Target::Classes { names, .. } => names.len(),
            Target::Number(_) => 1,
        }
    }

    /// The rows of each class.
    pub fn class_rows(&self) -> Vec<usize> {
        let mut counts = vec![0; self.class_count()];
        for class in self.class_of() {
            if let Some(count) = counts.get_mut(class as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// Refuses what nothing lasting can be learned from.
    pub fn check_enough(&self, target: &str, class_rows_min: usize) -> Result<(), Failure> {
        let rows = format::thousands(self.len() as u64);
        match self {
            Target::Number(values) if values.len() < ROWS_MIN => Err(Failure::data(format!(
                "`{target}` is known in {rows} training rows, and at least {ROWS_MIN} are needed to learn from: add \
                 rows, or snapshots (`count`)"
            ))),
            Target::Number(values) if values.iter().all(|value| values.first() == Some(value)) => Err(Failure::data(
                format!("`{target}` is the same in all {rows} training rows, so there is nothing to learn"),
            )),
            Target::Number(_) => Ok(()),
            _ => {
                let counts = self.class_rows();
                let few = counts.iter().enumerate().find(|(_, rows)| **rows < class_rows_min);
                match (few, counts.len()) {
                    (_, 0 | 1) => Err(Failure::data(format!(
                        "`{target}` has one class only in {rows} training rows, so there is nothing to tell apart"
                    ))),
                    (Some((class, found)), _) => Err(Failure::data(format!(
                        "`{target}` is {} in {} of {rows} training rows, and at least {class_rows_min} are needed to \
                         learn from: add rows, or snapshots (`count`), or change the target so that it is so more often",
                        self.class_name(class),
                        format::thousands(*found as u64),
                    ))),
                    (None, _) => Ok(()),
                }
            }
        }
    }

    /// What a class is called.
    pub fn class_name(&self, class: usize) -> String {
        match self {
            Target::Binary(_) => (if class == 0 { "false" } else { "true" }).to_owned(),
            Target::Classes { names, .. } => names.get(class).cloned().unwrap_or_default(),
            Target::Number(_) => String::new(),
        }
    }
}

/// The rows of a frame at these places, ascending.
pub fn rows_at(frame: &DataFrame, rows: &[usize]) -> Result<DataFrame, Failure> {
    let mut mask = vec![false; frame.height()];
    rows.iter().for_each(|row| {
        if let Some(slot) = mask.get_mut(*row) {
            *slot = true;
        }
    });
    Ok(frame.filter(&BooleanChunked::from_slice("mask".into(), &mask))?)
}

/// What is wrong with the type of a target that `task` does not fit.
pub fn type_problem(label: &Column, expected: &str) -> crate::problem::Problem {
    use crate::problem::{Code, Problem};
    let message = format!(
        "`{}` is {}, and what is predicted here is {expected}",
        label.name,
        crate::table::type_name(&label.dtype)
    );
    Problem::new(Code::WrongColumnType, message).at(["with", "target"])
}
