//! The command line: one command per file. Results go to stdout, everything else to stderr.

mod arguments;
mod complain;
mod diff;
mod explain;
mod graph;
mod init;
mod list;
mod plan;
mod project;
mod run;
mod schema;
mod show;
mod signals;
mod synthesize;
mod table;
mod test;
mod validate;

pub mod reference;

use std::process::ExitCode;

use clap::Parser;

use crate::observe::panics;
use crate::problem::{Code, Exit};
use arguments::{Arguments, Command};

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are results, everything else is a usage error.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return ExitCode::from(code as u8);
        }
    };
    panics::keep_quiet();
    let exit = std::panic::catch_unwind(|| run_command(&arguments)).unwrap_or_else(|_| {
        let place = panics::take_place().unwrap_or_else(|| "an unknown place".to_owned());
        complain::error(Code::Bug, &format!("the program panicked at {place}"), Some("RUST_BACKTRACE=1 shows more"))
    });
    ExitCode::from(exit as u8)
}

fn run_command(arguments: &Arguments) -> Exit {
    match &arguments.command {
        Command::Run(command) => run::run(command, &arguments.global),
        Command::Plan(command) => plan::run(command, &arguments.global),
        Command::Validate(command) => validate::run(command, &arguments.global),
        Command::Test(command) => test::run(command, &arguments.global),
        Command::Diff(command) => diff::run(command, &arguments.global),
        Command::Graph(command) => graph::run(command, &arguments.global),
        Command::Show(command) => show::run(command, &arguments.global),
        Command::List(command) => list::run(command),
        Command::Schema(command) => schema::run(command),
        Command::Init(command) => init::run(command),
        Command::Synthesize(command) => synthesize::run(command),
        Command::Explain(command) => explain::run(command),
    }
}
