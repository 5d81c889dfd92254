//! One source in several files: a glob, a directory, Hive partitions.

use super::support::{Project, floats, hours_of_2024, integers, texts};

/// Ten sales of one customer from `first`, one each 50 hours.
fn ten_sales(project: &Project, file: &str, first: i64) {
    let rows: Vec<i64> = (first..first + 10).collect();
    let hours: Vec<i64> = rows.iter().map(|row| row * 50).collect();
    let amounts: Vec<f64> = rows.iter().map(|row| *row as f64).collect();
    let columns = vec![
        integers("customer", &rows.iter().map(|row| row % 3).collect::<Vec<i64>>()),
        texts("item", &["tea"; 10]),
        hours_of_2024("at", &hours),
        floats("amount", &amounts),
    ];
    project.write_parquet(file, columns);
}

/// What `customers` gives, as shown.
fn shown(project: &Project) -> String {
    project.run(0, &[]);
    project.on_pipeline("show", &["customers", "-n", "99", "--unmask"]).ends(0).stdout
}

#[test]
fn a_source_of_several_files_gives_what_one_file_gives() {
    let mut all = Vec::new();
    for (path, names) in [
        ("${lake}/*.parquet", ["data/a.parquet", "data/b.parquet", "data/c.parquet"]),
        ("${lake}", ["data/1.parquet", "data/deep/2.parquet", "data/deep/3.parquet"]),
        ("${lake}/", ["data/month=1/x.parquet", "data/month=2/x.parquet", "data/month=2/y.parquet"]),
        ("${lake}/month=*/*.parquet", ["data/month=1/x.parquet", "data/month=2/x.parquet", "data/month=2/y.parquet"]),
    ] {
        let project = Project::shop();
        project.edit("${lake}/sales.parquet", path);
        std::fs::remove_file(project.path("data/sales.parquet")).unwrap();
        for (index, name) in names.iter().enumerate() {
            ten_sales(&project, name, 10 * index as i64);
        }
        // What starts with `_` or `.`, and what is no Parquet file, is not the source's.
        project.write("data/_temporary/d.parquet", "half written");
        project.write("data/.d.parquet", "half written");
        project.write("data/README.txt", "sales");
        all.push(shown(&project));
    }
    assert!(all[0].lines().count() > 6, "{}", all[0]);
    assert!(all.iter().all(|one| *one == all[0]), "{}", all.join("\n"));
}

#[test]
fn the_key_of_a_hive_partition_is_a_column() {
    let project = Project::shop();
    project.edit("${lake}/sales.parquet", "${lake}");
    project.edit("      item: string\n", "      item: string\n      month: int32\n");
    project.edit("SELECT * FROM sales WHERE amount <> 0", "SELECT * FROM sales WHERE month = 2");
    std::fs::remove_file(project.path("data/sales.parquet")).unwrap();
    ten_sales(&project, "data/month=1/a.parquet", 0);
    ten_sales(&project, "data/month=2/a.parquet", 10);
    project.run(0, &[]);
    let kept = project.on_pipeline("show", &["kept", "-n", "99"]).ends(0).stdout;
    assert_eq!(kept.lines().count(), 1 + 10, "{kept}");
    assert!(kept.lines().skip(1).all(|line| line.contains("  2  ")), "{kept}");
}

#[test]
fn a_new_file_is_noticed() {
    let project = Project::shop();
    project.edit("${lake}/sales.parquet", "${lake}/*.parquet");
    project.run(0, &[]);
    ten_sales(&project, "data/more.parquet", 3);
    let ran = project.run(0, &[]);
    assert_eq!(ran.with_status("no-op"), Vec::<String>::new());
    let plan = project.on_pipeline("plan", &["--full-refresh"]).ends(0).stdout;
    assert!(plan.contains("--full-refresh"), "{plan}");
}

#[test]
fn a_source_may_be_what_another_pipeline_published() {
    let project = Project::shop();
    project.run(0, &["--run-date", "2024-05-01"]);
    project.run(0, &[]);
    // A leftover of a run that never committed is not read.
    std::fs::copy(
        project.path("data/sales.parquet"),
        project.path("out/scores/run_date=2024-06-01/part-00000-old.parquet"),
    )
    .unwrap();
    let reader = "name: reader
sources:
  scores:
    path: out/scores
    key: [customer, run_date]
    columns: {customer: int64, run_date: date, favorites_item: string}
stages:
  - id: newest
    stage: sql
    inputs: {scores: scores}
    with: {query: SELECT * FROM scores WHERE run_date = DATE '2024-06-01'}
";
    project.write("reader.yaml", reader);
    let said = project.patronage(&["run", "reader.yaml"]).ends(0);
    assert!(!said.stderr.contains("Polars"), "advice of a library is not for the user: {}", said.stderr);
    let rows = project.patronage(&["show", "reader.yaml", "newest"]).ends(0).stdout;
    assert_eq!(rows.lines().count(), 1 + 4, "{rows}");
    let all = project.patronage(&["show", "reader.yaml", "scores"]).ends(0).stdout;
    assert_eq!(all.lines().count(), 1 + 8, "{all}");
}
