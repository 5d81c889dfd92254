//! A table as a stage gives it: a query still to run, or rows piece by piece.

use std::path::Path;

use polars::prelude::{LazyFrame, Schema};

use super::failure::NodeFailure;
use crate::problem::Code;
use crate::stages::contract::Pieces;
use crate::storage::pieces;
use crate::storage::scan::{self, RowCounter};
use crate::table::TableSchema;

pub enum Given {
    Frame(Box<LazyFrame>),
    Pieces(Pieces),
}

/// All tables of a stage, in the order of its ports.
pub fn all(pieces: Vec<Pieces>, frames: Vec<LazyFrame>) -> Vec<Given> {
    pieces.into_iter().map(Given::Pieces).chain(frames.into_iter().map(|frame| Given::Frame(Box::new(frame)))).collect()
}

impl Given {
    /// Writes the table, if it has the declared columns; returns the number of rows, which are counted as they pass.
    pub fn write(
        self,
        port: &str,
        schema: &TableSchema,
        path: &Path,
        counter: &RowCounter,
    ) -> Result<u64, NodeFailure> {
        let declared = schema.to_polars();
        let agree = |found: &Schema| {
            let message =
                || format!("the table `{port}` has other columns than were declared: {:?}", difference(found, schema));
            if *found == declared { Ok(()) } else { Err(NodeFailure::new(Code::Bug, message())) }
        };
        match self {
            Given::Frame(mut frame) => {
                agree(frame.collect_schema()?.as_ref())?;
                Ok(scan::write_table(scan::counted(*frame, counter), path)?)
            }
            Given::Pieces(pieces) => {
                let mut file = pieces::Writer::create(path, &declared)?;
                for piece in pieces {
                    let piece = piece?;
                    agree(piece.schema())?;
                    counter.add(piece.height() as u64);
                    file.add(piece)?;
                }
                Ok(file.finish()?)
            }
        }
    }
}

/// The columns that differ from the declaration.
fn difference(found: &Schema, declared: &TableSchema) -> Vec<String> {
    let mut differences: Vec<String> = declared
        .columns
        .iter()
        .filter(|column| found.get(&column.name) != Some(&column.dtype))
        .map(|column| format!("{}: {:?}, declared {}", column.name, found.get(&column.name), column.dtype))
        .collect();
    let extra = found.iter_names().filter(|name| declared.column(name).is_none());
    differences.extend(extra.map(|name| format!("{name}: not declared")));
    differences
}
