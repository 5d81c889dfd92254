//! Tests of the whole: what is written, read back.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;

fn options() -> Options {
    Options {
        customers: 300,
        seed: 5,
        from: NaiveDate::from_ymd_opt(2024, 1, 1).unwrap(),
        to: NaiveDate::from_ymd_opt(2024, 12, 31).unwrap(),
    }
}

fn read(folder: &Path) -> RecordBatch {
    let file = File::open(folder.join(TRANSACTIONS)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    arrow::compute::concat_batches(&write::schema(), &batches).unwrap()
}

#[test]
fn the_same_options_give_the_same_bytes_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |options: &Options, name: &str| {
        let out = folder.path().join(name);
        synthesize(options, &out).unwrap();
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1, "only the file is left");
        fs::read(out.join(TRANSACTIONS)).unwrap()
    };
    let first = bytes(&options(), "first");
    assert_eq!(first, bytes(&options(), "second"));
    assert_ne!(first, bytes(&Options { seed: 6, ..options() }, "third"));
}

#[test]
fn the_summary_is_what_the_file_holds() {
    let folder = tempfile::tempdir().unwrap();
    let summary = synthesize(&options(), folder.path()).unwrap();
    let rows = read(folder.path());
    assert_eq!(summary.rows, rows.num_rows() as u64);
    let customers = rows.column(6).as_primitive::<Int64Type>();
    assert_eq!(summary.guest_rows, customers.null_count() as u64);
    let mut ids: Vec<i64> = customers.iter().flatten().collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids, (10_001..10_301).collect::<Vec<i64>>(), "everyone buys");
    let quantities = rows.column(3).as_primitive::<Int32Type>().values();
    let prices = rows.column(5).as_primitive::<Float64Type>().values();
    let amount: f64 = quantities.iter().zip(prices).map(|(&q, p)| f64::from(q) * p).sum();
    assert!((amount - summary.amount_cents as f64 / 100.0).abs() < 0.01, "{amount}");
}

#[test]
fn rows_are_in_order_and_within_the_period() {
    let folder = tempfile::tempdir().unwrap();
    synthesize(&options(), folder.path()).unwrap();
    let rows = read(folder.path());
    let times = rows.column(4).as_primitive::<TimestampMicrosecondType>().values();
    let ids: Vec<&str> = rows.column(0).as_string::<i32>().iter().flatten().collect();
    let keys: Vec<(i64, &str)> = times.iter().copied().zip(ids).collect();
    assert!(keys.is_sorted());
    // 2024-01-01T00:00:00Z and 2025-01-01T00:00:00Z, from date(1).
    assert!(times.iter().all(|time| (1_704_067_200_000_000..1_735_689_600_000_000).contains(time)));
}

#[test]
fn known_shares_are_met() {
    let folder = tempfile::tempdir().unwrap();
    let many = Options { customers: 3_000, ..options() };
    let summary = synthesize(&many, folder.path()).unwrap();
    let rows = read(folder.path());
    let total = rows.num_rows() as f64;
    let prices = rows.column(5).as_primitive::<Float64Type>().values();
    let wrong = prices.iter().filter(|price| **price <= 0.0).count() + rows.column(2).as_string::<i32>().null_count();
    assert!((wrong as f64 / total - 0.001).abs() < 3e-4, "{wrong} of {total}");
    let quantities = rows.column(3).as_primitive::<Int32Type>().values();
    let back: Vec<usize> = (0..rows.num_rows()).filter(|&row| quantities[row] < 0).collect();
    assert!((back.len() as f64 / total - 0.03).abs() < 0.004, "{} of {total}", back.len());
    let ids = rows.column(0).as_string::<i32>();
    assert!(back.iter().all(|&row| ids.value(row).starts_with('C')));
    let guests = summary.guest_rows as f64 / total;
    assert!((guests - 0.05).abs() < 0.01, "{guests}");
}

#[test]
fn a_customer_is_the_same_whoever_else_there_is() {
    let first = |customers| {
        let folder = tempfile::tempdir().unwrap();
        // The number of products follows the customers only above 64.
        synthesize(&Options { customers, ..options() }, folder.path()).unwrap();
        let rows = read(folder.path());
        let ids = rows.column(6).as_primitive::<Int64Type>();
        let times = rows.column(4).as_primitive::<TimestampMicrosecondType>();
        (0..rows.num_rows())
            .filter(|&row| ids.is_valid(row) && ids.value(row) == 10_001)
            .map(|row| (times.value(row), rows.column(1).as_string::<i32>().value(row).to_owned()))
            .collect::<Vec<_>>()
    };
    assert!(!first(1).is_empty());
    assert_eq!(first(1), first(60));
}

#[test]
fn the_shipped_data_is_what_its_command_makes() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Options {
        customers: 1_200,
        seed: 42,
        from: NaiveDate::from_ymd_opt(2023, 12, 1).unwrap(),
        to: NaiveDate::from_ymd_opt(2024, 12, 31).unwrap(),
    };
    synthesize(&shipped, folder.path()).unwrap();
    // Rows and not bytes: a newer Parquet library may lay out the same rows otherwise.
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    assert!(read(&data) == read(folder.path()), "data/ is out of date: see its README");
}

#[test]
fn options_that_describe_nothing_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |options: Options| synthesize(&options, folder.path()).unwrap_err();
    let none = refused(Options { customers: 0, ..options() });
    assert!(matches!(none, SynthesizeError::NoCustomers));
    let back = refused(Options { to: NaiveDate::from_ymd_opt(2023, 12, 31).unwrap(), ..options() });
    assert!(matches!(back, SynthesizeError::PeriodEmpty { .. }));
    let long = refused(Options { to: NaiveDate::MAX, ..options() });
    assert!(matches!(long, SynthesizeError::PeriodTooLong { .. }));
    let day = Options { to: options().from, ..options() };
    assert!(synthesize(&day, folder.path()).unwrap().rows > 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = synthesize(&options(), &file.join("data")).unwrap_err();
    assert!(error.to_string().contains("file"), "{error}");
}
