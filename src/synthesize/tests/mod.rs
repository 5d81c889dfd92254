//! Tests of the whole: what is written, read back.

mod bad_rows;
mod formulas;
mod written;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::NaiveDate;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::options::{Factors, Options};

/// 400 customers over 2024.
fn options() -> Options {
    Options {
        customers: 400,
        seed: 5,
        from: NaiveDate::from_ymd_opt(2024, 1, 1).unwrap(),
        to: NaiveDate::from_ymd_opt(2024, 12, 31).unwrap(),
        threads: 1,
        factors: Factors::default(),
    }
}

/// A table read back, as one batch.
struct Table(RecordBatch);

fn read(folder: &Path, name: &str) -> Table {
    let file = File::open(folder.join(name).with_extension("parquet")).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    Table(arrow::compute::concat_batches(&schema, &batches).unwrap())
}

impl Table {
    fn rows(&self) -> usize {
        self.0.num_rows()
    }

    fn names(&self) -> Vec<String> {
        self.0.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn strings(&self, name: &str) -> &StringArray {
        self.0.column_by_name(name).unwrap().as_string::<i32>()
    }

    fn texts(&self, name: &str) -> Vec<Option<&str>> {
        self.strings(name).iter().collect()
    }

    fn integers(&self, name: &str) -> Vec<Option<i64>> {
        self.0.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
    }

    fn small_integers(&self, name: &str) -> Vec<i32> {
        self.0.column_by_name(name).unwrap().as_primitive::<Int32Type>().values().to_vec()
    }

    fn floats(&self, name: &str) -> Vec<f64> {
        self.0.column_by_name(name).unwrap().as_primitive::<Float64Type>().values().to_vec()
    }

    fn times(&self, name: &str) -> Vec<Option<i64>> {
        self.0.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>().iter().collect()
    }

    /// The columns in which a row differs from a row of another table.
    fn differences(&self, row: usize, other: &Self, other_row: usize) -> Vec<String> {
        let columns = self.0.columns().iter().zip(other.0.columns()).zip(self.names());
        columns
            .filter(|((left, right), _)| left.slice(row, 1).to_data() != right.slice(other_row, 1).to_data())
            .map(|(_, name)| name)
            .collect()
    }
}

/// The kind and column of each bad row of a table, by row.
fn bad_rows<'a>(truth: &'a Table, table: &str) -> HashMap<usize, (&'a str, &'a str)> {
    let (tables, kinds, columns) = (truth.strings("table"), truth.strings("kind"), truth.strings("column"));
    let rows = truth.integers("row");
    (0..truth.rows())
        .filter(|at| tables.value(*at) == table)
        .map(|at| (rows[at].unwrap() as usize, (kinds.value(at), columns.value(at))))
        .collect()
}
