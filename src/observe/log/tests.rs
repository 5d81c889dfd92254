use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::with_default;

use super::*;
use crate::observe::sample;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log(format: Format, level: LevelFilter, color: bool) -> String {
    let page = Page::default();
    let sink = page.clone();
    let subscriber = subscriber(filter(level, None).unwrap(), format, color, move || sink.clone());
    with_default(subscriber, || {
        let listener = LogListener::default();
        for event in sample::events() {
            listener.on_event(&event);
        }
        tracing::info!(target: "polars", "not ours");
        tracing::warn!(target: "polars", "not ours either");
    });
    let bytes = page.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn lines_for_people() {
    let text = log(Format::Text, LevelFilter::INFO, false);
    // The first nine bytes are the time of day.
    let lines: Vec<&str> = text.lines().map(|line| &line[9..]).collect();
    let wanted = [
        "nightly                    started   run_date=2011-12-10 nodes=5 run_id=019b0e5c-7d1a-7cc3-98c4-dc0c0c07398f",
        "source.transactions        skipped   unchanged",
        "stage.sales                done         52,000 rows    0.41 s  126,214 rows/s",
        "stage.customers            warning: a snapshot has no labels",
        "stage.customers            error: failed    0.41 s  code=stage_failed column `spend` is [31mmissing",
        "stage.scores               warning: blocked  stage.customers failed",
        "error: the run failed    1.50 s  run_id=019b0e5c-7d1a-7cc3-98c4-dc0c0c07398f",
        "polars                     warning: not ours either",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn objects_for_programs() {
    let text = log(Format::Json, LevelFilter::INFO, false);
    let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 8);
    let done = &objects[2];
    assert_eq!(done["level"], "INFO");
    assert_eq!(done["message"], "done");
    assert_eq!(done["node"], "stage.sales");
    assert_eq!(done["rows"], 52_000);
    assert_eq!(done["elapsed_seconds"], 0.412);
    assert_eq!(done["rows_per_second"], 126_214);
    assert!(done.get("ports").is_none());
}

#[test]
fn level_and_color() {
    assert!(log(Format::Text, LevelFilter::DEBUG, false).contains("stage.sales                started"));
    assert_eq!(log(Format::Text, LevelFilter::ERROR, false).lines().count(), 2);
    assert_eq!(log(Format::Text, LevelFilter::OFF, false), "");
    let colored = log(Format::Text, LevelFilter::ERROR, true);
    assert!(colored.contains("\u{1b}[31m") && colored.ends_with("\u{1b}[0m\n"));
}

#[test]
fn the_variable_overrides_the_level() {
    assert_eq!(filter(LevelFilter::INFO, Some("debug")).unwrap().to_string(), "debug");
    assert_eq!(filter(LevelFilter::INFO, Some(" ")).unwrap().to_string(), "patronage=info,warn");
    let error = filter(LevelFilter::INFO, Some("patronage=loud")).unwrap_err();
    assert!(error.to_string().starts_with("read the filter in PATRONAGE_LOG: "), "{error}");
}

#[test]
fn a_long_stage_says_now_and_then_that_it_runs() {
    let told = |live: bool| {
        let page = Page::default();
        let sink = page.clone();
        let subscriber =
            subscriber(filter(LevelFilter::INFO, None).unwrap(), Format::Text, false, move || sink.clone());
        with_default(subscriber, || {
            let listener = LogListener::new(live);
            for (seconds, rows) in [(1, None), (29, None), (31, None), (45, Some(90)), (61, Some(1220)), (62, Some(9))]
            {
                let elapsed = Duration::from_secs(seconds);
                listener.on_event(&Event::NodeProgress { node: sample::node("stage.slow", "als"), rows, elapsed });
            }
        });
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    };
    let text = told(false);
    let lines: Vec<&str> = text.lines().map(|line| &line[9..]).collect();
    let wanted = [
        "stage.slow                 running     31.0 s",
        "stage.slow                 running       1,220 rows 1 min 01 s  20 rows/s",
    ];
    assert_eq!(lines, wanted);
    assert_eq!(told(true), "");
}

/// The lines that `work` logs inside of a run, at a level as high as can be.
fn objects_of(work: impl FnOnce()) -> Vec<serde_json::Value> {
    let page = Page::default();
    let sink = page.clone();
    let filter = filter(LevelFilter::INFO, Some("warn,patronage=off,patronage::observe=debug")).unwrap();
    with_default(subscriber(filter, Format::Json, false, move || sink.clone()), || {
        crate::events::scope::run(sample::RUN_ID).in_scope(work);
    });
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    let object = |line: &str| {
        for name in ["timestamp", "level", "target", "message", "run_id", "trace_id", "span_id", "node"] {
            assert!(line.matches(&format!("\"{name}\":")).count() <= 1, "{name} twice in {line}");
        }
        serde_json::from_str(line).unwrap()
    };
    text.lines().map(object).collect()
}

#[test]
fn objects_bear_the_ids_of_run_and_node() {
    use crate::observe::trace_context::{hex, span_id};

    let objects = objects_of(|| {
        let listener = LogListener::default();
        sample::events().iter().for_each(|event| listener.on_event(event));
        listener.on_event(&Event::Warning { node: Some(sample::node("stage.sales", "sql")), message: "late".into() });
    });
    let span = |node: Option<&str>| hex(&span_id(sample::RUN_ID, node));
    for object in &objects {
        assert_eq!(object["run_id"], sample::RUN_ID, "{object}");
        assert_eq!(object["trace_id"], sample::RUN_ID.replace('-', ""), "{object}");
        // What was skipped or blocked has no span of its own.
        let node = object["node"].as_str().filter(|_| object.get("reason").is_none());
        assert_eq!(object["span_id"], span(node), "{object}");
    }
    let nodes: Vec<&str> = objects.iter().filter_map(|object| object["node"].as_str()).collect();
    let failed = ["stage.customers"; 2];
    let wanted = ["source.transactions", "stage.sales", "stage.sales", "stage.customers", "stage.products"];
    assert_eq!(nodes, [&wanted[..], &failed, &["stage.scores", "stage.sales"]].concat());
}

#[test]
fn what_others_log_belongs_to_the_run_too() {
    let objects = objects_of(|| {
        tracing::warn!(target: "polars", run_id = "theirs", trace_id = 7, level = "high", node = "a", "twice");
        let scope = crate::events::scope::node("stage.sales");
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let work = || scope.in_scope(|| tracing::warn!(target: "x", "there"));
        let work = || tracing::dispatcher::with_default(&dispatch, work);
        let there = std::thread::scope(|threads| threads.spawn(work).join());
        there.unwrap();
    });
    let [here, there] = objects.as_slice() else { panic!("{objects:?}") };
    assert_eq!((&here["run_id"], &here["level"], &here["node"]), (&sample::RUN_ID.into(), &"WARN".into(), &"a".into()));
    assert_eq!((&there["run_id"], &there["node"]), (&sample::RUN_ID.into(), &"stage.sales".into()));
    assert_ne!(here["span_id"], there["span_id"]);
}

#[test]
fn of_several_runs_at_work_none_is_guessed() {
    let _runs = ["one", "another"].map(scope::AtWork::new);
    let page = Page::default();
    let sink = page.clone();
    let subscriber = subscriber(filter(LevelFilter::INFO, None).unwrap(), Format::Json, false, move || sink.clone());
    with_default(subscriber, || tracing::warn!(target: "polars", number = -1, share = 0.5, yes = true, "alone"));
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(names, ["timestamp", "level", "message", "number", "share", "yes", "target"]);
    assert_eq!((&object["number"], &object["share"], &object["yes"]), (&(-1).into(), &0.5.into(), &true.into()));
}
