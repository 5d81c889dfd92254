//! `patronage verify`

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::arguments::{Global, Target, Verify};
use super::{complain, output, project, table};
use crate::plan::{Plan, Work};
use crate::problem::{Code, Exit};
use crate::report::format::{bytes, count, thousands};
use crate::run::{NodeFailure, places};
use crate::storage::publish::{Audit, Fault, Finding, Inspection, audit};
use crate::storage::{Location, Places};

/// A dataset to read back.
struct Subject {
    /// The publication, or the dataset as it was written.
    name: String,
    /// As the user wrote it.
    to: String,
    location: Location,
}

pub fn run(command: &Verify, global: &Global) -> Exit {
    match verify(command, global) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn verify(command: &Verify, global: &Global) -> Result<Exit, Exit> {
    let is_dataset = command.what.contains("://") || Path::new(&command.what).is_dir();
    let (subjects, run_date) = if is_dataset { dataset(command, global)? } else { publications(command, global)? };
    let runtime = project::runtime()?;
    let mut told = Told::default();
    for subject in &subjects {
        let found = runtime.block_on(audit(&subject.location, run_date));
        let found = found.map_err(|error| {
            let failure = NodeFailure::from(error);
            complain::error(failure.code, &failure.message, None)
        })?;
        told.add(subject, run_date, &found);
    }
    Ok(told.conclude(command, is_dataset))
}

fn dataset(command: &Verify, global: &Global) -> Result<(Vec<Subject>, Option<NaiveDate>), Exit> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let places = if Places::is_remote(&command.what) {
        let (project, environment) = project::around(&command.env, global)?;
        places::of_environment(&environment, &project.root).map_err(|problem| project::refuse(&problem))?
    } else {
        Places::of(&here)
    };
    let subject = subject(&command.what, &command.what, &places)?;
    let run_date = command.run_date.as_deref().filter(|_| !command.all_dates);
    let run_date = run_date.map(project::parse_run_date).transpose()?;
    Ok((vec![subject], run_date))
}

fn publications(command: &Verify, global: &Global) -> Result<(Vec<Subject>, Option<NaiveDate>), Exit> {
    let target =
        Target { pipeline: PathBuf::from(&command.what), env: command.env.clone(), run_date: command.run_date.clone() };
    let (loaded, plan) = project::plan(&target, global)?;
    let places = places::places(&loaded, &plan).map_err(|problem| project::refuse(&problem))?;
    let subjects = published(&plan).map(|(name, to)| subject(name, to, &places)).collect::<Result<Vec<_>, Exit>>()?;
    Ok((subjects, (!command.all_dates).then_some(plan.run_date)))
}

/// Name and place of each publication.
fn published(plan: &Plan) -> impl Iterator<Item = (&str, &str)> {
    plan.nodes.iter().filter_map(|node| match &node.work {
        Work::Publish { spec, .. } => Some((node.name.as_str(), spec.to.as_str())),
        _ => None,
    })
}

fn subject(name: &str, to: &str, places: &Places) -> Result<Subject, Exit> {
    let location =
        places.location(to).map_err(|error| complain::error(Code::BadArgument, &format!("failed to {error}"), None))?;
    Ok(Subject { name: name.to_owned(), to: to.to_owned(), location })
}

/// What was found, as it will be told.
#[derive(Default)]
struct Told {
    rows: Vec<Vec<String>>,
    problems: Vec<String>,
    /// Dates to publish again, and whether their checksums have to be compared.
    again: Vec<(NaiveDate, bool)>,
    /// Files that no run will touch.
    yours: bool,
    unpublished: Vec<String>,
}

impl Told {
    fn add(&mut self, subject: &Subject, run_date: Option<NaiveDate>, found: &Inspection) {
        if found.dates.is_empty() {
            let date = run_date.map(|date| format!(" for {date}")).unwrap_or_default();
            self.unpublished.push(format!("`{}` was never published{date}: {}", subject.name, subject.to));
            let shown = run_date.map_or_else(|| "any".to_owned(), |date| date.to_string());
            self.rows.push(row(&subject.name, &shown, None, "not published"));
        }
        for audit in &found.dates {
            let verdict = verdict(audit);
            self.rows.push(row(&subject.name, &audit.run_date.to_string(), Some(audit), &verdict));
            self.tell(subject, &audit.findings);
            if let Some(refresh) = mended_by_a_run(audit) {
                match self.again.iter_mut().find(|(date, _)| *date == audit.run_date) {
                    Some((_, other)) => *other |= refresh,
                    None => self.again.push((audit.run_date, refresh)),
                }
            }
        }
        self.tell(subject, &found.elsewhere);
    }

    fn tell(&mut self, subject: &Subject, findings: &[Finding]) {
        for Finding { path, fault } in findings {
            self.problems.push(format!("{}: {fault}", subject.location.join(path)));
            self.yours |= matches!(fault, Fault::Foreign | Fault::Commit(_));
        }
    }

    fn conclude(self, command: &Verify, is_dataset: bool) -> Exit {
        let header = ["publication", "date", "version", "files", "rows", "bytes", "state"];
        let mut text = table::render(&header, &self.rows, &[2, 3, 4, 5]);
        if !self.problems.is_empty() {
            text.push_str(&format!("\nProblems\n  {}\n", self.problems.join("\n  ")));
            text.push_str(&format!("\nTo mend it\n  {}\n", self.advice(command, is_dataset).join("\n  ")));
        }
        let printed = output::print(&text);
        for message in &self.unpublished {
            complain::error(Code::NotPublished, message, None);
        }
        if !self.problems.is_empty() {
            let problems = count(self.problems.len() as u64, "problem", "problems");
            return complain::error(Code::PublishedDamaged, &format!("{problems} in published data"), None);
        }
        if self.unpublished.is_empty() { printed } else { Code::NotPublished.exit() }
    }

    fn advice(&self, command: &Verify, is_dataset: bool) -> Vec<String> {
        let pipeline = if is_dataset { "PIPELINE" } else { command.what.as_str() };
        let env = match command.env.as_str() {
            "local" => String::new(),
            env => format!(" --env {env}"),
        };
        let run = |(date, refresh): &(NaiveDate, bool)| {
            let refresh = if *refresh { " --full-refresh" } else { "" };
            format!("patronage run {pipeline}{env} --run-date {date}{refresh}")
        };
        let mut lines: Vec<String> = self.again.iter().map(run).collect();
        if self.yours {
            lines.push("move away what Patronage did not write, and commits that cannot be read".to_owned());
        }
        if lines.is_empty() {
            lines.push("remove what was never committed, unless a run is publishing it now".to_owned());
        }
        lines
    }
}

fn row(name: &str, date: &str, audit: Option<&Audit>, state: &str) -> Vec<String> {
    let commit = audit.and_then(|audit| audit.commit.as_ref());
    let of = |figure: &dyn Fn(&crate::storage::Commit) -> String| commit.map(figure).unwrap_or_default();
    vec![
        name.to_owned(),
        date.to_owned(),
        of(&|commit| commit.sequence.to_string()),
        of(&|commit| commit.files.len().to_string()),
        of(&|commit| thousands(commit.rows())),
        of(&|commit| bytes(commit.files.iter().map(|file| file.bytes).sum())),
        state.to_owned(),
    ]
}

fn verdict(audit: &Audit) -> String {
    let problems = count(audit.findings.len() as u64, "problem", "problems");
    match audit.findings.as_slice() {
        [] => "whole".to_owned(),
        findings if findings.iter().any(|finding| finding.fault.is_damage()) => format!("damaged: {problems}"),
        _ => format!("whole, but not tidy: {problems}"),
    }
}

/// Whether a run for the date mends something, and whether it must compare checksums to see what.
fn mended_by_a_run(audit: &Audit) -> Option<bool> {
    let mended = |finding: &&Finding| !matches!(finding.fault, Fault::Foreign);
    let unseen = |finding: &Finding| matches!(finding.fault, Fault::Digest | Fault::Rows { .. } | Fault::Unreadable(_));
    audit.findings.iter().find(mended).map(|_| audit.findings.iter().any(unseen))
}
