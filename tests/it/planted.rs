//! The checks of docs/synthetic-data.md on synthesized data: they set aside every planted row and none too many.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::{DataFrame, DataType};

use super::support::{Project, read_parquet};

/// What `truth/bad_rows` calls it, the check that finds it, and the words of that check.
const TRANSACTIONS: [(&str, &str, &str); 8] = [
    ("null_key", "not_null: [order_id, product_id, ordered_at]", "not_null order_id, product_id, ordered_at"),
    ("negative_price", "range: unit_price, min: 0", "range unit_price min 0"),
    ("quantity_out_of_range", "range: quantity, min: -99999, max: 99999", "range quantity min -99999 max 99999"),
    (
        "unknown_product",
        "references: product_id, in: products.product_id",
        "references product_id in products.product_id",
    ),
    ("bad_country", "accepted: country, values: *countries", "accepted country of 9 values"),
    ("malformed_order_id", "pattern: order_id, regex: 'C?[0-9]{12}'", "pattern order_id C?[0-9]{12}"),
    ("future_time", "range: ordered_at, below: 2025-01-01", "range ordered_at below 2025-01-01"),
    ("duplicate_row", "unique: [order_id, product_id]", "unique order_id, product_id"),
];
const CUSTOMERS: [(&str, &str, &str); 2] = [
    ("duplicate_key", "unique: [customer_id]", "unique customer_id"),
    ("malformed_email", "pattern: email, regex: '[^@ ]+@[^@ ]+'", "pattern email [^@ ]+@[^@ ]+"),
];
const CONSENTS: [(&str, &str, &str); 2] = [
    (
        "unknown_customer",
        "references: customer_id, in: people.customer_id",
        "references customer_id in people.customer_id",
    ),
    ("unknown_status", "accepted: status, values: [granted, withdrawn]", "accepted status of 2 values"),
];

/// Transactions have no event time here: a time after the run date is a mistake to find, not a row to wait for. The
/// consents refer to all customers, also to those whose address is malformed.
fn pipeline() -> String {
    let checks = |table: &[(&str, &str, &str)]| -> String {
        table.iter().map(|(_, check, _)| format!("      - {{{check}, severity: quarantine}}\n")).collect()
    };
    format!(
        "name: planted
x-countries: &countries [United Kingdom, Germany, France, Ireland, Netherlands, Spain, Belgium, Switzerland, Portugal]
sources:
  transactions:
    path: lake/transactions.parquet
    columns: {{order_id: string?, product_id: string?, description: string?, quantity: int32, ordered_at: datetime?, unit_price: float64, customer_id: int64?, country: string}}
    checks:
{}  products:
    path: lake/products.parquet
    key: [product_id]
    columns: {{product_id: string}}
  customers:
    path: lake/customers.parquet
    columns: {{customer_id: int64, name: string, email: string, birth_year: int32, country: string, language: string, signed_up_on: date}}
    checks:
{}  people:
    path: lake/customers.parquet
    columns: {{customer_id: int64}}
  consents:
    path: lake/consents.parquet
    columns: {{customer_id: int64, purpose: string, status: string, updated_on: date}}
    checks:
{}stages:
  - id: kept
    stage: sql
    inputs: {{transactions: transactions}}
    with: {{query: SELECT * FROM transactions}}
",
        checks(&TRANSACTIONS),
        checks(&CUSTOMERS),
        checks(&CONSENTS)
    )
}

/// Every row as text, without what is not in the files.
fn rows(frame: &DataFrame) -> Vec<String> {
    let columns = frame.columns().iter().filter(|column| column.name() != "_reason");
    let columns: Vec<_> = columns.map(|column| column.cast(&DataType::String).unwrap()).collect();
    let row =
        |row: usize| columns.iter().map(|column| column.get(row).unwrap().to_string()).collect::<Vec<_>>().join("|");
    (0..frame.height()).map(row).collect()
}

fn texts(frame: &DataFrame, column: &str) -> Vec<String> {
    frame.column(column).unwrap().str().unwrap().iter().map(|text| text.unwrap().to_owned()).collect()
}

/// The rows that the truth names, with the words of the check that should find each; sorted.
fn planted(lake: &Path, table: &str, checks: &[(&str, &str, &str)]) -> Vec<(String, String)> {
    let truth = read_parquet(&lake.join("truth/bad_rows.parquet"));
    let all = rows(&read_parquet(&lake.join(format!("{table}.parquet"))));
    let (tables, kinds) = (texts(&truth, "table"), texts(&truth, "kind"));
    let places = truth.column("row").unwrap().i64().unwrap().clone();
    let mut found: Vec<(String, String)> = (0..truth.height())
        .filter(|index| tables[*index] == table)
        .map(|index| {
            let check = checks.iter().find(|(kind, ..)| *kind == kinds[index]).expect("a check for each kind");
            (all[places.get(index).unwrap() as usize].clone(), check.2.to_owned())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn every_planted_row_of_synthesized_data_is_set_aside_and_no_other() {
    let project = Project::new(&pipeline());
    let arguments = ["--customers", "2000", "--seed", "7", "--bad-rows", "10", "--out", "lake"];
    project.patronage(&[&["synthesize"], &arguments[..]].concat()).ends(0);
    let ran = project.run(0, &[]);
    let lake = project.path("lake");
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (table, checks) in [("transactions", &TRANSACTIONS[..]), ("customers", &CUSTOMERS), ("consents", &CONSENTS)] {
        let aside = read_parquet(&ran.directory.join(format!("quarantine/{table}.parquet")));
        let mut found: Vec<(String, String)> = rows(&aside).into_iter().zip(texts(&aside, "_reason")).collect();
        found.sort();
        assert_eq!(found, planted(&lake, table, checks), "{table}");
        for (_, reason) in found {
            *kinds.entry(reason).or_default() += 1;
        }
    }
    assert!(kinds.len() == 12 && kinds.values().all(|count| *count > 5), "each kind was planted: {kinds:?}");
    let (all, aside) =
        (read_parquet(&lake.join("transactions.parquet")), ran.directory.join("quarantine/transactions.parquet"));
    let kept = project.table("planted", "kept", "table").height();
    assert_eq!(kept + read_parquet(&aside).height(), all.height());
}
