//! `patronage validate`

use super::arguments::{Global, Validate};
use super::{complain, output, project};
use crate::config::yaml;
use crate::plan::Work;
use crate::problem::{Code, Exit};
use crate::run::queries::Asking;
use crate::run::source::{self, Outside};
use crate::run::{databases, entry, places};

pub fn run(command: &Validate, global: &Global) -> Exit {
    let (loaded, plan) = match project::plan(&command.target, global) {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Done;
    if !command.offline {
        let runtime = match project::runtime() {
            Ok(runtime) => runtime,
            Err(exit) => return exit,
        };
        let pseudonyms = match entry::pseudonyms(&loaded, &plan) {
            Ok(pseudonyms) => pseudonyms,
            Err(problem) => return project::refuse(&problem),
        };
        let places = match places::places(&loaded, &plan) {
            Ok(places) => places,
            Err(problem) => return project::refuse(&problem),
        };
        let databases = match databases::databases(&loaded, &plan) {
            Ok(databases) => databases,
            Err(problem) => return project::refuse(&problem),
        };
        let outside = Outside { pseudonyms: pseudonyms.as_ref(), places: &places, databases: &databases };
        for node in &plan.nodes {
            let Work::Source { spec, entry } = &node.work else { continue };
            let inspected = source::inspect(spec, entry, &outside, Asking::Columns);
            if let Err(failure) = runtime.block_on(inspected) {
                let message = format!("source `{}`: {}", node.name, failure.message);
                exit = complain::error(failure.code, &message, None);
            }
        }
    }
    if exit == Exit::Done && command.rendered {
        return match yaml::render(&loaded.document.tree) {
            Ok(text) => output::print(&text),
            Err(error) => complain::error(Code::Bug, &format!("failed to write the pipeline as YAML: {error}"), None),
        };
    }
    if exit == Exit::Done {
        let count = |word: &str| {
            let count = plan.nodes.iter().filter(|node| node.id().starts_with(&format!("{word}."))).count();
            let word = if word == "publish" { "publication" } else { word };
            format!("{count} {word}{}", if count == 1 { "" } else { "s" })
        };
        return output::print(&format!(
            "{} is valid: {}, {}, {}, for the run date {}\n",
            loaded.document.file,
            count("source"),
            count("stage"),
            count("publish"),
            plan.run_date
        ));
    }
    exit
}
