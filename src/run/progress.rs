//! How far running nodes are: counters that their work moves, read and told at an interval.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::events::{Event, Listeners, NodeRef};
use crate::storage::scan::RowCounter;

/// How often listeners hear of running nodes.
const INTERVAL: Duration = Duration::from_millis(200);

/// The nodes that are running.
#[derive(Clone, Default)]
pub struct Progress(Arc<Mutex<BTreeMap<usize, Running>>>);

struct Running {
    node: NodeRef,
    rows: RowCounter,
    since: Instant,
}

impl Progress {
    /// Takes a node up; its work counts rows into what is returned.
    pub fn start(&self, index: usize, node: NodeRef) -> RowCounter {
        let rows = RowCounter::default();
        let running = Running { node, rows: rows.clone(), since: Instant::now() };
        self.lock().insert(index, running);
        rows
    }

    pub fn stop(&self, index: usize) {
        self.lock().remove(&index);
    }

    /// Tells of every running node again and again; never returns.
    pub async fn tell(&self, listeners: &Listeners) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let events: Vec<Event> = self.lock().values().map(Running::event).collect();
            events.iter().for_each(|event| listeners.emit(event));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Running>> {
        // A map of counters is whole whatever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn event(&self) -> Event {
        // Nothing counted yet is nothing known: the work may not be of rows at all.
        let rows = Some(self.rows.get()).filter(|rows| *rows > 0);
        Event::NodeProgress { node: self.node.clone(), rows, elapsed: self.since.elapsed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Listener;

    #[derive(Default)]
    struct Heard(Mutex<Vec<(String, Option<u64>)>>);

    impl Listener for Heard {
        fn on_event(&self, event: &Event) {
            if let Event::NodeProgress { node, rows, .. } = event {
                self.0.lock().unwrap().push((node.id.clone(), *rows));
            }
        }
    }

    #[test]
    fn running_nodes_are_told_of_until_they_stop() {
        let node = |id: &str| NodeRef { id: id.to_owned(), kind: "sql".to_owned(), reads: vec![], writes: vec![] };
        let (progress, heard) = (Progress::default(), Arc::new(Heard::default()));
        let mut listeners = Listeners::default();
        listeners.add(heard.clone());
        let rows = progress.start(0, node("stage.a"));
        progress.start(1, node("stage.b"));
        progress.start(2, node("stage.c"));
        progress.stop(2);
        rows.add(7);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let told = async { tokio::time::timeout(INTERVAL + INTERVAL / 2, progress.tell(&listeners)).await };
        assert!(runtime.block_on(told).is_err(), "it never returns");
        let heard = heard.0.lock().unwrap().clone();
        assert_eq!(heard, [("stage.a".to_owned(), Some(7)), ("stage.b".to_owned(), None)]);
    }
}
