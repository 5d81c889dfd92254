//! Checks that a column holds listed values only.

use chrono::NaiveDate;
use polars::prelude::{DataType, NamedFrom, Series, col, lit};
use serde_json::Value;

use super::{Test, column};
use crate::config::checks::Accepted;
use crate::problem::{Code, Problem};
use crate::table::{TableSchema, type_name};

/// True for a value that is not listed; false for null.
pub fn accepted(accepted: &Accepted, schema: &TableSchema) -> Result<Test, Vec<Problem>> {
    let name = &accepted.accepted;
    let dtype = column(schema, name).map_err(|problem| vec![problem.at(["accepted"])])?;
    let listed = match dtype {
        DataType::String => collect(&accepted.values, "a text", text).map(|values| Series::new("".into(), values)),
        DataType::Boolean => {
            collect(&accepted.values, "`true` or `false`", Value::as_bool).map(|values| Series::new("".into(), values))
        }
        DataType::Date => collect(&accepted.values, "a date written YYYY-MM-DD", date)
            .map(|values: Vec<NaiveDate>| Series::new("".into(), values)),
        integer if integer.is_integer() => integers(&accepted.values, integer),
        other => {
            let message = format!("`{name}` is {}, of which no values can be listed", type_name(other));
            let problem = Problem::new(Code::WrongColumnType, message).help("`range` and `sql` check such a column");
            return Err(vec![problem.at(["accepted"])]);
        }
    };
    let listed = listed.map_err(|problems| {
        problems.into_iter().map(|(index, problem)| problem.under(index).under("values")).collect::<Vec<_>>()
    })?;
    let is_listed = col(name.as_str()).is_in(lit(listed).implode(true), false);
    Ok(Test::Row(is_listed.not().fill_null(lit(false))))
}

type Wrong = Vec<(usize, Problem)>;

fn collect<T>(values: &[Value], expected: &str, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, Wrong> {
    let mut good = Vec::with_capacity(values.len());
    let mut wrong = Vec::new();
    for (index, value) in values.iter().enumerate() {
        match read(value) {
            Some(value) => good.push(value),
            None => {
                let message = format!("expected {expected}, found {value}");
                let problem = Problem::new(Code::WrongType, message);
                let quotable = expected == "a text" && (value.is_number() || value.is_boolean());
                let problem = if quotable { problem.help("put it in quotes to make it a text") } else { problem };
                wrong.push((index, problem));
            }
        }
    }
    if wrong.is_empty() { Ok(good) } else { Err(wrong) }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn date(value: &Value) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()
}

/// Whole numbers in the column's own type; one that does not fit could never be found.
fn integers(values: &[Value], dtype: &DataType) -> Result<Series, Wrong> {
    let numbers = collect(values, "a whole number", Value::as_i64)?;
    let wide = Series::new("".into(), &numbers);
    wide.strict_cast(dtype).map_err(|_| {
        let alone = |number: &i64| Series::new("".into(), &[*number]).strict_cast(dtype).is_err();
        let beyond = numbers.iter().enumerate().filter(|(_, number)| alone(number));
        let problem = |(index, number): (usize, &i64)| {
            (index, Problem::new(Code::BadValue, format!("{number} is beyond what {} can hold", type_name(dtype))))
        };
        beyond.map(problem).collect()
    })
}
