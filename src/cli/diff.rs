//! `patronage diff`

use std::path::Path;

use super::arguments::{Diff, DiffFormat, Global};
use super::{complain, output, project};
use crate::problem::{Code, Exit};
use crate::report::{diff as report, html};
use crate::run::diff::{DiffError, compare};
use crate::run::history::{self, PastRun};
use crate::run::which::{WhichError, which};
use crate::storage::local::write_atomic;

pub fn run(command: &Diff, global: &Global) -> Exit {
    let (root, pipeline) = match project::artifacts(command.pipeline.as_deref(), &command.env, global) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let runs: Vec<PastRun> = history::newest_first(&root, pipeline.as_deref()).collect();
    let (before, now) = match (find(&command.before, &runs), find(&command.now, &runs)) {
        (Ok(before), Ok(now)) => (before, now),
        (Err(exit), _) | (_, Err(exit)) => return exit,
    };
    let diff = match compare(&before, &now, command.unmask) {
        Ok(diff) => diff,
        Err(DiffError::Side(error)) => return complain::error(Code::RunMissing, &format!("failed to {error}"), None),
        Err(DiffError::Tables(failure)) => return complain::error(failure.code, &failure.message, None),
    };
    let text = match command.format.unwrap_or_else(|| by_ending(command.out.as_deref())) {
        DiffFormat::Text => report::text(&diff),
        DiffFormat::Markdown => report::markdown(&diff),
        DiffFormat::Html => html::render_diff(&diff),
        DiffFormat::Json => match report::render_json(&diff) {
            Ok(json) => json,
            Err(error) => return complain::error(Code::Bug, &format!("failed to render JSON: {error}"), None),
        },
    };
    match &command.out {
        None => output::print(&text),
        Some(path) => match write_atomic(path, text.as_bytes()) {
            Ok(()) => Exit::Done,
            Err(error) => complain::error(Code::LocalIo, &format!("failed to {error}"), None),
        },
    }
}

fn find(word: &str, runs: &[PastRun]) -> Result<PastRun, Exit> {
    which(word, runs).map_err(|error| match &error {
        WhichError::Missing { message, help } => complain::error(Code::RunMissing, message, Some(help)),
        WhichError::Unclear { message, help } => complain::error(Code::BadArgument, message, Some(help)),
    })
}

/// Text where the ending says nothing.
fn by_ending(out: Option<&Path>) -> DiffFormat {
    match out.and_then(|path| path.extension()?.to_str()) {
        Some("md" | "markdown") => DiffFormat::Markdown,
        Some("html" | "htm") => DiffFormat::Html,
        Some("json") => DiffFormat::Json,
        _ => DiffFormat::Text,
    }
}
