//! What became of each node, and `run_results.json` in dbt's shape.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::failure::NodeFailure;
use super::state::Meta;
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
            NodeStatus::Blocked => "skipped",
        }
    }

    fn rows(&self) -> Option<u64> {
        let tables = self.meta.as_ref().and_then(|meta| meta.outputs.first().map(|output| output.rows));
        tables.or_else(|| self.publication.as_ref().map(|publication| publication.rows))
    }
}

/// `run_results.json`: every key that dbt's has, for each node that is done so far.
pub fn document(results: &[NodeResult], run_id: &str, elapsed: Duration, arguments: &Value) -> Value {
    let results: Vec<Value> = results.iter().map(entry).collect();
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
