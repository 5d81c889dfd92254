//! What is wrong with the rows of a text file.

use std::collections::BTreeSet;

use crate::storage::Location;
use crate::table::TableSchema;

/// Counts of rows, and nothing of what is in them.
#[derive(Debug, Clone)]
pub struct Found {
    pub location: Location,
    /// Values that are not of their column's type, in the schema's order.
    pub unread: Vec<u64>,
    /// Rows with more or fewer fields than there are columns.
    pub ragged: u64,
    /// Rows whose quotes do not pair.
    pub quoting: u64,
    /// Rows that are not UTF-8, or have bytes of zero.
    pub encoding: u64,
    /// Lines that are no JSON object with each key once.
    pub objects: u64,
    /// Rows that came out, whatever is wrong with their values.
    pub rows: u64,
    /// Rows that are skipped, since they are at or after the moment.
    pub later: u64,
    /// Whether any row has the column, in the schema's order.
    pub seen: Vec<bool>,
    /// Keys of objects beyond the schema.
    pub extra: BTreeSet<String>,
}

/// Further keys than so many are not remembered.
const EXTRA_MAX: usize = 100;

impl Found {
    pub(super) fn new(location: &Location, schema: &TableSchema) -> Found {
        Found {
            location: location.clone(),
            unread: vec![0; schema.columns.len()],
            ragged: 0,
            quoting: 0,
            encoding: 0,
            objects: 0,
            rows: 0,
            later: 0,
            seen: vec![false; schema.columns.len()],
            extra: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, other: Found) {
        for (sum, more) in self.unread.iter_mut().zip(other.unread) {
            *sum += more;
        }
        for (seen, too) in self.seen.iter_mut().zip(other.seen) {
            *seen |= too;
        }
        self.rows += other.rows;
        self.later += other.later;
        self.ragged += other.ragged;
        self.quoting += other.quoting;
        self.encoding += other.encoding;
        self.objects += other.objects;
        other.extra.iter().for_each(|key| self.see(key));
    }

    pub(super) fn see(&mut self, key: &str) {
        if self.extra.len() < EXTRA_MAX && !self.extra.contains(key) {
            self.extra.insert(key.to_owned());
        }
    }

    /// Whether some rows are no rows of the format.
    pub fn is_damaged(&self) -> bool {
        self.ragged + self.quoting + self.encoding + self.objects > 0
    }
}
