use super::faulty::{Fault, Faulty};
use super::*;
use crate::storage::Kind;
use crate::storage::local::DurableFileSystem;

const FAULTS: [Fault; 4] = [Fault::Fail, Fault::FailAfter, Fault::Crash, Fault::CrashAfter];
const OLD: [&str; 3] = ["old one", "old two", "old three"];
const NEW: [&str; 2] = ["new one", "new two"];
const NEXT: [&str; 1] = ["next"];

/// One store, seen healthy or through a fault.
struct Stage {
    store: Arc<dyn ObjectStore>,
    base: String,
    _dir: TempDir,
}

impl Stage {
    fn new(durable: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store: Arc<dyn ObjectStore> = match durable {
            true => Arc::new(DurableFileSystem::default()),
            false => Arc::new(InMemory::new()),
        };
        Self { store, base: format!("{}/scores", dir.path().display()), _dir: dir }
    }

    fn healthy(&self) -> Location {
        Location::within(Arc::clone(&self.store), &self.base, "scores")
    }

    fn faulty(&self, fault: Fault, at: usize) -> (Location, Faulty) {
        let faulty = Faulty::new(Arc::clone(&self.store), fault, at);
        (Location::within(Arc::new(faulty.clone()), &self.base, "scores"), faulty)
    }
}

/// What must hold after a publish of `NEW` over `old` met a fault, whatever it returned.
async fn assert_one_version(to: &Location, old: Option<Vec<String>>, result: &Result<Published, StorageError>) {
    let seen = read_newest(to).await;
    let is_new = seen.as_deref().is_some_and(|seen| seen == NEW);
    assert!(is_new || seen == old, "neither old nor new: {seen:?}");
    assert!(is_new || result.is_err(), "success was reported, but the old version stands");
    assert_success_is_honest(to).await;
}

async fn every_fault(durable: bool, with_old: bool) {
    for fault in FAULTS {
        for at in 0.. {
            let stage = Stage::new(durable);
            let to = stage.healthy();
            if with_old {
                put(&to, "old-run", &OLD).await.unwrap();
            }
            let old = read_newest(&to).await;
            let (through, faulty) = stage.faulty(fault, at);
            let result = put(&through, "new-run", &NEW).await;
            assert_one_version(&to, old, &result).await;
            if !faulty.hit() {
                assert!(result.unwrap().finished);
                assert!(at > 10, "the fault was never injected");
                break;
            }
            heal(&to, at).await;
        }
    }
}

/// Publishing again, or repairing, leaves exactly one version.
async fn heal(to: &Location, at: usize) {
    if at.is_multiple_of(2) && read_newest(to).await.is_some() {
        let before = read_newest(to).await;
        repair(to, date(), "repair-run", Utc::now()).await.unwrap();
        assert_eq!(read_newest(to).await, before);
    } else {
        assert!(put(to, "next-run", &NEXT).await.unwrap().finished);
        assert_eq!(read_newest(to).await.unwrap(), NEXT);
    }
    assert_whole(to).await;
}

#[tokio::test]
async fn every_fault_in_memory_leaves_old_or_new() {
    every_fault(false, true).await;
    every_fault(false, false).await;
}

#[tokio::test]
async fn every_fault_on_disk_leaves_old_or_new() {
    every_fault(true, true).await;
}

#[tokio::test]
async fn a_commit_that_worked_but_reported_an_error_counts() {
    let stage = Stage::new(false);
    let mut counted = 0;
    for at in 0..40 {
        let (through, faulty) = stage.faulty(Fault::FailAfter, at);
        let before = newest(&stage.healthy(), None).await.unwrap().map_or(0, |it| it.sequence);
        let result = put(&through, &format!("run-{at}"), &NEW).await;
        let after = newest(&stage.healthy(), None).await.unwrap().map_or(0, |it| it.sequence);
        counted += u32::from(faulty.hit() && result.is_ok() && after == before + 1);
    }
    assert!(counted > 0, "no faulty commit was recognized as done");
}

/// Repair itself may crash anywhere, and the next one goes on.
#[tokio::test]
async fn a_crashed_repair_is_repaired() {
    for fault in FAULTS {
        for at in 0.. {
            let stage = Stage::new(false);
            let to = stage.healthy();
            put(&to, "old-run", &OLD).await.unwrap();
            let dataset = Dataset::open(&to).unwrap();
            dataset.delete(&names::success(date())).await.unwrap();
            let rival = names::part(date(), 0, 2, "rival", "parquet");
            let mode = object_store::PutMode::Overwrite;
            dataset.put(&rival, b"x".to_vec(), mode).await.unwrap();
            let (through, faulty) = stage.faulty(fault, at);
            let _ = repair(&through, date(), "repair-1", Utc::now()).await;
            assert_eq!(read_newest(&to).await.unwrap(), OLD);
            assert_success_is_honest(&to).await;
            repair(&to, date(), "repair-2", Utc::now()).await.unwrap();
            assert_whole(&to).await;
            if !faulty.hit() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn bytes_that_changed_on_the_way_are_never_committed() {
    let mut caught = 0;
    for at in 0.. {
        let stage = Stage::new(false);
        let to = stage.healthy();
        put(&to, "old-run", &OLD).await.unwrap();
        let (through, faulty) = stage.faulty(Fault::Garble, at);
        if let Err(error) = put(&through, "new-run", &NEW).await {
            assert_eq!(error.kind(), Kind::Corrupt, "{error}");
            assert_eq!(read_newest(&to).await.unwrap(), OLD);
            caught += 1;
        }
        assert_whole(&to).await;
        if !faulty.hit() {
            break;
        }
    }
    assert_eq!(caught, NEW.len());
}

/// A request that timed out may still arrive: then the files that it names have to be there.
#[tokio::test]
async fn a_commit_of_unknown_fate_keeps_its_files() {
    let stage = Stage::new(false);
    let to = stage.healthy();
    put(&to, "old-run", &OLD).await.unwrap();
    let (through, _) = stage.faulty(Fault::NoCommit, 0);
    let error = put(&through, "new-run", &NEW).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
    let dataset = Dataset::open(&to).unwrap();
    assert_eq!(visible(&dataset).await.len(), OLD.len() + NEW.len());
    assert_success_is_honest(&to).await;
    heal(&to, 0).await;
}
