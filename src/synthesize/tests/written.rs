//! The files: the same bytes, in order, whole, and without the truth.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Date32Type;
use chrono::NaiveDate;

use super::super::output::{TABLES, TRUTH};
use super::super::{Factors, Options, SynthesizeError, synthesize};
use super::{Table, bad_rows, options, read};

/// The bytes of every file below a folder, by path.
fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(bytes(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_same_options_give_the_same_bytes_with_any_number_of_threads_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, seed: u64, threads: usize| {
        let out = folder.path().join(name);
        // Three chunks of customers.
        let to = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
        synthesize(&Options { customers: 40_000, seed, threads, to, ..options() }, &out, false).unwrap();
        bytes(&out)
    };
    let first = made("first", 5, 1);
    let mut names: Vec<String> = TABLES.map(|name| format!("{name}.parquet")).to_vec();
    names.extend(TRUTH.map(|name| format!("truth/{name}.parquet")));
    names.sort();
    assert_eq!(first.keys().cloned().collect::<Vec<_>>(), names, "these files and no others");
    assert!(first == made("second", 5, 3), "threads");
    assert_ne!(first["transactions.parquet"], made("third", 6, 1)["transactions.parquet"]);
}

#[test]
fn public_tables_have_these_columns_and_no_truth() {
    let folder = tempfile::tempdir().unwrap();
    synthesize(&options(), folder.path(), false).unwrap();
    let columns = |name| read(folder.path(), name).names().join(" ");
    assert_eq!(columns("customers"), "customer_id name email birth_year country language signed_up_on");
    assert_eq!(columns("products"), "product_id description description_zh category list_price");
    assert_eq!(columns("prices"), "product_id valid_from valid_to list_price");
    assert_eq!(columns("promotions"), "product_id starts_on ends_on discount");
    assert_eq!(
        columns("transactions"),
        "order_id product_id description quantity ordered_at unit_price customer_id country"
    );
    assert_eq!(columns("consents"), "customer_id purpose status updated_on");
}

#[test]
fn the_tables_agree_with_each_other_and_with_the_summary() {
    let folder = tempfile::tempdir().unwrap();
    let factors = Factors { bad_rows: 0.0, ..Factors::default() };
    let summary = synthesize(&Options { factors, ..options() }, folder.path(), false).unwrap();
    let (rows, truth) = (read(folder.path(), "transactions"), read(folder.path(), "truth/customers"));
    assert_eq!((summary.rows, summary.customers), (rows.rows() as u64, 400));
    let orders: HashSet<&str> = rows.texts("order_id").into_iter().flatten().collect();
    assert_eq!(orders.len() as u64, summary.orders + summary.returns);
    assert_eq!(orders.iter().filter(|id| id.starts_with('C')).count() as u64, summary.returns);
    let quantities = rows.small_integers("quantity");
    let ids = rows.strings("order_id");
    assert!((0..rows.rows()).all(|row| (quantities[row] < 0) == ids.value(row).starts_with('C')));
    // Everyone buys as often as the truth says.
    let mut by_customer: HashMap<i64, HashSet<&str>> = HashMap::new();
    for (row, customer) in rows.integers("customer_id").into_iter().enumerate() {
        if let Some(customer) = customer.filter(|_| quantities[row] > 0) {
            by_customer.entry(customer).or_default().insert(ids.value(row));
        }
    }
    let wanted = truth.integers("customer_id").into_iter().flatten().zip(truth.small_integers("orders"));
    let wanted: HashMap<i64, usize> = wanted.map(|(customer, orders)| (customer, orders as usize)).collect();
    assert_eq!(by_customer.iter().map(|(id, orders)| (*id, orders.len())).collect::<HashMap<_, _>>(), wanted);
    assert_eq!(read(folder.path(), "customers").integers("customer_id"), truth.integers("customer_id"));
    assert_eq!(read(folder.path(), "consents").rows(), 3 * 400);
    let sold: HashSet<_> = rows.texts("product_id").into_iter().collect();
    let products = read(folder.path(), "products");
    assert!(sold.is_subset(&products.texts("product_id").into_iter().collect()));
    assert_eq!(summary.products + 2, products.rows(), "two are services");
}

fn dates(table: &Table, name: &str) -> Vec<Option<i32>> {
    table.0.column_by_name(name).unwrap().as_primitive::<Date32Type>().iter().collect()
}

/// The value of the row of a product whose days hold a day.
fn on(rows: Option<&Vec<(i32, i32, f64)>>, day: i32) -> Option<f64> {
    rows?.iter().find(|(from, to, _)| (*from..=*to).contains(&day)).map(|(_, _, value)| *value)
}

#[test]
fn what_was_paid_follows_from_list_prices_and_promotions() {
    let folder = tempfile::tempdir().unwrap();
    let factors = Factors { bad_rows: 0.0, returns: 0.0, ..Factors::default() };
    synthesize(&Options { factors, ..options() }, folder.path(), false).unwrap();
    let by_product = |name: &str, from: &str, to: &str, value: &str| {
        let table = read(folder.path(), name);
        let (from, to, value) = (dates(&table, from), dates(&table, to), table.floats(value));
        let mut found: HashMap<String, Vec<(i32, i32, f64)>> = HashMap::new();
        for (row, product) in table.texts("product_id").into_iter().flatten().enumerate() {
            let days = (from[row].unwrap(), to[row].unwrap_or(i32::MAX), value[row]);
            found.entry(product.to_owned()).or_default().push(days);
        }
        found
    };
    let prices = by_product("prices", "valid_from", "valid_to", "list_price");
    let promotions = by_product("promotions", "starts_on", "ends_on", "discount");
    let rows = read(folder.path(), "transactions");
    let (times, paid) = (rows.times("ordered_at"), rows.floats("unit_price"));
    let mut promoted = 0;
    for (row, product) in rows.texts("product_id").into_iter().flatten().enumerate() {
        let day = times[row].unwrap().div_euclid(86_400_000_000) as i32;
        let Some(list) = on(prices.get(product), day) else {
            assert!(["POST", "M"].contains(&product));
            continue;
        };
        let discount = on(promotions.get(product), day).unwrap_or(0.0);
        promoted += usize::from(discount > 0.0);
        let due = (list * 100.0 * (1.0 - discount)).round() / 100.0;
        assert!(paid[row] == 0.0 || (paid[row] - due).abs() < 0.011, "{product} {list} {discount} {}", paid[row]);
    }
    assert!((promoted as f64 / rows.rows() as f64 - 0.2).abs() < 0.03, "{promoted}");
}

#[test]
fn rows_of_a_chunk_are_in_order_of_time_and_within_the_period() {
    let folder = tempfile::tempdir().unwrap();
    synthesize(&options(), folder.path(), false).unwrap();
    let rows = read(folder.path(), "transactions");
    let truth = read(folder.path(), "truth/bad_rows");
    let bad = bad_rows(&truth, "transactions");
    let times = rows.times("ordered_at");
    let ids = rows.texts("order_id");
    let good = (0..rows.rows()).filter(|row| !bad.contains_key(row));
    let keys: Vec<(i64, &str)> =
        good.map(|row| (times[row].unwrap(), ids[row].unwrap().trim_start_matches('C'))).collect();
    assert!(keys.is_sorted());
    // 2024-01-01T00:00:00Z and 2025-01-01T00:00:00Z, from date(1).
    assert!(keys.iter().all(|(time, _)| (1_704_067_200_000_000..1_735_689_600_000_000).contains(time)));
}

#[test]
fn a_customer_is_the_same_whoever_else_there_is() {
    let first = |customers| {
        let folder = tempfile::tempdir().unwrap();
        // The number of products follows the customers only above 64.
        synthesize(&Options { customers, ..options() }, folder.path(), false).unwrap();
        let rows = read(folder.path(), "transactions");
        let (times, products) = (rows.times("ordered_at"), rows.texts("product_id"));
        let ids = rows.integers("customer_id").into_iter().enumerate();
        ids.filter(|(_, id)| *id == Some(10_001))
            .map(|(row, _)| (times[row], products[row].map(str::to_owned)))
            .collect::<Vec<_>>()
    };
    assert!(!first(1).is_empty());
    assert_eq!(first(1), first(60));
}

#[test]
fn the_shipped_data_is_what_its_command_makes() {
    let folder = tempfile::tempdir().unwrap();
    synthesize(&Options::shipped(), folder.path(), false).unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    for name in TABLES.map(str::to_owned).into_iter().chain(TRUTH.map(|name| format!("truth/{name}"))) {
        // Rows and not bytes: a newer Parquet library may lay out the same rows otherwise.
        assert!(read(&data, &name).0 == read(folder.path(), &name).0, "data/{name} is out of date: see its README");
    }
}

#[test]
fn options_that_describe_nothing_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let refused = |options: Options| synthesize(&options, &out, false).unwrap_err();
    assert!(matches!(refused(Options { customers: 0, ..options() }), SynthesizeError::NoCustomers));
    assert!(matches!(refused(Options { customers: u32::MAX, ..options() }), SynthesizeError::TooManyCustomers { .. }));
    let back = refused(Options { to: NaiveDate::from_ymd_opt(2023, 12, 31).unwrap(), ..options() });
    assert!(matches!(back, SynthesizeError::PeriodEmpty { .. }));
    let long = refused(Options { to: NaiveDate::MAX, ..options() });
    assert!(matches!(long, SynthesizeError::PeriodTooLong { .. }));
    for returns in [-0.1, f64::NAN, 10.5] {
        let factors = Factors { returns, ..Factors::default() };
        let error = refused(Options { factors, ..options() });
        assert!(matches!(error, SynthesizeError::BadFactor { name: "returns", .. }), "{error}");
    }
    assert!(!out.exists());
    let day = Options { to: options().from, ..options() };
    assert!(synthesize(&day, &out, false).unwrap().rows > 0);
}

#[test]
fn a_folder_that_is_not_empty_is_refused_unless_forced_and_other_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    synthesize(&options(), &out, false).unwrap();
    let first = bytes(&out);
    fs::write(out.join("README.md"), "mine").unwrap();
    let other = Options { seed: 6, ..options() };
    let error = synthesize(&other, &out, false).unwrap_err();
    assert!(matches!(error, SynthesizeError::NotEmpty { .. }), "{error}");
    assert!(error.to_string().contains("--force"), "{error}");
    assert_eq!(bytes(&out)["transactions.parquet"], first["transactions.parquet"]);
    synthesize(&other, &out, true).unwrap();
    let second = bytes(&out);
    assert_ne!(second["transactions.parquet"], first["transactions.parquet"]);
    assert_eq!(second["README.md"], b"mine");
    assert_eq!(second.len(), first.len() + 1, "nothing else is left");
}

#[test]
fn what_an_interrupted_run_left_is_no_reason_to_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join(".synthesize.partial");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("transactions.parquet"), "half").unwrap();
    synthesize(&options(), folder.path(), false).unwrap();
    assert!(!left.exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = synthesize(&options(), &file.join("data"), false).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}
