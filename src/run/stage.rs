//! One stage: its inputs from disk, its work, its outputs to disk, whole or not at all.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::card;
use super::decide::{Decision, stage_seed};
use super::failure::NodeFailure;
use super::profile;
use super::source::{self, Inspected};
use super::state::{Meta, ModelMeta, OutputMeta, State, table_file};
use crate::plan::{Feed, Node, Plan, StageWork, Work};
use crate::problem::Code;
use crate::stages::{Inputs, NamedTable, Outputs, StageContext};
use crate::storage::scan::RowCounter;
use crate::storage::{local, scan};
use crate::table::Table;

/// What a stage needs from the run around it.
pub struct Surroundings<'a> {
    pub plan: &'a Plan,
    pub state: &'a State,
    pub decisions: &'a [Decision],
    pub sources: &'a BTreeMap<usize, Inspected>,
    /// Replace outputs that exist.
    pub full_refresh: bool,
    pub context: StageContext,
    /// Counts the rows that are written.
    pub rows: RowCounter,
}

/// Runs the stage and commits its outputs; a panic becomes a failure.
pub fn run(index: usize, around: &Surroundings<'_>) -> Result<Meta, NodeFailure> {
    catch_unwind(AssertUnwindSafe(|| run_inner(index, around))).unwrap_or_else(|panic| Err(from_panic(panic.as_ref())))
}

/// A library's panic on damaged input is not distinguishable from a bug of ours.
pub fn from_panic(panic: &(dyn std::any::Any + Send)) -> NodeFailure {
    let text =
        panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    let line = text.as_deref().and_then(|text| text.lines().next()).unwrap_or("without a message");
    NodeFailure::new(Code::StagePanicked, format!("the stage panicked: {line}"))
}

fn run_inner(index: usize, around: &Surroundings<'_>) -> Result<Meta, NodeFailure> {
    let bug = |message: &str| NodeFailure::new(Code::Bug, message);
    let node = around.plan.nodes.get(index).ok_or_else(|| bug("the node does not exist"))?;
    let decision = around.decisions.get(index).ok_or_else(|| bug("the node was not decided on"))?;
    let Work::Stage(work) = &node.work else { return Err(bug("the node is not a stage")) };
    let inputs = inputs(node, work, decision, around)?;
    let watermark = inputs.ports.values().flatten().filter_map(|named| named.table.watermark).min();
    let mut context = around.context.clone();
    context.seed = stage_seed(around.plan.seed, &node.name);
    let outputs = work.stage.run(inputs, &context)?;
    context.cancel.check()?;
    commit(node, work, decision, outputs, watermark, around)
}

fn inputs(
    node: &Node,
    work: &StageWork,
    decision: &Decision,
    around: &Surroundings<'_>,
) -> Result<Inputs, NodeFailure> {
    let mut inputs = Inputs::default();
    for (port, feeds) in &work.inputs {
        let tables = feeds.iter().map(|feed| Ok(NamedTable { name: feed.name.clone(), table: table(feed, around)? }));
        inputs.ports.insert(port.clone(), tables.collect::<Result<_, NodeFailure>>()?);
    }
    if work.stage.applies_earlier_model() {
        let missing = || {
            let message = format!("there is no model of `{}` of a run date before {}", node.name, around.plan.run_date);
            NodeFailure::new(Code::EarlierModelMissing, message)
        };
        let version = decision.model.as_deref().ok_or_else(missing)?;
        inputs.earlier = Some(around.state.model(&node.name, version).ok_or_else(missing)?);
    }
    Ok(inputs)
}

/// The table at an output port of an earlier node.
fn table(feed: &Feed, around: &Surroundings<'_>) -> Result<Table, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, format!("the table `{}` is missing", feed.name));
    let node = around.plan.nodes.get(feed.node).ok_or_else(bug)?;
    let decision = around.decisions.get(feed.node).ok_or_else(bug)?;
    let (port, schema) = node.outputs.get(feed.port).ok_or_else(bug)?;
    let meta = around.state.meta(&node.name, &decision.key).ok_or_else(bug)?;
    let frame = match &node.work {
        Work::Source { spec, .. } => {
            let inspected = around.sources.get(&feed.node).ok_or_else(bug)?;
            source::frame(spec, schema, inspected, around.plan.run_date)?
        }
        _ => scan::read_parquet(&table_file(&around.state.tables(&node.name, &decision.key), port))?,
    };
    Ok(Table { frame, schema: schema.clone(), watermark: meta.watermark })
}

fn commit(
    node: &Node,
    work: &StageWork,
    decision: &Decision,
    outputs: Outputs,
    watermark: Option<chrono::NaiveDate>,
    around: &Surroundings<'_>,
) -> Result<Meta, NodeFailure> {
    let target = around.state.tables(&node.name, &decision.key);
    around.state.make_room(&node.name, &decision.key, around.full_refresh)?;
    let directory = local::AtomicDirectory::create(&target)?;
    let mut written = Vec::new();
    if outputs.tables.len() != node.outputs.len() {
        return Err(NodeFailure::new(Code::Bug, "the stage gave another number of tables than it declared"));
    }
    for ((port, schema), mut frame) in node.outputs.iter().zip(outputs.tables) {
        let found = frame.collect_schema()?;
        if *found != schema.to_polars() {
            let message =
                format!("the table `{port}` has other columns than were declared: {:?}", difference(&found, schema));
            return Err(NodeFailure::new(Code::Bug, message));
        }
        let rows = scan::write_parquet_counted(frame, &table_file(directory.path(), port), &around.rows)?;
        written.push(OutputMeta { port: port.clone(), rows, schema: schema.clone() });
    }
    let profiles = profile::of_execution(around.plan, node, directory.path(), &written, outputs.profile)?;
    let model = match &outputs.model {
        Some(model) => {
            let card = card::render(&node.name, model, outputs.evaluation.as_ref());
            around.state.register(&node.name, model, &decision.key, &card)?;
            Some(ModelMeta { version: model.version(), mode: "fit_apply".to_owned() })
        }
        None => decision.model.clone().map(|version| ModelMeta { version, mode: "apply".to_owned() }),
    };
    let mode = work.with.get("mode").and_then(|mode| mode.as_str()).map(str::to_owned);
    let model = model.map(|model| ModelMeta { mode: mode.unwrap_or(model.mode), ..model });
    let meta = Meta {
        parts: decision.parts.clone(),
        outputs: written,
        watermark,
        evaluation: outputs.evaluation,
        model,
        source: None,
        profiles,
    };
    State::write_meta(directory.path(), &meta)?;
    directory.finish()?;
    around.state.prune(&node.name, &decision.key);
    Ok(meta)
}

/// The columns that differ from the declaration.
fn difference(found: &polars::prelude::Schema, declared: &crate::table::TableSchema) -> Vec<String> {
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
