//! Rows in parts, by chance that a seed decides and not by their order.

use polars::prelude::{DataFrame, DataType};

use super::task::Target;
use crate::stages::contract::Failure;

/// The part of each row, from 0: all rows of an entity are in one. Where every entity has one row, parts have the same
/// share of each class.
pub fn by_entity(rows: &DataFrame, entity: &str, target: &Target, parts: u32, seed: u64) -> Result<Vec<u32>, Failure> {
    let hashes = hashes(rows, entity, seed)?;
    let mut distinct = hashes.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < rows.height() {
        return Ok(hashes.into_iter().map(|hash| (hash % u64::from(parts.max(1))) as u32).collect());
    }
    let classes = target.class_of();
    let mut order: Vec<usize> = (0..rows.height()).collect();
    let key = |row: usize| (classes.get(row).copied().unwrap_or(0), hashes.get(row).copied().unwrap_or(0), row);
    order.sort_unstable_by_key(|row| key(*row));
    let mut found = vec![0; rows.height()];
    for (place, row) in order.into_iter().enumerate() {
        if let Some(slot) = found.get_mut(row) {
            *slot = (place % parts.max(1) as usize) as u32;
        }
    }
    Ok(found)
}

/// Which rows are held out: so large a share of each class.
pub fn share(rows: &DataFrame, entity: &str, target: &Target, share: f64, seed: u64) -> Result<Vec<bool>, Failure> {
    let hashes = hashes(rows, entity, seed)?;
    let classes = target.class_of();
    let mut found = vec![false; rows.height()];
    for class in 0..target.class_count() as u32 {
        let of_class = |row: &usize| classes.get(*row) == Some(&class);
        let mut own: Vec<usize> = (0..rows.height()).filter(of_class).collect();
        own.sort_unstable_by_key(|row| (hashes.get(*row).copied().unwrap_or(0), *row));
        let count = (own.len() as f64 * share).round() as usize;
        own.into_iter().take(count).for_each(|row| {
            if let Some(slot) = found.get_mut(row) {
                *slot = true;
            }
        });
    }
    Ok(found)
}

/// A number of each row's entity that looks drawn by chance.
fn hashes(rows: &DataFrame, entity: &str, seed: u64) -> Result<Vec<u64>, Failure> {
    let names = rows.column(entity)?.cast(&DataType::String)?;
    Ok(names.str()?.iter().map(|name| mixed(name.unwrap_or_default().as_bytes(), seed)).collect())
}

/// FNV-1a, then the finalizer of SplitMix64.
fn mixed(bytes: &[u8], seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    let folded = bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let mut hash = folded.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
