//! Who interacted with what and when, by index: what every recommender reads.

use polars::prelude::{DataFrame, DataType, Engine, Expr, Series, TimeUnit, col, lit};
use rayon::prelude::*;

use super::history::History;
use crate::stages::contract::Failure;
use crate::stages::ids::numbered;
use crate::table::{Table, midnight_us};

/// One interaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    pub user: u32,
    pub item: u32,
    /// Microseconds since 1970; 0 where interactions have no time.
    pub time: i64,
    /// Which order it belongs to; 0 where orders are told apart by their time.
    pub order: u32,
    pub weight: f32,
}

/// The columns that are read.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    pub user: &'a str,
    pub item: &'a str,
    pub time: Option<&'a str>,
    pub order: Option<&'a str>,
    pub weight: Option<&'a str>,
}

/// Interactions with users and items numbered in the order of their ids.
pub struct Interactions {
    /// The distinct user ids, ascending.
    pub users: Series,
    /// The distinct item ids, ascending.
    pub items: Series,
    /// By user, item, time, order and weight.
    rows: Vec<Row>,
    /// Where the rows of each user start, and behind the last where they end.
    starts: Vec<usize>,
    /// Whether rows have a weight of their own; otherwise a pair weighs as many orders as it has.
    is_weighted: bool,
    /// Whether orders have a name of their own.
    has_orders: bool,
}

impl Interactions {
    /// Reads the columns; rows with a null in any of them are left out, and so are those at or after `end`. Users and
    /// items that only these further ids name are known as well, without interactions.
    pub fn read(
        table: Table,
        columns: &Columns<'_>,
        end: chrono::NaiveDate,
        more_users: Vec<Series>,
        more_items: Vec<Series>,
    ) -> Result<Interactions, Failure> {
        let frame = collect(table, columns, end)?;
        let ids = |name: &str, more: Vec<Series>| numbered(&frame, name, more);
        let (users, user_codes) = ids("user", more_users)?;
        let (items, item_codes) = ids("item", more_items)?;
        let orders = columns.order.map(|_| numbered(&frame, "order", vec![])).transpose()?.map(|(_, codes)| codes);
        let times = frame.column("time")?.i64()?;
        let weights = frame.column("weight")?.f64()?;
        let endless =
            weights.iter().flatten().filter(|weight| !weight.is_finite() || weight.abs() > WEIGHT_MAX).count();
        if endless > 0 {
            let name = columns.weight.unwrap_or_default();
            let message =
                format!("`{name}` has {endless} values that are infinite or beyond 1e30; filter them out before");
            return Err(Failure::data(message));
        }
        let mut rows: Vec<Row> = Vec::with_capacity(user_codes.len());
        for (index, ((user, item), (time, weight))) in
            user_codes.into_iter().zip(item_codes).zip(times.iter().zip(weights.iter())).enumerate()
        {
            let order = orders.as_ref().and_then(|orders| orders.get(index).copied()).unwrap_or(0);
            rows.push(Row { user, item, time: time.unwrap_or(0), order, weight: weight.unwrap_or(0.0) as f32 });
        }
        drop(frame);
        rows.par_sort_unstable_by(|a, b| {
            let key = |row: &Row| (row.user, row.item, row.time, row.order);
            key(a).cmp(&key(b)).then_with(|| a.weight.total_cmp(&b.weight))
        });
        let starts = starts(users.len(), &rows);
        let (is_weighted, has_orders) = (columns.weight.is_some(), columns.order.is_some());
        Ok(Interactions { users, items, rows, starts, is_weighted, has_orders })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows of a user, by item and time.
    pub fn of(&self, user: usize) -> &[Row] {
        let range = match (self.starts.get(user), self.starts.get(user + 1)) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..0,
        };
        self.rows.get(range).unwrap_or_default()
    }

    /// What tells the orders of a user apart.
    pub fn order_of(&self, row: &Row) -> (u32, i64) {
        if self.has_orders { (row.order, 0) } else { (0, row.time) }
    }

    pub fn is_weighted(&self) -> bool {
        self.is_weighted
    }

    /// What the rows that are kept come to, weighted as of a moment.
    pub fn history(&self, decay: Decay, keep: impl Fn(&Row) -> bool + Sync) -> Result<History, Failure> {
        History::of(self, decay, keep)
    }
}

/// How much less a weight counts the older it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decay {
    /// Microseconds since 1970 from which age counts.
    pub moment_us: i64,
    /// After this many microseconds a weight counts half; without it age does not matter.
    pub half_life_us: Option<i64>,
}

impl Decay {
    /// What a weight of that time is multiplied with.
    pub fn factor(self, time: i64) -> f64 {
        let Some(half_life) = self.half_life_us else { return 1.0 };
        let age = self.moment_us.saturating_sub(time).max(0) as f64;
        // Not to zero: what is very old still happened.
        (-age / half_life.max(1) as f64).exp2().max(1e-12)
    }
}

/// Sums of larger weights could overflow.
const WEIGHT_MAX: f64 = 1e30;

fn collect(table: Table, columns: &Columns<'_>, end: chrono::NaiveDate) -> Result<DataFrame, Failure> {
    let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
    let mut read = vec![col(columns.user).alias("user"), col(columns.item).alias("item")];
    let time = |name| col(name).cast(microseconds.clone()).to_physical();
    read.push(columns.time.map_or(lit(0_i64).cast(DataType::Int64), time).alias("time"));
    read.push(columns.weight.map_or(lit(1.0), |name| col(name).cast(DataType::Float64)).alias("weight"));
    read.extend(columns.order.map(|name| col(name).alias("order")));
    let told = |name: &str| col(name).is_not_null();
    let mut kept: Expr = told("user").and(told("item")).and(told("time")).and(told("weight"));
    kept = kept.and(col("weight").is_not_nan());
    if columns.order.is_some() {
        kept = kept.and(told("order"));
    }
    if columns.time.is_some() {
        kept = kept.and(col("time").lt(lit(midnight_us(end))));
    }
    Ok(table.frame.select(read).filter(kept).collect_with_engine(Engine::Streaming)?.unwrap_single())
}

fn starts(users: usize, rows: &[Row]) -> Vec<usize> {
    let mut starts = vec![0; users + 1];
    for row in rows {
        if let Some(count) = starts.get_mut(row.user as usize + 1) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    starts
}
