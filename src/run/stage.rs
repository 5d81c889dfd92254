//! One stage: its inputs from disk, its work, its outputs to disk, whole or not at all.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::{LazyFrame, col};

use super::card;
use super::checks::{Findings, Subject, examine, failure};
use super::decide::{Decision, stage_seed};
use super::entry::Entering;
use super::failure::{NodeFailure, disk_trouble};
use super::given::{self, Given};
use super::profile;
use super::source::{self, Inspected};
use super::state::{Aside, CheckResult, Meta, ModelMeta, OutputMeta, State, table_file};
use crate::checks::Check;
use crate::crash;
use crate::format;
use crate::metrics::evaluation::{Evaluation, Fact};
use crate::observe::MemoryLimit;
use crate::plan::{Feed, Node, Plan, StageWork, Work};
use crate::problem::Code;
use crate::stages::contract::Before;
use crate::stages::{Inputs, NamedTable, Outputs, StageContext};
use crate::storage::scan::RowCounter;
use crate::storage::{Kind, StorageError, local, scan};
use crate::table::Table;

/// What a stage needs from the run around it.
pub struct Surroundings<'a> {
    pub plan: &'a Plan,
    pub state: &'a State,
    pub decisions: &'a [Decision],
    pub sources: &'a BTreeMap<usize, Inspected>,
    /// Replace outputs that exist.
    pub full_refresh: bool,
    /// The run's id, which names its directory of artifacts.
    pub run_id: &'a str,
    pub memory: &'a MemoryLimit,
    pub context: StageContext,
    /// Counts the rows that are written.
    pub rows: RowCounter,
}

impl Surroundings<'_> {
    /// Where the rows of a table that are set aside go, relative to the directory of artifacts.
    pub fn aside(&self, table: &str) -> PathBuf {
        [self.run_id, "quarantine", &format!("{table}.parquet")].iter().collect()
    }

    /// The rows of a node's table in the last run for an earlier run date, where a check asks for them.
    pub fn earlier_rows(&self, index: usize, port: &str) -> Option<(chrono::NaiveDate, u64)> {
        let (day, counts) = self.decisions.get(index)?.earlier.as_ref()?;
        Some((*day, *counts.get(port)?))
    }
}

/// Runs the stage and commits its outputs; a panic becomes a failure.
pub fn run(index: usize, around: &Surroundings<'_>) -> Result<Meta, NodeFailure> {
    catch_unwind(AssertUnwindSafe(|| run_inner(index, around))).unwrap_or_else(|panic| Err(from_panic(panic.as_ref())))
}

/// A library's panic on damaged input is not distinguishable from a bug of ours, but one over the disk is. What it
/// said may quote a row.
pub fn from_panic(panic: &(dyn std::any::Any + Send)) -> NodeFailure {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    if let Some(kind) = text.and_then(disk_trouble) {
        let how = match kind {
            Kind::DiskFull => "the disk is full",
            Kind::ReadOnly => "the file system is read-only",
            _ => "the disk failed",
        };
        return NodeFailure::disk(kind, &format!("failed to write a table: {how}"));
    }
    let message = format!("the stage panicked{}", crash::place());
    NodeFailure { by_engine: true, ..NodeFailure::new(Code::StagePanicked, message) }
}

fn run_inner(index: usize, around: &Surroundings<'_>) -> Result<Meta, NodeFailure> {
    let bug = |message: &str| NodeFailure::new(Code::Bug, message);
    let node = around.plan.nodes.get(index).ok_or_else(|| bug("the node does not exist"))?;
    let decision = around.decisions.get(index).ok_or_else(|| bug("the node was not decided on"))?;
    let Work::Stage(work) = &node.work else { return Err(bug("the node is not a stage")) };
    let inputs = inputs(node, work, decision, around)?;
    within_memory(work, &inputs, around)?;
    let watermark = inputs.watermark();
    let mut context = around.context.clone();
    context.seed = stage_seed(around.plan.seed, &node.name);
    let outputs = work.stage.run(inputs, &context)?;
    context.cancel.check()?;
    for source in &node.upstream {
        around.sources.get(source).map_or(Ok(()), Inspected::unchanged)?;
    }
    commit(index, work, outputs, watermark, around)
}

/// Refuses a stage that is known to need more memory than is left.
fn within_memory(work: &StageWork, inputs: &Inputs, around: &Surroundings<'_>) -> Result<(), NodeFailure> {
    let (Some(needed), Some(left)) = (work.stage.memory_bytes_min(inputs), inputs.memory_bytes) else { return Ok(()) };
    if needed <= left {
        return Ok(());
    }
    let message = format!(
        "it holds its input in memory, at least {}, and only {} is left of {}; it was not started. Raise the limit, \
         run fewer stages at once (--threads), or give it fewer rows or columns",
        format::bytes(needed),
        format::bytes(left),
        around.memory.words()
    );
    Err(NodeFailure::new(Code::MemoryLimit, message))
}

fn inputs(
    node: &Node,
    work: &StageWork,
    decision: &Decision,
    around: &Surroundings<'_>,
) -> Result<Inputs, NodeFailure> {
    let mut inputs = Inputs { memory_bytes: around.memory.left_bytes(), ..Inputs::default() };
    for (port, feeds) in &work.inputs {
        let tables = feeds.iter().map(|feed| Ok(NamedTable { name: feed.name.clone(), table: table(feed, around)? }));
        inputs.ports.insert(port.clone(), tables.collect::<Result<_, NodeFailure>>()?);
        inputs.rows.insert(port.clone(), feeds.iter().filter_map(|feed| rows(feed, around)).sum());
    }
    if work.stage.applies_earlier_model() {
        let missing = || {
            let message = format!("there is no model of `{}` of a run date before {}", node.name, around.plan.run_date);
            NodeFailure::new(Code::EarlierModelMissing, message)
        };
        let version = decision.model.as_deref().ok_or_else(missing)?;
        inputs.earlier = Some(around.state.model(&node.name, version)?.ok_or_else(missing)?);
    } else if let Some(version) = &decision.model {
        inputs.earlier = around.state.model(&node.name, version)?;
    }
    if work.stage.looks_back() {
        inputs.before = before(node, around)?;
    }
    Ok(inputs)
}

/// The first table of the newest execution for an earlier run date, if it is whole.
fn before(node: &Node, around: &Surroundings<'_>) -> Result<Option<Before>, NodeFailure> {
    let earlier = around.state.earlier(&node.name, around.plan.run_date);
    let whole = earlier.and_then(|meta| around.state.meta(&node.name, &meta.parts.key()));
    let (Some(meta), Some((port, _))) = (whole, node.outputs.first()) else { return Ok(None) };
    let file = table_file(&around.state.tables(&node.name, &meta.parts.key()), port);
    Ok(Some(Before { run_date: meta.parts.run_date, frame: scan::read_parquet(&file)? }))
}

/// A column of the table that a check compares with.
pub fn compared(around: &Surroundings<'_>, name: &str, column: &str) -> Result<LazyFrame, NodeFailure> {
    let missing = || NodeFailure::new(Code::Bug, format!("the table `{name}` is missing"));
    let feed = around.plan.find(name).ok_or_else(missing)?;
    Ok(table(&feed, around)?.frame.select([col(column)]))
}

/// The table at an output port of an earlier node.
fn table(feed: &Feed, around: &Surroundings<'_>) -> Result<Table, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, format!("the table `{}` is missing", feed.name));
    let node = around.plan.nodes.get(feed.node).ok_or_else(bug)?;
    let decision = around.decisions.get(feed.node).ok_or_else(bug)?;
    let (port, schema) = node.outputs.get(feed.port).ok_or_else(bug)?;
    let meta = around.state.meta(&node.name, &decision.key).ok_or_else(bug)?;
    let frame = match &node.work {
        Work::Source { spec, entry } if meta.outputs.is_empty() => {
            let inspected = around.sources.get(&feed.node).ok_or_else(bug)?;
            source::frame(spec, &entry.raw, &node.checks, inspected, around.plan.run_date)?
        }
        _ => scan::read_parquet(&table_file(&around.state.tables(&node.name, &decision.key), port))?,
    };
    Ok(Table { frame, schema: schema.clone(), watermark: meta.watermark })
}

/// The rows of a table that is there.
fn rows(feed: &Feed, around: &Surroundings<'_>) -> Option<u64> {
    let (node, decision) = (around.plan.nodes.get(feed.node)?, around.decisions.get(feed.node)?);
    let (port, _) = node.outputs.get(feed.port)?;
    let meta = around.state.meta(&node.name, &decision.key)?;
    let of_table = meta.outputs.iter().find(|output| output.port == *port).map(|output| output.rows);
    of_table.or_else(|| meta.source.map(|source| source.rows.saturating_sub(source.quarantined)))
}

/// The tables of an execution that were written, with what their checks found.
#[derive(Default)]
struct Written {
    outputs: Vec<OutputMeta>,
    checks: Vec<CheckResult>,
    aside: Vec<Aside>,
}

fn commit(
    index: usize,
    work: &StageWork,
    outputs: Outputs,
    watermark: Option<chrono::NaiveDate>,
    around: &Surroundings<'_>,
) -> Result<Meta, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, "the node does not exist");
    let node = around.plan.nodes.get(index).ok_or_else(bug)?;
    let decision = around.decisions.get(index).ok_or_else(bug)?;
    let target = around.state.tables(&node.name, &decision.key);
    let directory = local::AtomicDirectory::create(&target)?;
    let written = write_tables(index, node, given::all(outputs.pieces, outputs.tables), directory.path(), around)?;
    let profiles = profile::of_execution(around.plan, node, directory.path(), &written.outputs, outputs.profile)?;
    let mut evaluation = outputs.evaluation;
    if let Some(evaluation) = &mut evaluation {
        tell_static(evaluation, &around.plan.static_inputs(index));
    }
    let model = match &outputs.model {
        Some(model) => {
            let card = card::render(&node.name, model, evaluation.as_ref());
            around.state.register(&node.name, model, &decision.key, evaluation.as_ref(), &card)?;
            Some(ModelMeta { version: model.version(), mode: "fit_apply".to_owned() })
        }
        None => decision.model.clone().map(|version| ModelMeta { version, mode: "apply".to_owned() }),
    };
    let mode = work.with.get("mode").and_then(|mode| mode.as_str()).map(str::to_owned);
    let model = model.map(|model| ModelMeta { mode: mode.unwrap_or(model.mode), ..model });
    let meta = Meta {
        parts: decision.parts.clone(),
        outputs: written.outputs,
        watermark,
        evaluation,
        model,
        source: None,
        checks: written.checks,
        aside: written.aside,
        profiles,
    };
    State::write_meta(directory.path(), &meta)?;
    // First, because nothing that fails once the outputs stand is done again.
    let counts = meta.outputs.iter().map(|output| (output.port.clone(), output.rows)).collect();
    around.state.record_rows(&node.name, around.plan.run_date, &counts)?;
    around.state.place(directory, &node.name, &decision.key, around.full_refresh)?;
    Ok(meta)
}

/// Says of an evaluation which tables fed it on the pipeline's word alone.
fn tell_static(evaluation: &mut Evaluation, tables: &[String]) {
    if tables.is_empty() || evaluation.measures.is_empty() {
        return;
    }
    let value = format!(
        "{}: the pipeline says that the rows never change over time; if they do, the evaluation has seen the future",
        tables.join(", ")
    );
    // After the first, which says what was evaluated.
    evaluation.facts.insert(evaluation.facts.len().min(1), Fact::new("declared static", value));
}

/// Writes each table and makes its checks; a failed one of severity `error` fails them all. Then rows are set aside.
fn write_tables(
    index: usize,
    node: &Node,
    tables: Vec<Given>,
    directory: &Path,
    around: &Surroundings<'_>,
) -> Result<Written, NodeFailure> {
    if tables.len() != node.outputs.len() {
        return Err(NodeFailure::new(Code::Bug, "the stage gave another number of tables than it declared"));
    }
    let mut written = Written::default();
    let mut checked = Vec::new();
    for (place, ((port, schema), table)) in node.outputs.iter().zip(tables).enumerate() {
        let file = table_file(directory, port);
        let rows = table.write(port, schema, &file, &around.rows)?;
        written.outputs.push(OutputMeta::of_file(directory, port, rows, schema)?);
        let checks: Vec<&Check> = node.checks.iter().filter(|check| check.port == place).collect();
        if !checks.is_empty() {
            let subject = Subject {
                frame: scan::read_parquet(&file)?,
                entering: Entering::default(),
                time: None,
                port: (place > 0).then_some(port),
                checks,
                run_date: around.plan.run_date,
                earlier: around.earlier_rows(index, port),
                // Progress is of the rows that are written.
                passing: RowCounter::default(),
            };
            let findings = examine(subject, |table, column| compared(around, table, column))?;
            written.checks.extend(findings.results.iter().cloned());
            checked.push((place, file, findings));
        }
    }
    if let Some(failure) = failure(&written.checks) {
        return Err(failure);
    }
    for (place, file, findings) in checked.iter().filter(|(.., findings)| findings.sets_aside()) {
        let Some(output) = written.outputs.get_mut(*place) else { continue };
        let name = if *place == 0 { node.name.clone() } else { format!("{}.{}", node.name, output.port) };
        let aside = around.aside(&name);
        let rows = findings.set_aside(&around.state.root.join(&aside))?;
        written.aside.push(Aside { port: output.port.clone(), rows, file: aside });
        let kept = keep(findings, file)?;
        *output = OutputMeta::of_file(directory, &output.port, kept, &output.schema)?;
    }
    Ok(written)
}

/// Replaces a table by the rows of it that go on.
fn keep(findings: &Findings<'_>, file: &Path) -> Result<u64, NodeFailure> {
    let kept = file.with_extension("kept");
    let rows = scan::write_table(findings.kept(), &kept)?;
    std::fs::rename(&kept, file).map_err(|error| StorageError::io("replace", file.display(), &error))?;
    Ok(rows)
}
