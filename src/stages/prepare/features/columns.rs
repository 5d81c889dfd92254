//! Event columns as plain arrays, filled batch by batch.

use polars::prelude::{DataType, PlHashMap, PolarsResult, Series};

use super::dictionary::{Dictionary, sorted};
use crate::algorithms::windows::{Data, Values};

/// The entity of each event.
pub enum EntityColumn {
    Integers { codes: Vec<u32>, known: PlHashMap<i64, u32>, keys: Vec<i64> },
    Texts { codes: Vec<u32>, dictionary: Dictionary },
}

/// Distinct entities, ascending.
pub enum Keys {
    Integers(Vec<i64>),
    Texts(Vec<String>),
}

impl EntityColumn {
    pub fn new(dtype: &DataType, rows: usize) -> EntityColumn {
        let codes = Vec::with_capacity(rows);
        match dtype {
            DataType::String => EntityColumn::Texts { codes, dictionary: Dictionary::new(true) },
            _ => EntityColumn::Integers { codes, known: PlHashMap::default(), keys: vec![] },
        }
    }

    /// Takes in a batch without nulls.
    pub fn append(&mut self, series: &Series) -> PolarsResult<()> {
        match self {
            EntityColumn::Texts { codes, dictionary } => dictionary.encode(series.str()?, codes),
            EntityColumn::Integers { codes, known, keys } => {
                let mut last: Option<(i64, u32)> = None;
                for key in series.i64()?.iter() {
                    let key = key.unwrap_or_default();
                    let code = match last {
                        Some((same, code)) if same == key => code,
                        _ => *known.entry(key).or_insert_with(|| {
                            keys.push(key);
                            (keys.len() - 1) as u32
                        }),
                    };
                    last = Some((key, code));
                    codes.push(code);
                }
            }
        }
        Ok(())
    }

    /// The code of each event's entity, which is its place among the keys.
    pub fn finish(self) -> (Vec<u32>, Keys) {
        match self {
            EntityColumn::Texts { mut codes, dictionary } => {
                let texts = dictionary.sorted(&mut codes);
                (codes, Keys::Texts(texts))
            }
            EntityColumn::Integers { mut codes, known, keys } => {
                drop(known);
                let keys = sorted(keys, &mut codes);
                (codes, Keys::Integers(keys))
            }
        }
    }
}

/// An event column under construction.
pub struct EventColumn {
    dtype: DataType,
    data: Growing,
    valid: Option<Vec<bool>>,
}

enum Growing {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Texts { codes: Vec<u32>, dictionary: Dictionary, in_order: bool },
    Mask(Vec<bool>),
    Times,
}

/// An event column, whole.
pub struct EventValues {
    pub values: Values,
    pub meaning: Meaning,
}

/// What is needed to turn results back into a column's type.
#[derive(Clone)]
pub struct Meaning {
    pub dtype: DataType,
    /// The text behind each code, ascending, where the column is text.
    pub texts: Option<std::sync::Arc<Vec<String>>>,
}

impl EventColumn {
    /// A column of values; of texts that are only told apart, the order need not be known.
    pub fn values(dtype: &DataType, in_order: bool, rows: usize) -> EventColumn {
        let data = match dtype {
            DataType::String => {
                Growing::Texts { codes: Vec::with_capacity(rows), dictionary: Dictionary::new(in_order), in_order }
            }
            DataType::Float64 | DataType::Decimal(..) => Growing::Floats(Vec::with_capacity(rows)),
            _ => Growing::Integers(Vec::with_capacity(rows)),
        };
        let dtype = if matches!(dtype, DataType::Decimal(..)) { DataType::Float64 } else { dtype.clone() };
        EventColumn { dtype, data, valid: None }
    }

    /// A condition; null counts as false.
    pub fn mask(rows: usize) -> EventColumn {
        EventColumn { dtype: DataType::Boolean, data: Growing::Mask(Vec::with_capacity(rows)), valid: None }
    }

    /// The events' times, which are kept elsewhere.
    pub fn times(dtype: &DataType) -> EventColumn {
        EventColumn { dtype: dtype.clone(), data: Growing::Times, valid: None }
    }

    /// Whether batches bring values for it.
    pub fn is_read(&self) -> bool {
        !matches!(self.data, Growing::Times)
    }

    /// Takes in a batch; `before` rows came before it.
    pub fn append(&mut self, series: &Series, before: usize) -> PolarsResult<()> {
        match &mut self.data {
            Growing::Times => return Ok(()),
            Growing::Mask(mask) => {
                mask.extend(series.bool()?.iter().map(|value| value.unwrap_or(false)));
                return Ok(());
            }
            Growing::Texts { codes, dictionary, .. } => dictionary.encode(series.str()?, codes),
            Growing::Floats(floats) => {
                let series = series.cast(&DataType::Float64)?;
                floats.extend(series.f64()?.iter().map(|value| value.unwrap_or(f64::NAN)));
            }
            Growing::Integers(integers) if series.dtype() == &DataType::Boolean => {
                integers.extend(series.bool()?.iter().map(|value| i64::from(value.unwrap_or(false))));
            }
            Growing::Integers(integers) => {
                let series = series.to_physical_repr().cast(&DataType::Int64)?;
                integers.extend(series.i64()?.iter().map(|value| value.unwrap_or(0)));
            }
        }
        if series.null_count() > 0 || self.valid.is_some() {
            let valid = self.valid.get_or_insert_with(|| vec![true; before]);
            valid.extend(series.is_not_null().iter().map(|valid| valid.unwrap_or(false)));
        }
        Ok(())
    }

    /// The column as values or, if it is a condition, as a mask.
    pub fn finish(self) -> Result<EventValues, Vec<bool>> {
        let (data, texts) = match self.data {
            Growing::Mask(mask) => return Err(mask),
            Growing::Times => (Data::Times, None),
            Growing::Integers(integers) => (Data::Integers(integers), None),
            Growing::Floats(floats) => (Data::Floats(floats), None),
            Growing::Texts { codes, in_order: false, .. } => (Data::Codes(codes), None),
            Growing::Texts { mut codes, dictionary, .. } => {
                let texts = dictionary.sorted(&mut codes);
                (Data::Codes(codes), Some(std::sync::Arc::new(texts)))
            }
        };
        let meaning = Meaning { dtype: self.dtype, texts };
        Ok(EventValues { values: Values::new(data, self.valid), meaning })
    }
}
