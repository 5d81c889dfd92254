//! What the parts of a hybrid recommend, by index.

use chrono::NaiveDate;
use polars::prelude::{DataType, col, lit};
use rayon::prelude::*;

use super::super::interactions::Interactions;
use super::super::lists::{BECAUSE, FILLED, PROBABILITY, RANK, SCORE, SOURCE, VERSION};
use super::PORT;
use crate::problem::{Code, Problem, Step};
use crate::stages::contract::{Failure, NamedTable};
use crate::stages::ids;
use crate::table::{AS_OF, TableSchema, midnight_us};

/// An item that a part recommends to a user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub item: u32,
    /// From 1.
    pub rank: u32,
    /// From 0, the last of the user's list, to 1, the first.
    pub score: f64,
    pub because: Option<u32>,
}

/// What a part recommends to each user at a moment, best first.
pub type OfPart = Vec<Vec<Candidate>>;

/// The columns of tables of recommendations.
#[derive(Debug, Clone, PartialEq)]
pub struct Names {
    pub user: String,
    pub item: String,
    /// The moments, ascending; the last one is served.
    pub moments: Vec<NaiveDate>,
}

/// User, item and moments of a table of recommendations; `None` if it is none.
fn names(schema: &TableSchema) -> Option<Names> {
    let [user, as_of, rank] = schema.key.as_slice() else { return None };
    if as_of != AS_OF || rank != RANK || schema.column(SCORE).is_none() || schema.column(BECAUSE).is_none() {
        return None;
    }
    let own = [AS_OF, RANK, SCORE, PROBABILITY, BECAUSE, SOURCE, VERSION];
    let item = schema.columns.iter().find(|column| column.name != *user && !own.contains(&column.name.as_str()))?;
    Some(Names { user: user.clone(), item: item.name.clone(), moments: schema.snapshots.clone() })
}

/// What all tables have in common.
///
/// # Errors
/// Tables that are no recommendations, or not of the same users, items and moments.
pub fn common(tables: &[(String, TableSchema)]) -> Result<Names, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut first: Option<(&str, Names)> = None;
    for (index, (name, schema)) in tables.iter().enumerate() {
        let place = || [Step::from("inputs"), Step::from(PORT), Step::from(index)];
        let Some(found) = names(schema) else {
            let message = format!("`{name}` is no table of recommendations");
            let help = "feed it the output of a recommender, such as `item_cf`, `als` or `content`";
            problems.push(Problem::new(Code::WrongColumnType, message).help(help).at(place()));
            continue;
        };
        if tables.iter().take(index).any(|(other, _)| other == name) {
            let problem = Problem::new(Code::DuplicateId, format!("`{name}` is listed twice"));
            problems.push(problem.at(place()));
        }
        match &first {
            None => first = Some((name, found)),
            Some((other, expected)) if *expected != found => {
                let what = if expected.user != found.user {
                    format!("users are `{}` and `{}`", expected.user, found.user)
                } else if expected.item != found.item {
                    format!("items are `{}` and `{}`", expected.item, found.item)
                } else {
                    "they have lists of other moments".to_owned()
                };
                let help = "give all of them the same `user`, `item`, `holdout` and `splits`";
                let message = format!("`{name}` does not go with `{other}`: {what}");
                problems.push(Problem::new(Code::BadValue, message).help(help).at(place()));
            }
            Some(_) => {}
        }
    }
    match first {
        Some((_, names)) if problems.is_empty() => Ok(names),
        _ => Err(problems),
    }
}

/// A row of a table.
struct Row {
    day: i32,
    user: u32,
    item: u32,
    because: u32,
    rank: u32,
    score: f64,
}

/// What stands for no item.
const NONE: u32 = u32::MAX;

/// The tables in memory, by index.
pub struct Tables {
    pub parts: Vec<String>,
    rows: Vec<Vec<Row>>,
    users: usize,
}

impl Tables {
    /// Takes of each table what is known of the users and items of the interactions, but not what only fills lists up.
    pub fn read(tables: Vec<NamedTable>, names: &Names, interactions: &Interactions) -> Result<Tables, Failure> {
        let mut found = Tables { parts: vec![], rows: vec![], users: interactions.users.len() };
        let (user, item) = (names.user.as_str(), names.item.as_str());
        for NamedTable { name, table } in tables {
            let own = [user, AS_OF, RANK, item, SCORE, BECAUSE].map(col);
            let is_own = col(SOURCE).neq(lit(FILLED));
            let frame = table.frame.filter(is_own).select(own).collect()?;
            let places = |name: &str, ids| ids::places(frame.column(name)?.as_materialized_series(), ids);
            let days = frame.column(AS_OF)?.cast(&DataType::Int32)?;
            let numbers =
                days.i32()?.iter().zip(frame.column(RANK)?.i64()?.iter()).zip(frame.column(SCORE)?.f64()?.iter());
            let ids = places(user, &interactions.users)?.into_iter().zip(places(item, &interactions.items)?);
            let ids = ids.zip(places(BECAUSE, &interactions.items)?);
            let mut rows = Vec::with_capacity(frame.height());
            for (((user, item), because), ((day, rank), score)) in ids.zip(numbers) {
                let (Some(user), Some(item), Some(day), Some(rank), Some(score)) = (user, item, day, rank, score)
                else {
                    continue;
                };
                let rank = rank.clamp(1, i64::from(u32::MAX)) as u32;
                rows.push(Row { day, user, item, because: because.unwrap_or(NONE), rank, score });
            }
            found.rows.push(rows);
            found.parts.push(name);
        }
        Ok(found)
    }

    /// What each part recommends at a moment.
    pub fn at(&self, moment: NaiveDate) -> Vec<OfPart> {
        let day = i32::try_from(midnight_us(moment) / 86_400_000_000).unwrap_or_default();
        let part = |rows: &Vec<Row>| {
            let mut found: OfPart = vec![vec![]; self.users];
            for row in rows.iter().filter(|row| row.day == day) {
                if let Some(list) = found.get_mut(row.user as usize) {
                    let because = (row.because != NONE).then_some(row.because);
                    list.push(Candidate { item: row.item, rank: row.rank, score: row.score, because });
                }
            }
            found.par_iter_mut().for_each(|list| normalize(list));
            found
        };
        self.rows.iter().map(part).collect()
    }
}

/// Scores of different parts have different units: of each list they are spread from 0 to 1.
fn normalize(list: &mut [Candidate]) {
    list.sort_unstable_by_key(|candidate| candidate.rank);
    let most = list.iter().map(|candidate| candidate.score).fold(f64::NEG_INFINITY, f64::max);
    let least = list.iter().map(|candidate| candidate.score).fold(f64::INFINITY, f64::min);
    let span = most - least;
    for candidate in list {
        candidate.score = if span > 0.0 { (candidate.score - least) / span } else { 1.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_spread() {
        let of = |score, rank| Candidate { item: 0, rank, score, because: None };
        let mut list = [of(1.0, 3), of(5.0, 1), of(2.0, 2)];
        normalize(&mut list);
        assert_eq!(list.map(|candidate| candidate.score), [1.0, 0.25, 0.0]);
        let mut alone = [of(-3.0, 1)];
        normalize(&mut alone);
        assert_eq!(alone[0].score, 1.0);
    }
}
