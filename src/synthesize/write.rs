//! Rows to Parquet, a batch at a time.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::order::Order;

const BATCH_ROWS: usize = 65_536;
const ROW_GROUP_ROWS: usize = 1_000_000;

/// Customer number 0 has this id.
const FIRST_CUSTOMER_ID: i64 = 10_001;

/// The columns of `transactions.parquet`. Times are UTC and, as in most retailers' extracts, do not
/// say so in their type.
pub fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    Arc::new(Schema::new(vec![
        Field::new("order_id", DataType::Utf8, false),
        Field::new("product_id", DataType::Utf8, false),
        Field::new("description", DataType::Utf8, true),
        Field::new("quantity", DataType::Int32, false),
        Field::new("ordered_at", time, false),
        Field::new("unit_price", DataType::Float64, false),
        Field::new("customer_id", DataType::Int64, true),
        Field::new("country", DataType::Utf8, false),
    ]))
}

/// Builders for one batch; the schema's columns in its order.
#[derive(Default)]
struct Columns {
    order_id: StringBuilder,
    product_id: StringBuilder,
    description: StringBuilder,
    quantity: Int32Builder,
    ordered_at: TimestampMicrosecondBuilder,
    unit_price: Float64Builder,
    customer_id: Int64Builder,
    country: StringBuilder,
}

impl Columns {
    fn take(&mut self, schema: SchemaRef) -> Result<RecordBatch, ParquetError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.order_id.finish()),
            Arc::new(self.product_id.finish()),
            Arc::new(self.description.finish()),
            Arc::new(self.quantity.finish()),
            Arc::new(self.ordered_at.finish()),
            Arc::new(self.unit_price.finish()),
            Arc::new(self.customer_id.finish()),
            Arc::new(self.country.finish()),
        ];
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

/// Writes orders as rows. Batches and row groups have fixed sizes, so the bytes depend on the rows
/// alone.
pub struct TransactionWriter {
    schema: SchemaRef,
    columns: Columns,
    buffered: usize,
    parquet: ArrowWriter<File>,
}

impl TransactionWriter {
    pub fn new(file: File) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by("patronage synthesize".to_owned())
            .build();
        let schema = schema();
        let parquet = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?;
        Ok(Self { schema, columns: Columns::default(), buffered: 0, parquet })
    }

    /// Adds one row for each line. `start_micros` is the start of the day.
    pub fn write(&mut self, order_id: &str, start_micros: i64, order: &Order<'_>) -> Result<(), ParquetError> {
        let ordered_at = start_micros + i64::from(order.second) * 1_000_000;
        let customer_id = order.customer.map(|number| FIRST_CUSTOMER_ID + i64::from(number));
        for line in &order.lines {
            let columns = &mut self.columns;
            columns.order_id.append_value(order_id);
            columns.product_id.append_value(&line.product.id);
            let description = line.described.then_some(&line.product.description);
            columns.description.append_option(description);
            columns.quantity.append_value(line.quantity);
            columns.ordered_at.append_value(ordered_at);
            columns.unit_price.append_value(line.price_cents as f64 / 100.0);
            columns.customer_id.append_option(customer_id);
            columns.country.append_value(order.country);
            self.buffered += 1;
            if self.buffered == BATCH_ROWS {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes what is left and the footer, and gives the file back.
    pub fn finish(mut self) -> Result<File, ParquetError> {
        self.flush()?;
        self.parquet.into_inner()
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        self.buffered = 0;
        let batch = self.columns.take(Arc::clone(&self.schema))?;
        self.parquet.write(&batch)
    }
}
