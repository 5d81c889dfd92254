//! A run with a memory limit: it does with less, refuses what cannot fit, or ends in its own words.

#![cfg(target_os = "linux")]

use std::path::PathBuf;

use super::process::{assert_flushed, runs};
use super::support::{Project, digests, floats, hours_of_2024, integers};

/// Purchases of as many customers, one each, in a file.
fn crowd(customers: i64) -> Project {
    let names: Vec<String> = (0..24).map(|n| format!("      f{n}: SUM(amount) + {n}\n")).collect();
    let columns: Vec<String> = (0..24).map(|n| format!("f{n}")).collect();
    let project = Project::new(&format!(
        "name: crowd
sources:
  sales: {{path: \"${{lake}}/sales.parquet\", event_time: at, columns: {{customer: int64, at: datetime, amount: float64}}}}
stages:
  - id: customers
    stage: features
    inputs: {{events: sales}}
    with:
      entity: customer
      time: at
      features:
  {}
  - id: groups
    stage: kmeans
    inputs: {{features: customers}}
    with: {{columns: [{}], clusters: 2, restarts: 1}}
publish:
  groups: {{from: groups, to: \"${{warehouse}}/groups\"}}
",
        names.join("  ").trim_end(),
        columns.join(", ")
    ));
    project.write("configs/local.yaml", "lake: data\nwarehouse: out\nrun_date: 2024-06-01\n");
    let rows: Vec<i64> = (0..customers).collect();
    let hours: Vec<i64> = rows.iter().map(|row| row % 2000).collect();
    let amounts: Vec<f64> = rows.iter().map(|row| (row * 37 % 1000) as f64 / 8.0).collect();
    project.write_parquet(
        "data/sales.parquet",
        vec![integers("customer", &rows), hours_of_2024("at", &hours), floats("amount", &amounts)],
    );
    project
}

fn tables(project: &Project) -> Vec<String> {
    let found = digests(&project.path("target/patronage/tables/crowd/customers"));
    found.into_iter().filter(|(name, _)| name.ends_with(".parquet")).map(|(_, digest)| digest).collect()
}

#[test]
fn features_do_with_less_and_what_cannot_fit_is_refused_beforehand() {
    let project = crowd(700_000);
    project.run(0, &["--select", "+customers"]);
    let free = tables(&project);
    std::fs::remove_dir_all(project.path("target")).unwrap();

    project.run(0, &["--select", "+customers", "--memory-limit", "400MiB"]);
    assert_eq!(tables(&project), free, "the same bytes");
    let manifest = super::process::json(&runs(&project)[0].join("manifest.json"));
    let limit = manifest["metadata"]["memory_limit_bytes"].as_u64().unwrap();
    assert!(limit <= 400 << 20, "{limit}");

    // 700,000 rows of 24 columns, three times.
    let ran = project.run(1, &["--memory-limit", "380MiB"]);
    let stderr = &ran.said.stderr;
    assert!(stderr.contains("error[R214]") && stderr.contains("it was not started"), "{stderr}");
    assert!(stderr.contains("403 MB") && stderr.contains("--memory-limit"), "estimate and limit: {stderr}");
    assert!(!project.path("out").exists());
}

#[test]
fn a_query_that_outgrows_the_limit_ends_with_r214_and_its_artifacts() {
    let project = Project::shop();
    project.write_parquet("data/numbers.parquet", vec![integers("number", &(1..=6000).collect::<Vec<_>>())]);
    let source = "  numbers: {path: \"${lake}/numbers.parquet\", static: true, columns: {number: int64}}\n";
    let query = "SELECT a.number, b.number AS other FROM numbers a CROSS JOIN numbers b ORDER BY other, a.number";
    let pairs = format!("  - {{id: pairs, stage: sql, inputs: {{numbers: numbers}}, with: {{query: \"{query}\"}}}}\n");
    project.edit("stages:\n", &format!("{source}stages:\n{pairs}"));
    let said = project.on_pipeline("run", &["--memory-limit", "300MiB"]).ends(1);
    assert!(said.stderr.contains("error[R214]") && said.stderr.contains("300 MiB"), "{}", said.stderr);
    let found: Vec<PathBuf> = runs(&project);
    assert_flushed(&found[0]);
    assert!(!project.path("out").exists(), "nothing is published");
}
