//! Whether a failure comes of a file that cannot be read. Columns are first read where they are first needed, perhaps
//! by a stage, and the reader's error or panic names no file; so the files are tried one by one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::contract;
use super::failure::{NodeFailure, first_line};
use super::source::Inspected;
use super::stage::Surroundings;
use crate::crash;
use crate::plan::Work;
use crate::problem::Code;
use crate::storage::{Footer, SourceFile, scan};
use crate::table::TableSchema;

/// The failure of a node, or what is wrong with the first file of its sources that cannot be read.
pub fn explain(index: usize, around: &Surroundings<'_>, failure: NodeFailure) -> NodeFailure {
    let Some(node) = around.plan.nodes.get(index).filter(|_| failure.by_engine) else { return failure };
    let mut behind = node.upstream.iter().chain([&index]).filter_map(|source| {
        let Work::Source { entry, .. } = &around.plan.nodes.get(*source)?.work else { return None };
        let inspected = around.sources.get(source)?;
        inspected.unchanged().err().or_else(|| of_source(inspected, &entry.raw))
    });
    behind.next().unwrap_or(failure)
}

/// What is wrong with the first file that cannot be read. Text and queries are not looked at: they are read as a whole
/// before.
pub fn of_source(inspected: &Inspected, raw: &TableSchema) -> Option<NodeFailure> {
    if !inspected.is_read_in_place() {
        return None;
    }
    inspected.files.iter().zip(&inspected.footers).find_map(|(file, footer)| damage(file, footer, raw))
}

fn damage(file: &SourceFile, footer: &Footer, raw: &TableSchema) -> Option<NodeFailure> {
    let location = &file.location;
    let damaged = |how: &str| Some(NodeFailure::new(Code::CorruptFile, format!("{location} is damaged: {how}")));
    match catch_unwind(AssertUnwindSafe(|| scan::unread(file, footer, raw))) {
        Ok(Ok(counts)) => {
            let wrong = contract::unread(raw, location, &counts);
            (!wrong.is_empty()).then(|| NodeFailure::new(Code::ContractBroken, wrong.join("; ")))
        }
        // The store may fail for reasons of its own.
        Ok(Err(error)) if matches!(error, polars::prelude::PolarsError::IO { .. }) && !location.is_local() => None,
        Ok(Err(error)) => damaged(&first_line(&error)),
        Err(_) => damaged(&format!("its reader gave up{}", crash::place())),
    }
}
