//! Recommendations as a table, for every recommender.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoColumn, LazyFrame, IntoLazy, NamedFrom, Series};

use super::holdout::List;
use super::interactions::{Ids, Names};
use crate::stages::contract::Failure;
use crate::stages::model::Field;
use crate::table::{AS_OF, Column, TableSchema, midnight_us};

/// The columns of the output beside user and item.
pub const OUTPUTS: [&str; 4] = [AS_OF, "rank", "score", "model_version"];

/// The lists of all users as of one moment.
pub struct AsOf<'a> {
    pub moment: NaiveDate,
    /// One for each user, best first.
    pub lists: &'a [List],
    /// `None` where the model was fitted to be judged, and is not kept.
    pub version: Option<&'a str>,
}

/// The table of recommendations as of these moments.
pub fn schema(names: Names<'_>, interactions: &TableSchema, snapshots: Vec<NaiveDate>) -> TableSchema {
    let id = |name: &str| {
        interactions.column(name).map(|column| {
            let dtype = if column.dtype == DataType::String { DataType::String } else { DataType::Int64 };
            Column::new(name, dtype).class(column.class)
        })
    };
    let [as_of, rank, score, version] = OUTPUTS;
    let own = [
        Column::new(as_of, DataType::Date),
        Column::new(rank, DataType::Int64),
        Column::new(score, DataType::Float64),
        Column::new(version, DataType::String),
    ];
    let [as_of_column, rank_column, rest @ ..] = own;
    let columns = id(names.user).into_iter().chain([as_of_column, rank_column]).chain(id(names.item)).chain(rest).collect();
    let key = vec![names.user.to_owned(), as_of.to_owned(), rank.to_owned()];
    TableSchema { columns, key, snapshots, ..TableSchema::default() }
}

/// The output's columns in a model's signature.
pub fn fields(schema: &TableSchema) -> Vec<Field> {
    schema.columns.iter().map(|column| Field::new(&column.name, crate::table::type_name(&column.dtype))).collect()
}

/// The first `top` of every list, by user, moment (which ascend) and rank.
pub fn frame(names: Names<'_>, users: &Ids, items: &Ids, parts: &[AsOf<'_>], top: usize) -> Result<LazyFrame, Failure> {
    let entry = |user: usize, part: usize| parts.get(part).and_then(|part| part.lists.get(user)).map_or(&[][..], |list| list.get(..top).unwrap_or(list));
    // User, part, rank and what is recommended, in the order of the key.
    let rows = || {
        (0..users.len()).flat_map(move |user| {
            (0..parts.len()).flat_map(move |part| (1..).zip(entry(user, part)).map(move |(rank, found)| (user, part, rank, found)))
        })
    };
    let days = |part: usize| parts.get(part).map(|part| (midnight_us(part.moment) / 86_400_000_000) as i32);
    let version = |part: usize| parts.get(part).and_then(|part| part.version);
    let [as_of, rank, score, model_version] = OUTPUTS;
    let moments = Series::new(as_of.into(), rows().map(|(_, part, ..)| days(part)).collect::<Vec<_>>()).cast(&DataType::Date)?;
    let ranks: Vec<i64> = rows().map(|(.., rank, _)| rank).collect();
    let scores: Vec<f64> = rows().map(|(.., found)| found.1).collect();
    let versions: Vec<Option<&str>> = rows().map(|(_, part, ..)| version(part)).collect();
    let height = ranks.len();
    let columns = vec![
        users.column(names.user, rows().map(|(user, ..)| user as u32)),
        moments.into_column(),
        Series::new(rank.into(), ranks).into_column(),
        items.column(names.item, rows().map(|(.., found)| found.0)),
        Series::new(score.into(), scores).into_column(),
        Series::new(model_version.into(), versions).into_column(),
    ];
    Ok(DataFrame::new(height, columns)?.lazy())
}
