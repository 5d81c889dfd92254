//! What the user asks of the preparation of features.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem, Step};
use crate::table::{TableSchema, type_name};
use polars::prelude::DataType;

/// How features become the columns that are learned from. All of it is learned from training rows only, and is part of
/// the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prepare {
    /// Adds to each number that some training rows lack a column that says so; the number itself is then the median.
    pub missing_indicators: bool,
    /// A level of a text has a column of its own if at least so many training rows have it. The others, and levels that
    /// come later, share the column `other`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub level_rows_min: usize,
    /// Numbers that enter as their logarithm: sign(x) · ln(1 + |x|).
    pub log: Vec<String>,
    /// Numbers that enter as the share of training rows that have less, and half of those that have the same, from 0 to 1.
    pub quantile: Vec<String>,
    /// Dates and times of which age (days before the row's moment), month (1 to 12) and weekday (1 is Monday) enter.
    pub dates: Vec<String>,
    /// Pairs of numbers whose products enter as well.
    pub products: Vec<[String; 2]>,
}

impl Default for Prepare {
    fn default() -> Self {
        Prepare {
            missing_indicators: true,
            level_rows_min: 10,
            log: vec![],
            quantile: vec![],
            dates: vec![],
            products: vec![],
        }
    }
}

impl Prepare {
    /// The columns that it reads beside the features.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        self.dates.iter().chain(self.products.iter().flatten())
    }

    /// What is wrong with it for a table whose features are these, placed under `with.prepare`.
    /// `unavailable` are the target and what is not known when rows are scored.
    pub fn problems(&self, schema: &TableSchema, features: &[String], unavailable: &[&str]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let check = |name: &str, expected: &str, fits: fn(&DataType) -> bool| {
            if unavailable.contains(&name) {
                let message =
                    format!("`{name}` is what is predicted, what weighs rows, or declared not to be known then");
                return Some(Problem::new(Code::Leak, message));
            }
            column_problem(schema, name, expected, fits)
        };
        let place = |option: &str, index: usize| [Step::from("with"), "prepare".into(), option.into(), index.into()];
        for (option, names) in [("log", &self.log), ("quantile", &self.quantile)] {
            for (index, name) in names.iter().enumerate() {
                let is_number = |name: &String| schema.column(name).is_some_and(|column| is_number(&column.dtype));
                if !features.contains(name) {
                    let problem = Problem::new(Code::UnknownColumn, format!("`{name}` is none of the features"));
                    let names = features.iter().map(String::as_str);
                    problems.push(problem.nearest(name, names).at(place(option, index)));
                } else if !is_number(name) {
                    let message = format!("`{name}` is no number, so it has no {option}");
                    problems.push(Problem::new(Code::WrongColumnType, message).at(place(option, index)));
                } else if option == "quantile" && self.log.contains(name) {
                    let message = format!("`{name}` cannot be both a logarithm and a quantile");
                    problems.push(Problem::new(Code::BadValue, message).at(place(option, index)));
                }
            }
        }
        for (index, name) in self.dates.iter().enumerate() {
            let problem =
                check(name, "a date or a time", |dtype| matches!(dtype, DataType::Date | DataType::Datetime(..)));
            problems.extend(problem.map(|problem| problem.at(place("dates", index))));
        }
        for (index, pair) in self.products.iter().enumerate() {
            for name in pair {
                let problem = check(name, "a number", is_number);
                problems.extend(problem.map(|problem| problem.at(place("products", index))));
            }
        }
        problems
    }
}

fn is_number(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric() || matches!(dtype, DataType::Decimal(..) | DataType::Boolean)
}

/// A column that is not there, is a label, or of another type.
fn column_problem(
    schema: &TableSchema,
    name: &str,
    expected: &str,
    fits: impl Fn(&DataType) -> bool,
) -> Option<Problem> {
    let Some(column) = schema.column(name) else {
        let problem = Problem::new(Code::UnknownColumn, format!("the table has no column `{name}`"));
        return Some(problem.nearest(name, schema.names()));
    };
    if schema.key.contains(&column.name) || column.class.names_one() {
        let message = format!("`{name}` names who a row is of, and says nothing that carries over to another one");
        return Some(Problem::new(Code::BadValue, message));
    }
    if column.role != crate::table::Role::Plain {
        let message = format!("`{name}` is a label: it looks past the snapshot's moment");
        return Some(Problem::new(Code::Leak, message).help("use features only"));
    }
    let message = format!("`{name}` is {}, not {expected}", type_name(&column.dtype));
    (!fits(&column.dtype)).then(|| Problem::new(Code::WrongColumnType, message))
}
