//! The profiles of what a stage wrote: of tables of snapshots, as they are at the newest one, and of what
//! is published.

use std::path::Path;

use polars::prelude::{DataType, Engine, Expr, LazyFrame, PolarsResult, col, len, lit};

use super::state::{OutputMeta, OutputProfile, table_file};
use crate::metrics::profile::{ColumnProfile, DESCRIBED_MIN};
use crate::plan::{Node, Plan, Work};
use crate::stages::profile::{self, ROWS_MAX};
use crate::storage::scan;
use crate::table::AS_OF;

/// The row numbers by which every k-th row is taken.
const PLACE: &str = "_place";

/// The profiles of the tables that a stage wrote into a directory, and what it says of its input.
pub fn of_execution(
    plan: &Plan,
    node: &Node,
    directory: &Path,
    written: &[OutputMeta],
    input: Vec<ColumnProfile>,
) -> PolarsResult<Vec<OutputProfile>> {
    let mut profiles = Vec::new();
    for output in written.iter().filter(|output| wanted(plan, node, output)) {
        profiles.extend(of_table(&table_file(directory, &output.port), output)?);
    }
    profiles.extend(of_input(input));
    Ok(profiles)
}

/// Whether a table is worth a look: models learn from snapshots, and others read what is published.
fn wanted(plan: &Plan, node: &Node, output: &OutputMeta) -> bool {
    let published = |other: &Node| match &other.work {
        Work::Publish { from, .. } => plan.nodes.get(from.node).is_some_and(|source| {
            source.name == node.name && source.outputs.get(from.port).is_some_and(|(name, _)| *name == output.port)
        }),
        _ => false,
    };
    let schema = &output.schema;
    !profile::told(schema).is_empty() && (!schema.snapshots.is_empty() || plan.nodes.iter().any(published))
}

/// The columns of a table that was written, at its newest snapshot if it has snapshots; none of few rows.
/// Of very many rows every k-th is read, so that time and memory have a bound.
fn of_table(file: &Path, output: &OutputMeta) -> PolarsResult<Option<OutputProfile>> {
    let schema = &output.schema;
    let as_of = schema.snapshots.last().copied();
    let mut frame = scan::read_parquet(file)?;
    let mut rows = output.rows;
    if let Some(moment) = as_of {
        frame = frame.filter(col(AS_OF).eq(lit(moment).cast(DataType::Date)));
        rows = count(frame.clone())?;
    }
    // Of so few nothing could be told.
    if rows < DESCRIBED_MIN as u64 {
        return Ok(None);
    }
    let step = rows.div_ceil(ROWS_MAX as u64);
    if step > 1 {
        frame = frame.with_row_index(PLACE, None).filter((col(PLACE) % lit(step)).eq(lit(0)));
    }
    let columns: Vec<Expr> = profile::told(schema).into_iter().map(|column| col(column.name.as_str())).collect();
    let frame = frame.select(columns).collect_with_engine(Engine::Streaming)?.unwrap_single();
    let columns = profile::columns(&frame, schema)?;
    Ok(Some(OutputProfile { port: Some(output.port.clone()), as_of, rows, columns }))
}

/// What the stage says of what it read.
fn of_input(columns: Vec<ColumnProfile>) -> Option<OutputProfile> {
    let rows = columns.iter().map(|column| column.rows).max()?;
    Some(OutputProfile { port: None, as_of: None, rows, columns })
}

fn count(frame: LazyFrame) -> PolarsResult<u64> {
    let counted = frame.select([len().cast(DataType::UInt64)]).collect_with_engine(Engine::Streaming)?.unwrap_single();
    let column = counted.columns().first();
    Ok(column.and_then(|column| column.u64().ok()?.get(0)).unwrap_or_default())
}
