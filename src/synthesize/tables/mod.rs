//! The tables: their columns, and how they are filled.

pub mod catalog;
pub mod customers;
pub mod transactions;
pub mod truth;

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int32Type, TimeUnit};
use parquet::errors::ParquetError;

/// Customer number 0 has this id.
const FIRST_CUSTOMER_ID: i64 = 10_001;

/// The id of a customer by number.
pub fn customer_id(number: u32) -> i64 {
    FIRST_CUSTOMER_ID + i64::from(number)
}

/// Times are UTC and, as in most retailers' extracts, do not say so in their type.
fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// Strings as places in a list of values.
fn keyed(keys: impl Into<Int32Array>, values: &Arc<StringArray>) -> Result<ArrayRef, ParquetError> {
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys.into(), Arc::<StringArray>::clone(values))?))
}

fn strings<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Arc<StringArray> {
    Arc::new(StringArray::from_iter_values(values))
}
