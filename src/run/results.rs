//! What became of each node, and `run_results.json` in dbt's shape.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::failure::NodeFailure;
use super::state::{CheckResult, Meta};
use crate::report::{NodeStatus, PublicationReport};

/// What became of a node.
#[derive(Debug, Clone)]
pub struct NodeResult {
    pub node: usize,
    pub id: String,
    pub status: NodeStatus,
    /// Why it ran, did not, or failed.
    pub message: String,
    pub failure: Option<NodeFailure>,
    pub started: DateTime<Utc>,
    pub elapsed: Duration,
    pub meta: Option<Meta>,
    pub publication: Option<PublicationReport>,
}

impl NodeResult {
    /// dbt's word for the status.
    pub fn word(&self) -> &'static str {
        match self.status {
            NodeStatus::Success => "success",
            NodeStatus::Skipped => "no-op",
            NodeStatus::Error => "error",
            NodeStatus::Blocked | NodeStatus::NotSelected => "skipped",
        }
    }

    /// What its checks found, also where they made it fail.
    pub fn checks(&self) -> &[CheckResult] {
        match (&self.meta, &self.failure) {
            (Some(meta), _) => &meta.checks,
            (None, Some(failure)) => &failure.checks,
            (None, None) => &[],
        }
    }

    fn rows(&self) -> Option<u64> {
        let tables = self.meta.as_ref().and_then(|meta| meta.outputs.first().map(|output| output.rows));
        tables.or_else(|| self.publication.as_ref().map(|publication| publication.rows))
    }
}

/// `run_results.json`: every key that dbt's has, for each node that is done so far.
pub fn document(results: &[NodeResult], run_id: &str, elapsed: Duration, arguments: &Value) -> Value {
    let results: Vec<Value> =
        results.iter().flat_map(|result| std::iter::once(entry(result)).chain(tests(result))).collect();
    json!({
        "metadata": {
            "dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
            "dbt_version": format!("patronage {}", env!("CARGO_PKG_VERSION")),
            "generated_at": Utc::now(),
            "invocation_id": run_id,
            "env": {},
        },
        "results": results,
        "elapsed_time": elapsed.as_secs_f64(),
        "args": arguments,
    })
}

fn entry(result: &NodeResult) -> Value {
    let completed = result.started + result.elapsed;
    json!({
        "status": result.word(),
        "timing": [{ "name": "execute", "started_at": result.started, "completed_at": completed }],
        "thread_id": "main",
        "execution_time": result.elapsed.as_secs_f64(),
        "adapter_response": {
            "code": result.failure.as_ref().map(|failure| failure.code.id()),
            "rows_affected": result.rows(),
        },
        "message": result.message,
        "failures": Value::Null,
        "unique_id": result.id,
        "compiled": true,
        "compiled_code": Value::Null,
        "relation_name": result.publication.as_ref().map(|publication| publication.to.clone()),
        "batch_results": Value::Null,
    })
}

/// A result per check, as dbt has them for its tests.
fn tests(result: &NodeResult) -> Vec<Value> {
    let mut names: HashSet<String> = HashSet::new();
    let name = result.id.split_once('.').map_or(result.id.as_str(), |(_, name)| name);
    let completed = result.started + result.elapsed;
    let mut entries = Vec::new();
    for check in result.checks() {
        let port = check.port.as_ref().map(|port| format!(".{port}")).unwrap_or_default();
        let base = format!("test.{name}{port}.{}", slug(&check.check));
        let mut id = base.clone();
        let mut count = 1;
        while !names.insert(id.clone()) {
            count += 1;
            id = format!("{base}_{count}");
        }
        entries.push(json!({
            "status": status(check),
            "timing": [{ "name": "execute", "started_at": result.started, "completed_at": completed }],
            "thread_id": "main",
            "execution_time": 0.0,
            "adapter_response": { "severity": check.severity },
            "message": check.sentence(),
            "failures": check.failed,
            "unique_id": id,
            "compiled": true,
            "compiled_code": Value::Null,
            "relation_name": Value::Null,
            "batch_results": Value::Null,
        }));
    }
    entries
}

/// dbt's word for what became of a check; rows that were set aside let the run go on, as a warning does.
fn status(check: &CheckResult) -> &'static str {
    match check.failed {
        0 => "pass",
        _ if check.severity == "error" => "fail",
        _ => "warn",
    }
}

/// Letters and digits, with `_` between them.
fn slug(words: &str) -> String {
    let parts: Vec<&str> =
        words.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty()).collect();
    parts.join("_")
}
