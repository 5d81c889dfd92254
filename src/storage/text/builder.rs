//! Columns made of raw values, one after the other.

use polars::prelude::{
    AnyValue, Column, DataType, Int128Chunked, IntoColumn, IntoSeries, NamedFrom, NewChunkedArray, PolarsResult,
    Series, StringChunkedBuilder, TimeUnit,
};

use super::raw::Raw;
use crate::table::text;

/// A column that grows; values that are not of its type are null, and counted.
pub(super) struct Builder {
    name: String,
    dtype: DataType,
    values: Values,
    /// Values that are not of the type.
    pub(super) unread: u64,
}

enum Values {
    Truth(Vec<Option<bool>>),
    /// Signed integers and small unsigned ones, with the bounds of their type.
    Integer(Vec<Option<i64>>, i64, i64),
    Unsigned(Vec<Option<u64>>),
    Single(Vec<Option<f32>>),
    Double(Vec<Option<f64>>),
    /// Digits, precision and scale.
    Decimal(Vec<Option<i128>>, usize, usize),
    Text(StringChunkedBuilder),
    Days(Vec<Option<i32>>),
    Moments(Vec<Option<i64>>),
    Lists(Vec<Option<Series>>, DataType),
}

impl Builder {
    pub(super) fn new(name: &str, dtype: &DataType, capacity: usize) -> Builder {
        let values = match dtype {
            DataType::Boolean => Values::Truth(Vec::with_capacity(capacity)),
            DataType::Float32 => Values::Single(Vec::with_capacity(capacity)),
            DataType::Float64 => Values::Double(Vec::with_capacity(capacity)),
            DataType::Decimal(precision, scale) => Values::Decimal(Vec::with_capacity(capacity), *precision, *scale),
            DataType::Date => Values::Days(Vec::with_capacity(capacity)),
            DataType::Datetime(..) => Values::Moments(Vec::with_capacity(capacity)),
            DataType::List(inner) => Values::Lists(Vec::with_capacity(capacity), inner.as_ref().clone()),
            DataType::UInt64 => Values::Unsigned(Vec::with_capacity(capacity)),
            integer => match text::bounds(integer) {
                Some((least, greatest)) => {
                    let bound = |number: i128, otherwise| i64::try_from(number).unwrap_or(otherwise);
                    let (least, greatest) = (bound(least, i64::MIN), bound(greatest, i64::MAX));
                    Values::Integer(Vec::with_capacity(capacity), least, greatest)
                }
                None => Values::Text(StringChunkedBuilder::new(name.into(), capacity)),
            },
        };
        Builder { name: name.to_owned(), dtype: dtype.clone(), values, unread: 0 }
    }

    /// Appends a value.
    pub(super) fn push(&mut self, raw: &Raw<'_>) {
        let was_read = match &mut self.values {
            Values::Truth(values) => {
                let value = if let Raw::Truth(value) = raw { Some(*value) } else { raw.text().and_then(text::truth) };
                append(values, value)
            }
            Values::Integer(values, least, greatest) => {
                let number = raw.number().and_then(|number| number.parse().ok());
                append(values, number.filter(|number| (*least..=*greatest).contains(number)))
            }
            Values::Unsigned(values) => append(values, raw.number().and_then(|number| number.parse().ok())),
            Values::Single(values) => append(values, raw.number().and_then(text::float)),
            Values::Double(values) => append(values, raw.number().and_then(text::float)),
            Values::Decimal(values, precision, scale) => {
                append(values, raw.number().and_then(|number| text::decimal(number, *precision, *scale)))
            }
            Values::Text(values) => {
                let value = if let Raw::Text(value) = raw { Some(value) } else { None };
                values.append_option(value);
                value.is_some()
            }
            Values::Days(values) => append(values, raw.text().and_then(text::date).map(|date| date.to_epoch_days())),
            Values::Moments(values) => append(values, raw.text().and_then(text::moment)),
            Values::Lists(values, inner) => {
                let value = list(raw, inner);
                append(values, value)
            }
        };
        self.unread += u64::from(!was_read && *raw != Raw::Null);
    }

    pub(super) fn finish(self) -> PolarsResult<Column> {
        let Builder { name, dtype, values, .. } = self;
        let name: polars::prelude::PlSmallStr = name.into();
        let series = match values {
            Values::Truth(values) => Series::new(name, values),
            Values::Integer(values, ..) => Series::new(name, values).strict_cast(&dtype)?,
            Values::Unsigned(values) => Series::new(name, values),
            Values::Single(values) => Series::new(name, values),
            Values::Double(values) => Series::new(name, values),
            Values::Decimal(values, precision, scale) => {
                let digits = Int128Chunked::from_iter_options(name, values.into_iter());
                digits.into_decimal_unchecked(precision, scale).into_series()
            }
            Values::Text(values) => values.finish().into_series(),
            Values::Days(values) => Series::new(name, values).cast(&dtype)?,
            Values::Moments(values) => {
                Series::new(name, values).cast(&DataType::Datetime(TimeUnit::Microseconds, None))?
            }
            Values::Lists(values, _) => {
                let lists: Vec<AnyValue<'_>> =
                    values.into_iter().map(|list| list.map_or(AnyValue::Null, AnyValue::List)).collect();
                Series::from_any_values_and_dtype(name, &lists, &dtype, true)?
            }
        };
        Ok(series.into_column())
    }
}

/// Appends the value, or null for none; whether there was one.
fn append<T>(values: &mut Vec<Option<T>>, value: Option<T>) -> bool {
    let was_read = value.is_some();
    values.push(value);
    was_read
}

/// A list whose values are all of the type, or null.
fn list(raw: &Raw<'_>, inner: &DataType) -> Option<Series> {
    let Raw::List(values) = raw else { return None };
    let mut builder = Builder::new("", inner, values.len());
    for value in values {
        builder.push(value);
    }
    let all_read = builder.unread == 0;
    builder.finish().ok().filter(|_| all_read).map(|column| column.take_materialized_series())
}
