//! Watches a run from outside its stages: the memory limit, and stages that do not stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::failure::NodeFailure;
use super::schedule::Outcome;
use crate::observe::memory_bytes;
use crate::problem::Code;
use crate::stages::contract::Cancel;

/// How often memory is looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long a stage may take to stop once it is asked to.
const PATIENCE: Duration = Duration::from_secs(3);

/// Cancels the run when it outgrows its limit.
pub struct Watch {
    cancel: Cancel,
    limit_bytes: Option<u64>,
    over_limit: AtomicBool,
}

/// Returns once the run is to stop.
pub async fn until_cancelled(cancel: &Cancel) {
    while !cancel.is_set() {
        tokio::time::sleep(INTERVAL).await;
    }
}

impl Watch {
    pub fn new(cancel: Cancel, limit_bytes: Option<u64>) -> Watch {
        Watch { cancel, limit_bytes, over_limit: AtomicBool::new(false) }
    }

    /// Returns once the run was cancelled and its stages have had time to stop.
    pub async fn until_given_up(&self) {
        let mut cancelled: Option<Instant> = None;
        loop {
            let over = self.limit_bytes.is_some_and(|limit| memory_bytes().is_some_and(|bytes| bytes > limit));
            if over && !self.cancel.is_set() {
                self.over_limit.store(true, Ordering::SeqCst);
                self.cancel.cancel();
            }
            if self.cancel.is_set() {
                let since = *cancelled.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    return;
                }
            }
            tokio::time::sleep(INTERVAL).await;
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
        let limit_mib = self.limit_bytes.filter(|_| self.over_limit.load(Ordering::SeqCst))? >> 20;
        let message =
            format!("the run needed more than the {limit_mib} MiB that --memory-limit allows and was stopped");
        Some(NodeFailure::new(Code::MemoryLimit, message))
    }
}
