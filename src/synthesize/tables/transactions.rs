//! `transactions.parquet`: a row a line of an order, with the bad rows among them.

use std::borrow::Cow;
use std::mem::take;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Builder, StringArray, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field};
use parquet::errors::ParquetError;

use super::truth::BadRow;
use super::{customer_id, keyed, strings, time};
use crate::synthesize::basket::Line;
use crate::synthesize::defect::{self, Kind};
use crate::synthesize::history::{History, Order};
use crate::synthesize::sink::{Encoder, ROW_GROUP_ROWS, RowGroup, dictionary};
use crate::synthesize::world::{COUNTRIES, World};

const CENTS: f64 = 100.0;

/// The columns. Only those are nullable that hold nulls, planted ones among them.
pub fn fields() -> Vec<Field> {
    vec![
        Field::new("order_id", DataType::Utf8, true),
        Field::new("product_id", dictionary(), true),
        Field::new("description", dictionary(), true),
        Field::new("quantity", DataType::Int32, false),
        Field::new("ordered_at", time(), true),
        Field::new("unit_price", DataType::Float64, false),
        Field::new("customer_id", DataType::Int64, true),
        Field::new("country", dictionary(), false),
    ]
}

/// The strings that rows refer to by place.
#[derive(Debug)]
pub struct Names {
    product_ids: Arc<StringArray>,
    products: i32,
    descriptions: Arc<StringArray>,
    countries: Arc<StringArray>,
}

impl Names {
    pub fn new(world: &World) -> Self {
        let products = world.catalog.products();
        let ids = products.iter().map(|product| product.id.as_str());
        Self {
            product_ids: strings(ids.chain(defect::UNKNOWN_PRODUCTS)),
            products: products.len() as i32,
            descriptions: strings(products.iter().map(|product| product.description.english.as_str())),
            countries: strings(COUNTRIES.iter().map(|(name, _)| *name).chain(defect::BAD_COUNTRIES)),
        }
    }
}

/// What transactions add up to; bad rows count with what they were made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub orders: u64,
    pub returns: u64,
}

/// The rows of a chunk, with the bad ones by their place in it.
pub struct Encoded {
    pub groups: Vec<RowGroup>,
    pub bad: Vec<BadRow>,
    pub totals: Totals,
}

/// Encodes a chunk in row groups of about the same size.
pub fn encode(world: &World, names: &Names, encoder: &Encoder, history: &History) -> Result<Encoded, ParquetError> {
    let rows = history.rows();
    let group_rows = rows.div_ceil(rows.div_ceil(ROW_GROUP_ROWS).max(1));
    let mut encoded = Encoded { groups: Vec::new(), bad: Vec::new(), totals: Totals::default() };
    let mut columns = Columns::default();
    let mut row = 0;
    for (place, order) in history.orders.iter().enumerate() {
        let number = history.order_number(place);
        let id = if order.is_return { format!("C{number}") } else { number.to_string() };
        *(if order.is_return { &mut encoded.totals.returns } else { &mut encoded.totals.orders }) += 1;
        for (at, line) in history.lines(order).iter().enumerate() {
            let clean = Row::new(&id, order, line);
            let kind = order.defect.filter(|(bad, _)| *bad == at).map(|(_, kind)| kind);
            let pair = match kind {
                None => [Some(clean), None],
                // Of a row and its duplicate, the second is the bad one.
                Some(Kind::DuplicateRow) => [Some(clean.clone()), Some(clean)],
                Some(kind) => [Some(clean.spoiled(world, names, kind, defect::corruption(world, number, at))), None],
            };
            for written in pair.into_iter().flatten() {
                columns.push(&written);
                row += 1;
                if columns.quantity.len() == group_rows {
                    encoded.groups.push(encoder.encode(&columns.take(names)?)?);
                }
            }
            if let Some(kind) = kind {
                encoded.bad.push(bad_row(world, kind, row - 1, &id, order, line));
            }
        }
    }
    encoded.groups.push(encoder.encode(&columns.take(names)?)?);
    Ok(encoded)
}

fn bad_row(world: &World, kind: Kind, row: u64, order_id: &str, order: &Order, line: &Line) -> BadRow {
    let product_id = world.catalog.get(line.product).map(|product| product.id.clone());
    let customer_id = (!order.is_guest).then(|| customer_id(order.customer));
    BadRow { kind, row, order_id: Some(order_id.to_owned()), product_id, customer_id }
}

/// A row as it is written; strings but the order's id by their place in [`Names`].
#[derive(Debug, Clone)]
struct Row<'a> {
    order_id: Option<Cow<'a, str>>,
    product: Option<i32>,
    description: Option<i32>,
    quantity: i32,
    micros: Option<i64>,
    price: f64,
    customer_id: Option<i64>,
    country: i32,
}

impl<'a> Row<'a> {
    fn new(id: &'a str, order: &Order, line: &Line) -> Self {
        let product = line.product as i32;
        Self {
            order_id: Some(Cow::Borrowed(id)),
            product: Some(product),
            description: line.described.then_some(product),
            quantity: line.quantity,
            micros: Some(order.micros),
            price: f64::from(line.cents) / CENTS,
            customer_id: (!order.is_guest).then(|| customer_id(order.customer)),
            country: i32::from(order.country),
        }
    }

    fn spoiled(mut self, world: &World, names: &Names, kind: Kind, corruption: u64) -> Self {
        let pick = |count: usize| (corruption % count as u64) as i32;
        match kind {
            Kind::NullOrderId => self.order_id = None,
            Kind::NullProductId => self.product = None,
            Kind::NullTime => self.micros = None,
            Kind::NegativePrice => self.price = -self.price.max(1.0 / CENTS),
            Kind::QuantityOutOfRange => self.quantity = defect::quantity(self.quantity, corruption),
            Kind::UnknownProduct => self.product = Some(names.products + pick(defect::UNKNOWN_PRODUCTS.len())),
            Kind::BadCountry => self.country = COUNTRIES.len() as i32 + pick(defect::BAD_COUNTRIES.len()),
            Kind::MalformedOrderId => {
                self.order_id = self.order_id.map(|id| Cow::Owned(defect::order_id(&id, corruption)));
            }
            Kind::FutureTime => {
                self.micros = self.micros.map(|micros| defect::future_micros(world, micros, corruption));
            }
            // Made by writing the row twice, or of other tables.
            Kind::DuplicateRow
            | Kind::DuplicateCustomer
            | Kind::MalformedEmail
            | Kind::UnknownCustomer
            | Kind::UnknownStatus => {}
        }
        self
    }
}

/// The rows of the row group that is being filled.
#[derive(Default)]
struct Columns {
    order_id: StringBuilder,
    product: Vec<Option<i32>>,
    description: Vec<Option<i32>>,
    quantity: Vec<i32>,
    micros: TimestampMicrosecondBuilder,
    price: Vec<f64>,
    customer_id: Int64Builder,
    country: Vec<i32>,
}

impl Columns {
    fn push(&mut self, row: &Row<'_>) {
        self.order_id.append_option(row.order_id.as_deref());
        self.product.push(row.product);
        self.description.push(row.description);
        self.quantity.push(row.quantity);
        self.micros.append_option(row.micros);
        self.price.push(row.price);
        self.customer_id.append_option(row.customer_id);
        self.country.push(row.country);
    }

    /// The columns of [`fields`], which start empty again.
    fn take(&mut self, names: &Names) -> Result<Vec<ArrayRef>, ParquetError> {
        Ok(vec![
            Arc::new(self.order_id.finish()),
            keyed(take(&mut self.product), &names.product_ids)?,
            keyed(take(&mut self.description), &names.descriptions)?,
            Arc::new(Int32Array::from(take(&mut self.quantity))),
            Arc::new(self.micros.finish()),
            Arc::new(Float64Array::from(take(&mut self.price))),
            Arc::new(self.customer_id.finish()),
            keyed(take(&mut self.country), &names.countries)?,
        ])
    }
}
