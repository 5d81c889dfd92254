//! SIGINT and SIGTERM stop the run; a second one, or stages that do not stop, end the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::problem::Exit;
use crate::stages::contract::Cancel;

/// Which signal came, if one did.
#[derive(Clone, Default)]
pub struct Stopped(Arc<AtomicU8>);

impl Stopped {
    /// The exit code that the signal asks for.
    pub fn exit(&self) -> Option<Exit> {
        match self.0.load(Ordering::SeqCst) {
            130 => Some(Exit::Interrupted),
            143 => Some(Exit::Terminated),
            _ => None,
        }
    }
}

/// Listens on the current runtime until the process ends.
#[cfg(unix)]
pub fn listen(cancel: Cancel) -> Stopped {
    use tokio::signal::unix::{SignalKind, signal};
    let stopped = Stopped::default();
    for (kind, code) in [(SignalKind::interrupt(), 130u8), (SignalKind::terminate(), 143)] {
        let (stopped, cancel) = (stopped.clone(), cancel.clone());
        let Ok(mut stream) = signal(kind) else { continue };
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if stopped.0.swap(code, Ordering::SeqCst) != 0 {
                    std::process::exit(i32::from(code));
                }
                cancel.cancel();
                tracing::warn!("stopping; what is done is kept (again to stop at once)");
            }
        });
    }
    stopped
}

/// Elsewhere only Ctrl-C is known.
#[cfg(not(unix))]
pub fn listen(cancel: Cancel) -> Stopped {
    let stopped = Stopped::default();
    let flag = stopped.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            flag.0.store(130, Ordering::SeqCst);
            cancel.cancel();
        }
    });
    stopped
}
