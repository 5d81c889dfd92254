//! Checks of single rows: ranges, patterns, nulls.

use polars::prelude::{DataType, Expr, col, lit};

use super::{Test, column};
use crate::config::checks::{Bound, Pattern, Range};
use crate::problem::{Code, Problem};
use crate::table::{TableSchema, type_name};

/// True where any of the columns is null.
pub fn any_null(columns: &[String]) -> Expr {
    columns.iter().map(|name| col(name.as_str()).is_null()).reduce(Expr::or).unwrap_or_else(|| lit(false))
}

/// Outside the bounds, or NaN; false for null.
pub fn range(range: &Range, schema: &TableSchema) -> Result<Test, Vec<Problem>> {
    let name = &range.range;
    let dtype = column(schema, name).map_err(|problem| vec![problem.at(["range"])])?;
    let numeric = dtype.is_primitive_numeric() || dtype.is_decimal();
    if !numeric && !matches!(dtype, DataType::Date | DataType::Datetime(..)) {
        let message = format!("`{name}` is {}, not a number, date or time", type_name(dtype));
        return Err(vec![Problem::new(Code::WrongColumnType, message).at(["range"])]);
    }
    let problems = bound_problems(range, numeric, dtype);
    if !problems.is_empty() {
        return Err(problems);
    }
    let value = || col(name.as_str());
    let outside = [
        range.min.map(|min| value().lt(literal(min))),
        range.max.map(|max| value().gt(literal(max))),
        range.above.map(|above| value().lt_eq(literal(above))),
        range.below.map(|below| value().gt_eq(literal(below))),
        // Comparisons take NaN for the greatest of all numbers; it lies in no range.
        dtype.is_float().then(|| value().is_nan()),
    ];
    let outside = outside.into_iter().flatten().reduce(Expr::or).unwrap_or_else(|| lit(false));
    Ok(Test::Row(outside.fill_null(lit(false))))
}

fn bound_problems(range: &Range, numeric: bool, dtype: &DataType) -> Vec<Problem> {
    let bounds = [("min", range.min), ("max", range.max), ("above", range.above), ("below", range.below)];
    let mut problems = Vec::new();
    for (key, bound) in bounds {
        let Some(bound) = bound else { continue };
        if matches!(bound, Bound::Day(_)) == numeric {
            let expected = if numeric { "a number" } else { "a date written YYYY-MM-DD" };
            let message = format!("expected {expected}, since `{}` is {}", range.range, type_name(dtype));
            problems.push(Problem::new(Code::WrongType, message).at([key]));
        }
    }
    if !problems.is_empty() {
        return problems;
    }
    if bounds.iter().all(|(_, bound)| bound.is_none()) {
        let message = "a range needs a bound: `min`, `max`, `above` or `below`";
        return vec![Problem::new(Code::MissingKey, message)];
    }
    for (inclusive, exclusive, given) in
        [("min", "above", range.min.zip(range.above)), ("max", "below", range.max.zip(range.below))]
    {
        if given.is_some() {
            let message =
                format!("`{inclusive}` includes the bound and `{exclusive}` excludes it; expected one of them");
            problems.push(Problem::new(Code::BadValue, message).at([exclusive]).at_key());
        }
    }
    let low = range.min.map(|bound| ("min", bound)).or_else(|| range.above.map(|bound| ("above", bound)));
    let high = range.max.map(|bound| ("max", bound)).or_else(|| range.below.map(|bound| ("below", bound)));
    if let (Some((low_key, low)), Some((high_key, high))) = (low, high) {
        let exclusive = low_key == "above" || high_key == "below";
        let (low_at, high_at) = (position(low), position(high));
        if low_at > high_at || (exclusive && low_at == high_at) {
            let relation = if low_at > high_at { "above" } else { "the same as" };
            let message = format!("`{low_key}` {low} is {relation} `{high_key}` {high}, so nothing lies between");
            problems.push(Problem::new(Code::BadValue, message).at([low_key]));
        }
    }
    problems
}

/// Something to compare bounds of one kind by.
fn position(bound: Bound) -> f64 {
    match bound {
        #[expect(clippy::cast_precision_loss, reason = "two bounds that differ by less are not written")]
        Bound::Integer(number) => number as f64,
        Bound::Number(number) => number,
        Bound::Day(day) => f64::from(chrono::Datelike::num_days_from_ce(&day)),
    }
}

fn literal(bound: Bound) -> Expr {
    match bound {
        Bound::Integer(number) => lit(number),
        Bound::Number(number) => lit(number),
        Bound::Day(day) => lit(day.and_time(chrono::NaiveTime::MIN)),
    }
}

/// True for a text that the expression does not match as a whole; false for null.
pub fn pattern(pattern: &Pattern, schema: &TableSchema) -> Result<Test, Vec<Problem>> {
    let name = &pattern.pattern;
    let mut problems = Vec::new();
    match column(schema, name) {
        Ok(DataType::String) => {}
        Ok(other) => {
            let message = format!("`{name}` is {}, not text", type_name(other));
            problems.push(Problem::new(Code::WrongColumnType, message).at(["pattern"]));
        }
        Err(problem) => problems.push(problem.at(["pattern"])),
    }
    let whole = format!(r"\A(?:{})\z", pattern.regex);
    // First as it was written, since the message points into it.
    let wrong = regex::Regex::new(&pattern.regex).and_then(|_| regex::Regex::new(&whole)).err();
    if let Some(error) = wrong {
        problems.push(Problem::new(Code::BadValue, regex_words(&error)).at(["regex"]));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Test::Row(col(name.as_str()).str().contains(lit(whole), true).not().fill_null(lit(false))))
}

/// The last line of the error says what is wrong; those above it draw the expression.
fn regex_words(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("not a regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
}
