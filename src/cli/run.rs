//! `patronage run`

use super::arguments::{Global, Run, Target};
use super::outward::Outward;
use super::signals::{self, Stopped};
use super::{backfill, complain, guarded, output, project};
use crate::config::Loaded;
use crate::events::{Listeners, scope};
use crate::observe::{MemoryLimit, log, openlineage, otlp, progress, scheduler, trace_context};
use crate::plan::Plan;
use crate::problem::{Code, Exit};
use crate::report::{junit, summary};
use crate::run::{self, Finished, LastResort, Options, RunError};
use crate::stages::contract::Cancel;
use crate::storage::local;
use std::path::Path;
use std::sync::Arc;
use tracing::Instrument;

/// More than any machine has use for; the system refuses some thousands.
const THREADS_MAX: usize = 1024;

pub fn run(command: &Run, global: &Global, live: Option<progress::Live>) -> Exit {
    let mut told = false;
    let outward = match Outward::of(command) {
        Ok(outward) => outward,
        Err(exit) => return exit,
    };
    let exit = guarded(|| match start(command, global, live, &outward, &mut told) {
        Ok(exit) | Err(exit) => exit,
    });
    if !told {
        scheduler::tell_unstarted(&command.target.pipeline, exit as u8, &complain::told());
        outward.tell(None, exit, &complain::told());
    }
    exit
}

/// Runs; `told` is set once schedulers have been told of the whole run.
fn start(
    command: &Run,
    global: &Global,
    live: Option<progress::Live>,
    outward: &Outward,
    told: &mut bool,
) -> Result<Exit, Exit> {
    if let Some(dates) = &command.backfill {
        let exit = backfill::run(command, dates, global, live, outward)?;
        *told = true;
        return Ok(exit);
    }
    let machine = Machine::set_up(command, 1)?;
    let (loaded, plan) = project::plan(&command.target, global)?;
    let options = options(command, &command.target, plan.run_date, &machine, outward);
    let outcome = machine.runtime.block_on(execute(&loaded, plan, &options, live, &machine));
    let stopped = machine.stopped.clone();
    // Threads that do not stop must not hold the process.
    machine.runtime.shutdown_background();
    match outcome {
        Ok(finished) => {
            *told = true;
            let junit_file = command.junit.as_deref();
            let scope = scope::run(&finished.report.run_id);
            Ok(scope.in_scope(|| conclude(&finished, &stopped, &loaded, junit_file, outward)))
        }
        Err(error) => {
            let exit = match error {
                RunError::Selection(problem) => project::refuse(&problem),
                RunError::Node(failure) => complain::error(failure.code, &failure.message, None),
            };
            Err(stopped.exit().unwrap_or(exit))
        }
    }
}

/// What runs of this process share.
pub struct Machine {
    pub runtime: tokio::runtime::Runtime,
    pub cancel: Cancel,
    pub stopped: Stopped,
    /// Of one run.
    threads: usize,
    memory: MemoryLimit,
}

impl Machine {
    /// Sets the engines up, for so many runs at once, and listens for signals.
    pub fn set_up(command: &Run, parallel: usize) -> Result<Machine, Exit> {
        let threads = command.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        if !(1..=THREADS_MAX).contains(&threads) {
            let message = format!("--threads: expected 1 to {THREADS_MAX}, found {threads}");
            return Err(complain::error(Code::BadArgument, &message, None));
        }
        trace_context::check();
        let memory = MemoryLimit::of_process(memory_limit(command)?);
        set_up_engines(threads);
        let runtime = project::runtime()?;
        let cancel = Cancel::default();
        let stopped = runtime.block_on(async { signals::listen(cancel.clone()) });
        Ok(Machine { runtime, cancel, stopped, threads: threads.div_ceil(parallel), memory })
    }
}

/// Runs a plan. Of a run that could not start nothing is left.
pub async fn execute(
    loaded: &Loaded,
    plan: Plan,
    options: &Options,
    live: Option<progress::Live>,
    machine: &Machine,
) -> Result<Finished, RunError> {
    let run_id = uuid::Uuid::now_v7().to_string();
    let scope = scope::run(&run_id);
    attempt(loaded, plan, options, live, machine, &run_id).instrument(scope).await
}

async fn attempt(
    loaded: &Loaded,
    plan: Plan,
    options: &Options,
    live: Option<progress::Live>,
    machine: &Machine,
    run_id: &str,
) -> Result<Finished, RunError> {
    let directory = run::artifacts_root(loaded).join(run_id);
    let was_there = directory.ancestors().find(|directory| directory.exists()).map(Path::to_owned);
    let listeners = listeners(live, &directory, &plan.pipeline);
    let outcome = run::run(loaded, plan, options, run_id, &listeners, &machine.cancel).await;
    if outcome.is_err() {
        discard(&directory, was_there.as_deref());
    }
    outcome
}

fn memory_limit(command: &Run) -> Result<Option<u64>, Exit> {
    let refuse = || {
        let message = "--memory-limit: expected a size such as `4GiB` or `512MiB`";
        complain::error(Code::BadArgument, message, None)
    };
    command.memory_limit.as_deref().map(|text| parse_size(text).ok_or_else(refuse)).transpose()
}

/// How to run one date.
pub fn options(
    command: &Run,
    target: &Target,
    run_date: chrono::NaiveDate,
    machine: &Machine,
    outward: &Outward,
) -> Options {
    Options {
        select: command.selection.select.clone(),
        exclude: command.selection.exclude.clone(),
        full_refresh: command.selection.full_refresh,
        fail_fast: command.fail_fast,
        accept_gates: command.accept_gates,
        threads: machine.threads,
        memory: machine.memory.clone(),
        last_resort: Some(leave_at_once(&command.target.pipeline, outward)),
        changes_nothing: false,
        asks: true,
        arguments: serde_json::json!({
            "pipeline": target.pipeline, "env": target.env, "run_date": run_date,
            "select": command.selection.select, "exclude": command.selection.exclude,
            "full_refresh": command.selection.full_refresh, "fail_fast": command.fail_fast, "threads": machine.threads,
            "accept_gates": command.accept_gates, "memory_limit": command.memory_limit, "junit": command.junit,
        }),
    }
}

/// Who hears of the run.
fn listeners(live: Option<progress::Live>, directory: &Path, pipeline: &str) -> Listeners {
    let mut listeners = Listeners::default();
    let log = log::LogListener::new(live.is_some());
    // Live lines first, so that a finished node's is gone when the log says that it is done.
    if let Some(live) = live {
        listeners.add(Arc::new(progress::ProgressListener::new(live)));
    }
    listeners.add(Arc::new(log));
    // The listener must find the run's directory; if it cannot be made, the run will say so.
    let _ = std::fs::create_dir_all(directory);
    let transport = openlineage::Transport::of_process();
    let namespace = transport.namespace().map_or_else(|| format!("patronage://{pipeline}"), str::to_owned);
    let lineage = openlineage::OpenLineage::create(&directory.join("events.ndjson"), namespace, transport);
    listeners.add(Arc::new(lineage));
    // Last, since it waits at the end of the run.
    if let Some(traces) = otlp::Traces::of_process() {
        listeners.add(Arc::new(traces));
    }
    listeners
}

/// A kill for memory would leave no word and no exit code.
fn leave_at_once(pipeline: &Path, outward: &Outward) -> LastResort {
    let (pipeline, outward) = (pipeline.to_owned(), outward.clone());
    LastResort(Arc::new(move |failure| {
        let exit = complain::error(failure.code, &failure.message, None);
        scheduler::tell_unstarted(&pipeline, exit as u8, &complain::told());
        outward.tell(None, exit, &complain::told());
        std::process::exit(i32::from(exit as u8));
    }))
}

/// Leaves nothing of a run that could not start. Only what is empty goes.
fn discard(directory: &Path, was_there: Option<&Path>) {
    let events = directory.join("events.ndjson");
    if events.metadata().is_ok_and(|events| events.len() == 0) {
        let _ = std::fs::remove_file(events);
    }
    // Its own, and those above it that were made for it.
    for directory in directory.ancestors().take_while(|directory| Some(*directory) != was_there) {
        if std::fs::remove_dir(directory).is_err() {
            break;
        }
    }
}

/// Prints the summary, tells the scheduler, and chooses the exit code.
fn conclude(
    finished: &Finished,
    stopped: &Stopped,
    loaded: &Loaded,
    junit_file: Option<&Path>,
    outward: &Outward,
) -> Exit {
    let shown = finished.directory.strip_prefix(&loaded.project.root).unwrap_or(&finished.directory);
    let printed = output::print(&summary(&finished.report, &shown.display().to_string()));
    for failure in &finished.failures {
        complain::error(failure.code, &failure.message, None);
    }
    let exit = match stopped.exit() {
        Some(exit) => exit,
        None => match worst(finished) {
            Exit::Done => printed,
            failed => failed,
        },
    };
    let unwritten = junit_file.and_then(|file| write_junit(finished, file).err());
    let exit = match unwritten {
        // Who asked for the file must not take its absence for a success.
        Some(message) if exit == Exit::Done => complain::error(Code::LocalIo, &message, None),
        Some(message) => {
            complain::error(Code::LocalIo, &message, None);
            exit
        }
        None => exit,
    };
    scheduler::tell(&finished.report, exit as u8);
    outward.tell(Some(&finished.report), exit, &complain::told());
    exit
}

fn write_junit(finished: &Finished, file: &Path) -> Result<(), String> {
    let refused = |error: &dyn std::fmt::Display| format!("failed to write {}: {error}", file.display());
    let text = junit(&finished.report).map_err(|error| refused(&error))?;
    local::write_atomic(file, text.as_bytes()).map_err(|error| refused(&error))
}

/// The first failure decides; a run that could be retried says so only if nothing else is wrong.
pub fn worst(finished: &Finished) -> Exit {
    let exits = || finished.failures.iter().map(|failure| failure.code.exit());
    exits().find(|exit| *exit != Exit::Transient).or_else(|| exits().next()).unwrap_or(Exit::Done)
}

/// Sets the size of the thread pools of polars and of our kernels, and how polars reads files, before either is used.
fn set_up_engines(threads: usize) {
    // Safe: no other thread of this process exists yet that could read the environment.
    #[expect(unsafe_code, reason = "polars takes its settings from the environment only")]
    unsafe {
        std::env::set_var("POLARS_MAX_THREADS", threads.to_string());
        // Files are read and not mapped: mapped pages count as memory of the process though they can be given back, and a
        // file that is cut short while it is mapped kills it.
        std::env::set_var("POLARS_FORCE_ASYNC", "1");
    }
    if rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().is_err() {
        tracing::warn!("the thread pool exists already; --threads has no effect");
    }
}

/// `512MiB`, `4GiB`, `1000000`, in bytes.
fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let factor: u64 = match text.get(digits..)?.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_size("4GiB"), Some(4 << 30));
        assert_eq!(parse_size("512 MB"), Some(512_000_000));
        assert_eq!((parse_size("4G"), parse_size(""), parse_size("0"), parse_size("-1")), (None, None, None, None));
    }
}
