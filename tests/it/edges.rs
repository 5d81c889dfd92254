//! Small purchase histories, worked out by hand, for what larger data does not happen to hold.

use polars::prelude::{AnyValue, DataFrame};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::support::{Project, floats, hours_of_2024, integers, repository, retail, texts};

const HISTORY: &str = "\
name: edges
sources:
  sales:
    path: data/sales.parquet
    event_time: at
    columns: {customer: int64, item: string, at: datetime, amount: float64}
stages:
  - id: customers
    stage: features
    inputs: {events: sales}
    with:
      entity: customer
      time: at
      snapshots: {every: 10d, count: 2}
      features:
        favorite: MODE(item)
        recency_days: DAYS_SINCE(MAX(at))
        orders: COUNT(*) FILTER (WHERE amount > 0)
        mean: SUM(amount) / COUNT(*) FILTER (WHERE amount > 0)
        recent: {expression: COUNT(*), last: 10d}
        recent_spend: {expression: SUM(amount), last: 10d}
        recent_largest: {expression: MAX(amount), last: 10d}
      labels:
        buys: {expression: SUM(amount) > 0, next: 10d}
";

/// Hours from the start of 2024; the snapshots are of 2024-02-20 and 2024-03-01.
const OLDER: i64 = 50 * 24;
const NEWER: i64 = 60 * 24;

fn snapshots(sales: &[(i64, &str, i64, f64)]) -> DataFrame {
    let project = Project::new(HISTORY);
    project.write("configs/local.yaml", "run_date: 2024-03-01\n");
    let columns = vec![
        integers("customer", &sales.iter().map(|sale| sale.0).collect::<Vec<_>>()),
        texts("item", &sales.iter().map(|sale| sale.1).collect::<Vec<_>>()),
        hours_of_2024("at", &sales.iter().map(|sale| sale.2).collect::<Vec<_>>()),
        floats("amount", &sales.iter().map(|sale| sale.3).collect::<Vec<_>>()),
    ];
    project.write_parquet("data/sales.parquet", columns);
    project.run(0, &[]);
    project.table("edges", "customers", "features")
}

/// One customer's row as of the older (0) or newer (1) snapshot, as `name=value`.
#[track_caller]
fn row(table: &DataFrame, customer: i64, snapshot: usize) -> String {
    let of = |row: usize| table.column("customer").unwrap().get(row).unwrap() == AnyValue::Int64(customer);
    let rows: Vec<usize> = (0..table.height()).filter(|row| of(*row)).collect();
    let columns = table.columns().iter().skip(2);
    let text = |column: &polars::prelude::Column| format!("{}={}", column.name(), column.get(rows[snapshot]).unwrap());
    columns.map(text).collect::<Vec<_>>().join(" ").replace('"', "")
}

#[test]
fn a_tie_of_the_most_frequent_takes_the_smallest() {
    let table = snapshots(&[
        (1, "pot", OLDER - 40, 1.0),
        (1, "cup", OLDER - 30, 1.0),
        (1, "pot", OLDER + 10, 1.0),
        (1, "cup", OLDER + 20, 1.0),
        (1, "ape", OLDER + 30, 1.0),
    ]);
    assert!(row(&table, 1, 0).starts_with("favorite=cup "), "{}", row(&table, 1, 0));
    assert!(row(&table, 1, 1).starts_with("favorite=cup "), "{}", row(&table, 1, 1));
}

#[test]
fn what_happens_at_midnight_belongs_to_the_future() {
    let table = snapshots(&[
        (1, "tea", OLDER - 24, 2.0),
        // At the snapshot's very moment: no feature of it, but the first of its label.
        (1, "cup", OLDER, 8.0),
        (1, "pot", NEWER - 1, 4.0),
        // At the run date's midnight: never read.
        (1, "ape", NEWER, 64.0),
    ]);
    let older = "favorite=tea recency_days=1 orders=1 mean=2.0 recent=1 recent_spend=2.0 recent_largest=2.0 buys=true";
    assert_eq!(row(&table, 1, 0), older);
    // The window of ten days begins at the older snapshot's moment, and holds what happened then.
    let newer =
        "favorite=cup recency_days=0 orders=3 mean=4.666667 recent=2 recent_spend=12.0 recent_largest=8.0 buys=null";
    assert_eq!(row(&table, 1, 1), newer);
}

#[test]
fn an_empty_window_counts_nothing_and_knows_nothing() {
    let table = snapshots(&[
        // Only a return, long ago: no order to divide by.
        (1, "tea", 24, -3.0),
        (2, "cup", NEWER - 24, 1.0),
    ]);
    let older =
        "favorite=tea recency_days=49 orders=0 mean=null recent=0 recent_spend=0.0 recent_largest=null buys=false";
    assert_eq!(row(&table, 1, 0), older);
    // A customer appears with the first event before the snapshot.
    assert_eq!(table.height(), 3);
}

/// k-means and DBSCAN of the 4,338 customers of the UCI set by
/// floored recency, orders and spend of the lines with quantity and price above zero, all log1p and
/// standardized. The figures are scikit-learn's (tests/reference/spot_figures.py).
#[test]
fn segments_of_the_retail_set_are_those_of_scikit_learn() {
    let Some(transactions) = retail() else { return };
    let text = std::fs::read_to_string(repository().join("tests/reference/online_retail.json")).unwrap();
    let figures: Value = serde_json::from_str(&text).unwrap();
    let pipeline = std::fs::read_to_string(repository().join("tests/cases/retail_segments/pipeline.yaml")).unwrap();
    let project = Project::new(&pipeline);
    project.write("configs/local.yaml", &format!("transactions: {}\nrun_date: 2011-12-10\n", transactions.display()));
    let ran = project.run(0, &[]);
    assert_eq!(project.table("retail", "customers", "features").height(), 4338);
    let report = ran.json("report.json");
    let models = report["models"].as_array().unwrap();
    let measure = |name: &str| {
        let model = models.iter().find(|model| model["stage"] == "segments").unwrap();
        let measures = model["evaluation"]["measures"].as_array().unwrap();
        let found = measures.iter().find(|measure| measure["name"] == name).unwrap();
        found["model"]["value"].as_f64().unwrap()
    };
    let wanted = &figures["segments_on_purchased_lines"]["converged"];
    let near = |name: &str, tolerance: f64| {
        let (found, wanted) = (measure(name), wanted[name].as_f64().unwrap());
        assert!((found - wanted).abs() < tolerance, "{name}: {found}, scikit-learn has {wanted}");
    };
    near("inertia", 0.01);
    near("silhouette", 0.0001);
    let wanted = figures["segments_on_purchased_lines"]["dbscan"].as_array().unwrap();
    for (stage, wanted) in ["euclidean", "manhattan", "cosine"].into_iter().zip(wanted).chain([("linfa", &wanted[0])]) {
        let found = project.table("retail", stage, "segments");
        let mut hash = Sha256::new();
        found
            .column("segment")
            .unwrap()
            .i64()
            .unwrap()
            .iter()
            .flatten()
            .for_each(|segment| hash.update(segment.to_le_bytes()));
        let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, wanted["sha256_of_labels"].as_str().unwrap(), "{stage}: {wanted}");
        let cores = texts_of(&found, "point").into_iter().filter(|point| point == "core").count();
        assert_eq!(wanted["core_points"], cores, "{stage}");
    }
}

fn texts_of(table: &DataFrame, name: &str) -> Vec<String> {
    table.column(name).unwrap().str().unwrap().iter().flatten().map(str::to_owned).collect()
}

/// Moments as hours of 2024, a leap year that begins on a Monday.
#[test]
fn date_trunc_and_ntile_are_what_a_calendar_and_a_pencil_say() {
    let pipeline = "\
name: edges
sources:
  sales:
    path: data/sales.parquet
    event_time: at
    columns: {customer: int64, at: datetime}
stages:
  - id: cut
    stage: sql
    inputs: {sales: sales}
    with:
      key: [customer]
      query: |
        SELECT customer, DATE_TRUNC('day', at) AS day, DATE_TRUNC('week', at) AS week,
               DATE_TRUNC('month', at) AS month, DATE_TRUNC('year', at) AS year,
               NTILE(3) OVER (ORDER BY customer) AS third, NTILE(9) OVER (ORDER BY customer DESC) AS ninth,
               NTILE(2) OVER (PARTITION BY customer % 2 ORDER BY at) AS half
        FROM sales
";
    let project = Project::new(pipeline);
    project.write("configs/local.yaml", "run_date: 2025-02-01\n");
    // 2024-01-01 00:00, 2024-02-29 23:00, 2024-03-03 (a Sunday) 12:00, 2024-12-31 23:00, 2025-01-01 05:00
    let hours = [0, 59 * 24 + 23, 62 * 24 + 12, 365 * 24 + 23, 366 * 24 + 5];
    let columns = vec![integers("customer", &[1, 2, 3, 4, 5]), hours_of_2024("at", &hours)];
    project.write_parquet("data/sales.parquet", columns);
    project.run(0, &[]);
    let table = project.table("edges", "cut", "table");
    let texts = |name: &str| {
        let column = table.column(name).unwrap();
        (0..5).map(|row| column.get(row).unwrap().to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(texts("day"), "2024-01-01 2024-02-29 2024-03-03 2024-12-31 2025-01-01");
    assert_eq!(texts("week"), "2024-01-01 2024-02-26 2024-02-26 2024-12-30 2024-12-30");
    assert_eq!(texts("month"), "2024-01-01 2024-02-01 2024-03-01 2024-12-01 2025-01-01");
    assert_eq!(texts("year"), "2024-01-01 2024-01-01 2024-01-01 2024-01-01 2025-01-01");
    assert_eq!(texts("third"), "1 1 2 2 3");
    assert_eq!(texts("ninth"), "5 4 3 2 1");
    assert_eq!(texts("half"), "1 1 1 2 2");
}
