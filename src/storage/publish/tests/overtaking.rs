//! Two runs whose steps interleave at every point.

use super::faulty::{Fault, Faulty};
use super::*;

/// Healthy access to a store, and access during which `meanwhile` happens before operation `at`.
struct Pair {
    to: Location,
    store: Arc<dyn ObjectStore>,
}

impl Pair {
    fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        Self { to: within(Arc::clone(&store)), store }
    }

    fn faulty(&self, at: usize) -> Faulty {
        Faulty::new(Arc::clone(&self.store), Fault::NoCommit, at)
    }

    /// Finishes a commit while something else happens before operation `at`. Says whether it was finished, and whether
    /// there was such an operation.
    async fn finish<F: Future<Output = ()> + Send + 'static>(
        &self,
        commit: &Commit,
        at: usize,
        meanwhile: impl Fn(Location) -> F + Send + Sync + 'static,
    ) -> (bool, bool) {
        let to = self.to.clone();
        let faulty = self.faulty(at).meanwhile(move || meanwhile(to.clone()));
        let dataset = Dataset::open(&within(Arc::new(faulty.clone()))).unwrap();
        let finished = finish::finish(&dataset, commit).await.unwrap();
        assert_success_is_honest(&self.to).await;
        (finished, faulty.hit())
    }
}

async fn write_rival(to: &Location) {
    let dataset = Dataset::open(to).unwrap();
    dataset.delete(&names::success(date())).await.unwrap();
    let rival = names::part(date(), 0, 2, "rival", "parquet");
    dataset.put(&rival, b"x".to_vec(), object_store::PutMode::Overwrite).await.unwrap();
    dataset.delete(&names::success(date())).await.unwrap();
}

/// The run before is slow: it finishes while the next one is at any point of its publish.
#[tokio::test]
async fn a_slow_finish_never_calls_a_mixture_success() {
    for at in 0.. {
        let pair = Pair::new();
        let slow = put(&pair.to, "old-run", &["a", "b"]).await.unwrap().commit;
        let old = pair.to.clone();
        let faulty = pair.faulty(at).meanwhile(move || {
            let (dataset, slow) = (Dataset::open(&old).unwrap(), slow.clone());
            async move {
                finish::finish(&dataset, &slow).await.unwrap();
            }
        });
        put(&within(Arc::new(faulty.clone())), "new-run", &["c"]).await.unwrap_err();
        assert_success_is_honest(&pair.to).await;
        if !faulty.hit() {
            break;
        }
    }
}

/// The next run shows its files while this one is at any point of its finish.
#[tokio::test]
async fn a_finish_overtaken_by_the_next_run_takes_success_back() {
    for at in 0.. {
        let pair = Pair::new();
        let commit = put(&pair.to, "old-run", &["a", "b"]).await.unwrap().commit;
        let (_, hit) = pair.finish(&commit, at, |to| async move { write_rival(&to).await }).await;
        if !hit {
            break;
        }
    }
}

/// The next run publishes from its beginning to its end while this one is at any point of its finish.
#[tokio::test]
async fn a_finish_overtaken_by_a_whole_publication_leaves_that_whole() {
    let mut acted = false;
    for at in 0.. {
        let pair = Pair::new();
        let commit = put(&pair.to, "old-run", &["a", "b"]).await.unwrap().commit;
        let next = |to| async move { drop(put(&to, "new-run", &["c"]).await.unwrap()) };
        let (finished, hit) = pair.finish(&commit, at, next).await;
        // Listings let nobody act.
        let overtaken = newest(&pair.to, Some(date())).await.unwrap().unwrap().sequence > commit.sequence;
        assert_eq!(finished, !overtaken, "{at}");
        assert_whole(&pair.to).await;
        acted |= overtaken;
        if !hit {
            break;
        }
    }
    assert!(acted);
}

/// A run that loses the same sequence shows its file while the winner is at any point of its finish, and dies.
#[tokio::test]
async fn a_finish_never_calls_success_what_a_loser_has_files_in() {
    for at in 0.. {
        let pair = Pair::new();
        let commit = put(&pair.to, "winner", &["a", "b"]).await.unwrap().commit;
        let loser = |to| async move {
            let dataset = Dataset::open(&to).unwrap();
            let part = names::part(date(), 0, 1, "loser", "parquet");
            dataset.put(&part, b"x".to_vec(), object_store::PutMode::Overwrite).await.unwrap();
            dataset.delete(&names::success(date())).await.unwrap();
        };
        let (finished, hit) = pair.finish(&commit, at, loser).await;
        assert!(finished);
        if !hit {
            break;
        }
    }
}

#[tokio::test]
async fn finish_leaves_a_rival_alone_and_claims_no_success() {
    let to = memory();
    let commit = put(&to, "old-run", &["a", "b"]).await.unwrap().commit;
    write_rival(&to).await;
    let dataset = Dataset::open(&to).unwrap();
    assert!(!finish::finish(&dataset, &commit).await.unwrap());
    assert_eq!(visible(&dataset).await.len(), 3);
    assert!(dataset.get(&names::success(date())).await.unwrap().is_none());
}
