//! The order of execution: a node starts when what it needs is done.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument;

use super::artifacts::Artifacts;
use super::datasets::{ended, node_ref};
use super::failure::NodeFailure;
use super::progress::Progress;
use super::results::NodeResult;
use super::source::Inspected;
use super::state::Meta;
use super::watch::Watch;
use super::{Options, Prepared, damage, gates, publish, source, stage};
use crate::events::{Event, Listeners, OutputRows, scope};
use crate::plan::{Node, Plan, Work};
use crate::problem::Code;
use crate::report::{NodeStatus, PublicationReport};
use crate::stages::contract::{Cancel, StageContext};
use crate::storage::scan::RowCounter;

/// Where a run keeps what it needs for a moment only, in its directory.
pub const SCRATCH: &str = "scratch";

/// Everything that a run is made of.
#[derive(Clone)]
pub struct Run {
    pub plan: Arc<Plan>,
    pub prepared: Arc<Prepared>,
    pub directory: PathBuf,
    pub run_id: String,
    pub options: Options,
    pub listeners: Listeners,
    pub cancel: Cancel,
    pub progress: Progress,
}

/// What a node's work gave.
pub(super) enum Done {
    Tables(Box<Meta>),
    Published(PublicationReport),
}

/// Node, start, time taken, result.
pub(super) type Outcome = (usize, chrono::DateTime<Utc>, Duration, Result<Done, NodeFailure>);

/// Executes the selected nodes; the results are in the order in which they ended.
pub async fn execute(run: &Run, artifacts: &Artifacts, watch: &Watch) -> Vec<NodeResult> {
    let mut board = Board {
        run,
        open: run.prepared.selected.iter().copied().collect(),
        finished: BTreeMap::new(),
        results: Vec::new(),
        working: JoinSet::new(),
        running: HashMap::new(),
    };
    loop {
        if board.advance() {
            artifacts.results(&board.results);
            continue;
        }
        let joined = tokio::select! {
            joined = board.working.join_next_with_id() => joined,
            () = run.progress.tell(&run.listeners) => continue,
            () = watch.until_given_up() => {
                board.give_up(watch);
                break;
            }
        };
        let Some(joined) = joined else { break };
        board.settle(joined, watch);
        artifacts.results(&board.results);
    }
    board.conclude(watch);
    artifacts.results(&board.results);
    board.results
}

/// Where every node of a run stands.
struct Board<'a> {
    run: &'a Run,
    /// Not started yet.
    open: BTreeSet<usize>,
    /// Ended: whether well.
    finished: BTreeMap<usize, bool>,
    results: Vec<NodeResult>,
    working: JoinSet<Outcome>,
    /// The node of each task.
    running: HashMap<tokio::task::Id, usize>,
}

impl Board<'_> {
    /// Starts, skips or blocks what can be; whether anything changed.
    fn advance(&mut self) -> bool {
        let run = self.run;
        let failed = || self.results.iter().any(|result| result.failure.is_some());
        let stopping = run.cancel.is_set() || (run.options.fail_fast && failed());
        let mut changed = false;
        for index in self.open.clone() {
            let Some(node) = run.plan.nodes.get(index) else { continue };
            let readiness = readiness(run, node, &self.open, &self.finished, &self.results, self.working.len());
            let (result, well) = match readiness {
                Readiness::Wait => continue,
                _ if stopping => (blocked(run, index, node, "the run was stopped"), false),
                Readiness::Blocked(by) => (blocked(run, index, node, &by), false),
                Readiness::Unselected(why) => {
                    let mut result = blocked(run, index, node, &why);
                    result.failure = Some(NodeFailure::new(Code::BadSelection, why));
                    (result, false)
                }
                Readiness::Ready => match skip(run, index, node) {
                    Some(result) => (result, true),
                    None => {
                        self.open.remove(&index);
                        self.running.insert(start(run, index, node, &mut self.working), index);
                        changed = true;
                        continue;
                    }
                },
            };
            self.open.remove(&index);
            self.finished.insert(index, well);
            self.results.push(result);
            changed = true;
        }
        changed
    }

    /// Takes down what a task gave, or that it was lost.
    fn settle(&mut self, joined: Result<(tokio::task::Id, Outcome), JoinError>, watch: &Watch) {
        let (task, outcome) = match joined {
            Ok((task, outcome)) => (task, outcome),
            Err(error) => {
                let index = self.running.get(&error.id()).copied().unwrap_or(usize::MAX);
                (error.id(), (index, Utc::now(), Duration::ZERO, Err(NodeFailure::lost())))
            }
        };
        self.running.remove(&task);
        let result = settle(self.run, watch.explain(outcome));
        self.finished.insert(result.node, result.failure.is_none());
        self.results.push(result);
    }

    /// Leaves the nodes that do not stop.
    fn give_up(&mut self, watch: &Watch) {
        let mut running: Vec<usize> = self.running.values().copied().collect();
        running.sort_unstable();
        self.results.extend(running.into_iter().map(|index| settle(self.run, given_up(self.run, index, watch))));
    }

    /// Says what became of the nodes that never started.
    fn conclude(&mut self, watch: &Watch) {
        let run = self.run;
        let never = self.open.iter().filter_map(|index| Some((*index, run.plan.nodes.get(*index)?)));
        self.results.extend(never.map(|(index, node)| blocked(run, index, node, "the run was stopped")));
        // A run that outgrew its limit between two stages has failed too.
        let told = self.results.iter().any(|result| result.failure.is_some());
        if let Some(failure) = watch.failure().filter(|_| !told)
            && let Some(result) = self.results.iter_mut().find(|result| result.status == NodeStatus::Blocked)
        {
            result.message.clone_from(&failure.message);
            result.failure = Some(failure);
        }
    }
}

/// The outcome of a node that did not stop in time.
fn given_up(run: &Run, index: usize, watch: &Watch) -> Outcome {
    let publishes = run.plan.nodes.get(index).is_some_and(|node| node.is_publication());
    let failure = match publishes {
        // A commit that was sent is not called back.
        true => NodeFailure::new(Code::Interrupted, "the run was stopped while it published; it may be published"),
        false => NodeFailure::from(crate::stages::Failure::Cancelled),
    };
    watch.explain((index, Utc::now(), Duration::ZERO, Err(failure)))
}

enum Readiness {
    Ready,
    Wait,
    Blocked(String),
    /// What it needs was neither selected nor left by an earlier run.
    Unselected(String),
}

fn readiness(
    run: &Run,
    node: &Node,
    open: &BTreeSet<usize>,
    finished: &BTreeMap<usize, bool>,
    results: &[NodeResult],
    working: usize,
) -> Readiness {
    let mut waits = working >= run.options.threads.max(1);
    if node.is_publication() {
        if let Some(gate) = results.iter().find(|result| result.failure.as_ref().is_some_and(NodeFailure::is_gate)) {
            let is_gate = run.plan.nodes.get(gate.node).is_some_and(Node::is_gate);
            let what = if is_gate { "the" } else { "a check of" };
            return Readiness::Blocked(format!("{what} `{}` failed, so nothing is published", gate.id));
        }
        let unknown = |result: &&NodeResult| {
            result.status == NodeStatus::Blocked && run.plan.nodes.get(result.node).is_some_and(Node::is_gate)
        };
        if let Some(gate) = results.iter().find(unknown) {
            return Readiness::Blocked(format!(
                "whether the `{}` holds is not known, so nothing is published",
                gate.id
            ));
        }
        // A check that fails later must find nothing published.
        let is_table = |index: &&usize| run.plan.nodes.get(**index).is_some_and(|node| !node.is_publication());
        waits |= run.prepared.selected.iter().filter(is_table).any(|index| !finished.contains_key(index));
    }
    for up in &node.upstream {
        let Some(needed) = run.plan.nodes.get(*up) else { continue };
        match finished.get(up) {
            Some(true) => {}
            Some(false) => return Readiness::Blocked(format!("`{}` failed", needed.name)),
            None if run.prepared.selected.contains(up) || open.contains(up) => waits = true,
            // Not selected: what an earlier run left must do.
            None if run.prepared.decisions.get(*up).is_some_and(|decision| decision.done) => {}
            None => {
                return Readiness::Unselected(format!(
                    "`{}` is not selected and has no current output; select `+{}`",
                    needed.name, node.name
                ));
            }
        }
    }
    if waits { Readiness::Wait } else { Readiness::Ready }
}

/// The result of a node whose outputs exist already.
fn skip(run: &Run, index: usize, node: &Node) -> Option<NodeResult> {
    let decision = run.prepared.decisions.get(index).filter(|decision| decision.done)?;
    let meta = if node.is_gate() { None } else { Some(run.prepared.state.meta(&node.name, &decision.key)?) };
    if let Some(meta) = meta.as_ref().filter(|_| !run.options.changes_nothing) {
        run.prepared.state.stands(&node.name, &decision.key, meta);
    }
    run.listeners.emit(&Event::NodeSkipped { node: node_ref(run, node), reason: decision.reason.clone() });
    Some(NodeResult {
        node: index,
        id: node.id(),
        status: NodeStatus::Skipped,
        message: decision.reason.clone(),
        failure: None,
        started: Utc::now(),
        elapsed: Duration::ZERO,
        meta,
        publication: None,
    })
}

fn start(run: &Run, index: usize, node: &Node, working: &mut JoinSet<Outcome>) -> tokio::task::Id {
    let node_ref = node_ref(run, node);
    run.listeners.emit(&Event::NodeStarted { node: node_ref.clone() });
    let rows = run.progress.start(index, node_ref);
    let run = run.clone();
    let is_publish = node.is_publication();
    let scope = scope::node(&node.id());
    let blocking_scope = scope.clone();
    let work = async move {
        let (started, clock) = (Utc::now(), Instant::now());
        let before = run.prepared.sources.get(&index).map_or(Duration::ZERO, Inspected::asked_for);
        let outcome = if is_publish {
            publication(&run, index, &rows).await
        } else {
            let blocking = run.clone();
            let work = move || blocking_scope.in_scope(|| tables(&blocking, index, rows));
            let work = tokio::task::spawn_blocking(work);
            work.await.unwrap_or_else(|_| Err(NodeFailure::lost()))
        };
        (index, started, before + clock.elapsed(), outcome)
    };
    working.spawn(work.instrument(scope)).id()
}

async fn publication(run: &Run, index: usize, rows: &RowCounter) -> Result<Done, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, "the publication does not exist");
    let node = run.plan.nodes.get(index).ok_or_else(bug)?;
    let prepared = &run.prepared;
    let own = prepared.decisions.get(index).ok_or_else(bug)?;
    let at = publish::At {
        places: &prepared.places,
        databases: &prepared.databases,
        run_id: &run.run_id,
        scratch: &run.directory.join(SCRATCH),
        rows,
        cancel: &run.cancel,
        full_refresh: run.options.full_refresh,
    };
    publish::run(node, &run.plan, &prepared.state, &prepared.decisions, own, &at).await.map(Done::Published)
}

fn tables(run: &Run, index: usize, rows: RowCounter) -> Result<Done, NodeFailure> {
    let prepared = &run.prepared;
    let bug = || NodeFailure::new(Code::Bug, "the node does not exist");
    let node = run.plan.nodes.get(index).ok_or_else(bug)?;
    if let Some(failure) = prepared.broken.get(&index) {
        return Err(failure.clone());
    }
    let context = StageContext {
        run_date: run.plan.run_date,
        seed: run.plan.seed,
        threads: run.options.threads,
        cancel: run.cancel.clone(),
    };
    let around = stage::Surroundings {
        plan: &run.plan,
        state: &prepared.state,
        decisions: &prepared.decisions,
        sources: &prepared.sources,
        full_refresh: run.options.full_refresh,
        run_id: &run.run_id,
        memory: &run.options.memory,
        context,
        rows,
    };
    let done = match node.work {
        Work::Source { .. } => source::run(index, &around),
        Work::Gate { .. } => gates::run(index, run.options.accept_gates, &around),
        _ => stage::run(index, &around),
    };
    let done = done.map_err(|failure| damage::explain(index, &around, failure));
    done.map(|meta| Done::Tables(Box::new(meta)))
}

fn settle(run: &Run, (index, started, elapsed, outcome): Outcome) -> NodeResult {
    run.progress.stop(index);
    let node = run.plan.nodes.get(index);
    let id = node.map(Node::id).unwrap_or_default();
    let reason = run.prepared.decisions.get(index).map(|decision| decision.reason.clone()).unwrap_or_default();
    let mut result = NodeResult {
        node: index,
        id,
        status: NodeStatus::Success,
        message: reason,
        failure: None,
        started,
        elapsed,
        meta: None,
        publication: None,
    };
    match outcome {
        Ok(Done::Tables(meta)) => result.meta = Some(*meta),
        Ok(Done::Published(publication)) => {
            if !publication.moved() {
                result.status = NodeStatus::Skipped;
                result.message = "nothing changed".to_owned();
            }
            result.publication = Some(publication);
        }
        Err(failure) => {
            result.status = NodeStatus::Error;
            result.message = failure.message.clone();
            let (code, message) = (failure.code, failure.message.clone());
            result.failure = Some(failure);
            if let Some(node) = node {
                run.listeners.emit(&Event::NodeFailed {
                    node: ended(run, node, &result),
                    code: code.id(),
                    message,
                    interrupted: code == Code::Interrupted,
                    elapsed,
                });
            }
            return result;
        }
    }
    if let Some(node) = node.map(|node| ended(run, node, &result)) {
        for check in result.checks().iter().filter(|check| check.failed > 0) {
            run.listeners.emit(&Event::Warning { node: Some(node.clone()), message: check.sentence() });
        }
        let event = if result.status == NodeStatus::Skipped {
            Event::NodeSkipped { node, reason: result.message.clone() }
        } else {
            Event::NodeFinished { node, outputs: outputs(&result), elapsed }
        };
        run.listeners.emit(&event);
    }
    result
}

fn outputs(result: &NodeResult) -> Vec<OutputRows> {
    let tables = result.meta.iter().filter(|meta| meta.source.is_none()).flat_map(|meta| &meta.outputs);
    let tables = tables.map(|output| (output.port.clone(), output.rows));
    let published = result.publication.iter().flat_map(|publication| {
        let delivered = publication.delivery.as_ref().filter(|delivery| !delivery.skipped).map(|_| "delivered");
        std::iter::once("published").chain(delivered).map(|port| (port.to_owned(), publication.rows))
    });
    let source =
        result.meta.iter().filter_map(|meta| meta.source.as_ref()).map(|source| ("table".to_owned(), source.rows));
    tables.chain(published).chain(source).map(|(port, rows)| OutputRows { port, rows }).collect()
}

fn blocked(run: &Run, index: usize, node: &Node, because: &str) -> NodeResult {
    run.listeners.emit(&Event::NodeBlocked { node: node_ref(run, node), because: because.to_owned() });
    NodeResult {
        node: index,
        id: node.id(),
        status: NodeStatus::Blocked,
        message: because.to_owned(),
        failure: None,
        started: Utc::now(),
        elapsed: Duration::ZERO,
        meta: None,
        publication: None,
    }
}
