//! Checks from outside: planted bad rows are found, all of them and none too many, whatever the kind and severity.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame, IntoColumn, NamedFrom, Series};
use serde_json::Value;

use super::support::{Project, Ran, digests, files, hours_of_2024, read_parquet};

const ROWS: i64 = 3000;

/// A kind of check, the rows planted for it, and what the reason is called.
struct Planted {
    check: &'static str,
    words: &'static str,
    rows: &'static [i64],
}

const KINDS: [Planted; 7] = [
    Planted { check: "not_null: [customer, amount]", words: "not_null customer, amount", rows: &[7, 1500, 2999] },
    Planted {
        check: "range: amount, min: 0, below: 1000",
        words: "range amount min 0 below 1000",
        rows: &[0, 11, 12, 13],
    },
    Planted { check: "unique: [line]", words: "unique line", rows: &[21, 22, 2500] },
    Planted {
        check: "accepted: state, values: [open, closed]",
        words: "accepted state of 2 values",
        rows: &[31, 2032],
    },
    Planted {
        check: "pattern: code, regex: '[A-Z]{2}[0-9]+'",
        words: "pattern code [A-Z]{2}[0-9]+",
        rows: &[11, 41, 42],
    },
    Planted {
        check: "sql: amount < 900 OR state = 'closed'",
        words: "sql amount < 900 OR state = 'closed'",
        rows: &[11, 12, 51],
    },
    Planted { check: "references: item, in: items.item", words: "references item in items.item", rows: &[61, 2062] },
];

fn pipeline(checks: &str) -> String {
    format!(
        "name: shop
sources:
  items:
    path: ${{lake}}/items.parquet
    columns: {{item: int32, name: string}}
    static: true
  lines:
    path: ${{lake}}/lines-*.parquet
    event_time: at
    columns: {{line: int64, customer: int64?, item: int64, code: string?, state: string, amount: float64?, at: datetime}}
{checks}
stages:
  - id: kept
    stage: sql
    inputs: {{lines: lines}}
    with: {{query: SELECT * FROM lines}}
  - id: names
    stage: sql
    inputs: {{items: items}}
    with: {{query: SELECT * FROM items}}
publish:
  kept: {{from: kept, to: \"${{warehouse}}/kept\"}}
  names: {{from: names, to: \"${{warehouse}}/names\"}}
"
    )
}

fn optional<T: Clone>(values: impl Iterator<Item = Option<T>>, name: &str) -> Column
where
    Series: NamedFrom<Vec<Option<T>>, [Option<T>]>,
{
    Series::new(name.into(), values.collect::<Vec<_>>()).into_column()
}

/// 3000 lines in three files and the planted rows, and a table of items; run dates from 2024-05-05 suit it.
fn project(checks: &str) -> Project {
    let project = Project::new(&pipeline(checks));
    project.write("configs/local.yaml", "lake: data\nwarehouse: out\nrun_date: 2024-06-01\n");
    for part in 0..3 {
        let rows = || part * ROWS / 3..(part + 1) * ROWS / 3;
        let is = |row: i64, kind: usize| KINDS[kind].rows.contains(&row);
        // Of the keys 20, 21, 22 the first stays; 2500 repeats a key of the first file.
        let line = |row: i64| match row {
            21 | 22 => 20,
            2500 => 3,
            row => row,
        };
        let amount = |row: i64| match row {
            7 | 2999 => None,
            0 => Some(-0.01),
            11 => Some(f64::NAN),
            12 => Some(1000.0),
            13 => Some(f64::INFINITY),
            51 => Some(950.0),
            row => Some((row % 800) as f64),
        };
        // 13 is out of range, but closed.
        let state = |row: i64| match row {
            31 => "Open",
            2032 => "",
            13 => "closed",
            row => ["open", "closed"][usize::from(row % 3 == 0 && row != 12 && row != 51)],
        };
        let code = |row: i64| match row {
            5 => None,
            11 => Some("AB1x".to_owned()),
            41 => Some(" AB41".to_owned()),
            42 => Some(String::new()),
            row => Some(format!("AB{row}")),
        };
        let columns = vec![
            optional(rows().map(|row| Some(line(row))), "line"),
            optional(rows().map(|row| (row != 1500).then_some(row % 50)), "customer"),
            optional(rows().map(|row| Some(if is(row, 6) { 1000 + row } else { row % 10 })), "item"),
            optional(rows().map(code), "code"),
            optional(rows().map(|row| Some(state(row).to_owned())), "state"),
            optional(rows().map(amount), "amount"),
            hours_of_2024("at", &rows().collect::<Vec<_>>()),
        ];
        project.write_parquet(&format!("data/lines-{part}.parquet"), columns);
    }
    let items = (0..10i32).map(Some);
    let names = (0..10).map(|item| Some(format!("item {item}")));
    project.write_parquet("data/items.parquet", vec![optional(items, "item"), optional(names, "name")]);
    project
}

/// The `checks:` block of the source with these kinds.
fn block(kinds: &[&Planted], severity: &str) -> String {
    let lines: Vec<String> =
        kinds.iter().map(|kind| format!("      - {{{}, severity: {severity}}}", kind.check)).collect();
    format!("    checks:\n{}\n", lines.join("\n"))
}

/// The planted rows of a table, by the hour of their time, with their reasons.
fn reasons(file: &Path) -> BTreeMap<i64, String> {
    let frame = read_parquet(file);
    let reasons = frame.column("_reason").unwrap().str().unwrap().clone();
    let rows = row_numbers(&frame);
    assert_eq!(rows.len(), frame.height());
    rows.into_iter().zip(reasons.iter().map(|reason| reason.unwrap().to_owned())).collect()
}

fn row_numbers(frame: &DataFrame) -> Vec<i64> {
    let hour = |micros: Option<i64>| (micros.unwrap() - 1_704_067_200_000_000) / 3_600_000_000;
    frame.column("at").unwrap().to_physical_repr().i64().unwrap().iter().map(hour).collect()
}

fn quarantine(ran: &Ran, name: &str) -> PathBuf {
    ran.directory.join("quarantine").join(format!("{name}.parquet"))
}

/// The results of checks in `run_results.json`: status, failures, message by id.
fn tests(ran: &Ran) -> BTreeMap<String, (String, u64, String)> {
    let results = ran.json("run_results.json");
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entries = results["results"].as_array().unwrap().iter();
    let tests = entries.filter(|entry| entry["unique_id"].as_str().unwrap().starts_with("test."));
    tests
        .map(|entry| {
            let told = (text(entry, "status"), entry["failures"].as_u64().unwrap(), text(entry, "message"));
            (text(entry, "unique_id"), told)
        })
        .collect()
}

fn published(project: &Project, name: &str) -> Vec<PathBuf> {
    let files = files(&project.path("out").join(name));
    files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

/// Row to the words of all kinds planted there.
fn planted(kinds: &[&Planted]) -> BTreeMap<i64, String> {
    let mut all: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for kind in kinds {
        for row in kind.rows {
            all.entry(*row).or_default().push(kind.words);
        }
    }
    all.into_iter().map(|(row, words)| (row, words.join("; "))).collect()
}

#[test]
fn each_kind_finds_its_rows_and_no_others_at_each_severity() {
    for kind in &KINDS {
        let count = kind.rows.len() as u64;
        let project = project(&block(&[kind], "quarantine"));
        let ran = project.run(0, &[]);
        assert_eq!(reasons(&quarantine(&ran, "lines")), planted(&[kind]), "{}", kind.check);
        let left = row_numbers(&project.table("shop", "kept", "table"));
        let expected: Vec<i64> = (0..ROWS).filter(|row| !kind.rows.contains(row)).collect();
        assert_eq!(left, expected, "{}: the others go on, in their order", kind.check);
        let told = tests(&ran);
        assert!(told.values().any(|(status, failures, _)| status == "warn" && *failures == count), "{told:?}");
        assert!(
            ran.said.stdout.contains(&format!("set aside in target/patronage/{}/quarantine/lines.parquet", id(&ran))),
            "{}",
            ran.said.stdout
        );

        let project = self::project(&block(&[kind], "warn"));
        let ran = project.run(0, &[]);
        let told = tests(&ran);
        assert!(told.values().any(|(status, failures, _)| status == "warn" && *failures == count), "{told:?}");
        assert_eq!(project.table("shop", "kept", "table").height() as i64, ROWS, "{}", kind.check);
        assert!(!quarantine(&ran, "lines").exists());

        let project = self::project(&block(&[kind], "error"));
        let ran = project.run(65, &[]);
        let told = tests(&ran);
        assert!(told.values().any(|(status, failures, _)| status == "fail" && *failures == count), "{told:?}");
        assert_eq!(ran.with_status("error"), ["source.lines"]);
        // `names` does not depend on the lines, and is not published either.
        assert_eq!(ran.with_status("skipped"), ["publish.kept", "publish.names", "stage.kept"]);
        assert!(!project.path("out").exists(), "{}", kind.check);
    }
}

/// The run's id.
fn id(ran: &Ran) -> String {
    ran.directory.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn all_kinds_at_once_give_all_reasons_and_the_same_bytes_with_any_number_of_threads() {
    let kinds: Vec<&Planted> = KINDS.iter().collect();
    let mut first: Option<(BTreeMap<String, String>, BTreeMap<String, String>)> = None;
    for threads in ["1", "2", "5"] {
        let project = project(&block(&kinds, "quarantine"));
        let ran = project.run(0, &["--threads", threads]);
        assert_eq!(reasons(&quarantine(&ran, "lines")), planted(&kinds));
        let counts: Vec<u64> = KINDS.iter().map(|kind| kind.rows.len() as u64).collect();
        let report = ran.json("report.json");
        let checks = report["checks"].as_array().unwrap();
        let failed = |kind: &Planted| {
            let check = checks.iter().find(|check| check["check"] == kind.words && check["on"] == "source.lines");
            check.unwrap()["failed_rows"].as_u64().unwrap()
        };
        assert_eq!(KINDS.iter().map(failed).collect::<Vec<_>>(), counts);
        let found =
            (digests(&ran.directory.join("quarantine")), digests(&project.path("target/patronage/tables/shop/kept")));
        // By name alone: the directory's is a key, which depends on when the project's files were written.
        let parquet_only = |all: BTreeMap<String, String>| -> BTreeMap<String, String> {
            let named = all.into_iter().map(|(path, digest)| (path.rsplit('/').next().unwrap().to_owned(), digest));
            named.filter(|(name, _)| name.ends_with(".parquet")).collect()
        };
        let found = (found.0, parquet_only(found.1));
        assert!(found.0.len() == 1 && found.1.len() == 1, "{found:?}");
        assert_eq!(first.get_or_insert(found.clone()), &found, "with {threads} threads");
    }
}

#[test]
fn nothing_that_a_run_tells_holds_a_value_of_its_data() {
    let kinds: Vec<&Planted> = KINDS.iter().collect();
    for severity in ["quarantine", "error"] {
        let project = project(&block(&kinds, severity));
        let junit = project.path("junit.xml");
        let code = if severity == "error" { 65 } else { 0 };
        let ran = project.run(code, &["--junit", "junit.xml"]);
        let mut told = vec![ran.said.stdout.clone(), ran.said.stderr.clone(), std::fs::read_to_string(&junit).unwrap()];
        for name in ["run_results.json", "report.json", "report.html", "events.ndjson", "manifest.json"] {
            told.push(std::fs::read_to_string(ran.directory.join(name)).unwrap());
        }
        for text in told {
            for value in ["AB1x", " AB41", "-0.01"] {
                assert!(!text.contains(value), "{value} in {text}");
            }
        }
    }
}

#[test]
fn a_stage_s_outputs_are_checked_on_every_port() {
    let project = project("");
    let checks = "    with: {query: SELECT * FROM lines}
    checks:
      - {unique: [line], severity: quarantine}
      - {range: amount, min: 0, below: 1000, severity: quarantine}
      - columns: {line: int64, amount: float64?, at: datetime}
        extra_columns: warn
      - {references: item, in: names.item, severity: warn}
      - {rows: {min: 2990, max: 2995}}
";
    project.edit("    with: {query: SELECT * FROM lines}\n", checks);
    let ran = project.run(0, &[]);
    let rows = [0, 11, 12, 13, 21, 22, 2500];
    let found = reasons(&quarantine(&ran, "kept"));
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), rows);
    assert_eq!(project.table("shop", "kept", "table").height(), 2993);
    let told = tests(&ran);
    let status = |id: &str| told.get(id).map(|(status, failures, _)| (status.as_str(), *failures));
    assert_eq!(status("test.kept.unique_line"), Some(("warn", 3)), "{told:#?}");
    assert_eq!(status("test.kept.columns"), Some(("warn", 1)));
    assert_eq!(status("test.kept.references_item_in_names_item"), Some(("warn", 2)));
    assert_eq!(status("test.kept.rows_min_2990_max_2995"), Some(("pass", 0)));
    let published = published(&project, "kept");
    assert_eq!(read_parquet(&published[0]).height(), 2993, "what is published is the table without them");

    // What nothing changed has the same results, and says where the rows still are.
    let again = project.run(0, &[]);
    assert_eq!(tests(&again), told);
    let file = format!("target/patronage/{}/quarantine/kept.parquet", id(&ran));
    let set_aside = |ran: &Ran| {
        let report = ran.json("report.json");
        report["nodes"].as_array().unwrap().iter().find(|node| node["id"] == "stage.kept").unwrap()["set_aside"].clone()
    };
    let wanted = serde_json::json!([{"on": "stage.kept", "rows": rows.len(), "file": file}]);
    assert_eq!((set_aside(&ran), set_aside(&again)), (wanted.clone(), wanted));
    let unique = &again.json("report.json")["checks"];
    let unique = unique.as_array().unwrap().iter().find(|check| check["check"] == "unique line").unwrap();
    assert_eq!(unique["failed_rows"], 3);
    assert_eq!(unique["set_aside_in"], file);
    assert!(ran.said.stdout.contains(&format!("stage.kept: 7 rows set aside in {file}")), "{}", ran.said.stdout);
    let page = std::fs::read_to_string(ran.directory.join("report.html")).unwrap();
    assert!(page.contains("✕ 3 rows") && page.contains("7 rows set aside"), "the page has the counts");

    // A check that changes decides again; one that fails blocks every publication and leaves no table.
    project.edit("{rows: {min: 2990, max: 2995}}", "{rows: {min: 2990, max: 2992}}");
    let failed = project.run(65, &["--run-date", "2024-06-02"]);
    assert!(failed.said.stdout.contains("2,993 rows, expected at most 2,992"), "{}", failed.said.stdout);
    assert_eq!(failed.with_status("skipped"), ["publish.kept", "publish.names"]);
    assert!(!project.path("out/kept/run_date=2024-06-02").exists());
    assert!(!project.path("out/names/run_date=2024-06-02").exists());
}

#[test]
fn another_port_is_checked_where_it_is_named() {
    let project = Project::shipped();
    let checks = "    with:\n      columns: [recency_days, orders, spend, average_order_value]\n";
    let text = std::fs::read_to_string(project.path("pipeline.yaml")).unwrap();
    assert_eq!(text.matches(checks).count(), 1, "the shipped segments");
    let more = "    checks:\n      - {on: profiles, unique: [segment]}\n      - {on: profiles, rows: {min: 100}, severity: warn}\n      - {not_null: [segment]}\n";
    project.edit(checks, &format!("{more}{checks}"));
    let ran = project.run(0, &["--select", "+segments"]);
    let told = tests(&ran);
    assert_eq!(told["test.segments.profiles.unique_segment"].0, "pass", "{told:#?}");
    assert_eq!(told["test.segments.profiles.rows_min_100"].0, "warn");
    assert_eq!(told["test.segments.not_null_segment"].0, "pass");
    assert!(
        ran.json("report.json")["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["on"] == "stage.segments.profiles")
    );
}

#[test]
fn a_declared_key_is_checked_by_itself() {
    let project = project("    key: [line]\n");
    let ran = project.run(65, &[]);
    assert!(ran.said.stderr.contains("unique line fails in 3 rows"), "{}", ran.said.stderr);
    // Unless the pipeline says what should happen.
    project.edit("    key: [line]\n", "    key: [line]\n    checks:\n      - {unique: [line], severity: quarantine}\n");
    let ran = project.run(0, &[]);
    assert_eq!(tests(&ran)["test.lines.unique_line"].1, 3);

    // And so is that of a query.
    let project = self::project("");
    project.edit("with: {query: SELECT * FROM lines}", "with: {query: SELECT * FROM lines, key: [line]}");
    let ran = project.run(65, &[]);
    assert_eq!(ran.with_status("error"), ["stage.kept"]);
}

#[test]
fn a_stale_source_ends_with_66() {
    let project = project("    checks:\n      - {freshness: at, max_age: 2d}\n");
    // The newest of 3000 hours is on 2024-05-04 at 23:00.
    project.run(0, &["--run-date", "2024-05-06"]);
    project.run(0, &["--run-date", "2024-05-05"]);
    let ran = project.run(66, &["--run-date", "2024-05-07"]);
    assert!(ran.said.stderr.contains("R201"), "{}", ran.said.stderr);
    assert!(ran.said.stderr.contains("more than 2 days old, expected at most 2 days"), "{}", ran.said.stderr);
    assert!(!project.path("out/names/run_date=2024-05-07").exists());
    project.edit("max_age: 2d", "max_age: 2d, severity: warn");
    project.run(0, &["--run-date", "2024-05-07"]);
}

#[test]
fn row_counts_are_compared_with_the_run_date_before() {
    let project = project("    checks:\n      - {rows: {change_max: 0.25}, severity: warn}\n");
    // 24 rows a day.
    let message = |ran: &Ran| tests(ran)["test.lines.rows_change_max_0_25"].2.clone();
    let first = project.run(0, &["--run-date", "2024-01-31"]);
    assert!(message(&first).contains("passes: there is no earlier run"), "{}", message(&first));
    let third = project.run(0, &["--run-date", "2024-03-01"]);
    assert!(message(&third).contains("1,440 rows after 720 rows on 2024-01-31"), "{}", message(&third));
    let manifest = third.json("manifest.json").to_string();
    assert!(manifest.contains("2024-01-31 {\\\"table\\\": 720}"), "what it is compared with is an input: {manifest}");

    // A backfill compares with what was before it, not with what came after; then the later one has another past.
    let second = project.run(0, &["--run-date", "2024-02-15"]);
    assert!(message(&second).contains("1,080 rows after 720 rows on 2024-01-31"), "{}", message(&second));
    let third = project.run(0, &["--run-date", "2024-03-01"]);
    assert!(message(&third).contains("1,440 rows after 1,080 rows on 2024-02-15"), "{}", message(&third));
    assert!(project.run(0, &["--run-date", "2024-02-15"]).with_status("no-op").contains(&"source.lines".to_owned()));

    let fresh = self::project("    checks:\n      - {rows: {change_max: 0.25}}\n");
    fresh.run(0, &["--run-date", "2024-01-31"]);
    fresh.run(65, &["--run-date", "2024-03-01"]);
    // What failed is no past to compare with.
    fresh.run(0, &["--run-date", "2024-02-05"]);
    fresh.run(65, &["--run-date", "2024-03-01"]);
}

#[test]
fn the_files_columns_are_held_to_the_contract() {
    // Further columns and another order are fine, unless the contract says otherwise.
    let narrow = pipeline("").replace("line: int64, customer: int64?, item: int64,", "item: int64, line: int64,");
    let project = project("");
    let told = |options: &str, code: i32| {
        let source = "    path: ${lake}/lines-*.parquet\n";
        project.write("pipeline.yaml", &narrow.replace(source, &format!("{source}{options}")));
        project.run(code, &[])
    };
    told("", 0);
    let results = tests(&told("    extra_columns: warn\n    reordered_columns: warn\n", 0));
    let (status, failures, message) = &results["test.lines.extra_columns"];
    assert_eq!((status.as_str(), *failures, message.contains("`customer`")), ("warn", 3, true), "{message}");
    let (_, failures, message) = &results["test.lines.reordered_columns"];
    assert_eq!((*failures, message.contains("it has `line` where the contract has `item`")), (3, true), "{message}");
    let ran = told("    extra_columns: error\n", 65);
    assert!(ran.said.stderr.contains("R202") && ran.said.stderr.contains("`customer`"), "{}", ran.said.stderr);
    assert_eq!(tests(&ran)["test.lines.extra_columns"].0, "fail");
    assert!(told("    reordered_columns: error\n", 65).said.stderr.contains("R202"));
    assert_eq!(published(&project, "names").len(), 1, "of the first run");

    // What is missing or of another type is told at once.
    let text = pipeline("").replace("state: string", "state: int64").replace("amount: float64?", "amounts: float64?");
    project.write("pipeline.yaml", &text);
    let said = project.run(65, &[]).said.stderr;
    assert!(said.contains("no column `amounts` (there is `amount`)") && said.contains("`state` is"), "{said}");
}

#[test]
fn a_source_may_refer_to_a_stage_and_waits_for_it() {
    let project = project("    checks:\n      - {references: item, in: names.item, severity: quarantine}\n");
    let ran = project.run(0, &["--select", "+kept"]);
    assert_eq!(
        ran.with_status("success"),
        ["publish.kept", "publish.names", "source.items", "source.lines", "stage.kept", "stage.names"]
    );
    assert_eq!(reasons(&quarantine(&ran, "lines")).keys().copied().collect::<Vec<_>>(), KINDS[6].rows);
    // Other items, other answers: the source is checked again although its files are the same.
    let items = (0..9i32).map(Some);
    let names = (0..9).map(|item| Some(format!("item {item}")));
    project.write_parquet("data/items.parquet", vec![optional(items, "item"), optional(names, "name")]);
    let ran = project.run(0, &[]);
    assert_eq!(tests(&ran)["test.lines.references_item_in_names_item"].1, 2 + 300, "{:?}", tests(&ran));
}

/// Sales every 90 hours: the run date cuts some off, which the report counts.
#[test]
fn rows_at_or_after_the_run_date_are_counted() {
    let project = Project::shop();
    let ran = project.run(0, &["--run-date", "2024-05-01"]);
    let source = ran.json("report.json")["sources"][0].clone();
    // 2024-05-01 is 121 days, 2,904 hours, after 2024-01-01: the 33 sales at 0, 90, ... 2,880 hours are before it.
    assert_eq!((&source["rows"], &source["later_rows"]), (&Value::from(33), &Value::from(7)));
    let table = read_parquet(&ran.directory.join("report.parquet"));
    let measures = table.column("measure").unwrap().str().unwrap().iter().collect::<Vec<_>>();
    let row = measures.iter().position(|measure| *measure == Some("later_rows")).expect("a row of later rows");
    assert_eq!(table.column("value").unwrap().f64().unwrap().get(row), Some(7.0));
}
