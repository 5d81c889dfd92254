//! Values of test rows in the types of their columns, to and from polars.

use std::fmt;

use chrono::{DateTime, NaiveDate};
use polars::prelude::{AnyValue, DataType, PolarsResult, Series, TimeUnit};
use serde_json::Value;

use crate::config::unit_tests::Written;
use crate::table::text::{bounds, date, decimal, moment};
use crate::table::type_name;

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    /// The digits without the point, and how many of them stand behind it.
    Decimal(i128, usize),
    Text(String),
    Date(NaiveDate),
    /// Microseconds since 1970, UTC.
    Moment(i64),
    List(Vec<Cell>),
}

impl Cell {
    /// A written value as one of the type; else what was expected and what was found.
    pub fn read(written: &Written, dtype: &DataType) -> Result<Cell, String> {
        match written {
            Written::Yaml(Value::Null) | Written::Csv(None) => Ok(Cell::Null),
            Written::Yaml(value) => Cell::of_yaml(value, dtype).ok_or_else(|| expected(dtype, &in_words(value))),
            Written::Csv(Some(text)) => Cell::of_text(text, dtype).ok_or_else(|| expected(dtype, &format!("`{text}`"))),
        }
    }

    fn of_yaml(value: &Value, dtype: &DataType) -> Option<Cell> {
        match (dtype, value) {
            (DataType::String, Value::String(text)) => Some(Cell::Text(text.clone())),
            (DataType::Boolean, Value::Bool(value)) => Some(Cell::Bool(*value)),
            (DataType::Float32 | DataType::Float64, Value::Number(number)) => number.as_f64().map(Cell::Float),
            // As texts, since JSON has no such numbers and the pipeline is kept as JSON.
            (DataType::Float32 | DataType::Float64, Value::String(text)) => match text.as_str() {
                "NaN" | "inf" | "-inf" => text.parse().ok().map(Cell::Float),
                _ => None,
            },
            (DataType::List(inner), Value::Array(values)) => {
                let cell = |value: &Value| match value {
                    Value::Null => Some(Cell::Null),
                    value => Cell::of_yaml(value, inner),
                };
                values.iter().map(cell).collect::<Option<_>>().map(Cell::List)
            }
            (DataType::Date | DataType::Datetime(..) | DataType::Decimal(..), Value::String(text)) => {
                Cell::of_text(text, dtype)
            }
            (DataType::Decimal(..), Value::Number(number)) => Cell::of_text(&number.to_string(), dtype),
            (dtype, Value::Number(number)) if dtype.is_integer() => Cell::of_text(&number.to_string(), dtype),
            _ => None,
        }
    }

    fn of_text(text: &str, dtype: &DataType) -> Option<Cell> {
        match dtype {
            DataType::String => Some(Cell::Text(text.to_owned())),
            DataType::Boolean => match text {
                "true" => Some(Cell::Bool(true)),
                "false" => Some(Cell::Bool(false)),
                _ => None,
            },
            DataType::Float32 | DataType::Float64 => text.parse().ok().map(Cell::Float),
            DataType::Date => date(text).map(Cell::Date),
            DataType::Datetime(..) => moment(text).map(Cell::Moment),
            DataType::Decimal(precision, scale) => {
                decimal(text, *precision, *scale).map(|digits| Cell::Decimal(digits, *scale))
            }
            _ => {
                let number: i128 = text.parse().ok()?;
                let (smallest, greatest) = bounds(dtype)?;
                (smallest..=greatest).contains(&number).then_some(Cell::Integer(number))
            }
        }
    }

    /// For polars. Integers come as 128-bit ones, and are cast to the type of their column.
    fn to_any(&self, dtype: &DataType) -> PolarsResult<AnyValue<'static>> {
        Ok(match self {
            Cell::Null => AnyValue::Null,
            Cell::Bool(value) => AnyValue::Boolean(*value),
            Cell::Integer(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => AnyValue::Int64(value),
                (_, Ok(value)) => AnyValue::UInt64(value),
                _ => AnyValue::Null,
            },
            Cell::Float(value) => AnyValue::Float64(*value),
            Cell::Decimal(digits, scale) => AnyValue::Decimal(*digits, 38, *scale),
            Cell::Text(text) => AnyValue::StringOwned(text.as_str().into()),
            Cell::Date(date) => AnyValue::Date(date.to_epoch_days()),
            Cell::Moment(us) => AnyValue::Datetime(*us, TimeUnit::Microseconds, None),
            Cell::List(cells) => match dtype {
                DataType::List(inner) => AnyValue::List(series("", cells, inner)?),
                _ => AnyValue::Null,
            },
        })
    }

    /// What polars has.
    pub fn of_any(value: &AnyValue<'_>) -> Cell {
        match value {
            AnyValue::Null => Cell::Null,
            AnyValue::Boolean(value) => Cell::Bool(*value),
            AnyValue::Float32(value) => Cell::Float(f64::from(*value)),
            AnyValue::Float64(value) => Cell::Float(*value),
            AnyValue::String(text) => Cell::Text((*text).to_owned()),
            AnyValue::StringOwned(text) => Cell::Text(text.to_string()),
            AnyValue::Date(days) => NaiveDate::from_epoch_days(*days).map_or(Cell::Null, Cell::Date),
            AnyValue::Datetime(us, TimeUnit::Microseconds, _)
            | AnyValue::DatetimeOwned(us, TimeUnit::Microseconds, _) => Cell::Moment(*us),
            AnyValue::Decimal(digits, _, scale) => Cell::Decimal(*digits, *scale),
            AnyValue::List(series) => Cell::List(series.iter().map(|value| Cell::of_any(&value)).collect()),
            other => other.extract::<i128>().map_or_else(|| Cell::Text(other.to_string()), Cell::Integer),
        }
    }

    /// Whether it is the other, floats up to a tolerance; null is null, and NaN is NaN.
    pub fn matches(&self, expected: &Cell, tolerance: f64) -> bool {
        match (self, expected) {
            (Cell::Float(found), Cell::Float(expected)) => {
                found == expected
                    || (found.is_nan() && expected.is_nan())
                    || (found - expected).abs() <= tolerance * expected.abs().max(1.0)
            }
            (Cell::List(found), Cell::List(expected)) => {
                let pairs = || found.iter().zip(expected);
                found.len() == expected.len() && pairs().all(|(found, expected)| found.matches(expected, tolerance))
            }
            (found, expected) => found == expected,
        }
    }
}

/// A column of cells, which are all of the type.
pub fn series(name: &str, cells: &[Cell], dtype: &DataType) -> PolarsResult<Series> {
    let values = cells.iter().map(|cell| cell.to_any(dtype)).collect::<PolarsResult<Vec<_>>>()?;
    // Not strict, since an integer comes as one of 64 bits; that it fits was found when it was read.
    Series::from_any_values_and_dtype(name.into(), &values, dtype, false)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("null"),
            Cell::Bool(value) => write!(f, "{value}"),
            Cell::Integer(value) => write!(f, "{value}"),
            Cell::Float(value) => write!(f, "{value:?}"),
            Cell::Decimal(digits, scale) => {
                let unit = 10_i128.pow(u32::try_from(*scale).unwrap_or_default());
                let sign = if *digits < 0 { "-" } else { "" };
                let (whole, rest) = (digits.abs() / unit, digits.abs() % unit);
                if *scale == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{rest:0scale$}") }
            }
            Cell::Text(text) => write!(f, "{}", text.escape_debug()),
            Cell::Date(date) => write!(f, "{date}"),
            Cell::Moment(us) => match DateTime::from_timestamp_micros(*us) {
                Some(moment) => write!(f, "{}", moment.format("%Y-%m-%d %H:%M:%S%.f")),
                None => write!(f, "{us} µs"),
            },
            Cell::List(cells) => {
                let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", cells.join(", "))
            }
        }
    }
}

fn expected(dtype: &DataType, found: &str) -> String {
    let hint = match dtype {
        DataType::Date => ", such as 2024-01-31",
        DataType::Datetime(..) => ", such as 2024-01-31 or 2024-01-31 12:30:00",
        _ => "",
    };
    format!("expected {}{hint}, found {found}", type_name(dtype))
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("`{value}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text \"{text}\""),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn yaml(value: Value, dtype: DataType) -> Result<Cell, String> {
        Cell::read(&Written::Yaml(value), &dtype)
    }

    const MOMENT: DataType = DataType::Datetime(TimeUnit::Microseconds, None);

    /// A table of one row gives its values so.
    #[test]
    fn a_moment_is_one_whoever_owns_it() {
        assert_eq!(Cell::of_any(&AnyValue::DatetimeOwned(5, TimeUnit::Microseconds, None)), Cell::Moment(5));
    }

    #[test]
    fn values_are_read_in_the_types_of_their_columns() {
        assert_eq!(yaml(json!(3), DataType::Int8), Ok(Cell::Integer(3)));
        assert_eq!(yaml(json!(3), DataType::Float64), Ok(Cell::Float(3.0)));
        assert_eq!(yaml(json!("2024-01-02 03:04"), MOMENT), Ok(Cell::Moment(1_704_164_640_000_000)));
        assert_eq!(yaml(json!("2024-01-02"), MOMENT), yaml(json!("2024-01-02T00:00:00Z"), MOMENT));
        assert_eq!(yaml(json!(12.5), DataType::Decimal(5, 2)), Ok(Cell::Decimal(1250, 2)));
        assert_eq!(yaml(json!("-0.05"), DataType::Decimal(5, 2)), Ok(Cell::Decimal(-5, 2)));
        assert_eq!(yaml(json!(null), DataType::Int8), Ok(Cell::Null));
        assert_eq!(yaml(json!("-inf"), DataType::Float64), Ok(Cell::Float(f64::NEG_INFINITY)));
        assert!(yaml(json!("infinity"), DataType::Float64).is_err());
        let list = DataType::List(Box::new(DataType::Float32));
        assert_eq!(yaml(json!([1, null]), list), Ok(Cell::List(vec![Cell::Float(1.0), Cell::Null])));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert_eq!(yaml(json!(300), DataType::Int8), Err("expected int8, found the number 300".to_owned()));
        assert_eq!(yaml(json!(1.5), DataType::Int64), Err("expected int64, found the number 1.5".to_owned()));
        assert_eq!(yaml(json!(1), DataType::String), Err("expected string, found the number 1".to_owned()));
        assert!(yaml(json!("2024-1-2"), DataType::Date).is_err());
        assert!(yaml(json!(1.234), DataType::Decimal(5, 2)).is_err());
        assert!(yaml(json!(1234), DataType::Decimal(5, 2)).is_err());
        assert!(Cell::read(&Written::Csv(Some("yes".to_owned())), &DataType::Boolean).is_err());
    }

    #[test]
    fn cells_go_to_polars_and_come_back() {
        let of = |dtype: DataType, cells: Vec<Cell>| {
            let series = series("x", &cells, &dtype).unwrap();
            assert_eq!(*series.dtype(), dtype);
            let back: Vec<Cell> = series.iter().map(|value| Cell::of_any(&value)).collect();
            assert_eq!(back, cells, "{dtype}");
        };
        of(DataType::Int32, vec![Cell::Integer(-3), Cell::Null]);
        of(DataType::UInt64, vec![Cell::Integer(u64::MAX.into()), Cell::Integer(1)]);
        of(DataType::Float64, vec![Cell::Float(0.5), Cell::Null]);
        of(DataType::Decimal(12, 2), vec![Cell::Decimal(-1205, 2), Cell::Null]);
        of(DataType::String, vec![Cell::Text("a".to_owned())]);
        of(DataType::Boolean, vec![Cell::Bool(true)]);
        of(DataType::Date, vec![Cell::Date(NaiveDate::from_ymd_opt(2024, 2, 29).unwrap())]);
        of(MOMENT, vec![Cell::Moment(1_704_164_640_000_000), Cell::Null]);
        of(DataType::List(Box::new(DataType::Int64)), vec![Cell::List(vec![Cell::Integer(1)]), Cell::Null]);
    }

    #[test]
    fn floats_match_within_the_tolerance() {
        let float = Cell::Float;
        assert!(float(0.3).matches(&float(0.1 + 0.2), 1e-9));
        assert!(!float(0.3).matches(&float(0.3001), 1e-9));
        assert!(float(1e9).matches(&float(1e9 + 0.5), 1e-9));
        assert!(float(f64::NAN).matches(&float(f64::NAN), 0.0));
        assert!(Cell::Null.matches(&Cell::Null, 0.0));
        assert!(!Cell::Null.matches(&float(0.0), 1.0));
    }

    #[test]
    fn cells_print_as_they_are_written() {
        let print = |cell: Cell| cell.to_string();
        assert_eq!(print(Cell::Decimal(-1205, 2)), "-12.05");
        assert_eq!(print(Cell::Float(1.0)), "1.0");
        assert_eq!(print(Cell::Moment(1_704_164_640_500_000)), "2024-01-02 03:04:00.500");
        assert_eq!(print(Cell::List(vec![Cell::Integer(1), Cell::Null])), "[1, null]");
    }
}
