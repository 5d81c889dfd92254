//! What the report says of distributions, of what moved, and what a run warns of.

use polars::prelude::{AnyValue, DataFrame, DataType};
use serde_json::Value;

use super::support::{Project, Ran, floats, hours_of_2024, integers, read_parquet, texts};

/// 300 customers who buy every 23 days, from day 121 of the year (the first of May) on for five times
/// as much.
fn write_sales(project: &Project) {
    let (mut customers, mut hours, mut amounts) = (vec![], vec![], vec![]);
    for day in 0..152_i64 {
        for customer in 0..300_i64 {
            if (customer * 31 + day * 17) % 23 == 0 {
                customers.push(customer);
                hours.push(24 * day + 10);
                amounts.push((5 + customer % 50) as f64 * if day < 121 { 1.0 } else { 5.0 });
            }
        }
    }
    let items: Vec<&str> = customers.iter().map(|customer| ["tea", "cup", "pot"][(customer % 3) as usize]).collect();
    let columns = vec![
        integers("customer", &customers),
        texts("item", &items),
        hours_of_2024("at", &hours),
        floats("amount", &amounts),
    ];
    project.write_parquet("data/sales.parquet", columns);
}

/// The profile of a column.
#[track_caller]
fn column<'a>(report: &'a Value, table: &str, name: &str) -> &'a Value {
    let tables = report["profiles"].as_array().expect("profiles");
    let table = tables.iter().find(|one| one["table"] == table).expect("the table");
    let columns = table["columns"].as_array().expect("columns");
    columns.iter().find(|one| one["profile"]["name"] == name).expect("the column")
}

fn warnings(ran: &Ran) -> Vec<String> {
    let report = ran.json("report.json");
    report["warnings"].as_array().expect("warnings").iter().map(|one| one.as_str().expect("text").to_owned()).collect()
}

#[test]
fn drift_from_the_run_before_is_found_and_warned_of() {
    let project = Project::shop();
    write_sales(&project);
    let first = project.run(0, &["--run-date", "2024-05-01"]);
    let report = first.json("report.json");
    let spend = column(&report, "customers", "spend_30d");
    assert_eq!(spend["profile"]["rows"], 300);
    assert_eq!(spend["profile"]["shape"]["kind"], "number");
    assert_eq!(spend["drift"].as_array().unwrap().len(), 0, "there is nothing to compare with");
    assert!(warnings(&first).is_empty() && report["changes"].as_array().unwrap().is_empty());

    let second = project.run(0, &[]);
    let report = second.json("report.json");
    let psi = |name: &str| column(&report, "customers", name)["drift"][0]["psi"].as_f64().unwrap();
    assert!(psi("spend_30d") > 1.0 && psi("recency_days") < 0.1 && psi("favorite") < 1e-9);
    let drift = &column(&report, "customers", "spend_30d")["drift"][0];
    assert_eq!(drift["against"], "the run of 2024-05-01");
    let warned = warnings(&second);
    let expected = "stage.customers: customers is distributed unlike the run of 2024-05-01: PSI above 0.25 for ";
    assert!(warned[0].starts_with(expected) && warned[0].contains("spend_30d 3."), "{warned:?}");
    assert!(!warned[0].contains("recency_days") && !warned[0].contains("favorite"), "{warned:?}");
    assert!(second.said.stderr.contains("distributed unlike"), "{}", second.said.stderr);
    assert!(second.said.stdout.contains("distributed unlike"), "{}", second.said.stdout);

    // Nothing runs again, and nothing is forgotten.
    let again = project.run(0, &[]).json("report.json");
    assert_eq!(again["profiles"], report["profiles"]);

    // Another definition is told, and not warned of.
    project.edit("spend_30d: {expression: SUM(amount), last: 30d}", "spend_30d: {expression: SUM(amount), last: 31d}");
    let other = project.run(0, &[]);
    let report = other.json("report.json");
    let drift = &column(&report, "customers", "spend_30d")["drift"][0];
    assert_eq!(drift["against"], "the run of 2024-05-01, which defined it otherwise");
    assert!(!warnings(&other).iter().any(|warning| warning.starts_with("stage.customers")), "{:?}", warnings(&other));
}

/// Few rows are not described, and of many neither an identifier nor a label.
#[test]
fn profiles_tell_of_no_one() {
    let project = Project::shop();
    assert_eq!(project.run(0, &[]).json("report.json")["profiles"], serde_json::json!([]), "4 customers");
    write_sales(&project);
    let report = project.run(0, &[]).json("report.json");
    let tables = report["profiles"].as_array().unwrap();
    let names: Vec<&Value> = tables
        .iter()
        .flat_map(|table| table["columns"].as_array().unwrap())
        .map(|column| &column["profile"]["name"])
        .collect();
    assert_eq!(names, ["recency_days", "orders", "spend", "spend_30d", "favorite", "favorites_item"]);
}

#[test]
fn an_empty_table_is_warned_of() {
    let project = Project::shop();
    project.edit("WHERE amount <> 0", "WHERE amount > 1000000");
    let ran = project.run(0, &[]);
    let warned = warnings(&ran);
    assert!(warned.contains(&"stage.kept: it gave no rows".to_owned()), "{warned:?}");
}

/// A column as text, null as nothing.
fn texts_of(table: &DataFrame, name: &str) -> Vec<String> {
    let column = table.column(name).unwrap().cast(&DataType::String).unwrap();
    column.str().unwrap().iter().map(|text| text.unwrap_or_default().to_owned()).collect()
}

#[test]
fn models_are_compared_with_the_run_before_and_with_what_they_were_fitted_on() {
    let project = Project::shipped();
    project.run(0, &["--run-date", "2024-12-31"]);
    let ran = project.run(0, &[]);
    let report = ran.json("report.json");
    let changed = |of: &str, measure: &str| {
        let changes = report["changes"].as_array().unwrap();
        changes.iter().any(|one| one["of"] == of && one["measure"] == measure && one["since"] == "2024-12-31")
    };
    assert!(changed("will_buy", "roc_auc") && changed("similar_products", "ndcg@10"), "{}", report["changes"]);
    assert!(changed("segments", "rows of segment 1"), "{}", report["changes"]);
    let against = |table: &str, name: &str| -> Vec<String> {
        let drift = column(&report, table, name)["drift"].as_array().unwrap();
        drift.iter().map(|one| one["against"].as_str().unwrap().to_owned()).collect()
    };
    // What k-means and the recommender were fitted on is these very rows.
    let fitted_on = [
        "the run of 2024-12-31",
        "what will_buy was fitted on",
        "what next_spend was fitted on",
        "what spend_band was fitted on",
    ];
    assert_eq!(against("customers", "spend"), fitted_on);
    assert_eq!(against("input of similar_products", "items_per_user"), ["the run of 2024-12-31"]);
    assert_eq!(against("scores", "will_buy_probability"), ["the run of 2024-12-31"]);
    for model in report["models"].as_array().unwrap() {
        assert!(!model["evaluation"]["charts"].as_array().unwrap().is_empty(), "{}", model["stage"]);
    }

    let table = read_parquet(&ran.directory.join("report.parquet"));
    let names: Vec<&str> = table.get_column_names().into_iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["run", "run_date", "stage", "slice", "measure", "value", "baseline", "low", "high"]);
    assert_eq!(
        table.dtypes()[1..6],
        [DataType::Date, DataType::String, DataType::String, DataType::String, DataType::Float64]
    );
    let (stages, slices, measures) =
        (texts_of(&table, "stage"), texts_of(&table, "slice"), texts_of(&table, "measure"));
    let row = |stage: &str, slice: &str, measure: &str| {
        let found =
            (0..table.height()).find(|row| stages[*row] == stage && slices[*row] == slice && measures[*row] == measure);
        found.unwrap_or_else(|| panic!("no {stage}, {slice}, {measure}"))
    };
    let headline = row("will_buy", "all", "roc_auc");
    let measure = &report["models"].as_array().unwrap().iter().find(|one| one["stage"] == "will_buy").unwrap()["evaluation"]
        ["measures"][0];
    for (name, expected) in [
        ("value", &measure["model"]["value"]),
        ("low", &measure["model"]["low"]),
        ("high", &measure["model"]["high"]),
        ("baseline", &measure["baseline"]["value"]),
    ] {
        let AnyValue::Float64(found) = table.column(name).unwrap().get(headline).unwrap() else { panic!("{name}") };
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-12, "{name}");
    }
    for (stage, slice, measure) in [
        ("segments", "segment 1", "rows"),
        ("will_buy", "threshold 0.5", "precision"),
        ("will_buy", "tenth 1", "lift"),
        ("customers", "spend", "psi against what will_buy was fitted on"),
        ("source.transactions", "table", "rows"),
        ("stage.scores", "all", "elapsed_seconds"),
        ("will_buy", "all", "difference of roc_auc"),
        ("will_buy", "all", "change of roc_auc"),
        ("customers", "spend", "median"),
        ("publish.customer_scores", "all", "changed"),
        ("run", "all", "peak_memory_bytes"),
    ] {
        row(stage, slice, measure);
    }
    let value = |stage: &str, slice: &str, measure: &str| {
        let AnyValue::Float64(found) = table.column("value").unwrap().get(row(stage, slice, measure)).unwrap() else {
            panic!("{measure}")
        };
        found
    };
    assert_eq!(value("source.transactions", "all", "watermark_age_days"), 0.0, "sales up to the run date");
    let sources = report["sources"].as_array().unwrap();
    let transactions = sources.iter().find(|source| source["name"] == "transactions").unwrap();
    let aside = transactions["quarantined_rows"].as_f64().unwrap();
    assert!(aside > 0.0, "the shipped data has bad rows");
    assert_eq!(value("source.transactions", "all", "rows_set_aside"), aside);
    // Making the report is timed, in seconds that have passed.
    let seconds = report["report_seconds"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < 60.0, "{seconds}");
}
