//! Columns as a driver gives them, in the types of the contract.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Date32Type, Field, Float32Type, Float64Type, Schema, SchemaRef, TimeUnit,
    TimestampMicrosecondType,
};
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
        return Ok(usual(cast(given, wanted)?));
    }
    let texts = cast(given, &DataType::Utf8)?;
    let exact = |precision, scale| decimals(texts.as_string(), precision, scale);
    let floats = || floats(texts.as_string());
    match wanted {
        DataType::Decimal128(precision, scale) => Ok(Arc::new(exact(*precision, *scale)?)),
        whole if whole.is_integer() => cast(&exact(DECIMAL128_MAX_PRECISION, 0)?, whole),
        DataType::Float64 => Ok(Arc::new(floats())),
        DataType::Float32 => Ok(Arc::new(narrow(&floats()))),
        _ => cast(&texts, wanted),
    }
}

/// Zero has one sign, so that what is equal is the same; and a time is of a year that has four digits: what databases
/// have for ever and never comes as some moment far away.
fn usual(column: ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float64 => {
            Arc::new(column.as_primitive::<Float64Type>().unary::<_, Float64Type>(|value| value + 0.0))
        }
        DataType::Float32 => {
            Arc::new(column.as_primitive::<Float32Type>().unary::<_, Float32Type>(|value| value + 0.0))
        }
        DataType::Date32 => {
            let usual = |day| (FIRST_DAY..=LAST_DAY).contains(&day).then_some(day);
            Arc::new(column.as_primitive::<Date32Type>().unary_opt::<_, Date32Type>(usual))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let (first, end) = (i64::from(FIRST_DAY) * DAY_US, (i64::from(LAST_DAY) + 1) * DAY_US);
            let usual = |moment| (first..end).contains(&moment).then_some(moment);
            let column = column.as_primitive::<TimestampMicrosecondType>();
            Arc::new(column.unary_opt::<_, TimestampMicrosecondType>(usual))
        }
        _ => column,
    }
}

/// 0001-01-01 and 9999-12-31, in days since 1970.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
const DAY_US: i64 = 86_400_000_000;

/// The nearest numbers; null where a text is none, or more than there is.
fn floats(texts: &StringArray) -> Float64Array {
    let number = |text: &str| {
        let number: f64 = text.parse().ok()?;
        (number.is_finite() || !text.contains(|letter: char| letter.is_ascii_digit())).then_some(number)
    };
    texts.iter().map(|text| text.and_then(number)).collect()
}

fn narrow(wide: &Float64Array) -> Float32Array {
    wide.unary_opt::<_, Float32Type>(|wide| {
        let narrow = wide as f32;
        (narrow.is_finite() || !wide.is_finite()).then_some(narrow)
    })
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

/// Whether a column is of numbers that are not those of the database: PostgreSQL's driver gives MONEY in hundredths, and
/// OID with a sign.
pub fn is_strange(field: &Field) -> bool {
    let types = ["money", "oid"];
    field.metadata().get("POSTGRESQL:type").is_some_and(|told| types.contains(&told.as_str()))
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
    fn numbers_and_times_are_those_that_there_are() {
        let texts = StringArray::from(vec!["1e400", "1e39", "Infinity", "NaN", "0.1"]);
        let wide = floats(&texts);
        let nulls = |array: &dyn Array| (0..array.len()).map(|row| array.is_null(row)).collect::<Vec<_>>();
        assert_eq!(nulls(&wide), [true, false, false, false, false]);
        assert_eq!(nulls(&narrow(&wide)), [true, true, false, false, false]);
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![-0.0]));
        assert!(usual(zeros).as_primitive::<Float64Type>().value(0).is_sign_positive());
        let moments = vec![i64::MAX, -9_222_425_352_054_775_809, 0, i64::from(LAST_DAY) * DAY_US];
        let moments: ArrayRef = Arc::new(arrow::array::TimestampMicrosecondArray::from(moments));
        assert_eq!(nulls(&usual(moments)), [true, true, false, false]);
        let days: ArrayRef = Arc::new(arrow::array::Date32Array::from(vec![-2_147_472_692, FIRST_DAY, LAST_DAY + 1]));
        assert_eq!(nulls(&usual(days)), [true, false, true]);
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
