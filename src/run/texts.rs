//! Sources that are CSV or newline JSON: read once, into a table in the declared types.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use polars::prelude::{DataFrame, IntoLazy};

use super::contract;
use super::failure::NodeFailure;
use super::source::{Inspected, used};
use super::state::CheckResult;
use crate::checks::Check;
use crate::config::{SourceFormat, SourceSpec};
use crate::storage::pieces::Writer;
use crate::storage::text::Texts;
use crate::storage::{Csv, Format};
use crate::table::{TableSchema, midnight_us};

/// How the files of a source are written.
pub fn format(spec: &SourceSpec) -> Format {
    match spec.file_format() {
        SourceFormat::Parquet => Format::Parquet,
        SourceFormat::Ndjson => Format::Ndjson,
        SourceFormat::Csv => {
            let csv = spec.csv.clone().unwrap_or_default();
            // Both are ASCII, as the schema of the language wants.
            let byte = |character: char| u8::try_from(character).ok();
            Format::Csv(Csv {
                delimiter: byte(csv.delimiter).unwrap_or(b','),
                quote: byte(csv.quote),
                names: (!csv.header).then(|| spec.columns.keys().cloned().collect()),
                null_values: csv.null_values,
            })
        }
    }
}

fn texts<'a>(spec: &'a SourceSpec, raw: &'a TableSchema, inspected: &'a Inspected, run_date: NaiveDate) -> Texts<'a> {
    Texts {
        files: &inspected.files,
        heads: &inspected.footers,
        format: &inspected.format,
        schema: raw,
        before: spec.event_time.as_deref().map(|time| (time, midnight_us(run_date))),
    }
}

/// What text files gave.
pub struct Typed {
    /// The columns as the files have them. Whoever takes it removes it: what stages see may be less.
    pub table: PathBuf,
    /// What was found of the values.
    pub results: Vec<CheckResult>,
    /// Rows at or after the run date, which are not in the table.
    pub later: u64,
}

/// Reads all rows into a table in a directory.
pub async fn table(
    spec: &SourceSpec,
    raw: &TableSchema,
    inspected: &Inspected,
    run_date: NaiveDate,
    directory: &Path,
) -> Result<Typed, NodeFailure> {
    let path = directory.join("_typed.parquet");
    let mut writer = Writer::create(&path, &raw.to_polars())?;
    let found = texts(spec, raw, inspected, run_date)
        .read(|piece| {
            writer.add(piece)?;
            Ok::<_, NodeFailure>(ControlFlow::Continue(()))
        })
        .await?;
    writer.finish()?;
    let results = contract::values(spec, raw, &found)?;
    Ok(Typed { table: path, results, later: found.iter().map(|file| file.later).sum() })
}

/// The first rows that stages see.
pub async fn first_rows(
    spec: &SourceSpec,
    raw: &TableSchema,
    checks: &[Check],
    inspected: &Inspected,
    run_date: NaiveDate,
    rows: usize,
) -> Result<DataFrame, NodeFailure> {
    let mut first =
        used(DataFrame::empty_with_schema(&raw.to_polars()).lazy(), spec, checks, inspected, run_date).collect()?;
    let found = texts(spec, raw, inspected, run_date)
        .read(|piece| {
            first.vstack_mut_owned(used(piece.lazy(), spec, checks, inspected, run_date).collect()?)?;
            Ok::<_, NodeFailure>(if first.height() < rows { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })
        .await?;
    contract::values(spec, raw, &found)?;
    Ok(first.head(Some(rows)))
}
