//! Who is told at the end of a run, beside the scheduler: Prometheus and a webhook.

use std::path::{Path, PathBuf};

use chrono::Utc;
use reqwest::Url;

use super::arguments::{Run, Tell};
use super::complain;
use crate::observe::{http, prometheus, webhook};
use crate::problem::{Code, Exit};
use crate::report::Report;

/// Where it goes.
#[derive(Clone)]
pub struct Outward {
    /// The pipeline's file, for a run whose pipeline could not be read.
    pipeline: PathBuf,
    environment: String,
    metrics_file: Option<PathBuf>,
    pushgateway: Option<Url>,
    webhook: Option<Url>,
}

impl Outward {
    /// Reads the addresses. What is wrong is told before anything runs, and no address is repeated: it may be a secret.
    pub fn of(command: &Run) -> Result<Outward, Exit> {
        let Tell { metrics_file, pushgateway, webhook, webhook_file } = &command.tell;
        let refuse = |flag: &str, why: &str| complain::error(Code::BadArgument, &format!("{flag}: {why}"), None);
        let read = |flag: &str, text: &Option<String>| {
            let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
            text.map(http::address).transpose().map_err(|why| refuse(flag, &why))
        };
        let from_file = match webhook_file {
            None => None,
            Some(file) => {
                let failed = |error: std::io::Error| refuse("--webhook-file", &format!("{}: {error}", file.display()));
                Some(std::fs::read_to_string(file).map_err(failed)?)
            }
        };
        let webhook = match read("--webhook-file", &from_file)? {
            None => read("--webhook", webhook)?,
            given => given,
        };
        Ok(Outward {
            pipeline: command.target.pipeline.clone(),
            environment: command.target.env.clone(),
            metrics_file: metrics_file.clone(),
            pushgateway: read("--pushgateway", pushgateway)?,
            webhook,
        })
    }

    /// Tells of a run that ended, or of one that could not start.
    pub fn tell(&self, report: Option<&Report>, exit: Exit, failures: &[String]) {
        self.metrics(report, exit);
        if let Some(url) = self.webhook.as_ref().filter(|_| exit != Exit::Done) {
            webhook::tell(url, &self.name(report), exit as u8, report, failures);
        }
    }

    /// Tells the webhook alone, of runs for several dates.
    pub fn failure(&self, pipeline: &str, exit: Exit, failures: &[String]) {
        if let Some(url) = self.webhook.as_ref().filter(|_| exit != Exit::Done) {
            webhook::tell(url, pipeline, exit as u8, None, failures);
        }
    }

    /// The metrics alone.
    pub fn metrics(&self, report: Option<&Report>, exit: Exit) {
        let pipeline = self.name(report);
        let ended = prometheus::Ended {
            pipeline: &pipeline,
            environment: &self.environment,
            exit: exit as u8,
            at: Utc::now(),
            report,
        };
        if let Some(file) = &self.metrics_file {
            prometheus::write(&ended, file);
        }
        if let Some(gateway) = &self.pushgateway {
            prometheus::push(&ended, gateway);
        }
    }

    fn name(&self, report: Option<&Report>) -> String {
        let stem = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned());
        report.map(|report| report.pipeline.clone()).or_else(|| stem(&self.pipeline)).unwrap_or_default()
    }
}
