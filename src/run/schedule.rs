//! The order of execution: a node starts when what it needs is done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::task::JoinSet;

use super::artifacts::Artifacts;
use super::failure::NodeFailure;
use super::progress::Progress;
use super::results::NodeResult;
use super::state::Meta;
use super::watch::Watch;
use super::{Options, Prepared, publish, source, stage};
use crate::events::{Dataset, Event, Listeners, NodeRef, OutputRows};
use crate::plan::{Node, Plan, Work};
use crate::problem::Code;
use crate::report::{NodeStatus, PublicationReport};
use crate::stages::contract::{Cancel, StageContext};
use crate::storage::scan::RowCounter;

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
pub async fn execute(run: &Run, artifacts: &Artifacts) -> Vec<NodeResult> {
    let mut open: BTreeSet<usize> = run.prepared.selected.iter().copied().collect();
    let mut finished: BTreeMap<usize, bool> = BTreeMap::new();
    let mut results: Vec<NodeResult> = Vec::new();
    let mut working: JoinSet<Outcome> = JoinSet::new();
    let mut running: BTreeSet<usize> = BTreeSet::new();
    let watch = Watch::new(run.cancel.clone(), run.options.memory_limit_bytes);
    loop {
        let stopping =
            run.cancel.is_set() || (run.options.fail_fast && results.iter().any(|result| result.failure.is_some()));
        let mut progressed = false;
        for index in open.clone() {
            let Some(node) = run.plan.nodes.get(index) else { continue };
            match readiness(run, node, &open, &finished, &results, working.len()) {
                Readiness::Wait => continue,
                _ if stopping => {
                    open.remove(&index);
                    results.push(blocked(run, index, node, "the run was stopped"));
                    finished.insert(index, false);
                }
                Readiness::Blocked(by) => {
                    open.remove(&index);
                    results.push(blocked(run, index, node, &by));
                    finished.insert(index, false);
                }
                Readiness::Unselected(why) => {
                    open.remove(&index);
                    let mut result = blocked(run, index, node, &why);
                    result.failure = Some(NodeFailure::new(Code::BadSelection, why));
                    results.push(result);
                    finished.insert(index, false);
                }
                Readiness::Ready => {
                    open.remove(&index);
                    match skip(run, index, node) {
                        Some(result) => {
                            results.push(result);
                            finished.insert(index, true);
                        }
                        None => {
                            running.insert(index);
                            start(run, index, node, &mut working);
                        }
                    }
                }
            }
            progressed = true;
        }
        if progressed {
            artifacts.results(&results);
            continue;
        }
        let joined = tokio::select! {
            joined = working.join_next() => joined,
            () = run.progress.tell(&run.listeners) => continue,
            () = watch.until_given_up() => {
                results.extend(running.iter().map(|index| settle(run, given_up(*index, &watch))));
                break;
            }
        };
        let Some(joined) = joined else { break };
        let outcome = joined.unwrap_or_else(|error| {
            (
                usize::MAX,
                Utc::now(),
                Duration::ZERO,
                Err(NodeFailure::new(Code::Bug, format!("a task was lost: {error}"))),
            )
        });
        let result = settle(run, watch.explain(outcome));
        running.remove(&result.node);
        finished.insert(result.node, result.failure.is_none());
        results.push(result);
        artifacts.results(&results);
    }
    // What was still waiting when the run gave up.
    let never = open.iter().filter_map(|index| Some((*index, run.plan.nodes.get(*index)?)));
    results.extend(never.map(|(index, node)| blocked(run, index, node, "the run was stopped")));
    // A run that outgrew its limit between two stages has failed too.
    let told = results.iter().any(|result| result.failure.is_some());
    if let Some(failure) = watch.failure().filter(|_| !told)
        && let Some(result) = results.iter_mut().find(|result| result.status == NodeStatus::Blocked)
    {
        result.message.clone_from(&failure.message);
        result.failure = Some(failure);
    }
    artifacts.results(&results);
    results
}

/// The outcome of a stage that did not stop in time.
fn given_up(index: usize, watch: &Watch) -> Outcome {
    watch.explain((index, Utc::now(), Duration::ZERO, Err(NodeFailure::from(crate::stages::Failure::Cancelled))))
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
    if matches!(node.work, Work::Publish { .. }) {
        if let Some(gate) = results.iter().find(|result| result.failure.as_ref().is_some_and(NodeFailure::is_gate)) {
            return Readiness::Blocked(format!("a check of `{}` failed, so nothing is published", gate.id));
        }
        // A check that fails later must find nothing published.
        let is_table =
            |index: &&usize| run.plan.nodes.get(**index).is_some_and(|node| !matches!(node.work, Work::Publish { .. }));
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
    let meta = run.prepared.state.meta(&node.name, &decision.key)?;
    run.listeners.emit(&Event::NodeSkipped { node: node_ref(run, node), reason: decision.reason.clone() });
    Some(NodeResult {
        node: index,
        id: node.id(),
        status: NodeStatus::Skipped,
        message: decision.reason.clone(),
        failure: None,
        started: Utc::now(),
        elapsed: Duration::ZERO,
        meta: Some(meta),
        publication: None,
    })
}

fn start(run: &Run, index: usize, node: &Node, working: &mut JoinSet<Outcome>) {
    let node_ref = node_ref(run, node);
    run.listeners.emit(&Event::NodeStarted { node: node_ref.clone() });
    let rows = run.progress.start(index, node_ref);
    let run = run.clone();
    let is_publish = matches!(node.work, Work::Publish { .. });
    working.spawn(async move {
        let (started, clock) = (Utc::now(), Instant::now());
        let outcome = if is_publish {
            publication(&run, index, &rows).await
        } else {
            let blocking = run.clone();
            let work = tokio::task::spawn_blocking(move || tables(&blocking, index, rows));
            work.await.unwrap_or_else(|error| Err(NodeFailure::new(Code::Bug, error.to_string())))
        };
        (index, started, clock.elapsed(), outcome)
    });
}

async fn publication(run: &Run, index: usize, rows: &RowCounter) -> Result<Done, NodeFailure> {
    let bug = || NodeFailure::new(Code::Bug, "the publication does not exist");
    let node = run.plan.nodes.get(index).ok_or_else(bug)?;
    let prepared = &run.prepared;
    let own = prepared.decisions.get(index).ok_or_else(bug)?;
    let at = publish::At { places: &prepared.places, run_id: &run.run_id, scratch: &run.directory, rows };
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
        context,
        rows,
    };
    let done = match node.work {
        Work::Source { .. } => source::run(index, &around),
        _ => stage::run(index, &around),
    };
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
    let node_ref = node.map(|node| node_ref(run, node));
    match outcome {
        Ok(Done::Tables(meta)) => result.meta = Some(*meta),
        Ok(Done::Published(publication)) => {
            if !publication.changed {
                result.status = NodeStatus::Skipped;
                result.message = "nothing changed".to_owned();
            }
            result.publication = Some(publication);
        }
        Err(failure) => {
            result.status = NodeStatus::Error;
            result.message = failure.message.clone();
            if let Some(node) = node_ref {
                run.listeners.emit(&Event::NodeFailed {
                    node,
                    code: failure.code.id(),
                    message: failure.message.clone(),
                    elapsed,
                });
            }
            result.failure = Some(failure);
            return result;
        }
    }
    if let Some(node) = node_ref {
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
    let published = result.publication.iter().map(|publication| ("published".to_owned(), publication.rows));
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

/// The node as events name it, with its datasets.
pub fn node_ref(run: &Run, node: &Node) -> NodeRef {
    let own = |name: String| Dataset { namespace: format!("patronage://{}", run.plan.pipeline), name };
    let feed = |index: &usize| run.plan.nodes.get(*index).map(|node| own(node.name.clone()));
    let (reads, writes) = match &node.work {
        Work::Source { spec, .. } => {
            (vec![Dataset { namespace: "path".to_owned(), name: spec.path.clone() }], vec![own(node.name.clone())])
        }
        Work::Stage(_) => {
            let port = |(place, (port, _)): (usize, &(String, _))| {
                own(if place == 0 { node.name.clone() } else { format!("{}.{port}", node.name) })
            };
            (node.upstream.iter().filter_map(feed).collect(), node.outputs.iter().enumerate().map(port).collect())
        }
        Work::Publish { spec, .. } => (
            node.upstream.iter().filter_map(feed).collect(),
            vec![Dataset { namespace: "path".to_owned(), name: spec.to.clone() }],
        ),
    };
    NodeRef { id: node.id(), kind: node.kind().to_owned(), reads, writes }
}
