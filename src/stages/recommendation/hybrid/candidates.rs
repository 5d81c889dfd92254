//! What the parts of a hybrid recommend, by index.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, col, lit};

use super::super::interactions::{Interactions, texts};
use super::super::lists::{BECAUSE, RANK, SCORE, SOURCE, VERSION, PROBABILITY};
use super::PORT;
use crate::problem::{Code, Problem, Step};
use crate::stages::contract::{Failure, NamedTable};
use crate::table::{AS_OF, TableSchema};

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

/// The tables in memory.
pub struct Tables {
    pub parts: Vec<String>,
    frames: Vec<DataFrame>,
    names: Names,
}

impl Tables {
    /// Takes of each table the rows that its own model made, and not those that fill lists up.
    pub fn read(tables: Vec<NamedTable>, names: &Names) -> Result<Tables, Failure> {
        let mut found = Tables { parts: vec![], frames: vec![], names: names.clone() };
        for NamedTable { name, table } in tables {
            let own = table.frame.select([
                col(names.user.as_str()),
                col(AS_OF),
                col(RANK),
                col(names.item.as_str()),
                col(SCORE),
                col(BECAUSE),
                col(SOURCE),
            ]);
            found.frames.push(own.collect()?);
            found.parts.push(name);
        }
        Ok(found)
    }

    /// What each part recommends at a moment.
    pub fn at(&self, moment: NaiveDate, interactions: &Interactions) -> Result<Vec<OfPart>, Failure> {
        let items = interactions.item_index()?;
        let users: std::collections::HashMap<String, usize> = texts(&interactions.users)?.into_iter().zip(0..).collect();
        let part = |frame: &DataFrame| -> Result<OfPart, Failure> {
            use polars::prelude::IntoLazy;
            let now = col(AS_OF).eq(lit(moment).cast(DataType::Date));
            let frame = frame.clone().lazy().filter(now).collect()?;
            let text = |name: &str| texts(frame.column(name)?.as_materialized_series());
            let (user, item, because) = (text(&self.names.user)?, text(&self.names.item)?, text(BECAUSE)?);
            let (ranks, scores) = (frame.column(RANK)?.i64()?, frame.column(SCORE)?.f64()?);
            let mut found: OfPart = vec![vec![]; interactions.users.len()];
            let rows = user.iter().zip(&item).zip(&because).zip(ranks.iter().zip(scores.iter()));
            for (((user, item), because), (rank, score)) in rows {
                let (Some(user), Some(item), Some(rank), Some(score)) = (users.get(user), items.get(item), rank, score)
                else {
                    continue;
                };
                if let Some(list) = found.get_mut(*user) {
                    let because = items.get(because).copied();
                    list.push(Candidate { item: *item, rank: rank.max(1) as u32, score, because });
                }
            }
            found.iter_mut().for_each(|list| normalize(list));
            Ok(found)
        };
        self.frames.iter().map(part).collect()
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
