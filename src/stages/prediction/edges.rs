//! Odd tables, which every kind must learn from with finite answers, or refuse with a reason.

use polars::prelude::{Column as Values, DataFrame, DataType, IntoLazy, NamedFrom, Series};
use serde_json::{Value, json};

use super::boosted_trees::BoostedTrees;
use super::fixture::run;
use super::learner::Predictor;
use super::linear::Linear;
use super::logistic::Logistic;
use super::svm::Svm;
use crate::stages::contract::{Failure, Outputs};
use crate::table::{Column, Table, TableSchema};

/// Rows of most tables; the last fifth has no target.
const ROWS: usize = 300;

/// A table, by the row.
struct Odd {
    rows: usize,
    columns: Vec<Series>,
    target: Series,
}

fn noise(row: usize) -> f64 {
    ((row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Odd {
    /// Two telling columns, and whether something is true.
    fn new() -> Odd {
        Odd::of(ROWS)
    }

    fn of(rows: usize) -> Odd {
        let x = |k: usize| (0..rows).map(move |row| ((row * (37 + 14 * k)) % 101) as f64 / 10.0).collect::<Vec<f64>>();
        let columns = vec![Series::new("x".into(), x(0)), Series::new("z".into(), x(1))];
        Odd { rows, columns, target: Series::new("y".into(), Vec::<bool>::new()) }
            .target(|row, x| x[0] + 6.0 * noise(row) > 8.0)
    }

    fn with<T>(mut self, name: &str, of: impl Fn(usize) -> T) -> Odd
    where
        Series: NamedFrom<Vec<T>, [T]>,
        Vec<T>: FromIterator<T> + AsRef<[T]>,
    {
        self.columns.push(Series::new(name.into(), (0..self.rows).map(of).collect::<Vec<T>>()));
        self
    }

    fn target<T>(mut self, of: impl Fn(usize, [f64; 2]) -> T) -> Odd
    where
        Series: NamedFrom<Vec<Option<T>>, [Option<T>]>,
    {
        let x: Vec<Vec<f64>> =
            self.columns.iter().take(2).map(|column| column.f64().unwrap().iter().flatten().collect()).collect();
        let values: Vec<Option<T>> =
            (0..self.rows).map(|row| (row < self.known()).then(|| of(row, [x[0][row], x[1][row]]))).collect();
        self.target = Series::new("y".into(), values);
        self
    }

    fn known(&self) -> usize {
        self.rows * 4 / 5
    }

    fn table(&self) -> Table {
        let ids = Series::new("id".into(), (0..self.rows as i64).collect::<Vec<_>>());
        let all: Vec<Values> =
            [&ids].into_iter().chain(&self.columns).chain([&self.target]).cloned().map(Into::into).collect();
        let columns = all.iter().map(|column| Column::new(column.name().as_str(), column.dtype().clone())).collect();
        let schema = TableSchema { columns, key: vec!["id".into()], fixed: true, ..TableSchema::default() };
        Table { frame: DataFrame::new(self.rows, all).unwrap().lazy(), schema, watermark: None }
    }
}

/// What every kind says that takes such a target.
fn all(odd: &Odd) -> Vec<(&'static str, Result<Outputs, Failure>)> {
    fn of<P: Predictor>(with: &Value, table: Table) -> Option<Result<Outputs, Failure>> {
        let stage: P = serde_json::from_value(with.clone()).unwrap();
        let dtype = &table.schema.column("y").unwrap().dtype;
        stage.task(dtype).map(|_| run(&stage, table))
    }
    let plain = json!({"target": "y"});
    let found = [
        ("linear", of::<Linear>(&plain, odd.table())),
        ("logistic", of::<Logistic>(&plain, odd.table())),
        ("svm", of::<Svm>(&plain, odd.table())),
        ("linear svm", of::<Svm>(&json!({"target": "y", "kernel": "linear"}), odd.table())),
        ("boosted trees", of::<BoostedTrees>(&json!({"target": "y", "rounds": 10}), odd.table())),
    ];
    found.into_iter().filter_map(|(name, found)| Some((name, found?))).collect()
}

/// Every kind scores the rows without a target, each with a finite number.
fn learned(name: &str, odd: &Odd) {
    let all = all(odd);
    assert!(all.len() >= 3, "{name}");
    for (kind, found) in all {
        let outputs = found.unwrap_or_else(|error| panic!("{name}, {kind}: {error}"));
        let frame = outputs.tables[0].clone().collect().unwrap();
        assert_eq!(frame.height(), odd.rows - odd.known(), "{name}, {kind}");
        for column in frame.columns().iter().filter(|column| *column.dtype() == DataType::Float64) {
            assert!(column.f64().unwrap().iter().all(|value| value.is_some_and(f64::is_finite)), "{name}, {kind}");
        }
    }
}

fn refused(name: &str, odd: &Odd, reason: &str) {
    for (kind, found) in all(odd) {
        match found.err() {
            Some(Failure::Data(message)) => assert!(message.contains(reason), "{name}, {kind}: {message}"),
            other => panic!("{name}, {kind}: {other:?}"),
        }
    }
}

#[test]
fn odd_features_are_learned_from() {
    learned("a constant", &Odd::new().with("c", |_| 4.2));
    learned("a duplicate", &Odd::new().with("again", |row| ((row * 37) % 101) as f64 / 10.0));
    learned("no values at all", &Odd::new().with("none", |_| None::<f64>));
    learned("no texts at all", &Odd::new().with("none", |_| None::<&str>));
    let infinite = |row: usize| match row % 5 {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => f64::NAN,
        _ => row as f64,
    };
    learned("infinities", &Odd::new().with("far", infinite));
    learned("the largest numbers", &Odd::new().with("large", |row| if row % 2 == 0 { 1e300 } else { -1e300 }));
    let level = |row: usize| if row < ROWS * 4 / 5 { ["a", "b"][row % 2] } else { ["a", "new"][row % 2] };
    learned("a level that training had not", &Odd::new().with("level", level));
    let mut wide = Odd::new();
    for column in 0..190 {
        wide = wide.with(&format!("w{column}"), |row| noise(row * 300 + column));
    }
    learned("more columns than rows", &wide);
}

#[test]
fn odd_targets_are_learned_from() {
    // So clear a border that no penalty but ours bounds the coefficients; not of one feature alone, which would be refused.
    learned("perfect separation", &Odd::new().target(|_, [x, z]| x + z > 10.0));
    learned("a text", &Odd::new().target(|row, [x, _]| if x + 8.0 * noise(row) > 9.0 { "yes" } else { "no" }));
    for classes in [2_usize, 7] {
        let of = move |row: usize, [x, _]: [f64; 2]| ((x * 2.0 + 8.0 * noise(row)) as i64) % classes as i64;
        learned("classes", &Odd::new().target(of));
    }
    learned("a number", &Odd::new().target(|row, [x, z]| x * z + noise(row)));
}

#[test]
fn fifty_classes_are_learned() {
    let of = |row: usize, [x, _]: [f64; 2]| if noise(row) < 0.5 { (row % 50) as i64 } else { (x * 5.0) as i64 % 50 };
    learned("fifty classes", &Odd::of(1_250).target(of));
}

#[test]
fn classes_of_one_row_in_a_thousand_are_learned() {
    learned("a rare truth", &Odd::of(20_000).target(|row, [x, _]| x > 9.0 && row % 100 == 0));
    let class = |row: usize, [x, z]: [f64; 2]| match row % 1_000 {
        0 => "rare",
        _ if x > z => "a",
        _ => "b",
    };
    learned("a rare class", &Odd::of(20_000).target(class));
}

#[test]
fn every_feature_that_much_is_lost_without_is_warned_of() {
    let idle = |row: usize| ((row * 29) % 83) as f64;
    let odd = Odd::new().with("idle", idle).target(|row, [x, z]| x + z + 4.0 * noise(row) > 12.0);
    for (kind, found) in all(&odd) {
        let Some(evaluation) = found.unwrap_or_else(|error| panic!("{kind}: {error}")).evaluation else {
            panic!("{kind}: not evaluated")
        };
        let warned = |name: &str| {
            let start = format!("Without `{name}` the ROC AUC falls by 0.");
            evaluation.warnings.iter().any(|told| told.starts_with(&start))
        };
        assert!(warned("x") && warned("z") && !warned("idle"), "{kind}: {:?}", evaluation.warnings);
    }
}

#[test]
fn what_cannot_be_learned_is_refused_with_the_reason() {
    let one = Odd::new().target(|_, _| true);
    for (kind, found) in all(&one) {
        let message = found.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("`y`"), "{kind}: {message}");
    }
    let alone = Odd::new().target(|_, [x, _]| x > 5.0);
    refused("a feature that is the target", &alone, "`x` (ROC AUC 1.000) alone tells `y`");
    let rare = Odd::new().target(|row, _| row == 17);
    for (kind, found) in all(&rare) {
        let message = found.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("`y`"), "{kind}: {message}");
    }
}
