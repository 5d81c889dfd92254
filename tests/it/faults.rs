//! A share of tests/real/faults.py and kills.py: some file-system operations of a run fail, and some runs are killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::run::outputs;
use super::support::{Project, digests, files, program, repository};

const DATE: &str = "2024-06-01";
/// Every so many operations one is made to fail, from a place that differs from way to way.
const STEP: usize = 41;

/// Compiles the library that makes operations fail. A C compiler is there, since the program needs one.
fn library(to: &Path) -> PathBuf {
    let library = to.join("faults.so");
    let arguments = ["-shared", "-fPIC", "-O1", "-o"];
    let source = repository().join("tests/real/faults.c");
    let status = Command::new("cc").args(arguments).arg(&library).arg(source).arg("-ldl").status().unwrap();
    assert!(status.success());
    library
}

/// A state to start from: an older version is published, and the source has changed since.
struct Trial {
    base: Project,
    old: Vec<String>,
    new: Vec<String>,
    outputs: Vec<(String, String)>,
    undisturbed: Duration,
}

impl Trial {
    fn new() -> Trial {
        let base = Project::shop();
        // Of fewer customers than the new version.
        base.write_sales(3);
        base.run(0, &[]);
        let old = published(&base);
        base.write_sales(43);
        let whole = copy(&base);
        let clock = Instant::now();
        whole.run(0, &["--threads", "1"]);
        let undisturbed = clock.elapsed();
        let (new, outputs) = (published(&whole), outputs(&whole).into_iter().collect());
        assert_ne!(old, new);
        Trial { base, old, new, outputs, undisturbed }
    }

    /// A reader finds the old version or the new, and a plain run leaves what an undisturbed one does.
    #[track_caller]
    fn holds(&self, project: &Project, code: Option<i32>, stderr: &str, place: &str) {
        let seen = published(project);
        assert!(seen == self.old || seen == self.new, "{place}: neither the old version nor the new\n{stderr}");
        let typed = code.is_none_or(|code| [0, 1, 65, 74, 75].contains(&code)) && !stderr.contains("panicked");
        assert!(typed && (code != Some(0) || seen == self.new), "{place}: {code:?}\n{stderr}");
        project.run(0, &[]);
        assert_eq!(published(project), self.new, "{place}");
        let after: Vec<(String, String)> = outputs(project).into_iter().collect();
        assert!(after == self.outputs, "{place}: other outputs than of an undisturbed run");
        let left = files(&project.path("out"));
        let commits = left.iter().filter(|path| path.display().to_string().contains("/_commits/2024")).count();
        assert_eq!(left.len() - commits, 4, "{place}: the marker, a file, its manifest, _SUCCESS: {left:#?}");
    }
}

/// With modification times, by which a source is recognized.
fn copy(base: &Project) -> Project {
    let project = Project::new("");
    let status = Command::new("cp").args(["-a", "."]).arg(project.root()).current_dir(base.root()).status().unwrap();
    assert!(status.success());
    project
}

/// The digests that the newest commit names; its files are there and have them.
#[track_caller]
fn published(project: &Project) -> Vec<String> {
    let dataset = project.path("out/scores");
    let commits = files(&dataset.join("_commits").join(DATE));
    let newest =
        commits.iter().rfind(|path| !path.file_name().unwrap().display().to_string().starts_with('.')).unwrap();
    let commit: serde_json::Value = serde_json::from_slice(&std::fs::read(newest).unwrap()).unwrap();
    let found = digests(&dataset);
    let named: Vec<&serde_json::Value> = commit["files"].as_array().unwrap().iter().collect();
    for file in &named {
        assert_eq!(found.get(file["path"].as_str().unwrap()).map(String::as_str), file["sha256"].as_str());
    }
    let visible = files(&dataset.join(format!("run_date={DATE}")));
    let parts =
        visible.iter().filter(|path| path.file_name().unwrap().display().to_string().starts_with("part-")).count();
    assert!(!visible.iter().any(|path| path.ends_with("_SUCCESS")) || parts == named.len(), "{visible:#?}");
    named.iter().map(|file| file["sha256"].as_str().unwrap().to_owned()).collect()
}

fn start(project: &Project) -> Command {
    let mut command = program();
    command.args(["run", "pipeline.yaml", "--threads", "1"]).current_dir(project.root());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn a_failing_operation_leaves_the_old_version_or_the_new() {
    let trial = Trial::new();
    let scratch = tempfile::tempdir().unwrap();
    let library = library(scratch.path());
    let trace = scratch.path().join("trace");
    let run = |project: &Project, way: &str, at: usize| -> (Output, usize) {
        let _ = std::fs::remove_file(&trace);
        let watched = ["out", "target"].map(|name| project.path(name).canonicalize().unwrap().display().to_string());
        let mut command = start(project);
        command.env("LD_PRELOAD", &library).env("FAULT_DIRS", watched.join(":")).env("FAULT_TRACE", &trace);
        let output = command.env("FAULT_AT", at.to_string()).env("FAULT_WAY", way).output().unwrap();
        (output, std::fs::read_to_string(&trace).unwrap().lines().count())
    };
    let (_, operations) = run(&copy(&trial.base), "before", 0);
    assert!(operations > 100, "only {operations} operations were seen");
    for (offset, way) in ["before", "after", "full", "abort"].into_iter().enumerate() {
        for at in (1 + offset * STEP / 4..operations).step_by(STEP) {
            let project = copy(&trial.base);
            let (output, _) = run(&project, way, at);
            let stderr = String::from_utf8_lossy(&output.stderr);
            trial.holds(&project, output.status.code(), &stderr, &format!("{way} {at}"));
        }
    }
}

#[test]
fn a_killed_run_leaves_the_old_version_or_the_new() {
    let trial = Trial::new();
    for moment in 1..=8 {
        let project = copy(&trial.base);
        let mut child = start(&project).spawn().unwrap();
        std::thread::sleep(trial.undisturbed * moment / 8);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        trial.holds(&project, output.status.code(), &stderr, &format!("killed after {moment}/8 of a run"));
    }
}
