//! What dead runs leave is cleaned up by the next, what living ones write is not, and what is kept has a bound.

use std::path::PathBuf;

use super::process::{litter, runs, slow, start, until_slow};
use super::support::{Project, files};

fn staged_tables(project: &Project) -> Vec<PathBuf> {
    litter(&project.path("target/patronage/tables"))
}

#[cfg(unix)]
#[test]
fn a_killed_runs_litter_goes_with_the_next_run_and_a_living_ones_stays() {
    let project = Project::shop();
    let pipeline = std::fs::read_to_string(project.path("pipeline.yaml")).unwrap();
    slow(&project);
    let living = start(&project, &["run", "pipeline.yaml", "--threads", "2"]);
    until_slow(&project);
    project.write("pipeline.yaml", &pipeline);
    // What a writer leaves that dies before its directory has a name.
    std::fs::create_dir(project.path("target/patronage/tables/shop/kept/0badcafe.tmp-0")).unwrap();
    let before = staged_tables(&project);
    project.run(0, &["--run-date", "2024-05-01"]);
    let after = staged_tables(&project);
    assert!(before.iter().all(|path| after.contains(path)), "{before:?} is no litter yet: {after:?}");

    assert!(living.signal("KILL"));
    living.wait_for_death();
    assert!(!staged_tables(&project).is_empty(), "it had no time to clean up");
    project.run(0, &[]);
    assert_eq!(litter(project.root()), Vec::<PathBuf>::new());
    project.on_pipeline("verify", &["--all-dates"]).ends(0);
}

#[test]
fn what_is_kept_has_a_bound() {
    let project = Project::shop();
    project.write("configs/local.yaml", "lake: data\nwarehouse: out\nkeep_runs: 3\n");
    project.edit("publish:\n", "gates:\n  scores: {rows: {min: 1}}\npublish:\n");
    let mut counts = Vec::new();
    for day in 1..=9 {
        project.on_pipeline("run", &["--run-date", &format!("2024-05-{day:02}")]).ends(0);
        let all = files(&project.path("target/patronage"));
        let executions = all.iter().filter(|path| path.ends_with("_meta.json")).count();
        let histories = all.iter().filter(|path| path.to_string_lossy().contains("state/rows/")).count();
        counts.push((runs(&project).len(), executions, histories, all.len()));
    }
    assert_eq!(counts[4], counts[8], "{counts:?}");
    // Those kept from before, and the run itself.
    assert_eq!(counts[8].0, 4, "{counts:?}");
    project.on_pipeline("verify", &["--all-dates"]).ends(0);
    let gates = files(&project.path("target/patronage/state/gates"));
    assert_eq!(gates.len(), 4, "{gates:?}");
    // The newest dates can still be compared.
    project.patronage(&["diff"]).ends(0);
    let said = project.patronage(&["run", "pipeline.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
    project.write("configs/local.yaml", "lake: data\nwarehouse: out\nkeep_runs: 0\n");
    let said = project.patronage(&["run", "pipeline.yaml"]).ends(78);
    assert!(said.stderr.contains("keep_runs") || said.stderr.contains("at least 1"), "{}", said.stderr);
}
