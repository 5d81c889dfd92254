//! `patronage synthesize`

use super::arguments::Synthesize;
use super::complain;
use crate::problem::{Code, Exit};
use crate::report::format::thousands;
use crate::synthesize::{Options, SynthesizeError, TRANSACTIONS, synthesize};

pub fn run(command: &Synthesize) -> Exit {
    let options = Options { customers: command.customers, seed: command.seed, from: command.from, to: command.to };
    match synthesize(&options, &command.out) {
        Ok(summary) => {
            println!(
                "{}: {} rows of {} customers and {} products",
                command.out.join(TRANSACTIONS).display(),
                thousands(summary.rows),
                thousands(u64::from(summary.customers)),
                thousands(summary.products as u64)
            );
            Exit::Done
        }
        Err(error) => {
            let code = match error {
                SynthesizeError::Io { .. } | SynthesizeError::Parquet { .. } => Code::LocalIo,
                _ => Code::BadArgument,
            };
            complain::error(code, &format!("failed to {error}"), None)
        }
    }
}
