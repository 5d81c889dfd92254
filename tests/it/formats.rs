//! Sources as CSV and newline JSON: the same rows give the same results, whatever they are written in.

use std::fs::File;

use polars::prelude::{CsvWriter, DataFrame, JsonFormat, JsonWriter, SerWriter};

use super::support::{Project, digests, files, read_parquet, repository};

fn transactions() -> DataFrame {
    read_parquet(&repository().join("data/transactions.parquet"))
}

/// The shipped project with its transactions in another format.
fn shipped_as(name: &str, write: impl FnOnce(File, &mut DataFrame)) -> Project {
    let project = Project::shipped();
    std::fs::remove_file(project.path("data/transactions.parquet")).unwrap();
    write(File::create(project.path("data").join(name)).unwrap(), &mut transactions());
    project.edit("${lake}/transactions.parquet", &format!("${{lake}}/{name}"));
    project
}

#[test]
fn the_nightly_pipeline_publishes_the_same_bytes_from_every_format() {
    let of_parquet = Project::shipped();
    let of_csv = shipped_as("transactions.csv", |file, rows| CsvWriter::new(file).finish(rows).unwrap());
    let of_json = shipped_as("transactions.jsonl", |file, rows| {
        JsonWriter::new(file).with_json_format(JsonFormat::JsonLines).finish(rows).unwrap();
    });
    let published = |project: &Project| {
        project.run(0, &[]);
        let parts = digests(&project.path("target/warehouse")).into_iter();
        // Their names hold the run's id, manifests the time.
        let mut parts: Vec<(String, String)> = parts
            .filter(|(name, _)| name.ends_with(".parquet"))
            .map(|(name, digest)| (name.split("/part-").next().unwrap_or_default().to_owned(), digest))
            .collect();
        parts.sort();
        parts
    };
    let wanted = published(&of_parquet);
    assert!(wanted.len() >= 3, "{wanted:?}");
    assert_eq!(published(&of_csv), wanted);
    assert_eq!(published(&of_json), wanted);
}

const PEOPLE: &str = "\
name: people
on_entry: {direct_id: pseudonymize}
sources:
  people:
    path: data/people.csv
    event_time: joined
    columns:
      customer: {type: int64, class: direct_id}
      mail: {type: string, class: direct_id, on_entry: drop}
      joined: date
      age: int8?
    checks:
      - {range: customer, min: 1, severity: quarantine}
stages:
  - id: adults
    stage: sql
    inputs: {people: people}
    with: {query: SELECT * FROM people WHERE age >= 18}
publish:
  adults: {from: adults, to: out}
";

const ROWS: &str = "customer,mail,joined,age\n\
    700700701,ann@example.org,2024-01-01,31\n\
    700700702,bob@example.org,2024-01-02,12\n\
    -700700703,eve@example.org,2024-01-03,40\n\
    700700704,kim@example.org,2024-07-01,50\n";

fn people() -> Project {
    let project = Project::new(PEOPLE);
    let key = "pseudonyms: {version: 1, key: {secret: {file: key}}}\n";
    project.write("configs/local.yaml", &format!("run_date: 2024-06-01\n{key}"));
    project.write("key", "0123456789abcdef0123456789abcdef");
    project.write("data/people.csv", ROWS);
    project
}

#[test]
fn what_enters_from_text_is_pseudonymized_and_dropped_like_any_other() {
    let project = people();
    let ran = project.run(0, &[]);
    let shown = project.on_pipeline("show", &["adults"]).ends(0).stdout;
    assert!(shown.contains("p1_") && shown.lines().count() == 2, "{shown}");
    assert!(ran.said.stdout.contains("1 row"), "{}", ran.said.stdout);
    for file in files(&project.path("target")).into_iter().chain(files(&project.path("out"))) {
        let bytes = std::fs::read(&file).unwrap();
        let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        let leaks = has(b"700700701") || has(b"example.org") || has(&700_700_701_i64.to_le_bytes());
        assert!(!leaks, "{} holds an identifier", file.display());
    }
}

#[test]
fn text_is_read_again_only_when_it_changes() {
    let project = people();
    project.run(0, &[]);
    let second = project.on_pipeline("run", &[]).ends(0).stdout;
    assert!(second.contains("nothing has changed"), "{second}");
    // The dialect is part of what could change the rows.
    project.edit("data/people.csv\n", "data/people.csv\n    csv: {null_values: [\"\", \"12\"]}\n");
    let plan = project.on_pipeline("plan", &[]).ends(0).stdout;
    assert!(!plan.contains("nothing changed"), "{plan}");
    project.write("data/people.csv", &ROWS.replace("31", "32"));
    let ran = project.run(0, &[]);
    assert_eq!(ran.with_status("no-op"), Vec::<String>::new());
}

#[test]
fn the_first_rows_are_shown_before_anything_has_run() {
    let project = people();
    let shown = project.on_pipeline("show", &["people", "-n", "1"]).ends(0).stdout;
    assert!(shown.lines().count() == 2 && shown.contains("2024-01-01"), "{shown}");
    let all = project.on_pipeline("show", &["people"]).ends(0).stdout;
    assert_eq!(all.lines().count(), 3, "the row that is set aside and the later one are not shown: {all}");
    project.write("data/people.csv", &ROWS.replace("12\n", "twelve\n"));
    let said = project.on_pipeline("show", &["people"]).ends(65);
    assert!(said.stderr.contains("`age` is not int8 in 1 row") && !said.stderr.contains("twelve"), "{}", said.stderr);
    project.on_pipeline("validate", &["--offline"]).ends(0);
    project.on_pipeline("validate", &[]).ends(0);
    project.write("data/people.csv", "customer,joined\n");
    let said = project.on_pipeline("validate", &[]).ends(65);
    assert!(said.stderr.contains("it has no column `age`"), "{}", said.stderr);
}

#[test]
fn files_of_another_format_beside_them_are_left_alone() {
    let project = people();
    project.edit("data/people.csv", "data");
    project.edit("    event_time", "    format: csv\n    event_time");
    project.write("data/readme.parquet", "none");
    project.write("data/year=2024/more.csv", "age,joined,customer,mail\n55,2024-05-31,9,x\n");
    project.run(0, &[]);
    let shown = project.on_pipeline("show", &["adults"]).ends(0).stdout;
    assert_eq!(shown.lines().count(), 3, "{shown}");
}
