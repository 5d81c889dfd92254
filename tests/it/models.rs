//! Models that are fitted on one date and applied on a later one, and what an evaluation rests on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use polars::prelude::{AnyValue, DataFrame};
use serde_json::Value;

use super::support::{Project, Ran, digests, files, floats, hours_of_2024, integers, read_parquet, texts};

/// A model of each family. Sales are joined with a table of items that is declared static.
const PIPELINE: &str = r#"name: shop
sources:
  sales:
    path: ${lake}/sales.parquet
    event_time: at
    columns:
      customer: {type: int64, class: direct_id}
      item: string
      at: datetime
      amount: float64
  items:
    path: ${lake}/items.parquet
    static: true
    key: [item]
    columns: {item: string, shelf: int64}
stages:
  - id: shelves
    stage: sql
    inputs: {items: items}
    with: {query: "SELECT item, MAX(shelf) AS shelf FROM items GROUP BY item", key: [item], static: true}
  - id: kept
    stage: sql
    inputs: {sales: sales, shelves: shelves}
    with:
      query: SELECT s.customer, s.item, s.at, h.shelf FROM sales AS s JOIN shelves AS h ON s.item = h.item
  - id: customers
    stage: features
    inputs: {events: sales}
    with:
      entity: customer
      time: at
      snapshots: {every: 30d, count: 4}
      features:
        recency_days: DAYS_SINCE(MAX(at))
        orders: COUNT(*)
        spend: SUM(amount)
      labels:
        buys_30d: {expression: COUNT(*) > 0, next: 30d}
  - id: will_buy
    stage: logistic
    inputs: {features: customers}
    with: {target: buys_30d, penalty: {l2: 1.0}, mode: MODE}
  - id: segments
    stage: kmeans
    inputs: {features: customers}
    with: {columns: [recency_days, spend], clusters: 3, restarts: 2, mode: MODE}
  - id: similar
    stage: item_cf
    inputs: {interactions: kept}
    with: {user: customer, item: item, time: at, holdout: 30d, top: 3, exclude_seen: false, mode: MODE}
publish:
  predictions: {from: will_buy, to: "${warehouse}/predictions"}
  segments: {from: segments, to: "${warehouse}/segments"}
  recommendations: {from: similar, to: "${warehouse}/recommendations"}
"#;
const MODELS: [&str; 3] = ["will_buy", "segments", "similar"];
const PUBLISHED: [&str; 3] = ["predictions", "segments", "recommendations"];
const D1: &str = "2024-05-01";
const D2: &str = "2024-06-01";

/// 240 customers who buy every 7 to 66 days one of nine items.
fn project() -> Project {
    let project = Project::new(&PIPELINE.replace("MODE", "fit_apply"));
    project.write("configs/local.yaml", "lake: data\nwarehouse: out\nrun_date: 2024-06-01\n");
    let names: Vec<String> = (0..9).map(|item| format!("item_{item}")).collect();
    let (mut customers, mut items, mut hours, mut amounts) = (vec![], vec![], vec![], vec![]);
    for day in 0..152_i64 {
        for customer in (0..240_i64).filter(|customer| (day + customer * 5) % (7 + customer % 60) == 0) {
            customers.push(customer);
            items.push(names[((customer % 3) * 3 + day % 4 % 3) as usize].as_str());
            hours.push(24 * day + 9);
            amounts.push((5 + customer % 50) as f64);
        }
    }
    let sales = vec![
        integers("customer", &customers),
        texts("item", &items),
        hours_of_2024("at", &hours),
        floats("amount", &amounts),
    ];
    project.write_parquet("data/sales.parquet", sales);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let shelves: Vec<i64> = (0..9).map(|item| item % 2).collect();
    project.write_parquet("data/items.parquet", vec![texts("item", &names), integers("shelf", &shelves)]);
    project
}

fn set_mode(project: &Project, mode: &str) {
    project.write("pipeline.yaml", &PIPELINE.replace("MODE", mode));
}

/// The one file that is published of a date.
fn published(project: &Project, name: &str, date: &str) -> PathBuf {
    let all = files(&project.path("out").join(name).join(format!("run_date={date}")));
    let parts: Vec<&PathBuf> = all.iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect();
    assert_eq!(parts.len(), 1, "{all:?}");
    parts[0].clone()
}

/// What is published of a date, byte for byte.
fn bytes(project: &Project, date: &str) -> Vec<Vec<u8>> {
    PUBLISHED.map(|name| std::fs::read(published(project, name, date)).unwrap()).to_vec()
}

/// The versions in a column of a published table.
fn version_column(table: &DataFrame) -> Vec<String> {
    let column = table.column("model_version").unwrap();
    let mut versions: Vec<String> = (0..table.height())
        .map(|row| match column.get(row).unwrap() {
            AnyValue::String(version) => version.to_owned(),
            other => panic!("no version: {other}"),
        })
        .collect();
    versions.dedup();
    versions
}

/// The version of each model in the registry, of stages with one.
fn registered(project: &Project) -> Vec<String> {
    let version = |stage: &&str| {
        let directory = project.path("target/patronage/models/shop").join(stage);
        let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        let [only] = names.as_slice() else { panic!("one model of {stage}, not {names:?}") };
        only.clone()
    };
    MODELS.iter().map(version).collect()
}

/// A stage's entry in the manifest or among the models of the report.
#[track_caller]
fn of_stage(ran: &Ran, stage: &str) -> (Value, Value) {
    let find = |list: &Value, key: &str, name: &str| {
        let found = list.as_array().unwrap().iter().find(|one| one[key] == name);
        found.unwrap_or_else(|| panic!("{name} in {list:#}")).clone()
    };
    let node = find(&ran.json("manifest.json")["nodes"], "unique_id", &format!("stage.{stage}"));
    (node, find(&ran.json("report.json")["models"], "stage", stage))
}

/// The digests of the tables that a run of these models has, with what is accounted of them.
fn tables(project: &Project, ran: &Ran) -> Vec<BTreeMap<String, String>> {
    let of = |stage: &&str| {
        let (node, _) = of_stage(ran, stage);
        let key = &node["cache_key"].as_str().unwrap()[..16];
        let found = digests(&project.path("target/patronage/tables/shop").join(stage).join(key));
        assert!(found.len() > 1, "{stage}: {found:?}");
        found
    };
    MODELS.iter().map(of).collect()
}

#[test]
fn a_model_of_one_date_is_applied_on_the_next() {
    let mut fitted_versions = Vec::new();
    for mode in ["fit_apply", "fit"] {
        let project = project();
        set_mode(&project, mode);
        let fitted = project.run(0, &["--run-date", D1]);
        let versions = registered(&project);
        for (name, version) in PUBLISHED.iter().zip(&versions) {
            let table = read_parquet(&published(&project, name, D1));
            assert_eq!(table.height() == 0, mode == "fit", "{name}");
            assert!(mode == "fit" || version_column(&table) == [version.as_str()], "{name}");
        }
        assert_eq!(of_stage(&fitted, "will_buy").1["mode"], mode);
        set_mode(&project, "apply");
        let applied = project.run(0, &["--run-date", D2]);
        for ((stage, name), version) in MODELS.iter().zip(PUBLISHED).zip(&versions) {
            let table = read_parquet(&published(&project, name, D2));
            assert!(table.height() > 200, "{name}: {}", table.height());
            assert_eq!(version_column(&table), [version.as_str()], "{name}");
            let (node, model) = of_stage(&applied, stage);
            assert_eq!(node["model_version_applied"], version.as_str());
            assert_eq!(node["cache_key_parts"]["model"], version.as_str());
            let said = ["version", "fitted_for", "mode"].map(|key| model[key].as_str().unwrap());
            assert_eq!(said, [version.as_str(), D1, "apply"], "{stage}");
        }
        assert_eq!(registered(&project), versions, "nothing was fitted");
        fitted_versions.push(versions);
    }
    assert_eq!(fitted_versions[0], fitted_versions[1], "a model is the same whether or not it is applied at once");
    let digits = fitted_versions[0][0].strip_prefix("2024-05-01-").unwrap();
    assert!(digits.len() == 16 && digits.chars().all(|digit| digit.is_ascii_hexdigit()), "{digits}");
}

#[test]
fn what_is_only_applied_is_listed_as_not_evaluated() {
    let project = project();
    project.run(0, &["--run-date", D1]);
    set_mode(&project, "apply");
    let applied = project.run(0, &["--run-date", D2]);
    let page = std::fs::read_to_string(applied.directory.join("report.html")).unwrap();
    for stage in ["will_buy", "similar"] {
        let (_, model) = of_stage(&applied, stage);
        assert_eq!(model["evaluation"]["measures"].as_array().unwrap().len(), 0);
        assert!(model["sentence"].as_str().unwrap().contains("fitted for 2024-05-01 was not evaluated in this run"));
        assert!(page.contains(model["version"].as_str().unwrap()), "{stage}");
        let told = |line: &&str| line.trim_start().starts_with(stage) && line.contains("evaluated");
        let line = applied.said.stdout.lines().find(told);
        let line = line.unwrap_or_else(|| panic!("{stage} in {}", applied.said.stdout));
        assert!(line.ends_with("not evaluated in this run, fitted for 2024-05-01"), "{line}");
    }
    assert!(page.contains("was not evaluated in this run"));
    // Segments are judged on the rows that they part, whoever fitted them.
    let (_, segments) = of_stage(&applied, "segments");
    assert_eq!(segments["evaluation"]["headline"], "silhouette");
    let ages = applied.json("report.json")["changes"].as_array().unwrap().clone();
    assert!(ages.iter().any(|change| change["of"] == "will_buy" && change["now"] == 31.0), "{ages:#?}");
}

#[test]
fn a_backfill_repeats_byte_for_byte_whatever_was_fitted_since() {
    let project = project();
    let fitted = project.run(0, &["--run-date", D1]);
    let (first, first_tables) = (bytes(&project, D1), tables(&project, &fitted));
    set_mode(&project, "apply");
    let once = project.run(0, &["--run-date", D2]);
    let (second, second_tables) = (bytes(&project, D2), tables(&project, &once));

    // A later model is none of D2's business.
    set_mode(&project, "fit_apply");
    project.run(0, &["--run-date", "2024-06-02", "--select", "+will_buy +segments +similar"]);
    for stage in MODELS {
        let versions = std::fs::read_dir(project.path("target/patronage/models/shop").join(stage)).unwrap();
        assert_eq!(versions.count(), 2, "{stage}");
    }
    set_mode(&project, "apply");
    let again = project.run(0, &["--run-date", D2, "--full-refresh"]);
    assert_eq!(again.with_status("success").len(), 8, "all is computed again: {:?}", again.statuses());
    assert_eq!((bytes(&project, D2), tables(&project, &again)), (second, second_tables));
    for stage in MODELS {
        let ((then, _), (now, _)) = (of_stage(&once, stage), of_stage(&again, stage));
        assert_eq!((&then["cache_key"], &then["cache_key_parts"]), (&now["cache_key"], &now["cache_key_parts"]));
    }

    set_mode(&project, "fit_apply");
    let models = digests(&project.path("target/patronage/models"));
    let refitted = project.run(0, &["--run-date", D1, "--full-refresh"]);
    assert_eq!((bytes(&project, D1), tables(&project, &refitted)), (first, first_tables));
    assert_eq!(digests(&project.path("target/patronage/models")), models, "the same models again");
}

#[test]
fn a_date_before_every_model_has_none() {
    let project = project();
    project.run(0, &["--run-date", D1]);
    set_mode(&project, "apply");
    // A model of the date itself is not an earlier one.
    let ran = project.run(66, &["--run-date", D1]);
    assert_eq!(ran.with_status("error"), ["stage.segments", "stage.similar", "stage.will_buy"]);
    for stage in MODELS {
        let told = format!("there is no model of `{stage}` of a run date before 2024-05-01");
        assert!(ran.said.stderr.contains("error[R212]") && ran.said.stderr.contains(&told), "{}", ran.said.stderr);
    }
}

#[test]
fn a_model_that_was_fitted_otherwise_is_refused() {
    let project = project();
    project.run(0, &["--run-date", D1]);
    set_mode(&project, "apply");
    project.edit("l2: 1.0", "l2: 2.0");
    project.edit("columns: [recency_days, spend], clusters: 3", "columns: [recency_days, orders], clusters: 4");
    project.edit("top: 3", "neighbors: 5, top: 3");
    let ran = project.run(1, &["--run-date", D2]);
    let stderr = &ran.said.stderr;
    for differing in ["`penalty`", "`columns`, `clusters`", "`neighbors`"] {
        let told =
            format!("the earlier model of 2024-05-01 was fitted with other {differing}; fit one with these first");
        assert!(stderr.contains(&told), "{told}\n{stderr}");
    }
}

#[test]
fn a_damaged_model_scores_nobody_and_is_not_called_missing() {
    let project = project();
    project.run(0, &["--run-date", D1]);
    let models = project.path("target/patronage/models/shop/will_buy").join(&registered(&project)[0]);
    for (file, from, to) in
        [("model.json", "\"means\"", "\"middles\""), ("signature.json", "\"l2\": 1.0", "\"l2\": 2.0")]
    {
        set_mode(&project, "apply");
        let whole = std::fs::read_to_string(models.join(file)).unwrap();
        assert!(whole.contains(from), "{whole}");
        std::fs::write(models.join(file), whole.replace(from, to)).unwrap();
        let ran = project.run(65, &["--run-date", D2, "--select", "+will_buy"]);
        let stderr = &ran.said.stderr;
        assert!(stderr.contains("error[R204]") && stderr.contains("the model is damaged"), "{stderr}");
        assert!(!stderr.contains("R212"), "{stderr}");
        // What the message says mends it.
        set_mode(&project, "fit_apply");
        project.run(0, &["--run-date", D1, "--full-refresh", "--select", "+will_buy"]);
        assert_eq!(std::fs::read_to_string(models.join(file)).unwrap(), whole);
    }
    set_mode(&project, "apply");
    project.run(0, &["--run-date", D2, "--select", "+will_buy"]);
    std::fs::remove_dir_all(&models).unwrap();
    let ran = project.run(66, &["--run-date", D2, "--full-refresh", "--select", "+will_buy"]);
    assert!(ran.said.stderr.contains("error[R212]"), "{}", ran.said.stderr);
}

#[test]
fn the_report_names_the_static_tables_that_an_evaluation_rests_on() {
    let project = project();
    let ran = project.run(0, &["--run-date", D1]);
    let (_, similar) = of_stage(&ran, "similar");
    assert_eq!(similar["static_inputs"], serde_json::json!(["items", "shelves"]));
    let facts = similar["evaluation"]["facts"].as_array().unwrap();
    let fact = facts.iter().find(|fact| fact["name"] == "declared static").unwrap()["value"].as_str().unwrap();
    assert!(fact.starts_with("items, shelves: the pipeline says that the rows never change over time"), "{fact}");
    let page = std::fs::read_to_string(ran.directory.join("report.html")).unwrap();
    assert!(page.contains("Declared static") && page.contains(fact), "{fact}");
    let card = project.path("target/patronage/models/shop/similar").join(&registered(&project)[2]).join("README.md");
    assert!(std::fs::read_to_string(card).unwrap().contains("- declared static: items, shelves"));
    // What reads none of them says nothing of them.
    let (_, will_buy) = of_stage(&ran, "will_buy");
    assert_eq!(will_buy["static_inputs"], serde_json::json!([]));
    assert!(!will_buy["evaluation"]["facts"].to_string().contains("declared static"));
}

/// A fact of the evaluation of the segments.
#[track_caller]
fn segments_fact(ran: &Ran, name: &str) -> String {
    let (_, model) = of_stage(ran, "segments");
    let facts = model["evaluation"]["facts"].as_array().unwrap();
    let found = facts.iter().find(|fact| fact["name"] == name);
    found.unwrap_or_else(|| panic!("{name} in {facts:#?}"))["value"].as_str().unwrap().to_owned()
}

#[test]
fn the_next_night_continues_the_segments_that_stand() {
    let project = project();
    let night = |date: &str| project.run(0, &["--run-date", date, "--select", "+segments"]);
    let first = night(D1);
    assert!(!first.json("report.json").to_string().contains("kept from the model before"));
    // Something is tried on the same date, and taken back: the run finds nothing to do.
    project.edit("clusters: 3", "clusters: 2");
    night(D1);
    project.edit("clusters: 2", "clusters: 3");
    // The publication of that name is among what is selected.
    assert_eq!(night(D1).with_status("success"), ["publish.segments"], "the tables are there already");
    let second = night(D2);
    assert_eq!(segments_fact(&second, "segments"), "3 kept from the model before");
    assert!(segments_fact(&second, "moved").contains(&format!("that were there on {D1}")));
    let (node, _) = of_stage(&second, "segments");
    assert_eq!(node["outputs"][0]["schema"]["key"], serde_json::json!(["customer", "as_of"]));
    // An earlier date that runs again changes nothing of it.
    night(D1);
    assert_eq!(night(D2).with_status("success"), [""; 0]);
}
