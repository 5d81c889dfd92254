//! Watches a run from outside its stages: the memory limit, and stages that do not stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::LastResort;
use super::failure::NodeFailure;
use super::schedule::Outcome;
use crate::observe::{MemoryLimit, Pressure};
use crate::problem::Code;
use crate::stages::contract::Cancel;

/// How often it is asked whether the run is to stop.
const INTERVAL: Duration = Duration::from_millis(20);
/// How often memory is looked at where there is a limit: a query on all cores takes gigabytes in a second.
const MEMORY_INTERVAL: Duration = Duration::from_millis(5);
/// How long a stage may take to stop once it is asked to.
const PATIENCE: Duration = Duration::from_secs(3);

/// Cancels the run when it outgrows its limit.
pub struct Watch {
    cancel: Cancel,
    limit: MemoryLimit,
    seen: Arc<Seen>,
}

/// What the thread that watches has seen.
#[derive(Default)]
struct Seen {
    /// The greatest [`Pressure`] so far.
    pressure: AtomicU8,
    /// Nobody wants to know any more.
    done: AtomicBool,
}

/// Returns once the run is to stop.
pub async fn until_cancelled(cancel: &Cancel) {
    while !cancel.is_set() {
        tokio::time::sleep(INTERVAL).await;
    }
}

impl Watch {
    /// Starts to watch, until this is dropped. `last_resort` has to end the process: the system is about to kill it.
    pub fn new(cancel: Cancel, limit: MemoryLimit, last_resort: Option<LastResort>) -> Watch {
        let watch = Watch { cancel, limit, seen: Arc::default() };
        if watch.limit.bytes().is_some() {
            let (cancel, limit, seen) = (watch.cancel.clone(), watch.limit.clone(), Arc::clone(&watch.seen));
            // A thread of its own: the run's may all be busy just when it matters.
            let started = std::thread::Builder::new().name("memory".to_owned()).spawn(move || {
                while !seen.done.load(Ordering::SeqCst) {
                    let pressure = limit.pressure();
                    seen.note(pressure, &cancel);
                    if let Some(leave) = last_resort.as_ref().filter(|_| pressure == Pressure::Lost) {
                        (leave.0)(&exceeded(&limit));
                    }
                    std::thread::sleep(MEMORY_INTERVAL);
                }
            });
            if let Err(error) = started {
                tracing::warn!("the memory limit cannot be watched: {error}");
            }
        }
        watch
    }

    /// Returns once the run was cancelled and its stages have had time to stop, or there is none to give.
    pub async fn until_given_up(&self) {
        until_cancelled(&self.cancel).await;
        let since = Instant::now();
        while since.elapsed() < PATIENCE && self.pressure() < Pressure::Hopeless as u8 {
            tokio::time::sleep(MEMORY_INTERVAL).await;
        }
    }

    /// Names the limit as the reason where it is the reason that a stage was cancelled.
    pub(super) fn explain(&self, mut outcome: Outcome) -> Outcome {
        if let (Some(limit), Err(failure)) = (self.failure(), &mut outcome.3)
            && failure.code == Code::Interrupted
        {
            *failure = limit;
        }
        outcome
    }

    /// That the limit was exceeded, if it was.
    pub fn failure(&self) -> Option<NodeFailure> {
        (self.pressure() >= Pressure::Over as u8).then(|| exceeded(&self.limit))
    }

    fn pressure(&self) -> u8 {
        self.seen.pressure.load(Ordering::SeqCst)
    }
}

fn exceeded(limit: &MemoryLimit) -> NodeFailure {
    let message = format!(
        "the run needed more than {} and was stopped; raise the limit, use fewer --threads, or reduce the data",
        limit.words()
    );
    NodeFailure::new(Code::MemoryLimit, message)
}

impl Seen {
    /// The limit is the reason only if nothing else stopped the run before.
    fn note(&self, pressure: Pressure, cancel: &Cancel) {
        let before = self.pressure.load(Ordering::SeqCst);
        if pressure as u8 > before && (before > 0 || !cancel.is_set()) {
            self.pressure.store(pressure as u8, Ordering::SeqCst);
            cancel.cancel();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.seen.done.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_reason_only_if_it_came_first() {
        let (seen, cancel) = (Seen::default(), Cancel::default());
        seen.note(Pressure::Fine, &cancel);
        assert!(!cancel.is_set());
        seen.note(Pressure::Over, &cancel);
        assert!(cancel.is_set());
        seen.note(Pressure::Hopeless, &cancel);
        assert_eq!(seen.pressure.load(Ordering::SeqCst), Pressure::Hopeless as u8);

        let (seen, cancel) = (Seen::default(), Cancel::default());
        cancel.cancel();
        seen.note(Pressure::Over, &cancel);
        assert_eq!(seen.pressure.load(Ordering::SeqCst), 0);
    }
}
