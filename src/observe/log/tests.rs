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
