//! The tables of a model as Parquet files.

use std::io::Cursor;

use polars::prelude::{DataFrame, ParquetReader, ParquetWriter, SerReader};

use crate::stages::contract::Failure;
use crate::stages::model::Model;

/// A table as the bytes of a file.
pub fn to_parquet(mut frame: DataFrame) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame)?;
    Ok(bytes)
}

/// A table of a model.
pub fn from_parquet(model: &Model, name: &str) -> Result<DataFrame, Failure> {
    let Some(bytes) = model.files.get(name) else {
        return Err(Failure::data(format!("the earlier model has no file `{name}`; fit one with `mode: fit_apply`")));
    };
    Ok(ParquetReader::new(Cursor::new(bytes.as_slice())).finish()?)
}
