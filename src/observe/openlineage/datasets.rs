//! Datasets as OpenLineage has them: those that are read with what was found of them, those that are written with what
//! they are made of.

use serde_json::{Map, Value, json};

use super::facets;
use crate::events::{Dataset, NodeRef, OutputRows, Quality};

/// What a node reads.
pub fn inputs(node: &NodeRef) -> Vec<Value> {
    let input = |read: &Dataset| {
        let found = read.quality.iter().flat_map(|quality| {
            let asserted = (!quality.assertions.is_empty()).then(|| facets::assertions(&quality.assertions));
            asserted.into_iter().chain(quality.counts.as_ref().map(facets::counts_of_input))
        });
        with(dataset(read, vec![]), "inputFacets", found.collect())
    };
    node.reads.iter().map(input).collect()
}

/// What a node writes, with its rows; ports and datasets are in the same order, one dataset a port.
pub fn outputs(node: &NodeRef, rows: &[OutputRows]) -> Vec<Value> {
    let counted = rows.len() == node.writes.len();
    let output = |(place, written): (usize, &Dataset)| {
        let counts = written.quality.as_ref().and_then(|quality| quality.counts.as_ref());
        let told = written.lineage.iter().map(facets::column_lineage).chain(counts.map(facets::counts));
        let rows = rows.get(place).filter(|_| counted).map(|rows| facets::rows(rows.rows));
        with(dataset(written, told.collect()), "outputFacets", rows.into_iter().collect())
    };
    node.writes.iter().enumerate().map(output).collect()
}

/// The checks of what a node has written, as a job of their own that reads it: OpenLineage tells findings of inputs only.
/// None where there were none.
pub fn checks(node: &NodeRef) -> Option<NodeRef> {
    let asserted = |written: &Dataset| {
        let assertions = written.quality.as_ref().map(|quality| quality.assertions.clone()).unwrap_or_default();
        let quality = Quality { assertions, counts: None };
        (!quality.assertions.is_empty()).then(|| Dataset { quality: Some(quality), lineage: None, ..written.clone() })
    };
    let reads: Vec<Dataset> = node.writes.iter().filter_map(asserted).collect();
    let id = format!("{}.checks", node.id);
    (!reads.is_empty()).then(|| NodeRef { id, kind: "checks".to_owned(), reads, writes: vec![] })
}

/// The same before anything was found.
pub fn unexamined(node: &NodeRef) -> NodeRef {
    let mut before = node.clone();
    before.reads.iter_mut().for_each(|read| read.quality = None);
    before
}

/// The checks of severity `error` that do not hold, in words; none if all hold.
pub fn broken(node: &NodeRef) -> Option<String> {
    let found = node.reads.iter().flat_map(|read| &read.quality).flat_map(|quality| &quality.assertions);
    let broken: Vec<&str> =
        found.filter(|one| !one.success && one.severity == "error").map(|one| one.name.as_str()).collect();
    (!broken.is_empty()).then(|| format!("failed: {}", broken.join("; ")))
}

fn dataset(dataset: &Dataset, mut told: Vec<facets::Named>) -> Value {
    if !dataset.columns.is_empty() {
        told.push(facets::schema(&dataset.columns));
    }
    with(json!({"namespace": dataset.namespace, "name": dataset.name}), "facets", told)
}

/// With facets, if there are any.
fn with(mut owner: Value, key: &str, facets: Vec<facets::Named>) -> Value {
    if let Some(fields) = owner.as_object_mut().filter(|_| !facets.is_empty()) {
        fields.insert(key.to_owned(), Value::Object(Map::from_iter(facets)));
    }
    owner
}
