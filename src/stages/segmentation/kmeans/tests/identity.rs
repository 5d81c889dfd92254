//! One night after another.

use super::*;
use crate::stages::contract::Before;

/// Names and numbers of the segments in the table of profiles.
fn named(outputs: &Outputs) -> Vec<(i64, String)> {
    let (_, profiles) = frames(outputs);
    let names = profiles.column("segment_name").unwrap().str().unwrap();
    let segments = profiles.column("segment").unwrap().i64().unwrap();
    segments.iter().flatten().zip(names.iter().flatten().map(str::to_owned)).collect()
}

/// A night after another: what the stage is given then.
fn next_night(stage: &KMeans, night: LazyFrame, first: &Outputs) -> Outputs {
    let earlier = Model { run_date: date("2011-12-09"), ..first.model.clone().unwrap() };
    let before = Before { run_date: date("2011-12-09"), frame: first.tables[0].clone() };
    let table = Table { frame: night, schema: schema(), watermark: None };
    let named = NamedTable { name: "customers".into(), table };
    let ports = [(PORT.to_owned(), vec![named])].into();
    let inputs = Inputs { ports, earlier: Some(earlier), before: Some(before), ..Inputs::default() };
    let context = StageContext { run_date: date("2011-12-10"), seed: 7, threads: 1, cancel: Cancel::default() };
    stage.run(inputs, &context).unwrap()
}

/// Twelve customers at (1, 1), eight at (100, 100); the next night most have moved to the others.
#[test]
fn segments_keep_their_numbers_and_moves_are_told() {
    let night = |low: usize| {
        let a: Vec<Option<i64>> = (0..20).map(|row| Some(if row < low { 1 + row as i64 % 2 } else { 100 })).collect();
        frame(&a, &a.iter().map(|value| value.map(|value| value as f64)).collect::<Vec<_>>())
    };
    let stage = stage(json!({}));
    let first = run(&stage, night(12), None).unwrap();
    let low_high = [(1, "low a, low b".to_owned()), (2, "high a, high b".to_owned())];
    assert_eq!(named(&first), low_high);
    let second = next_night(&stage, night(6), &first);
    assert_eq!(named(&second), low_high, "although the second is the larger one now");
    let evaluation = second.evaluation.unwrap();
    assert_eq!(fact(&evaluation, "segments"), "2 kept from the model before");
    assert_eq!(fact(&evaluation, "moved"), "6 of 20 that were there on 2011-12-09, 30.0 %");
    let moves = evaluation.charts.iter().find_map(|chart| match chart {
        Chart::Grid { title, texts, rows, .. } if title.starts_with("From which") => Some((texts, rows)),
        _ => None,
    });
    let (texts, rows) = moves.unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(texts[0], ["6", "6", "0"]);
    let fresh = next_night(&self::stage(json!({"identity": "fresh"})), night(6), &first);
    assert_eq!(named(&fresh)[0].1, "high a, high b", "the largest is the first");
}

#[test]
fn a_segment_that_is_new_gets_a_new_number() {
    let three = |places: [i64; 3]| {
        let a: Vec<Option<i64>> = (0..15).map(|row| Some(places[row % 3] + row as i64 % 2)).collect();
        frame(&a, &[Some(0.0); 15])
    };
    let stage = stage(json!({"columns": ["a"], "clusters": 3}));
    let first = run(&stage, three([0, 100, 200]), None).unwrap();
    let second = next_night(&stage, three([0, 100, 900]), &first);
    let numbers: Vec<i64> = named(&second).into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers.len(), 3);
    assert!(numbers.contains(&4), "{numbers:?}");
    let said = fact(second.evaluation.as_ref().unwrap(), "segments").to_owned();
    assert!(said.starts_with("2 kept from the model before; new: 4; gone: "), "{said}");
    let file: Value = second.model.unwrap().main().unwrap();
    assert_eq!(file["next_segment"], 5);
}

#[test]
fn an_applied_model_says_when_it_fits_no_longer() {
    let model = run(&stage(json!({})), two_groups(), None).unwrap().model;
    let moved = frame(&[1, 1, 9, 100, 160].map(Some), &[1.0, 9.0, 1.0, 100.0, 101.0].map(Some));
    let evaluation = run(&stage(json!({"mode": "apply"})), moved, model).unwrap().evaluation.unwrap();
    assert!(
        evaluation.warnings.iter().any(|said| said.starts_with("The segments no longer fit")),
        "{:?}",
        evaluation.warnings
    );
    assert!(fact(&evaluation, "inertia").contains("when it was fitted"));
}
