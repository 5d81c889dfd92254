//! Checks that compare keys: rows with a key that was there before, rows whose key is in no other table.
//!
//! Keys are compared by 128 bits of hash, so that what is in memory does not depend on how long they are: two
//! different keys among 10^9 are taken for one with a probability of about 10^-21. Where there are more keys than
//! [`KEYS_AT_ONCE`], each pass takes a part of them.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use polars::prelude::row_encode::encode_rows_unordered;
use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataType, Engine, Expr, Field, IntoColumn, LazyFrame, NewChunkedArray,
    PlanCallback, PolarsResult, col,
};

use super::Subject;
use crate::checks::Test;
use crate::problem::Code;
use crate::run::failure::NodeFailure;

/// What fits into 2^25 slots of a hash table: about 600 MB.
const KEYS_AT_ONCE: u64 = 29_000_000;

/// Numbers of rows, ascending.
#[derive(Debug, Clone, Default)]
pub struct Positions(Arc<Vec<u32>>);

impl Positions {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the row number in this column is one of them.
    pub fn contains(&self, row: &'static str) -> Expr {
        let rows = Arc::clone(&self.0);
        let flag = move |numbers: Column| -> PolarsResult<Column> {
            let numbers = numbers.cast(&DataType::UInt32)?;
            let is_one = numbers.u32()?.iter().map(|number| number.is_some_and(|row| rows.binary_search(&row).is_ok()));
            let flags: Vec<bool> = is_one.collect();
            Ok(BooleanChunked::from_slice(row.into(), &flags).into_column())
        };
        col(row).map(flag, |_, field| Ok(Field::new(field.name().clone(), DataType::Boolean)))
    }
}

/// By check, the rows that it fails where it compares keys; none for other checks.
pub fn positions(
    subject: &Subject<'_>,
    rows: u64,
    table: impl Fn(&str, &str) -> Result<LazyFrame, NodeFailure>,
) -> Result<Vec<Option<Positions>>, NodeFailure> {
    let mut all = Vec::with_capacity(subject.checks.len());
    for check in &subject.checks {
        let found = match &check.test {
            Test::Unique(columns) => {
                let columns: Vec<Expr> = columns.iter().map(|name| col(name.as_str())).collect();
                Some(search(&subject.frame, &columns, rows, &|_, _| Ok(None))?)
            }
            Test::References { column, table: name, target, integers } => {
                // As the other table has it: with pseudonyms if there are to be any.
                let own = comparable(subject.entering.column(column), *integers);
                let theirs = comparable(col(target.as_str()), *integers);
                let other = table(name, target)?.select([theirs.alias("_k0")]);
                let known = |part, parts| known(&other, part, parts).map(Some);
                Some(search(&subject.frame, &[own], rows, &known)?)
            }
            _ => None,
        };
        all.push(found);
    }
    Ok(all)
}

/// Integers of different widths are compared as 64-bit integers.
fn comparable(column: Expr, integers: bool) -> Expr {
    if integers { column.cast(DataType::Int64) } else { column }
}

type Keys = HashSet<u128, BuildHasherDefault<Hashed>>;

/// Rows whose key was there before or, where a set of keys is given for a part, is not in it.
fn search(
    frame: &LazyFrame,
    columns: &[Expr],
    rows: u64,
    known: &dyn Fn(u128, u128) -> Result<Option<Keys>, NodeFailure>,
) -> Result<Positions, NodeFailure> {
    if rows > u64::from(u32::MAX) {
        let message = format!("{rows} rows are more than the {} whose keys can be compared", u32::MAX);
        return Err(NodeFailure::new(Code::MemoryLimit, message));
    }
    let parts = u128::from(rows.div_ceil(KEYS_AT_ONCE).max(1));
    let columns: Vec<Expr> =
        columns.iter().enumerate().map(|(index, column)| column.clone().alias(format!("_k{index}"))).collect();
    let mut found = Vec::new();
    for part in 0..parts {
        let known = known(part, parts)?;
        let mut seen = Keys::default();
        let mut row = 0;
        let more = each_key(frame.clone().select(columns.clone()), move |key: Option<u128>, found: &mut Vec<u32>| {
            let fails = key.filter(|key| key % parts == part).is_some_and(|key| match &known {
                Some(known) => !known.contains(&key),
                None => !seen.insert(key),
            });
            if fails {
                found.push(row);
            }
            row += 1;
        })?;
        found.extend(more);
    }
    found.sort_unstable();
    Ok(Positions(Arc::new(found)))
}

/// The keys of one column that belong to a part.
fn known(column: &LazyFrame, part: u128, parts: u128) -> Result<Keys, NodeFailure> {
    let mut seen = Keys::default();
    let unique = each_key(column.clone(), move |key: Option<u128>, keys: &mut Vec<u128>| {
        if let Some(key) = key.filter(|key| key % parts == part)
            && seen.insert(key)
        {
            keys.push(key);
        }
    })?;
    Ok(unique.into_iter().collect())
}

/// Streams the rows in their order; `visit` gets the hash of each, none for a row with a null.
fn each_key<T: Send + 'static>(
    frame: LazyFrame,
    visit: impl FnMut(Option<u128>, &mut Vec<T>) + Send + 'static,
) -> Result<Vec<T>, NodeFailure> {
    let state = Arc::new(Mutex::new((visit, Vec::new())));
    let inner = Arc::clone(&state);
    let callback = PlanCallback::new(move |batch: DataFrame| {
        let mut state = inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (visit, found) = &mut *state;
        hashes(batch.columns(), |hash| visit(hash, found))?;
        Ok(false)
    });
    frame.sink_batches(callback, true, None)?.collect_with_engine(Engine::Streaming)?;
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut state.1))
}

/// The hash of each row; none for a row with a null.
fn hashes(columns: &[Column], mut each: impl FnMut(Option<u128>)) -> PolarsResult<()> {
    let mut whole: Option<BooleanChunked> = None;
    for column in columns.iter().filter(|column| column.null_count() > 0) {
        let valid = column.is_not_null();
        whole = Some(match whole {
            Some(others) => &others & &valid,
            None => valid,
        });
    }
    let encoded = encode_rows_unordered(columns)?;
    let mut valid = whole.as_ref().map(|whole| whole.iter());
    for bytes in encoded.iter() {
        let is_whole = valid.as_mut().is_none_or(|valid| valid.next().flatten().unwrap_or(true));
        each(bytes.filter(|_| is_whole).map(hash));
    }
    Ok(())
}

/// Two SipHashes with different prefixes.
fn hash(bytes: &[u8]) -> u128 {
    let half = |prefix: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(prefix);
        hasher.write(bytes);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// What is hashed already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        // The high half; the low one has chosen the part.
        self.0 = (key >> 64) as u64;
    }
}
