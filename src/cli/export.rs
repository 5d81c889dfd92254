//! `patronage export`: files with which a scheduler runs a pipeline, made from those in `deploy/` and the pipeline's own
//! runs.

use std::path::Path;

use chrono::TimeDelta;

use super::arguments::{Export, ExportKind, Global};
use super::{complain, output, project};
use crate::config::{Loaded, RunDate};
use crate::problem::{Code, Exit};
use crate::report::{NodeStatus, Report};
use crate::run::artifacts_root;
use crate::run::history::{self, PastRun};
use crate::storage::local::write_atomic;

const CRONJOB: &str = include_str!("../../deploy/kubernetes/cronjob.yaml");
const ARTIFACTS: &str = include_str!("../../deploy/kubernetes/artifacts.yaml");
const DAG: &str = include_str!("../../deploy/airflow/patronage_bash.py");
const DAG_COMMON: &str = include_str!("../../deploy/airflow/patronage_common.py");

/// So many runs say what a run takes.
const RUNS_LOOKED_AT: usize = 30;

pub fn run(command: &Export, global: &Global) -> Exit {
    let (loaded, plan) = match project::plan(&command.target, global) {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let took = Took::of(&loaded, &plan.pipeline);
    output::tell(&took.told());
    // A DAG gives the run date; a pod takes that of the environment.
    if let (ExportKind::Cronjob, Some(RunDate::On(date))) = (&command.kind, loaded.environment.run_date) {
        let name = &loaded.environment.name;
        output::tell(&format!(
            "warning: configs/{name}.yaml says `run_date: {date}`, which every night would take; choose another --env"
        ));
    }
    let made = match command.kind {
        ExportKind::Cronjob => {
            environment_text(&loaded).map_err(|message| (Code::LocalIo, message)).and_then(|environment| {
                let text = cronjob(command, &loaded, &environment, &plan.pipeline, &took).map_err(changed);
                Ok(vec![(None, text?)])
            })
        }
        ExportKind::Airflow => airflow(command, &loaded, &plan.pipeline, &took).map_err(changed),
    };
    let files = match made {
        Ok(files) => files,
        Err((code, message)) => return complain::error(code, &message, None),
    };
    match &command.out {
        None => output::print(&files.iter().map(|(name, text)| titled(name.as_deref(), text)).collect::<String>()),
        Some(out) => files.iter().map(|(name, text)| write(out, name.as_deref(), text)).max().unwrap_or(Exit::Done),
    }
}

/// A template that this file does not know is a mistake of ours.
fn changed(message: String) -> (Code, String) {
    (Code::Bug, message)
}

fn environment_text(loaded: &Loaded) -> Result<String, String> {
    let file = loaded.project.root.join(format!("configs/{}.yaml", loaded.environment.name));
    std::fs::read_to_string(&file).map_err(|error| format!("failed to read {}: {error}", file.display()))
}

fn titled(name: Option<&str>, text: &str) -> String {
    name.map_or_else(|| text.to_owned(), |name| format!("# ---- {name}\n{text}"))
}

/// Below a directory where there are several files.
fn write(out: &Path, name: Option<&str>, text: &str) -> Exit {
    let file = name.map_or_else(|| out.to_owned(), |name| out.join(name));
    let made = file.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(|error| error.to_string());
    let written = made.and_then(|()| write_atomic(&file, text.as_bytes()).map_err(|error| error.to_string()));
    match written {
        Ok(()) => {
            output::tell(&format!("wrote {}", file.display()));
            Exit::Done
        }
        Err(error) => complain::error(Code::LocalIo, &format!("failed to write {}: {error}", file.display()), None),
    }
}

/// What runs of the pipeline took that did all of their work.
struct Took {
    runs: usize,
    seconds_max: f64,
    memory_bytes_max: u64,
}

impl Took {
    fn of(loaded: &Loaded, pipeline: &str) -> Took {
        let runs = history::newest_first(&artifacts_root(loaded), Some(pipeline)).take(RUNS_LOOKED_AT);
        // A run that found everything done says nothing of one that does not.
        let whole = |report: &Report| report.succeeded() && report.count(NodeStatus::Success) > 0;
        let reports: Vec<Report> = runs.filter_map(|run: PastRun| run.report()).filter(whole).collect();
        Took {
            runs: reports.len(),
            seconds_max: reports.iter().map(|report| report.elapsed_seconds).fold(0.0, f64::max),
            memory_bytes_max: reports.iter().filter_map(|report| report.peak_memory_bytes).max().unwrap_or(0),
        }
    }

    fn told(&self) -> String {
        match self.runs {
            0 => "no run of this pipeline was found; resources and times are those of the template".to_owned(),
            runs => format!(
                "measured in {}: at most {} and {} of memory",
                crate::format::count(runs as u64, "run", "runs"),
                crate::format::duration(self.seconds_max),
                crate::format::bytes(self.memory_bytes_max)
            ),
        }
    }

    /// Twice what a run took at its peak, in steps of 256 MiB: data grow, and the program keeps a tenth free.
    fn memory(&self) -> Option<String> {
        const STEP: u64 = 256 << 20;
        (self.memory_bytes_max > 0).then(|| {
            let steps = (self.memory_bytes_max * 2).div_ceil(STEP).max(2);
            format!("{}Mi", steps * 256)
        })
    }

    /// Ten times as long as a run took, at least an hour.
    fn deadline(&self) -> Option<TimeDelta> {
        let hours = (self.seconds_max * 10.0 / 3600.0).ceil().clamp(1.0, 18.0);
        (self.runs > 0).then(|| TimeDelta::hours(hours as i64))
    }
}

/// Replaces a part of a template that is there once; where it is not, the template has changed and this file has not.
fn fill(text: &str, part: &str, by: &str) -> Result<String, String> {
    match text.matches(part).count() {
        1 => Ok(text.replace(part, by)),
        found => Err(format!("the template has `{part}` {found} times")),
    }
}

/// The pipeline's file as the project has it.
fn in_project(loaded: &Loaded) -> String {
    let file = std::path::absolute(&loaded.document.file).unwrap_or_default();
    let root = std::path::absolute(&loaded.project.root).unwrap_or_default();
    file.strip_prefix(&root).map_or_else(|_| loaded.document.file.clone(), |path| path.display().to_string())
}

fn cronjob(command: &Export, loaded: &Loaded, config: &str, pipeline: &str, took: &Took) -> Result<String, String> {
    let name = format!("patronage-{}", pipeline.replace('_', "-"));
    let environment = &loaded.environment.name;
    let file = in_project(loaded);
    // In the image it stands where the template has pipelines, wherever the project has it.
    let base = file.rsplit('/').next().unwrap_or(&file);
    // What it says of itself is of the shipped folder.
    let job = CRONJOB.split_once("apiVersion:").map(|(_, rest)| format!("apiVersion:{rest}")).unwrap_or_default();
    let mut job = fill(&job, "name: patronage-customers", &format!("name: {name}"))?;
    job = fill(&job, "\"30 2 * * *\"", &format!("\"{}\"", command.schedule))?;
    job = fill(&job, "timeZone: Etc/UTC", &format!("timeZone: {}", command.time_zone))?;
    job =
        fill(&job, "image: patronage:0.7.0            # a version", &format!("image: {} # a version", command.image))?;
    job = fill(&job, "args: [run, pipelines/customers.yaml]", &format!("args: [run, pipelines/{base}]"))?;
    job = fill(
        &job,
        "value: production             # configs/production.yaml",
        &format!("value: {environment} # configs/{environment}.yaml"),
    )?;
    job = fill(&job, "name: patronage-pipelines", &format!("name: {name}-pipeline"))?;
    job = fill(&job, "name: patronage-configs", &format!("name: {name}-config"))?;
    job = fill(&job, "claimName: patronage-artifacts", &format!("claimName: {name}-artifacts"))?;
    job = fill(&job, "secretName: patronage-keys", &format!("secretName: {name}-keys"))?;
    if let Some(memory) = took.memory() {
        job = job.replace("memory: 4Gi", &format!("memory: {memory}"));
    }
    if let Some(deadline) = took.deadline() {
        let seconds = format!("activeDeadlineSeconds: {}", deadline.num_seconds());
        job = fill(&job, "activeDeadlineSeconds: 21600", &seconds)?;
    }
    if !config.contains("/run/secrets/patronage") {
        job = without_keys(&job)?;
    }
    let claim = fill(ARTIFACTS, "name: patronage-artifacts", &format!("name: {name}-artifacts"))?;
    let head = format!(
        "# Made by `patronage export cronjob {file}`, version {}; {}.\n# kubectl apply --namespace NAMESPACE --filename THIS\n",
        env!("CARGO_PKG_VERSION"),
        took.told()
    );
    let maps = [
        map(&format!("{name}-pipeline"), base, &loaded.document.text),
        map(&format!("{name}-config"), &format!("{environment}.yaml"), config),
    ];
    Ok(format!("{head}{}---\n{}---\n{claim}---\n{job}", maps[0], maps[1]))
}

/// Where the environment refers to no file of secrets, none is mounted.
fn without_keys(job: &str) -> Result<String, String> {
    let (before, rest) =
        job.split_once("                # Files and not variables").ok_or("the template mounts no keys")?;
    let (_, after) = rest.split_once("                - name: tmp\n").ok_or("the template mounts no /tmp")?;
    let job = format!("{before}                - name: tmp\n{after}");
    let (before, rest) = job.split_once("            - name: keys\n").ok_or("the template has no volume of keys")?;
    let (_, after) = rest.split_once("            # For libraries").ok_or("the template has no volume for /tmp")?;
    Ok(format!("{before}            # For libraries{after}"))
}

/// A file as a ConfigMap.
fn map(name: &str, file: &str, text: &str) -> String {
    let indented: String =
        text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  labels:\n    app.kubernetes.io/name: patronage\ndata:\n  {file}: |\n{indented}"
    )
}

/// The DAG, and what it shares with others.
fn airflow(
    command: &Export,
    loaded: &Loaded,
    pipeline: &str,
    took: &Took,
) -> Result<Vec<(Option<String>, String)>, String> {
    let common = format!("patronage_{pipeline}_common");
    let root = std::path::absolute(&loaded.project.root).unwrap_or_default().display().to_string();
    let file = in_project(loaded);
    let dag = fill(DAG, "DAG(\"patronage_bash\"", &format!("DAG(\"patronage_{pipeline}\""))?;
    let dag =
        fill(&dag, "\"\"\"The nightly pipeline as one task", &format!("\"\"\"The pipeline {pipeline} as one task"))?;
    let run = format!("PatronageRun(task_id=\"run\", flags=(\"--env\", {}))", python(&loaded.environment.name));
    let dag = fill(&dag, "PatronageRun(task_id=\"run\")", &run)?;
    let dag = fill(&dag, "from patronage_common import", &format!("from {common} import"))?;
    // It is of this pipeline, whatever others in the same folder are told.
    let mut shared =
        fill(DAG_COMMON, "os.environ.get(\"PATRONAGE_PIPELINE\", \"pipelines/nightly.yaml\")", &python(&file))?;
    shared = fill(&shared, "\"/opt/patronage\"", &python(&root))?;
    shared = fill(
        &shared,
        "CronTriggerTimetable(\"0 2 * * *\", timezone=\"UTC\")",
        &format!("CronTriggerTimetable({}, timezone={})", python(&command.schedule), python(&command.time_zone)),
    )?;
    if let Some(deadline) = took.deadline() {
        let limit = format!("\"execution_timeout\": timedelta(hours={})", deadline.num_hours());
        shared = fill(&shared, "\"execution_timeout\": timedelta(hours=3)", &limit)?;
    }
    let made = format!(
        "# Made by `patronage export airflow {file}`, version {}; {}.\n",
        env!("CARGO_PKG_VERSION"),
        took.told()
    );
    let head = format!(
        "# Copy this file and {common}.py into Airflow's folder of DAGs, side by side. Airflow needs\n\
         # apache-airflow-providers-standard; the worker needs `patronage` on its PATH (or PATRONAGE_PROGRAM)\n\
         # and the project at {root} (or PATRONAGE_PROJECT). docs/airflow.md says more.\n"
    );
    Ok(vec![
        (Some(format!("patronage_{pipeline}.py")), format!("{made}{head}{dag}")),
        (Some(format!("{common}.py")), format!("{made}{shared}")),
    ])
}

/// A text as Python writes it.
fn python(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_follow_what_runs_took() {
        let took = |seconds_max, memory_bytes_max| Took { runs: 1, seconds_max, memory_bytes_max };
        assert_eq!(took(1.0, 272 << 20).memory().as_deref(), Some("768Mi"));
        assert_eq!(took(1.0, 1 << 20).memory().as_deref(), Some("512Mi"));
        assert_eq!(took(1.0, 1).deadline(), Some(TimeDelta::hours(1)));
        assert_eq!(took(3600.0, 1).deadline(), Some(TimeDelta::hours(10)));
        let none = Took { runs: 0, seconds_max: 0.0, memory_bytes_max: 0 };
        assert_eq!((none.memory(), none.deadline()), (None, None));
    }

    #[test]
    fn a_template_that_changed_is_noticed() {
        assert!(fill("a a", "a", "b").is_err() && fill("b", "a", "b").is_err());
        assert_eq!(python("a\"b\\c"), "\"a\\\"b\\\\c\"");
    }
}
