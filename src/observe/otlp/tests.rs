use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::*;
use crate::events::OutputRows;
use crate::observe::sample;
use crate::observe::trace_context::{Parent, hex, span_id};

fn context() -> TraceContext {
    let parent = Parent { trace_id: [7; 16], span_id: [8; 8], sampled: true, state: "vendor=1".to_owned() };
    TraceContext { parent: Some(parent) }
}

fn traces(variables: &[(&str, &str)], context: TraceContext) -> Option<Traces> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    Traces::of(&|name| variables.get(name).map(|value| (*value).to_owned()), context)
}

/// The spans of the sample, by name, in JSON.
fn spans(context: TraceContext, events: &[Event]) -> BTreeMap<String, Value> {
    let traces = traces(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")], context.clone()).unwrap();
    let mut trace = events.first().and_then(|event| Trace::start(event, &context)).expect("a start");
    let ended: Vec<Span> = events.iter().flat_map(|event| trace.hear(event)).collect();
    let request = serde_json::to_value(traces.request(ended)).unwrap();
    let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    spans.into_iter().map(|span| (span["name"].as_str().unwrap().to_owned(), span)).collect()
}

fn attribute<'a>(of: &'a Value, key: &str) -> &'a Value {
    let attributes = of["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    found.map_or(&Value::Null, |found| found["value"].as_object().unwrap().values().next().unwrap())
}

fn time(span: &Value, key: &str) -> u64 {
    span[key].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_run_is_one_trace() {
    let spans = spans(TraceContext::default(), &sample::events());
    let names: Vec<&String> = spans.keys().collect();
    assert_eq!(names, ["nightly", "stage.customers", "stage.products", "stage.sales"]);
    let root = &spans["nightly"];
    let between = time(root, "startTimeUnixNano")..=time(root, "endTimeUnixNano");
    for (name, span) in &spans {
        let is_root = name == "nightly";
        assert_eq!(span["traceId"], sample::RUN_ID.replace('-', ""));
        assert_eq!(span["spanId"], hex(&span_id(sample::RUN_ID, (!is_root).then_some(name.as_str()))));
        assert_eq!(span["parentSpanId"], if is_root { Value::from("") } else { root["spanId"].clone() });
        assert_eq!((&span["kind"], &span["flags"]), (&1.into(), &0x101.into()));
        assert!(between.contains(&time(span, "startTimeUnixNano")) && between.contains(&time(span, "endTimeUnixNano")));
        assert_eq!(attribute(span, "patronage.run_id"), sample::RUN_ID);
        assert_eq!(attribute(span, "patronage.run_date"), "2011-12-10");
    }
    let sales = &spans["stage.sales"];
    assert_eq!(sales["status"], Value::Null);
    assert_eq!(attribute(sales, "patronage.rows.sales"), "52000");
    assert_eq!(attribute(sales, "patronage.kind"), "sql");
    let customers = &spans["stage.customers"];
    assert_eq!(customers["status"]["code"], 2);
    assert!(customers["status"]["message"].as_str().unwrap().starts_with("stage_failed: column `spend`"));
    assert_eq!(attribute(customers, "error.type"), "stage_failed");
    assert_eq!(customers["events"][0]["name"], "warning");
    assert_eq!(attribute(&spans["stage.products"], "patronage.outcome"), "interrupted");
    assert_eq!(root["status"]["message"], "failed: stage.customers");
    let noted: Vec<(&Value, &Value)> = root["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (&event["name"], attribute(event, "patronage.node")))
        .collect();
    assert_eq!(
        noted,
        [(&"skipped".into(), &"source.transactions".into()), (&"blocked".into(), &"stage.scores".into())]
    );
}

#[test]
fn a_run_is_part_of_the_trace_that_started_it() {
    let spans = spans(context(), &sample::events());
    for span in spans.values() {
        assert_eq!((&span["traceId"], &span["traceState"]), (&"07".repeat(16).into(), &"vendor=1".into()));
    }
    assert_eq!(
        (&spans["nightly"]["parentSpanId"], &spans["nightly"]["flags"]),
        (&"08".repeat(8).into(), &0x301.into())
    );
}

#[test]
fn what_was_begun_and_is_skipped_was_no_failure() {
    let events = sample::events();
    let node = sample::node("publish.scores", "publish");
    let skipped = Event::NodeSkipped { node: node.clone(), reason: "nothing changed".to_owned() };
    let done = Event::NodeFinished {
        node: node.clone(),
        outputs: vec![OutputRows { port: "a".into(), rows: u64::MAX }],
        elapsed: Duration::ZERO,
    };
    let ended = Event::RunFinished {
        run_id: sample::RUN_ID.to_owned(),
        success: true,
        interrupted: false,
        elapsed: Duration::ZERO,
    };
    let spans_of = |what: &Event| {
        spans(
            TraceContext::default(),
            &[events[0].clone(), Event::NodeStarted { node: node.clone() }, what.clone(), ended.clone()],
        )
    };
    let spans = spans_of(&skipped);
    assert_eq!(attribute(&spans["publish.scores"], "patronage.outcome"), "skipped");
    assert!(spans.values().all(|span| span["status"].is_null()));
    assert_eq!(attribute(&spans_of(&done)["publish.scores"], "patronage.rows.a"), &i64::MAX.to_string());
}

#[test]
fn warnings_have_a_bound() {
    let events = sample::events();
    let warning = Event::Warning { node: None, message: "é".repeat(10_000) };
    let all: Vec<Event> = std::iter::once(events[0].clone())
        .chain(std::iter::repeat_n(warning, 200))
        .chain(events.last().cloned())
        .collect();
    let root = &spans(TraceContext::default(), &all)["nightly"];
    assert_eq!((root["events"].as_array().unwrap().len(), &root["droppedEventsCount"]), (128, &72.into()));
    assert!(root.to_string().len() < 128 * 5_000);
}

/// By the rules of protobuf: field number and wire type in the key, then a varint, 64 or 32 bits, or bytes with their
/// length.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for place in 0.. {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                fields.push((key >> 3, varint(&mut bytes).to_le_bytes().to_vec()));
                continue;
            }
            1 => 8,
            5 => 4,
            _ => varint(&mut bytes) as usize,
        };
        let (value, rest) = bytes.split_at(length);
        fields.push((key >> 3, value.to_vec()));
        bytes = rest;
    }
    fields
}

#[test]
fn protobuf_has_the_numbers_of_the_specification() {
    let traces = traces(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")], context()).unwrap();
    let mut trace = Trace::start(&sample::events()[0], &context()).expect("a start");
    let spans: Vec<Span> = sample::events().iter().flat_map(|event| trace.hear(event)).collect();
    let root = spans.last().unwrap().clone();
    let message = traces.message(vec![root.clone()]);
    assert_eq!(message.headers["content-type"], "application/x-protobuf");
    let get = |fields: &[(u64, Vec<u8>)], number: u64| fields.iter().find(|field| field.0 == number).unwrap().1.clone();
    let resource_spans = fields(&get(&fields(&message.body), 1));
    let scope_spans = fields(&get(&resource_spans, 2));
    let span = fields(&get(&scope_spans, 2));
    for (number, wanted) in [
        (1, root.trace_id),
        (2, root.span_id),
        (3, b"vendor=1".to_vec()),
        (4, vec![8; 8]),
        (5, b"nightly".to_vec()),
        (6, 1_u64.to_le_bytes().to_vec()),
        (7, root.start_time_unix_nano.to_le_bytes().to_vec()),
        (8, root.end_time_unix_nano.to_le_bytes().to_vec()),
        (16, 0x301_u32.to_le_bytes().to_vec()),
    ] {
        assert_eq!(get(&span, number), wanted, "field {number}");
    }
    assert_eq!(get(&fields(&get(&span, 15)), 3), 2_u64.to_le_bytes());
    assert_eq!(get(&fields(&get(&span, 9)), 1), b"patronage.run_id");
}

#[test]
fn an_endless_collector_holds_nobody() {
    // Accepts connections by its backlog, and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_EXPORTER_OTLP_TIMEOUT", "0")];
    let traces = traces(&variables, TraceContext::default()).unwrap();
    let clock = std::time::Instant::now();
    sample::events().iter().for_each(|event| traces.on_event(event));
    let took = clock.elapsed();
    assert!(took < PATIENCE + Duration::from_secs(3), "{took:?}");
}
