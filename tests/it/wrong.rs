//! Wrong pipelines: each folder of `tests/cases/wrong` is a mistake that a user makes.
//!
//! A folder holds `pipeline.yaml`, perhaps an `environment.yaml` (else a small one is used) and an
//! `args.txt` with further arguments, and `expected.txt`: the exit code, then what `patronage
//! validate --offline` writes to stderr, with paths relative to the project. A new case needs no
//! Rust. `UPDATE_EXPECTED=1 cargo test --release --test it wrong` rewrites every `expected.txt`;
//! read what it wrote as a user would before it is kept.

use std::path::{Path, PathBuf};

use super::support::{Project, repository};

const ENVIRONMENT: &str = "lake: data\nrun_date: 2025-01-01\n";

#[test]
fn every_wrong_pipeline_gets_the_expected_code_and_message() {
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut differences = Vec::new();
    for folder in folders() {
        let found = outcome(&folder);
        let file = folder.join("expected.txt");
        if update {
            std::fs::write(&file, &found).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            let name = folder.file_name().unwrap_or_default().display().to_string();
            differences.push(format!("=== {name}\n--- expected\n{expected}\n--- found\n{found}"));
        }
    }
    let count = differences.len();
    assert!(differences.is_empty(), "{count} cases differ\n{}", differences.join("\n"));
}

#[test]
fn every_case_is_refused_with_a_place_and_a_code() {
    for folder in folders() {
        let expected = std::fs::read_to_string(folder.join("expected.txt")).unwrap_or_default();
        let name = folder.display();
        assert!(expected.starts_with("exit 78\n"), "{name}: {expected}");
        assert!(expected.contains(": error[P1"), "{name}: {expected}");
    }
    assert!(folders().len() >= 45);
}

fn folders() -> Vec<PathBuf> {
    let root = repository().join("tests/cases/wrong");
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// `exit <code>`, then stderr.
fn outcome(folder: &Path) -> String {
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let project = Project::new(&read("pipeline.yaml").expect("a pipeline"));
    project.write("configs/local.yaml", &read("environment.yaml").unwrap_or_else(|| ENVIRONMENT.to_owned()));
    let more = read("args.txt").unwrap_or_default();
    let arguments: Vec<&str> = std::iter::once("--offline").chain(more.split_whitespace()).collect();
    let said = project.on_pipeline("validate", &arguments);
    let root = format!("{}/", project.root().display());
    format!("exit {}\n{}", said.code, said.stderr.replace(&root, ""))
}
