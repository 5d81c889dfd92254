//! What is recommended to whom at which moment, and the table of it.

use chrono::NaiveDate;
use polars::prelude::{Column as Values, DataFrame, DataType, IdxCa, IntoColumn, NamedFrom, NewChunkedArray, Series};

use super::interactions::Interactions;
use crate::problem::{Code, Problem};
use crate::stages::contract::Failure;
use crate::table::{AS_OF, Column, TableSchema, midnight_us};

/// An item on a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    pub item: u32,
    pub score: f64,
    /// How likely the user meets the item, where that is known.
    pub probability: Option<f64>,
    /// The item of the user's own that most speaks for it.
    pub because: Option<u32>,
    /// Which of [`Lists::sources`] it is from.
    pub source: u16,
}

/// The lists of all users at one moment, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Lists {
    pub moment: NaiveDate,
    pub of_users: Vec<Vec<Entry>>,
    /// The names of what recommends; the last one is [`FILLED`].
    pub sources: Vec<String>,
}

impl Lists {
    /// Whether an entry only fills its list up, with a score of other units than those before it.
    pub fn is_filled(&self, entry: &Entry) -> bool {
        usize::from(entry.source) + 1 == self.sources.len()
    }

    /// The items of each user, best first.
    pub fn items(&self) -> Vec<Vec<u32>> {
        self.of_users.iter().map(|list| list.iter().map(|entry| entry.item).collect()).collect()
    }
}

/// The columns beside user, item and `as_of`.
pub const RANK: &str = "rank";
pub const SCORE: &str = "score";
pub const PROBABILITY: &str = "probability";
pub const BECAUSE: &str = "because";
pub const SOURCE: &str = "source";
pub const VERSION: &str = "model_version";

/// The source of what fills lists up, whichever kind they are of.
pub const FILLED: &str = "popular_fill";

/// Names that the user's columns cannot have.
pub fn name_problems(user: &str, item: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (option, name) in [("user", user), ("item", item)] {
        if [AS_OF, RANK, SCORE, PROBABILITY, BECAUSE, SOURCE, VERSION].contains(&name) {
            let message = format!("`{name}` is also the name of a column of the output");
            problems.push(Problem::new(Code::DuplicateId, message).at(["with", option]));
        }
    }
    if user == item {
        problems.push(Problem::new(Code::DuplicateId, "user and item are one column").at(["with", "item"]));
    }
    problems
}

/// The schema of the table.
pub fn schema(user: Column, item: Column, with_probability: bool, snapshots: Vec<NaiveDate>) -> TableSchema {
    let key = vec![user.name.clone(), AS_OF.to_owned(), RANK.to_owned()];
    let class = item.class;
    let because = Column { name: BECAUSE.to_owned(), ..item.clone() };
    let mut columns = vec![
        user,
        Column::new(AS_OF, DataType::Date),
        Column::new(RANK, DataType::Int64),
        item,
        Column::new(SCORE, DataType::Float64).class(class),
    ];
    columns.extend(with_probability.then(|| Column::new(PROBABILITY, DataType::Float64).class(class)));
    columns.extend([because, Column::new(SOURCE, DataType::String), Column::new(VERSION, DataType::String)]);
    TableSchema { columns, key, event_time: None, snapshots, fixed: false }
}

/// How the table is made of lists.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a> {
    pub user: &'a str,
    pub item: &'a str,
    pub with_probability: bool,
    /// The moment whose rows are served; only they have a version.
    pub served: NaiveDate,
    pub version: &'a str,
}

/// One row a recommendation, by user, moment and rank; `parts` ascend by moment.
pub fn frame(interactions: &Interactions, parts: &[Lists], layout: &Layout<'_>) -> Result<DataFrame, Failure> {
    let rows: usize = parts.iter().flat_map(|part| &part.of_users).map(Vec::len).sum();
    let (mut users, mut items) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let (mut days, mut ranks, mut scores) =
        (Vec::with_capacity(rows), Vec::with_capacity(rows), Vec::with_capacity(rows));
    let (mut because, mut sources) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let (mut probabilities, mut versions) = (Vec::new(), Vec::with_capacity(rows));
    for user in 0..interactions.users.len() {
        for part in parts {
            let day = i32::try_from(midnight_us(part.moment) / 86_400_000_000).unwrap_or_default();
            for (rank, entry) in (1_i64..).zip(part.of_users.get(user).into_iter().flatten()) {
                users.push(user as u32);
                items.push(entry.item);
                days.push(day);
                ranks.push(rank);
                scores.push(entry.score);
                because.push(entry.because);
                sources.push(part.sources.get(usize::from(entry.source)).map_or("", String::as_str));
                // What was fitted before a split only judges; it is not a version that serves.
                versions.push((part.moment == layout.served).then_some(layout.version));
                if layout.with_probability {
                    probabilities.push(entry.probability);
                }
            }
        }
    }
    let ids = |ids: &Series, rows: &[u32], name: &str| -> Result<Values, Failure> {
        Ok(ids.take_slice(rows)?.with_name(name.into()).into_column())
    };
    let because = IdxCa::from_iter_options(BECAUSE.into(), because.into_iter());
    let mut columns = vec![
        ids(&interactions.users, &users, layout.user)?,
        Series::new(AS_OF.into(), days).cast(&DataType::Date)?.into_column(),
        Series::new(RANK.into(), ranks).into_column(),
        ids(&interactions.items, &items, layout.item)?,
        Series::new(SCORE.into(), scores).into_column(),
    ];
    if layout.with_probability {
        columns.push(Series::new(PROBABILITY.into(), probabilities).into_column());
    }
    columns.extend([
        interactions.items.take(&because)?.with_name(BECAUSE.into()).into_column(),
        Series::new(SOURCE.into(), sources).into_column(),
        Series::new(VERSION.into(), versions).into_column(),
    ]);
    Ok(DataFrame::new_infer_height(columns)?)
}
