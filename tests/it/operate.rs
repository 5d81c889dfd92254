//! Models that are promoted and rolled back, and the list of runs.

use super::support::{Project, Ran, repository};

/// The shipped pipeline that is fitted once a week.
fn weekly() -> Project {
    let project = Project::shipped();
    let text = std::fs::read_to_string(repository().join("pipelines/weekly.yaml")).unwrap();
    // One mode a file, since the program of a test sees no variables.
    project.write("pipeline.yaml", &text);
    project
}

fn fit(project: &Project, date: &str) {
    let text = std::fs::read_to_string(project.path("pipeline.yaml")).unwrap();
    project.write("pipeline.yaml", &text.replace("${env.PATRONAGE_MODE:-apply}", "fit_apply"));
    project.run(0, &["--run-date", date]);
    project.write("pipeline.yaml", &text);
}

/// The version of `will_buy` that a run applied.
fn applied(ran: &Ran) -> String {
    let report = ran.json("report.json");
    let models = report["models"].as_array().unwrap();
    let model = models.iter().find(|model| model["stage"] == "will_buy").unwrap();
    model["version"].as_str().unwrap().to_owned()
}

#[test]
fn a_promoted_model_is_applied_until_the_newest_is_followed_again() {
    let project = weekly();
    project.run(66, &["--run-date", "2024-12-01"]);
    fit(&project, "2024-12-08");
    fit(&project, "2024-12-15");
    let night = |date: &str| applied(&project.run(0, &["--run-date", date]));
    let newest = night("2024-12-16");
    assert!(newest.starts_with("2024-12-15-"), "{newest}");
    let models = |arguments: &[&str], code: i32| project.on_pipeline("models", arguments).ends(code).stdout;
    assert!(models(&[], 0).contains(&format!("will_buy  {newest}  newest  roc_auc 0.")));
    models(&["--rollback", "will_buy"], 0);
    let before = night("2024-12-16");
    assert!(before.starts_with("2024-12-08-"), "{before}");
    // A later fit changes nothing, nor does the night before any of them.
    fit(&project, "2024-12-22");
    assert_eq!(night("2024-12-23"), before);
    project.run(66, &["--run-date", "2024-12-08"]);
    models(&["--promote", "will_buy=2024-12-15"], 0);
    assert_eq!(night("2024-12-23"), newest);
    models(&["--rollback", "will_buy"], 0);
    assert_eq!(night("2024-12-23"), before);
    models(&["--follow", "will_buy"], 0);
    assert!(night("2024-12-23").starts_with("2024-12-22-"));
    for (arguments, code) in [
        (["--promote", "will_buy=2023"], 66),
        (["--promote", "will_buy=2024-12"], 66),
        (["--promote", "will_buy"], 2),
        (["--rollback", "nobody"], 66),
    ] {
        models(&arguments, code);
    }
}

#[test]
fn a_damaged_model_cannot_be_promoted() {
    let project = weekly();
    fit(&project, "2024-12-08");
    let models = project.path("target/patronage/models/weekly/will_buy");
    let version = std::fs::read_dir(&models).unwrap().next().unwrap().unwrap().path();
    let parameters = std::fs::read_dir(&version).unwrap().flatten().map(|entry| entry.path());
    let file = parameters
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "json") && !path.ends_with("_committed.json"));
    std::fs::write(file.unwrap(), "{}").unwrap();
    let said = project.on_pipeline("models", &["--promote", "will_buy=2024-12-08"]).ends(65);
    assert!(said.stderr.contains("damaged"), "{}", said.stderr);
}

#[test]
fn a_gate_on_an_applied_model_asks_what_was_measured_when_it_was_fitted() {
    let project = weekly();
    fit(&project, "2024-12-15");
    project.run(0, &["--run-date", "2024-12-16"]);
    project.edit("min: 0.7, baseline", "min: 0.9, baseline");
    let said = project.run(65, &["--run-date", "2024-12-17"]).said;
    assert!(said.stderr.contains("measure roc_auc min 0.9 baseline beats fails"), "{}", said.stderr);
}

#[test]
fn schedulers_get_files_with_what_runs_took() {
    let project = weekly();
    let untried = project.on_pipeline("export", &[]).code;
    assert_eq!(untried, 2, "the command line names the scheduler first");
    let export = |arguments: &[&str]| project.patronage(&[&["export"], arguments].concat());
    let cronjob = ["cronjob", "pipeline.yaml", "--schedule", "15 3 * * *", "--image", "registry.example/patronage:1"];
    let said = export(&cronjob).ends(0);
    assert!(
        said.stderr.contains("no run of this pipeline was found") && said.stderr.contains("run_date"),
        "{}",
        said.stderr
    );
    assert!(said.stdout.contains("memory: 4Gi"), "{}", said.stdout);
    fit(&project, "2024-12-08");
    let said = export(&cronjob).ends(0).stdout;
    for line in [
        "schedule: \"15 3 * * *\"",
        "image: registry.example/patronage:1 ",
        "activeDeadlineSeconds: 3600",
        "memory: 512Mi",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(!said.contains("secretName"), "{said}");
    let documents: Vec<&str> = said.split("\n---\n").collect();
    assert_eq!(documents.len(), 4);
    assert!(documents[0].contains("  pipeline.yaml: |\n    # Fitted once a week"), "{}", documents[0]);
    let said = export(&["airflow", "pipeline.yaml", "--out", "dags"]).ends(0);
    assert!(!said.stderr.contains("run_date"), "a DAG gives the run date itself: {}", said.stderr);
    let dag = std::fs::read_to_string(project.path("dags/patronage_weekly.py")).unwrap();
    assert!(dag.contains("DAG(\"patronage_weekly\"") && dag.contains("from patronage_weekly_common import"), "{dag}");
    let common = std::fs::read_to_string(project.path("dags/patronage_weekly_common.py")).unwrap();
    assert!(common.contains("PIPELINE = \"pipeline.yaml\"") && common.contains("timedelta(hours=1)"), "{common}");
    project.write(
        "configs/prod.yaml",
        "lake: /data\nwarehouse: /out\npseudonyms: {version: 1, key: {secret: {file: /run/secrets/patronage/key}}}\n",
    );
    let said = export(&["cronjob", "pipeline.yaml", "--env", "prod"]).ends(0);
    assert!(
        said.stdout.contains("secretName: patronage-weekly-keys") && !said.stderr.contains("run_date"),
        "{}",
        said.stdout
    );
    project.edit("stage: clv", "stage: clw");
    assert_eq!(export(&["airflow", "pipeline.yaml"]).code, 78);
}

#[test]
fn runs_are_listed_with_what_became_of_them() {
    let project = weekly();
    let failed = project.run(66, &["--run-date", "2024-12-01"]);
    fit(&project, "2024-12-08");
    fit(&project, "2024-12-15");
    let said = project.patronage(&["runs"]).ends(0).stdout;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("started (UTC)") && lines[1].contains("2024-12-15"), "{said}");
    assert!(lines[3].contains("failed: stage.") && lines[3].contains("2024-12-01"), "{said}");
    assert!(said.contains("weekly will_buy roc_auc "), "{said}");
    let json = project.patronage(&["runs", "--format", "json", "--last", "1"]).ends(0).stdout;
    let run: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&run["outcome"], &run["rows_published"]), (&"done".into(), &1479.into()));
    assert!(project.patronage(&["runs", "--pipeline", "other"]).ends(0).stdout.starts_with("no run left artifacts"));
    assert!(failed.directory.exists());
}
