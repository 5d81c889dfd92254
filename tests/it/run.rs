//! What a run leaves, what the next one does again, and that nothing depends on chance.

use std::collections::BTreeMap;

use polars::prelude::DataType;

use super::support::{Project, Ran, Said, digests, files, program, read_parquet};

const NODES: [&str; 6] =
    ["publish.scores", "source.sales", "stage.customers", "stage.favorites", "stage.kept", "stage.scores"];

/// Sources of the shipped pipeline of which rows are set aside.
const SOURCES: [&str; 2] = ["nightly/transactions/", "nightly/consents/"];

/// Everything that must not depend on chance: tables, models, and what is published, by path. Run
/// ids (the account of a source says in which run's folder rows were set aside) and the time of a commit are no data.
pub fn outputs(project: &Project) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (place, directory) in [("tables", "target/patronage/tables"), ("models", "target/patronage/models")] {
        let found = digests(&project.path(directory));
        all.extend(
            found
                .into_iter()
                .filter(|(name, _)| {
                    !name.ends_with("_committed.json") && !SOURCES.iter().any(|of| name.starts_with(of))
                })
                .map(|(name, digest)| (format!("{place}/{name}"), digest)),
        );
    }
    for (name, digest) in digests(&project.path("target/warehouse")).into_iter().chain(digests(&project.path("out"))) {
        if name.ends_with(".parquet") || name.ends_with(".ndjson") {
            // part-00000-<run>.parquet
            let (directory, _) = name.rsplit_once('/').unwrap();
            assert!(all.insert(format!("published/{directory}"), digest).is_none(), "one file each: {name}");
        }
    }
    all
}

#[test]
fn the_shipped_pipeline_gives_the_same_bytes_with_any_number_of_threads() {
    let project = Project::shipped();
    let mut first: Option<BTreeMap<String, String>> = None;
    for threads in ["1", "2", "2", "5"] {
        if project.path("target").exists() {
            std::fs::remove_dir_all(project.path("target")).unwrap();
        }
        let ran = project.run(0, &["--threads", threads]);
        assert!(ran.with_status("error").is_empty());
        let found = outputs(&project);
        let Some(first) = &first else {
            let published = found.keys().filter(|name| name.starts_with("published/")).count();
            assert!(published == 5 && found.len() > 20, "{found:#?}");
            first = Some(found);
            continue;
        };
        let differing: Vec<&String> = found.keys().filter(|name| found.get(*name) != first.get(*name)).collect();
        assert!(
            differing.is_empty() && found.len() == first.len(),
            "with {threads} threads these differ: {differing:#?}"
        );
    }
}

#[test]
fn a_second_run_does_nothing() {
    let project = Project::shop();
    let first = project.run(0, &[]);
    assert_eq!(first.with_status("success"), NODES);
    let before = (outputs(&project), digests(&project.path("out")));
    let second = project.run(0, &[]);
    assert_eq!(second.with_status("no-op"), NODES);
    assert!(second.said.stdout.contains("nothing has changed"), "{}", second.said.stdout);
    assert_eq!((outputs(&project), digests(&project.path("out"))), before, "not a byte is written");

    let refreshed = project.run(0, &["--full-refresh"]);
    assert_eq!(
        refreshed.with_status("success")[..5],
        NODES[1..].iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()[..]
    );
}

#[test]
fn only_what_changed_runs_again() {
    let project = Project::shop();
    project.run(0, &[]);
    project.edit("MIN(item)", "MAX(item)");
    let ran = project.run(0, &[]);
    assert_eq!(ran.with_status("success"), ["publish.scores", "stage.favorites", "stage.scores"]);
    assert_eq!(ran.with_status("no-op"), ["source.sales", "stage.customers", "stage.kept"]);

    // Names, descriptions and tags decide nothing.
    project.edit("    tags: [people]\n", "    tags: [persons]\n    description: Everyone.\n");
    assert_eq!(project.run(0, &[]).with_status("no-op"), NODES);

    // Back again: the outputs are still there.
    project.edit("MAX(item)", "MIN(item)");
    let back = project.run(0, &[]);
    assert_eq!(back.with_status("success"), ["publish.scores"], "{:?}", back.statuses());

    project.write_sales(41);
    assert_eq!(project.run(0, &[]).with_status("success"), NODES);
}

#[test]
fn a_damaged_output_is_made_again() {
    let project = Project::shop();
    project.run(0, &[]);
    let tables = files(&project.path("target/patronage/tables/shop/favorites"));
    let table = tables.iter().find(|path| path.ends_with("table.parquet")).unwrap();
    std::fs::remove_file(table).unwrap();
    let ran = project.run(0, &[]);
    assert_eq!(ran.with_status("success"), ["stage.favorites"], "{:?}", ran.statuses());
    // One that is cut off is damaged too. Bytes changed in place are not looked for.
    let whole = std::fs::read(table).unwrap();
    std::fs::write(table, &whole[..whole.len() - 1]).unwrap();
    let ran = project.run(0, &[]);
    assert_eq!(ran.with_status("success"), ["stage.favorites"], "{:?}", ran.statuses());
    assert_eq!(std::fs::read(table).unwrap(), whole);

    let published = files(&project.path("out/scores/run_date=2024-06-01"));
    let part = published.iter().find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    let planned = || {
        let plan = project.on_pipeline("plan", &[]).ends(0).stdout;
        let line = plan.lines().find(|line| line.contains("publish.scores")).unwrap().to_owned();
        line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(planned(), "skip the partition holds the same already");
    let whole = std::fs::read(part).unwrap();
    std::fs::write(part, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(planned(), "run files of the partition are missing or damaged");
    std::fs::remove_file(part).unwrap();
    assert_eq!(planned(), "run files of the partition are missing or damaged");
    let ran = project.run(0, &[]);
    assert_eq!(ran.with_status("success"), ["publish.scores"], "{:?}", ran.statuses());
    std::fs::remove_file(project.path("out/scores/run_date=2024-06-01/_SUCCESS")).unwrap();
    assert_eq!(planned(), "run an earlier run did not finish the partition");
    project.run(0, &[]);
    assert_eq!(planned(), "skip the partition holds the same already");
    assert_eq!(published_rows(&project, "2024-06-01"), 4);
}

const FAVORITES: &str = "SELECT customer, MIN(item) AS item FROM sales GROUP BY customer";
/// Nothing that is sold is called like a number, so this fails.
const BROKEN: &str = "SELECT customer, CAST(MIN(item) AS BIGINT) AS item FROM sales GROUP BY customer";

fn break_favorites(project: &Project) {
    project.edit(FAVORITES, BROKEN);
}

#[test]
fn after_a_failure_the_next_run_does_only_what_is_missing() {
    let project = Project::shop();
    break_favorites(&project);
    let failed = project.run(1, &[]);
    assert_eq!(failed.with_status("error"), ["stage.favorites"]);
    assert_eq!(failed.with_status("skipped"), ["publish.scores", "stage.scores"]);
    assert_eq!(failed.with_status("success"), ["source.sales", "stage.customers", "stage.kept"]);
    let stderr = &failed.said.stderr;
    assert!(stderr.contains("error[R210]") && stderr.contains("favorites"), "{stderr}");
    let stdout = &failed.said.stdout;
    assert_eq!(stdout.matches("stage.favorites failed").count(), 1, "one failure, told once: {stdout}");
    assert!(!stdout.contains("tea") && !stderr.contains("tea"), "values are not told: {stdout}{stderr}");
    assert!(!project.path("out").exists());

    let plan = project.on_pipeline("plan", &["--select", "result:error"]).ends(0).stdout;
    assert!(plan.contains("it failed last time"), "{plan}");
    let again = project.run(1, &[]);
    assert_eq!(again.with_status("error"), ["stage.favorites"]);
    assert_eq!(again.with_status("no-op").len(), 3, "{:?}", again.statuses());

    project.edit(BROKEN, "SELECT customer, MAX(item) AS item FROM sales GROUP BY customer");
    let mended = project.run(0, &[]);
    assert_eq!(mended.with_status("success"), ["publish.scores", "stage.favorites", "stage.scores"]);
    assert_eq!(published_rows(&project, "2024-06-01"), 4);
}

/// Publications and stages may share names, so a result must be of one or the other.
#[test]
fn a_failed_publication_is_selected_by_its_result() {
    let project = Project::shop();
    project.edit("  scores: {from: scores, to:", "  kept: {from: scores, to:");
    project.write("out/scores", "where the dataset's directory should be");
    let failed = project.on_pipeline("run", &[]);
    assert!(failed.code != 0 && failed.stdout.contains("publish.kept failed: "), "{failed:?}");
    assert_eq!(failed.stdout.matches(" failed: ").count(), 1, "{failed:?}");
    std::fs::remove_file(project.path("out/scores")).unwrap();

    let excluded = project.on_pipeline("plan", &["--exclude", "result:error"]).ends(0).stdout;
    let line = |plan: &str, id: &str| plan.lines().find(|line| line.contains(id)).unwrap().to_owned();
    assert!(line(&excluded, "publish.kept").contains("not selected"), "{excluded}");
    assert!(!line(&excluded, "stage.scores").contains("not selected"), "{excluded}");
    let mended = project.run(0, &["--select", "result:error"]);
    assert_eq!(mended.with_status("success"), ["publish.kept"], "{:?}", mended.statuses());
    assert_eq!(mended.with_status("no-op"), ["stage.scores"], "the stage `kept` is not meant: {:?}", mended.statuses());
    assert_eq!(published_rows(&project, "2024-06-01"), 4);

    // Where it is published to is part of its definition alone.
    project.edit("${warehouse}/scores", "${warehouse}/others");
    let moved = project.run(0, &["--select", "state:modified"]);
    assert_eq!(moved.with_status("success"), ["publish.kept"], "{:?}", moved.statuses());
    assert!(project.path("out/others/run_date=2024-06-01/_SUCCESS").is_file());
}

#[test]
fn what_does_not_depend_on_a_failure_goes_on_unless_told_not_to() {
    let project = Project::shop();
    project.edit("publish:\n", "publish:\n  kept: {from: kept, to: \"${warehouse}/kept\"}\n");
    project.edit("WHERE amount <> 0", "WHERE customer > 0");
    break_favorites(&project);
    let ran = project.run(1, &["--threads", "1"]);
    assert_eq!(ran.with_status("success").len(), 4, "{:?}", ran.statuses());
    assert!(project.path("out/kept/run_date=2024-06-01/_SUCCESS").is_file());

    let fast = Project::shop();
    std::fs::remove_file(fast.path("data/sales.parquet")).unwrap();
    fast.edit("stages:\n", "  others:\n    path: ${lake}/others.parquet\n    event_time: at\n    columns: {customer: int64, item: string, at: datetime, amount: float64}\nstages:\n  - id: alone\n    stage: sql\n    inputs: {others: others}\n    with: {query: SELECT customer FROM others}\n");
    let other = Project::shop();
    std::fs::copy(other.path("data/sales.parquet"), fast.path("data/others.parquet")).unwrap();
    let ran = fast.run(66, &["--fail-fast", "--threads", "1"]);
    assert_eq!(ran.with_status("error"), ["source.sales"], "{:?}", ran.statuses());
    assert_eq!(ran.statuses()["stage.alone"], "skipped");
    let ran = fast.run(66, &["--threads", "1"]);
    assert_eq!(ran.statuses()["stage.alone"], "success", "{:?}", ran.statuses());
}

#[test]
fn a_selection_runs_what_it_names() {
    let project = Project::shop();
    let ran = project.run(0, &["--select", "+customers"]);
    assert_eq!(ran.with_status("success"), ["source.sales", "stage.customers", "stage.kept"]);
    assert_eq!(ran.statuses().len(), 3, "the others are not in the results");
    assert!(!project.path("out").exists());

    let ran = project.run(0, &["--exclude", "scores"]);
    assert_eq!(ran.with_status("success"), ["stage.favorites"], "{:?}", ran.statuses());
    let ran = project.run(0, &["--select", "1+scores"]);
    assert_eq!(ran.with_status("no-op"), ["stage.customers", "stage.favorites"]);
    assert_eq!(ran.with_status("success"), ["publish.scores", "stage.scores"]);
    for (selection, count) in [
        ("tag:people", 1),
        ("stage:sql", 2),
        ("stage:s*", 4),
        ("source:sales", 1),
        ("sales+", 6),
        ("customers+1,stage:scores", 2),
        ("kept favorites", 2),
    ] {
        let ran = project.run(0, &["--select", selection]);
        assert_eq!(ran.statuses().len(), count, "{selection}: {:?}", ran.statuses());
    }
    project.edit("DAYS_SINCE(MAX(at))", "DAYS_SINCE(MIN(at))");
    let ran = project.run(0, &["--select", "state:modified+"]);
    assert_eq!(
        ran.with_status("success"),
        ["publish.scores", "stage.customers", "stage.scores"],
        "{:?}",
        ran.statuses()
    );
}

/// A stage without its inputs cannot run, and that must not look like a success.
#[test]
fn a_selected_stage_without_its_inputs_is_no_success() {
    let project = Project::shop();
    let said = project.on_pipeline("run", &["--select", "customers"]);
    assert_ne!(said.code, 0, "\nstdout: {}\nstderr: {}", said.stdout, said.stderr);
    assert!(said.stderr.contains("select `+customers`"), "{}", said.stderr);
}

/// Rows of the one file that the publication of a date has.
fn published_rows(project: &Project, run_date: &str) -> usize {
    let all = files(&project.path("out/scores").join(format!("run_date={run_date}")));
    let parts: Vec<_> = all.iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect();
    assert_eq!(parts.len(), 1, "{all:?}");
    assert!(
        all.iter().any(|path| path.ends_with("_SUCCESS")) && all.iter().any(|path| path.ends_with("_manifest.json")),
        "{all:?}"
    );
    let table = read_parquet(parts[0]);
    let names: Vec<&str> = table.get_column_names().into_iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["customer", "run_date", "favorites_item"]);
    assert_eq!(table.dtypes()[..2], [DataType::Int64, DataType::Date], "what the commit says they are");
    let commits = files(&project.path("out/scores/_commits").join(run_date));
    let newest = std::fs::read_to_string(commits.last().unwrap()).unwrap();
    let newest: serde_json::Value = serde_json::from_str(&newest).unwrap();
    let described: Vec<&str> =
        newest["schema"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(described, names, "the commit has the order of the file");
    table.height()
}

#[test]
fn a_publication_replaces_its_date_and_keeps_the_others() {
    let project = Project::shop();
    project.run(0, &["--run-date", "2024-05-01"]);
    let partition = |date: &str| digests(&project.path("out/scores").join(format!("run_date={date}")));
    let may = partition("2024-05-01");
    assert_eq!(published_rows(&project, "2024-05-01"), 4);
    let first = project.run(0, &[]);
    assert_eq!(first.with_status("success"), NODES, "another date is another execution");
    let june = partition("2024-06-01");

    project.edit("MIN(item)", "MAX(item)");
    project.run(0, &[]);
    assert_eq!(partition("2024-05-01"), may, "another date's partition is not touched");
    let replaced = partition("2024-06-01");
    assert_ne!(replaced, june);
    assert_eq!(published_rows(&project, "2024-06-01"), 4);
    let commits = |date: &str| files(&project.path("out/scores/_commits").join(date)).len();
    assert_eq!((commits("2024-05-01"), commits("2024-06-01")), (1, 2));

    // The date's own rows only: nothing at or after its midnight.
    let sales = project.on_pipeline("show", &["sales", "--run-date", "2024-01-05", "-n", "99"]).ends(0).stdout;
    assert_eq!(sales.lines().count(), 1 + 2, "{sales}");
}

/// Two runs of one date at once: each ends well, or says that the other one won or to try again, and
/// what is published is whole.
#[test]
fn two_runs_at_once_leave_one_whole_publication() {
    let project = Project::shop();
    let start = || {
        let mut command = program();
        command.args(["run", "pipeline.yaml"]).current_dir(project.root());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let both = [start(), start()].map(|child| Said::of(child.wait_with_output().unwrap()));
    assert!(both.iter().any(|said| said.code == 0), "{both:#?}");
    for said in &both {
        let lost = said.code == 75 && said.stderr.contains("error[R222]");
        assert!(said.code == 0 || lost, "{said:#?}");
    }
    assert_eq!(published_rows(&project, "2024-06-01"), 4);
    assert_eq!(project.run(0, &[]).with_status("no-op"), NODES);
}

/// The artifacts are whole, and the next run does what is missing.
#[cfg(unix)]
#[test]
fn a_terminated_run_ends_with_143_and_can_be_finished() {
    let project = Project::shipped();
    let mut command = program();
    command.args(["run", "pipeline.yaml", "--threads", "1"]).current_dir(project.root());
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The run is under way once its first stage has left a table.
    let under_way = || !files(&project.path("target/patronage/tables/nightly/sales")).is_empty();
    while !under_way() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let killed = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let said = Said::of(child.wait_with_output().unwrap()).ends(143);
    let directories: Vec<_> =
        files(&project.path("target/patronage")).into_iter().filter(|path| path.ends_with("report.html")).collect();
    assert_eq!(directories.len(), 1, "the artifacts are flushed: {said:?}");

    let rest = project.run(0, &[]);
    assert!(rest.with_status("no-op").contains(&"stage.sales".to_owned()), "{:?}", rest.statuses());
    assert_eq!(project.run(0, &[]).with_status("success").len(), 0);
}

/// The keys of dbt's run-results, version 6.
#[test]
fn run_results_have_the_shape_of_dbts() {
    let project = Project::shop();
    break_favorites(&project);
    let ran = project.run(1, &["--memory-limit", "8GiB", "--junit", "checks.xml"]);
    let results = ran.json("run_results.json");
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&results), ["metadata", "results", "elapsed_time", "args"]);
    assert_eq!(results["args"]["memory_limit"], "8GiB");
    assert_eq!(results["args"]["junit"], "checks.xml");
    assert_eq!(
        keys(&results["metadata"]),
        ["dbt_schema_version", "dbt_version", "generated_at", "invocation_id", "env"]
    );
    let entries = results["results"].as_array().unwrap();
    let is_check = |entry: &&serde_json::Value| entry["unique_id"].as_str().unwrap().starts_with("test.");
    assert_eq!(entries.iter().filter(|entry| !is_check(entry)).count(), NODES.len());
    for entry in entries {
        for key in [
            "status",
            "timing",
            "thread_id",
            "execution_time",
            "adapter_response",
            "message",
            "failures",
            "unique_id",
            "compiled",
            "compiled_code",
            "relation_name",
            "batch_results",
        ] {
            assert!(entry.get(key).is_some(), "{key} in {entry:#}");
        }
        assert_eq!(keys(&entry["timing"][0]), ["name", "started_at", "completed_at"]);
        let words =
            if is_check(&entry) { ["pass", "warn", "fail", "error"] } else { ["success", "error", "skipped", "no-op"] };
        assert!(words.contains(&entry["status"].as_str().unwrap()), "{entry:#}");
    }
    let manifest = ran.json("manifest.json");
    let ids: Vec<&str> =
        manifest["nodes"].as_array().unwrap().iter().map(|node| node["unique_id"].as_str().unwrap()).collect();
    assert!(NODES.iter().all(|id| ids.contains(id)), "{ids:?}");
    assert_eq!(manifest["metadata"]["run_id"], results["metadata"]["invocation_id"]);
}

#[test]
fn every_line_of_the_events_is_one_of_openlineages() {
    let project = Project::shop();
    let ran = project.run(0, &[]);
    let events = lines(&ran);
    // Checks of what a stage wrote are jobs of their own.
    let is_node = |event: &&serde_json::Value| !event["job"]["name"].as_str().unwrap().ends_with(".checks");
    let kinds = |wanted: &str| events.iter().filter(is_node).filter(|event| event["eventType"] == wanted).count();
    assert_eq!((kinds("START"), kinds("COMPLETE"), kinds("FAIL")), (1 + NODES.len(), 1 + NODES.len(), 0));
    for event in &events {
        for key in ["eventType", "eventTime", "run", "job", "inputs", "outputs", "producer", "schemaURL"] {
            assert!(event.get(key).is_some(), "{key} in {event:#}");
        }
        assert_eq!(event["run"]["runId"].as_str().unwrap().len(), 36);
        assert_eq!(event["job"]["namespace"], "patronage://shop");
    }
    let second = lines(&project.run(0, &[]));
    let nodes = second.iter().filter(|event| event["job"]["name"] != "shop").count();
    assert!(second.len() - nodes == 2, "the run itself: {second:#?}");
}

fn lines(ran: &Ran) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(ran.directory.join("events.ndjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_artifact_is_there_after_a_success_and_after_a_failure() {
    let project = Project::shop();
    let good = project.run(0, &[]);
    break_favorites(&project);
    let bad = project.run(1, &[]);
    for ran in [&good, &bad] {
        for name in ["manifest.json", "run_results.json", "report.json", "report.html", "events.ndjson"] {
            assert!(ran.directory.join(name).metadata().unwrap().len() > 0, "{name}");
        }
        let page = std::fs::read_to_string(ran.directory.join("report.html")).unwrap();
        assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "the page needs no network");
    }
    let shown = good.directory.strip_prefix(project.root()).unwrap().display().to_string();
    assert!(good.said.stdout.contains(&format!("Artifacts in {shown}")), "{}", good.said.stdout);
}

#[test]
fn results_go_to_stdout_and_the_rest_to_stderr_as_json_if_asked_for() {
    let project = Project::shop();
    let ran = project.run(0, &["--log-format", "json"]);
    assert!(ran.said.stdout.contains("out/scores"), "{}", ran.said.stdout);
    assert!(!ran.said.stderr.is_empty());
    for line in ran.said.stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    let quiet = project.run(0, &["--full-refresh", "--log-level", "error"]);
    assert_eq!(quiet.said.stderr, "");
}

/// No value of a direct identifier is in any artifact but the tables.
#[test]
fn artifacts_tell_no_rows() {
    let project = Project::shop();
    project.edit("customer: {type: int64, class: direct_id}", "customer: {type: string, class: direct_id}");
    let names: Vec<String> = (0..12).map(|row| format!("person-{}@example.org", row % 4)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hours: Vec<i64> = (0..12).map(|row| row * 200).collect();
    project.write_parquet(
        "data/sales.parquet",
        vec![
            super::support::texts("customer", &names),
            super::support::texts("item", &["tea"; 12]),
            super::support::hours_of_2024("at", &hours),
            super::support::floats("amount", &[1.5; 12]),
        ],
    );
    let good = project.run(0, &[]);
    break_favorites(&project);
    let bad = project.run(1, &[]);
    for ran in [&good, &bad] {
        assert!(!ran.said.stdout.contains("@example") && !ran.said.stderr.contains("@example"), "{:?}", ran.said);
        for file in files(&ran.directory) {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!bytes.windows(8).any(|bytes| bytes == b"@example"), "{}", file.display());
        }
    }
}
