//! From arguments to a plan, or to problems shown and an exit code.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::arguments::{Global, Target};
use super::complain;
use crate::config::{Environment, Loaded, Project, RunDate, load, load_environment};
use crate::plan::{Plan, resolve};
use crate::problem::{Code, Exit, Problem};

/// Loads and resolves; everything wrong is on stderr when it returns an exit code.
pub fn plan(target: &Target, global: &Global) -> Result<(Loaded, Plan), Exit> {
    let loaded = load(&target.pipeline, &target.env, global.project.as_deref())
        .map_err(|located| complain::problems(&located))?;
    let run_date = run_date(target, &loaded)?;
    match resolve(&loaded, run_date) {
        Ok(plan) if loaded.outside.is_empty() => Ok((loaded, plan)),
        Ok(_) => Err(complain::problems(&loaded.outside)),
        Err(problems) => Err(complain::problems(&loaded.locate_all(problems))),
    }
}

/// The flag, else the environment's, else today in UTC.
fn run_date(target: &Target, loaded: &Loaded) -> Result<NaiveDate, Exit> {
    let Some(text) = &target.run_date else {
        return Ok(loaded.environment.run_date.unwrap_or(RunDate::Today).resolve());
    };
    parse_run_date(text)
}

/// A date that a flag gives.
pub fn parse_date(text: &str, flag: &str) -> Result<NaiveDate, Exit> {
    match RunDate::parse(text) {
        Some(RunDate::On(date)) => Ok(date),
        _ => {
            let message = format!("{flag}: expected a date such as 2011-12-10, found `{text}`");
            Err(complain::error(Code::BadArgument, &message, None))
        }
    }
}

/// The value of `--run-date`.
pub fn parse_run_date(text: &str) -> Result<NaiveDate, Exit> {
    RunDate::parse(text).map(RunDate::resolve).ok_or_else(|| {
        let message = format!("--run-date: expected a date such as 2011-12-10, `today` or `yesterday`, found `{text}`");
        complain::error(Code::BadArgument, &message, None)
    })
}

/// The project around the working directory and its environment; where there is none, what goes without saying.
pub fn around(environment: &str, global: &Global) -> Result<(Project, Environment), Exit> {
    // Any file of the working directory finds the project around it.
    let project = Project::find(Path::new("pipeline.yaml"), global.project.as_deref());
    if !project.root.join("configs").is_dir() {
        return Ok((project, Environment::default()));
    }
    let environment = load_environment(&project, environment).map_err(|located| complain::problems(&located))?;
    Ok((project, environment))
}

/// The directory of artifacts, and the pipeline whose runs are meant, if one is named: by its name or its file.
pub fn artifacts(
    pipeline: Option<&str>,
    environment: &str,
    global: &Global,
) -> Result<(PathBuf, Option<String>), Exit> {
    let is_file = |name: &&str| Path::new(name).extension().is_some_and(|end| end == "yaml" || end == "yml");
    if let Some(file) = pipeline.filter(is_file) {
        let loaded = load(Path::new(file), environment, global.project.as_deref())
            .map_err(|located| complain::problems(&located))?;
        if !loaded.outside.is_empty() {
            return Err(complain::problems(&loaded.outside));
        }
        return Ok((crate::run::artifacts_root(&loaded), Some(loaded.spec.name)));
    }
    let (project, environment) = around(environment, global)?;
    Ok((project.root.join(environment.artifacts()), pipeline.map(str::to_owned)))
}

/// A problem with the arguments, such as a selection.
pub fn refuse(problem: &Problem) -> Exit {
    complain::error(problem.code, &problem.message, problem.help.as_deref())
}

/// A runtime for storage.
pub fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| complain::error(Code::Bug, &format!("failed to start the runtime: {error}"), None))
}
