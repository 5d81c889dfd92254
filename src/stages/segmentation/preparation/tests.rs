use super::*;
use ndarray::array;
use polars::prelude::{Column, IntoColumn, NamedFrom, Series};
use serde_json::json;

fn rows(numbers: Array2<f64>, texts: Vec<Column>) -> Rows {
    let entities = Series::new("id".into(), (0..numbers.nrows() as i64).collect::<Vec<_>>()).into_column();
    Rows { entity: "id".into(), entities, numbers, texts, weights: None, truth: None }
}

fn recipe<'a>(numbers: &'a [String], transform: &'a Transform) -> Recipe<'a> {
    Recipe { numbers, impute: None, transform, scale: Scale::None }
}

fn names(count: usize) -> Vec<String> {
    ["a", "b", "c"].into_iter().take(count).map(str::to_owned).collect()
}

#[test]
fn what_is_missing_is_refused_or_filled() {
    let gaps = || rows(array![[1.0, f64::NAN], [f64::INFINITY, 4.0], [3.0, 6.0], [8.0, 8.0]], vec![]);
    let (names, none) = (names(2), Transform::default());
    let refused = Preparation::fit(recipe(&names, &none), &gaps()).unwrap_err().to_string();
    assert!(refused.starts_with("missing values: `b` in 1 row; infinite values: `a` in 1 row; fill them"), "{refused}");
    for (impute, expected) in [(Impute::Median, [3.0, 6.0]), (Impute::Mean, [4.0, 6.0]), (Impute::Zero, [0.0, 0.0])] {
        let recipe = Recipe { impute: Some(impute), ..recipe(&names, &none) };
        let (fitted, prepared) = Preparation::fit(recipe, &gaps()).unwrap();
        assert_eq!((prepared[(1, 0)], prepared[(0, 1)]), (expected[0], expected[1]), "{impute:?}");
        assert_eq!(fitted.missing.as_deref(), Some(expected.as_slice()));
        // A later row is filled by what was learned.
        let later = fitted.prepare(&rows(array![[f64::NAN, 1.0]], vec![])).unwrap();
        assert_eq!(later[(0, 0)], expected[0]);
    }
}

#[test]
fn quantiles_are_limits_of_the_rows_fitted_on() {
    let values = Array2::from_shape_fn((101, 1), |(row, _)| row as f64);
    let transform: Transform =
        serde_json::from_value(json!({"clip": {"a": {"quantiles": [0.1, 0.9], "min": 20}}, "log1p": ["a"]})).unwrap();
    let names = names(1);
    let (fitted, prepared) = Preparation::fit(recipe(&names, &transform), &rows(values, vec![])).unwrap();
    let of = |value: f64| value.ln_1p();
    assert_eq!((prepared[(0, 0)], prepared[(50, 0)], prepared[(100, 0)]), (of(20.0), of(50.0), of(90.0)));
    let written = serde_json::to_value(&fitted.transform).unwrap();
    assert_eq!(written, json!({"clip": {"a": {"min": 20.0, "max": 90.0}}, "log1p": ["a"]}));
    assert_eq!(fitted.prepare(&rows(array![[1000.0]], vec![])).unwrap()[(0, 0)], of(90.0));
}

#[test]
fn points_go_both_ways() {
    let transform: Transform = serde_json::from_value(json!({"log1p": ["b"]})).unwrap();
    let names = names(2);
    let recipe = Recipe { scale: Scale::Standard, ..recipe(&names, &transform) };
    let texts =
        vec![Series::new("country".into(), [["UK"; 20].as_slice(), &["FR"; 11], &["DE"; 2]].concat()).into_column()];
    let numbers = Array2::from_shape_fn((33, 2), |(row, column)| (row * (column + 1)) as f64);
    let (fitted, prepared) = Preparation::fit(recipe, &rows(numbers, texts)).unwrap();
    assert_eq!(fitted.names(), ["a", "b", "country=UK", "country=FR", "country=(other)"]);
    assert_eq!(prepared.row(20).to_vec()[2..], [0.0, 1.0, 0.0]);
    assert_eq!(prepared.row(32).to_vec()[2..], [0.0, 0.0, 1.0]);
    let original = fitted.original(&prepared.row(7).to_vec()).unwrap();
    assert!((original["a"] - 7.0).abs() < 1e-9 && (original["b"] - 14.0).abs() < 1e-9, "{original:?}");
    let back = fitted.point(&original).unwrap();
    assert!(back.iter().zip(prepared.row(7)).all(|(a, b)| (a - b).abs() < 1e-9));
}

#[test]
fn a_level_that_comes_later_is_another_one() {
    let category = Category { column: "country".into(), levels: vec!["UK".into()] };
    let later = Series::new("country".into(), [Some("UK"), Some("XX"), None]).into_column();
    assert_eq!(category.places(&later).unwrap(), [Some(0), Some(1), None]);
}

#[test]
fn limits_that_make_no_sense_are_told() {
    let transform: Transform = serde_json::from_value(json!({
        "clip": {"a": {"quantiles": [0.9, 0.1]}, "b": {}, "x": {"min": 0}},
    }))
    .unwrap();
    assert_eq!(transform.problems(&names(2)).len(), 3);
}
