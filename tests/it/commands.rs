//! Every command but `run`, and what each refuses.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{Project, Said, floats, hours_of_2024, integers, patronage, program, repository, texts};

#[test]
fn help_is_quick() {
    patronage(&["--help"]).ends(0);
    let clock = Instant::now();
    let said = patronage(&["--help"]).ends(0);
    // The bar is 20 ms; a machine that does other things beside gets more.
    assert!(clock.elapsed() < Duration::from_millis(200), "{:?}", clock.elapsed());
    for command in ["run", "plan", "validate", "graph", "show", "list", "schema", "init", "synthesize", "explain"] {
        assert!(said.stdout.contains(&format!("\n  {command} ")), "{command} in {}", said.stdout);
        patronage(&[command, "--help"]).ends(0);
    }
    assert_eq!(patronage(&["--version"]).ends(0).stdout, concat!("patronage ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [&[][..], &["rnu"], &["run"], &["run", "a.yaml", "--thread", "2"], &["explain", "--all"]] {
        let said = patronage(arguments).ends(2);
        assert!(said.stdout.is_empty() && !said.stderr.is_empty(), "{arguments:?}: {said:?}");
    }
}

#[test]
fn every_code_is_explained() {
    let list = patronage(&["explain"]).ends(0).stdout;
    let codes: Vec<&str> = list.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(codes.len() > 40, "{list}");
    for code in codes {
        let page = patronage(&["explain", code]).ends(0).stdout;
        assert!(page.starts_with(&format!("{code}: ")) && page.contains("\nExit code: "), "{page}");
    }
    assert_eq!(patronage(&["explain", "p101"]).ends(0).stdout, patronage(&["explain", "P101"]).stdout);
    let said = patronage(&["explain", "P999"]).ends(2);
    assert!(said.stderr.contains("there is no diagnostic code `P999`"), "{}", said.stderr);
}

#[test]
fn every_kind_is_listed_and_documented() {
    let list = patronage(&["list"]).ends(0).stdout;
    let kinds: Vec<&str> =
        list.lines().skip(1).take_while(|line| !line.is_empty()).filter_map(|line| line.split(' ').next()).collect();
    for kind in ["sql", "features", "rfm", "kmeans", "item_cf", "linear", "logistic", "scores"] {
        assert!(kinds.contains(&kind), "{kind} in {list}");
    }
    for kind in kinds {
        let page = patronage(&["list", kind]).ends(0).stdout;
        assert!(page.starts_with(&format!("# {kind}\n")), "{page}");
        let undocumented: Vec<&str> =
            page.lines().filter(|line| line.starts_with("| `") && line.ends_with("|  |")).collect();
        assert!(undocumented.is_empty(), "{kind}: {undocumented:?}");
    }
    let said = patronage(&["list", "kmean"]).ends(2);
    assert!(said.stderr.contains("kmeans"), "{}", said.stderr);
}

#[test]
fn the_schemas_in_docs_are_current() {
    for of in ["pipeline", "environment"] {
        let file = format!("docs/schema/{of}.json");
        let kept = std::fs::read_to_string(repository().join(&file)).unwrap_or_default();
        let current = patronage(&["schema", of]).ends(0).stdout;
        serde_json::from_str::<serde_json::Value>(&current).unwrap();
        assert!(kept == current, "{file} is not current: `patronage schema {of} > {file}`");
    }
}

#[test]
fn the_pages_in_docs_are_current() {
    let fresh = tempfile::tempdir().unwrap();
    patronage(&["list", "--pages", fresh.path().to_str().unwrap()]).ends(0);
    for entry in std::fs::read_dir(fresh.path()).unwrap().flatten() {
        let kept = repository().join("docs/reference/stages").join(entry.file_name());
        let current = std::fs::read_to_string(entry.path()).unwrap();
        let same = std::fs::read_to_string(&kept).is_ok_and(|kept| kept == current);
        assert!(same, "{} is not current: `patronage list --pages docs/reference/stages`", kept.display());
    }
}

#[test]
fn the_graph_has_every_node_and_edge() {
    let project = Project::shop();
    let mermaid = project.on_pipeline("graph", &[]).ends(0).stdout;
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    let dot = project.on_pipeline("graph", &["--format", "dot"]).ends(0).stdout;
    assert!(dot.starts_with("digraph shop {") && dot.ends_with("}\n"), "{dot}");
    for (drawing, arrow) in [(&mermaid, " --> "), (&dot, " -> ")] {
        assert_eq!(drawing.matches(arrow).count(), 6, "{drawing}");
        for name in ["sales", "kept", "customers", "favorites", "scores"] {
            assert!(drawing.contains(name), "{name} in {drawing}");
        }
    }
    assert!(dot.contains("\"stage.scores\" -> \"publish.scores\";"), "{dot}");
    let said = project.on_pipeline("graph", &["--format", "svg"]).ends(2);
    assert!(said.stderr.contains("mermaid"), "{}", said.stderr);
}

#[test]
fn a_new_project_validates_and_runs() {
    let place = tempfile::tempdir().unwrap();
    let shop = place.path().join("shop");
    let said = patronage(&["init", shop.to_str().unwrap()]).ends(0);
    let pipeline = shop.join("pipelines/nightly.yaml");
    let pipeline = pipeline.to_str().unwrap();
    assert!(said.stdout.contains(&format!("patronage run {pipeline}")), "{}", said.stdout);
    patronage(&["validate", pipeline]).ends(0);
    patronage(&["run", pipeline]).ends(0);
    assert!(shop.join("target/warehouse/customer_scores/run_date=2025-01-01/_SUCCESS").is_file());

    let said = patronage(&["init", shop.to_str().unwrap()]).ends(2);
    assert!(said.stderr.contains("is not empty"), "{}", said.stderr);
    let empty = place.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    patronage(&["init", empty.to_str().unwrap()]).ends(0);
}

#[test]
fn validate_looks_at_the_files_unless_offline() {
    let project = Project::shop();
    let said = project.on_pipeline("validate", &[]).ends(0);
    assert!(said.stdout.contains("pipeline.yaml is valid") && said.stderr.is_empty(), "{said:?}");
    std::fs::remove_file(project.path("data/sales.parquet")).unwrap();
    project.on_pipeline("validate", &["--offline"]).ends(0);
    let said = project.on_pipeline("validate", &[]).ends(66);
    assert!(said.stderr.contains("error[R200]") && said.stderr.contains("sales"), "{}", said.stderr);
    assert!(said.stdout.is_empty(), "{}", said.stdout);
}

/// Not once everything is computed; that the driver is one that no build can load is the same in a build without databases.
#[test]
fn a_missing_driver_is_found_before_anything_runs() {
    let project = Project::shop();
    project.edit("to: \"${warehouse}/scores\"}", "to: \"${warehouse}/scores\", deliver: {database: wh, table: t}}");
    let environment = "lake: data\nwarehouse: out\nrun_date: 2024-06-01\ndatabases:\n  wh: {driver: ";
    project.write("configs/local.yaml", &format!("{environment}./there_is_none.so}}\n"));
    project.on_pipeline("validate", &["--offline"]).ends(0);
    for command in ["validate", "plan", "run"] {
        let said = project.on_pipeline(command, &[]).ends(78);
        assert!(said.stderr.contains("error[R250]") && said.stderr.contains("local.yaml:5:3"), "{}", said.stderr);
        assert!(said.stdout.is_empty() && !said.stderr.contains("started"), "{said:?}");
    }
    project.write("configs/local.yaml", &format!("{environment}none}}\n"));
    project.on_pipeline("validate", &[]).ends(0);
}

#[test]
fn the_pipeline_itself_may_be_missing() {
    let project = Project::shop();
    let said = project.patronage(&["validate", "nightly.yaml"]).ends(78);
    assert!(said.stderr.contains("error[P109]") && said.stderr.contains("nightly.yaml"), "{}", said.stderr);
}

/// The verdict of `patronage plan` for a node: what it would do, and why.
fn verdict(plan: &str, id: &str) -> String {
    let line = plan.lines().find(|line| line.split_whitespace().next() == Some(id));
    let words: Vec<&str> = line.unwrap_or_else(|| panic!("{id} in {plan}")).split_whitespace().skip(2).collect();
    words.join(" ")
}

#[test]
fn plan_says_what_would_run_and_why() {
    let project = Project::shop();
    let plan = || project.on_pipeline("plan", &[]).ends(0).stdout;
    let before = plan();
    for id in ["source.sales", "stage.kept", "stage.customers", "stage.favorites", "stage.scores"] {
        assert_eq!(verdict(&before, id), "run first run", "{before}");
    }
    assert!(!project.path("target").exists(), "a plan leaves nothing behind");

    project.run(0, &[]);
    let after = plan();
    for id in ["source.sales", "stage.kept", "stage.customers", "stage.favorites", "stage.scores"] {
        assert_eq!(verdict(&after, id), "skip nothing changed", "{after}");
    }

    project.edit("MIN(item)", "MAX(item)");
    let changed = plan();
    assert_eq!(verdict(&changed, "stage.favorites"), "run its definition changed");
    assert_eq!(verdict(&changed, "stage.scores"), "run its input favorites changed");
    assert_eq!(verdict(&changed, "stage.customers"), "skip nothing changed");

    let other = project.on_pipeline("plan", &["--run-date", "2024-05-01"]).ends(0).stdout;
    assert_eq!(verdict(&other, "stage.kept"), "run the run date changed from 2024-06-01");
    let selected = project.on_pipeline("plan", &["--select", "customers"]).ends(0).stdout;
    assert_eq!(verdict(&selected, "stage.favorites"), "- not selected");
    let refreshed = project.on_pipeline("plan", &["--full-refresh"]).ends(0).stdout;
    assert_eq!(verdict(&refreshed, "stage.kept"), "run --full-refresh");
}

#[test]
fn show_masks_what_names_a_person() {
    let project = Project::shop();
    let said = project.on_pipeline("show", &["customers"]).ends(2);
    assert!(said.stderr.contains("--select +customers"), "{}", said.stderr);
    project.run(0, &[]);
    let masked = project.on_pipeline("show", &["customers", "-n", "3"]).ends(0).stdout;
    assert!(masked.starts_with("customer  as_of "), "{masked}");
    assert!(masked.contains("•••") && !masked.contains("100"), "{masked}");
    assert_eq!(masked.lines().count(), 4, "{masked}");
    let open = project.on_pipeline("show", &["customers", "--unmask"]).ends(0).stdout;
    assert!(open.contains("100") && !open.contains("•••"), "{open}");
    // The class follows the column through queries and joins, and to the source.
    for name in ["sales", "kept", "favorites", "scores", "scores.scores"] {
        let said = project.on_pipeline("show", &[name]).ends(0).stdout;
        assert!(said.contains("•••"), "{name}: {said}");
    }
    let said = project.on_pipeline("show", &["costumers"]).ends(2);
    assert!(said.stderr.contains("did you mean `customers`?"), "{}", said.stderr);
}

#[test]
fn a_selection_of_nothing_is_refused() {
    let project = Project::shop();
    for selection in
        ["cutomers", "tag:persons", "stage:kmeans", "state:new", "path:x", "++customers", "customers,favorites", ""]
    {
        for command in ["run", "plan"] {
            let said = project.on_pipeline(command, &["--select", selection]).ends(2);
            assert!(said.stderr.contains("error[P150]"), "{selection}: {}", said.stderr);
        }
    }
    project.on_pipeline("run", &["--exclude", "*"]).ends(2);
    let said = project.on_pipeline("plan", &["--select", "cutomers"]).ends(2);
    assert!(said.stderr.contains("did you mean `customers`?"), "{}", said.stderr);
    assert!(!project.path("out").exists(), "nothing ran");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let project = Project::shop();
    for arguments in [
        ["--run-date", "01.06.2024"],
        ["--run-date", "2024-02-30"],
        ["--threads", "0"],
        ["--memory-limit", "4G"],
        ["--threads", "two"],
    ] {
        let said = project.on_pipeline("run", &arguments).ends(2);
        assert!(said.stderr.contains(arguments[0]) || said.stderr.contains("THREADS"), "{}", said.stderr);
    }
    let said = project.on_pipeline("run", &["--env", "prod"]).ends(78);
    assert!(said.stderr.contains("there is no environment `prod`"), "{}", said.stderr);
}

/// The run fails with this code and this diagnostic, and nothing is published.
#[track_caller]
fn refuses(project: &Project, exit: i32, code: &str, words: &[&str]) {
    let ran = project.run(exit, &[]);
    for word in [&format!("error[{code}]"), "sales"].into_iter().chain(words.iter().copied()) {
        assert!(ran.said.stderr.contains(word), "{word} in {}", ran.said.stderr);
    }
    assert_eq!(ran.with_status("error"), ["source.sales"]);
    assert_eq!(ran.with_status("skipped").len(), 5, "{:?}", ran.statuses());
    assert!(!project.path("out").exists(), "something was published");
}

#[test]
fn a_missing_source_ends_with_66() {
    let project = Project::shop();
    std::fs::remove_file(project.path("data/sales.parquet")).unwrap();
    refuses(&project, 66, "R200", &["sales.parquet"]);
}

#[test]
fn a_corrupt_source_ends_with_65() {
    let project = Project::shop();
    let whole = std::fs::read(project.path("data/sales.parquet")).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"this is no Parquet file at all", b""] {
        std::fs::write(project.path("data/sales.parquet"), bytes).unwrap();
        refuses(&project, 65, "R204", &["sales.parquet"]);
    }
}

#[test]
fn a_source_that_breaks_its_contract_ends_with_65() {
    let project = Project::shop();
    let columns = |amount| vec![integers("customer", &[1]), texts("item", &["tea"]), hours_of_2024("at", &[5]), amount];
    project.write_parquet("data/sales.parquet", columns(texts("amount", &["5"])));
    refuses(&project, 65, "R202", &["amount", "float64"]);
    project.write_parquet("data/sales.parquet", columns(floats("amuont", &[5.0])));
    refuses(&project, 65, "R202", &["no column `amount`", "there is `amuont`"]);
}

#[test]
fn a_null_where_none_may_be_ends_with_65() {
    let project = Project::shop();
    let mut columns = vec![texts("item", &["tea", "cup"]), hours_of_2024("at", &[5, 6]), floats("amount", &[1.0, 2.0])];
    let customers: [Option<i64>; 2] = [Some(1), None];
    columns.push(polars::prelude::Column::new("customer".into(), customers));
    project.write_parquet("data/sales.parquet", columns);
    refuses(&project, 65, "R203", &["not_null customer, at fails in 1 row"]);
}

#[test]
fn a_range_is_checked_and_may_quarantine_or_warn() {
    let project = Project::shop();
    project.edit("      - {not_null: [customer, at]}\n", "      - {range: amount, min: 0}\n");
    refuses(&project, 65, "R203", &["range amount min 0 fails in"]);
    project.edit("min: 0}", "min: 0, severity: quarantine}");
    let ran = project.run(0, &[]);
    let aside = super::support::read_parquet(&ran.directory.join("quarantine/sales.parquet"));
    let report = ran.json("report.json");
    assert_eq!(report["sources"][0]["quarantined_rows"], aside.height(), "{report:#}");
    assert!(
        aside.height() > 0 && aside.column("amount").unwrap().f64().unwrap().iter().all(|amount| amount < Some(0.0))
    );
    let kept = project.on_pipeline("show", &["kept", "-n", "99"]).ends(0).stdout;
    assert_eq!(kept.lines().count() - 1 + aside.height(), 40, "{kept}");
    project.edit("severity: quarantine", "severity: warn");
    let ran = project.run(0, &[]);
    assert_eq!(ran.json("report.json")["sources"][0]["quarantined_rows"], 0);
    // It is told once, in the run that checks and in one that has nothing to check again.
    let told = |ran: &super::support::Ran| ran.said.stderr.matches("range amount min 0").count();
    let again = project.run(0, &[]);
    assert_eq!((told(&ran), told(&again)), (1, 1), "{}\n{}", ran.said.stderr, again.said.stderr);
}

/// As `patronage explain | head -0` does.
#[test]
fn who_has_seen_enough_may_leave() {
    for arguments in [&["explain"][..], &["schema"], &["list", "sql"]] {
        let mut child = program().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let said = Said::of(child.wait_with_output().unwrap()).ends(0);
        assert_eq!(said.stderr, "", "{arguments:?}");
    }
}

#[test]
fn errors_are_objects_where_the_log_is_json() {
    let project = Project::shop();
    project.edit("stage: features", "stage: featurs");
    let said = project.on_pipeline("validate", &["--log-format", "json"]).ends(78);
    let lines: Vec<Value> = said.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let [problem] = lines.as_slice() else { panic!("one problem, not {lines:#?}") };
    assert_eq!((&problem["code"], &problem["level"]), (&Value::from("P110"), &Value::from("ERROR")));
    assert_eq!((&problem["file"], &problem["line"]), (&Value::from("pipeline.yaml"), &Value::from(19)));
    assert_eq!(problem["help"], "did you mean `features`?");
    let said = project.patronage(&["run", "pipeline.yaml", "--log-format", "json", "--threads", "0"]).ends(2);
    let error: Value = serde_json::from_str(said.stderr.trim_end()).expect(&said.stderr);
    assert_eq!(error["code"], "P151");
}

#[test]
fn a_selection_that_run_refuses_is_helped() {
    let said = Project::shop().on_pipeline("run", &["--select", "favourites"]).ends(2);
    assert!(said.stderr.contains("did you mean `favorites`?"), "{}", said.stderr);
}
