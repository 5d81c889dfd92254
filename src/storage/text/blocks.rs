//! A file's bytes in blocks of whole records.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::ObjectStoreExt;

use crate::storage::{Csv, Format, Kind, SourceFile, StorageError};

/// What is asked of the store at once.
const CHUNK_BYTES: u64 = 4 << 20;
/// Chunks on their way while others are parsed.
const AHEAD: usize = 2;
/// What no record is longer than: more must be a quote that is never closed, or no text at all.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;

/// UTF-8's mark, which some programs put first.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whole records.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Where each record ends, its line break included; ascending.
    pub(super) ends: Vec<usize>,
    /// Whether it begins the file.
    pub(super) is_first: bool,
}

impl Block {
    /// The records, without their line breaks and without empty lines.
    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let records = starts.zip(&self.ends).map(|(start, end)| self.bytes.get(start..*end).unwrap_or_default());
        records.map(without_line_break).filter(|record| !record.is_empty())
    }
}

fn without_line_break(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

/// The blocks of a file.
pub(super) struct Blocks {
    chunks: BoxStream<'static, Result<Bytes, StorageError>>,
    splitter: Splitter,
    /// What no whole record was found in yet.
    waiting: Vec<u8>,
    /// For messages.
    location: String,
    started: bool,
}

impl Blocks {
    pub(super) fn open(file: &SourceFile, format: &Format) -> Result<Blocks, StorageError> {
        let (store, path) = file.location.store()?;
        let size = file.size;
        let location = file.location.clone();
        let starts = (0..size).step_by(usize::try_from(CHUNK_BYTES).unwrap_or(usize::MAX));
        let read = move |start: u64| {
            let (store, path, location) = (store.clone(), path.clone(), location.clone());
            let range: Range<u64> = start..size.min(start + CHUNK_BYTES);
            // A task of its own, so that it goes on while blocks are parsed.
            let task = tokio::spawn(async move {
                let read = store.get_range(&path, range).await;
                read.map_err(|error| StorageError::store("read", &location, &error))
            });
            async move { task.await.unwrap_or_else(|error| Err(StorageError::new(Kind::Other, "read", "a file", error))) }
        };
        Ok(Blocks {
            chunks: stream::iter(starts).map(read).buffered(AHEAD).boxed(),
            splitter: Splitter::new(format),
            waiting: Vec::new(),
            location: file.location.to_string(),
            started: false,
        })
    }

    /// The next block; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Block>, StorageError> {
        loop {
            let Some(chunk) = self.chunks.next().await.transpose()? else {
                let bytes = std::mem::take(&mut self.waiting);
                let block = Block { ends: vec![bytes.len()], bytes, is_first: false };
                return Ok((!block.bytes.is_empty()).then_some(block));
            };
            let marked = !std::mem::replace(&mut self.started, true) && chunk.starts_with(BYTE_ORDER_MARK);
            let chunk = chunk.slice(if marked { BYTE_ORDER_MARK.len() } else { 0 }..);
            let mut ends = Vec::new();
            self.splitter.ends(&chunk, self.waiting.len(), &mut ends);
            let Some(end) = ends.last().and_then(|end| end.checked_sub(self.waiting.len())) else {
                self.waiting.extend_from_slice(&chunk);
                if self.waiting.len() > RECORD_BYTES_MAX {
                    let detail = "a record is longer than 64 MiB; is a quote never closed?";
                    return Err(StorageError::new(Kind::Corrupt, "read", &self.location, detail));
                }
                continue;
            };
            let (whole, rest) = chunk.split_at_checked(end).unwrap_or((&chunk, &[]));
            let mut bytes = std::mem::replace(&mut self.waiting, rest.to_vec());
            bytes.extend_from_slice(whole);
            return Ok(Some(Block { bytes, ends, is_first: false }));
        }
    }
}

/// Finds the ends of records; it keeps where in a record it is.
pub(super) struct Splitter {
    /// Delimiter and quote of CSV; none where every line break ends a record.
    quoting: Option<(u8, u8)>,
    at: At,
}

/// Where in a record a splitter is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the first byte of a field.
    Start,
    Field,
    /// Within quotes.
    Quoted,
    /// After a quote that ends the field or stands for the first of two.
    Quote,
}

impl Splitter {
    pub(super) fn new(format: &Format) -> Splitter {
        let quoting = match format {
            Format::Csv(Csv { delimiter, quote: Some(quote), .. }) => Some((*delimiter, *quote)),
            _ => None,
        };
        Splitter { quoting, at: At::Start }
    }

    /// Adds the end of every record that ends in these bytes; `offset` is where they begin.
    pub(super) fn ends(&mut self, bytes: &[u8], offset: usize, ends: &mut Vec<usize>) {
        let Some((delimiter, quote)) = self.quoting else {
            let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            ends.extend(breaks.map(|(index, _)| offset + index + 1));
            return;
        };
        for (index, byte) in bytes.iter().enumerate() {
            self.at = match (self.at, *byte) {
                (At::Quoted, byte) if byte == quote => At::Quote,
                (At::Quoted, _) => At::Quoted,
                (At::Start | At::Quote, byte) if byte == quote => At::Quoted,
                (_, b'\n') => {
                    ends.push(offset + index + 1);
                    At::Start
                }
                (_, byte) if byte == delimiter => At::Start,
                _ => At::Field,
            };
        }
    }
}
