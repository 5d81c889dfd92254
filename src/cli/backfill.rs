//! `patronage run --from --to --every`: many run dates, one run each.

use std::time::Instant;

use chrono::{Days, Months, NaiveDate};
use futures::StreamExt;

use super::arguments::{Backfill, Global, Run, Target};
use super::outward::Outward;
use super::run::{self, Machine};
use super::{complain, output, project, table};
use crate::events::scope;
use crate::format;
use crate::observe::{progress, scheduler};
use crate::problem::{Code, Exit};
use crate::report::NodeStatus;
use crate::run::{Finished, RunError, is_published};

/// Far more nights than anyone has data for.
const DATES_MAX: usize = 20_000;

/// What became of one run date.
struct Night {
    run_date: NaiveDate,
    exit: Exit,
    outcome: String,
    /// None where nothing ran.
    ran: Option<Ran>,
}

/// What a run did.
struct Ran {
    run_id: String,
    rows: u64,
    seconds: f64,
}

impl Night {
    fn without_run(run_date: NaiveDate, exit: Exit, outcome: &str) -> Night {
        Night { run_date, exit, outcome: outcome.to_owned(), ran: None }
    }

    fn row(&self) -> Vec<String> {
        let told = |tell: fn(&Ran) -> String| self.ran.as_ref().map_or_else(|| "-".to_owned(), tell);
        let exit = if self.exit == Exit::Done { String::new() } else { (self.exit as u8).to_string() };
        let (rows, took) = (told(|ran| format::thousands(ran.rows)), told(|ran| format::duration(ran.seconds)));
        vec![self.run_date.to_string(), self.outcome.clone(), rows, took, exit, told(|ran| ran.run_id.clone())]
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "run_date": self.run_date, "run_id": self.ran.as_ref().map(|ran| &ran.run_id),
            "exit_code": self.exit as u8, "outcome": self.outcome,
        })
    }
}

/// Runs every date; what was published before as it would be now is passed over.
pub fn run(
    command: &Run,
    backfill: &Backfill,
    global: &Global,
    live: Option<progress::Live>,
    outward: &Outward,
) -> Result<Exit, Exit> {
    let clock = Instant::now();
    let dates = dates(backfill)?;
    if command.junit.is_some() {
        return Err(refuse("--junit is of one run; it does not go with --from"));
    }
    let parallel = backfill.parallel.unwrap_or(1);
    if !(1..=dates.len().max(1)).contains(&parallel) {
        return Err(refuse(&format!("--parallel: expected 1 to {}, the number of run dates", dates.len())));
    }
    let machine = Machine::set_up(command, parallel)?;
    let first = dates.first().copied().unwrap_or_default();
    let (_, plan) = project::plan(&target(command, first), global)?;
    let dependent = plan.depends_on_earlier_nights();
    if let (Some(node), true) = (&dependent, parallel > 1) {
        let message = format!("--parallel: `{node}` depends on the night before, so the nights must run in order");
        return Err(refuse(&message));
    }
    let live = live.filter(|_| parallel == 1);
    let (around, live) = (&machine, &live);
    let night = |run_date| async move { one(command, global, around, live.clone(), outward, run_date).await };
    let mut nights: Vec<Night> = Vec::new();
    machine.runtime.block_on(async {
        let mut running = futures::stream::iter(dates.clone()).map(night).buffered(parallel);
        while let Some(night) = running.next().await {
            let failed = night.exit != Exit::Done;
            nights.push(night);
            // What follows would start from a night that is not there.
            if machine.stopped.exit().is_some() || (failed && (dependent.is_some() || command.fail_fast)) {
                break;
            }
        }
    });
    let stopped = machine.stopped.exit();
    // Threads that do not stop must not hold the process.
    machine.runtime.shutdown_background();
    let printed = output::print(&summary(&plan.pipeline, &nights, &dates, clock.elapsed().as_secs_f64()));
    let exit = stopped.unwrap_or_else(|| worst(&nights, printed));
    let told: Vec<_> = nights.iter().map(Night::json).collect();
    scheduler::tell_of_dates(&plan.pipeline, exit as u8, &told, &complain::told());
    // Each run has told its metrics.
    outward.failure(&plan.pipeline, exit, &complain::told());
    Ok(exit)
}

fn refuse(message: &str) -> Exit {
    complain::error(Code::BadArgument, message, None)
}

fn target(command: &Run, run_date: NaiveDate) -> Target {
    Target {
        pipeline: command.target.pipeline.clone(),
        env: command.target.env.clone(),
        run_date: Some(run_date.to_string()),
    }
}

async fn one(
    command: &Run,
    global: &Global,
    machine: &Machine,
    live: Option<progress::Live>,
    outward: &Outward,
    run_date: NaiveDate,
) -> Night {
    let clock = Instant::now();
    let target = target(command, run_date);
    let (loaded, plan) = match project::plan(&target, global) {
        Ok(planned) => planned,
        Err(exit) => return Night::without_run(run_date, exit, "refused"),
    };
    let options = run::options(command, &target, run_date, machine, outward);
    if !command.selection.full_refresh && is_published(&loaded, &plan, &options, &machine.cancel).await {
        return Night::without_run(run_date, Exit::Done, "published already");
    }
    match run::execute(&loaded, plan, &options, live, machine).await {
        Ok(finished) => {
            let _scope = scope::run(&finished.report.run_id).entered();
            for failure in &finished.failures {
                complain::error(failure.code, &format!("{run_date}: {}", failure.message), None);
            }
            let night = of_run(run_date, &finished, clock);
            outward.metrics(Some(&finished.report), night.exit);
            night
        }
        Err(RunError::Selection(problem)) => Night::without_run(run_date, project::refuse(&problem), "refused"),
        Err(RunError::Node(failure)) => {
            let exit = complain::error(failure.code, &format!("{run_date}: {}", failure.message), None);
            Night::without_run(run_date, exit, "could not start")
        }
    }
}

fn of_run(run_date: NaiveDate, finished: &Finished, clock: Instant) -> Night {
    let report = &finished.report;
    let count = |status| report.count(status);
    let (failed, blocked) = (count(NodeStatus::Error), count(NodeStatus::Blocked));
    let interrupted = finished.failures.iter().any(|failure| failure.code == Code::Interrupted);
    let outcome = match (failed, blocked) {
        _ if interrupted => "interrupted".to_owned(),
        (0, 0) if report.unchanged() => "up to date".to_owned(),
        (0, 0) => {
            format!("{} of {} steps done", count(NodeStatus::Success) + count(NodeStatus::Skipped), report.selected())
        }
        (failed, blocked) => format!("{failed} failed, {blocked} blocked"),
    };
    let rows: u64 = report.publications.iter().filter(|one| one.changed).map(|one| one.rows).sum();
    let ran = Ran { run_id: report.run_id.clone(), rows, seconds: clock.elapsed().as_secs_f64() };
    Night { run_date, exit: run::worst(finished), outcome, ran: Some(ran) }
}

/// What became of each of the dates; those after the last night were not begun.
fn summary(pipeline: &str, nights: &[Night], dates: &[NaiveDate], seconds: f64) -> String {
    let done = nights.iter().filter(|night| night.exit == Exit::Done).count();
    let between = dates.first().zip(dates.last()).map(|(first, last)| format!(" {first} to {last}"));
    let total = format::count(dates.len() as u64, "run date", "run dates");
    let left = dates.iter().skip(nights.len()).map(|date| Night::without_run(*date, Exit::Done, "not begun").row());
    let rows: Vec<Vec<String>> = nights.iter().map(Night::row).chain(left).collect();
    let table = table::render(&["run date", "outcome", "rows published", "took", "exit", "run"], &rows, &[2, 3, 4]);
    let table: String = table.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "{pipeline}{}: {done} of {total} done.\n\n{table}\nTook {}\n",
        between.unwrap_or_default(),
        format::duration(seconds)
    )
}

/// The first failure decides; nights that could be retried say so only if nothing else is wrong.
fn worst(nights: &[Night], printed: Exit) -> Exit {
    let exits = || nights.iter().map(|night| night.exit).filter(|exit| *exit != Exit::Done);
    exits().find(|exit| *exit != Exit::Transient).or_else(|| exits().next()).unwrap_or(printed)
}

/// The run dates from the first to the last, both included where the step meets them.
fn dates(backfill: &Backfill) -> Result<Vec<NaiveDate>, Exit> {
    let (from, to) = (project::parse_date(&backfill.from, "--from")?, project::parse_date(&backfill.to, "--to")?);
    if to < from {
        return Err(refuse(&format!("--to {to} is before --from {from}")));
    }
    let step = Step::parse(&backfill.every).ok_or_else(|| {
        let found = &backfill.every;
        refuse(&format!("--every: expected days, weeks or months, such as `1d`, `1w` or `1M`, found `{found}`"))
    })?;
    let dates: Vec<NaiveDate> =
        (0..).map_while(|index| step.after(from, index)).take_while(|date| *date <= to).take(DATES_MAX + 1).collect();
    if dates.len() > DATES_MAX {
        return Err(refuse(&format!("--from and --to are more than {DATES_MAX} run dates apart")));
    }
    Ok(dates)
}

/// How far apart run dates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Days(u32),
    /// Of the calendar, counted from the first date, so that the 31st stays the last of a month.
    Months(u32),
}

impl Step {
    fn parse(text: &str) -> Option<Step> {
        let number = |suffix: char| text.strip_suffix(suffix)?.parse::<u32>().ok().filter(|number| *number > 0);
        let weeks = || number('w')?.checked_mul(7);
        number('d').or_else(weeks).map(Step::Days).or_else(|| number('M').map(Step::Months))
    }

    /// So many steps after a date.
    fn after(self, from: NaiveDate, steps: u32) -> Option<NaiveDate> {
        match self {
            Step::Days(days) => from.checked_add_days(Days::new(u64::from(days) * u64::from(steps))),
            Step::Months(months) => from.checked_add_months(Months::new(months.checked_mul(steps)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(from: &str, to: &str, every: &str) -> Vec<String> {
        let backfill = Backfill { from: from.into(), to: to.into(), every: every.into(), parallel: None };
        dates(&backfill).unwrap().iter().map(NaiveDate::to_string).collect()
    }

    #[test]
    fn dates_are_as_the_calendar_has_them() {
        assert_eq!(between("2024-01-31", "2024-04-30", "1M"), ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]);
        assert_eq!(between("2024-02-28", "2024-03-01", "1d"), ["2024-02-28", "2024-02-29", "2024-03-01"]);
        assert_eq!(between("2024-01-01", "2024-01-20", "2w"), ["2024-01-01", "2024-01-15"]);
        assert_eq!(between("2024-01-01", "2024-01-01", "1w"), ["2024-01-01"]);
        for wrong in ["0d", "1", "d", "1y", "-1d", "4294967295w"] {
            assert_eq!(Step::parse(wrong), None, "{wrong}");
        }
    }
}
