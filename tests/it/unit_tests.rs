//! `patronage test`: the tests that a pipeline brings along.

use super::support::{Project, SHOP};

/// Four sales of two customers, one of them for nothing.
const GIVEN: &str = "
    given:
      sales:
        - {customer: 1, at: 2024-05-01, item: tea, amount: 2.5}
        - {customer: 1, at: 2024-05-02, item: cup, amount: 0.5}
        - {customer: 2, at: 2024-05-03, item: pot, amount: 0.0}
        - {customer: 2, at: 2024-05-04, item: pot, amount: 7.0}
";

/// The shop without any data, with these tests.
fn shop(tests: &str) -> Project {
    let project = Project::new(&format!("{SHOP}tests:\n{tests}"));
    project.write("configs/local.yaml", "lake: nowhere\nwarehouse: out\nrun_date: 2024-06-01\n");
    project
}

fn test(name: &str, stage: &str, expect: &str) -> String {
    format!("  - name: {name}\n    stage: {stage}{GIVEN}    expect:\n{expect}")
}

#[test]
fn tests_pass_without_data_or_storage() {
    let first = test("free_sales_go", "kept", "      rows: [{amount: 7.0}, {amount: 2.5}, {amount: 0.5}]\n");
    let second = test(
        "customers_are_summed_up",
        "customers",
        "      rows:\n        - {customer: 2, orders: 1, spend: 7.0, favorite: pot, recency_days: 28}\n        - {customer: 1, orders: 2, spend: 3.0, favorite: cup, recency_days: 30}\n",
    );
    let third = test("scores_join", "scores", "      rows: {csv: \"customer, favorites_item\\n1, cup\\n2, pot\"}\n");
    let project = shop(&[first, second, third].concat());
    let said = project.on_pipeline("test", &[]).ends(0);
    assert!(said.stdout.ends_with("3 tests passed\n"), "{}", said.stdout);
    assert!(said.stdout.starts_with("ok    free_sales_go (kept, "), "{}", said.stdout);
    assert!(!project.path("target").exists() && !project.path("out").exists());
}

#[test]
fn a_failing_test_shows_what_differs() {
    let wrong = "      rows:\n        - {customer: 1, orders: 2, spend: 3.5}\n        - {customer: 3, orders: 1, spend: null}\n";
    let project = shop(&test("customers_are_summed_up", "customers", wrong));
    let said = project.on_pipeline("test", &["--junit", "out/tests.xml"]).ends(65);
    let (first, rest) = said.stdout.split_once('\n').unwrap();
    assert!(first.starts_with("FAIL  customers_are_summed_up (customers, "), "{first}");
    assert_eq!(
        rest,
        "      expected (-) 2 rows, found (+) 2 rows
         customer  orders  spend
      -  1         2       3.5
      +  1         2       3.0    differs in spend
      -  3         1       null   missing
      +  2         1       7.0    not expected

1 of 1 test failed
"
    );
    let junit = std::fs::read_to_string(project.path("out/tests.xml")).unwrap();
    assert!(junit.contains(r#"errors="0" failures="1""#), "{junit}");
    assert!(junit.contains("differs in spend") && junit.contains(r#"classname="shop.customers""#), "{junit}");
}

#[test]
fn a_stage_that_cannot_do_its_work_fails_its_test_alone() {
    let test_of = |name: &str, ids: &str| {
        format!(
            "  - name: {name}\n    stage: segments\n    given:\n      customers:\n{ids}    expect:\n      rows: [{{customer: 1, segment: 1}}, {{customer: 2, segment: 2}}]\n"
        )
    };
    let rows = "        - {customer: 1, orders: 1, spend: 90.0}\n        - {customer: 2, orders: 9, spend: 2.0}\n";
    let row = "        - {customer: 1, orders: 1, spend: 90.0}\n";
    let project = shop(&[test_of("two_groups", rows), test_of("too_few", row)].concat());
    let stage = "  - id: segments\n    stage: kmeans\n    inputs: {features: customers}\n    with: {columns: [orders, spend], clusters: 2}\n";
    project.edit("publish:\n", &format!("{stage}publish:\n"));
    let said = project.on_pipeline("test", &[]).ends(65);
    assert!(said.stdout.contains("FAIL  too_few (segments, "), "{}", said.stdout);
    assert!(said.stdout.contains("[R210] the stage `segments` failed: "), "{}", said.stdout);
    assert!(said.stdout.ends_with("1 of 2 tests failed\n"), "{}", said.stdout);
}

#[test]
fn labels_and_snapshots_are_those_of_the_tests_own_run_date() {
    let rows = "      rows:
        - {customer: 1, as_of: 2024-05-31, orders: 2, buys_30d: null}
        - {customer: 1, as_of: 2024-05-01, orders: 0, buys_30d: true}
        - {customer: 2, as_of: 2024-05-31, orders: 1, buys_30d: null}
";
    let dated = test("labels", "customers", rows).replace("    given:", "    run_date: 2024-05-31\n    given:");
    let project = shop(&dated);
    let said = project.on_pipeline("test", &[]).ends(65);
    // Nobody is in a snapshot before the first purchase, so the middle row is one that nobody should expect.
    assert!(said.stdout.contains("expected (-) 3 rows, found (+) 2 rows"), "{}", said.stdout);
    project.edit("        - {customer: 1, as_of: 2024-05-01, orders: 0, buys_30d: true}\n", "");
    project.on_pipeline("test", &["--run-date", "2023-01-01"]).ends(0);
}

#[test]
fn tests_are_chosen_by_stage_or_name() {
    let free = |name: &str, stage: &str| {
        format!("  - {{name: {name}, stage: {stage}, given: {{sales: []}}, expect: {{rows: []}}}}\n")
    };
    let project = shop(&[free("one", "kept"), free("two", "favorites"), free("three", "customers")].concat());
    let chosen = |arguments: &[&str]| project.on_pipeline("test", arguments).ends(0).stdout;
    assert!(chosen(&[]).ends_with("3 tests passed\n"));
    assert!(chosen(&["--select", "kept+"]).ends_with("2 tests passed\n"));
    assert!(chosen(&["--select", "test:two"]).ends_with("1 test passed\n"));
    assert!(chosen(&["--select", "tag:people test:one"]).ends_with("2 tests passed\n"));
    for (term, message) in [("test:tow", "did you mean `test:two`?"), ("scores", "no test is of what was selected")] {
        let said = project.on_pipeline("test", &["--select", term]).ends(2);
        assert!(said.stderr.contains(message), "{}", said.stderr);
    }
}

#[test]
fn a_pipeline_without_tests_is_not_a_success() {
    let said = Project::shop().on_pipeline("test", &[]).ends(2);
    assert!(said.stderr.contains("`shop` has no tests"), "{}", said.stderr);
}

#[test]
fn rows_come_from_files_and_may_have_to_come_in_order() {
    let tests = "  - name: from_files
    stage: kept
    given: {sales: {file: tests/sales.csv}}
    expect: {rows: {file: tests/kept.csv}, ordered: true, tolerance: 0.01}
";
    let project = shop(tests);
    project
        .write("tests/sales.csv", "customer,at,item,amount\n2,2024-05-01,\"a, b\",1.0\n1,2024-05-01 12:30:00,,3.0\n");
    project.write("tests/kept.csv", "customer,item,amount\n2,\"a, b\",1.005\n1,,3.0\n");
    // `item` may not be null in the contract, but a test gives the rows that its author wants.
    project.on_pipeline("test", &[]).ends(0);
    project.write("tests/kept.csv", "customer,item,amount\n1,,3.0\n2,\"a, b\",1.0\n");
    let said = project.on_pipeline("test", &[]).ends(65);
    assert!(said.stdout.contains("differs in customer, item, amount"), "{}", said.stdout);
}

#[test]
fn the_shipped_tests_pass() {
    let said = Project::shipped().on_pipeline("test", &[]).ends(0);
    assert!(said.stdout.ends_with("tests passed\n"), "{}", said.stdout);
}

#[test]
fn a_test_says_the_same_when_its_column_is_pseudonymized() {
    let wanted = "      rows: [{customer: 2, orders: 1}, {customer: 1, orders: 2}]\n";
    let project = shop(&test("orders", "customers", wanted));
    project.on_pipeline("test", &[]).ends(0);
    project.edit("name: shop\n", "name: shop\non_entry: {direct_id: pseudonymize}\n");
    let key = "pseudonyms: {version: 1, key: {secret: {env: NOT_SET_IN_TESTS}}}\n";
    project.write("configs/local.yaml", &format!("lake: nowhere\nwarehouse: out\nrun_date: 2024-06-01\n{key}"));
    project.on_pipeline("test", &[]).ends(0);
}

/// What a query asks of a moment is asked of the file already; the rows are those of the query all the same.
#[test]
fn moments_in_a_query_choose_the_rows_that_it_says() {
    const PIPELINE: &str = "\
name: shop
sources:
  sales:
    path: sales.parquet
    event_time: at
    columns: {customer: int64, at: datetime, due: date?, amount: float64}
stages:
  - id: counted
    stage: sql
    inputs: {sales: sales}
    with: {query: \"SELECT COUNT(*) AS n FROM sales WHERE at >= '2024-05-02' AND DATE '2024-05-04' > at\"}
  - id: chosen
    stage: sql
    inputs: {sales: sales}
    with: {query: \"SELECT amount FROM sales s WHERE s.at BETWEEN '2024-05-02' AND '2024-05-03 12:00:00' AND due = DATE '2024-06-01'\"}
  - id: joined
    stage: sql
    inputs: {sales: sales, later: sales}
    with:
      query: |
        SELECT sales.amount, later.amount AS next
        FROM sales LEFT JOIN later ON sales.customer = later.customer AND later.at > sales.at
        WHERE sales.at <= DATE '2024-05-01' AND later.due > DATE '2024-06-01'
      static: true
";
    let given = "
    given:
      sales:
        - {customer: 1, at: 2024-05-01, due: 2024-06-01, amount: 1.0}
        - {customer: 1, at: 2024-05-02, due: 2024-06-01, amount: 2.0}
        - {customer: 1, at: 2024-05-03 12:00:00, due: null, amount: 3.0}
        - {customer: 1, at: 2024-05-04, due: 2024-06-02, amount: 4.0}
";
    let test =
        |stage: &str, rows: &str| format!("  - name: {stage}\n    stage: {stage}{given}    expect: {{rows: {rows}}}\n");
    let tests =
        [test("counted", "[{n: 2}]"), test("chosen", "[{amount: 2.0}]"), test("joined", "[{amount: 1.0, next: 4.0}]")];
    let project = Project::new(&format!("{PIPELINE}tests:\n{}", tests.concat()));
    project.write("configs/local.yaml", "run_date: 2024-06-01\n");
    let said = project.on_pipeline("test", &[]).ends(0);
    assert!(said.stdout.ends_with("3 tests passed\n"), "{}", said.stdout);
}
