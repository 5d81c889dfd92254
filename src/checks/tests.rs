//! Which rows each kind fails, on small tables; and what is refused.

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series, TimeUnit, col};
use serde_json::{Value, json};

use super::*;
use crate::table::Column as Declared;

fn schema() -> TableSchema {
    let column = |name: &str, dtype| Declared::new(name, dtype);
    TableSchema {
        columns: vec![
            column("id", DataType::Int64),
            column("price", DataType::Float64),
            column("quantity", DataType::Int8),
            column("code", DataType::String),
            column("paid", DataType::Boolean),
            column("born", DataType::Date),
            column("at", DataType::Datetime(TimeUnit::Microseconds, None)),
            column("tags", DataType::List(Box::new(DataType::String))),
            column("big", DataType::UInt64),
        ],
        ..TableSchema::default()
    }
}

fn compiled(check: Value) -> Result<Vec<Check>, Vec<Problem>> {
    let spec: CheckSpec = serde_json::from_value(check).unwrap();
    let other = |table: &str| match table {
        "people" => Ok(TableSchema {
            columns: vec![Declared::new("id", DataType::Int32), Declared::new("name", DataType::String)],
            ..TableSchema::default()
        }),
        _ => Err(Problem::new(Code::UnknownInput, format!("nothing is called `{table}`"))),
    };
    compile(&spec, &schema(), 0, other)
}

/// The rows of one column that the check fails.
fn failing(check: Value, column: impl IntoColumn) -> Vec<usize> {
    let checks = compiled(check).unwrap();
    let [Check { test: Test::Row(failing), .. }] = checks.as_slice() else { panic!("{checks:?}") };
    let column: Column = column.into_column();
    let frame = DataFrame::new(column.len(), vec![column]).unwrap();
    let flags = frame.lazy().with_columns([failing.clone().alias("_f")]).select([col("_f")]).collect().unwrap();
    let flags = flags.column("_f").unwrap().bool().unwrap().clone();
    assert_eq!(flags.null_count(), 0);
    flags.iter().enumerate().filter(|(_, flag)| *flag == Some(true)).map(|(row, _)| row).collect()
}

/// Code and path of the first problem.
fn refused(check: Value) -> (Code, String) {
    let problem = compiled(check).unwrap_err().remove(0);
    let step = |step: &crate::problem::Step| match step {
        crate::problem::Step::Key(key) => key.clone(),
        crate::problem::Step::Index(index) => index.to_string(),
    };
    (problem.code, problem.place.path.iter().map(step).collect::<Vec<_>>().join("."))
}

#[test]
fn a_range_fails_what_is_outside_and_nan_but_not_null() {
    let prices = Series::new("price".into(), [Some(-1.0), Some(0.0), Some(5.0), Some(5.5), Some(f64::NAN), None]);
    assert_eq!(failing(json!({ "range": "price", "min": 0, "max": 5 }), prices.clone()), [0, 3, 4]);
    assert_eq!(failing(json!({ "range": "price", "above": 0 }), prices.clone()), [0, 1, 4]);
    assert_eq!(failing(json!({ "range": "price", "below": 5.0 }), prices.clone()), [2, 3, 4]);
    assert_eq!(failing(json!({ "range": "price", "min": -9.5 }), prices), [4]);
    // 2^53 + 1 is no double: whole numbers are compared as such.
    let ids = Series::new("id".into(), [9_007_199_254_740_992i64, 9_007_199_254_740_993]);
    assert_eq!(failing(json!({ "range": "id", "max": 9_007_199_254_740_992i64 }), ids), [1]);
}

#[test]
fn a_range_of_days_compares_with_midnights() {
    let days = Series::new("born".into(), [Some(-1i32), Some(0), Some(1), None]).cast(&DataType::Date).unwrap();
    assert_eq!(failing(json!({ "range": "born", "min": "1970-01-01", "below": "1970-01-02" }), days), [0, 2]);
    let times = Series::new("at".into(), [-1i64, 0, 86_400_000_000, 86_400_000_001]);
    let times = times.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
    assert_eq!(failing(json!({ "range": "at", "min": "1970-01-01", "max": "1970-01-02" }), times), [0, 3]);
}

#[test]
fn a_pattern_is_of_the_whole_text() {
    let codes =
        Series::new("code".into(), [Some("12345"), Some("12345A"), Some("x12345"), Some("12345\n"), Some(""), None]);
    assert_eq!(failing(json!({ "pattern": "code", "regex": "[0-9]{5}" }), codes.clone()), [1, 2, 3, 4]);
    assert_eq!(failing(json!({ "pattern": "code", "regex": "[0-9]{5}|x.*" }), codes), [1, 3, 4]);
}

#[test]
fn accepted_values_are_of_the_column_s_type() {
    let codes = Series::new("code".into(), [Some("a"), Some("b"), Some("A"), None]);
    assert_eq!(failing(json!({ "accepted": "code", "values": ["a", "b"] }), codes), [2]);
    let quantities = Series::new("quantity".into(), [Some(1i8), Some(2), None, Some(3)]);
    assert_eq!(failing(json!({ "accepted": "quantity", "values": [1, 3] }), quantities), [1]);
    let paid = Series::new("paid".into(), [Some(true), Some(false), None]);
    assert_eq!(failing(json!({ "accepted": "paid", "values": [true] }), paid), [1]);
    let days = Series::new("born".into(), [Some(0i32), Some(1), None]).cast(&DataType::Date).unwrap();
    assert_eq!(failing(json!({ "accepted": "born", "values": ["1970-01-01"] }), days), [1]);
}

#[test]
fn a_condition_fails_where_it_is_false_and_passes_where_it_is_null() {
    let quantities = || Series::new("quantity".into(), [Some(100i8), Some(2), None, Some(0)]);
    // 100 * 100 would wrap around in 8 bits.
    assert_eq!(failing(json!({ "sql": "quantity * quantity < 5000" }), quantities()), [0]);
    assert_eq!(failing(json!({ "sql": "10 / quantity > 0" }), quantities()), Vec::<usize>::new());
    assert_eq!(failing(json!({ "sql": "1 = 2" }), quantities()), [0, 1, 2, 3]);
}

#[test]
fn nulls_are_found_in_any_of_the_columns() {
    let codes = Series::new("code".into(), [Some("a"), None]);
    assert_eq!(failing(json!({ "not_null": ["code"] }), codes), [1]);
}

#[test]
fn what_does_not_fit_is_refused_where_it_stands() {
    use Code::{BadValue, MissingKey, SqlInvalid, UnknownColumn, UnknownInput, WrongColumnType, WrongType};
    for (check, code, path) in [
        (json!({ "not_null": ["id", "prise"] }), UnknownColumn, "not_null.1"),
        (json!({ "unique": ["id", "id"] }), BadValue, "unique.1"),
        (json!({ "unique": ["tags"] }), WrongColumnType, "unique.0"),
        (json!({ "range": "code", "min": 0 }), WrongColumnType, "range"),
        (json!({ "range": "price" }), MissingKey, ""),
        (json!({ "range": "price", "min": "2024-01-01" }), WrongType, "min"),
        (json!({ "range": "born", "max": 3 }), WrongType, "max"),
        (json!({ "range": "price", "min": 0, "above": 0 }), BadValue, "above"),
        (json!({ "range": "price", "min": 3, "max": 2 }), BadValue, "min"),
        (json!({ "range": "price", "above": 3, "max": 3 }), BadValue, "above"),
        (json!({ "accepted": "price", "values": [1] }), WrongColumnType, "accepted"),
        (json!({ "accepted": "code", "values": ["a", 1] }), WrongType, "values.1"),
        (json!({ "accepted": "quantity", "values": [1, 300] }), BadValue, "values.1"),
        (json!({ "accepted": "born", "values": ["yesterday"] }), WrongType, "values.0"),
        (json!({ "pattern": "id", "regex": "a" }), WrongColumnType, "pattern"),
        (json!({ "pattern": "code", "regex": "(" }), BadValue, "regex"),
        (json!({ "sql": "price" }), SqlInvalid, "sql"),
        (json!({ "sql": "code > 3" }), SqlInvalid, "sql"),
        (json!({ "references": "id", "in": "poeple.id" }), UnknownInput, "in"),
        (json!({ "references": "id", "in": "people.ids" }), UnknownColumn, "in"),
        (json!({ "references": "id", "in": "people.name" }), WrongColumnType, "in"),
        (json!({ "references": "big", "in": "people.id" }), WrongColumnType, "in"),
        (json!({ "freshness": "code", "max_age": "2d" }), WrongColumnType, "freshness"),
        (json!({ "freshness": "at", "max_age": "2d", "severity": "quarantine" }), BadValue, "severity"),
        (json!({ "rows": {} }), MissingKey, "rows"),
        (json!({ "rows": { "min": 2, "max": 1 } }), BadValue, "rows.min"),
        (json!({ "rows": { "min": 2 }, "severity": "quarantine" }), BadValue, "severity"),
        (json!({ "columns": { "ident": "int64" } }), UnknownColumn, "columns.ident"),
        (json!({ "columns": { "id": "int32" } }), WrongColumnType, "columns.id"),
        (json!({ "columns": { "id": "int64" }, "extra_columns": "error" }), UnknownColumn, "columns"),
        (
            json!({ "columns": { "price": "float64?", "id": "int64" }, "reordered_columns": "error" }),
            BadValue,
            "columns",
        ),
    ] {
        assert_eq!(refused(check.clone()), (code, path.to_owned()), "{check}");
    }
}

#[test]
fn references_join_integers_of_any_width() {
    let checks = compiled(json!({ "references": "id", "in": "people.id" })).unwrap();
    assert!(matches!(&checks[0].test, Test::References { integers: true, .. }), "{checks:?}");
}

#[test]
fn columns_that_only_warn_are_reported() {
    let check = json!({ "columns": { "id": "int64", "born": "date?" }, "extra_columns": "warn" });
    let checks = compiled(check).unwrap();
    let Test::Known { failed: 1, found: Some(found) } = &checks[0].test else { panic!("{checks:?}") };
    assert!(found.contains("`price`") && checks[0].severity == Severity::Warn, "{found}");
    assert_eq!(checks[1].words, "not_null id");
    let gone = compiled(json!({ "columns": { "gone": "int64" }, "severity": "warn" })).unwrap();
    assert!(matches!(&gone[0].test, Test::Known { failed: 1, .. }), "{gone:?}");
}

#[test]
fn declarations_imply_checks_unless_they_are_made() {
    let declared: CheckSpec = serde_json::from_value(json!({ "not_null": ["id"], "severity": "warn" })).unwrap();
    let key = ["id".to_owned(), "code".to_owned()];
    let words = |declared: &[CheckSpec]| -> Vec<String> {
        implied(&["id", "code"], &key, declared, &schema()).into_iter().map(|check| check.words).collect()
    };
    assert_eq!(words(&[]), ["not_null id", "not_null code", "unique id, code"]);
    assert_eq!(words(&[declared]), ["not_null code", "unique id, code"]);
    let own_key: CheckSpec =
        serde_json::from_value(json!({ "unique": ["code", "id"], "severity": "quarantine" })).unwrap();
    assert_eq!(words(&[own_key]), ["not_null id", "not_null code"]);
}
