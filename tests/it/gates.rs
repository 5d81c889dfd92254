//! Gates: what stops a publication, what stays then, and how a change is accepted.

use super::support::{Project, files, floats, integers};

const PIPELINE: &str = "name: shop
sources:
  sales:
    path: ${lake}/sales.parquet
    columns: {customer_id: int64, amount: float64?}
    key: [customer_id]
stages:
  - id: scores
    stage: sql
    inputs: {sales: sales}
    with: {query: 'SELECT customer_id, amount FROM sales', key: [customer_id]}
gates:
  scores: GATE
publish:
  scores: {from: scores, to: '${warehouse}/scores'}
";

fn shop(gate: &str) -> Project {
    let project = Project::new(&PIPELINE.replace("GATE", gate));
    write(&project, 1000, 0.0);
    project
}

/// So many customers whose amounts begin at `from`.
fn write(project: &Project, rows: i64, from: f64) {
    let ids: Vec<i64> = (0..rows).collect();
    let amounts: Vec<f64> = ids.iter().map(|id| from + (id % 100) as f64).collect();
    project.write_parquet("data/sales.parquet", vec![integers("customer_id", &ids), floats("amount", &amounts)]);
}

fn is_published(project: &Project, date: &str) -> bool {
    project.path(&format!("target/warehouse/scores/run_date={date}/_SUCCESS")).exists()
}

#[test]
fn a_jump_of_rows_publishes_nothing_until_it_is_accepted() {
    let project = shop("{rows: {change_max: 0.2}}");
    project.run(0, &["--run-date", "2024-01-01"]);
    write(&project, 1300, 0.0);
    let ran = project.run(65, &["--run-date", "2024-01-02"]);
    assert!(
        ran.said.stderr.contains("R207") && ran.said.stderr.contains("1,300 rows after 1,000 rows"),
        "{:?}",
        ran.said
    );
    assert_eq!(ran.statuses()["gate.scores"], "error");
    assert!(is_published(&project, "2024-01-01") && !is_published(&project, "2024-01-02"));
    // A night that was stopped is no measure.
    project.run(65, &["--run-date", "2024-01-03"]);
    let accepted = project.run(0, &["--run-date", "2024-01-03", "--accept-gates"]);
    assert!(accepted.said.stdout.contains("(warn)"), "{}", accepted.said.stdout);
    project.run(0, &["--run-date", "2024-01-04"]);
    assert!(is_published(&project, "2024-01-04"));
    let again = project.run(0, &["--run-date", "2024-01-04"]);
    assert!(again.said.stdout.contains("nothing has changed"), "{}", again.said.stdout);
}

#[test]
fn columns_that_move_or_lack_values_publish_nothing() {
    let project = shop("{drift: {psi_max: 0.25}, nulls: {max: 0.1}}");
    project.run(0, &["--run-date", "2024-01-01"]);
    write(&project, 1000, 40.0);
    let moved = project.run(65, &["--run-date", "2024-01-02"]);
    assert!(moved.said.stderr.contains("PSI since 2024-01-01: amount"), "{}", moved.said.stderr);
    write(&project, 1000, 0.0);
    project.run(0, &["--run-date", "2024-01-02"]);
    project.edit(
        "SELECT customer_id, amount FROM",
        "SELECT customer_id, CASE WHEN customer_id % 4 = 0 THEN NULL ELSE amount END AS amount FROM",
    );
    let missing = project.run(65, &["--run-date", "2024-01-03"]);
    assert!(missing.said.stderr.contains("nulls: amount 25"), "{}", missing.said.stderr);
    assert_eq!(files(&project.path("target/warehouse/scores/run_date=2024-01-03")).len(), 0);
    // In this run, and in no other.
    project.run(0, &["--run-date", "2024-01-03", "--exclude", "gate:scores"]);
    assert!(is_published(&project, "2024-01-03"));
}

#[test]
fn a_model_below_its_floor_publishes_nothing() {
    let project = Project::shipped();
    let gates = "gates:\n  will_buy: {measure: {name: roc_auc, min: MIN, baseline: beats}}\npublish:\n";
    project.edit("publish:\n", &gates.replace("MIN", "0.99"));
    let only = ["--select", "+will_buy +scores"];
    let ran = project.run(65, &only);
    let told = "measure roc_auc min 0.99 baseline beats fails: roc_auc is 0.80";
    assert!(ran.said.stderr.contains(told), "{}", ran.said.stderr);
    project.edit("min: 0.99", "min: 0.6");
    project.run(0, &only);
}

#[test]
fn gates_that_cannot_be_computed_are_refused() {
    for (gate, told) in [
        ("{}", "expected `rows`, `nulls`, `drift` or `measure`"),
        ("{rows: {}}", "expected `min`, `max` or `change_max`"),
        ("{nulls: {max: 0.1, columns: [amout]}}", "did you mean `amount`?"),
        ("{measure: {name: roc_auc}}", "expected `min`, `max` or `baseline`"),
        ("{nulls: {max: 2}}", "P104"),
        ("{row: {min: 1}}", "did you mean `rows`?"),
    ] {
        let said = shop(gate).on_pipeline("validate", &["--offline"]).ends(78);
        assert!(said.stderr.contains(told), "{gate}: {}", said.stderr);
    }
    // One that is broken hides no mistake of another.
    let two = shop("{row: {min: 1}}\n  scorse: {rows: {min: 1}}");
    let said = two.on_pipeline("validate", &["--offline"]).ends(78).stderr;
    assert!(said.contains("did you mean `rows`?") && said.contains("did you mean `scores`?"), "{said}");
    let unmeasured = shop("{measure: {min: 0.5}}");
    let ran = unmeasured.run(65, &["--run-date", "2024-01-01"]);
    assert!(ran.said.stderr.contains("the model was not evaluated"), "{}", ran.said.stderr);
    let source = shop("{rows: {min: 1}}");
    source.edit("  scores: {rows", "  sales: {rows");
    assert!(source.on_pipeline("validate", &["--offline"]).ends(78).stderr.contains("gates are on stages"));
}
