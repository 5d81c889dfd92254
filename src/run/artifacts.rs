//! The artifacts of a run: `manifest.json`, `run_results.json`, `report.json`, `report.html`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::failure::NodeFailure;
use super::results::{NodeResult, document};
use super::schedule::Run;
use super::state::{Aside, CheckResult, Last, fitted_for};
use super::warnings::{self, Warning};
use super::{Options, Prepared, changes, drift, measures};
use crate::config::Loaded;
use crate::plan::{Node, Plan, Work};
use crate::problem::Code;
use crate::report::{
    CheckReport, Edge, ModelReport, NodeReport, NodeStatus, PortRows, Report, SetAside, SourceReport, html, render_json,
};
use crate::stages;
use crate::storage::local;

/// Writes the artifacts of one run. Trouble with them stops nothing, but it is told at the end.
pub struct Artifacts {
    directory: PathBuf,
    run_id: String,
    arguments: Value,
    started: DateTime<Utc>,
    /// Why what was last written is not whole, by what it is of.
    trouble: Mutex<BTreeMap<&'static str, NodeFailure>>,
}

impl Artifacts {
    /// Creates the run's directory with its manifest.
    pub fn create(
        directory: &Path,
        loaded: &Loaded,
        plan: &Plan,
        prepared: &Prepared,
        options: &Options,
        run_id: &str,
        started: DateTime<Utc>,
    ) -> Result<Artifacts, NodeFailure> {
        let artifacts = Artifacts {
            directory: directory.to_owned(),
            run_id: run_id.to_owned(),
            arguments: options.arguments.clone(),
            started,
            trouble: Mutex::default(),
        };
        let manifest = manifest(loaded, plan, prepared, options, run_id, started);
        local::write_atomic(&directory.join("manifest.json"), pretty(&manifest).as_bytes())?;
        artifacts.results(&[]);
        Ok(artifacts)
    }

    /// Rewrites `run_results.json` atomically.
    pub fn results(&self, results: &[NodeResult]) {
        let elapsed = (Utc::now() - self.started).to_std().unwrap_or_default();
        self.write_results(results, elapsed);
    }

    fn write_results(&self, results: &[NodeResult], elapsed: Duration) {
        self.write("run_results.json", &pretty(&document(results, &self.run_id, elapsed, &self.arguments)));
    }

    /// Writes the last artifacts. `clock` runs since the report began to be made; what it took is kept in the report
    /// and in its JSON, which is therefore written again.
    pub fn finish(&self, report: &mut Report, results: &[NodeResult], elapsed: Duration, clock: Instant) {
        self.write_results(results, elapsed);
        self.write_json(report);
        self.write("report.html", &html::render(report));
        let measures = measures::write(&self.directory.join("report.parquet"), report);
        self.note("report.parquet", measures.map_err(NodeFailure::from));
        report.report_seconds = Some(clock.elapsed().as_secs_f64());
        self.write_json(report);
    }

    fn write_json(&self, report: &Report) {
        match render_json(report) {
            Ok(json) => self.write("report.json", &json),
            Err(error) => self.note("report.json", Err(NodeFailure::new(Code::Bug, error.to_string()))),
        }
    }

    /// What could not be written, if anything.
    pub fn trouble(&self) -> Option<NodeFailure> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.values().next().cloned()
    }

    fn write(&self, name: &'static str, text: &str) {
        let written = local::write_atomic(&self.directory.join(name), text.as_bytes());
        self.note(name, written.map_err(NodeFailure::from));
    }

    /// Remembers trouble until the same is written well.
    fn note(&self, what: &'static str, written: Result<(), NodeFailure>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match written {
            Ok(()) => trouble.remove(what),
            Err(failure) => {
                tracing::warn!("{what}: {}", failure.message);
                trouble.insert(what, failure)
            }
        };
    }

    /// Records each node's last state, for reasons and for `state:` and `result:`.
    pub fn remember(&self, run: &Run, results: &[NodeResult]) {
        let state = &run.prepared.state;
        let mut last = state.last();
        for result in results {
            let Some(node) = run.plan.nodes.get(result.node) else { continue };
            let parts = run.prepared.decisions.get(result.node).map(|decision| decision.parts.clone());
            last.insert(
                node.id(),
                Last { definition: node.definition.clone(), parts, result: result.word().to_owned() },
            );
        }
        self.note("state", state.write_last(&last).map_err(NodeFailure::from));
    }

    /// The content of the report.
    pub fn report(
        &self,
        run: &Run,
        results: &[NodeResult],
        loaded: &Loaded,
        started: DateTime<Utc>,
        elapsed: Duration,
    ) -> Report {
        let mut ordered: Vec<&NodeResult> = results.iter().collect();
        ordered.sort_by_key(|result| result.node);
        let mut report = Report {
            pipeline: run.plan.pipeline.clone(),
            description: run.plan.description.clone(),
            run_id: self.run_id.clone(),
            run_date: run.plan.run_date,
            environment: loaded.environment.name.clone(),
            patronage_version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            elapsed_seconds: elapsed.as_secs_f64(),
            report_seconds: None,
            peak_memory_bytes: crate::observe::peak_memory_bytes(),
            threads: run.options.threads,
            nodes: nodes(run, &ordered, loaded.environment.artifacts()),
            edges: edges(&run.plan),
            sources: ordered.iter().filter_map(|result| source_report(result, &run.plan)).collect(),
            models: ordered.iter().filter_map(|result| model_report(result, &run.plan)).collect(),
            publications: ordered.iter().filter_map(|result| result.publication.clone()).collect(),
            checks: ordered.iter().flat_map(|result| check_reports(result, loaded.environment.artifacts())).collect(),
            profiles: drift::tables(run, &ordered),
            changes: vec![],
            warnings: vec![],
        };
        report.changes = changes::since(&run.prepared.state.root, &report);
        report.warnings = warnings::of(&report).iter().map(Warning::text).collect();
        report
    }
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn manifest(
    loaded: &Loaded,
    plan: &Plan,
    prepared: &Prepared,
    options: &Options,
    run_id: &str,
    started: DateTime<Utc>,
) -> Value {
    let nodes: Vec<Value> = plan
        .nodes
        .iter()
        .zip(&prepared.decisions)
        .enumerate()
        .map(|(index, (node, decision))| {
            let upstream = node.upstream.iter().filter_map(|up| plan.nodes.get(*up)).map(|node| node.id());
            json!({
                "unique_id": node.id(),
                "kind": node.kind(),
                "tags": node.tags,
                "depends_on": upstream.collect::<Vec<_>>(),
                "definition_hash": node.definition,
                "cache_key": decision.key,
                "cache_key_parts": decision.parts,
                "model_version_applied": decision.model,
                "selected": prepared.selected.contains(&index),
                "outputs": node.outputs.iter().map(|(port, schema)| json!({ "port": port, "schema": schema })).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "metadata": {
            "patronage_version": env!("CARGO_PKG_VERSION"),
            "run_id": run_id,
            "started_at": started,
            "pipeline": plan.pipeline,
            "run_date": plan.run_date,
            "environment": loaded.environment.name,
            "file": loaded.document.file,
            "memory_limit_bytes": options.memory.bytes(),
        },
        "config": loaded.rendered,
        "nodes": nodes,
    })
}

/// Every node of the plan, those too that were not selected.
fn nodes(run: &Run, results: &[&NodeResult], artifacts: &str) -> Vec<NodeReport> {
    let why = left_out_by(&run.options);
    let node = |(index, node): (usize, &Node)| match results.iter().find(|result| result.node == index) {
        Some(result) => node_report(result, node, artifacts),
        None => NodeReport {
            id: node.id(),
            kind: node.kind().to_owned(),
            status: NodeStatus::NotSelected,
            reason: Some(why.clone()),
            elapsed_seconds: 0.0,
            outputs: vec![],
            set_aside: vec![],
        },
    };
    run.plan.nodes.iter().enumerate().map(node).collect()
}

/// `left out by --select +scores`
fn left_out_by(options: &Options) -> String {
    let flags = |flag: &str, expressions: &[String]| -> Vec<String> {
        expressions.iter().map(|expression| format!("{flag} {expression}")).collect()
    };
    let flags = [flags("--select", &options.select), flags("--exclude", &options.exclude)].concat();
    format!("left out by {}", flags.join(" "))
}

fn node_report(result: &NodeResult, node: &Node, artifacts: &str) -> NodeReport {
    let tables = result
        .meta
        .iter()
        .flat_map(|meta| &meta.outputs)
        .filter(|_| result.meta.as_ref().is_some_and(|meta| meta.source.is_none()))
        .map(|output| PortRows { port: output.port.clone(), rows: output.rows });
    let published =
        result.publication.iter().map(|publication| PortRows { port: "published".to_owned(), rows: publication.rows });
    let source = result
        .meta
        .iter()
        .filter_map(|meta| meta.source.as_ref())
        .map(|source| PortRows { port: "table".to_owned(), rows: source.rows });
    NodeReport {
        id: result.id.clone(),
        kind: node.kind().to_owned(),
        status: result.status,
        reason: Some(result.message.clone()),
        elapsed_seconds: result.elapsed.as_secs_f64(),
        outputs: tables.chain(published).chain(source).collect(),
        set_aside: set_aside(result, node, artifacts),
    }
}

/// The rows of each table that are set aside, with where they lie.
fn set_aside(result: &NodeResult, node: &Node, artifacts: &str) -> Vec<SetAside> {
    let first = node.outputs.first().map(|(port, _)| port);
    let aside = |aside: &Aside| SetAside {
        on: match first {
            Some(first) if *first != aside.port => format!("{}.{}", result.id, aside.port),
            _ => result.id.clone(),
        },
        rows: aside.rows,
        file: shown(artifacts, aside),
    };
    result.meta.iter().flat_map(|meta| &meta.aside).map(aside).collect()
}

/// Where rows that are set aside lie, from the project's root.
fn shown(artifacts: &str, aside: &Aside) -> String {
    Path::new(artifacts).join(&aside.file).display().to_string()
}

/// From what feeds to what is fed, by id.
fn edges(plan: &Plan) -> Vec<Edge> {
    let of = |node: &crate::plan::Node| -> Vec<Edge> {
        let to = node.id();
        let upstream = node.upstream.iter().filter_map(|up| plan.nodes.get(*up));
        upstream.map(|up| Edge { from: up.id(), to: to.clone() }).collect()
    };
    plan.nodes.iter().flat_map(of).collect()
}

fn source_report(result: &NodeResult, plan: &Plan) -> Option<SourceReport> {
    let node = plan.nodes.get(result.node).filter(|node| matches!(node.work, Work::Source { .. }))?;
    let meta = result.meta.as_ref()?;
    let source = meta.source.as_ref()?;
    Some(SourceReport {
        name: node.name.clone(),
        files: source.files,
        bytes: source.bytes,
        rows: source.rows,
        watermark: meta.watermark,
        quarantined_rows: source.quarantined,
        later_rows: source.later,
    })
}

fn check_reports(result: &NodeResult, artifacts: &str) -> Vec<CheckReport> {
    let aside = |check: &CheckResult| {
        let mut aside = result.meta.iter().flat_map(|meta| &meta.aside);
        let file = aside.find(|aside| check.port.as_ref().is_none_or(|port| aside.port == *port))?;
        (check.severity == "quarantine" && check.failed > 0).then(|| shown(artifacts, file))
    };
    let report = |check: &CheckResult| CheckReport {
        on: check.port.as_ref().map_or_else(|| result.id.clone(), |port| format!("{}.{port}", result.id)),
        check: check.check.clone(),
        severity: check.severity.clone(),
        failed_rows: check.failed,
        found: check.found.clone(),
        set_aside_in: aside(check),
    };
    result.checks().iter().map(report).collect()
}

fn model_report(result: &NodeResult, plan: &Plan) -> Option<ModelReport> {
    let node = plan.nodes.get(result.node)?;
    let meta = result.meta.as_ref()?;
    let version = meta.model.as_ref().map(|model| model.version.clone());
    let fitted = version.as_deref().and_then(fitted_for);
    let mode = meta.model.as_ref().map_or("fit_apply", |model| model.mode.as_str());
    let mut report = match (&meta.evaluation, version) {
        (Some(evaluation), version) => ModelReport::new(&node.name, node.kind(), version, mode, evaluation.clone()),
        (None, Some(version)) => ModelReport::unevaluated(&node.name, node.kind(), version, fitted, mode),
        (None, None) => return None,
    };
    report.fitted_for = fitted;
    if !report.evaluation.measures.is_empty() {
        report.static_inputs = plan.static_inputs(result.node);
    }
    Some(report.of_family(stages::kind(node.kind()).map_or("", |kind| kind.family)))
}
