use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::events::{Assertion, ColumnCounts, Counts, Lineage, Origin, Quality, Use};
use crate::observe::sample;

fn written() -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let listener = OpenLineage::create(&path, "patronage", Transport::default());
    for event in sample::events() {
        listener.on_event(&event);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_start_has_one_end() {
    let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in written() {
        let name = event["job"]["name"].as_str().unwrap().to_owned();
        states.entry(name).or_default().push(event["eventType"].as_str().unwrap().to_owned());
    }
    let wanted = [
        ("nightly", "FAIL"),
        ("nightly.stage.customers", "FAIL"),
        ("nightly.stage.products", "ABORT"),
        ("nightly.stage.sales", "COMPLETE"),
    ];
    let wanted = wanted.map(|(job, end)| (job.to_owned(), vec!["START".to_owned(), end.to_owned()]));
    assert_eq!(states, BTreeMap::from(wanted));
}

/// A publication that finds the same there ends as one that did its work.
#[test]
fn what_was_begun_and_is_skipped_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let listener = OpenLineage::create(&path, "patronage", Transport::default());
    let events = sample::events();
    let begun = events.iter().find(|event| matches!(event, Event::NodeStarted { .. })).unwrap();
    let Event::NodeStarted { node } = begun else { panic!("{begun:?}") };
    let skipped = Event::NodeSkipped { node: node.clone(), reason: "the same is published".to_owned() };
    for event in [&events[0], begun, &skipped, events.last().unwrap()] {
        listener.on_event(event);
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let states: Vec<Value> =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["eventType"].clone()).collect();
    assert_eq!(states, ["START", "START", "COMPLETE", "FAIL"]);
}

#[test]
fn events_have_what_the_specification_requires() {
    for event in written() {
        for key in ["eventTime", "producer", "schemaURL", "run", "job"] {
            assert!(event.get(key).is_some(), "{key}: {event}");
        }
        chrono::DateTime::parse_from_rfc3339(event["eventTime"].as_str().unwrap()).unwrap();
        Uuid::parse_str(event["run"]["runId"].as_str().unwrap()).unwrap();
        let run_facets = event["run"]["facets"].as_object().unwrap();
        let job_facets = event["job"]["facets"].as_object().unwrap();
        for facet in run_facets.values().chain(job_facets.values()) {
            assert_eq!(facet["_producer"], PRODUCER);
            let schema = facet["_schemaURL"].as_str().unwrap();
            assert!(schema.starts_with("https://openlineage.io/spec/facets/"), "{schema}");
        }
    }
}

#[test]
fn nodes_name_their_parent_rows_and_errors() {
    let events = written();
    let find = |name: &str, state: &str| {
        let found = events.iter().find(|event| event["job"]["name"] == *name && event["eventType"] == *state);
        found.unwrap()
    };
    let done = find("nightly.stage.sales", "COMPLETE");
    assert_eq!(done["run"]["facets"]["parent"]["run"]["runId"], sample::RUN_ID);
    assert_eq!(done["run"]["facets"]["nominalTime"]["nominalStartTime"], "2011-12-10T00:00:00Z");
    assert_eq!(done["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"], 52_000);
    assert_eq!(done["inputs"][0]["name"], "/lake/transactions");
    assert_eq!(done["run"]["runId"], find("nightly.stage.sales", "START")["run"]["runId"]);
    let failed = find("nightly.stage.customers", "FAIL");
    let message = failed["run"]["facets"]["errorMessage"]["message"].as_str().unwrap();
    assert!(message.starts_with("stage_failed: column `spend`"));
    let run = find("nightly", "FAIL");
    assert_eq!(run["run"]["facets"]["errorMessage"]["message"], "failed: stage.customers");
    assert!(run["run"]["facets"].get("parent").is_none());
}

/// A stage that has ended: its table with what that is made of and what was found of it.
fn examined(holds: bool) -> NodeRef {
    let mut node = sample::node("stage.sales", "sql");
    let origin = |uses: &[(bool, Option<&'static str>, bool)]| Origin {
        namespace: "path".to_owned(),
        name: "lake".to_owned(),
        column: "id".to_owned(),
        uses: uses
            .iter()
            .map(|(direct, subtype, masking)| Use { direct: *direct, subtype: *subtype, masking: *masking })
            .collect(),
    };
    let fields = [
        ("id".to_owned(), vec![origin(&[(true, Some("TRANSFORMATION"), true), (false, None, false)])]),
        ("run_date".to_owned(), vec![]),
    ];
    let assertion = |kind: &str, columns: &[&str], success, failed_rows, found: Option<&str>| Assertion {
        kind: kind.to_owned(),
        name: format!("{kind} of it"),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        severity: "error".to_owned(),
        success,
        failed_rows,
        found: found.map(str::to_owned),
    };
    let columns = BTreeMap::from([("id".to_owned(), ColumnCounts { nulls: Some(0), distinct: None })]);
    let written = &mut node.writes[0];
    written.lineage =
        Some(Lineage { fields: BTreeMap::from(fields), all: vec![origin(&[(false, Some("FILTER"), false)])] });
    written.quality = Some(Quality {
        assertions: vec![
            assertion("range", &["id"], holds, Some(if holds { 0 } else { 7 }), None),
            assertion("unique", &["id", "at"], true, Some(0), None),
            assertion("rows", &[], true, None, Some("52,000 rows")),
        ],
        counts: Some(Counts { rows: 9, bytes: Some(70), files: None, columns }),
    });
    node
}

fn translated(event: &Event) -> Vec<Value> {
    let listener = OpenLineage::to(None, "patronage");
    let mut run = Run::new(sample::RUN_ID, "nightly", chrono::NaiveDate::MIN);
    listener.translate(&mut run, event)
}

#[test]
fn columns_are_told_by_what_they_are_made_of() {
    let outputs = vec![OutputRows { port: "table".to_owned(), rows: 9 }];
    let done = Event::NodeFinished { node: examined(true), outputs, elapsed: std::time::Duration::ZERO };
    let events = translated(&done);
    let facets = &events.last().unwrap()["outputs"][0]["facets"];
    let lineage = &facets["columnLineage"];
    let id = &lineage["fields"]["id"]["inputFields"][0];
    assert_eq!((&id["namespace"], &id["name"], &id["field"]), (&"path".into(), &"lake".into(), &"id".into()));
    let masked = json!([{"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": true}, {"type": "INDIRECT"}]);
    assert_eq!(id["transformations"], masked);
    assert_eq!(lineage["fields"]["run_date"], json!({"inputFields": []}));
    assert_eq!(lineage["dataset"][0]["transformations"], json!([{"type": "INDIRECT", "subtype": "FILTER"}]));
    assert_eq!(facets["dataQualityMetrics"]["columnMetrics"], json!({"id": {"nullCount": 0}}));
    assert_eq!(
        (&facets["dataQualityMetrics"]["rowCount"], &facets["dataQualityMetrics"]["bytes"]),
        (&9.into(), &70.into())
    );
}

#[test]
fn checks_of_a_stage_are_a_job_that_reads_what_it_wrote() {
    for (holds, end) in [(true, "COMPLETE"), (false, "FAIL")] {
        let failed = Event::NodeFailed {
            node: examined(holds),
            code: "check_failed",
            message: "range of it fails in 7 rows".to_owned(),
            interrupted: false,
            elapsed: std::time::Duration::ZERO,
        };
        let events = translated(&failed);
        let states: Vec<&Value> = events.iter().map(|event| &event["eventType"]).collect();
        assert_eq!(states, ["START", end, "FAIL"]);
        let [before, checks, _] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(checks["job"]["name"], "nightly.stage.sales.checks");
        assert_eq!(before["run"]["runId"], checks["run"]["runId"]);
        assert!(before["inputs"][0].get("inputFacets").is_none());
        assert_eq!(checks["run"]["facets"].get("errorMessage").is_some(), !holds);
        let input = &checks["inputs"][0];
        assert_eq!(input["name"], "stage.sales");
        let found = &input["inputFacets"]["dataQualityAssertions"]["assertions"];
        let actual = if holds { "0" } else { "7" };
        let range = json!({
            "assertion": "range", "name": "range of it", "success": holds, "severity": "error", "column": "id",
            "expected": "0", "actual": actual,
        });
        assert_eq!(found[0], range);
        assert_eq!(found[1]["params"], json!({"columns": ["id", "at"]}));
        assert_eq!((&found[2]["description"], found[2].get("actual")), (&"52,000 rows".into(), None));
    }
}

struct Full(Arc<AtomicUsize>);

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_met_once() {
    let tries = Arc::new(AtomicUsize::new(0));
    let listener = OpenLineage::to(Some(Box::new(Full(tries.clone()))), "patronage");
    for event in sample::events() {
        listener.on_event(&event);
    }
    assert_eq!(tries.load(Ordering::Relaxed), 1);
    // Nor does a folder that is not there stop anyone.
    OpenLineage::create(Path::new("/nowhere/events.ndjson"), "patronage", Transport::default())
        .on_event(&sample::events()[0]);
}
