//! The facets that we write, each with the address of its schema, as the specification asks.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::PRODUCER;
use crate::events::{Assertion, Column, Counts, Lineage, Origin, Use};

/// A facet by its name among its siblings.
pub type Named = (String, Value);

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
pub fn schema(columns: &[Column]) -> Named {
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
    facet("schema", "1-2-0/SchemaDatasetFacet.json", json!({"fields": fields}))
}

/// What the columns of a dataset are made of, and under `dataset` what concerns all of it.
pub fn column_lineage(lineage: &Lineage) -> Named {
    let of = |(name, origins): (&String, &Vec<Origin>)| (name.clone(), json!({"inputFields": origins_of(origins)}));
    let mut fields = json!({"fields": lineage.fields.iter().map(of).collect::<Map<String, Value>>()});
    if !lineage.all.is_empty() {
        fields["dataset"] = origins_of(&lineage.all).into();
    }
    facet("columnLineage", "1-2-0/ColumnLineageDatasetFacet.json", fields)
}

fn origins_of(origins: &[Origin]) -> Vec<Value> {
    let of = |origin: &Origin| {
        let uses: Vec<Value> = origin.uses.iter().map(transformation).collect();
        json!({"namespace": origin.namespace, "name": origin.name, "field": origin.column, "transformations": uses})
    };
    origins.iter().map(of).collect()
}

fn transformation(used: &Use) -> Value {
    let mut told = json!({"type": if used.direct { "DIRECT" } else { "INDIRECT" }});
    if let Some(subtype) = used.subtype {
        told["subtype"] = subtype.into();
    }
    if used.masking {
        told["masking"] = true.into();
    }
    told
}

/// What checks and gates found: which hold, and how many rows fail.
pub fn assertions(assertions: &[Assertion]) -> Named {
    let of = |one: &Assertion| {
        let mut told = json!({
            "assertion": one.kind, "name": one.name, "success": one.success, "severity": one.severity,
        });
        match one.columns.as_slice() {
            [] => {}
            [column] => told["column"] = column.as_str().into(),
            columns => told["params"] = json!({"columns": columns}),
        }
        if let Some(rows) = one.failed_rows {
            told["expected"] = "0".into();
            told["actual"] = rows.to_string().into();
        }
        if let Some(found) = &one.found {
            told["description"] = found.as_str().into();
        }
        told
    };
    let fields = json!({"assertions": assertions.iter().map(of).collect::<Vec<Value>>()});
    facet("dataQualityAssertions", "1-1-0/DataQualityAssertionsDatasetFacet.json", fields)
}

/// What was counted in a dataset that was read.
pub fn counts_of_input(counts: &Counts) -> Named {
    facet(COUNTS, "1-0-3/DataQualityMetricsInputDatasetFacet.json", counted(counts))
}

/// What was counted in a dataset that was written.
pub fn counts(counts: &Counts) -> Named {
    facet(COUNTS, "1-0-0/DataQualityMetricsDatasetFacet.json", counted(counts))
}

const COUNTS: &str = "dataQualityMetrics";

fn counted(counts: &Counts) -> Value {
    let numbers = |all: &[(&str, Option<u64>)]| -> Map<String, Value> {
        all.iter().filter_map(|(key, number)| Some(((*key).to_owned(), (*number)?.into()))).collect()
    };
    let columns = counts.columns.iter();
    let columns: Map<String, Value> = columns
        .map(|(name, own)| {
            let own = numbers(&[("nullCount", own.nulls), ("distinctCount", own.distinct)]);
            (name.clone(), Value::Object(own))
        })
        .collect();
    let mut told = numbers(&[("rowCount", Some(counts.rows)), ("bytes", counts.bytes), ("fileCount", counts.files)]);
    told.insert("columnMetrics".to_owned(), Value::Object(columns));
    Value::Object(told)
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
pub fn rows(count: u64) -> Named {
    facet("outputStatistics", "1-0-2/OutputStatisticsOutputDatasetFacet.json", json!({"rowCount": count}))
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
