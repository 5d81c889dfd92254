//! `patronage verify`, and that what it advises mends what it finds.

use std::path::{Path, PathBuf};

use super::support::{Project, Said, files};

const DATES: [&str; 2] = ["2024-05-01", "2024-06-01"];

/// A shop with two published dates.
fn published() -> Project {
    let project = Project::shop();
    for date in DATES {
        project.run(0, &["--run-date", date]);
    }
    project
}

fn part(project: &Project, date: &str) -> PathBuf {
    let all = files(&project.path("out/scores").join(format!("run_date={date}")));
    all.into_iter().find(|path| path.extension().is_some_and(|end| end == "parquet")).expect("a part")
}

fn flip_a_bit(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 8;
    std::fs::write(path, bytes).unwrap();
}

/// Runs what is advised, word for word.
fn follow_advice(project: &Project, said: &Said) {
    let advised: Vec<&str> = said.stdout.lines().filter_map(|line| line.trim().strip_prefix("patronage ")).collect();
    assert!(!advised.is_empty(), "{}", said.stdout);
    for command in advised {
        project.patronage(&command.split(' ').collect::<Vec<_>>()).ends(0);
    }
}

#[test]
fn what_was_published_is_whole() {
    let project = published();
    let one = project.on_pipeline("verify", &[]).ends(0).stdout;
    assert!(one.contains("2024-06-01") && one.contains("whole") && !one.contains("2024-05-01"), "{one}");
    let all = project.on_pipeline("verify", &["--all-dates"]).ends(0).stdout;
    assert_eq!(all.matches("whole").count(), 2, "{all}");
    let may = project.on_pipeline("verify", &["--run-date", "2024-05-01"]).ends(0).stdout;
    assert!(may.contains("2024-05-01"), "{may}");
    // The dataset itself will do.
    assert_eq!(project.patronage(&["verify", "out/scores"]).ends(0).stdout.matches("whole").count(), 2);
}

#[test]
fn what_was_never_published_ends_with_66() {
    let project = published();
    let said = project.on_pipeline("verify", &["--run-date", "2024-01-01"]).ends(66);
    assert!(said.stderr.contains("error[R241]") && said.stderr.contains("2024-01-01"), "{}", said.stderr);
    std::fs::create_dir_all(project.path("empty")).unwrap();
    project.patronage(&["verify", "empty"]).ends(66);
}

#[test]
fn damage_that_no_reader_would_notice_is_found_named_and_mended_as_advised() {
    let project = published();
    let damaged = part(&project, "2024-05-01");
    flip_a_bit(&damaged);
    project.on_pipeline("verify", &[]).ends(0);
    let said = project.on_pipeline("verify", &["--all-dates"]).ends(65);
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert!(said.stdout.contains(name) && said.stdout.contains("SHA-256"), "{}", said.stdout);
    assert!(said.stderr.contains("error[R240]"), "{}", said.stderr);

    // Size and existence are all that an ordinary run looks at.
    project.run(0, &["--run-date", "2024-05-01"]);
    project.on_pipeline("verify", &["--all-dates"]).ends(65);
    follow_advice(&project, &said);
    project.on_pipeline("verify", &["--all-dates"]).ends(0);
    assert!(!damaged.exists(), "it was published again");
}

#[test]
fn a_refresh_that_finds_all_whole_publishes_nothing() {
    let project = published();
    let before = part(&project, "2024-06-01");
    let ran = project.run(0, &["--full-refresh"]);
    assert_eq!(ran.with_status("no-op"), ["publish.scores"]);
    assert_eq!(part(&project, "2024-06-01"), before);
}

#[test]
fn whatever_is_missing_or_lies_about_is_found_and_mended() {
    let project = published();
    let partition = project.path("out/scores/run_date=2024-06-01");
    let dead = "part-00000-000001-0193aaaa.parquet";
    let planted: [(&str, &dyn Fn()); 5] = [
        ("part-00000", &|| std::fs::remove_file(part(&project, "2024-06-01")).unwrap()),
        ("part-00000", &|| std::fs::write(part(&project, "2024-06-01"), "short").unwrap()),
        ("_SUCCESS", &|| std::fs::remove_file(partition.join("_SUCCESS")).unwrap()),
        ("_manifest.json", &|| std::fs::write(partition.join("_manifest.json"), "{}").unwrap()),
        (dead, &|| std::fs::write(partition.join(dead), "left").unwrap()),
    ];
    for (name, plant) in planted {
        plant();
        let said = project.on_pipeline("verify", &[]).ends(65);
        assert!(said.stdout.contains(name), "{name}: {}", said.stdout);
        follow_advice(&project, &said);
        project.on_pipeline("verify", &[]).ends(0);
    }
    // What others put there is theirs.
    std::fs::write(partition.join("notes.txt"), "mine").unwrap();
    let said = project.on_pipeline("verify", &[]).ends(65);
    assert!(said.stdout.contains("notes.txt") && said.stdout.contains("move away"), "{}", said.stdout);
    assert!(!said.stdout.contains("patronage run"), "a run would not help: {}", said.stdout);
}
