use super::*;
use crate::metrics::evaluation::Chart;
use crate::problem::Code;
use crate::stages::contract::{Outputs, Stage};
use crate::stages::prediction::fixture::{
    bands, context, counting, customer, fact, inputs, measure, run, schema, schemas, scores,
};
use crate::stages::protocol::Protocol;
use crate::table::{Table, TableSchema};
use serde_json::{Value, json};

/// What a customer then does.
fn as_it_is(e: i64, s: i64) -> bool {
    customer(e, s).3 > 45
}

fn table(buys: impl Fn(i64, i64) -> bool) -> Table {
    crate::stages::prediction::fixture::table(buys, |_, _| 1.0)
}

/// Without columns that say what is missing, as the references are.
fn stage(mut with: Value) -> Logistic {
    let all = with.as_object_mut().unwrap();
    all.entry("prepare").or_insert(json!({"missing_indicators": false}));
    serde_json::from_value(with).unwrap()
}

fn predictions(outputs: &Outputs) -> (Vec<i64>, Vec<f64>) {
    scores(outputs, &stage(json!({"target": "buys"})), "probability")
}

/// The figures are scikit-learn 1.9.1's: LogisticRegression(C=1) on the standardized matrix of
/// medians and one-hot levels, with roc_auc_score, log_loss, brier_score_loss and
/// average_precision_score on the evaluation snapshot.
#[test]
fn agrees_with_scikit_learn() {
    let outputs = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.as_ref().unwrap();
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    let expected = [
        ("roc_auc", 0.876_302_083, 0.5),
        ("log_loss", 0.444_439_267, 0.675_375_885),
        ("brier", 0.145_992_629, 0.241_111_111),
        ("average_precision", 0.914_829_312, 0.6),
        ("lift@10%", 1.0 / 0.6, 1.0),
    ];
    for (name, model, baseline) in expected {
        let found = measure(evaluation, name);
        near(found.model.value, model);
        near(found.baseline.unwrap().value, baseline);
        near(found.difference.unwrap().value, model - baseline);
        assert!(found.difference.unwrap().low < found.difference.unwrap().high);
    }
    assert_eq!(evaluation.headline, "roc_auc");
    assert!(measure(evaluation, "ece").baseline.is_none());

    let (ids, probabilities) = predictions(&outputs);
    assert_eq!(ids, (1..=80).collect::<Vec<i64>>());
    let refitted = [0.642_258_430_66, 0.283_613_806_33, 0.282_687_248_08, 0.897_279_528_76];
    for (found, expected) in probabilities.iter().zip(refitted) {
        near(*found, expected);
    }
}

#[test]
fn says_what_was_done() {
    let outputs = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.unwrap();
    assert_eq!(fact(&evaluation, "evaluated on"), "2024-03-03, 80 rows, 60.0 % positive");
    assert_eq!(fact(&evaluation, "trained on"), "3 snapshots, 2023-06-07 to 2023-12-04, 240 rows");
    assert!(fact(&evaluation, "served model").contains("up to 2024-03-03 (320 rows)"));
    assert_eq!(fact(&evaluation, "imputed with the median"), "x in 18 rows");
    assert_eq!(fact(&evaluation, "levels of text"), "country: 3");
    assert!(fact(&evaluation, "fit").starts_with("converged"));
    // scikit-learn: roc_auc_score of x with its median for the missing.
    assert!(fact(&evaluation, "best single feature").starts_with("x, more is likelier: a ROC AUC of 0.863"));
    let table = evaluation.charts.iter().find_map(|chart| match chart {
        Chart::Table { rows, .. } => Some(rows),
        _ => None,
    });
    assert_eq!(table.unwrap()[0], ["x", "+1.996", "7.356"]);
    assert_eq!(evaluation.charts.len(), 8);
}

#[test]
fn the_signature_and_the_version_tell_the_model() {
    let stage = stage(json!({"target": "buys", "features": ["member", "x"], "class_weight": "balanced"}));
    let outputs = run(&stage, table(as_it_is)).unwrap();
    let model = outputs.model.as_ref().unwrap();
    let names: Vec<&str> = model.signature.inputs.iter().map(|field| field.name.as_str()).collect();
    assert_eq!((names, model.signature.rows), (vec!["member", "x"], 320));
    assert_eq!(model.signature.parameters["class_weight"], "balanced");
    let frame = outputs.tables[0].clone().collect().unwrap();
    let version = frame.column("model_version").unwrap().str().unwrap().get(0).unwrap().to_owned();
    assert_eq!(version, model.version());
    assert!(fact(outputs.evaluation.as_ref().unwrap(), "probabilities").contains("balanced"));
}

#[test]
fn a_model_is_applied_on_a_later_night() {
    let fit = stage(json!({"target": "buys", "mode": "fit"}));
    let fitted = run(&fit, table(as_it_is)).unwrap();
    assert_eq!(predictions(&fitted).0.len(), 0);
    let both = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();

    let apply = stage(json!({"target": "buys", "mode": "apply"}));
    assert!(apply.applies_earlier_model() && matches!(apply.protocol(), Protocol::Newest { .. }));
    let applied = apply.run(inputs(table(|_, _| false), fitted.model.clone()), &context()).unwrap();
    assert!(applied.model.is_none() && applied.evaluation.is_none());
    let (found, expected) = (predictions(&applied), predictions(&both));
    assert_eq!(found.0, expected.0);
    assert!(found.1.iter().zip(&expected.1).all(|(found, expected)| (found - expected).abs() < 1e-12));

    let other = stage(json!({"target": "leaves", "mode": "apply"}));
    let refused = other.run(inputs(table(|_, _| false), fitted.model.clone()), &context()).err().unwrap();
    assert!(refused.to_string().contains("fitted with other `target`; fit one"), "{refused}");
    let other = stage(json!({"target": "buys", "penalty": {"l2": 9.0}, "class_weight": "balanced", "mode": "apply"}));
    let refused = other.run(inputs(table(|_, _| false), fitted.model.clone()), &context()).err().unwrap();
    assert!(refused.to_string().contains("fitted with other `penalty`, `class_weight`;"), "{refused}");
    let refused = apply.run(inputs(table(|_, _| false), None), &context()).err().unwrap();
    assert_eq!(refused.to_string(), "the earlier model was not handed over");
    let mut without = table(|_, _| false);
    without.schema.columns.retain(|column| column.name != "country");
    let refused = apply.run(inputs(without, fitted.model), &context()).err().unwrap();
    assert!(refused.to_string().contains("`country`, which the table no longer has"));
}

#[test]
fn a_night_is_the_same_whatever_the_threads() {
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let outputs = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();
            (outputs.model.as_ref().unwrap().version(), outputs.evaluation.clone(), predictions(&outputs))
        })
    };
    assert_eq!(of(1), of(3));
}

/// A query may make an unknown label look like a known one; the newest event that the source has tells.
#[test]
fn a_label_made_known_before_its_time_is_none() {
    let of = |watermark: &str| {
        let known = Table { watermark: Some(watermark.parse().unwrap()), ..table(as_it_is) };
        let evaluation = run(&stage(json!({"target": "buys"})), known).unwrap().evaluation.unwrap();
        fact(&evaluation, "evaluated on").to_owned()
    };
    assert!(of("2024-06-01").starts_with("2024-03-03, "));
    assert!(of("2024-05-31").starts_with("2023-12-04, "), "the window of 2024-03-03 ends a day later");
}

#[test]
fn one_class_cannot_be_learned_but_can_be_judged() {
    let refused = run(&stage(json!({"target": "buys"})), table(|e, _| e <= 3)).err().unwrap().to_string();
    assert!(refused.contains("`buys` is true in 9 of 240 training rows, and at least 10 are needed"), "{refused}");
    // The evaluation snapshot is all false; the others are as before.
    let outputs = run(&stage(json!({"target": "buys"})), table(|e, s| s < 3 && as_it_is(e, s))).unwrap();
    let evaluation = outputs.evaluation.unwrap();
    let names: Vec<&str> = evaluation.measures.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!((&names[..3], evaluation.headline.as_str()), (&["log_loss", "brier", "ece"][..], "log_loss"));
    assert!(fact(&evaluation, "ROC AUC").contains("the target is false in every evaluated row"));
}

#[test]
fn linfa_agrees() {
    let of = |engine: &str| {
        predictions(&run(&stage(json!({"target": "buys", "engine": engine})), table(as_it_is)).unwrap()).1
    };
    assert!(of("linfa").iter().zip(of("native")).all(|(linfa, native)| (linfa - native).abs() < 1e-4));
}

#[test]
fn every_wrong_parameter_is_told_at_once() {
    let wrong = stage(json!({
        "target": "buys", "features": ["x", "x"], "penalty": {"l2": -1.0},
        "engine": "linfa", "class_weight": "balanced", "threshold": 1.5
    }));
    let codes: Vec<Code> = wrong.check().iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::BadValue, Code::BadValue, Code::BadValue, Code::BadValue]);
    assert!(wrong.check().iter().all(|problem| problem.place.path[0] == "with".into()));

    let problems = schemas(&schema(), &stage(json!({"target": "spend_next", "features": ["y", "buys"]}))).unwrap_err();
    let codes: Vec<Code> = problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, [Code::UnknownColumn, Code::Leak, Code::WrongColumnType]);
    // A text would have classes.
    let told = schemas(&schema(), &stage(json!({"target": "country", "engine": "linfa"}))).unwrap_err();
    assert!(told.iter().any(|problem| problem.message.contains("true or false only")), "{told:?}");
    let named = TableSchema { key: vec!["x".into()], ..schema() };
    assert_eq!(schemas(&named, &stage(json!({"target": "buys"}))).unwrap_err()[0].code, Code::NoSnapshots);
}

#[test]
fn classes_are_told_apart() {
    for calibrate in ["none", "platt", "isotonic"] {
        let stage = stage(json!({"target": "band", "calibrate": calibrate, "class_weight": "balanced"}));
        let outputs = run(&stage, bands(table(as_it_is))).unwrap();
        let evaluation = outputs.evaluation.unwrap();
        assert_eq!(evaluation.headline, "log_loss");
        assert!(measure(&evaluation, "balanced_accuracy").model.value > 0.5, "{calibrate}");
        assert_eq!(measure(&evaluation, "balanced_accuracy").baseline.unwrap().value, 1.0 / 3.0);
        let first = outputs.tables[0].clone().collect().unwrap();
        let classes = outputs.tables[1].clone().collect().unwrap();
        assert_eq!((first.height(), classes.height()), (80, 240));
        let probabilities: Vec<f64> = classes.column("probability").unwrap().f64().unwrap().iter().flatten().collect();
        let best = first.column("probability").unwrap().f64().unwrap().get(0).unwrap();
        assert!((probabilities[..3].iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert_eq!(best, probabilities[..3].iter().copied().fold(0.0, f64::max));
        assert_eq!(classes.column("class").unwrap().str().unwrap().get(1), Some("middle"));
    }
}

/// Balanced weights make a rare outcome look frequent; calibration mends that, and is told before and after.
#[test]
fn calibrated_probabilities_are_those_to_expect() {
    let rare = |e: i64, s: i64| customer(e, s).3 > 78;
    let known = (1..=80).flat_map(|e| (0..4).map(move |s| rare(e, s)));
    let share = known.filter(|happened| *happened).count() as f64 / 320.0;
    let of = |calibrate: &str| {
        let with = json!({"target": "buys", "class_weight": "balanced", "calibrate": calibrate});
        let outputs = run(&stage(with), table(rare)).unwrap();
        let probabilities = predictions(&outputs).1;
        let mean = probabilities.iter().sum::<f64>() / probabilities.len() as f64;
        (mean - share, outputs.evaluation.unwrap())
    };
    let (plain, platt, isotonic) = (of("none"), of("platt"), of("isotonic"));
    assert!(
        plain.0 > 0.08 && platt.0.abs() < 0.04 && isotonic.0.abs() < 0.04,
        "{} {} {}",
        plain.0,
        platt.0,
        isotonic.0
    );
    for (_, evaluation) in [&platt, &isotonic] {
        assert!(
            fact(evaluation, "calibration").starts_with("Brier score ") && fact(evaluation, "probabilities").is_empty()
        );
    }
    assert!(fact(&plain.1, "calibration").is_empty() && fact(&plain.1, "probabilities").contains("balanced"));
}

#[test]
fn thresholds_are_chosen_as_asked() {
    let decided = |threshold: Value| {
        let outputs = run(&stage(json!({"target": "buys", "threshold": threshold})), table(as_it_is)).unwrap();
        let frame = outputs.tables[0].clone().collect().unwrap();
        let named = frame.column("decision").unwrap().bool().unwrap().iter().flatten().filter(|named| *named).count();
        (named, fact(&outputs.evaluation.unwrap(), "threshold").to_owned())
    };
    let (few, told) = decided(json!({"capacity": 0.05}));
    assert!((1..=8).contains(&few) && told.contains("5.0 % of the rows"), "{few} {told}");
    let (all, _) = decided(json!({"cost": {"false_positive": 1, "false_negative": 1000}}));
    let (none, told) = decided(json!({"cost": {"false_positive": 1000, "false_negative": 1}}));
    assert!(all > 60 && none < 20, "{all} {none} {told}");
    assert!(decided(json!("f1")).1.contains("greatest F1"));
    assert_eq!(decided(json!(0.5)).1, "0.500, as given");
    let read = |json: Value| serde_json::from_value::<super::super::options::Threshold>(json);
    assert!(read(json!({"capacity": 0.1, "cost": {"false_positive": 1, "false_negative": 1}})).is_err());
    assert!(read(json!("f2")).is_err());
}

#[test]
fn a_feature_that_knows_the_outcome_is_refused_by_name() {
    let mut leaking = table(as_it_is);
    let knows = polars::prelude::col("buys").cast(DataType::Float64).fill_null(polars::prelude::lit(0.0));
    leaking.frame = leaking.frame.with_column((knows + polars::prelude::lit(1.0)).alias("paid"));
    leaking.schema.columns.push(crate::table::Column::new("paid", DataType::Float64));
    let refused = run(&stage(json!({"target": "buys"})), leaking.clone()).err().unwrap().to_string();
    assert!(refused.starts_with("`paid` (ROC AUC 1.000) alone tells `buys` almost without error"), "{refused}");
    assert!(run(&stage(json!({"target": "buys", "allow_leaks": ["paid"]})), leaking.clone()).is_ok());
    // Levels of a text that decide the outcome together, though none of them alone.
    let mut told = table(as_it_is);
    let of = |happened: &str| {
        let place = polars::prelude::col("id") % polars::prelude::lit(5);
        polars::prelude::lit(happened.to_owned()) + place.cast(DataType::String)
    };
    let buys = polars::prelude::col("buys").fill_null(polars::prelude::lit(false));
    let status = polars::prelude::when(buys).then(of("paid ")).otherwise(of("open "));
    told.frame = told.frame.with_column(status.alias("status"));
    told.schema.columns.push(crate::table::Column::new("status", DataType::String));
    let refused = run(&stage(json!({"target": "buys"})), told).err().unwrap().to_string();
    assert!(refused.starts_with("`status` (ROC AUC 1.000) alone tells"), "{refused}");
    let left = stage(json!({"target": "buys", "unavailable_at_prediction": ["paid"]}));
    let evaluation = run(&left, leaking).unwrap().evaluation.unwrap();
    assert!(!fact(&evaluation, "columns").contains("paid"));
}

#[test]
fn a_grid_is_tried_on_training_rows_and_the_best_is_served() {
    let with = json!({"target": "buys", "tune": {"grid": {"penalty.l2": [0.1, 1.0, 1e6], "class_weight": ["none", "balanced"]}}});
    let outputs = run(&stage(with.clone()), table(as_it_is)).unwrap();
    let evaluation = outputs.evaluation.unwrap();
    let tuned = fact(&evaluation, "tuned").to_owned();
    assert!(tuned.contains("penalty.l2 ") && !tuned.contains("1000000"), "{tuned}");
    let trials = evaluation.charts.iter().find_map(|chart| match chart {
        Chart::Table { title, rows, .. } if title.starts_with("Trials of the grid, by roc_auc") => Some(rows.len()),
        _ => None,
    });
    assert_eq!(trials, Some(6));
    // The parameters of the model are those that were asked for, so that a later night may apply it.
    assert_eq!(outputs.model.unwrap().signature.parameters["tune"]["grid"], with["tune"]["grid"]);
    let told = |grid: Value| {
        let problems = stage(json!({"target": "buys", "tune": {"grid": grid}})).check();
        problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; ")
    };
    assert!(told(json!({"penalti.l2": [1.0]})).contains("unknown field `penalti`"));
    assert!(told(json!({"penalty.l2": [-1.0]})).contains("expected a number of at least 0"));
    assert!(told(json!({"target": ["x"]})).contains("cannot be tuned"));
    assert!(told(json!({"calibrate": ["platt"]})).contains("cannot be tuned"));
    let together = told(json!({"engine": ["native", "linfa"], "penalty.l1": [0.0, 1.0]}));
    assert!(together.contains("the linfa engine ignores a penalty of l1"), "{together}");
    assert!(told(json!({"features": [["x"]]})).contains("names columns, which are not tuned"));
    assert!(told(json!({})).contains("the grid is empty"));
}

#[test]
fn older_snapshots_judge_too_and_groups_are_told_apart() {
    let with = json!({"target": "buys", "validate": {"time_folds": 2}, "slice": ["country"]});
    let evaluation = run(&stage(with), table(as_it_is)).unwrap().evaluation.unwrap();
    assert_eq!(fact(&evaluation, "evaluated on").split(" rows").next(), Some("2023-12-04 to 2024-03-03, 160"));
    assert!(evaluation.slices.iter().any(|slice| slice.slice == "country GB" && slice.measure == "roc_auc"));
    assert!(evaluation.slices.iter().all(|slice| slice.slice != "country XX"), "of a few nothing is told");
    let refused = schemas(&schema(), &stage(json!({"target": "buys", "validate": {"share": 0.5}}))).unwrap_err();
    assert!(refused[0].message.starts_with("snapshots are judged by time"));
}

/// The features that moved a score most, with their signs.
#[test]
fn reasons_are_what_the_coefficients_say() {
    let outputs = run(&stage(json!({"target": "buys"})), table(as_it_is)).unwrap();
    let frame = outputs.tables[0].clone().collect().unwrap();
    let text = |name: &str, row: usize| frame.column(name).unwrap().str().unwrap().get(row).unwrap().to_owned();
    for row in 0..80 {
        let (x, ..) = customer(row as i64 + 1, 4);
        let (first, probability) =
            (text("reason_1", row), frame.column("probability").unwrap().f64().unwrap().get(row).unwrap());
        if let Some(x) = x.filter(|x| *x < 5.0 || *x > 45.0) {
            assert_eq!(first, if x < 5.0 { "-x" } else { "+x" }, "{x} {probability}");
        }
        assert_ne!(text("reason_2", row), first);
    }
    let percentiles: Vec<f64> = frame.column("percentile").unwrap().f64().unwrap().iter().flatten().collect();
    assert!(percentiles.iter().all(|value| (0.0..=100.0).contains(value)));
}

/// Of a table without snapshots rows with a target train and judge, and the others are scored.
#[test]
fn a_table_without_snapshots_needs_a_target_only() {
    let rows: Vec<(i64, Option<f64>, bool, &str, i64)> = (1..=300)
        .map(|id| {
            let (x, member, country, amount) = customer(id, 1);
            (id, x, member, country, amount)
        })
        .collect();
    let frame = polars::df!(
        "id" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "x" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "member" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "country" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "churned" => rows.iter().map(|row| (row.0 <= 250).then_some(i64::from(row.4 > 45))).collect::<Vec<_>>()
    )
    .unwrap();
    let column = crate::table::Column::new;
    let columns = vec![
        column("id", DataType::Int64),
        column("x", DataType::Float64),
        column("member", DataType::Boolean),
        column("country", DataType::String),
        column("churned", DataType::Int64),
    ];
    let schema = TableSchema { columns, key: vec!["id".into()], fixed: true, ..TableSchema::default() };
    let table =
        || Table { frame: polars::prelude::IntoLazy::lazy(frame.clone()), schema: schema.clone(), watermark: None };
    let outputs = run(&stage(json!({"target": "churned"})), table()).unwrap();
    let found = outputs.tables[0].clone().collect().unwrap();
    assert_eq!((found.height(), found.column("id").unwrap().i64().unwrap().get(0)), (50, Some(251)));
    let evaluation = outputs.evaluation.unwrap();
    assert!(fact(&evaluation, "evaluated on").starts_with("25.0 % of the rows, by chance, 6"));
    assert!(measure(&evaluation, "accuracy").model.value > 0.7);
    let folds = run(&stage(json!({"target": "churned", "validate": {"folds": 5}})), table()).unwrap();
    assert!(
        fact(&folds.evaluation.unwrap(), "evaluated on").contains("5 parts, each by a model of the others, 250 rows")
    );
    let again = stage(json!({"target": "churned", "mode": "apply"}));
    let applied = again.run(inputs(table(), outputs.model), &context()).unwrap();
    assert!(applied.tables[0].clone().collect().unwrap().equals_missing(&found));
}

/// Not those of classes, which calibration mends, but those of rows: what counts more is more frequent.
#[test]
fn calibration_counts_rows_by_their_weight() {
    let mean = |weight: f64| {
        let of = |e: i64, s: i64| if as_it_is(e, s) { weight } else { 1.0 };
        let with = json!({"target": "buys", "weight": "counts", "calibrate": "platt"});
        let (_, found) = predictions(&run(&stage(with), counting(table(as_it_is), of)).unwrap());
        found.iter().sum::<f64>() / found.len() as f64
    };
    let (once, thrice) = (mean(1.0), mean(3.0));
    assert!((once - 0.5).abs() < 0.2 && thrice > once + 0.1, "{once} {thrice}");
}
