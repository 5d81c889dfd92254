//! Bad rows: one kind for each thing that a contract can check, planted at a known rate.

use rand::Rng;

use super::random::{self, Purpose, Stream};
use super::world::World;

/// Share of rows of transactions that get each kind of defect; those of orders with another bad
/// row are spared.
pub const TRANSACTION_RATE: f64 = 4e-4;

/// Share of customers that get each kind of defect in the other tables.
pub const CUSTOMER_RATE: f64 = 1e-3;

/// What can be wrong with a row; `column()` names where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    NullOrderId,
    NullProductId,
    NullTime,
    NegativePrice,
    QuantityOutOfRange,
    UnknownProduct,
    BadCountry,
    MalformedOrderId,
    FutureTime,
    DuplicateRow,
    DuplicateCustomer,
    MalformedEmail,
    UnknownCustomer,
    UnknownStatus,
}

/// The kinds in transactions, each as likely.
pub const OF_TRANSACTIONS: [Kind; 10] = [
    Kind::NullOrderId,
    Kind::NullProductId,
    Kind::NullTime,
    Kind::NegativePrice,
    Kind::QuantityOutOfRange,
    Kind::UnknownProduct,
    Kind::BadCountry,
    Kind::MalformedOrderId,
    Kind::FutureTime,
    Kind::DuplicateRow,
];

impl Kind {
    /// The kind's name in `truth/bad_rows.parquet`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NullOrderId | Self::NullProductId | Self::NullTime => "null_key",
            Self::NegativePrice => "negative_price",
            Self::QuantityOutOfRange => "quantity_out_of_range",
            Self::UnknownProduct => "unknown_product",
            Self::BadCountry => "bad_country",
            Self::MalformedOrderId => "malformed_order_id",
            Self::FutureTime => "future_time",
            Self::DuplicateRow => "duplicate_row",
            Self::DuplicateCustomer => "duplicate_key",
            Self::MalformedEmail => "malformed_email",
            Self::UnknownCustomer => "unknown_customer",
            Self::UnknownStatus => "unknown_status",
        }
    }

    /// The table's name.
    pub fn table(self) -> &'static str {
        match self {
            Self::DuplicateCustomer | Self::MalformedEmail => "customers",
            Self::UnknownCustomer | Self::UnknownStatus => "consents",
            _ => "transactions",
        }
    }

    /// The column that is wrong; of a duplicate row, the key's last.
    pub fn column(self) -> &'static str {
        match self {
            Self::NullOrderId | Self::MalformedOrderId => "order_id",
            Self::NullProductId | Self::UnknownProduct | Self::DuplicateRow => "product_id",
            Self::NullTime | Self::FutureTime => "ordered_at",
            Self::NegativePrice => "unit_price",
            Self::QuantityOutOfRange => "quantity",
            Self::BadCountry => "country",
            Self::DuplicateCustomer | Self::UnknownCustomer => "customer_id",
            Self::MalformedEmail => "email",
            Self::UnknownStatus => "status",
        }
    }
}

/// Which line of an order of `lines` is bad, and how; at most one.
pub fn of_order(world: &World, lines: usize, rng: &mut Stream) -> Option<(usize, Kind)> {
    let kinds = OF_TRANSACTIONS.len() as f64;
    let at = rng.r#gen::<f64>() / (TRANSACTION_RATE * kinds * world.factors.bad_rows);
    if at < lines as f64 {
        OF_TRANSACTIONS.get((at.fract() * kinds) as usize).map(|kind| (at as usize, *kind))
    } else {
        None
    }
}

/// Whether a customer has a defect of this kind in another table than transactions.
pub fn of_customer(world: &World, kind: Kind, number: u32) -> bool {
    let at = random::unit(random::key(world.seed, Purpose::Defect, number.into(), 1 + kind as u64));
    at < CUSTOMER_RATE * world.factors.bad_rows
}

/// A number that says what a bad value is made of.
pub fn corruption(world: &World, order: u64, line: usize) -> u64 {
    random::key(world.seed, Purpose::Corruption, order, line as u64)
}

/// Countries that are not in the list.
pub const BAD_COUNTRIES: [&str; 4] = ["XX", "Atlantis", "united kingdom", "U.K."];

/// Products that are not in `products`.
pub const UNKNOWN_PRODUCTS: [&str; 8] = ["90001", "90017", "90123", "91999", "95555", "97001", "98888", "99999"];

/// A quantity far from what anyone buys or sends back, of the same sign.
pub fn quantity(quantity: i32, corruption: u64) -> i32 {
    quantity.signum() * (100_000 + (corruption % 900_000) as i32)
}

/// An order id that its pattern does not match, of no other order.
pub fn order_id(id: &str, corruption: u64) -> String {
    match corruption % 3 {
        0 => format!("ORD-{id}"),
        1 => format!("{id}x"),
        _ => id.replacen('1', " 1", 1),
    }
}

/// A moment 30 to 3,679 days after the last day, at the same time of day.
pub fn future_micros(world: &World, micros: i64, corruption: u64) -> i64 {
    let start = world.calendar.start_micros(0);
    let day_micros = world.calendar.start_micros(1) - start;
    let days = (world.calendar.days() + 30) as i64 + (corruption % 3_650) as i64;
    start + days * day_micros + (micros - start).rem_euclid(day_micros)
}
