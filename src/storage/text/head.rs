//! The columns of text files, from their first bytes.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::blocks::{BYTE_ORDER_MARK, Block, RECORD_BYTES_MAX, Splitter};
use super::{csv, json};
use crate::storage::footer::{Column, Footer, Times};
use crate::storage::{Csv, Format, Kind, SourceFile, StorageError};

/// What is read of a file at first; more only where its first line is longer.
const HEAD_BYTES: u64 = 64 << 10;
/// Files read at the same time.
const CONCURRENCY: usize = 16;

/// Reads the columns of many files, a bounded number at a time; the answers are in the files' order.
///
/// # Errors
/// [`Kind::Corrupt`] for a file that is empty, of another format or compressed, else what the store says.
pub async fn read_all(files: &[SourceFile], format: &Format) -> Result<Vec<Footer>, StorageError> {
    let heads: Vec<_> = files.iter().map(|file| read(file, format)).collect();
    stream::iter(heads).buffered(CONCURRENCY).try_collect().await
}

async fn read(file: &SourceFile, format: &Format) -> Result<Footer, StorageError> {
    let corrupt = |detail: &str| StorageError::new(Kind::Corrupt, "read", &file.location, detail);
    let (store, path) = file.location.store()?;
    let mut length = HEAD_BYTES;
    let block = loop {
        let end = file.size.min(length);
        let bytes = if end == 0 { Ok(bytes::Bytes::new()) } else { store.get_range(&path, 0..end).await };
        let bytes = bytes.map_err(|error| StorageError::store("read", &file.location, &error))?;
        if let Some(foreign) = foreign(&bytes) {
            return Err(corrupt(&format!("it is {foreign}, not {}", format.name())));
        }
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        let mut ends = Vec::new();
        Splitter::new(format).ends(bytes, 0, &mut ends);
        if ends.is_empty() && end == file.size {
            ends.push(bytes.len());
        }
        if !ends.is_empty() {
            break Block { bytes: bytes.to_vec(), ends, is_first: true };
        }
        if length > RECORD_BYTES_MAX as u64 {
            return Err(corrupt("its first line is longer than 64 MiB"));
        }
        length = (length * 8).min(RECORD_BYTES_MAX as u64 + 1);
    };
    // A line may be long and have very many keys: whoever waits for a signal is not to wait for it.
    let format = format.clone();
    let names = tokio::task::spawn_blocking(move || match &format {
        Format::Csv(csv) => of_csv(&block, csv),
        _ => of_objects(&block),
    });
    let names =
        names.await.map_err(|error| StorageError::new(Kind::Other, "read", &file.location, error.to_string()))?;
    let columns = names.map_err(|detail| corrupt(&detail))?.into_iter();
    let columns = columns.map(|name| Column { name, data_type: None, nullable: true }).collect();
    Ok(Footer { location: file.location.clone(), size: file.size, rows: None, columns, times: Times::default() })
}

/// What a file of another format is, by its first bytes.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: [(&[u8], &str); 9] = [
        (b"PAR1", "Parquet"),
        (b"PARE", "encrypted Parquet"),
        (b"\x1f\x8b", "compressed with gzip"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"BZh", "compressed with bzip2"),
        (b"\xfd7zXZ\0", "compressed with xz"),
        (b"PK\x03\x04", "a zip archive"),
        (b"\xff\xfe", "text in UTF-16"),
        (b"\xfe\xff", "text in UTF-16"),
    ];
    MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name)
}

fn of_csv(block: &Block, csv: &Csv) -> Result<Vec<String>, String> {
    let first = block.records().next();
    let fields = match first {
        None if csv.names.is_none() => return Err("it is empty: there is not even a header".to_owned()),
        None => None,
        Some(line) => Some(header(line, csv).ok_or("its first line is not quoted as CSV is, or not UTF-8")?),
    };
    match (&csv.names, fields) {
        (Some(names), Some(fields)) if fields.len() != names.len() => {
            Err(format!("its first line has {} fields, but the contract has {} columns", fields.len(), names.len()))
        }
        (Some(names), _) => Ok(names.clone()),
        (None, fields) => Ok(fields.unwrap_or_default()),
    }
}

fn header(line: &[u8], csv: &Csv) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    // A name is never null.
    let csv = Csv { null_values: Vec::new(), ..csv.clone() };
    csv::fields(std::str::from_utf8(line).ok()?, &csv, &mut fields).ok()?;
    Some(fields.iter().map(|field| field.text().unwrap_or_default().to_owned()).collect())
}

/// The keys of the first objects; none of a file without a line.
fn of_objects(block: &Block) -> Result<Vec<String>, String> {
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    for (index, line) in block.records().enumerate() {
        let entries = std::str::from_utf8(line).ok().and_then(|line| json::object(line).ok());
        match entries {
            None if index == 0 => return Err("its first line is no JSON object with each key once".to_owned()),
            None => {} // counted when the rows are read
            Some(entries) => {
                for (key, _) in entries {
                    if seen.insert(key.clone().into_owned()) {
                        names.push(key.into_owned());
                    }
                }
            }
        }
    }
    Ok(names)
}
