//! The run as Prometheus metrics: a text file for the node exporter's collector, or pushed to a gateway.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use reqwest::{Method, Url};

use super::http::{Message, send};
use crate::report::{NodeStatus, Report};

/// What a run that could not start has, too.
pub struct Ended<'a> {
    pub pipeline: &'a str,
    pub environment: &'a str,
    pub exit: u8,
    pub at: DateTime<Utc>,
    pub report: Option<&'a Report>,
}

/// A metric with its samples.
struct Family {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

const LAST_SUCCESS: &str = "patronage_run_last_success_timestamp_seconds";

/// The metrics in Prometheus' text format. `last_success`: when a run last ended well, where this one did not.
pub fn render(ended: &Ended<'_>, last_success: Option<f64>) -> String {
    let mut families = of_run(ended, last_success);
    if let Some(report) = ended.report {
        families.extend(of_report(report));
    }
    let common = [("pipeline", ended.pipeline.to_owned()), ("environment", ended.environment.to_owned())];
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let _ = writeln!(text, "# HELP {} {}\n# TYPE {} gauge", family.name, family.help, family.name);
        for (labels, value) in &family.samples {
            let labels: Vec<String> =
                common.iter().chain(labels).map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let _ = writeln!(text, "{}{{{}}} {value}", family.name, labels.join(","));
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn one(name: &'static str, help: &'static str, value: f64) -> Family {
    Family { name, help, samples: vec![(vec![], value)] }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a double")]
fn of_run(ended: &Ended<'_>, last_success: Option<f64>) -> Vec<Family> {
    let at = ended.at.timestamp_millis() as f64 / 1e3;
    let last = if ended.exit == 0 { Some(at) } else { last_success };
    let mut families = vec![
        one(
            "patronage_run_success",
            "Whether the last run ended with exit code 0.",
            f64::from(u8::from(ended.exit == 0)),
        ),
        one("patronage_run_exit_code", "The exit code of the last run.", f64::from(ended.exit)),
        one("patronage_run_timestamp_seconds", "When the last run ended.", at),
    ];
    families.extend(last.map(|at| one(LAST_SUCCESS, "When a run last ended with exit code 0.", at)));
    families
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a double")]
fn of_report(report: &Report) -> Vec<Family> {
    let midnight = report.run_date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() as f64;
    let mut families = vec![
        one("patronage_run_date_timestamp_seconds", "The midnight (UTC) of the run date of the last run.", midnight),
        one("patronage_run_duration_seconds", "How long the last run took.", report.elapsed_seconds),
    ];
    families.extend(report.peak_memory_bytes.map(|bytes| {
        one("patronage_run_peak_memory_bytes", "The largest resident set of the last run.", bytes as f64)
    }));
    let statuses = [
        ("success", NodeStatus::Success),
        ("skipped", NodeStatus::Skipped),
        ("error", NodeStatus::Error),
        ("blocked", NodeStatus::Blocked),
        ("not_selected", NodeStatus::NotSelected),
    ];
    families.push(Family {
        name: "patronage_steps",
        help: "Steps of the pipeline, by what became of them.",
        samples: statuses.map(|(word, status)| (vec![("status", word.to_owned())], report.count(status) as f64)).into(),
    });
    let ran = report.nodes.iter().filter(|node| matches!(node.status, NodeStatus::Success | NodeStatus::Error));
    families.push(Family {
        name: "patronage_step_duration_seconds",
        help: "How long each step took that ran.",
        samples: ran.map(|node| (vec![("step", node.id.clone())], node.elapsed_seconds)).collect(),
    });
    let rows = report.nodes.iter().flat_map(|node| {
        let sample = |port: &crate::report::PortRows| {
            (vec![("step", node.id.clone()), ("port", port.port.clone())], port.rows as f64)
        };
        node.outputs.iter().map(sample).collect::<Vec<_>>()
    });
    families.push(Family { name: "patronage_step_rows", help: "Rows that each step gave.", samples: rows.collect() });
    families.push(Family {
        name: "patronage_step_rows_set_aside",
        help: "Rows that checks of each step set aside.",
        samples: report
            .nodes
            .iter()
            .filter(|node| node.rows_set_aside() > 0)
            .map(|node| (vec![("step", node.id.clone())], node.rows_set_aside() as f64))
            .collect(),
    });
    families.push(Family {
        name: "patronage_published_rows",
        help: "Rows of each publication.",
        samples: report
            .publications
            .iter()
            .map(|one| (vec![("publication", one.name.clone())], one.rows as f64))
            .collect(),
    });
    families.push(Family {
        name: "patronage_check_failed_rows",
        help: "Rows that break each check, or 1 for a check of a whole table.",
        samples: report
            .checks
            .iter()
            .map(|check| {
                let labels = [("on", &check.on), ("check", &check.check), ("severity", &check.severity)];
                (labels.map(|(name, value)| (name, value.clone())).into(), check.failed_rows as f64)
            })
            .collect(),
    });
    families.extend(of_models(report));
    families
}

fn of_models(report: &Report) -> Vec<Family> {
    let headline = |model: &crate::report::ModelReport| {
        let measure = model.evaluation.headline()?;
        Some((vec![("stage", model.stage.clone()), ("measure", measure.name.clone())], measure.clone()))
    };
    let found: Vec<_> = report.models.iter().filter_map(headline).collect();
    // Of each table the column that has moved most.
    let mut drift: BTreeMap<&str, f64> = BTreeMap::new();
    for table in &report.profiles {
        for moved in table.columns.iter().flat_map(|column| &column.drift).filter(|moved| moved.psi.is_finite()) {
            let greatest = drift.entry(&table.table).or_insert(moved.psi);
            *greatest = greatest.max(moved.psi);
        }
    }
    vec![
        Family {
            name: "patronage_model_measure",
            help: "The measure of each model that decides.",
            samples: found.iter().map(|(labels, measure)| (labels.clone(), measure.model.value)).collect(),
        },
        Family {
            name: "patronage_model_baseline",
            help: "The same measure of the baseline of each model.",
            samples: found.iter().filter_map(|(labels, one)| Some((labels.clone(), one.baseline?.value))).collect(),
        },
        Family {
            name: "patronage_drift_psi",
            help: "The greatest population stability index of a column of each table.",
            samples: drift.into_iter().map(|(table, psi)| (vec![("table", table.to_owned())], psi)).collect(),
        },
    ]
}

/// Replaces the text file; what it says of the last success is kept where this run was none.
pub fn write(ended: &Ended<'_>, file: &Path) {
    let before = std::fs::read_to_string(file).unwrap_or_default();
    let last = before.lines().find_map(|line| line.strip_prefix(LAST_SUCCESS)?.rsplit(' ').next()?.parse().ok());
    let text = render(ended, last);
    // The collector must never read half of it.
    let staged = file.with_extension("prom.tmp");
    let written = std::fs::write(&staged, text).and_then(|()| std::fs::rename(&staged, file));
    if let Err(error) = written {
        tracing::warn!("failed to write {}: {error}", file.display());
    }
}

/// Pushes to a gateway, in the group of the pipeline. What it knows of an earlier success stays.
pub fn push(ended: &Ended<'_>, gateway: &Url) {
    let mut url = gateway.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["metrics", "job", "patronage", "pipeline", ended.pipeline]);
    }
    let body = render(ended, None).into_bytes();
    // POST replaces metrics of the same names and leaves others.
    let message = Message { method: Method::POST, ..Message::post(url, "text/plain; version=0.0.4", body) };
    if let Err(error) = send(message) {
        tracing::warn!("failed to push metrics to {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn ended(report: Option<&Report>, exit: u8) -> Ended<'_> {
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        Ended { pipeline: "shop", environment: "a\"b", exit, at, report }
    }

    #[test]
    fn every_sample_belongs_to_a_metric_that_is_explained() {
        let report = sample::report();
        let text = render(&ended(Some(&report), 0), None);
        let mut known = "";
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                known = help.split(' ').next().unwrap();
            } else if !line.starts_with("# TYPE ") {
                assert!(line.starts_with(&format!("{known}{{pipeline=\"shop\",environment=\"a\\\"b\"")), "{line}");
                let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
                assert!(value.is_finite(), "{line}");
            }
        }
        for name in ["patronage_run_success", "patronage_model_baseline", "patronage_drift_psi", LAST_SUCCESS] {
            assert!(text.contains(&format!("\n{name}{{")), "{name}");
        }
    }

    #[test]
    fn the_last_success_outlives_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("shop.prom");
        write(&ended(None, 0), &file);
        write(&Ended { at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ..ended(None, 75) }, &file);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("exit_code{pipeline=\"shop\",environment=\"a\\\"b\"} 75\n"), "{text}");
        assert!(text.contains("last_success_timestamp_seconds{pipeline=\"shop\",environment=\"a\\\"b\"} 1700000000\n"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
