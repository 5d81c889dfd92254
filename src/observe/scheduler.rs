//! What schedulers pick up: Kubernetes' termination message and Airflow's XCom.

use std::path::Path;

use serde_json::{Value, json};

use crate::report::Report;

const TERMINATION_LOG: &str = "/dev/termination-log";
const XCOM: &str = "/airflow/xcom";
/// Kubernetes cuts what is longer.
const TERMINATION_BYTES_MAX: usize = 4096;

/// Tells of a run. Nothing that goes wrong here can fail it.
pub fn tell(report: &Report, exit: u8) {
    let failed = report.nodes.iter().filter(|node| node.status == crate::report::NodeStatus::Error);
    let failures: Vec<&str> = failed.filter_map(|node| node.reason.as_deref()).collect();
    let value = json!({
        "pipeline": report.pipeline,
        "run_id": report.run_id,
        "run_date": report.run_date,
        "exit_code": exit,
        "unchanged": report.unchanged(),
        "publications": report.publications,
        "failures": failures,
    });
    both(&value, &termination(exit, &failures));
}

/// Tells of a run for several run dates: what became of each that was begun.
pub fn tell_of_dates(pipeline: &str, exit: u8, dates: &[Value], failures: &[String]) {
    let value = json!({ "pipeline": pipeline, "exit_code": exit, "run_dates": dates, "failures": failures });
    both(&value, &termination(exit, failures));
}

/// Tells of a run that could not start: the same keys, null where nothing is known.
pub fn tell_unstarted(pipeline: &Path, exit: u8, failures: &[String]) {
    let value = json!({
        "pipeline": pipeline.file_stem().and_then(|name| name.to_str()),
        "run_id": null,
        "run_date": null,
        "exit_code": exit,
        "unchanged": false,
        "publications": [],
        "failures": failures,
    });
    both(&value, &termination(exit, failures));
}

fn termination(exit: u8, failures: &[impl AsRef<str>]) -> String {
    let failures: Vec<&str> = failures.iter().map(AsRef::as_ref).collect();
    format!("patronage: exit code {exit}\n{}\n", failures.join("\n"))
}

/// Writes both where they exist.
fn both(value: &Value, text: &str) {
    if Path::new(XCOM).is_dir() {
        write(&Path::new(XCOM).join("return.json"), value.to_string().as_bytes());
    }
    let log = Path::new(TERMINATION_LOG);
    if log.exists() {
        write(log, clip(text, TERMINATION_BYTES_MAX).as_bytes());
    }
}

fn write(path: &Path, bytes: &[u8]) {
    if let Err(error) = std::fs::write(path, bytes) {
        tracing::warn!("failed to write {}: {error}", path.display());
    }
}

/// The start of a text, at most so many bytes, whole characters.
fn clip(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn whole_characters_are_kept() {
        assert_eq!(clip("aé", 2), "a");
        assert_eq!(clip("aé", 3), "aé");
        assert_eq!(clip("a", 9), "a");
    }
}
