//! The command line: one command per file. Results go to stdout, everything else to stderr.

mod arguments;
mod backfill;
mod complain;
mod diff;
mod explain;
mod export;
mod graph;
mod init;
mod list;
mod models;
mod output;
mod outward;
mod plan;
mod project;
mod run;
mod runs;
mod schema;
mod show;
mod signals;
mod start;
mod synthesize;
mod table;
mod test;
mod validate;
mod verify;

pub mod reference;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

use crate::crash;
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
    crash::install();
    complain::speak(arguments.global.log_format);
    let exit = guarded(|| dispatch(&arguments));
    ExitCode::from(exit as u8)
}

/// What the work returns; a panic is told by its place and is a bug.
fn guarded(work: impl FnOnce() -> Exit) -> Exit {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message = format!("the program panicked{}", crash::place());
        complain::error(Code::Bug, &message, None)
    })
}

fn dispatch(arguments: &Arguments) -> Exit {
    let live = match &arguments.command {
        Command::Run(_) => start::live(&arguments.global),
        _ => None,
    };
    if let Err(exit) = start::log(&arguments.global, live.as_ref()) {
        return exit;
    }
    match &arguments.command {
        Command::Run(command) => run::run(command, &arguments.global, live),
        Command::Plan(command) => plan::run(command, &arguments.global),
        Command::Validate(command) => validate::run(command, &arguments.global),
        Command::Test(command) => test::run(command, &arguments.global),
        Command::Runs(command) => runs::run(command, &arguments.global),
        Command::Export(command) => export::run(command, &arguments.global),
        Command::Models(command) => models::run(command, &arguments.global),
        Command::Diff(command) => diff::run(command, &arguments.global),
        Command::Verify(command) => verify::run(command, &arguments.global),
        Command::Graph(command) => graph::run(command, &arguments.global),
        Command::Show(command) => show::run(command, &arguments.global),
        Command::List(command) => list::run(command),
        Command::Schema(command) => schema::run(command),
        Command::Init(command) => init::run(command),
        Command::Synthesize(command) => synthesize::run(command),
        Command::Explain(command) => explain::run(command),
    }
}
