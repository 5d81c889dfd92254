//! Traces by OTLP, and the ids that the log shares with them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::process::start_with;
use super::support::{Project, Said, files};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Someone who takes traces in JSON and remembers them.
struct Collector {
    url: String,
    heard: Arc<Mutex<Vec<Request>>>,
}

struct Request {
    /// The first line and the headers.
    head: String,
    body: Value,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Vec<Request>>> = Arc::default();
        let all = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = all.clone();
                std::thread::spawn(move || while serve(&stream, &all).is_some() {});
            }
        });
        Collector { url, heard }
    }

    /// Every span so far.
    fn spans(&self) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        let spans = heard
            .iter()
            .flat_map(|request| request.body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone());
        spans.collect()
    }
}

/// Answers one request; none if no more comes.
fn serve(mut stream: &TcpStream, heard: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    heard.lock().unwrap().push(Request { head, body: serde_json::from_slice(&body).unwrap() });
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}").ok()
}

fn run(project: &Project, collector: &Collector, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let arguments = [&["run", "pipeline.yaml", "--log-format", "json"], arguments].concat();
    let usual = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
    start_with(project, &arguments, &[&usual, variables].concat()).wait()
}

/// The lines of the log. No name is twice in one, which a parser would not say.
fn log(said: &Said) -> Vec<Value> {
    let line = |line: &str| {
        for name in ["timestamp", "level", "message", "target", "node", "run_id", "trace_id", "span_id"] {
            assert!(line.matches(&format!("\"{name}\":")).count() <= 1, "{name} twice in {line}");
        }
        serde_json::from_str(line).unwrap()
    };
    said.stderr.lines().map(line).collect()
}

/// What `run_results.json` of the only run says of each node.
fn statuses(project: &Project) -> (String, BTreeMap<String, String>) {
    let found = files(&project.path("target/patronage"));
    let results: Vec<_> = found.iter().filter(|file| file.ends_with("run_results.json")).collect();
    let [file] = results.as_slice() else { panic!("one run, not {results:?}") };
    let results: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let nodes = results["results"].as_array().unwrap().iter();
    let nodes = nodes.filter(|entry| !text(entry, "unique_id").starts_with("test."));
    let run_id = file.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    (run_id, nodes.map(|entry| (text(entry, "unique_id"), text(entry, "status"))).collect())
}

fn by_name(spans: Vec<Value>) -> BTreeMap<String, Value> {
    let count = spans.len();
    let named: BTreeMap<String, Value> =
        spans.into_iter().map(|span| (span["name"].as_str().unwrap().to_owned(), span)).collect();
    assert_eq!(named.len(), count, "no span comes twice");
    named
}

/// Every line has the ids of the run, and those of its node's span if that is there.
#[track_caller]
fn agrees(log: &[Value], run_id: &str, spans: &BTreeMap<String, Value>, root: &str) {
    for line in log {
        assert_eq!(line["run_id"], run_id, "{line}");
        assert_eq!(line["trace_id"], spans[root]["traceId"], "{line}");
        let span = line["node"].as_str().and_then(|node| spans.get(node)).unwrap_or(&spans[root]);
        assert_eq!(line["span_id"], span["spanId"], "{line}");
    }
}

#[test]
fn a_run_is_a_trace_and_the_log_has_its_ids() {
    let (project, collector) = (Project::shop(), Collector::start());
    let variables = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cret%20key"),
        ("OTEL_SERVICE_NAME", "shop nights"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
    ];
    let said = run(&project, &collector, &["--log-level", "debug"], &variables).ends(0);
    let (run_id, nodes) = statuses(&project);
    let spans = by_name(collector.spans());
    let ran: BTreeSet<&str> = nodes.keys().map(String::as_str).chain(["shop"]).collect();
    assert_eq!(spans.keys().map(String::as_str).collect::<BTreeSet<_>>(), ran);
    let root = &spans["shop"];
    assert_eq!((&root["traceId"], &root["parentSpanId"]), (&run_id.replace('-', "").into(), &"".into()));
    for (name, span) in spans.iter().filter(|(name, _)| *name != "shop") {
        assert_eq!(span["parentSpanId"], root["spanId"], "{name}");
        assert!(span["status"].is_null(), "{name}");
    }
    agrees(&log(&said), &run_id, &spans, "shop");
    let heard = collector.heard.lock().unwrap();
    for request in heard.iter() {
        assert!(request.head.starts_with("post /v1/traces http/1.1"), "{}", request.head);
        assert!(request.head.contains("api-key: s3cret key"), "{}", request.head);
        let resource = request.body["resourceSpans"][0]["resource"]["attributes"].to_string();
        for wanted in ["shop nights", "deployment.environment.name", "service.version"] {
            assert!(resource.contains(wanted), "{resource}");
        }
    }
    assert!(!said.stderr.contains("s3cret"), "{}", said.stderr);
}

#[test]
fn a_failure_has_a_status_below_the_trace_that_started_the_run() {
    let (project, collector) = (Project::shop(), Collector::start());
    project.edit("- {not_null: [customer, at]}", "- {rows: {min: 1000}}");
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let said = run(&project, &collector, &[], &[("TRACEPARENT", &parent)]).ends(65);
    let (run_id, nodes) = statuses(&project);
    let spans = by_name(collector.spans());
    assert_eq!(nodes["stage.kept"], "skipped");
    assert_eq!(spans.keys().collect::<Vec<_>>(), ["shop", "source.sales"]);
    let (root, source) = (&spans["shop"], &spans["source.sales"]);
    assert_eq!((&root["traceId"], &root["parentSpanId"]), (&TRACE.into(), &PARENT.into()));
    assert_eq!((&source["traceId"], &source["parentSpanId"]), (&TRACE.into(), &root["spanId"]));
    assert_eq!((&root["status"]["code"], &source["status"]["code"]), (&2.into(), &2.into()));
    assert_eq!(root["status"]["message"], "failed: source.sales");
    let blocked = root["events"].as_array().unwrap().iter().filter(|event| event["name"] == "blocked").count();
    assert_eq!(blocked, nodes.len() - 1);
    agrees(&log(&said), &run_id, &spans, "shop");
    // What is printed of the failure once the run has ended is a line of it, too.
    assert!(log(&said).iter().any(|line| line.get("target").is_none()), "{}", said.stderr);
}

#[test]
fn who_is_not_asked_or_not_there_is_told_nothing() {
    let (project, collector) = (Project::shop(), Collector::start());
    let full = &["--full-refresh"][..];
    for variables in [
        &[("OTEL_SDK_DISABLED", "true")][..],
        &[("OTEL_TRACES_EXPORTER", "none")],
        &[("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")],
    ] {
        let said = run(&project, &collector, full, variables).ends(0);
        assert!(log(&said).iter().all(|line| line["level"] == "INFO"), "{}", said.stderr);
    }
    let warned = |variables: &[(&str, &str)]| {
        let lines = log(&run(&project, &collector, full, variables).ends(0));
        let warnings: Vec<String> = lines
            .iter()
            .filter(|line| line["level"] == "WARN")
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect();
        let [warning] = warnings.as_slice() else { panic!("one warning, not {warnings:?}") };
        warning.clone()
    };
    assert!(warned(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).contains("OTEL_EXPORTER_OTLP_PROTOCOL is `grpc`"));
    let away = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_EXPORTER_OTLP_HEADERS", "k=s3cret")];
    assert_eq!(warned(&away), "failed to send traces to 127.0.0.1: no connection; no more are sent");
    assert!(collector.spans().is_empty());
    assert!(warned(&[("TRACEPARENT", "00-0-0-01")]).starts_with("TRACEPARENT is no trace context"));
    assert!(!collector.spans().is_empty(), "it counts as not there");
}

#[test]
fn runs_of_one_process_are_traces_of_their_own() {
    let (project, collector) = (Project::shop(), Collector::start());
    let dates = ["--from", "2024-04-01", "--to", "2024-06-01", "--every", "1M", "--parallel", "3"];
    let said = run(&project, &collector, &dates, &[]).ends(0);
    let mut traces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for span in collector.spans() {
        traces.entry(span["traceId"].as_str().unwrap().to_owned()).or_default().push(span);
    }
    assert_eq!(traces.len(), 3);
    let log = log(&said);
    let mut told = 0;
    for (trace, spans) in traces {
        let lines: Vec<Value> = log.iter().filter(|line| line["trace_id"] == *trace).cloned().collect();
        told += lines.len();
        let run_id = lines[0]["run_id"].as_str().unwrap();
        assert_eq!(run_id.replace('-', ""), trace);
        agrees(&lines, run_id, &by_name(spans), "shop");
    }
    assert_eq!(told, log.len(), "every line is of one of the runs");
}
