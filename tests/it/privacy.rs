//! Data enters: pseudonyms that join, columns that are never read, keys that are never told.

use polars::prelude::DataFrame;

use super::support::{Project, files, floats, hours_of_2024, integers, read_parquet, texts};

const KEY: &str = "0123456789abcdef0123456789abcdef";
/// Python: `"p1_" + base64.b32encode(hmac.new(KEY, b"101", "sha256").digest()[:20]).decode().lower()`.
const OF_101: &str = "p1_b7afudzpvfxcs4qpuzqc45li6fu55xxx";

const PIPELINE: &str = r#"name: shop
on_entry: {direct_id: pseudonymize}
sources:
  sales:
    path: ${lake}/sales.parquet
    event_time: at
    columns:
      customer: {type: int64, class: direct_id}
      at: datetime
      amount: float64
    checks:
      - {range: customer, min: 100, severity: quarantine}
      - {references: customer, in: people.id, severity: quarantine}
  people:
    path: ${lake}/people.parquet
    static: true
    key: [id]
    columns:
      id: {type: string, class: direct_id}
      email: {type: string, class: direct_id, on_entry: drop}
      city: {type: string, class: quasi_id}
    checks:
      - {pattern: id, regex: "[0-9]+"}
stages:
  - id: joined
    stage: sql
    inputs: {sales: sales, people: people}
    with: {query: "SELECT sales.customer AS customer, at, amount, city FROM sales JOIN people ON sales.customer = people.id"}
  - id: customers
    stage: features
    inputs: {events: joined}
    with:
      entity: customer
      time: at
      features: {orders: COUNT(*), spend: SUM(amount), city: MODE(city)}
  - id: segments
    stage: kmeans
    inputs: {features: customers}
    with: {columns: [orders, spend], clusters: 2}
  - id: scores
    stage: scores
    inputs: {entities: customers, tables: [segments]}
    with: {entity: customer}
publish:
  scores: {from: scores, to: "${warehouse}/scores"}
"#;

const ENVIRONMENT: &str = "lake: data\nwarehouse: out\nrun_date: 2024-06-01\n";

/// Ten sales of 101 to 105, one of 99 (out of range) and one of 777 (nobody in `people`).
fn project() -> Project {
    let project = Project::new(PIPELINE);
    environment(&project, 1, "key");
    project.write("key", &format!("{KEY}\n"));
    let customers: Vec<i64> = (0..10).map(|row| 101 + row % 5).chain([99, 777]).collect();
    let amounts: Vec<f64> = (0..12).map(|row| f64::from(row * row)).collect();
    let hours: Vec<i64> = (0..12).map(|row| row * 24).collect();
    let columns = vec![integers("customer", &customers), hours_of_2024("at", &hours), floats("amount", &amounts)];
    project.write_parquet("data/sales.parquet", columns);
    let ids = ["101", "102", "103", "104", "105", "99"];
    let cities = ["Kyiv", "Lima", "Kyiv", "Oslo", "Lima", "Oslo"];
    // There is no `email` in the files: what is dropped on entry is not even looked for.
    project.write_parquet("data/people.parquet", vec![texts("id", &ids), texts("city", &cities)]);
    project
}

fn environment(project: &Project, version: u32, file: &str) {
    let key = format!("pseudonyms: {{version: {version}, key: {{secret: {{file: {file}}}}}}}\n");
    project.write("configs/local.yaml", &format!("{ENVIRONMENT}{key}"));
}

fn strings(frame: &DataFrame, column: &str) -> Vec<String> {
    let column = frame.column(column).unwrap().str().unwrap().clone();
    column.iter().map(|text| text.unwrap().to_owned()).collect()
}

#[test]
fn pseudonyms_of_numbers_and_texts_join() {
    let project = project();
    let ran = project.run(0, &[]);
    let joined = project.table("shop", "joined", "table");
    let mut customers = strings(&joined, "customer");
    assert_eq!(customers.len(), 10);
    assert_eq!(customers.iter().filter(|customer| *customer == OF_101).count(), 2);
    assert!(customers.iter().all(|customer| customer.starts_with("p1_") && customer.len() == 35));
    customers.sort();
    customers.dedup();
    assert_eq!(customers.len(), 5);
    let scores = project.table("shop", "scores", "scores");
    assert_eq!(strings(&scores, "customer"), customers, "string entities go through features, k-means and scores");
    assert!(ran.said.stdout.contains("scores"), "{}", ran.said.stdout);
    let commits = files(&project.path("out/scores/_commits"));
    let commit = commits.iter().find(|path| path.ends_with("000001.json")).expect("a commit");
    let commit = std::fs::read_to_string(commit).unwrap();
    assert!(commit.contains("\"pseudonym\"") && !commit.contains("direct_id"), "{commit}");
}

#[test]
fn rows_that_are_set_aside_have_pseudonyms_too() {
    let project = project();
    let ran = project.run(0, &[]);
    let aside = read_parquet(&ran.directory.join("quarantine/sales.parquet"));
    let customers = strings(&aside, "customer");
    assert_eq!(customers.len(), 2);
    assert!(customers.iter().all(|customer| customer.starts_with("p1_")), "{customers:?}");
    assert_eq!(
        strings(&aside, "_reason"),
        ["range customer min 100", "references customer in people.id"],
        "checks look at the numbers of the files, and what is compared is compared as pseudonyms"
    );
}

#[test]
fn the_key_is_in_no_artifact_and_no_message() {
    let project = project();
    let ran = project.run(0, &[]);
    for file in files(&project.path("target")).into_iter().chain(files(&project.path("out"))) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
        assert!(!found, "{} holds the key", file.display());
    }
    assert!(!ran.said.stdout.contains(KEY) && !ran.said.stderr.contains(KEY));
}

#[test]
fn another_key_or_version_runs_again_and_the_same_does_not() {
    let project = project();
    project.run(0, &[]);
    let again = project.run(0, &[]);
    assert!(again.with_status("success").is_empty(), "{:?}", again.statuses());
    project.write("other", &"f".repeat(64));
    environment(&project, 2, "other");
    let rotated = project.run(0, &[]);
    assert!(rotated.with_status("success").contains(&"stage.joined".to_owned()));
    let results = rotated.json("run_results.json").to_string();
    assert!(results.contains("the key of its pseudonyms changed"), "{results}");
    let newest = files(&project.path("target/patronage/tables/shop/scores"));
    let versions: Vec<String> = newest
        .iter()
        .filter(|path| path.ends_with("scores.parquet"))
        .map(|path| strings(&read_parquet(path), "customer")[0][..3].to_owned())
        .collect();
    assert!(versions.contains(&"p1_".to_owned()) && versions.contains(&"p2_".to_owned()), "{versions:?}");
}

#[test]
fn without_a_good_key_nothing_runs_and_the_place_is_told() {
    let project = project();
    project.write("key", "short\n");
    for command in ["run", "plan", "validate"] {
        let said = project.on_pipeline(command, &[]).ends(78);
        assert!(
            said.stderr.contains("local.yaml:4:40: failed to use the key of pseudonyms: it has 5 bytes"),
            "{}",
            said.stderr
        );
        assert!(said.stderr.contains("error[P160]") && !said.stderr.contains("short"), "{}", said.stderr);
    }
    environment(&project, 1, "nowhere");
    let said = project.on_pipeline("run", &[]).ends(78);
    assert!(said.stderr.contains("nowhere: No such file"), "{}", said.stderr);
    // What looks at no data needs no key.
    project.on_pipeline("validate", &["--offline"]).ends(0);
    assert!(!project.path("target").exists());
}

#[test]
fn by_default_data_is_kept_as_it_is() {
    let project = project();
    project.edit("on_entry: {direct_id: pseudonymize}\n", "");
    project.edit("sales.customer = people.id", "CAST(sales.customer AS VARCHAR) = people.id");
    project.edit("      - {references: customer, in: people.id, severity: quarantine}\n", "");
    project.run(0, &[]);
    let customers = project.table("shop", "joined", "table").column("customer").unwrap().i64().unwrap().to_vec();
    assert!(customers.contains(&Some(101)));
}
