//! Damaged files of sources: whatever becomes of their bytes, no panic reaches the user and every exit is typed.
//!
//! Each mutation has a number, from which it follows. `PATRONAGE_MUTATIONS` says how many there are of Parquet files
//! (`tests/real/mutations.sh` makes 2,000), and half as many of text files; `PATRONAGE_MUTATION` makes only that one.

mod bytes;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, ListArray, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::support::{Project, Said, program};

const ORDINARY: u64 = 200;
const ROWS: i32 = 400;
const SECONDS_MAX: u64 = 60;

const PIPELINE: &str = "\
name: mutations
sources:
  rows:
    path: data/FILE
    event_time: at
    columns:
      id: int32
      name: string?
      at: datetime
      amount: float64?
      price: decimal(12,2)?
      good: bool?
LISTS
    checks:
      - {range: amount, min: -1000, severity: quarantine}
      - {unique: [id], severity: quarantine}
stages:
  - id: out
    stage: sql
    inputs: {rows: rows}
    with: {query: SELECT * FROM rows}
  - id: people
    stage: features
    inputs: {events: rows}
    with:
      entity: name
      time: at
      snapshots: {every: 30d, count: 2}
      features: {orders: COUNT(*), spend: SUM(amount), dearest: MAX(price)}
";

#[test]
fn no_damage_to_a_parquet_file_brings_a_panic_to_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let originals: Vec<Vec<u8>> = writers().map(|properties| parquet(folder.path(), properties)).collect();
    sweep("rows.parquet", &originals, asked());
}

#[test]
fn no_damage_to_a_text_file_brings_a_panic_to_the_user() {
    sweep("rows.csv", &[csv().into_bytes()], asked().div_ceil(4));
    sweep("rows.ndjson", &[objects().into_bytes()], asked().div_ceil(4));
}

fn asked() -> u64 {
    let text = std::env::var("PATRONAGE_MUTATIONS").ok();
    text.map_or(ORDINARY, |text| text.parse().expect("PATRONAGE_MUTATIONS is a number"))
}

/// Runs the program on as many mutations of a file, and asserts that each ends as it may.
fn sweep(name: &str, originals: &[Vec<u8>], count: u64) {
    let only: Option<u64> = std::env::var("PATRONAGE_MUTATION").ok().and_then(|text| text.parse().ok());
    let next = AtomicU64::new(0);
    let (codes, wrong) = (Mutex::new(BTreeMap::<String, u64>::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    if only.is_some_and(|only| only != number) {
                        continue;
                    }
                    let (damaged, what) = bytes::mutated(originals, number);
                    let (ended, complaint) = judge(name, &damaged);
                    *codes.lock().unwrap().entry(ended).or_default() += 1;
                    let Some(complaint) = complaint else { continue };
                    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("damaged-{number}-{name}"));
                    std::fs::write(&kept, damaged).unwrap();
                    let complaint = format!("mutation {number} ({what}, {}): {complaint}", kept.display());
                    wrong.lock().unwrap().push(complaint);
                }
            });
        }
    });
    let (codes, wrong) = (codes.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!("{count} mutations of {name}: {codes:?}");
    assert!(wrong.is_empty(), "{} of {count} mutations of {name}\n{}", wrong.len(), wrong.join("\n"));
}

/// How a run on the file ends, and what is wrong with that.
fn judge(name: &str, damaged: &[u8]) -> (String, Option<String>) {
    let lists = if name.ends_with("csv") { "" } else { "      codes: list(int64)?" };
    let project = Project::new(&PIPELINE.replace("FILE", name).replace("LISTS", lists));
    project.write("configs/local.yaml", "run_date: 2024-06-01\n");
    project.write("data/.keep", "");
    std::fs::write(project.path("data").join(name), damaged).unwrap();
    let Some(output) = within_limits(project.root()) else {
        return ("no end".to_owned(), Some(format!("it did not end within {SECONDS_MAX} s")));
    };
    let Some(code) = output.status.code() else {
        return ("killed".to_owned(), Some(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))));
    };
    let said = Said::of(output);
    // Damage that no reader notices gives a run like others; other damage is one of the file.
    let ends = matches!(code, 0 | 65) && !said.stderr.contains("panicked") && !said.stdout.contains("panicked");
    (code.to_string(), (!ends).then(|| format!("exit {code}: {}", said.stderr)))
}

/// The program in a project, with memory enough for an honest file only; none if it does not end.
fn within_limits(project: &Path) -> Option<Output> {
    let program = program();
    let limited = "ulimit -v 6000000 2>/dev/null; exec \"$0\" run pipeline.yaml --threads 1";
    let mut child = Command::new("sh")
        .args(["-c", limited])
        .arg(program.get_program())
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env_remove("PATRONAGE_MUTATIONS")
        .env_remove("PATRONAGE_MUTATION")
        .env_remove("RUST_BACKTRACE")
        .current_dir(project)
        .stdout(Stdio::from(File::create(project.join("stdout")).unwrap()))
        .stderr(Stdio::from(File::create(project.join("stderr")).unwrap()))
        .spawn()
        .expect("a shell");
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > Duration::from_secs(SECONDS_MAX) {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |name: &str| std::fs::read(project.join(name)).unwrap();
    Some(Output { status, stdout: read("stdout"), stderr: read("stderr") })
}

/// Files as different writers make them: with and without compression, dictionaries, statistics and small pages.
fn writers() -> impl Iterator<Item = WriterProperties> {
    let plain = WriterProperties::builder().set_dictionary_enabled(false);
    let small = WriterProperties::builder()
        .set_compression(Compression::ZSTD(Default::default()))
        .set_max_row_group_row_count(Some(150))
        .set_data_page_row_count_limit(40)
        .set_write_batch_size(40)
        .set_statistics_enabled(EnabledStatistics::Page);
    let second = WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0);
    [plain, small, second].into_iter().map(|builder| builder.build())
}

fn parquet(folder: &Path, properties: WriterProperties) -> Vec<u8> {
    let rows = 0..ROWS;
    let some = |row: i32| row % 11 > 0;
    let at: TimestampMillisecondArray = rows.clone().map(|row| Some(moment_ms(row))).collect();
    let price: Decimal128Array = rows.clone().map(|row| some(row).then_some(i128::from(row) * 37)).collect();
    let codes = rows.clone().map(|row| some(row).then(|| (0..row % 4).map(|code| Some(i64::from(code)))));
    let columns: [(&str, ArrayRef); 7] = [
        ("id", Arc::new(Int32Array::from_iter_values(rows.clone()))),
        ("name", Arc::new(rows.clone().map(|row| some(row).then(|| name(row))).collect::<StringArray>())),
        ("at", Arc::new(at)),
        ("amount", Arc::new(rows.clone().map(|row| some(row).then(|| amount(row))).collect::<Float64Array>())),
        ("price", Arc::new(price.with_precision_and_scale(12, 2).unwrap())),
        ("good", Arc::new(rows.clone().map(|row| some(row).then_some(row % 2 == 0)).collect::<BooleanArray>())),
        ("codes", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(codes))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, values)| (name, values, name != "id")));
    let batch = batch.unwrap();
    let path = folder.join("original.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    std::fs::read(path).unwrap()
}

fn csv() -> String {
    let line = |row: i32| {
        let at = chrono::DateTime::from_timestamp_millis(moment_ms(row)).unwrap().format("%Y-%m-%dT%H:%M:%S%.3fZ");
        format!("{row},\"{}\",{at},{},{}.{:02},{}\n", name(row), amount(row), row / 3, row % 100, row % 2 == 0)
    };
    format!("id,name,at,amount,price,good\n{}", (0..ROWS).map(line).collect::<String>())
}

fn objects() -> String {
    let line = |row: i32| {
        let at = chrono::DateTime::from_timestamp_millis(moment_ms(row)).unwrap().format("%Y-%m-%d %H:%M:%S%.3f");
        let name = name(row).replace('"', "\\\"");
        let (amount, price) = (amount(row), format!("{}.{:02}", row / 3, row % 100));
        format!(
            "{{\"id\": {row}, \"name\": \"{name}\", \"at\": \"{at}\", \"amount\": {amount}, \"price\": \"{price}\", \
             \"good\": {}, \"codes\": [1, {row}]}}\n",
            row % 2 == 0
        )
    };
    (0..ROWS).map(line).collect()
}

fn name(row: i32) -> String {
    format!("customer \u{e9} {}", row * 7919 % 97)
}

fn amount(row: i32) -> f64 {
    f64::from(row % 100) / 4.0
}

/// Every two hours from the start of 2024.
fn moment_ms(row: i32) -> i64 {
    1_704_067_200_000 + i64::from(row) * 7_200_000
}
