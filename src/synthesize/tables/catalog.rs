//! `products.parquet`, `prices.parquet` and `promotions.parquet`: what is sold, and for how much.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array};
use arrow::datatypes::{DataType, Field};
use parquet::errors::ParquetError;

use super::customers::date32;
use super::strings;
use crate::synthesize::catalog::Product;
use crate::synthesize::sink::{Encoder, ROW_GROUP_ROWS, RowGroup};
use crate::synthesize::world::World;

const CENTS: f64 = 100.0;

pub fn product_fields() -> Vec<Field> {
    vec![
        Field::new("product_id", DataType::Utf8, false),
        Field::new("description", DataType::Utf8, false),
        Field::new("description_zh", DataType::Utf8, false),
        Field::new("category", DataType::Utf8, false),
        Field::new("list_price", DataType::Float64, true),
    ]
}

pub fn price_fields() -> Vec<Field> {
    vec![
        Field::new("product_id", DataType::Utf8, false),
        Field::new("valid_from", DataType::Date32, false),
        Field::new("valid_to", DataType::Date32, true),
        Field::new("list_price", DataType::Float64, false),
    ]
}

pub fn promotion_fields() -> Vec<Field> {
    vec![
        Field::new("product_id", DataType::Utf8, false),
        Field::new("starts_on", DataType::Date32, false),
        Field::new("ends_on", DataType::Date32, false),
        Field::new("discount", DataType::Float64, false),
    ]
}

fn list_price(world: &World, number: usize, product: &Product, week: usize) -> f64 {
    f64::from(world.prices.in_week(number, week).list_cents(product.base_cents)) / CENTS
}

/// A row a product, by number; the list price is the last day's. Services have none.
pub fn encode_products(world: &World, encoder: &Encoder) -> Result<RowGroup, ParquetError> {
    let products = world.catalog.products();
    let last_week = world.calendar.weeks().saturating_sub(1);
    let prices = products
        .iter()
        .enumerate()
        .map(|(number, product)| product.category.map(|_| list_price(world, number, product, last_week)));
    let columns: [ArrayRef; 5] = [
        strings(products.iter().map(|product| &product.id)),
        strings(products.iter().map(|product| &product.description.english)),
        strings(products.iter().map(|product| &product.description.chinese)),
        strings(products.iter().map(Product::category_name)),
        Arc::new(prices.collect::<Float64Array>()),
    ];
    encoder.encode(&columns)
}

/// A row for each time that a product has a list price; both days belong to it, and the last of a
/// product has no end.
pub fn encode_prices(world: &World, encoder: &Encoder) -> Result<Vec<RowGroup>, ParquetError> {
    let weeks = world.calendar.weeks();
    let mut rows = Vec::new();
    for (number, product) in world.catalog.goods().iter().enumerate() {
        let price = |week| list_price(world, number, product, week);
        let starts: Vec<usize> = (0..weeks).filter(|week| *week == 0 || price(*week) != price(*week - 1)).collect();
        for (place, start) in starts.iter().enumerate() {
            rows.push((product, *start, starts.get(place + 1).copied(), price(*start)));
        }
    }
    let encode = |rows: &[(&Product, usize, Option<usize>, f64)]| {
        let columns: [ArrayRef; 4] = [
            strings(rows.iter().map(|row| &row.0.id)),
            Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| date32(world, 7 * row.1)))),
            Arc::new(rows.iter().map(|row| row.2.map(|week| date32(world, 7 * week) - 1)).collect::<Date32Array>()),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.3))),
        ];
        encoder.encode(&columns)
    };
    rows.chunks(ROW_GROUP_ROWS).map(encode).collect()
}

/// A row for each week that a product is on promotion; both days belong to it. The last may end
/// after the period.
pub fn encode_promotions(world: &World, encoder: &Encoder) -> Result<Vec<RowGroup>, ParquetError> {
    let mut rows = Vec::new();
    for (number, product) in world.catalog.goods().iter().enumerate() {
        let discounts = (0..world.calendar.weeks()).map(|week| (week, world.prices.in_week(number, week).discount()));
        rows.extend(discounts.filter(|row| row.1 > 0.0).map(|(week, discount)| (product, week, discount)));
    }
    let encode = |rows: &[(&Product, usize, f64)]| {
        let columns: [ArrayRef; 4] = [
            strings(rows.iter().map(|row| &row.0.id)),
            Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| date32(world, 7 * row.1)))),
            Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| date32(world, 7 * row.1 + 6)))),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2))),
        ];
        encoder.encode(&columns)
    };
    rows.chunks(ROW_GROUP_ROWS).map(encode).collect()
}
