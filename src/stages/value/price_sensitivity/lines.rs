//! The lines of orders, by number.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, Engine, IntoLazy, Series, TimeUnit, col, lit};
use rayon::prelude::*;

use crate::algorithms::price_response::Line;
use crate::config::Span;
use crate::stages::contract::Failure;
use crate::stages::ids::{numbered, places};
use crate::stages::ports::of_run_date;
use crate::table::{Table, midnight_us};

/// The columns that are read.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    pub entity: &'a str,
    pub item: &'a str,
    pub price: &'a str,
    pub quantity: &'a str,
    pub time: &'a str,
    pub order: Option<&'a str>,
}

/// All usable lines.
pub struct Lines {
    /// The distinct ids, ascending.
    pub customers: Series,
    pub items: Series,
    /// By customer, order, item and price.
    pub lines: Vec<Line>,
    /// Lines without a customer, an item, a time, a price or a quantity, or with one of these not above zero.
    pub left_out: u64,
}

/// To which segment customers belong.
pub struct Groups {
    pub of: Vec<u32>,
    /// Their names; of one group of all, none.
    pub names: Vec<String>,
    pub count: usize,
}

impl Lines {
    pub fn read(table: Table, columns: &Columns<'_>, run_date: NaiveDate, period: Span) -> Result<Lines, Failure> {
        let (frame, left_out) = collect(table, columns, run_date)?;
        let (customers, customer) = numbered(&frame, "entity", vec![])?;
        let (items, item) = numbered(&frame, "item", vec![])?;
        let named = columns.order.map(|_| numbered(&frame, "order", vec![])).transpose()?;
        let (times, prices, quantities) =
            (frame.column("time")?.i64()?, frame.column("price")?.f64()?, frame.column("quantity")?.f64()?);
        let (end, length) = (midnight_us(run_date), period.in_microseconds().max(1));
        let mut timed: Vec<(i64, Line)> = Vec::with_capacity(customer.len());
        let rows = customer.into_iter().zip(item).zip(times.iter()).zip(prices.iter().zip(quantities.iter()));
        for (index, (((customer, item), time), (price, quantity))) in rows.enumerate() {
            let (Some(time), Some(price), Some(quantity)) = (time, price, quantity) else { continue };
            let order = named.as_ref().and_then(|(_, codes)| codes.get(index).copied()).unwrap_or(0);
            let period = i32::try_from((time - end).div_euclid(length)).unwrap_or_default();
            // Orders with a name are one whatever the time.
            let time = if named.is_some() { 0 } else { time };
            timed.push((time, Line { customer, item, period, order, price, quantity }));
        }
        drop(frame);
        let key = |(time, line): &(i64, Line)| (line.customer, line.order, *time, line.item);
        timed.par_sort_unstable_by(|a, b| {
            let rest = || a.1.price.total_cmp(&b.1.price).then(a.1.quantity.total_cmp(&b.1.quantity));
            key(a).cmp(&key(b)).then(a.1.period.cmp(&b.1.period)).then_with(rest)
        });
        let (mut order, mut last) = (0, None);
        let number = |(time, line): (i64, Line)| {
            let own = (line.customer, line.order, time);
            order += u32::from(last.is_some_and(|last| last != own));
            last = Some(own);
            Line { order, ..line }
        };
        let lines = timed.into_iter().map(number).collect();
        Ok(Lines { customers, items, lines, left_out })
    }

    pub fn one_group(&self) -> Groups {
        Groups { of: vec![0; self.customers.len()], names: vec![], count: 1 }
    }

    /// The segments of customers at the run date; who is in none is in one of its own.
    pub fn groups(&self, table: Table, entity: &str, by: &str, run_date: NaiveDate) -> Result<Groups, Failure> {
        let frame = of_run_date(table, run_date)
            .select([col(entity), col(by).cast(DataType::String).alias("segment")])
            .collect()?;
        let segments = frame.column("segment")?.str()?.clone();
        let mut names: Vec<String> = segments.iter().flatten().map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        let none = names.len() as u32;
        let mut of = vec![none; self.customers.len()];
        let ids = places(frame.column(entity)?.as_materialized_series(), &self.customers)?;
        for (place, segment) in ids.into_iter().zip(segments.iter()) {
            let found = segment.and_then(|segment| names.binary_search_by(|name| name.as_str().cmp(segment)).ok());
            if let (Some(slot), Some(found)) = (place.and_then(|place| of.get_mut(place as usize)), found) {
                *slot = found as u32;
            }
        }
        let count = names.len() + 1;
        Ok(Groups { of, names, count })
    }
}

fn collect(table: Table, columns: &Columns<'_>, run_date: NaiveDate) -> Result<(DataFrame, u64), Failure> {
    let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
    let number = |name: &str| col(name).cast(DataType::Float64);
    let mut read = vec![
        col(columns.entity).alias("entity"),
        col(columns.item).alias("item"),
        col(columns.time).cast(microseconds).to_physical().alias("time"),
        number(columns.price).alias("price"),
        number(columns.quantity).alias("quantity"),
    ];
    read.extend(columns.order.map(|name| col(name).alias("order")));
    let known = col("time").is_null().or(col("time").lt(lit(midnight_us(run_date))));
    let rows = table.frame.select(read).filter(known).collect_with_engine(Engine::Streaming)?.unwrap_single();
    let all = rows.height();
    let usable = |name: &str| col(name).gt(lit(0.0)).and(col(name).is_finite());
    let mut kept = usable("price").and(usable("quantity"));
    for name in ["entity", "item", "time"].into_iter().chain(columns.order.map(|_| "order")) {
        kept = kept.and(col(name).is_not_null());
    }
    let rows = rows.lazy().filter(kept).collect()?;
    let left_out = (all - rows.height()) as u64;
    Ok((rows, left_out))
}
