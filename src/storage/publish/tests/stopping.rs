//! A run that is to stop while it publishes: at every point where it asks.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::storage::Kind;

/// Stops from the `at`-th question on; how often it was asked.
fn stop_at(at: usize) -> (Stop, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    (Stop::when(move || counter.fetch_add(1, Ordering::SeqCst) >= at), asked)
}

/// Nothing is published once it is to stop, and the version before stands as if nothing had been.
#[tokio::test]
async fn nothing_is_published_after_the_word_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    for to in [memory(), local(&dir)] {
        put(&to, "run-1", &["a", "b"]).await.unwrap();
        let mut stopped = 0;
        for at in 0.. {
            let (mut next, _dir) = request(&to, &format!("run-2-{at}"), &["c", "d"]);
            let (stop, asked) = stop_at(at);
            next.stop = stop;
            match publish(&next).await {
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Stopped, "{error}");
                    stopped += 1;
                    assert_whole(&to).await;
                    assert_eq!(read_newest(&to).await.unwrap(), ["a", "b"]);
                    assert_eq!(Dataset::open(&to).unwrap().list("").await.unwrap().len(), 6, "nothing is left behind");
                }
                Ok(_) => {
                    assert!(asked.load(Ordering::SeqCst) <= at);
                    break;
                }
            }
        }
        assert!(stopped > 5, "it asks before each file, between parts and before the commit: {stopped}");
        assert_eq!(read_newest(&to).await.unwrap(), ["c", "d"]);
        assert_whole(&to).await;
    }
}
