//! Runs of one date at once: one publishes; the others find the same there, or say that they lost, and leave nothing.

use super::process::{litter, start};
use super::support::{Project, Said, files};

/// As many environments as runs, each with artifacts of its own, so that all of them reach the publication.
fn environments(project: &Project, runs: usize) {
    for run in 0..runs {
        let text = format!("lake: data\nwarehouse: out\nrun_date: 2024-06-01\nartifacts: target/{run}\n");
        project.write(&format!("configs/e{run}.yaml"), &text);
    }
}

/// Starts a run for each environment and pipeline, and waits for all.
fn all_at_once(project: &Project, runs: usize, pipeline: impl Fn(usize) -> String) -> Vec<Said> {
    let running: Vec<_> = (0..runs)
        .map(|run| start(project, &["run", &pipeline(run), "--env", &format!("e{run}"), "--threads", "1"]))
        .collect();
    running.into_iter().map(super::process::Running::wait).collect()
}

fn assert_one_whole_version(project: &Project) {
    project.on_pipeline("verify", &["--all-dates"]).ends(0);
    assert_eq!(litter(project.root()), Vec::<std::path::PathBuf>::new());
    let partition = files(&project.path("out/scores/run_date=2024-06-01"));
    assert_eq!(partition.len(), 3, "a part, a manifest and a marker: {partition:?}");
}

#[test]
fn runs_that_would_publish_the_same_all_end_well_with_one_commit() {
    const RUNS: usize = 5;
    let project = Project::shop();
    environments(&project, RUNS);
    for round in 0..3 {
        let _ = std::fs::remove_dir_all(project.path("target"));
        let _ = std::fs::remove_dir_all(project.path("out"));
        for said in all_at_once(&project, RUNS, |_| "pipeline.yaml".to_owned()) {
            said.ends(0);
        }
        assert_one_whole_version(&project);
        let commits = files(&project.path("out/scores/_commits/2024-06-01"));
        assert_eq!(commits.len(), 1, "round {round}: {commits:?}");
    }
}

#[test]
fn runs_that_would_publish_other_rows_win_or_end_with_75() {
    const RUNS: usize = 5;
    let project = Project::shop();
    environments(&project, RUNS);
    let text = std::fs::read_to_string(project.path("pipeline.yaml")).unwrap();
    for run in 0..RUNS {
        let other = text.replace("amount <> 0", &format!("amount <> {run}"));
        project.write(&format!("pipeline{run}.yaml"), &other);
    }
    for _ in 0..3 {
        let _ = std::fs::remove_dir_all(project.path("target"));
        let all = all_at_once(&project, RUNS, |run| format!("pipeline{run}.yaml"));
        assert!(all.iter().any(|said| said.code == 0), "{all:#?}");
        for said in all {
            assert!(said.code == 0 || (said.code == 75 && said.stderr.contains("error[R222]")), "{said:#?}");
        }
        assert_one_whole_version(&project);
    }
}

/// In one directory of artifacts, and all of them writing every table anew.
#[test]
fn refreshes_at_once_do_not_take_each_others_tables_away() {
    let project = Project::shop();
    project.run(0, &[]);
    for _ in 0..3 {
        let running: Vec<_> = (0..4).map(|_| start(&project, &["run", "pipeline.yaml", "--full-refresh"])).collect();
        for running in running {
            running.wait().ends(0);
        }
        project.on_pipeline("verify", &[]).ends(0);
    }
    project.run(0, &[]);
    assert_eq!(litter(project.root()), Vec::<std::path::PathBuf>::new());
}
