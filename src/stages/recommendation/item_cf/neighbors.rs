//! The model: each item's most similar items, as a file, and back.

use std::io::Cursor;

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, ParquetReader, ParquetWriter, SerReader, Series};
use rayon::prelude::*;

use super::holdout::List;
use super::interactions::{Events, Ids};
use crate::algorithms::item_cf::ItemNeighbors;
use crate::algorithms::sparse::Csr;
use crate::stages::contract::Failure;

/// The file with the neighbors: item, neighbor, similarity; the most similar first.
pub const FILE: &str = "neighbors.parquet";

/// Neighbors that were read back.
pub struct Neighbors {
    items: Ids,
    /// One list for each item.
    lists: Vec<List>,
}

/// The content of the file.
pub fn to_parquet(neighbors: &ItemNeighbors, items: &Ids) -> Result<Vec<u8>, Failure> {
    let rows = || (0..neighbors.items()).flat_map(|item| neighbors.of(item).iter().map(move |found| (item as u32, found)));
    let similarities: Vec<f64> = rows().map(|(_, found)| found.1).collect();
    let height = similarities.len();
    let columns = vec![
        items.column("item", rows().map(|(item, _)| item)),
        items.column("neighbor", rows().map(|(_, found)| found.0)),
        Series::new("similarity".into(), similarities).into_column(),
    ];
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut DataFrame::new(height, columns)?)?;
    Ok(bytes)
}

impl Neighbors {
    /// Reads the file.
    pub fn from_parquet(bytes: &[u8]) -> Result<Neighbors, Failure> {
        let frame = ParquetReader::new(Cursor::new(bytes)).finish()?;
        let mut ids = frame.column("item")?.as_materialized_series().clone();
        ids.append(frame.column("neighbor")?.as_materialized_series())?;
        let (items, codes) = Ids::encode(&ids)?;
        let (own, others) = codes.split_at(frame.height().min(codes.len()));
        let mut lists = vec![List::new(); items.len()];
        for ((item, other), similarity) in own.iter().zip(others).zip(frame.column("similarity")?.f64()?.iter()) {
            if let (Some(list), Some(similarity)) = (lists.get_mut(*item as usize), similarity) {
                list.push((*other, similarity));
            }
        }
        Ok(Neighbors { items, lists })
    }

    /// The events with the model's items among theirs, and the neighbors in the indices of those.
    pub fn joined(self, events: Events) -> Result<(Events, Vec<List>), Failure> {
        let (events, index) = events.with_items(&self.items).ok_or_else(|| {
            Failure::data("the items of the earlier model are of another type than those of the interactions; fit it again")
        })?;
        let of = |item: u32| index.get(item as usize).copied().unwrap_or(item);
        let mut lists = vec![List::new(); events.items.len()];
        for (item, list) in (0..).zip(self.lists) {
            if let Some(slot) = lists.get_mut(of(item) as usize) {
                *slot = list.into_iter().map(|(other, similarity)| (of(other), similarity)).collect();
            }
        }
        Ok((events, lists))
    }
}

/// What [`item_cf::recommend`](crate::algorithms::item_cf::recommend) gives, with neighbors that
/// were read back: the same sums in the same order.
pub fn recommend(interactions: &Csr, neighbors: &[List], top: usize, exclude_seen: bool) -> Vec<List> {
    let users = (0..interactions.rows()).into_par_iter();
    users
        .map_init(
            || vec![0.0; neighbors.len()],
            |scores: &mut Vec<f64>, user| {
                let mut touched: Vec<u32> = Vec::new();
                for (item, weight) in interactions.pairs(user) {
                    for (other, similarity) in neighbors.get(item as usize).into_iter().flatten() {
                        if let Some(score) = scores.get_mut(*other as usize) {
                            *score += weight * similarity;
                            touched.push(*other);
                        }
                    }
                }
                touched.sort_unstable();
                touched.dedup();
                let seen = interactions.row(user).0;
                let take = |item: u32| (item, scores.get_mut(item as usize).map(std::mem::take).unwrap_or_default());
                let scored = touched.into_iter().map(take);
                let wanted = |found: &(u32, f64)| found.1 > 0.0 && !(exclude_seen && seen.binary_search(&found.0).is_ok());
                let mut found: List = scored.filter(wanted).collect();
                found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                found.truncate(top);
                found
            },
        )
        .collect()
}
