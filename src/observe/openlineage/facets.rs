//! The facets that we write, each with the address of its schema, as the specification asks.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::PRODUCER;
use crate::events::Column;

/// A facet by its name among its siblings.
type Named = (String, Value);

/// For every run: the day it is for, and who did it.
pub fn of_run(run_date: NaiveDate) -> Map<String, Value> {
    let nominal = json!({"nominalStartTime": format!("{run_date}T00:00:00Z")});
    let version = env!("CARGO_PKG_VERSION");
    let engine = json!({"name": "patronage", "version": version, "openlineageAdapterVersion": version});
    Map::from_iter([
        facet("nominalTime", "1-0-1/NominalTimeRunFacet.json", nominal),
        facet("processing_engine", "1-1-1/ProcessingEngineRunFacet.json", engine),
    ])
}

/// The run that a node's run is part of.
pub fn parent(run_id: &Uuid, namespace: &str, name: &str) -> Named {
    let (run, job) = (json!({"runId": run_id.to_string()}), json!({"namespace": namespace, "name": name}));
    let fields = json!({"run": run, "job": job, "root": {"run": run, "job": job}});
    facet("parent", "1-2-0/ParentRunFacet.json", fields)
}

/// The run that the whole run is part of.
pub fn parent_of(run: &Value, job: &Value) -> Named {
    facet("parent", "1-2-0/ParentRunFacet.json", json!({"run": run, "job": job}))
}

/// The columns of a dataset.
pub fn schema(columns: &[Column]) -> Value {
    let fields: Vec<Value> = columns
        .iter()
        .map(|column| {
            let mut field = json!({"name": column.name, "type": column.dtype});
            if !column.description.is_empty() {
                field["description"] = column.description.as_str().into();
            }
            field
        })
        .collect();
    let path = "1-2-0/SchemaDatasetFacet.json";
    Value::Object(Map::from_iter([facet("schema", path, json!({"fields": fields}))]))
}

/// Why a run failed.
pub fn error(message: &str) -> Named {
    let fields = json!({"message": message, "programmingLanguage": "RUST"});
    facet("errorMessage", "1-0-1/ErrorMessageRunFacet.json", fields)
}

/// What sort of job it is: `PIPELINE`, or the kind of the node.
pub fn job(kind: &str) -> Map<String, Value> {
    let fields = json!({"processingType": "BATCH", "integration": "PATRONAGE", "jobType": kind});
    Map::from_iter([facet("jobType", "2-0-4/JobTypeJobFacet.json", fields)])
}

/// How many rows an output has.
pub fn rows(count: u64) -> Value {
    let fields = json!({"rowCount": count});
    let path = "1-0-2/OutputStatisticsOutputDatasetFacet.json";
    Value::Object(Map::from_iter([facet("outputStatistics", path, fields)]))
}

/// Adds producer and schema; the definition in a schema file bears the file's name.
fn facet(name: &str, path: &str, mut fields: Value) -> Named {
    let definition = path.split('/').next_back().unwrap_or(path).trim_end_matches(".json");
    let schema = format!("https://openlineage.io/spec/facets/{path}#/$defs/{definition}");
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("_producer".to_owned(), Value::from(PRODUCER));
        fields.insert("_schemaURL".to_owned(), Value::from(schema));
    }
    (name.to_owned(), fields)
}
