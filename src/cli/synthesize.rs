//! `patronage synthesize`

use super::arguments::Synthesize;
use super::{complain, output, project, signals};
use crate::problem::{Code, Exit};
use crate::report::format::thousands;
use crate::stages::contract::Cancel;
use crate::synthesize::{Factors, Options, Summary, SynthesizeError, synthesize_unless};

pub fn run(command: &Synthesize) -> Exit {
    if command.threads == Some(0) {
        return complain::error(Code::BadArgument, "--threads: expected at least 1, found 0", None);
    }
    let factors = Factors {
        seasonality: command.seasonality,
        one_time: command.one_time,
        returns: command.returns,
        bad_rows: command.bad_rows,
    };
    let options = Options {
        customers: command.customers,
        seed: command.seed,
        from: command.from,
        to: command.to,
        threads: command.threads.unwrap_or(0),
        factors,
    };
    let runtime = match project::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let cancel = Cancel::default();
    let stopped = runtime.block_on(async { signals::listen(cancel.clone()) });
    match synthesize_unless(&options, &command.out, command.force, &|| cancel.is_set()) {
        Ok(summary) => output::print(&told(command, &summary)),
        Err(error) => {
            let exit = complain::error(code(&error), &format!("failed to {error}"), None);
            stopped.exit().filter(|_| matches!(error, SynthesizeError::Stopped)).unwrap_or(exit)
        }
    }
}

fn told(command: &Synthesize, summary: &Summary) -> String {
    let made = format!(
        "{}: {} transactions of {} customers and {} products, {} to {}",
        command.out.display(),
        thousands(summary.rows),
        thousands(u64::from(summary.customers)),
        thousands(summary.products as u64),
        command.from,
        command.to
    );
    let beside = format!(
        "{} orders and {} returns; {} bad rows, listed in {}",
        thousands(summary.orders),
        thousands(summary.returns),
        thousands(summary.bad_rows),
        command.out.join("truth/bad_rows.parquet").display()
    );
    format!("{made}\n{beside}\n")
}

fn code(error: &SynthesizeError) -> Code {
    match error {
        SynthesizeError::Io { .. } | SynthesizeError::Parquet { .. } | SynthesizeError::Threads { .. } => Code::LocalIo,
        SynthesizeError::NoCustomers
        | SynthesizeError::TooManyCustomers { .. }
        | SynthesizeError::PeriodEmpty { .. }
        | SynthesizeError::PeriodTooLong { .. }
        | SynthesizeError::BadFactor { .. }
        | SynthesizeError::NotEmpty { .. } => Code::BadArgument,
        SynthesizeError::Stopped => Code::Interrupted,
    }
}
