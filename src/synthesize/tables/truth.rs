//! The folder `truth`: what a stage may be asked to recover, and what it must never read.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field};
use parquet::errors::ParquetError;

use super::{customer_id, keyed, strings, time};
use crate::synthesize::calendar::HORIZON_DAYS;
use crate::synthesize::catalog::Product;
use crate::synthesize::defect::Kind;
use crate::synthesize::history::{Fate, History};
use crate::synthesize::segment::{self, Segment};
use crate::synthesize::sink::{Encoder, RowGroup, dictionary};
use crate::synthesize::value::{expected_orders, expected_orders_ever, order_value};
use crate::synthesize::words;
use crate::synthesize::world::World;

/// One planted bad row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    pub kind: Kind,
    /// Place in the table, from 0.
    pub row: u64,
    /// As they would be if the row were good.
    pub order_id: Option<String>,
    pub product_id: Option<String>,
    pub customer_id: Option<i64>,
}

impl BadRow {
    /// A bad row about a customer, in a table without orders.
    pub fn of_customer(kind: Kind, row: usize, number: u32) -> Self {
        let customer_id = Some(customer_id(number));
        Self { kind, row: row as u64, order_id: None, product_id: None, customer_id }
    }
}

pub fn bad_row_fields() -> Vec<Field> {
    vec![
        Field::new("table", DataType::Utf8, false),
        Field::new("row", DataType::Int64, false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("column", DataType::Utf8, false),
        Field::new("order_id", DataType::Utf8, true),
        Field::new("product_id", DataType::Utf8, true),
        Field::new("customer_id", DataType::Int64, true),
    ]
}

pub fn encode_bad_rows(encoder: &Encoder, rows: &[BadRow]) -> Result<RowGroup, ParquetError> {
    let columns: [ArrayRef; 7] = [
        strings(rows.iter().map(|row| row.kind.table())),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.row as i64))),
        strings(rows.iter().map(|row| row.kind.name())),
        strings(rows.iter().map(|row| row.kind.column())),
        Arc::new(rows.iter().map(|row| row.order_id.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.product_id.as_deref()).collect::<StringArray>()),
        Arc::new(rows.iter().map(|row| row.customer_id).collect::<Int64Array>()),
    ];
    encoder.encode(&columns)
}

pub fn customer_fields() -> Vec<Field> {
    let number = |name| Field::new(name, DataType::Float64, false);
    vec![
        Field::new("customer_id", DataType::Int64, false),
        Field::new("segment", dictionary(), false),
        Field::new("arrived_at", time(), false),
        Field::new("one_time", DataType::Boolean, false),
        number("rate"),
        number("drop_out"),
        Field::new("dropped_out_at", time(), true),
        Field::new("orders", DataType::Int32, false),
        number("expected_orders"),
        number("lines"),
        number("units"),
        number("elasticity"),
        number("order_value"),
        number("expected_orders_365d"),
        number("value_365d"),
        number("value_ever"),
    ]
}

/// A row a customer, by id.
pub fn encode_customers(world: &World, encoder: &Encoder, history: &History) -> Result<RowGroup, ParquetError> {
    let fates = &history.fates;
    let ids = (history.first_customer..).take(fates.len()).map(customer_id);
    let values: Vec<Expected> = fates.iter().map(|fate| Expected::of(world, fate)).collect();
    let numbers = |of: fn(&Fate) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values(fates.iter().map(of))) };
    let expected =
        |of: fn(&Expected) -> f64| -> ArrayRef { Arc::new(Float64Array::from_iter_values(values.iter().map(of))) };
    let micros = |at: f64| world.calendar.open_micros(at);
    let segments: Vec<i32> = fates.iter().map(|fate| fate.customer.segment as i32).collect();
    let one_time: Vec<bool> = fates.iter().map(|fate| fate.customer.one_time).collect();
    let arrivals = fates.iter().map(|fate| micros(fate.customer.arrival));
    let dropped_out = fates.iter().map(|fate| fate.dropped_out.map(micros));
    let columns: [ArrayRef; 16] = [
        Arc::new(Int64Array::from_iter_values(ids)),
        keyed(segments, &strings(segment::ALL.iter().map(|segment| segment.name)))?,
        Arc::new(TimestampMicrosecondArray::from_iter_values(arrivals)),
        Arc::new(BooleanArray::from(one_time)),
        numbers(|fate| fate.customer.rate),
        numbers(|fate| fate.customer.drop_out),
        Arc::new(dropped_out.collect::<TimestampMicrosecondArray>()),
        Arc::new(Int32Array::from_iter_values(fates.iter().map(|fate| fate.orders as i32))),
        expected(|expected| expected.orders),
        numbers(|fate| fate.customer.lines),
        numbers(|fate| fate.customer.units),
        numbers(|fate| fate.customer.elasticity),
        expected(|expected| expected.order_value),
        expected(|expected| expected.orders_365d),
        expected(|expected| expected.orders_365d * expected.order_value),
        expected(|expected| expected.orders_ever * expected.order_value),
    ];
    encoder.encode(&columns)
}

/// What the closed forms say about a customer.
struct Expected {
    /// In the period, the first one too, before it was known when they drop out.
    orders: f64,
    order_value: f64,
    /// After the period, by who has not dropped out.
    orders_365d: f64,
    orders_ever: f64,
}

impl Expected {
    fn of(world: &World, fate: &Fate) -> Self {
        let customer = &fate.customer;
        let seasonal = |at| world.clocks.get(customer.segment).map_or(0.0, |clock| clock.seasonal(at));
        let end = world.calendar.days() as f64;
        let alive = if fate.dropped_out.is_none() { 1.0 } else { 0.0 };
        Self {
            orders: 1.0 + expected_orders(customer, seasonal(end) - seasonal(customer.arrival)),
            order_value: order_value(world, customer),
            orders_365d: alive * expected_orders(customer, seasonal(end + HORIZON_DAYS as f64) - seasonal(end)),
            orders_ever: alive * expected_orders_ever(customer),
        }
    }
}

pub fn product_fields() -> Vec<Field> {
    vec![
        Field::new("product_id", DataType::Utf8, false),
        Field::new("category", DataType::Utf8, false),
        Field::new("style", DataType::Int32, false),
        Field::new("popularity_rank", DataType::Int32, false),
        Field::new("share_of_cell", DataType::Float64, false),
        Field::new("base_price", DataType::Float64, false),
        Field::new("elasticity_factor", DataType::Float64, false),
    ]
}

/// A row a product that is no service.
pub fn encode_products(world: &World, encoder: &Encoder) -> Result<RowGroup, ParquetError> {
    let goods = world.catalog.goods();
    let columns: [ArrayRef; 7] = [
        strings(goods.iter().map(|product| &product.id)),
        strings(goods.iter().map(Product::category_name)),
        Arc::new(Int32Array::from_iter_values(goods.iter().map(|product| product.style as i32))),
        Arc::new(Int32Array::from_iter_values(goods.iter().map(|product| product.rank as i32))),
        Arc::new(Float64Array::from_iter_values(goods.iter().map(|product| product.share))),
        Arc::new(Float64Array::from_iter_values(goods.iter().map(|product| f64::from(product.base_cents) / 100.0))),
        Arc::new(Float64Array::from_iter_values(goods.iter().map(Product::elasticity_factor))),
    ];
    encoder.encode(&columns)
}

/// A name and what it is of a segment.
type Parameter = (&'static str, fn(&Segment) -> f64);

/// A segment's parameters.
const PARAMETERS: [Parameter; 9] = [
    ("share", |segment| segment.share),
    ("r", |segment| segment.r),
    ("alpha", Segment::alpha),
    ("a", |segment| segment.a),
    ("b", |segment| segment.b),
    ("lines", |segment| segment.lines),
    ("units", |segment| segment.units),
    ("elasticity", |segment| segment.elasticity),
    ("seasonality", |segment| segment.seasonality),
];

pub fn segment_fields() -> Vec<Field> {
    let mut fields = vec![Field::new("segment", DataType::Utf8, false)];
    fields.extend(PARAMETERS.map(|(name, _)| Field::new(name, DataType::Float64, false)));
    fields.push(Field::new("one_time_share", DataType::Float64, false));
    fields
}

/// A row a segment: the parameters, with the factors that were asked for.
pub fn encode_segments(world: &World, encoder: &Encoder) -> Result<RowGroup, ParquetError> {
    let all = &segment::ALL;
    let mut columns: Vec<ArrayRef> = vec![strings(all.iter().map(|segment| segment.name))];
    for (name, of) in PARAMETERS {
        let factor = if name == "seasonality" { world.factors.seasonality } else { 1.0 };
        columns.push(Arc::new(Float64Array::from_iter_values(all.iter().map(|segment| factor * of(segment)))));
    }
    let one_time = all.iter().map(|segment| (segment.one_time_share * world.factors.one_time).min(1.0));
    columns.push(Arc::new(Float64Array::from_iter_values(one_time)));
    encoder.encode(&columns)
}

pub fn affinity_fields() -> Vec<Field> {
    vec![
        Field::new("segment", DataType::Utf8, false),
        Field::new("category", DataType::Utf8, false),
        Field::new("share", DataType::Float64, false),
    ]
}

/// A row a segment and category: the mean share of the draws.
pub fn encode_affinities(encoder: &Encoder) -> Result<RowGroup, ParquetError> {
    let pairs = || segment::ALL.iter().flat_map(|segment| words::ALL.iter().enumerate().map(move |of| (segment, of)));
    let columns: [ArrayRef; 3] = [
        strings(pairs().map(|(segment, _)| segment.name)),
        strings(pairs().map(|(_, (_, category))| category.name)),
        Arc::new(Float64Array::from_iter_values(pairs().map(|(segment, (place, _))| segment.affinity(place)))),
    ];
    encoder.encode(&columns)
}
