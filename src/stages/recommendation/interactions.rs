//! Who interacted with what and when, by index: what every recommender reads.

use std::collections::HashMap;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, Engine, PolarsError, Series, TimeUnit, col};

use crate::algorithms::sparse::{Csr, Duplicates};
use crate::metrics::profile::ColumnProfile;
use crate::stages::contract::Failure;
use crate::table::{Table, midnight_us};

/// Interactions with users and items numbered in the order of their ids.
pub struct Interactions {
    /// The distinct user ids, ascending.
    pub users: Series,
    /// The distinct item ids, ascending.
    pub items: Series,
    /// User, item and time in microseconds.
    rows: Vec<(u32, u32, i64)>,
}

impl Interactions {
    /// Reads three columns; rows with a null are left out.
    pub fn read(table: Table, user: &str, item: &str, time: &str) -> Result<Interactions, Failure> {
        let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
        let frame = table
            .frame
            .select([
                col(user).alias("user"),
                col(item).alias("item"),
                col(time).cast(microseconds).to_physical().alias("time"),
            ])
            .filter(col("user").is_not_null().and(col("item").is_not_null()).and(col("time").is_not_null()))
            .collect_with_engine(Engine::Streaming)?
            .unwrap_single();
        let (users, user_codes) = numbered(&frame, "user")?;
        let (items, item_codes) = numbered(&frame, "item")?;
        let times = frame.column("time")?.i64()?;
        let rows = user_codes.into_iter().zip(item_codes).zip(times.iter());
        let rows = rows.filter_map(|((user, item), time)| Some((user, item, time?))).collect();
        Ok(Interactions { users, items, rows })
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Users × items, 1 where there was an interaction before the moment.
    pub fn before(&self, moment: NaiveDate) -> Result<Csr, Failure> {
        let end = midnight_us(moment);
        self.matrix(|time| time < end)
    }

    /// Users × items, 1 where there was an interaction from `start` on and before `end`.
    pub fn between(&self, start: NaiveDate, end: NaiveDate) -> Result<Csr, Failure> {
        let (start, end) = (midnight_us(start), midnight_us(end));
        self.matrix(|time| (start..end).contains(&time))
    }

    /// How much there is to learn from: `matrix` has the users and items, 1 where they met.
    pub fn profile(&self, matrix: &Csr) -> Vec<ColumnProfile> {
        let per_row = |matrix: &Csr| -> Vec<f64> {
            let counts = (0..matrix.rows()).map(|row| matrix.row(row).0.len() as f64);
            counts.filter(|count| *count > 0.0).collect()
        };
        let mut interactions = vec![0.0; self.users.len()];
        for (user, _, _) in &self.rows {
            if let Some(count) = interactions.get_mut(*user as usize) {
                *count += 1.0;
            }
        }
        vec![
            ColumnProfile::of_numbers("interactions_per_user", interactions),
            ColumnProfile::of_numbers("items_per_user", per_row(matrix)),
            ColumnProfile::of_numbers("users_per_item", per_row(&matrix.transpose())),
        ]
    }

    fn matrix(&self, keep: impl Fn(i64) -> bool) -> Result<Csr, Failure> {
        let triples = self.rows.iter().filter(|(_, _, time)| keep(*time)).map(|(user, item, _)| (*user, *item, 1.0));
        Csr::from_triples(self.users.len(), self.items.len(), triples.collect(), Duplicates::Once)
            .map_err(|error| Failure::data(format!("failed to {error}")))
    }
}

/// The distinct values of a column, ascending, and for each row the index of its value.
fn numbered(frame: &DataFrame, name: &str) -> Result<(Series, Vec<u32>), Failure> {
    let series = frame.column(name)?.as_materialized_series();
    let distinct = series.unique()?.sort(polars::prelude::SortOptions::default())?;
    let codes = match series.dtype() {
        DataType::String => {
            let index: HashMap<&str, u32> = distinct.str()?.iter().flatten().zip(0..).collect();
            series.str()?.iter().map(|id| id.and_then(|id| index.get(id).copied()).unwrap_or(0)).collect()
        }
        // Half of them are beyond what an int64 holds.
        DataType::UInt64 => {
            let index: HashMap<u64, u32> = distinct.u64()?.iter().flatten().zip(0..).collect();
            series.u64()?.iter().map(|id| id.and_then(|id| index.get(&id).copied()).unwrap_or(0)).collect()
        }
        dtype if dtype.is_integer() => {
            let wide = distinct.cast(&DataType::Int64)?;
            let index: HashMap<i64, u32> = wide.i64()?.iter().flatten().zip(0..).collect();
            let rows = series.cast(&DataType::Int64)?;
            rows.i64()?.iter().map(|id| id.and_then(|id| index.get(&id).copied()).unwrap_or(0)).collect()
        }
        other => {
            let message = format!("`{name}` ids are {other}, neither whole numbers nor text");
            return Err(PolarsError::InvalidOperation(message.into()).into());
        }
    };
    Ok((distinct, codes))
}

#[cfg(test)]
mod tests {
    use polars::df;

    use super::*;

    #[test]
    fn every_id_has_a_number_of_its_own_however_large() {
        let ids = [1_u64 << 63, 7, u64::MAX, 7, (1 << 63) + 1];
        let (distinct, codes) = numbered(&df!("id" => ids).unwrap(), "id").unwrap();
        assert_eq!((distinct.len(), codes), (4, vec![1, 0, 3, 0, 2]));
        let (_, codes) = numbered(&df!("id" => [-5_i32, 9, -5]).unwrap(), "id").unwrap();
        assert_eq!(codes, [0, 1, 0]);
    }
}
