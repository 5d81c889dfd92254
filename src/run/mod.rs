//! Executes a plan: what is needed, in order, as much at once as the thread budget allows.
//!
//! The runner emits events and writes artifacts; it prints nothing.

mod artifacts;
mod card;
mod changes;
mod checks;
mod contract;
mod counts;
pub mod damage;
pub mod databases;
mod datasets;
pub mod decide;
mod deliver;
pub mod diff;
mod drift;
pub mod entry;
mod failure;
mod gates;
mod given;
pub mod history;
mod measures;
pub mod models;
pub mod places;
mod profile;
mod progress;
mod publish;
mod quality;
pub mod queries;
mod results;
mod schedule;
pub mod source;
mod stage;
pub mod state;
pub mod texts;
mod tidy;
pub mod unit_tests;
mod warnings;
mod watch;
pub mod which;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;

use crate::config::Loaded;
use crate::events::{Event, Listeners};
use crate::observe::MemoryLimit;
use crate::plan::{self, Facts, Plan, Work};
use crate::problem::{Code, Problem};
use crate::report::Report;
use crate::stages::Failure;
use crate::stages::contract::Cancel;
use crate::storage::Places;
use crate::storage::local::Presence;
use decide::Decision;
pub use failure::NodeFailure;
use queries::Asking;
pub use results::NodeResult;
use source::{Inspected, Outside};
pub use stage::from_panic;
use state::State;

/// Says why and ends the process.
#[derive(Clone)]
pub struct LastResort(pub Arc<dyn Fn(&NodeFailure) + Send + Sync>);

impl fmt::Debug for LastResort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastResort")
    }
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    pub select: Vec<String>,
    pub exclude: Vec<String>,
    pub full_refresh: bool,
    pub fail_fast: bool,
    /// Gates that do not hold stop nothing; later nights are compared with this one.
    pub accept_gates: bool,
    pub threads: usize,
    pub memory: MemoryLimit,
    /// Called where the system is about to kill the process for its memory.
    pub last_resort: Option<LastResort>,
    /// It only looks: nothing is cleaned up, and others need not know of it.
    pub changes_nothing: bool,
    /// Selected sources that are queries are asked anew; of others what they gave last counts.
    pub asks: bool,
    /// The command line, for the artifacts.
    pub arguments: serde_json::Value,
}

/// A run that could start: whatever happened, its artifacts are written.
pub struct Finished {
    pub report: Report,
    pub directory: PathBuf,
    pub failures: Vec<NodeFailure>,
}

/// What is known before anything runs.
pub struct Prepared {
    pub state: State,
    pub sources: BTreeMap<usize, Inspected>,
    /// Why a source cannot be read, by node.
    pub broken: BTreeMap<usize, NodeFailure>,
    pub decisions: Vec<Decision>,
    pub selected: Vec<usize>,
    /// As long as this lives, other runs know of it and clean up nothing. None where there are no locks, or nothing
    /// is changed.
    pub presence: Option<Presence>,
    pub places: Places,
    pub databases: databases::Databases,
}

/// Looks at the sources and decides what would run. Once the run is to stop, what was not looked at yet counts as
/// interrupted.
pub async fn prepare(loaded: &Loaded, plan: &Plan, options: &Options, cancel: &Cancel) -> Result<Prepared, Problem> {
    let state = State { root: artifacts_root(loaded), pipeline: plan.pipeline.clone() };
    let selected = plan::select(plan, &options.select, &options.exclude, &facts(plan, &state))?;
    let pseudonyms = entry::pseudonyms(loaded, plan)?;
    let presence = if options.changes_nothing { None } else { tidy::enter(loaded, &plan.pipeline) };
    let places = places::places(loaded, plan)?;
    let databases = databases::databases(loaded, plan)?;
    let outside = Outside { pseudonyms: pseudonyms.as_ref(), places: &places, databases: &databases };
    let mut sources = BTreeMap::new();
    let mut broken = BTreeMap::new();
    for (index, node) in plan.nodes.iter().enumerate() {
        let Work::Source { spec, entry } = &node.work else { continue };
        let (id, last, keep);
        let asking = if options.asks && selected.contains(&index) {
            keep = state.staged_rows(&node.name);
            let keep = (!options.changes_nothing).then_some(keep.as_path());
            id = node.id();
            Asking::Rows { node: &id, run_date: plan.run_date, keep, cancel }
        } else {
            last = spec.query.as_ref().and_then(|_| state.last_files(&node.name, plan.run_date));
            Asking::Nothing { last: last.as_deref() }
        };
        let inspected = tokio::select! {
            inspected = source::inspect(spec, entry, &outside, asking) => inspected,
            () = watch::until_cancelled(cancel) => Err(NodeFailure::from(Failure::Cancelled)),
        };
        match inspected {
            Ok(inspected) => {
                sources.insert(index, inspected);
            }
            Err(failure) => {
                broken.insert(index, failure);
            }
        }
    }
    let mut decisions =
        decide::decide(plan, &state, &sources, |index| options.full_refresh && selected.contains(&index));
    sources
        .iter()
        .filter(|(index, _)| decisions.get(**index).is_some_and(|decision| decision.done))
        .for_each(|(_, source)| source.let_go());
    for (node, decision) in plan.nodes.iter().zip(&mut decisions) {
        tokio::select! {
            () = publish::decide(node, plan.run_date, &places, &databases, decision) => {}
            () = watch::until_cancelled(cancel) => {}
        }
    }
    Ok(Prepared { state, sources, broken, decisions, selected, presence, places, databases })
}

/// Whether everything that would be published is published already, as it would be now; false if nothing would be, or
/// if that cannot be told.
pub async fn is_published(loaded: &Loaded, plan: &Plan, options: &Options, cancel: &Cancel) -> bool {
    let looking = Options { changes_nothing: true, ..options.clone() };
    let Ok(prepared) = prepare(loaded, plan, &looking, cancel).await else { return false };
    let publications =
        prepared.selected.iter().filter(|index| plan.nodes.get(**index).is_some_and(plan::Node::is_publication));
    let mut done =
        publications.map(|index| prepared.decisions.get(*index).is_some_and(|decision| decision.done)).peekable();
    done.peek().is_some() && done.all(|done| done)
}

/// The directory of artifacts, tables and models.
pub fn artifacts_root(loaded: &Loaded) -> PathBuf {
    loaded.project.root.join(loaded.environment.artifacts())
}

/// What `state:modified` and `result:` refer to: the last run.
fn facts(plan: &Plan, state: &State) -> Facts {
    let last = state.last();
    let changed = |node: &&plan::Node| last.get(&node.id()).is_none_or(|last| last.definition != node.definition);
    let modified: HashSet<String> = plan.nodes.iter().filter(changed).map(plan::Node::id).collect();
    let results = last.iter().map(|(id, last)| (id.clone(), last.result.clone())).collect();
    Facts { modified, results }
}

/// Runs the plan. An error means that the run could not start; failures of nodes are in the result.
pub async fn run(
    loaded: &Loaded,
    plan: Plan,
    options: &Options,
    run_id: &str,
    listeners: &Listeners,
    cancel: &Cancel,
) -> Result<Finished, RunError> {
    let started = Utc::now();
    let clock = Instant::now();
    let prepared = prepare(loaded, &plan, options, cancel).await.map_err(RunError::Selection)?;
    let directory = prepared.state.root.join(run_id);
    let artifacts = artifacts::Artifacts::create(&directory, loaded, &plan, &prepared, options, run_id, started)?;
    listeners.emit(&Event::RunStarted {
        run_id: run_id.to_owned(),
        pipeline: plan.pipeline.clone(),
        run_date: plan.run_date,
        nodes: prepared.selected.len(),
        elapsed: clock.elapsed(),
    });
    let run = schedule::Run {
        plan: Arc::new(plan),
        prepared: Arc::new(prepared),
        directory: directory.clone(),
        run_id: run_id.to_owned(),
        options: options.clone(),
        listeners: listeners.clone(),
        cancel: cancel.clone(),
        progress: progress::Progress::default(),
    };
    // Until the end: what could not be stopped goes on taking memory while the artifacts are written.
    let watch = watch::Watch::new(cancel.clone(), options.memory.clone(), options.last_resort.clone());
    let results = schedule::execute(&run, &artifacts, &watch).await;
    let elapsed = clock.elapsed();
    let mut failures: Vec<NodeFailure> = results.iter().filter_map(|result| result.failure.clone()).collect();
    tidy::leave(&directory);
    artifacts.remember(&run, &results);
    let making = Instant::now();
    let mut report = artifacts.report(&run, &results, loaded, started, elapsed);
    artifacts.finish(&mut report, &results, elapsed, making);
    // Whoever waits for the artifacts must not take their absence for a success.
    failures.extend(artifacts.trouble());
    warnings::emit(&run, &report);
    let success = failures.is_empty() && !cancel.is_set();
    let interrupted = cancel.is_set() && failures.iter().all(|failure| failure.code == Code::Interrupted);
    listeners.emit(&Event::RunFinished { run_id: run_id.to_owned(), success, interrupted, elapsed });
    Ok(Finished { report, directory, failures })
}

/// Why a run could not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{}", .0.message)]
    Selection(Problem),
    #[error(transparent)]
    Node(#[from] NodeFailure),
}
