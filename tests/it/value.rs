//! What customers are worth, and what is done about it, from one night to the next.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, DataType};

use super::support::{Project, files, read_parquet};

const PIPELINE: &str = "name: worth
seed: 42
sources:
  transactions:
    path: lake/transactions.parquet
    event_time: ordered_at
    columns: {order_id: string, product_id: string, quantity: int32, ordered_at: datetime, unit_price: float64, customer_id: int64?}
stages:
  - id: sales
    stage: sql
    inputs: {transactions: transactions}
    with:
      query: |
        SELECT customer_id, order_id, product_id, ordered_at, quantity, unit_price, quantity * unit_price AS amount
        FROM transactions WHERE customer_id IS NOT NULL AND unit_price > 0
  - id: purchases
    stage: sql
    inputs: {sales: sales}
    with: {query: SELECT * FROM sales WHERE quantity > 0}
  - id: lifetime
    stage: clv
    inputs: {events: sales}
    with: {entity: customer_id, time: ordered_at, amount: amount}
  - id: price_response
    stage: price_sensitivity
    inputs: {events: purchases}
    with: {entity: customer_id, item: product_id, price: unit_price, quantity: quantity, time: ordered_at}
  - id: tiers
    stage: tiers
    inputs: {values: lifetime, price_response: price_response}
    with:
      value: clv
      tiers: {gold: 0.1, silver: 0.3, bronze: rest}
      groups: [{tier: gold, service: priority}, {price_sensitivity: high, offer: five percent}]
  - id: scores
    stage: scores
    inputs: {entities: lifetime, tables: [lifetime, price_response, tiers]}
    with: {entity: customer_id}
  - id: actions
    stage: actions
    inputs: {scores: scores}
    with:
      entity: customer_id
      control_share: 0.2
      rules:
        - {name: call, when: tiers_tier = 'gold', capacity: 20, order_by: lifetime_clv}
        - {name: offer, when: price_response_score > 0.7, offer: five percent}
publish:
  actions: {from: actions, to: out/actions, format: csv}
  scores: {from: scores, to: out/scores}
  lines: {from: actions, to: out/lines, format: ndjson}
";

fn project() -> Project {
    let project = Project::new(PIPELINE);
    project.patronage(&["synthesize", "--customers", "400", "--bad-rows", "0", "--out", "lake"]).ends(0);
    project
}

/// The tables of a port, by run date: what each night gave.
fn nights(project: &Project, stage: &str, port: &str) -> BTreeMap<String, DataFrame> {
    let executions = files(&project.path("target/patronage/tables/worth").join(stage));
    let mut found = BTreeMap::new();
    for path in executions.iter().filter(|path| path.ends_with(format!("{port}.parquet"))) {
        let meta = std::fs::read_to_string(path.with_file_name("_meta.json")).unwrap();
        let meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
        found.insert(meta["parts"]["run_date"].as_str().unwrap().to_owned(), read_parquet(path));
    }
    found
}

fn texts(frame: &DataFrame, column: &str) -> Vec<Option<String>> {
    let column = frame.column(column).unwrap().cast(&DataType::String).unwrap();
    column.str().unwrap().iter().map(|text| text.map(str::to_owned)).collect()
}

fn by_customer(frame: &DataFrame, column: &str) -> BTreeMap<String, Option<String>> {
    texts(frame, "customer_id").into_iter().flatten().zip(texts(frame, column)).collect()
}

#[test]
fn a_night_continues_the_one_before() {
    let project = project();
    project.run(0, &["--run-date", "2024-12-01"]);
    project.run(0, &["--run-date", "2024-12-02"]);
    let tiers = nights(&project, "tiers", "customers");
    let (first, second) = (&tiers["2024-12-01"], &tiers["2024-12-02"]);
    assert!(by_customer(first, "previous_tier").values().all(Option::is_none));
    let (was, before, now) =
        (by_customer(first, "tier"), by_customer(second, "previous_tier"), by_customer(second, "tier"));
    assert!(was.iter().all(|(customer, tier)| before[customer] == *tier));
    let since = by_customer(second, "since");
    let stayed: Vec<&String> = was.keys().filter(|customer| was[*customer] == now[*customer]).collect();
    assert!(stayed.len() * 10 > was.len() * 9, "{} of {}", stayed.len(), was.len());
    assert!(stayed.iter().all(|customer| since[*customer].as_deref() == Some("2024-12-01")));

    let actions = nights(&project, "actions", "actions");
    let (first, second) = (&actions["2024-12-01"], &actions["2024-12-02"]);
    let (then, now) = (by_customer(first, "control"), by_customer(second, "control"));
    assert!(then.iter().all(|(customer, control)| now[customer] == *control), "the control group stays");
    let acted = by_customer(second, "action");
    assert!(now.iter().all(|(customer, control)| control.as_deref() == Some("false") || acted[customer].is_none()));
    assert!(
        acted.values().flatten().any(|action| action == "call")
            && acted.values().flatten().any(|action| action == "offer")
    );

    // Again from nothing, in order: the same bytes.
    let bytes = |project: &Project| std::fs::read(part(project, "actions", "2024-12-02", "csv")).unwrap();
    let once = bytes(&project);
    let again = self::project();
    again.run(0, &["--run-date", "2024-12-01", "--threads", "1"]);
    again.run(0, &["--run-date", "2024-12-02", "--threads", "1"]);
    assert!(once == bytes(&again));
}

/// The only data file of a partition.
fn part(project: &Project, dataset: &str, date: &str, extension: &str) -> std::path::PathBuf {
    let all = files(&project.path("out").join(dataset).join(format!("run_date={date}")));
    let found: Vec<_> = all.into_iter().filter(|path| path.extension().is_some_and(|own| own == extension)).collect();
    let [file] = found.as_slice() else { panic!("one {extension} file, not {found:?}") };
    file.clone()
}

#[test]
fn what_is_published_can_be_taken_up_and_says_what_it_holds() {
    let project = project();
    project.run(0, &[]);
    let csv = std::fs::read_to_string(part(&project, "actions", "2025-01-01", "csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "customer_id,run_date,rule,action,channel,offer,priority,cost,control,reason");
    let json = std::fs::read_to_string(part(&project, "lines", "2025-01-01", "ndjson")).unwrap();
    let rows: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), lines.len() - 1);
    assert!(
        rows.iter()
            .all(|row| row["run_date"] == "2025-01-01" && row["reason"].is_string() && row.get("offer").is_some())
    );

    let page = std::fs::read_to_string(project.path("out/scores/run_date=2025-01-01/_dictionary.md")).unwrap();
    let dictionary = project.table("worth", "scores", "dictionary");
    let (columns, described) = (texts(&dictionary, "column"), texts(&dictionary, "description"));
    assert_eq!(columns.len(), project.table("worth", "scores", "scores").width());
    for (column, described) in columns.iter().flatten().zip(described.iter().flatten()) {
        assert!(page.contains(&format!("| `{column}`")), "{column}");
        assert!(!described.is_empty() && !described.starts_with('`'), "{column}: {described}");
    }
    // Nothing is wrong with it, and nothing is done twice.
    project.on_pipeline("verify", &[]).ends(0);
    project.run(0, &[]);
    let page = project.path("out/scores/run_date=2025-01-01/_dictionary.md");
    std::fs::remove_file(&page).unwrap();
    std::fs::write(part(&project, "actions", "2025-01-01", "csv"), "damaged").unwrap();
    project.run(0, &[]);
    assert_eq!(std::fs::read_to_string(part(&project, "actions", "2025-01-01", "csv")).unwrap(), csv);
    assert!(page.is_file());
}
