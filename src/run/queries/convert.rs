//! Columns as a driver gives them, in the types of the contract.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::storage::scan::arrow_type;
use crate::table::TableSchema;

/// How event times are compared.
pub const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// The columns of a contract, each from the one of the same name.
pub struct Converted {
    pub schema: SchemaRef,
}

impl Converted {
    /// None where a type has no counterpart.
    pub fn of(raw: &TableSchema) -> Option<Converted> {
        let field = |column: &crate::table::Column| Some(Field::new(&column.name, arrow_type(&column.dtype)?, true));
        let fields: Vec<Field> = raw.columns.iter().map(field).collect::<Option<_>>()?;
        Some(Converted { schema: Arc::new(Schema::new(fields)) })
    }

    /// Rows in the contract's types. Values that are none of their type become null and are counted, by column.
    ///
    /// # Errors
    /// Columns that are not there, or of a type that has nothing to do with the contract's.
    pub fn convert(&self, batch: &RecordBatch, unread: &mut [u64]) -> Result<RecordBatch, ArrowError> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (field, unread) in self.schema.fields().iter().zip(unread) {
            let given = batch.column_by_name(field.name());
            let given = given.ok_or_else(|| ArrowError::SchemaError("a column is missing".to_owned()))?;
            let converted = converted(given, field.data_type())?;
            *unread += converted.logical_null_count().saturating_sub(given.logical_null_count()) as u64;
            columns.push(converted);
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), columns, &rows)
    }
}

fn converted(given: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, ArrowError> {
    if !is_text(given.data_type()) {
        return cast(given, wanted);
    }
    let texts = cast(given, &DataType::Utf8)?;
    let exact = |precision, scale| decimals(texts.as_string(), precision, scale);
    match wanted {
        DataType::Decimal128(precision, scale) => Ok(Arc::new(exact(*precision, *scale)?)),
        whole if whole.is_integer() => cast(&exact(DECIMAL128_MAX_PRECISION, 0)?, whole),
        _ => cast(&texts, wanted),
    }
}

fn is_text(found: &DataType) -> bool {
    matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Decimal numbers; null where a text is none, or has more digits than fit.
fn decimals(texts: &StringArray, precision: u8, scale: i8) -> Result<Decimal128Array, ArrowError> {
    let places = usize::try_from(scale).unwrap_or(0);
    let numbers = texts.iter().map(|text| decimal(text?, usize::from(precision), places));
    numbers.collect::<Decimal128Array>().with_precision_and_scale(precision, scale)
}

/// `-12.50` with two places is -1250. Nothing is rounded.
fn decimal(text: &str, precision: usize, places: usize) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let only_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > places || !only_digits(whole) || !only_digits(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction:0<places$}");
    let digits = digits.trim_start_matches('0');
    if digits.len() > precision {
        return None;
    }
    let number: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some(if negative { -number } else { number })
}

/// Whether a column is of texts that are numbers, as PostgreSQL's driver gives NUMERIC, which has no bound on its digits.
pub fn is_text_of_number(field: &Field) -> bool {
    let named = |key: &str| field.metadata().get(key).is_some_and(|told| told.to_lowercase().contains("numeric"));
    is_text(field.data_type()) && (named("ADBC:postgresql:typname") || named("ARROW:extension:metadata"))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataType as Declared, TimeUnit as DeclaredUnit};

    use super::*;
    use crate::table::Column;

    #[test]
    fn decimals_are_read_exactly_or_not_at_all() {
        for (text, number) in [
            ("12.5", Some(1250)),
            ("-0.05", Some(-5)),
            ("7", Some(700)),
            ("0", Some(0)),
            ("1.2300", Some(123)),
            ("0012.00", Some(1200)),
            ("99999.99", Some(9_999_999)),
            ("100000", None),
            ("1.234", None),
            ("NaN", None),
            ("Infinity", None),
            ("", None),
            ("1e3", None),
            ("--1", None),
        ] {
            assert_eq!(decimal(text, 7, 2), number, "{text}");
        }
    }

    #[test]
    fn what_is_no_value_of_the_type_is_counted() {
        let schema = TableSchema {
            columns: vec![
                Column::new("count", Declared::Int64),
                Column::new("amount", Declared::Decimal(6, 2)),
                Column::new("at", Declared::Datetime(DeclaredUnit::Microseconds, None)),
            ],
            ..TableSchema::default()
        };
        let texts = |texts: [Option<&str>; 3]| -> ArrayRef { Arc::new(StringArray::from(texts.to_vec())) };
        let zoned =
            arrow::array::TimestampMillisecondArray::from(vec![Some(1), None, Some(-1)]).with_timezone("+02:00");
        let given = RecordBatch::try_from_iter([
            ("at", Arc::new(zoned) as ArrayRef),
            ("amount", texts([Some("1.5"), Some("0.001"), None])),
            ("count", texts([Some("12.0"), Some("1.5"), Some("NaN")])),
        ]);
        let mut unread = vec![0; 3];
        let rows = Converted::of(&schema).unwrap().convert(&given.unwrap(), &mut unread).unwrap();
        assert_eq!(unread, [2, 1, 0]);
        let at = rows.column(2).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        assert_eq!(at.iter().collect::<Vec<_>>(), [Some(1000), None, Some(-1000)], "in UTC");
        let missing = rows.project(&[0]).unwrap();
        assert!(Converted::of(&schema).unwrap().convert(&missing, &mut unread).is_err());
    }
}
