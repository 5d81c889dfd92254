//! What customers spent on which days: purchases and returns netted.

use chrono::{Datelike, NaiveDate};
use polars::prelude::{DataFrame, DataType, Engine, IntoLazy, Series, TimeUnit, col, lit};
use rayon::prelude::*;

use crate::stages::contract::Failure;
use crate::stages::ids::numbered;
use crate::table::{Table, midnight_us};

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;
/// Sums smaller than this share of what was added are zero: what is bought and returned leaves a rounding error.
const ZERO: f64 = 1e-9;
/// Sums of larger amounts could overflow.
const AMOUNT_MAX: f64 = 1e30;

/// The columns that are read.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    pub entity: &'a str,
    pub time: &'a str,
    pub amount: &'a str,
    /// What divides customers, where something does.
    pub group: Option<&'a str>,
}

/// A day on which a customer bought or returned something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// Days since 1970.
    pub day: i32,
    /// Purchases less returns.
    pub net: f64,
}

/// The days of every customer.
pub struct Days {
    /// The distinct ids, ascending.
    pub customers: Series,
    /// By customer and day.
    days: Vec<Day>,
    /// Where the days of each customer start, and behind the last where they end.
    starts: Vec<usize>,
    /// The names of groups, ascending.
    pub groups: Vec<String>,
    /// Of each customer the group on the first day; of several the first in the order of the alphabet.
    pub group_of: Vec<Option<u32>>,
    /// Rows without a customer, a time or an amount.
    pub left_out: u64,
}

struct Row {
    customer: u32,
    day: i32,
    amount: f64,
    group: Option<u32>,
}

impl Days {
    /// Reads the rows before `end`. Those with a null, or with an amount that is not a number, are left out.
    pub fn read(table: Table, columns: &Columns<'_>, end: NaiveDate) -> Result<Days, Failure> {
        let (frame, left_out) = collect(table, columns, end)?;
        let (customers, codes) = numbered(&frame, "entity", vec![])?;
        let groups = columns.group.map(|_| groups(&frame)).transpose()?;
        let times = frame.column("time")?.i64()?;
        let amounts = frame.column("amount")?.f64()?;
        let endless = amounts.iter().flatten().filter(|amount| amount.abs() > AMOUNT_MAX).count();
        if endless > 0 {
            let name = columns.amount;
            let message =
                format!("`{name}` has {endless} values that are infinite or beyond 1e30; filter them out before");
            return Err(Failure::data(message));
        }
        let mut rows = Vec::with_capacity(codes.len());
        for (index, (customer, (time, amount))) in codes.into_iter().zip(times.iter().zip(amounts.iter())).enumerate() {
            let (Some(time), Some(amount)) = (time, amount) else { continue };
            let day = i32::try_from(time.div_euclid(DAY_US)).unwrap_or_default();
            let group = groups.as_ref().and_then(|(_, codes)| codes.get(index).copied().flatten());
            rows.push(Row { customer, day, amount, group });
        }
        drop(frame);
        // By amount too, so that sums do not depend on the order of rows.
        rows.par_sort_unstable_by(|a, b| {
            let key = |row: &Row| (row.customer, row.day);
            key(a).cmp(&key(b)).then_with(|| a.amount.total_cmp(&b.amount)).then_with(|| a.group.cmp(&b.group))
        });
        let names = groups.map(|(names, _)| names).unwrap_or_default();
        Ok(Days::of(customers, &rows, names, left_out))
    }

    fn of(customers: Series, rows: &[Row], groups: Vec<String>, left_out: u64) -> Days {
        let (mut days, mut starts) = (Vec::new(), vec![0; customers.len() + 1]);
        let mut group_of = vec![None; customers.len()];
        for same in rows.chunk_by(|a, b| (a.customer, a.day) == (b.customer, b.day)) {
            let Some(first) = same.first() else { continue };
            let place = first.customer as usize;
            if let Some(count) = starts.get_mut(place + 1) {
                if *count == 0
                    && let Some(group) = group_of.get_mut(place)
                {
                    *group = same.iter().filter_map(|row| row.group).min();
                }
                *count += 1;
            }
            days.push(Day { day: first.day, net: net(same.iter().map(|row| row.amount)) });
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Days { customers, days, starts, groups, group_of, left_out }
    }

    /// The days of a customer, ascending.
    pub fn of_customer(&self, place: usize) -> &[Day] {
        let range = match (self.starts.get(place), self.starts.get(place + 1)) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..0,
        };
        self.days.get(range).unwrap_or_default()
    }

    /// The first day of all.
    pub fn first(&self) -> Option<i32> {
        self.days.iter().map(|day| day.day).min()
    }
}

/// The sum of amounts; what is within rounding of zero is zero.
pub fn net(amounts: impl Iterator<Item = f64>) -> f64 {
    let (sum, size) = amounts.fold((0.0, 0.0), |(sum, size), amount| (sum + amount, size + amount.abs()));
    if sum.abs() <= ZERO * size { 0.0 } else { sum }
}

/// Days since 1970.
pub fn day_of(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

/// The date of a day since 1970.
pub fn date_of(day: i32) -> NaiveDate {
    NaiveDate::from_epoch_days(day).unwrap_or_default()
}

/// The year and the month, from 0, of a day since 1970.
pub fn month_of(day: i32) -> (i32, i32) {
    let date = date_of(day);
    (date.year(), date.month0() as i32)
}

fn collect(table: Table, columns: &Columns<'_>, end: NaiveDate) -> Result<(DataFrame, u64), Failure> {
    let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
    let mut read = vec![
        col(columns.entity).alias("entity"),
        col(columns.time).cast(microseconds).to_physical().alias("time"),
        col(columns.amount).cast(DataType::Float64).alias("amount"),
    ];
    read.extend(columns.group.map(|name| col(name).cast(DataType::String).alias("group")));
    let told = |name: &str| col(name).is_not_null();
    let kept = told("entity").and(told("amount")).and(col("amount").is_not_nan());
    let known = told("time").not().or(col("time").lt(lit(midnight_us(end))));
    let rows = table.frame.select(read).filter(known).collect_with_engine(Engine::Streaming)?.unwrap_single();
    let all = rows.height();
    let rows = rows.lazy().filter(kept.and(told("time"))).collect()?;
    let left_out = (all - rows.height()) as u64;
    Ok((rows, left_out))
}

/// The distinct texts, ascending, and the place of each row's.
fn groups(frame: &DataFrame) -> Result<(Vec<String>, Vec<Option<u32>>), Failure> {
    let (names, codes) = numbered(frame, "group", vec![])?;
    let names = names.str()?.iter().flatten().map(str::to_owned).collect();
    let nulls = frame.column("group")?.is_null();
    let of = codes.into_iter().zip(nulls.iter());
    Ok((names, of.map(|(code, is_null)| (is_null != Some(true)).then_some(code)).collect()))
}
