//! Planted bad rows: all that are listed are bad, and none that is not.

use std::collections::HashSet;

use super::super::{Factors, Options, synthesize};
use super::{Table, bad_rows, options, read};

fn many() -> Options {
    Options { customers: 20_000, ..options() }
}

#[test]
fn bad_rows_differ_from_good_ones_in_the_named_column_and_no_other_row_differs() {
    let folder = tempfile::tempdir().unwrap();
    let (dirty, clean) = (folder.path().join("dirty"), folder.path().join("clean"));
    synthesize(&many(), &dirty, false).unwrap();
    let factors = Factors { bad_rows: 0.0, ..Factors::default() };
    assert_eq!(synthesize(&Options { factors, ..many() }, &clean, false).unwrap().bad_rows, 0);
    let truth = read(&dirty, "truth/bad_rows");
    let mut seen = HashSet::new();
    for name in ["transactions", "customers", "consents"] {
        let (found, good) = (read(&dirty, name), read(&clean, name));
        let bad = bad_rows(&truth, name);
        let mut at = 0;
        for row in 0..found.rows() {
            match bad.get(&row) {
                None => {
                    assert!(found.differences(row, &good, at).is_empty(), "{name} {row}");
                    at += 1;
                }
                Some((kind @ "duplicate_row", _)) => {
                    assert!(found.differences(row, &found, row - 1).is_empty(), "{name} {row}");
                    seen.insert(*kind);
                }
                Some((kind @ "duplicate_key", _)) => {
                    assert_eq!(found.differences(row, &found, row - 1), ["email"], "{name} {row}");
                    seen.insert(*kind);
                }
                Some((kind, column)) => {
                    assert_eq!(found.differences(row, &good, at), [*column], "{name} {row} {kind}");
                    seen.insert(*kind);
                    at += 1;
                }
            }
        }
        assert_eq!(at, good.rows(), "{name}");
    }
    assert_eq!(seen.len(), 12, "{seen:?}");
}

/// What a contract on transactions finds, without knowing the truth: (row, kind).
fn found_by_contract(rows: &Table, products: &HashSet<&str>, after_last: i64) -> HashSet<(usize, String)> {
    let countries: HashSet<&str> = super::super::world::COUNTRIES.iter().map(|(name, _)| *name).collect();
    let well_formed = |id: &str| {
        let digits = id.strip_prefix('C').unwrap_or(id);
        digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (orders, ids) = (rows.texts("order_id"), rows.texts("product_id"));
    let (times, prices) = (rows.times("ordered_at"), rows.floats("unit_price"));
    let (quantities, places) = (rows.small_integers("quantity"), rows.texts("country"));
    let mut found = HashSet::new();
    let mut keys = HashSet::new();
    for row in 0..rows.rows() {
        let mut note = |wrong: bool, kind: &str| {
            if wrong {
                found.insert((row, kind.to_owned()));
            }
        };
        note(orders[row].is_none() || ids[row].is_none() || times[row].is_none(), "null_key");
        note(prices[row] < 0.0, "negative_price");
        note(!(-99_999..=99_999).contains(&quantities[row]), "quantity_out_of_range");
        note(ids[row].is_some_and(|id| !products.contains(id)), "unknown_product");
        note(places[row].is_none_or(|place| !countries.contains(place)), "bad_country");
        note(orders[row].is_some_and(|id| !well_formed(id)), "malformed_order_id");
        note(times[row].is_some_and(|time| time >= after_last), "future_time");
        if let (Some(order), Some(product)) = (orders[row], ids[row]) {
            note(!keys.insert((order, product)), "duplicate_row");
        }
    }
    found
}

#[test]
fn a_contract_finds_every_bad_row_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let summary = synthesize(&many(), folder.path(), false).unwrap();
    let truth = read(folder.path(), "truth/bad_rows");
    assert_eq!(summary.bad_rows, truth.rows() as u64);
    let products = read(folder.path(), "products");
    let products: HashSet<&str> = products.texts("product_id").into_iter().flatten().collect();
    let rows = read(folder.path(), "transactions");
    // 1735689600 is 2025-01-01T00:00:00Z (date -u -d 2025-01-01 +%s).
    let found = found_by_contract(&rows, &products, 1_735_689_600_000_000);
    let planted: HashSet<(usize, String)> =
        bad_rows(&truth, "transactions").into_iter().map(|(row, (kind, _))| (row, kind.to_owned())).collect();
    assert_eq!(found, planted);
    // Three kinds of null, and 1 to 4 rows an order of which at most one is bad, lower the rate by little.
    for (kind, columns) in [("null_key", 3.0), ("bad_country", 1.0), ("duplicate_row", 1.0)] {
        let rate = planted.iter().filter(|(_, found)| found == kind).count() as f64 / rows.rows() as f64;
        assert!((rate / (columns * 4e-4) - 1.0).abs() < 0.2, "{kind}: {rate}");
    }
}

#[test]
fn contracts_on_customers_and_consents_find_theirs() {
    let folder = tempfile::tempdir().unwrap();
    synthesize(&many(), folder.path(), false).unwrap();
    let truth = read(folder.path(), "truth/bad_rows");
    let customers = read(folder.path(), "customers");
    let mut ids = HashSet::new();
    let keys = customers.integers("customer_id");
    let emails = customers.texts("email");
    let mut found = HashSet::new();
    for row in 0..customers.rows() {
        if !ids.insert(keys[row].unwrap()) {
            found.insert((row, "duplicate_key"));
        }
        if !emails[row].is_some_and(|email| email.contains("@example.")) {
            found.insert((row, "malformed_email"));
        }
    }
    let planted = |table| bad_rows(&truth, table).into_iter().map(|(row, (kind, _))| (row, kind)).collect();
    assert_eq!(found, planted("customers"));
    let consents = read(folder.path(), "consents");
    let (keys, statuses) = (consents.integers("customer_id"), consents.texts("status"));
    let mut found = HashSet::new();
    for row in 0..consents.rows() {
        if !ids.contains(&keys[row].unwrap()) {
            found.insert((row, "unknown_customer"));
        }
        if !matches!(statuses[row], Some("granted" | "withdrawn")) {
            found.insert((row, "unknown_status"));
        }
    }
    assert_eq!(found, planted("consents"));
}
