//! An environment file: the values that differ from place to place.

use std::collections::HashSet;

use chrono::{Days, NaiveDate, Utc};
use indexmap::IndexMap;

use super::yaml::{Node, Resolver, Value};
use super::{DatabaseSpecs, PseudonymSpec, S3Spec};
use super::{databases, pseudonyms, s3};
use crate::problem::{Code, Problem};

/// A run date as it may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunDate {
    On(NaiveDate),
    Today,
    Yesterday,
}

impl RunDate {
    /// `YYYY-MM-DD`, `today` or `yesterday`.
    pub fn parse(text: &str) -> Option<RunDate> {
        match text {
            "today" => Some(RunDate::Today),
            "yesterday" => Some(RunDate::Yesterday),
            // chrono would also take 2011-1-5.
            date if date.len() == 10 => date.parse().ok().map(RunDate::On),
            _ => None,
        }
    }

    /// The date, by the clock in UTC where it is relative.
    pub fn resolve(self) -> NaiveDate {
        let today = Utc::now().date_naive();
        match self {
            RunDate::On(date) => date,
            RunDate::Today => today,
            RunDate::Yesterday => today.checked_sub_days(Days::new(1)).unwrap_or(today),
        }
    }
}

/// The values of an environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    pub name: String,
    pub values: IndexMap<String, String>,
    pub run_date: Option<RunDate>,
    /// The key of pseudonyms, and where it is referred to: `file:line:column`.
    pub pseudonyms: Option<(PseudonymSpec, String)>,
    /// How S3 is reached, and where that is said: `file:line:column`.
    pub s3: Option<(S3Spec, String)>,
    /// The databases, and where they are said: `file:line:column`.
    pub databases: (DatabaseSpecs, String),
    /// The names whose values cannot be read.
    pub unreadable: Unreadable,
    /// The names whose values come from variables of the process, which may be secrets.
    pub processed: HashSet<String>,
}

/// Names of an environment file that may well be given, were the file right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    Names(Vec<String>),
    /// Nothing of the file is known.
    All,
}

impl Default for Unreadable {
    fn default() -> Self {
        Unreadable::Names(vec![])
    }
}

/// Where run artifacts, tables and models are kept unless `artifacts` says otherwise.
const ARTIFACTS: &str = "target/patronage";
/// How many runs are remembered unless `keep_runs` says otherwise.
const KEEP_RUNS: usize = 30;

impl Environment {
    /// The directory of run artifacts, tables and models, relative to the project.
    pub fn artifacts(&self) -> &str {
        self.values.get("artifacts").map_or(ARTIFACTS, String::as_str)
    }

    /// How many runs of a pipeline keep their artifacts.
    pub fn keep_runs(&self) -> usize {
        let given = self.values.get("keep_runs").and_then(|text| text.parse().ok());
        given.filter(|count| *count > 0).unwrap_or(KEEP_RUNS)
    }

    /// Whether the file might give the name, but cannot be read so far.
    pub fn is_unreadable(&self, name: &str) -> bool {
        match &self.unreadable {
            Unreadable::Names(names) => names.iter().any(|one| one == name),
            Unreadable::All => true,
        }
    }

    /// Reads the tree of an environment file, whose `${env.…}` are filled in.
    pub fn from_tree(name: &str, tree: &Node) -> (Environment, Vec<Problem>) {
        let mut environment = Environment { name: name.to_owned(), ..Environment::default() };
        let mut problems = Vec::new();
        let mut unreadable = Vec::new();
        if !matches!(tree.value, Value::Mapping(_)) {
            problems.push(Problem::new(Code::WrongType, "expected a mapping of names to values"));
        }
        for (key, node) in tree.entries() {
            let name = key.as_str().unwrap_or_default();
            if name == "pseudonyms" {
                match pseudonyms::read(node) {
                    Ok(spec) => environment.pseudonyms = Some((spec, String::new())),
                    Err(more) => {
                        problems.extend(more.into_iter().map(|problem| problem.under(name)));
                        unreadable.push(name.to_owned());
                    }
                }
                continue;
            }
            if name == "s3" {
                match s3::read(node) {
                    Ok(spec) => environment.s3 = Some((spec, String::new())),
                    Err(more) => problems.extend(more.into_iter().map(|problem| problem.under(name))),
                }
                continue;
            }
            if name == "databases" {
                match databases::read(node) {
                    Ok(specs) => environment.databases.0 = specs,
                    Err(more) => {
                        problems.extend(more.into_iter().map(|problem| problem.under(name)));
                        unreadable.push(name.to_owned());
                    }
                }
                continue;
            }
            match text_of(node) {
                Some(text) => {
                    if matches!(&node.value, Value::String(text) if text.from_process) {
                        environment.processed.insert(name.to_owned());
                    }
                    environment.values.insert(name.to_owned(), text);
                }
                None => {
                    let found =
                        if matches!(node.value, Value::Sequence(_)) { "a list" } else { "a mapping or nothing" };
                    let message = format!("expected a text, number or truth value for `{name}`, found {found}");
                    problems.push(Problem::new(Code::WrongType, message).at([name]));
                    unreadable.push(name.to_owned());
                }
            }
        }
        environment.unreadable = Unreadable::Names(unreadable);
        if let Some(text) = environment.values.get("run_date") {
            environment.run_date = RunDate::parse(text);
            if environment.run_date.is_none() {
                let message = format!("expected a date such as `2011-12-10`, `today` or `yesterday`, found `{text}`");
                problems.push(Problem::new(Code::BadDuration, message).at(["run_date"]));
            }
        }
        if let Some(text) = environment.values.get("artifacts").filter(|text| text.is_empty() || text.contains("://")) {
            let message = format!("expected a local directory, found `{text}`");
            problems.push(Problem::new(Code::BadValue, message).at(["artifacts"]));
        }
        if let Some(text) = environment.values.get("keep_runs")
            && text.parse::<usize>().ok().is_none_or(|count| count == 0)
        {
            let message = format!("expected a whole number of at least 1, found `{text}`");
            problems.push(Problem::new(Code::BadValue, message).at(["keep_runs"]));
        }
        (environment, problems)
    }
}

fn text_of(node: &Node) -> Option<String> {
    Some(match &node.value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::String(text) => text.text.clone(),
        _ => return None,
    })
}

impl Resolver for Environment {
    fn variable(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    fn process(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn names(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
    }

    fn is_unreadable(&self, name: &str) -> bool {
        Environment::is_unreadable(self, name)
    }

    fn is_of_process(&self, name: &str) -> bool {
        self.processed.contains(name)
    }
}
