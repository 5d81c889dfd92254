//! `patronage show`

use std::panic::{AssertUnwindSafe, catch_unwind};

use polars::prelude::{AnyValue, DataFrame, IntoLazy, LazyFrame};
use tokio::runtime::Runtime;

use super::arguments::{Global, Show};
use super::{complain, output, project, table};
use crate::observe::MemoryLimit;
use crate::plan::{Node, Plan, Work};
use crate::problem::{Code, Exit, nearest};
use crate::run::source::Inspected;
use crate::run::{NodeFailure, Options, damage, from_panic, prepare, source, state::table_file, texts};
use crate::stages::contract::Cancel;
use crate::storage::{Format, scan};
use crate::table::{Class, TableSchema};

const MASK: &str = "•••";

pub fn run(command: &Show, global: &Global) -> Exit {
    let (loaded, plan) = match project::plan(&command.target, global) {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let Some(feed) = plan.find(&command.stage) else {
        let names = shown(&plan);
        let help =
            nearest(&command.stage, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
        return complain::error(Code::BadArgument, &format!("nothing is called `{}`", command.stage), help.as_deref());
    };
    let options = Options {
        select: vec![],
        exclude: vec![],
        full_refresh: false,
        fail_fast: false,
        accept_gates: false,
        threads: 1,
        memory: MemoryLimit::default(),
        last_resort: None,
        changes_nothing: true,
        asks: false,
        arguments: serde_json::Value::Null,
    };
    let runtime = match project::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let prepared = match runtime.block_on(prepare(&loaded, &plan, &options, &Cancel::default())) {
        Ok(prepared) => prepared,
        Err(problem) => return project::refuse(&problem),
    };
    let (Some(node), Some(decision)) = (plan.nodes.get(feed.node), prepared.decisions.get(feed.node)) else {
        return complain::error(Code::Bug, "the node was not decided on", None);
    };
    let Some((port, schema)) = node.outputs.get(feed.port) else {
        return complain::error(Code::Bug, "the port does not exist", None);
    };
    let tables = prepared.state.tables(&node.name, &decision.key);
    // Of text files and queries, and where rows were set aside for what other rows are, a source has a table of its own.
    let has_own_table = table_file(&tables, port).is_file();
    let inspected = prepared.sources.get(&feed.node);
    let frame = match &node.work {
        Work::Source { .. } if has_own_table => scan::read_parquet(&table_file(&tables, port)).map_err(Into::into),
        Work::Source { spec, .. } if spec.query.is_none() => match inspected {
            Some(inspected) => of_source(&plan, node, inspected, command.rows, &runtime),
            None => Err(prepared
                .broken
                .get(&feed.node)
                .cloned()
                .unwrap_or_else(|| NodeFailure::new(Code::SourceMissing, "the source cannot be read"))),
        },
        _ if decision.done => scan::read_parquet(&table_file(&tables, port)).map_err(Into::into),
        _ => {
            let message = format!("`{}` has no current output: {}", node.name, decision.reason);
            let help = format!("patronage run {} --select +{}", command.target.pipeline.display(), node.name);
            return complain::error(Code::BadArgument, &message, Some(&help));
        }
    };
    match frame.and_then(|frame| first(frame, node, inspected, command.rows)) {
        Ok(frame) => output::print(&render(&frame, schema, command.unmask)),
        Err(failure) => complain::error(failure.code, &failure.message, None),
    }
}

/// The rows of a source that stages see; of text files the first only.
fn of_source(
    plan: &Plan,
    node: &Node,
    inspected: &Inspected,
    rows: usize,
    runtime: &Runtime,
) -> Result<LazyFrame, NodeFailure> {
    let Work::Source { spec, entry } = &node.work else {
        return Err(NodeFailure::new(Code::Bug, "the node is no source"));
    };
    if inspected.format == Format::Parquet {
        return source::frame(spec, &entry.raw, &node.checks, inspected, plan.run_date);
    }
    let first = texts::first_rows(spec, &entry.raw, &node.checks, inspected, plan.run_date, rows);
    runtime.block_on(first).map(IntoLazy::lazy)
}

/// The first rows; of a source whose files are damaged, what is wrong with them.
fn first(frame: LazyFrame, node: &Node, inspected: Option<&Inspected>, rows: usize) -> Result<DataFrame, NodeFailure> {
    let limit = u32::try_from(rows).unwrap_or(u32::MAX);
    let collected = catch_unwind(AssertUnwindSafe(|| frame.limit(limit).collect()));
    let first = collected.map_or_else(|panic| Err(from_panic(panic.as_ref())), |collected| Ok(collected?));
    first.map_err(|failure| match (&node.work, inspected) {
        (Work::Source { entry, .. }, Some(inspected)) => damage::of_source(inspected, &entry.raw).unwrap_or(failure),
        _ => failure,
    })
}

/// Everything that can be shown: sources, stages and their ports. A publication is no table of its own.
fn shown(plan: &Plan) -> Vec<String> {
    let names = plan.nodes.iter().filter(|node| !node.outputs.is_empty()).flat_map(|node| {
        let ports = node.outputs.iter().map(|(port, _)| format!("{}.{port}", node.name));
        std::iter::once(node.name.clone()).chain(ports)
    });
    names.collect()
}

fn render(frame: &DataFrame, schema: &TableSchema, unmask: bool) -> String {
    let header: Vec<&str> = schema.names();
    let right: Vec<usize> = schema
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.dtype.is_primitive_numeric())
        .map(|(index, _)| index)
        .collect();
    let masked = |name: &str| !unmask && schema.column(name).is_some_and(|column| column.class == Class::DirectId);
    let rows: Vec<Vec<String>> = (0..frame.height())
        .map(|row| {
            let cell = |name: &&str| {
                if masked(name) {
                    return MASK.to_owned();
                }
                frame
                    .column(name)
                    .ok()
                    .and_then(|column| column.get(row).ok())
                    .map_or_else(String::new, |value| text(&value))
            };
            header.iter().map(cell).collect()
        })
        .collect();
    table::render(&header, &rows, &right)
}

fn text(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => String::new(),
        AnyValue::String(text) => text.replace(['\n', '\r', '\t'], " "),
        AnyValue::StringOwned(text) => text.replace(['\n', '\r', '\t'], " "),
        AnyValue::Float64(number) => {
            let text = format!("{number:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        other => other.to_string(),
    }
}
