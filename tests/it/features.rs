//! Features end to end: equal to what was computed without Patronage, and blind to the future.

use polars::prelude::{AnyValue, ChunkCompareEq, Column, DataFrame, SortMultipleOptions};
use proptest::prelude::{Strategy, any, prop_assert_eq};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;

use super::support::{Project, floats, hours_of_2024, integers, read_parquet, repository, retail, texts};

/// How far a float may be from the reference, in parts of the larger of the two and one.
const TOLERANCE: f64 = 1e-9;

/// The project whose tables the reference scripts compute, over these transactions.
fn reference_project(transactions: &str, run_date: &str) -> Project {
    let pipeline = std::fs::read_to_string(repository().join("tests/cases/features/pipeline.yaml")).unwrap();
    let project = Project::new(&pipeline);
    project.write("configs/local.yaml", &format!("transactions: {transactions}\nrun_date: {run_date}\n"));
    project
}

#[test]
fn the_shipped_data_gives_what_polars_and_duckdb_gave() {
    let transactions = repository().join("data/transactions.parquet").display().to_string();
    let project = reference_project(&transactions, "2025-01-01");
    project.run(0, &[]);
    for (stage, key) in [("customers", "customer_id"), ("products", "product_id")] {
        let expected = read_parquet(&repository().join(format!("tests/reference/expected_{stage}.parquet")));
        let found = project.table("nightly", stage, "features");
        assert_same(stage, &sorted(&expected, key), &found);
    }
}

/// By key and snapshot, which is how stages write their tables.
fn sorted(frame: &DataFrame, key: &str) -> DataFrame {
    frame.sort([key, "as_of"], SortMultipleOptions::default()).unwrap()
}

fn assert_same(stage: &str, expected: &DataFrame, found: &DataFrame) {
    assert_eq!(found.get_column_names(), expected.get_column_names(), "{stage}");
    assert_eq!(found.height(), expected.height(), "{stage}");
    for column in expected.columns() {
        let name = column.name();
        let theirs = found.column(name).unwrap();
        for row in 0..expected.height() {
            let (expected, found) = (column.get(row).unwrap(), theirs.get(row).unwrap());
            assert!(agree(&expected, &found), "{stage}.{name}, row {row}: expected {expected}, found {found}");
        }
    }
}

fn agree(expected: &AnyValue<'_>, found: &AnyValue<'_>) -> bool {
    match (expected, found) {
        (AnyValue::Null, AnyValue::Null) => true,
        (AnyValue::Null, _) | (_, AnyValue::Null) => false,
        (AnyValue::Float64(a), AnyValue::Float64(b)) => (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0),
        (AnyValue::String(a), AnyValue::String(b)) => a == b,
        (AnyValue::Boolean(a), AnyValue::Boolean(b)) => a == b,
        (AnyValue::Date(a), AnyValue::Date(b)) => a == b,
        (a, b) => a.is_integer() && b.is_integer() && a.try_extract::<i64>().ok() == b.try_extract::<i64>().ok(),
    }
}

#[test]
fn the_retail_set_gives_the_spot_figures() {
    let Some(transactions) = retail() else { return };
    let text = std::fs::read_to_string(repository().join("tests/reference/online_retail.json")).unwrap();
    let figures: Value = serde_json::from_str(&text).unwrap();
    let project = reference_project(&transactions.display().to_string(), figures["run_date"].as_str().unwrap());
    project.run(0, &[]);
    for events in ["sales", "purchases"] {
        let table = project.table("nightly", events, "table");
        let wanted = &figures[events];
        assert_eq!(table.height() as u64, wanted["rows"], "{events}");
        for (count, column) in [("customers", "customer_id"), ("products", "product_id"), ("orders", "order_id")] {
            assert_eq!(table.column(column).unwrap().n_unique().unwrap() as u64, wanted[count], "{events}.{count}");
        }
        assert_near(&format!("{events}.amount"), sum(table.column("amount").unwrap()), &wanted["sum_of_amount"]);
    }
    for stage in ["customers", "products"] {
        let table = project.table("nightly", stage, "features");
        for wanted in figures[stage].as_array().unwrap() {
            assert_snapshot(stage, &table, wanted);
        }
    }
}

/// One snapshot's rows, sums, nulls, and labels.
fn assert_snapshot(stage: &str, table: &DataFrame, wanted: &Value) {
    let moment = wanted["as_of"].as_str().unwrap();
    let of_moment: polars::prelude::BooleanChunked = table
        .column("as_of")
        .unwrap()
        .date()
        .unwrap()
        .as_date_iter()
        .map(|date| date.is_some_and(|date| date.to_string() == moment))
        .collect();
    let rows = table.filter(&of_moment).unwrap();
    assert_eq!(rows.height() as u64, wanted["rows"], "{stage} {moment}");
    for (name, wanted) in wanted["sums"].as_object().unwrap() {
        let column = rows.column(name).unwrap();
        if wanted.is_null() {
            assert_eq!(column.null_count(), rows.height(), "{stage}.{name} {moment}");
        } else {
            assert_near(&format!("{stage}.{name} {moment}"), sum(column), wanted);
        }
    }
    for (name, wanted) in wanted["nulls"].as_object().unwrap() {
        assert_eq!(rows.column(name).unwrap().null_count() as u64, *wanted, "{stage}.{name} {moment}");
    }
    if wanted["labelled"] == true {
        let buys = rows.column("buys_90d").unwrap().bool().unwrap().sum().unwrap();
        assert_eq!(buys as u64, wanted["buys_90d_count"], "{moment}");
        for (band, wanted) in wanted["spend_band_90d_counts"].as_object().unwrap() {
            let of_band = rows.column("spend_band_90d").unwrap().str().unwrap().equal(band.as_str()).sum().unwrap();
            assert_eq!(of_band as u64, *wanted, "{band} {moment}");
        }
    }
}

fn sum(column: &Column) -> f64 {
    column.f64().map_or_else(
        |_| column.i64().unwrap().iter().flatten().sum::<i64>() as f64,
        |numbers| numbers.iter().flatten().sum(),
    )
}

fn assert_near(what: &str, found: f64, wanted: &Value) {
    let wanted = wanted.as_f64().unwrap();
    assert!((found - wanted).abs() <= TOLERANCE * wanted.abs().max(1.0), "{what}: {found}, not {wanted}");
}

/// Snapshots at 2024-03-01, 2024-02-20 and 2024-02-10, and every kind of aggregate and window.
const PIPELINE: &str = "name: blind
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
      snapshots: {every: 10d, count: 3}
      having: COUNT(*) > 1
      features:
        recency_days: DAYS_SINCE(MAX(at))
        tenure_days: DAYS_SINCE(MIN(at))
        orders: COUNT(*)
        items: COUNT(DISTINCT item)
        spend: SUM(amount)
        spend_7d: {expression: SUM(amount) FILTER (WHERE amount > 0), last: 7d}
        share_7d: {expression: SUM(amount) / COUNT(*), last: 1w}
        middle: MEDIAN(amount)
        spread: STDDEV(amount)
        favorite: MODE(item)
        newest: LAST(item)
        largest: MAX(amount)
      labels:
        buys_5d: {expression: COUNT(*) > 0, next: 5d}
";
const LABELS: &[&str] = &["buys_5d"];
/// Hours from the start of 2024 to 2024-02-10, the oldest snapshot.
const OLDEST_HOURS: i64 = 40 * 24;
const EVERY_HOURS: i64 = 10 * 24;
const SNAPSHOTS: i64 = 3;

/// A sale: customer, item, hours from the start of 2024, amount.
type Sale = (i64, usize, i64, f64);

fn sale(hours: impl Strategy<Value = i64>) -> impl Strategy<Value = Sale> {
    // Whole quarters add up exactly in any order.
    (0..5i64, 0..3usize, hours, (-20..80i64).prop_map(|quarters| quarters as f64 / 4.0))
}

/// The features of the snapshots up to and including `moment_hours`, as text, row by row.
fn features(sales: &[Sale], moment_hours: i64, with_labels: bool) -> Vec<String> {
    let project = Project::new(PIPELINE);
    project.write("configs/local.yaml", "run_date: 2024-03-01\n");
    let column = |value: fn(&Sale) -> i64| sales.iter().map(value).collect::<Vec<i64>>();
    let items: Vec<&str> = sales.iter().map(|sale| ["tea", "cup", "pot"][sale.1]).collect();
    let amounts: Vec<f64> = sales.iter().map(|sale| sale.3).collect();
    project.write_parquet(
        "data/sales.parquet",
        vec![
            integers("customer", &column(|sale| sale.0)),
            texts("item", &items),
            hours_of_2024("at", &column(|sale| sale.2)),
            floats("amount", &amounts),
        ],
    );
    project.run(0, &["--threads", "1"]);
    let table = project.table("blind", "customers", "features");
    let moments = table.column("as_of").unwrap().cast(&polars::prelude::DataType::Int32).unwrap();
    let moments = moments.i32().unwrap();
    // Days since 1970 of 2024-01-01.
    let moment = 19_723 + i32::try_from(moment_hours / 24).unwrap();
    let rows = (0..table.height()).filter(|row| moments.get(*row).is_some_and(|one| one <= moment));
    let shown = table.columns().iter().filter(|column| with_labels || !LABELS.contains(&column.name().as_str()));
    let shown: Vec<&Column> = shown.collect();
    let text = |row: usize| {
        shown
            .iter()
            .map(|column| format!("{}={}", column.name(), column.get(row).unwrap()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    rows.map(text).collect()
}

/// Whatever happens at or after a snapshot's moment changes nothing in that snapshot or an older one.
#[test]
fn no_feature_sees_what_happens_at_or_after_its_moment() {
    let before = proptest::collection::vec(sale(0..OLDEST_HOURS + SNAPSHOTS * EVERY_HOURS), 8..60);
    let later = proptest::collection::vec(sale(0..20 * 24i64), 0..20);
    let strategy = (before, 0..SNAPSHOTS, later, any::<u64>());
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |(sales, snapshot, later, keep)| {
            let moment = OLDEST_HOURS + snapshot * EVERY_HOURS;
            let mut other: Vec<Sale> = Vec::new();
            for (index, one) in sales.iter().enumerate() {
                let (changed, removed) = (keep >> (index % 64) & 1 == 1, keep >> ((index + 32) % 64) & 1 == 1);
                match one.2 >= moment {
                    true if removed => {}
                    true if changed => other.push((4 - one.0, 2 - one.1, one.2 + 7, -one.3)),
                    _ => other.push(*one),
                }
            }
            // The moment itself, exactly, belongs to the future.
            other.push((0, 0, moment, 1_000.0));
            other.extend(later.iter().map(|one| (one.0, one.1, moment + one.2, one.3)));
            let (seen, blind) = (features(&sales, moment, false), features(&other, moment, false));
            prop_assert_eq!(seen, blind);
            Ok::<(), TestCaseError>(())
        })
        .unwrap();
}

/// The property above can fail: what happens before the moment does change features, and what
/// happens after it does change labels.
#[test]
fn the_past_and_the_labels_do_change() {
    // Ten sales of one customer; the last one sets the watermark far enough to know the labels.
    let sales: Vec<Sale> = (0..10).map(|k| (1, 0, k * 24 * 6, 5.0)).collect();
    let with = |more: Sale| sales.iter().copied().chain([more]).collect::<Vec<Sale>>();
    let moment = OLDEST_HOURS;
    let earlier = with((1, 1, moment - 1, 7.0));
    assert_ne!(features(&sales, moment, false), features(&earlier, moment, false));
    let quiet: Vec<Sale> = sales.iter().copied().filter(|one| !(moment..moment + 5 * 24).contains(&one.2)).collect();
    let future = quiet.iter().copied().chain([(1, 1, moment + 24, 7.0)]).collect::<Vec<Sale>>();
    assert_eq!(features(&quiet, moment, false), features(&future, moment, false));
    assert_ne!(features(&quiet, moment, true), features(&future, moment, true));
}
