//! Sources as they come: each folder of `tests/cases/input` is a file that is damaged, foreign or odd.
//!
//! A folder holds `pipeline.yaml`, whose stage `out` is shown, `data/` with the files (`make.py` makes those that are no
//! text), and `expected.txt`: the exit code, then the errors that a run tells, or the problems that it went on with and
//! the rows of `out`. A new case needs no Rust. `UPDATE_EXPECTED=1 cargo test --release --test it input` rewrites every
//! `expected.txt`; read what it wrote before it is kept. docs/bad-input.md explains the answers.

use std::path::{Path, PathBuf};

use super::support::{Project, Said, files, repository};

const ENVIRONMENT: &str = "run_date: 2024-06-01\n";

/// What a case may end with: done, data that is wrong, and nothing that calls for the developers.
const TYPED: [i32; 3] = [0, 65, 66];

#[test]
fn every_kind_of_input_gets_the_expected_answer() {
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
fn every_kind_of_input_is_documented() {
    let page = std::fs::read_to_string(repository().join("docs/bad-input.md")).unwrap();
    let undocumented: Vec<String> = folders()
        .iter()
        .filter_map(|folder| folder.file_name()?.to_str().map(str::to_owned))
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(undocumented.is_empty(), "docs/bad-input.md does not mention {undocumented:?}");
}

fn folders() -> Vec<PathBuf> {
    let root = repository().join("tests/cases/input");
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn outcome(folder: &Path) -> String {
    let pipeline = std::fs::read_to_string(folder.join("pipeline.yaml")).expect("a pipeline");
    let project = Project::new(&pipeline);
    project.write("configs/local.yaml", ENVIRONMENT);
    for file in files(&folder.join("data")) {
        let target = project.path("data").join(file.strip_prefix(folder.join("data")).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(&file, target).unwrap();
    }
    let said = project.on_pipeline("run", &["--log-level", "error"]);
    let case = folder.display();
    assert!(TYPED.contains(&said.code), "{case} ends with {}: {}", said.code, said.stderr);
    assert!(!said.stderr.contains("panicked"), "{case}: {}", said.stderr);
    let mut text = format!("exit {}\n{}", said.code, errors(&said));
    if said.code == 0 {
        text.push_str(&problems(&said));
        text.push_str(&project.on_pipeline("show", &["out", "-n", "20", "--unmask"]).ends(0).stdout);
    }
    text.replace(&format!("{}/", project.root().display()), "")
}

/// The lines of stderr that are no log.
fn errors(said: &Said) -> String {
    let lines = said.stderr.lines().filter(|line| line.starts_with("error[") || line.starts_with("  help:"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// What the summary tells of checks.
fn problems(said: &Said) -> String {
    let below = said.stdout.lines().skip_while(|line| *line != "Problems").skip(1);
    below.take_while(|line| !line.is_empty()).map(|line| format!("{}\n", line.trim())).collect()
}
