//! What the events of a run say of columns and of checks, against what a reader of the pipeline knows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::support::{Project, Ran, floats, hours_of_2024, integers, texts};

const PIPELINE: &str = r#"name: shop
sources:
  sales:
    path: ${lake}/sales.parquet
    event_time: at
    columns:
      customer: {type: int64, class: direct_id, on_entry: pseudonymize}
      item: string?
      at: datetime
      amount: float64
    checks:
      - {range: amount, min: 0, severity: quarantine}
      - {references: item, in: items.item, severity: quarantine}
      - {rows: {min: 1000}, severity: warn}
  items:
    path: ${lake}/items.parquet
    static: true
    key: [item]
    columns: {item: string, shelf: string}
stages:
  - id: lines
    stage: sql
    inputs: {s: sales, i: items}
    with:
      event_time: at
      query: |
        WITH known AS (SELECT item, shelf AS place FROM i WHERE shelf <> 'none')
        SELECT s.customer, s.at, known.place, s.amount * 2 AS double,
               CASE WHEN s.item = 'tea' THEN s.amount ELSE 0 END AS tea
        FROM s JOIN known ON s.item = known.item
    checks:
      - {not_null: [customer], severity: error}
      - {range: double, max: 30, severity: quarantine}
  - id: customers
    stage: features
    inputs: {events: lines}
    with:
      entity: customer
      time: at
      snapshots: {every: 30d, count: 2}
      having: COUNT(*) FILTER (WHERE tea > 0) >= 0
      features:
        orders: COUNT(*)
        days: DAYS_SINCE(MAX(at))
        spend: SUM(double) FILTER (WHERE place = 'top')
  - id: segments
    stage: rfm
    inputs: {features: customers}
    with: {recency: days, frequency: orders, monetary: spend, bins: 2}
  - id: scores
    stage: scores
    inputs: {entities: customers, tables: [segments]}
    with: {entity: customer}
publish:
  scores: {from: scores, to: "${warehouse}/scores"}
  customers: {from: customers, to: "${warehouse}/customers"}
"#;

fn project() -> Project {
    let project = Project::new(PIPELINE);
    let key = "pseudonyms: {version: 1, key: {secret: {file: key}}}\n";
    project.write("configs/local.yaml", &format!("lake: data\nwarehouse: out\nrun_date: 2024-06-01\n{key}"));
    project.write("key", "0123456789abcdef0123456789abcdef\n");
    let rows = || 0..60;
    let customers: Vec<i64> = rows().map(|row| 101 + row % 7).collect();
    let items: Vec<&str> = rows().map(|row| ["tea", "cup", "pot", "ufo"][(row % 4) as usize]).collect();
    let hours: Vec<i64> = rows().map(|row| row * 48).collect();
    let amounts: Vec<f64> = rows().map(|row| if row == 9 { -1.0 } else { (row % 17) as f64 }).collect();
    let columns = vec![
        integers("customer", &customers),
        texts("item", &items),
        hours_of_2024("at", &hours),
        floats("amount", &amounts),
    ];
    project.write_parquet("data/sales.parquet", columns);
    let items = vec![texts("item", &["tea", "cup", "pot"]), texts("shelf", &["top", "low", "none"])];
    project.write_parquet("data/items.parquet", items);
    project
}

fn events(ran: &Ran) -> Vec<Value> {
    let text = std::fs::read_to_string(ran.directory.join("events.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn event<'e>(events: &'e [Value], job: &str, state: &str) -> &'e Value {
    let name = format!("shop.{job}");
    let found = events.iter().find(|event| event["job"]["name"] == *name && event["eventType"] == *state);
    found.unwrap_or_else(|| panic!("no {state} of {job}"))
}

/// `sales.amount TRANSFORMATION`, in small letters what only decides.
fn origin(origin: &Value) -> String {
    let word = |one: &Value| {
        let word = one["subtype"].as_str().unwrap_or("ANY");
        let word = if one["type"] == "DIRECT" { word.to_owned() } else { word.to_lowercase() };
        if one["masking"] == true { format!("{word} masked") } else { word }
    };
    let words: Vec<String> = origin["transformations"].as_array().unwrap().iter().map(word).collect();
    let name = origin["name"].as_str().unwrap().rsplit('/').next().unwrap();
    format!("{name}.{} {}", origin["field"].as_str().unwrap(), words.join(" "))
}

/// Each column with its origins, `*` for all.
fn lineage(output: &Value) -> BTreeMap<String, String> {
    let list = |origins: &Value| {
        let origins = origins.as_array().map(Vec::as_slice).unwrap_or_default();
        origins.iter().map(origin).collect::<Vec<_>>().join(", ")
    };
    let facet = &output["facets"]["columnLineage"];
    let fields = facet["fields"].as_object().unwrap_or_else(|| panic!("{output}"));
    let fields = fields.iter().map(|(name, field)| (name.clone(), list(&field["inputFields"])));
    fields.chain([("*".to_owned(), list(&facet["dataset"]))]).collect()
}

#[track_caller]
fn assert_lineage(output: &Value, wanted: &[(&str, &str)]) {
    let wanted = wanted.iter().map(|(name, origins)| ((*name).to_owned(), (*origins).to_owned())).collect();
    assert_eq!(lineage(output), wanted, "{}", output["name"]);
}

#[test]
fn every_column_is_told_from_its_file_to_what_is_published() {
    let events = events(&project().run(0, &[]));
    let of = |job: &str| &event(&events, job, "COMPLETE")["outputs"][0];
    assert_lineage(
        of("source.sales"),
        &[
            ("customer", "sales.parquet.customer TRANSFORMATION masked"),
            ("item", "sales.parquet.item IDENTITY"),
            ("at", "sales.parquet.at IDENTITY"),
            ("amount", "sales.parquet.amount IDENTITY"),
            ("*", "sales.parquet.amount filter, sales.parquet.at filter, sales.parquet.item filter, items.item filter"),
        ],
    );
    assert_lineage(
        of("stage.lines"),
        &[
            ("customer", "sales.customer IDENTITY"),
            ("at", "sales.at IDENTITY"),
            ("place", "items.shelf IDENTITY"),
            ("double", "sales.amount TRANSFORMATION"),
            ("tea", "sales.amount TRANSFORMATION, sales.item conditional"),
            ("*", "items.item join, items.shelf filter, sales.amount filter, sales.item join"),
        ],
    );
    let customers = [
        ("customer", "lines.customer IDENTITY"),
        ("as_of", ""),
        ("orders", ""),
        ("days", "lines.at AGGREGATION"),
        ("spend", "lines.double AGGREGATION, lines.place filter"),
        ("*", "lines.at filter, lines.customer group_by, lines.tea filter"),
    ];
    assert_lineage(of("stage.customers"), &customers);
    let segments = lineage(of("stage.segments"));
    assert_eq!(segments["customer"], "customers.customer IDENTITY");
    assert!(segments["segment_name"].contains("customers.spend TRANSFORMATION"), "{segments:?}");
    assert_eq!(segments["as_of"], "");
    let scores = lineage(of("stage.scores"));
    assert_eq!(scores["customer"], "customers.customer IDENTITY");
    assert_eq!(scores["segments_total"], "segments.total IDENTITY");
    assert_eq!(
        scores["*"],
        "customers.as_of filter, customers.customer join, segments.as_of filter, segments.customer join"
    );
    let published = lineage(of("publish.scores"));
    assert_eq!(published["segments_total"], "scores.segments_total IDENTITY");
    assert_eq!((published["run_date"].as_str(), published["*"].as_str()), ("", ""));
    assert_eq!(lineage(of("publish.customers"))["*"], "customers.as_of filter", "only the newest snapshot");
}

/// Whatever a column is said to be made of is a column of a dataset that the job reads.
#[test]
fn origins_are_columns_of_inputs() {
    let events = events(&Project::shipped().run(0, &[]));
    let mut seen = 0;
    for event in events.iter().filter(|event| event["eventType"] == "COMPLETE") {
        let mut known = Vec::new();
        for input in event["inputs"].as_array().unwrap() {
            for field in input["facets"]["schema"]["fields"].as_array().into_iter().flatten() {
                known.push((input["namespace"].clone(), input["name"].clone(), field["name"].clone()));
            }
        }
        for output in event["outputs"].as_array().unwrap() {
            let facets = &output["facets"];
            let names = |fields: &Value| fields.as_array().unwrap().iter().map(|field| field["name"].clone()).collect();
            let columns: Vec<Value> = names(&facets["schema"]["fields"]);
            let told: Vec<&String> = facets["columnLineage"]["fields"].as_object().unwrap().keys().collect();
            assert_eq!(told.len(), columns.len(), "{}", output["name"]);
            let fields = facets["columnLineage"]["fields"].as_object().unwrap().values();
            let all = facets["columnLineage"]["dataset"].as_array().into_iter().flatten();
            for origin in fields.flat_map(|field| field["inputFields"].as_array().unwrap()).chain(all) {
                let origin = (origin["namespace"].clone(), origin["name"].clone(), origin["field"].clone());
                assert!(known.contains(&origin), "{}: {origin:?}", output["name"]);
                seen += 1;
            }
        }
    }
    assert!(seen > 500, "{seen}");
    let longest = events.iter().map(|event| event.to_string().len()).max().unwrap();
    assert!(longest < 100_000, "{longest}");
}

#[test]
fn what_checks_find_is_told_of_what_they_look_at() {
    let events = events(&project().run(0, &[]));
    let read = &event(&events, "source.sales", "COMPLETE")["inputs"][0]["inputFacets"];
    let found = read["dataQualityAssertions"]["assertions"].as_array().unwrap();
    let of = |kind: &str| found.iter().find(|one| one["assertion"] == kind).unwrap_or_else(|| panic!("{kind}"));
    assert_eq!((of("range")["success"].clone(), &of("range")["severity"]), (false.into(), &"quarantine".into()));
    assert_eq!((&of("range")["column"], &of("range")["actual"]), (&"amount".into(), &"1".into()));
    assert_eq!((&of("references")["actual"], &of("references")["expected"]), (&"15".into(), &"0".into()));
    assert_eq!(of("rows")["description"], "44 rows, expected at least 1,000");
    assert!(of("rows").get("column").is_none() && of("rows").get("actual").is_none());
    assert_eq!(of("columns")["success"], true, "the contract of the files is a check");
    let counts = &read["dataQualityMetrics"];
    assert_eq!((&counts["rowCount"], &counts["fileCount"]), (&60.into(), &1.into()));
    assert_eq!(counts["columnMetrics"]["customer"]["nullCount"], 0);
    // A stage's checks are a job that reads what the stage wrote.
    let checks = event(&events, "stage.lines.checks", "COMPLETE");
    assert_eq!(checks["inputs"][0]["name"], "lines");
    assert_eq!(checks["job"]["facets"]["jobType"]["jobType"], "CHECKS");
    let found = &checks["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"];
    assert_eq!((&found[0]["assertion"], &found[0]["success"]), (&"not_null".into(), &true.into()));
    assert!(event(&events, "stage.lines.checks", "START")["inputs"][0].get("inputFacets").is_none());
}

#[test]
fn when_a_check_fails_it_is_told_where_people_look() {
    let project = project();
    project.edit("{range: double, max: 30, severity: quarantine}", "{range: double, max: 30}");
    let first = events(&project.run(65, &[]));
    let checks = event(&first, "stage.lines.checks", "FAIL");
    assert_eq!(checks["run"]["facets"]["errorMessage"]["message"], "failed: range double max 30");
    let found = &checks["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][1];
    assert_eq!((&found["column"], &found["success"]), (&"double".into(), &false.into()));
    let failed = event(&first, "stage.lines", "FAIL");
    assert!(failed["outputs"][0]["facets"].get("columnLineage").is_none(), "nothing was written");
    project.edit("{rows: {min: 1000}, severity: warn}", "{rows: {min: 1000}}");
    let second = events(&project.run(65, &[]));
    let failed = event(&second, "source.sales", "FAIL");
    let found = failed["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"].as_array().unwrap();
    assert!(found.iter().any(|one| one["assertion"] == "rows" && one["success"] == false), "{failed}");
}

#[test]
fn what_a_gate_finds_is_told_of_the_table_that_it_looks_at() {
    let project = project();
    project.edit("publish:\n", "gates:\n  customers: {rows: {min: 100}}\npublish:\n");
    let events = events(&project.run(65, &[]));
    let failed = event(&events, "gate.customers", "FAIL");
    let found = &failed["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"][0];
    assert_eq!((&found["assertion"], &found["success"]), (&"rows".into(), &false.into()));
    assert_eq!(failed["inputs"][0]["name"], "customers");
}
