//! Who did what and when: a table of events as users and items with positions, for every recommender.

use std::collections::HashMap;

use chrono::NaiveDate;
use polars::prelude::{Column, DataType, IntoColumn, NamedFrom, Series, StringChunked, IntoSeries, TimeUnit, col, lit};

use crate::algorithms::sparse::{Csr, Duplicates};
use crate::problem::{Code, Problem};
use crate::stages::contract::Failure;
use crate::table::{Table, TableSchema, midnight_us, type_name};

/// The input port of every recommender.
pub const PORT: &str = "interactions";

/// The columns of a table of interactions.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    pub user: &'a str,
    pub item: &'a str,
    pub time: &'a str,
}

/// Distinct identifiers in ascending order; the position of one is its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    Integers(Vec<i64>),
    Texts(Vec<String>),
}

/// The interactions before the run date, in any order.
#[derive(Debug, Clone)]
pub struct Events {
    pub users: Ids,
    pub items: Ids,
    /// User, item, and microseconds since 1970.
    events: Vec<(u32, u32, i64)>,
}

impl Names<'_> {
    /// Columns that are missing or of the wrong type. Whether there is a column of times, and
    /// whether it can be trusted, is for the protocol to check.
    pub fn problems(self, schema: &TableSchema, taken: &[&str]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (option, name) in [("user", self.user), ("item", self.item)] {
            let problem = match schema.column(name) {
                None => {
                    let message = format!("the table at `{PORT}` has no column `{name}`");
                    Problem::new(Code::UnknownColumn, message).nearest(name, schema.names())
                }
                Some(column) if !column.dtype.is_integer() && column.dtype != DataType::String => {
                    let message = format!("`{name}` is {}; a {option} is a whole number or text", type_name(&column.dtype));
                    Problem::new(Code::WrongColumnType, message)
                }
                Some(_) if taken.contains(&name) => {
                    let message = format!("`{name}` is also the name of an output column");
                    Problem::new(Code::DuplicateId, message).help("rename it in a query before")
                }
                Some(_) if option == "item" && self.user == self.item => {
                    Problem::new(Code::BadValue, "the user and the item are the same column")
                }
                Some(_) => continue,
            };
            problems.push(problem.at(["with", option]));
        }
        if let Some(column) = schema.column(self.time)
            && !matches!(column.dtype, DataType::Date | DataType::Datetime(..))
        {
            let message = format!("`{}` is {}, not a date or time", self.time, type_name(&column.dtype));
            problems.push(Problem::new(Code::WrongColumnType, message).at(["with", "time"]));
        }
        problems
    }
}

impl Events {
    /// Reads the events before a moment; those without user, item or time are left out.
    pub fn read(table: Table, names: Names<'_>, until: NaiveDate) -> Result<Events, Failure> {
        let time = col(names.time).cast(DataType::Datetime(TimeUnit::Microseconds, None)).to_physical();
        let selected = [col(names.user).alias("_user"), col(names.item).alias("_item"), time.alias("_time")];
        let known = col("_user").is_not_null().and(col("_item").is_not_null());
        // A null time is not before anything.
        let frame = table.frame.select(selected).filter(known.and(col("_time").lt(lit(midnight_us(until))))).collect()?;
        let (users, user_of) = Ids::encode(frame.column("_user")?.as_materialized_series())?;
        let (items, item_of) = Ids::encode(frame.column("_item")?.as_materialized_series())?;
        let times = frame.column("_time")?.i64()?.iter().map(|time| time.unwrap_or(i64::MAX));
        let events = user_of.into_iter().zip(item_of).zip(times).map(|((user, item), time)| (user, item, time)).collect();
        Ok(Events { users, items, events })
    }

    /// The number of events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Users × items of the events before a moment: 1 for each pair, however often it occurs.
    pub fn before(&self, moment: NaiveDate) -> Result<Csr, Failure> {
        let end = midnight_us(moment);
        let pairs = self.events.iter().filter(|(.., time)| *time < end).map(|(user, item, _)| (*user, *item, 1.0)).collect();
        Csr::from_triples(self.users.len(), self.items.len(), pairs, Duplicates::Once)
            .map_err(|error| Failure::TooLarge(error.to_string()))
    }

    /// The distinct items of each user from a moment on, ascending.
    pub fn since(&self, moment: NaiveDate) -> Vec<Vec<u32>> {
        let start = midnight_us(moment);
        let mut lists = vec![Vec::new(); self.users.len()];
        for (user, item, _) in self.events.iter().filter(|(.., time)| *time >= start) {
            if let Some(list) = lists.get_mut(*user as usize) {
                list.push(*item);
            }
        }
        for list in &mut lists {
            list.sort_unstable();
            list.dedup();
        }
        lists
    }

    /// Takes in further items; gives the new index of each. None if they are of another type.
    pub fn with_items(self, further: &Ids) -> Option<(Events, Vec<u32>)> {
        let (items, own, others) = self.items.merge(further)?;
        let renamed = |(user, item, time): (u32, u32, i64)| Some((user, *own.get(item as usize)?, time));
        let events = self.events.into_iter().filter_map(renamed).collect();
        Some((Events { items, events, ..self }, others))
    }
}

impl Ids {
    /// Distinct values of a column without nulls, ascending, and the index of each row's. Integers
    /// are widened to 64 bits.
    pub fn encode(series: &Series) -> Result<(Ids, Vec<u32>), Failure> {
        if series.dtype() == &DataType::String {
            let texts = series.str()?;
            let mut distinct: Vec<&str> = texts.iter().flatten().collect();
            distinct.sort_unstable();
            distinct.dedup();
            let index: HashMap<&str, u32> = (0..).zip(&distinct).map(|(index, text)| (*text, index)).collect();
            let codes = texts.iter().flatten().filter_map(|text| index.get(text).copied()).collect();
            return Ok((Ids::Texts(distinct.into_iter().map(str::to_owned).collect()), codes));
        }
        let wide = series.strict_cast(&DataType::Int64)?;
        let numbers: Vec<i64> = wide.i64()?.iter().flatten().collect();
        let mut distinct = numbers.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let codes = numbers.iter().map(|number| distinct.partition_point(|other| other < number) as u32).collect();
        Ok((Ids::Integers(distinct), codes))
    }

    pub fn len(&self) -> usize {
        match self {
            Ids::Integers(numbers) => numbers.len(),
            Ids::Texts(texts) => texts.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The identifiers with these indices, as a column.
    pub fn column(&self, name: &str, indices: impl Iterator<Item = u32>) -> Column {
        match self {
            Ids::Integers(numbers) => {
                let values: Vec<Option<i64>> = indices.map(|index| numbers.get(index as usize).copied()).collect();
                Series::new(name.into(), values).into_column()
            }
            Ids::Texts(texts) => {
                let values = indices.map(|index| texts.get(index as usize).map(String::as_str));
                values.collect::<StringChunked>().into_series().with_name(name.into()).into_column()
            }
        }
    }

    /// All identifiers of both, and the new index of each of either. `None` if the types differ.
    fn merge(&self, other: &Ids) -> Option<(Ids, Vec<u32>, Vec<u32>)> {
        match (self, other) {
            (Ids::Integers(own), Ids::Integers(others)) => {
                let (all, own, others) = merged(own, others);
                Some((Ids::Integers(all), own, others))
            }
            (Ids::Texts(own), Ids::Texts(others)) => {
                let (all, own, others) = merged(own, others);
                Some((Ids::Texts(all), own, others))
            }
            _ => None,
        }
    }
}

fn merged<T: Ord + Clone>(own: &[T], others: &[T]) -> (Vec<T>, Vec<u32>, Vec<u32>) {
    let mut all = [own, others].concat();
    all.sort_unstable();
    all.dedup();
    let index = |of: &[T]| of.iter().map(|id| all.partition_point(|one| one < id) as u32).collect();
    let (own, others) = (index(own), index(others));
    (all, own, others)
}
