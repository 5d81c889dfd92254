mod identity;
mod tables;

use super::*;
use crate::metrics::evaluation::{Chart, Evaluation, Verdict};
use crate::problem::Step;
use crate::stages::contract::Cancel;
use crate::stages::{Kind, NamedTable};
use crate::table::{AS_OF, Class, Column, Role, Table};
use polars::df;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, LazyFrame, NamedFrom, Series};
use serde_json::{Value, json};

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The stage with `columns: [a, b]`, no scaling and two clusters, changed by `with`.
fn stage(with: Value) -> KMeans {
    let mut all = json!({"columns": ["a", "b"], "scale": "none", "clusters": 2});
    all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn schema() -> TableSchema {
    let label = Column { role: Role::Label { horizon_days: 90 }, ..Column::new("buys_90d", DataType::Float64) };
    TableSchema {
        columns: vec![
            Column::new("customer_id", DataType::Int64).class(Class::DirectId),
            Column::new(AS_OF, DataType::Date),
            Column::new("a", DataType::Int64),
            Column::new("b", DataType::Float64).class(Class::Sensitive),
            Column::new("country", DataType::String),
            label,
        ],
        key: vec!["customer_id".into(), AS_OF.into()],
        snapshots: vec![date("2011-11-10"), date("2011-12-10")],
        ..TableSchema::default()
    }
}

fn ports(schema: TableSchema) -> InputSchemas {
    InputSchemas { ports: [(PORT.to_owned(), vec![("customers".to_owned(), schema)])].into() }
}

/// Customers numbered from 1 with these values, in reverse order, after one of an older snapshot.
fn frame(a: &[Option<i64>], b: &[Option<f64>]) -> LazyFrame {
    let rows = a.len();
    let ids: Vec<i64> = std::iter::once(77).chain((1..=rows as i64).rev()).collect();
    let days: Vec<NaiveDate> =
        std::iter::once(date("2011-11-10")).chain(std::iter::repeat_n(date("2011-12-10"), rows)).collect();
    let a: Vec<Option<i64>> = std::iter::once(Some(-50)).chain(a.iter().rev().copied()).collect();
    let b: Vec<Option<f64>> = std::iter::once(Some(-50.0)).chain(b.iter().rev().copied()).collect();
    df! {"customer_id" => ids, AS_OF => days, "a" => a, "b" => b}.unwrap().lazy()
}

/// Three rows around (1, 1) and two at (100, 100).
fn two_groups() -> LazyFrame {
    frame(&[1, 1, 2, 100, 100].map(Some), &[1.0, 2.0, 1.0, 100.0, 101.0].map(Some))
}

fn run(stage: &KMeans, frame: LazyFrame, earlier: Option<Model>) -> Result<Outputs, Failure> {
    let table = Table { frame, schema: schema(), watermark: None };
    let named = NamedTable { name: "customers".into(), table };
    let inputs = Inputs { ports: [(PORT.to_owned(), vec![named])].into(), earlier, ..Inputs::default() };
    let context = StageContext { run_date: date("2011-12-10"), seed: 7, threads: 1, cancel: Cancel::default() };
    stage.run(inputs, &context)
}

fn message(found: Result<Outputs, Failure>) -> String {
    match found {
        Ok(_) => panic!("it should fail"),
        Err(Failure::Data(message)) => message,
        Err(other) => panic!("not a data failure: {other}"),
    }
}

fn frames(outputs: &Outputs) -> (DataFrame, DataFrame) {
    let frame = |index: usize| outputs.tables[index].clone().collect().unwrap();
    (frame(0), frame(1))
}

fn fact<'a>(evaluation: &'a Evaluation, name: &str) -> &'a str {
    &evaluation.facts.iter().find(|fact| fact.name == name).unwrap().value
}

fn values(frame: &DataFrame, name: &str) -> Vec<f64> {
    crate::table::floats(frame, name).unwrap()
}

/// By hand: the centroids are (4/3, 4/3) and (100, 100.5).
#[test]
fn segments_and_profiles_of_the_run_date() {
    let outputs = run(&stage(json!({})), two_groups(), None).unwrap();
    let (segments, profiles) = frames(&outputs);
    assert_eq!(values(&segments, "customer_id"), [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(values(&segments, "segment"), [1.0, 1.0, 1.0, 2.0, 2.0]);
    let off = [2.0_f64.sqrt() / 3.0, 5.0_f64.sqrt() / 3.0, 5.0_f64.sqrt() / 3.0, 0.5, 0.5];
    for (found, expected) in values(&segments, "distance").into_iter().zip(off) {
        assert!((found - expected).abs() < 1e-12);
    }
    let names: Vec<_> = segments.column("segment_name").unwrap().str().unwrap().iter().flatten().collect();
    assert_eq!(names, [["low a, low b"; 3].as_slice(), &["high a, high b"; 2]].concat());
    let version = outputs.model.as_ref().unwrap().version();
    let expected = df! {
        "segment" => [1_i64, 2],
        "segment_name" => ["low a, low b", "high a, high b"],
        "size" => [3_i64, 2],
        "share" => [0.6, 0.4],
        "mean_a" => [4.0 / 3.0, 100.0],
        "mean_b" => [4.0 / 3.0, 100.5],
        "median_a" => [1.0, 100.0],
        "median_b" => [1.0, 100.5],
        "lift_a" => [4.0 / 3.0 / 40.8, 100.0 / 40.8],
        "lift_b" => [4.0 / 3.0 / 41.0, 100.5 / 41.0],
        "model_version" => [version.as_str(); 2],
    };
    assert!(profiles.equals(&expected.unwrap()), "{profiles:?}");
}

#[test]
fn the_schemas_are_what_run_gives_in_every_mode() {
    for mode in ["fit_apply", "fit"] {
        let stage = stage(json!({"mode": mode}));
        let declared = stage.schemas(&ports(schema()), date("2011-12-10")).unwrap();
        let (segments, profiles) = frames(&run(&stage, two_groups(), None).unwrap());
        assert_eq!(declared[0].to_polars(), **segments.schema());
        assert_eq!(declared[1].to_polars(), **profiles.schema());
        assert_eq!(
            (declared[0].key.as_slice(), declared[1].key.as_slice()),
            (&["customer_id".to_owned(), AS_OF.to_owned()][..], &["segment".to_owned()][..])
        );
        assert_eq!(declared[0].column("segment").unwrap().class, Class::Sensitive);
        assert_eq!(declared[0].column("segment_name").unwrap().class, Class::Sensitive);
        assert_eq!(declared[1].column("segment_name").unwrap().class, Class::Sensitive);
        assert_eq!(declared[1].column("mean_a").unwrap().class, Class::Behavioral);
    }
}

/// Worked out from the definitions, in Python without libraries: the clusters have 4 and 2 rows, the
/// cells by RFM score 3 and 3.
#[test]
fn measures_are_those_of_the_definitions() {
    let rows = frame(&[1, 1, 2, 3, 100, 100].map(Some), &[1.0, 2.0, 1.0, 3.0, 100.0, 101.0].map(Some));
    let evaluation = run(&stage(json!({})), rows, None).unwrap().evaluation.unwrap();
    let expected = [
        ("silhouette", 0.9890471980340744, 0.49851645189359983),
        ("davies_bouldin", 0.011503129323011795, 0.6569224440335008),
        ("calinski_harabasz", 17248.55555555556, 4.207685801881806),
        ("inertia", 6.0, 12612.0),
    ];
    for (measure, (name, model, baseline)) in evaluation.measures.iter().zip(expected) {
        assert_eq!(measure.name, name);
        assert!((measure.model.value / model - 1.0).abs() < 1e-9, "{measure:?}");
        assert!((measure.baseline.unwrap().value / baseline - 1.0).abs() < 1e-9, "{measure:?}");
        // Only one of them has an interval to show it by.
        let expected = if measure.name == "silhouette" { Verdict::Beats } else { Verdict::NotShown };
        assert_eq!(measure.verdict(), expected, "{measure:?}");
    }
    assert_eq!(evaluation.measures.len(), 5);
    assert_eq!(fact(&evaluation, "imputed"), "nothing was missing");
    assert_eq!(fact(&evaluation, "baseline"), "2 cells by the sum of the quantile scores of a, b");
    let start = "The k-means with 2 clusters of customer_id reaches a silhouette of 0.989";
    assert!(evaluation.sentence().starts_with(start), "{}", evaluation.sentence());
}

#[test]
fn a_division_like_the_baseline_s_is_not_shown_to_be_better() {
    let evaluation = run(&stage(json!({})), two_groups(), None).unwrap().evaluation.unwrap();
    assert_eq!(evaluation.headline().unwrap().verdict(), Verdict::NotShown);
}

/// Three groups on a line; the silhouette of three clusters is the greatest.
#[test]
fn the_silhouette_chooses_from_a_range() {
    let a = [0, 1, 2, 50, 51, 52, 53, 100, 101, 102, 103, 104].map(Some);
    let chosen = stage(json!({"columns": ["a"], "clusters": {"from": 2, "to": 6, "by": "silhouette"}}));
    let outputs = run(&chosen, frame(&a, &[Some(0.0); 12]), None).unwrap();
    let evaluation = outputs.evaluation.as_ref().unwrap();
    assert_eq!(values(&frames(&outputs).1, "size"), [5.0, 4.0, 3.0]);
    assert_eq!(fact(evaluation, "clusters"), "3, chosen from 2 to 6 by silhouette");
    let Chart::Line { points, .. } = &evaluation.charts[0] else { panic!("no line") };
    assert_eq!(points.iter().map(|point| point.0).collect::<Vec<_>>(), [2.0, 3.0, 4.0, 5.0, 6.0]);
    let fixed = run(&stage(json!({"columns": ["a"], "clusters": 3})), frame(&a, &[Some(0.0); 12]), None).unwrap();
    let main = |outputs: Outputs| outputs.model.unwrap().files[Model::MAIN].clone();
    assert_eq!(main(fixed), main(outputs));
}

#[test]
fn a_range_ends_at_the_number_of_different_rows() {
    let few = || frame(&[1, 1, 5, 9].map(Some), &[Some(0.0); 4]);
    let outputs = run(&stage(json!({"clusters": {"from": 2, "to": 9}})), few(), None).unwrap();
    let Chart::Line { points, .. } = &outputs.evaluation.unwrap().charts[0] else { panic!("no line") };
    assert_eq!(points.len(), 2);
    let told = message(run(&stage(json!({"clusters": 4})), few(), None));
    assert_eq!(told, "could not form 4 clusters of 4 rows: those that differ number only 3");
}

#[test]
fn a_missing_value_is_the_median_and_counts() {
    let a = [Some(1), Some(1), None, Some(100), Some(100), Some(3)];
    let b = [Some(1.0), Some(f64::NAN), Some(1.0), Some(100.0), Some(101.0), Some(2.0)];
    let outputs = run(&stage(json!({"impute": "median"})), frame(&a, &b), None).unwrap();
    let (segments, profiles) = frames(&outputs);
    assert_eq!(values(&segments, "segment"), [1.0, 1.0, 1.0, 2.0, 2.0, 1.0]);
    // The means are of the known values only: (1 + 1 + 3) / 3 and (1 + 1 + 2) / 3.
    assert_eq!(values(&profiles, "mean_a")[0], 5.0 / 3.0);
    assert_eq!(values(&profiles, "mean_b")[0], 4.0 / 3.0);
    assert_eq!(fact(outputs.evaluation.as_ref().unwrap(), "imputed"), "the median for `a` in 1 row, `b` in 1 row");
    let model = outputs.model.unwrap();
    assert_eq!(model.main::<Value>().unwrap()["preparation"]["missing"], json!([3.0, 2.0]));
    let refused = message(run(&stage(json!({})), frame(&a, &b), None));
    assert!(refused.starts_with("missing values: `a` in 1 row, `b` in 1 row; fill them in the query"), "{refused}");
    assert_eq!(model.signature.profile[0].nulls, 1);
}

#[test]
fn what_cannot_be_clustered_is_told_without_values() {
    let logged = stage(json!({"transform": {"log1p": ["a", "b"]}}));
    let low = frame(&[-1, -7, 2, 3].map(Some), &[0.0, 1.0, 2.0, -3.5].map(Some));
    let told = message(run(&logged, low, None));
    let expected = "log1p needs values above -1, and there are others: `a` in 2 rows, `b` in 1 row; \
        raise them with `clip: {<column>: {min: 0}}` before it";
    assert_eq!(told, expected);
    let infinite = frame(&[1, 2].map(Some), &[f64::INFINITY, 1.0].map(Some));
    assert!(message(run(&stage(json!({})), infinite, None)).starts_with("infinite values: `b` in 1 row"));
    let unknown = frame(&[None, None], &[1.0, 2.0].map(Some));
    assert!(
        message(run(&stage(json!({"impute": "mean"})), unknown, None))
            .contains("known value cannot be clustered by: `a`")
    );
    assert_eq!(message(run(&stage(json!({})), frame(&[], &[]), None)), "the snapshot of 2011-12-10 has no rows");
}

/// The largest centroid's first coordinate: ln(101) is cut to 1, or 1 becomes ln(2).
#[test]
fn changes_are_made_in_the_order_in_which_they_are_written() {
    let (log1p, clip) = (json!(["a"]), json!({"a": {"max": 1}}));
    for (transform, expected) in
        [(json!({"log1p": log1p, "clip": clip}), 1.0), (json!({"clip": clip, "log1p": log1p}), 2.0_f64.ln())]
    {
        let written = stage(json!({"transform": transform}));
        assert_eq!(serde_json::to_string(&written.transform).unwrap(), transform.to_string().replace(":1}", ":1.0}"));
        let model = run(&written, two_groups(), None).unwrap().model.unwrap();
        let file: Value = model.main().unwrap();
        let found = file["clusters"][1]["centroid"][0].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-12, "{found}, expected {expected}");
        let apply = |transform: &Value| stage(json!({"transform": transform, "mode": "apply"}));
        assert!(run(&apply(&transform), two_groups(), Some(model.clone())).is_ok());
        let mut turned = transform.as_object().unwrap().clone().into_iter().collect::<Vec<_>>();
        turned.reverse();
        let turned = Value::Object(turned.into_iter().collect());
        let told = message(run(&apply(&turned), two_groups(), Some(model)));
        assert!(told.contains("fitted with other `transform`"), "{told}");
    }
}

/// What another program would do with the file: clip, log1p, scale, nearest centroid.
#[test]
fn the_file_alone_applies_the_model() {
    let with = json!({
        "transform": {"clip": {"a": {"min": 0, "max": 90}}, "log1p": ["a"]}, "scale": "standard", "restarts": 3,
    });
    let a = [-5, 0, 2, 3, 90, 100];
    let b = [1.0, 2.0, 1.5, 1.0, 7.0, 8.0];
    let outputs = run(&stage(with), frame(&a.map(Some), &b.map(Some)), None).unwrap();
    let file: Value = outputs.model.as_ref().unwrap().main().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let scaled = |column: usize, value: f64| {
        (value - number(&file["preparation"]["scaler"]["center"][column]))
            / number(&file["preparation"]["scaler"]["scale"][column])
    };
    let (segments, _) = frames(&outputs);
    for (row, segment) in values(&segments, "segment").into_iter().enumerate() {
        let point = [scaled(0, (a[row] as f64).clamp(0.0, 90.0).ln_1p()), scaled(1, b[row])];
        let distance = |cluster: &Value| {
            let centroid = &cluster["centroid"];
            (point[0] - number(&centroid[0])).hypot(point[1] - number(&centroid[1]))
        };
        let clusters = file["clusters"].as_array().unwrap();
        let nearest = clusters.iter().min_by(|x, y| distance(x).total_cmp(&distance(y))).unwrap();
        assert_eq!(number(&nearest["segment"]), segment);
        assert!((distance(nearest) - values(&segments, "distance")[row]).abs() < 1e-12);
        let logged = number(&nearest["original"]["a"]).ln_1p();
        assert!((scaled(0, logged) - number(&nearest["centroid"][0])).abs() < 1e-9);
    }
}

#[test]
fn a_model_that_was_fitted_only_applies_later() {
    let whole = run(&stage(json!({"scale": "standard"})), two_groups(), None).unwrap();
    let fitted = run(&stage(json!({"scale": "standard", "mode": "fit"})), two_groups(), None).unwrap();
    assert_eq!(frames(&fitted).0.height(), 0);
    assert!(frames(&fitted).1.equals(&frames(&whole).1));
    let model = Model { run_date: date("2011-12-03"), ..fitted.model.unwrap() };
    let version = model.version();
    let apply = stage(json!({"scale": "standard", "mode": "apply"}));
    assert!(apply.applies_earlier_model());
    let applied = run(&apply, two_groups(), Some(model)).unwrap();
    let (segments, _) = frames(&applied);
    let without_version = |frame: &DataFrame| frame.drop("model_version").unwrap();
    assert!(without_version(&segments).equals(&without_version(&frames(&whole).0)));
    assert_eq!(segments.column("model_version").unwrap().str().unwrap().get(0), Some(version.as_str()));
    assert!(applied.model.is_none() && version.starts_with("2011-12-03-"));
    assert!(fact(&applied.evaluation.unwrap(), "labels").contains(&version));
}

#[test]
fn a_segment_without_rows_stays_in_the_profiles() {
    let model = run(&stage(json!({"impute": "zero"})), two_groups(), None).unwrap().model;
    let few = frame(&[1, 2].map(Some), &[Some(1.0), None]);
    let applied = run(&stage(json!({"mode": "apply", "impute": "zero"})), few, model).unwrap();
    let (_, profiles) = frames(&applied);
    assert_eq!(values(&profiles, "size"), [2.0, 0.0]);
    assert_eq!(profiles.column("mean_a").unwrap().null_count(), 1);
    assert!(applied.evaluation.unwrap().headline().is_none());
}

/// Twelve customers at 1 and eleven at 9, then two at 50: of these no name is shown.
#[test]
fn the_report_names_segments_that_are_large_enough() {
    let a: Vec<_> = [[1; 12].as_slice(), &[9; 11], &[50; 2]].concat().into_iter().map(Some).collect();
    let one = stage(json!({"columns": ["a"], "clusters": 3}));
    let evaluation = run(&one, frame(&a, &vec![Some(0.0); 25]), None).unwrap().evaluation.unwrap();
    let told = " Its largest segments are “low a” (48.0 %) and “average” (44.0 %).";
    assert!(evaluation.sentence().ends_with(told), "{}", evaluation.sentence());
    let [Chart::Bars { bars, .. }, Chart::Grid { rows, .. }, Chart::Table { .. }] = evaluation.charts.as_slice() else {
        panic!("others")
    };
    assert_eq!(bars.iter().map(|bar| bar.0.as_str()).collect::<Vec<_>>(), ["1: low a", "2: average", "segment 3"]);
    let expected = ["1: low a (12 rows, 48.0 %)", "2: average (11 rows, 44.0 %)", "segment 3 (2 rows, 8.0 %)"];
    assert_eq!(rows, &expected);
}

/// The names are the fitted model's, also where tonight's rows would give others.
#[test]
fn an_applied_model_keeps_its_names() {
    let model = run(&stage(json!({})), two_groups(), None).unwrap().model;
    let far = frame(&[100, 100, 1].map(Some), &[100.0, 101.0, 1.0].map(Some));
    let applied = run(&stage(json!({"mode": "apply"})), far, model).unwrap();
    let (segments, _) = frames(&applied);
    let names: Vec<_> = segments.column("segment_name").unwrap().str().unwrap().iter().flatten().collect();
    assert_eq!(names, ["high a, high b", "high a, high b", "low a, low b"]);
}

#[test]
fn an_earlier_model_must_be_alike() {
    let model = run(&stage(json!({})), two_groups(), None).unwrap().model.unwrap();
    let other = stage(json!({"mode": "apply", "columns": ["b", "a"], "scale": "standard", "clusters": 3}));
    let told = message(run(&other, two_groups(), Some(model.clone())));
    let expected = "the earlier model of 2011-12-10 was fitted with other `columns`, `scale`, `clusters`; \
        fit one with these first, with `mode: fit_apply`";
    assert_eq!(told, expected);
    let told = message(run(&stage(json!({"mode": "apply", "restarts": 3})), two_groups(), Some(model.clone())));
    assert!(told.contains("with other `restarts`;"), "{told}");
    let mut foreign = model;
    foreign.signature.kind = "logistic".into();
    let told = message(run(&stage(json!({"mode": "apply"})), two_groups(), Some(foreign)));
    assert_eq!(told, "the earlier model is of the kind `logistic`, not `kmeans`");
}

#[test]
fn both_engines_find_the_same_segments() {
    let native = run(&stage(json!({})), two_groups(), None).unwrap();
    let linfa = run(&stage(json!({"engine": "linfa"})), two_groups(), None).unwrap();
    assert_eq!(values(&frames(&native).0, "segment"), values(&frames(&linfa).0, "segment"));
}

#[test]
fn every_wrong_parameter_is_told_at_once() {
    let wrong = stage(json!({
        "columns": ["aa", "b", "country", "buys_90d"],
        "transform": {"clip": {"bb": {"min": 0}, "b": {"min": 2, "max": 1}, "country": {}}, "log1p": ["b", "x"]},
        "clusters": {"from": 5, "to": 4},
    }));
    let paths = |problems: &[Problem]| -> Vec<String> {
        let step = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        };
        problems.iter().map(|problem| problem.place.path.iter().map(step).collect::<Vec<_>>().join(".")).collect()
    };
    let expected = [
        "with.transform.clip.bb",
        "with.transform.clip.b",
        "with.transform.clip.country",
        "with.transform.log1p.1",
        "with.clusters.to",
    ];
    assert_eq!(paths(&wrong.check()), expected);
    let problems = wrong.schemas(&ports(schema()), date("2011-12-10")).unwrap_err();
    assert_eq!(paths(&problems), ["with.columns.0", "with.columns.2", "with.columns.3"]);
    let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::UnknownColumn, Code::WrongColumnType, Code::Leak]);
}

#[test]
fn clusters_are_a_number_or_a_range() {
    let range = stage(json!({"clusters": {"from": 4, "to": 10}}));
    assert_eq!(range.clusters.each().count(), 7);
    assert_eq!(serde_json::to_value(range.clusters).unwrap(), json!({"from": 4, "to": 10, "by": "silhouette"}));
    let schema = (Kind::of::<KMeans>().schema)();
    let clusters = schema.pointer("/properties/clusters").unwrap();
    assert_eq!(clusters["description"], "How many segments: a number, or a range to choose from.");
    let forms = schema.pointer("/$defs/Clusters/anyOf").unwrap();
    assert_eq!((&forms[0]["minimum"], &forms[0]["maximum"]), (&json!(2), &json!(100)));
}
