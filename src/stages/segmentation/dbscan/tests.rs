use super::*;
use crate::metrics::evaluation::{Chart, Evaluation};
use crate::stages::NamedTable;
use crate::stages::contract::{Before, Cancel};
use crate::table::{AS_OF, Class, Column, Table};
use polars::df;
use polars::prelude::{DataFrame, DataType, LazyFrame};
use serde_json::{Value, json};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn stage(with: Value) -> Dbscan {
    let mut all = json!({"columns": ["a", "b"], "scale": "none", "radius": 1.5, "min_points": 4});
    all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn schema() -> TableSchema {
    TableSchema {
        columns: vec![
            Column::new("customer_id", DataType::Int64).class(Class::DirectId),
            Column::new(AS_OF, DataType::Date),
            Column::new("a", DataType::Float64),
            Column::new("b", DataType::Float64).class(Class::Sensitive),
        ],
        key: vec!["customer_id".into(), AS_OF.into()],
        snapshots: vec![date("2011-12-10")],
        ..TableSchema::default()
    }
}

/// Customers numbered from 1 at these points.
fn frame(points: &[(f64, f64)]) -> LazyFrame {
    let rows = points.len();
    df! {
        "customer_id" => (1..=rows as i64).collect::<Vec<_>>(),
        AS_OF => vec![date("2011-12-10"); rows],
        "a" => points.iter().map(|point| point.0).collect::<Vec<_>>(),
        "b" => points.iter().map(|point| point.1).collect::<Vec<_>>(),
    }
    .unwrap()
    .lazy()
}

/// Two lines of twelve, three apart of each other, one with an end that is no core point, and two alone.
fn two_lines(shift: f64) -> Vec<(f64, f64)> {
    let line = |at: f64| (0..12).map(move |place| (f64::from(place) / 2.0 + shift, at));
    line(0.0).chain(line(30.0)).chain([(6.9 + shift, 0.0), (500.0, 500.0), (-500.0, 3.0)]).collect()
}

fn night(stage: &Dbscan, frame: LazyFrame, earlier: Option<Model>, before: Option<Before>) -> Result<Outputs, Failure> {
    let table = Table { frame, schema: schema(), watermark: None };
    let named = NamedTable { name: "customers".into(), table };
    let inputs = Inputs { ports: [(PORT.to_owned(), vec![named])].into(), earlier, before, ..Inputs::default() };
    let context = StageContext { run_date: date("2011-12-10"), seed: 7, threads: 1, cancel: Cancel::default() };
    stage.run(inputs, &context)
}

fn run(stage: &Dbscan, frame: LazyFrame) -> Result<Outputs, Failure> {
    night(stage, frame, None, None)
}

fn table(outputs: &Outputs, port: usize) -> DataFrame {
    outputs.tables[port].clone().collect().unwrap()
}

fn texts(frame: &DataFrame, name: &str) -> Vec<String> {
    frame.column(name).unwrap().str().unwrap().iter().flatten().map(str::to_owned).collect()
}

fn numbers(frame: &DataFrame) -> Vec<i64> {
    frame.column("segment").unwrap().i64().unwrap().iter().flatten().collect()
}

fn fact<'a>(evaluation: &'a Evaluation, name: &str) -> &'a str {
    &evaluation.facts.iter().find(|fact| fact.name == name).unwrap().value
}

#[test]
fn segments_points_and_profiles() {
    let outputs = run(&stage(json!({})), frame(&two_lines(0.0))).unwrap();
    let segments = table(&outputs, 0);
    let expected: Vec<i64> = [[1; 12].as_slice(), &[2; 12], &[1, -1, -1]].concat();
    assert_eq!(numbers(&segments), expected);
    let points = texts(&segments, "point");
    assert_eq!(points[24..], ["border", "noise", "noise"]);
    assert!(points[..24].iter().all(|point| point == "core"), "{points:?}");
    let profiles = table(&outputs, 1);
    assert_eq!(numbers(&profiles), [-1, 1, 2]);
    assert_eq!(texts(&profiles, "segment_name")[0], "noise");
    assert_eq!(crate::table::floats(&profiles, "size").unwrap(), [2.0, 13.0, 12.0]);
    let evaluation = outputs.evaluation.unwrap();
    assert_eq!(fact(&evaluation, "points"), "24 core, 1 border, 2 noise (7.4 %)");
    assert!(evaluation.headline().is_none(), "no verdict");
    assert_eq!(evaluation.measures[0].name, "silhouette");
    assert!(evaluation.model.ends_with("2 clusters"));
}

#[test]
fn the_schemas_are_what_run_gives_in_every_mode() {
    for mode in ["fit_apply", "fit"] {
        let stage = stage(json!({"mode": mode}));
        let ports = InputSchemas { ports: [(PORT.to_owned(), vec![("customers".to_owned(), schema())])].into() };
        let declared = stage.schemas(&ports, date("2011-12-10")).unwrap();
        let outputs = run(&stage, frame(&two_lines(0.0))).unwrap();
        for (port, declared) in declared.iter().enumerate() {
            assert_eq!(declared.to_polars(), **table(&outputs, port).schema());
        }
        assert_eq!(declared[0].key, ["customer_id", AS_OF]);
        assert_eq!(declared[0].column("point").unwrap().class, Class::Sensitive);
        assert_eq!(table(&outputs, 0).height() == 0, mode == "fit");
    }
}

#[test]
fn an_applied_model_places_new_rows_by_its_core_points() {
    let model = run(&stage(json!({"mode": "fit"})), frame(&two_lines(0.0))).unwrap().model.unwrap();
    assert!(model.files.contains_key(fitted::CORE_POINTS));
    let new = [(2.0, 0.0), (2.2, 31.0), (2.2, 31.6), (6.9, 0.0), (7.1, 0.0)];
    let outputs = night(&stage(json!({"mode": "apply"})), frame(&new), Some(model.clone()), None).unwrap();
    let segments = table(&outputs, 0);
    assert_eq!(numbers(&segments), [1, 2, -1, 1, -1]);
    assert_eq!(texts(&segments, "point"), ["core", "border", "noise", "border", "noise"]);
    assert!(outputs.model.is_none());
    let mut damaged = model.clone();
    damaged.files.insert(fitted::CORE_POINTS.to_owned(), b"PAR1".to_vec());
    assert!(night(&stage(json!({"mode": "apply"})), frame(&new), Some(damaged), None).is_err());
    let other = night(&stage(json!({"mode": "apply", "radius": 2})), frame(&new), Some(model), None);
    assert!(other.err().unwrap().to_string().contains("with other `radius`"));
}

#[test]
fn segments_keep_their_numbers() {
    let first = run(&stage(json!({})), frame(&two_lines(0.0))).unwrap();
    // Now the second line is the larger one.
    let mut points: Vec<(f64, f64)> = two_lines(0.1).into_iter().filter(|(a, b)| *b != 0.0 || *a < 4.0).collect();
    points.push((800.0, 0.0));
    let earlier = Model { run_date: date("2011-12-09"), ..first.model.clone().unwrap() };
    let before = Before { run_date: date("2011-12-09"), frame: first.tables[0].clone() };
    let second = night(&stage(json!({})), frame(&points), Some(earlier), Some(before)).unwrap();
    let segments = table(&second, 0);
    assert_eq!((numbers(&segments)[0], numbers(&segments)[8]), (1, 2));
    let evaluation = second.evaluation.unwrap();
    assert_eq!(fact(&evaluation, "segments"), "2 kept from the model before");
    assert!(fact(&evaluation, "moved").contains("that were there on 2011-12-09"));
}

#[test]
fn the_radius_may_be_found() {
    let points: Vec<(f64, f64)> =
        (0..400).map(|row| (f64::from(row % 20), f64::from(row / 20))).chain([(60.0, 60.0), (90.0, -40.0)]).collect();
    let outputs = run(&stage(json!({"radius": "auto", "min_points": 5})), frame(&points)).unwrap();
    let evaluation = outputs.evaluation.as_ref().unwrap();
    assert!(matches!(&evaluation.charts[0], Chart::Line { title, .. } if title.starts_with("Distances")));
    assert!(fact(evaluation, "radius").ends_with("the knee of the distances"));
    let found: fitted::Fitted = outputs.model.as_ref().unwrap().main().unwrap();
    assert!((1.0..=2.0).contains(&found.radius), "{}", found.radius);
    assert_eq!(found.noise, 2);
    let same = vec![(1.0, 1.0); 50];
    let told = run(&stage(json!({"radius": "auto"})), frame(&same)).err().unwrap().to_string();
    assert!(told.starts_with("no radius was found"), "{told}");
}

#[test]
fn where_all_is_noise_nothing_is_measured() {
    let apart: Vec<(f64, f64)> = (0..30).map(|row| (f64::from(row) * 100.0, 0.0)).collect();
    let outputs = run(&stage(json!({})), frame(&apart)).unwrap();
    assert_eq!(numbers(&table(&outputs, 0)), [-1; 30]);
    let evaluation = outputs.evaluation.unwrap();
    assert!(evaluation.measures.is_empty());
    assert!(evaluation.watch[0].starts_with("There is no segment"), "{:?}", evaluation.watch);
    let model = outputs.model.unwrap();
    let applied = night(&stage(json!({"mode": "apply"})), frame(&apart), Some(model), None).unwrap();
    assert_eq!(numbers(&table(&applied, 0)), [-1; 30]);
}

#[test]
fn both_engines_find_the_same() {
    let [native, linfa] =
        ["native", "linfa"].map(|engine| run(&stage(json!({"engine": engine})), frame(&two_lines(0.0))).unwrap());
    assert_eq!(numbers(&table(&native, 0)), numbers(&table(&linfa, 0)));
    assert_eq!(texts(&table(&native, 0), "point"), texts(&table(&linfa, 0), "point"));
}

#[test]
fn directions_need_a_length() {
    let told = run(&stage(json!({"metric": "cosine"})), frame(&[(0.0, 0.0), (1.0, 1.0)])).err().unwrap().to_string();
    assert_eq!(told, "could not take the direction of 1 rows: all their values are zero");
}

#[test]
fn the_radius_is_a_number_or_auto() {
    let schema = (crate::stages::Kind::of::<Dbscan>().schema)();
    let forms = schema.pointer("/$defs/Radius/anyOf").unwrap_or_else(|| panic!("{schema:?}"));
    assert_eq!(forms[1]["exclusiveMinimum"], 0);
    assert_eq!(serde_json::to_value(stage(json!({"radius": "auto"})).radius).unwrap(), "auto");
}
