//! Text files, CSV and newline JSON, read in the types of a schema.
//!
//! A file is read once, in blocks of whole records, which are parsed in parallel and come out as frames in the file's
//! order. Polars' own readers are not used: they fill short rows with nulls, and stop at the first value of another type
//! with that value in the message, where all such rows are to be counted and none is to be told.

mod blocks;
mod builder;
mod csv;
mod found;
mod head;
mod json;
mod parse;
mod raw;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use polars::prelude::{DataFrame, PolarsError, PolarsResult};
use rayon::prelude::{IntoParallelRefIterator, ParallelIterator};

use super::{Footer, Format, SourceFile, StorageError, sources};
use crate::table::TableSchema;
use blocks::{Block, Blocks};
pub use found::Found;
pub use head::read_all as heads;
use parse::{Layout, Parsed};

/// The rows of text files.
pub struct Texts<'a> {
    pub files: &'a [SourceFile],
    /// What [`heads`] found, in the files' order.
    pub heads: &'a [Footer],
    pub format: &'a Format,
    /// The columns that are read.
    pub schema: &'a TableSchema,
    /// A column and a moment in microseconds: rows at or after it are skipped unseen.
    pub before: Option<(&'a str, i64)>,
}

impl Texts<'_> {
    /// Gives every row to `take`, in order and in pieces, until it breaks off. Values that are not of their column's
    /// type come as null and are counted, by file; so are rows that cannot be told apart into fields, which do not come.
    ///
    /// # Errors
    /// Those of the store and of `take`; [`super::Kind::Corrupt`] for a record without an end.
    pub async fn read<E: From<StorageError> + From<PolarsError>>(
        &self,
        mut take: impl FnMut(DataFrame) -> Result<ControlFlow<()>, E>,
    ) -> Result<Vec<Found>, E> {
        let mut all = Vec::with_capacity(self.files.len());
        for (file, head) in self.files.iter().zip(self.heads) {
            let layout = Layout::new(self, file, head);
            let mut found = Found::new(&file.location, self.schema);
            let mut blocks = Blocks::open(file, self.format)?;
            let mut first = true;
            loop {
                let some = next(&mut blocks, &mut first).await?;
                if some.is_empty() {
                    break;
                }
                let parsed: PolarsResult<Vec<Parsed>> = some.par_iter().map(|block| layout.parse(block)).collect();
                for parsed in parsed? {
                    found.add(parsed.found);
                    if take(parsed.frame)?.is_break() {
                        all.push(found);
                        return Ok(all);
                    }
                }
            }
            sources::unchanged(file).await?;
            all.push(found);
        }
        Ok(all)
    }
}

/// As many blocks as can be parsed at once; none at the end of the file.
async fn next(blocks: &mut Blocks, first: &mut bool) -> Result<Vec<Block>, StorageError> {
    let mut some = Vec::new();
    while some.len() < rayon::current_num_threads() {
        let Some(mut block) = blocks.next().await? else { break };
        block.is_first = std::mem::take(first);
        some.push(block);
    }
    Ok(some)
}
