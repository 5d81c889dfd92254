//! Signals: whatever the program is doing, it ends in time, with its code, and leaves everything whole.

#![cfg(unix)]

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use super::process::{assert_flushed, assert_results, litter, runs, start, start_with, statuses, until};
use super::support::{Project, files, integers};

/// A query that polars would compute for minutes, in little memory.
fn slow() -> Project {
    let project = Project::shop();
    let nested = (0..40).fold("a.number + b.number + 2.5".to_owned(), |inner, _| format!("EXP(LN({inner}))"));
    let query =
        format!("SELECT a.number, SUM({nested}) AS total FROM numbers a CROSS JOIN numbers b GROUP BY a.number");
    project.edit(
        "stages:\n",
        &format!(
            "  numbers: {{path: \"${{lake}}/numbers.parquet\", static: true, columns: {{number: int64}}}}\nstages:\n  - id: slow\n    stage: sql\n    inputs: {{numbers: numbers, more: scores}}\n    with: {{query: \"{query}\"}}\n"
        ),
    );
    project.edit("publish:\n", "publish:\n  slow: {from: slow, to: \"${warehouse}/slow\"}\n");
    project.write_parquet("data/numbers.parquet", vec![integers("number", &(1..=3000).collect::<Vec<_>>())]);
    project
}

/// The query has been running for a moment.
fn until_slow(project: &Project) {
    until("the stage before the slow one ends", || {
        files(&project.path("target/patronage/tables/shop/scores")).iter().any(|path| path.ends_with("_meta.json"))
    });
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn a_long_query_does_not_hold_the_run() {
    let project = slow();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let running = start(&project, &["run", "pipeline.yaml"]);
        until_slow(&project);
        running.stop(signal, code);
        let run = runs(&project).pop().unwrap();
        assert_flushed(&run);
        let statuses = statuses(&run);
        let status = |id: &str| statuses.iter().find(|(one, _)| one == id).map(|(_, status)| status.as_str());
        assert_eq!((status("stage.slow"), status("publish.slow")), (Some("error"), Some("skipped")), "{statuses:?}");
        let events = std::fs::read_to_string(run.join("events.ndjson")).unwrap();
        assert_eq!(events.matches("\"ABORT\"").count(), 2, "the stage's and the run's: {events}");
        assert!(!project.path("out").exists(), "nothing is published");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let project = slow();
    let running = start(&project, &["run", "pipeline.yaml"]);
    until_slow(&project);
    let clock = std::time::Instant::now();
    assert!(running.signal("TERM"));
    std::thread::sleep(Duration::from_millis(100));
    running.stop("TERM", 143);
    assert!(clock.elapsed() < Duration::from_secs(2), "{:?}", clock.elapsed());
    assert_results(&runs(&project).pop().unwrap());
}

/// Two at once, and SIGINT after SIGTERM: never anything else than their codes.
#[test]
fn signals_at_once_are_no_crash() {
    let project = slow();
    let running = start(&project, &["run", "pipeline.yaml"]);
    until_slow(&project);
    assert!(running.signal("TERM"));
    running.signal("INT");
    let said = running.wait();
    assert!([130, 143].contains(&said.code), "{said:?}");
    assert_results(&runs(&project).pop().unwrap());
}

/// An object store that takes connections and never answers.
#[test]
fn a_store_that_does_not_answer_does_not_hold_the_run() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let held = std::thread::spawn(move || silent.accept().map(|(mut stream, _)| stream.read(&mut [0; 64]).is_ok()));
    let project = Project::shop();
    project.write("configs/local.yaml", "lake: s3://lake\nwarehouse: out\nrun_date: 2024-06-01\n");
    let endpoint = format!("http://{address}");
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let running = start_with(&project, &["run", "pipeline.yaml"], &variables);
    assert!(held.join().unwrap().unwrap(), "the source is being looked at");
    running.stop("TERM", 143);
    let run = runs(&project).pop().unwrap();
    assert_flushed(&run);
    let statuses = statuses(&run);
    assert!(statuses.len() == 6 && statuses.iter().all(|(_, status)| status == "skipped"), "{statuses:?}");
}

#[test]
fn synthesis_stops_and_leaves_nothing() {
    let project = Project::shop();
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let running = start(&project, &["synthesize", "--out", "made", "--customers", "4000000"]);
        let partial = project.path("made/.synthesize.partial/transactions.parquet");
        until("rows are written", || partial.metadata().is_ok_and(|found| found.len() > 0));
        running.stop(signal, code);
        assert_eq!(files(&project.path("made")), Vec::<std::path::PathBuf>::new());
    }
}

/// At any moment of a run, publishing included: what is published is whole or not there, and the next run finishes.
#[test]
fn a_run_stopped_at_any_moment_can_be_finished() {
    let project = Project::shop();
    let clock = std::time::Instant::now();
    project.run(0, &[]);
    let whole = clock.elapsed();
    for step in 0..12 {
        std::fs::remove_dir_all(project.path("target")).unwrap();
        std::fs::remove_dir_all(project.path("out")).unwrap_or_default();
        let running = start(&project, &["run", "pipeline.yaml"]);
        std::thread::sleep(whole * step / 10);
        let reached = running.signal("TERM");
        let said = running.wait();
        // Before it listens, the signal does what signals do; after the end there is nobody to signal.
        assert!(said.code == 143 || said.code == 0, "{step}: {said:?}");
        for run in runs(&project) {
            assert_flushed(&run);
        }
        let published = project.on_pipeline("verify", &[]).code;
        assert!(published == 0 || (published == 66 && reached), "{step}: {published}");
        project.run(0, &[]);
        project.on_pipeline("verify", &[]).ends(0);
        assert_eq!(litter(project.root()), Vec::<std::path::PathBuf>::new());
    }
}
