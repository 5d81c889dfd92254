use polars::prelude::{Column, DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series};

use super::*;

fn frame(columns: Vec<Column>) -> LazyFrame {
    DataFrame::new(columns.first().map_or(0, Column::len), columns).unwrap().lazy()
}

fn numbers(name: &str, values: &[Option<i64>]) -> Column {
    Series::new(name.into(), values).into_column()
}

fn check(severity: Severity, test: Test) -> Check {
    let words = format!("{severity:?}").to_lowercase();
    Check { port: 0, words, kind: "unique", columns: vec!["k".into()], severity, test }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn examined<'a>(frame: LazyFrame, checks: &'a [Check], other: Option<LazyFrame>) -> Findings<'a> {
    let passing = RowCounter::default();
    let subject = Subject {
        frame,
        entering: Entering::default(),
        time: None,
        port: None,
        checks: checks.iter().collect(),
        run_date: day("2024-06-01"),
        earlier: Some((day("2024-05-31"), 10)),
        passing: passing.clone(),
    };
    let findings = examine(subject, move |_, _| Ok(other.clone().unwrap())).unwrap();
    assert_eq!(passing.get(), findings.rows, "every row is counted, once");
    findings
}

fn kept(findings: &Findings<'_>, column: &str) -> Vec<Option<i64>> {
    let frame = findings.kept().collect().unwrap();
    assert!(frame.column(ROW).is_err(), "row numbers are not data");
    frame.column(column).unwrap().i64().unwrap().to_vec()
}

#[test]
fn of_equal_keys_the_first_stays() {
    let keys = [Some(3), Some(1), Some(3), None, Some(1), None, Some(3), Some(2)];
    let rows: Vec<Option<i64>> = (0..8).map(Some).collect();
    let checks = [check(Severity::Quarantine, Test::Unique(vec!["k".into()]))];
    let findings = examined(frame(vec![numbers("k", &keys), numbers("row", &rows)]), &checks, None);
    assert_eq!(findings.results[0].failed, 3);
    assert_eq!((findings.rows, findings.kept), (8, 5));
    assert_eq!(kept(&findings, "row"), [0, 1, 3, 5, 7].map(Some));
}

#[test]
fn keys_of_several_columns_are_not_run_together() {
    let left = Series::new("a".into(), ["x", "xy", "x", "x"]).into_column();
    let right = Series::new("b".into(), ["yz", "z", "yz", "y"]).into_column();
    let checks = [check(Severity::Warn, Test::Unique(vec!["a".into(), "b".into()]))];
    let findings = examined(frame(vec![left, right]), &checks, None);
    assert_eq!((findings.results[0].failed, findings.kept), (1, 4));
}

#[test]
fn every_row_without_a_counterpart_is_found() {
    let own: Vec<Option<i64>> = (0..10_000).map(|row| (row % 7 != 0).then_some(row % 100)).collect();
    let theirs: Vec<i32> = (0..100).filter(|value| value % 10 != 3).collect();
    let other = frame(vec![Series::new("id".into(), theirs).into_column()]);
    let test = Test::References { column: "k".into(), table: "t".into(), target: "id".into(), integers: true };
    let checks = [check(Severity::Quarantine, test)];
    let findings = examined(frame(vec![numbers("k", &own)]), &checks, Some(other));
    let wrong = |key: &Option<i64>| key.is_some_and(|key| key % 10 == 3);
    assert_eq!(findings.results[0].failed, own.iter().filter(|key| wrong(key)).count() as u64);
    let left: Vec<Option<i64>> = own.iter().copied().filter(|key| !wrong(key)).collect();
    assert_eq!(kept(&findings, "k"), left);
}

#[test]
fn a_row_is_set_aside_once_with_all_its_reasons() {
    let keys = [Some(1), Some(1), Some(-5), Some(-5), Some(2)];
    let negative = Check { words: "range".into(), ..check(Severity::Quarantine, Test::Row(col("k").lt(lit(0)))) };
    let unique = Check { words: "unique".into(), ..check(Severity::Quarantine, Test::Unique(vec!["k".into()])) };
    let warned = check(Severity::Warn, Test::Row(lit(true)));
    let checks = [negative, unique, warned];
    let findings = examined(frame(vec![numbers("k", &keys)]), &checks, None);
    let failed: Vec<u64> = findings.results.iter().map(|result| result.failed).collect();
    assert_eq!((failed, findings.kept), (vec![2, 2, 5], 2));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("aside.parquet");
    assert_eq!(findings.set_aside(&file).unwrap(), 3);
    let aside = crate::storage::scan::read_parquet(&file).unwrap().collect().unwrap();
    assert_eq!(aside.get_column_names(), ["k", "_reason"]);
    let reasons: Vec<&str> = aside.column("_reason").unwrap().str().unwrap().iter().flatten().collect();
    assert_eq!(reasons, ["unique", "range", "range; unique"]);
    assert_eq!(kept(&findings, "k"), [Some(1), Some(2)]);
}

#[test]
fn bounds_are_of_what_goes_on() {
    let bounds = |min, max, change_max| Test::Rows(RowBounds { min, max, change_max });
    let checks = [
        check(Severity::Quarantine, Test::Row(col("k").lt(lit(3)))),
        check(Severity::Error, bounds(Some(6), None, None)),
        check(Severity::Warn, bounds(Some(5), Some(5), Some(0.5))),
        check(Severity::Error, bounds(None, Some(4), Some(0.4))),
    ];
    let rows: Vec<Option<i64>> = (0..8).map(Some).collect();
    let findings = examined(frame(vec![numbers("k", &rows)]), &checks, None);
    let failed: Vec<u64> = findings.results.iter().map(|result| result.failed).collect();
    assert_eq!(failed, [3, 1, 0, 1]);
    assert_eq!(findings.results[1].found.as_deref(), Some("5 rows, expected at least 6"));
    let both = "5 rows, expected at most 4; 5 rows after 10 rows on 2024-05-31, expected a change of at most 0.4";
    assert_eq!(findings.results[3].found.as_deref(), Some(both));
    assert_eq!(failure(&findings.results).unwrap().code, Code::CheckFailed);
}

#[test]
fn the_first_run_has_nothing_to_compare_with_and_says_so() {
    let bounds = RowBounds { min: None, max: None, change_max: Some(0.1) };
    assert_eq!(row_bounds(&bounds, 5, None), (0, Some("there is no earlier run to compare with".to_owned())));
    assert_eq!(row_bounds(&bounds, 0, Some((day("2024-01-01"), 0))), (0, None));
    assert_eq!(row_bounds(&bounds, 1, Some((day("2024-01-01"), 0))).0, 1);
    let bounds = RowBounds { min: Some(20_000), max: None, change_max: None };
    assert_eq!(row_bounds(&bounds, 2_993, None).1.unwrap(), "2,993 rows, expected at least 20,000");
}

#[test]
fn age_is_counted_from_the_run_date_s_midnight() {
    const DAY_US: i64 = 86_400_000_000;
    let midnight = midnight_us(day("2024-06-01"));
    let failed = |newest| freshness("at", 2, newest, day("2024-06-01"));
    assert_eq!(failed(Some(midnight - 2 * DAY_US)), (0, None));
    assert_eq!(
        failed(Some(midnight - 2 * DAY_US - 1)).1.unwrap(),
        "the newest is more than 2 days old, expected at most 2 days"
    );
    assert_eq!(failed(Some(midnight - 5 * DAY_US)).1.unwrap(), "the newest is 5 days old, expected at most 2 days");
    assert_eq!(failed(None), (1, Some("no row has a `at`".to_owned())));
}

#[test]
fn only_staleness_has_a_code_of_its_own() {
    let result = |check: &str, failed| CheckResult {
        check: check.to_owned(),
        kind: String::new(),
        columns: vec![],
        port: None,
        severity: "error".to_owned(),
        failed,
        found: None,
    };
    let code = |results: &[CheckResult]| failure(results).map(|failure| failure.code);
    assert_eq!(code(&[result("freshness at max_age 2d", 0), result("unique k", 0)]), None);
    assert_eq!(code(&[result("freshness at max_age 2d", 1), result("unique k", 0)]), Some(Code::SourceStale));
    assert_eq!(code(&[result("freshness at max_age 2d", 1), result("unique k", 2)]), Some(Code::CheckFailed));
}

#[test]
fn an_empty_table_breaks_nothing_but_its_bounds() {
    let checks = [
        check(Severity::Error, Test::Row(col("k").is_null())),
        check(Severity::Error, Test::Unique(vec!["k".into()])),
        check(Severity::Error, Test::Rows(RowBounds { min: Some(1), max: None, change_max: None })),
    ];
    let findings = examined(frame(vec![Series::new_empty("k".into(), &DataType::Int64).into_column()]), &checks, None);
    let failed: Vec<u64> = findings.results.iter().map(|result| result.failed).collect();
    assert_eq!(failed, [0, 0, 1]);
}

/// Times that are set aside, one for itself and one for its key, make nothing fresh.
#[test]
fn the_newest_time_is_one_of_a_row_that_goes_on() {
    let microseconds = DataType::Datetime(TimeUnit::Microseconds, None);
    let times = Series::new("at".into(), [10_i64, 20, 30, 40]).cast(&microseconds).unwrap().into_column();
    let keys = numbers("k", &[Some(1), Some(2), Some(1), Some(-1)]);
    let newest = |checks: &[Check]| {
        let subject = Subject {
            frame: frame(vec![times.clone(), keys.clone()]),
            passing: RowCounter::default(),
            entering: Entering::default(),
            time: Some("at"),
            port: None,
            checks: checks.iter().collect(),
            run_date: day("2024-06-01"),
            earlier: None,
        };
        examine(subject, |_, _| unreachable!("no other table is asked for")).unwrap().newest_us
    };
    let negative = || check(Severity::Quarantine, Test::Row(col("k").lt(lit(0))));
    assert_eq!(newest(&[]), Some(40));
    assert_eq!(newest(&[negative()]), Some(30));
    assert_eq!(newest(&[negative(), check(Severity::Quarantine, Test::Unique(vec!["k".into()]))]), Some(20));
    assert_eq!(newest(&[negative(), check(Severity::Warn, Test::Unique(vec!["k".into()]))]), Some(30));
}
