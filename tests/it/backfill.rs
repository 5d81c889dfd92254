//! Many run dates in one go: which, in which order, and what is not done twice.

use polars::prelude::DataFrame;

use super::support::{Project, Said, files, floats, hours_of_2024, integers, read_parquet};

const SPEND: &str = "name: shop
sources:
  sales:
    path: ${lake}/sales.parquet
    event_time: at
    columns: {customer_id: int64, at: datetime, amount: float64}
stages:
  - id: customers
    stage: features
    inputs: {events: sales}
    with:
      entity: customer_id
      time: at
      snapshots: {every: 30d, count: 1}
      features: {spend: SUM(amount)}
publish:
  spend: {from: customers, to: '${warehouse}/spend'}
";

fn shop() -> Project {
    let project = Project::new(SPEND);
    let columns = [integers("customer_id", &[1, 2, 1]), floats("amount", &[10.0, 20.0, 5.0])];
    // The tenth of January, February and March.
    let sales = columns.into_iter().chain([hours_of_2024("at", &[9 * 24, 40 * 24, 69 * 24])]).collect();
    project.write_parquet("data/sales.parquet", sales);
    project
}

fn backfill(project: &Project, arguments: &[&str]) -> Said {
    project.on_pipeline("run", &[&["--from", "2024-02-01", "--to", "2024-04-01"], arguments].concat())
}

/// What is published of a run date.
fn published(project: &Project, date: &str) -> DataFrame {
    let partition = files(&project.path(&format!("target/warehouse/spend/run_date={date}")));
    let file = partition.iter().find(|file| file.extension().is_some_and(|ending| ending == "parquet"));
    read_parquet(file.expect("a published file"))
}

#[test]
fn each_date_is_published_as_a_run_of_its_own_would() {
    let (many, single) = (shop(), shop());
    let said = backfill(&many, &["--every", "1M"]).ends(0);
    assert!(said.stdout.starts_with("shop 2024-02-01 to 2024-04-01: 3 of 3 run dates done.\n"), "{}", said.stdout);
    for date in ["2024-02-01", "2024-03-01", "2024-04-01"] {
        single.run(0, &["--run-date", date]);
        assert_eq!(published(&many, date), published(&single, date), "{date}");
    }
}

#[test]
fn what_is_published_is_passed_over_even_if_its_tables_are_gone() {
    let project = shop();
    backfill(&project, &["--every", "1M"]).ends(0);
    std::fs::remove_dir_all(project.path("target/patronage/tables")).unwrap();
    std::fs::remove_dir_all(project.path("target/warehouse/spend/run_date=2024-03-01")).unwrap();
    let said = backfill(&project, &["--every", "1M", "--parallel", "3"]).ends(0);
    assert_eq!(said.stdout.matches("published already").count(), 2, "{}", said.stdout);
    assert_eq!(published(&project, "2024-03-01").height(), 2);
    let again = backfill(&project, &["--every", "1M", "--full-refresh"]).ends(0);
    assert!(!again.stdout.contains("published already"), "{}", again.stdout);
}

#[test]
fn nights_that_depend_on_each_other_stop_at_the_first_that_fails() {
    let project = shop();
    project.edit("    columns: {customer_id", "    checks: [{rows: {change_max: 0.9}}]\n    columns: {customer_id");
    backfill(&project, &["--every", "1M", "--parallel", "2"]).ends(2);
    project.edit("change_max: 0.9", "change_max: 0.9, min: 2");
    let said = backfill(&project, &["--every", "1M"]).ends(65);
    assert_eq!(said.stdout.matches("not begun").count(), 2, "{}", said.stdout);
    // Without a check that compares, the others go on.
    project.edit("change_max: 0.9, ", "");
    let said = backfill(&project, &["--every", "1M"]).ends(65);
    assert!(said.stdout.contains("2 of 3 run dates done"), "{}", said.stdout);
    let stopped = backfill(&project, &["--every", "1M", "--fail-fast"]).ends(65);
    assert_eq!(stopped.stdout.matches("not begun").count(), 2, "{}", stopped.stdout);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let project = shop();
    for (arguments, word) in [
        (["--every", "1y"], "--every"),
        (["--every", "0d"], "--every"),
        (["--parallel", "0"], "--parallel"),
        (["--junit", "x.xml"], "--junit"),
        (["--run-date", "2024-02-01"], "--run-date"),
    ] {
        let said = backfill(&project, &arguments).ends(2);
        assert!(said.stderr.contains(word), "{}", said.stderr);
    }
    assert!(!project.path("target").exists());
}
