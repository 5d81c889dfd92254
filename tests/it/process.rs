//! The program while it runs: started, signalled, waited for.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{Project, Said, integers, program};

/// What a run has to have ended within after SIGTERM.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

pub struct Running(Child);

/// Starts the program in a project's directory.
pub fn start(project: &Project, arguments: &[&str]) -> Running {
    start_with(project, arguments, &[])
}

/// The same, with environment variables.
pub fn start_with(project: &Project, arguments: &[&str], variables: &[(&str, &str)]) -> Running {
    let mut command = program();
    command.args(arguments).envs(variables.iter().copied()).current_dir(project.root());
    Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts"))
}

impl Running {
    /// Sends a signal by its name; whether the process was still there.
    pub fn signal(&self, name: &str) -> bool {
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).output();
        sent.expect("kill").status.success()
    }

    /// How it ended; who is ended by a signal counts as the shell counts it.
    pub fn wait(self) -> Said {
        let output = self.0.wait_with_output().expect("an output");
        match output.status.signal() {
            Some(signal) => {
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                Said { code: 128 + signal, stdout: String::new(), stderr }
            }
            None => Said::of(output),
        }
    }

    /// Waits for one that was killed.
    pub fn wait_for_death(mut self) {
        self.0.wait().expect("a status");
    }

    /// Sends a signal; it must end with this code within [`STOP_WITHIN`].
    #[track_caller]
    pub fn stop(self, name: &str, code: i32) -> Said {
        let clock = Instant::now();
        assert!(self.signal(name), "it has ended before it could be stopped");
        let said = self.wait().ends(code);
        assert!(clock.elapsed() < STOP_WITHIN, "it took {:?} to stop", clock.elapsed());
        said
    }
}

/// Waits until something is so; a minute is far more than it takes.
#[track_caller]
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let clock = Instant::now();
    while !is_so() {
        assert!(clock.elapsed() < Duration::from_secs(60), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The directories of runs.
pub fn runs(project: &Project) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project.path("target/patronage")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.join("manifest.json").is_file()).collect();
    found.sort();
    found
}

pub fn json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every artifact of a run that was stopped is there, and its results have every key.
#[track_caller]
pub fn assert_flushed(run: &Path) {
    for name in ["manifest.json", "run_results.json", "report.json", "report.html", "report.parquet", "events.ndjson"] {
        assert!(run.join(name).metadata().is_ok_and(|found| found.len() > 0), "{name} in {}", run.display());
    }
    assert_results(run);
    let events = std::fs::read_to_string(run.join("events.ndjson")).expect("the events");
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["eventType"].as_str()).collect();
    let starts = kinds.iter().filter(|kind| **kind == "START").count();
    assert_eq!(kinds.len(), 2 * starts, "every START has its end: {kinds:?}");
}

/// `run_results.json` is whole: every key that dbt's has, of every node.
#[track_caller]
pub fn assert_results(run: &Path) {
    let results = json(&run.join("run_results.json"));
    for key in ["metadata", "results", "elapsed_time", "args"] {
        assert!(results.get(key).is_some(), "{key}");
    }
    for entry in results["results"].as_array().expect("a list") {
        for key in [
            "status",
            "timing",
            "thread_id",
            "execution_time",
            "adapter_response",
            "message",
            "failures",
            "unique_id",
            "compiled",
            "compiled_code",
            "relation_name",
            "batch_results",
        ] {
            assert!(entry.get(key).is_some(), "{key} in {entry:#}");
        }
    }
}

/// The status of each node of a run, by id.
pub fn statuses(run: &Path) -> Vec<(String, String)> {
    let results = json(&run.join("run_results.json"));
    let text = |entry: &Value, key: &str| entry[key].as_str().expect(key).to_owned();
    let entries = results["results"].as_array().expect("a list");
    entries.iter().map(|entry| (text(entry, "unique_id"), text(entry, "status"))).collect()
}

/// Files and directories that only an unfinished run has.
pub fn litter(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if name.contains(".tmp-") || name.ends_with(".tmp") || name == "scratch" {
            found.push(path);
        } else if path.is_dir() {
            found.extend(litter(&path));
        }
    }
    found.sort();
    found
}

/// Adds to the shop a stage `slow`, after all others: a query that polars computes for minutes, in little memory.
pub fn slow(project: &Project) {
    let nested = |k: i32| (0..8).fold(format!("a.number + b.number + {k}.5"), |inner, _| format!("EXP(LN({inner}))"));
    let sums: Vec<String> = (0..40).map(|k| format!("SUM({}) AS total_{k}", nested(k))).collect();
    let query = format!("SELECT a.number, {} FROM numbers a CROSS JOIN numbers b GROUP BY a.number", sums.join(", "));
    let columns = "columns: {number: int64}";
    project.edit(
        "stages:\n",
        &format!(
            "  numbers: {{path: \"${{lake}}/numbers.parquet\", static: true, {columns}}}\nstages:\n  - id: slow\n    \
             stage: sql\n    inputs: {{numbers: numbers, more: scores}}\n    with: {{query: \"{query}\"}}\n"
        ),
    );
    project.edit("publish:\n", "publish:\n  slow: {from: slow, to: \"${warehouse}/slow\"}\n");
    project.write_parquet("data/numbers.parquet", vec![integers("number", &(1..=3000).collect::<Vec<_>>())]);
}

/// Waits until the stage `slow` is being computed.
#[track_caller]
pub fn until_slow(project: &Project) {
    // It starts as soon as what it reads is there, and leaves nothing before it is done.
    let scores = project.path("target/patronage/tables/shop/scores");
    until("the slow stage is computed", || scores.is_dir() && litter(&scores).is_empty());
    std::thread::sleep(Duration::from_millis(300));
}
