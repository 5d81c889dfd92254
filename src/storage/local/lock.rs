//! Who is still alive: locks that the operating system lets go of when a process ends, however it ends.
//!
//! A file that is being staged is locked by who writes it, so what is found unlocked was left by a writer that died.
//! Runs of one pipeline share the lock of its artifacts, so whoever gets it alone is the only run.

use std::fs::{File, TryLockError, symlink_metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::durable::create_directories;
use super::file::parent;
use crate::storage::StorageError;

/// Where locks do not work, what has not been touched for so long is taken for abandoned.
pub const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Locks a file that was just made. `false` if it has lost its name meanwhile: it was taken for abandoned in the
/// moment between its making and its locking, and has to be made again.
pub(super) fn hold(file: &File, path: &Path) -> io::Result<bool> {
    match file.lock() {
        Ok(()) => {
            let (own, named) = (file.metadata()?, symlink_metadata(path));
            Ok(named.is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())))
        }
        // Some network file systems have no locks.
        Err(_) => Ok(true),
    }
}

/// Whether nobody is writing this staged file any more. What is gone meanwhile was not abandoned.
pub fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| take(&file, path))
}

/// Locks a staged file until it is closed, unless somebody is writing it.
fn take(file: &File, path: &Path) -> bool {
    match file.try_lock() {
        Ok(()) => true,
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => is_old(path),
    }
}

/// Removes a staged file unless somebody is writing it; says whether it is gone. It is locked meanwhile, so whoever has
/// made it just now and is about to lock it will find that it has lost its name.
///
/// # Errors
/// Those of the file system.
pub fn remove_abandoned(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    let abandoned = take(&file, path);
    if abandoned {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(abandoned)
}

/// Whether it has not been touched for [`ABANDONED_AFTER`].
pub fn is_old(path: &Path) -> bool {
    let modified = symlink_metadata(path).and_then(|found| found.modified());
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > ABANDONED_AFTER))
}

/// A lock that those share who work below a directory. Held until it is dropped.
#[derive(Debug)]
pub struct Presence {
    /// None where there are no locks.
    file: Option<File>,
}

/// What is known of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    None,
    Some,
    /// Locks do not work here.
    Unknown,
}

impl Presence {
    /// Joins those who share the lock file, which is made if need be. `alone` is called first, with what is known of
    /// others: as long as it runs nobody else can join, if there is nobody.
    ///
    /// # Errors
    /// Those of the file system when the file cannot be made.
    pub fn join(path: &Path, alone: impl FnOnce(Others)) -> Result<Presence, StorageError> {
        let open = || {
            create_directories(parent(path))?;
            File::options().create(true).truncate(false).write(true).open(path)
        };
        let file = open().map_err(|error| StorageError::io("write", path.display(), &error))?;
        match file.try_lock() {
            Ok(()) => {
                alone(Others::None);
                let _ = file.unlock();
            }
            Err(TryLockError::WouldBlock) => alone(Others::Some),
            Err(TryLockError::Error(_)) => {
                alone(Others::Unknown);
                return Ok(Presence { file: None });
            }
        }
        let shared = file.lock_shared().is_ok();
        Ok(Presence { file: shared.then_some(file) })
    }

    /// Whether others will know of it.
    pub fn is_known(&self) -> bool {
        self.file.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_file_is_not_abandoned_and_an_unlocked_one_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".x.tmp");
        let file = File::create_new(&path).unwrap();
        assert!(hold(&file, &path).unwrap());
        assert!(!is_abandoned(&path));
        assert!(!remove_abandoned(&path).unwrap() && path.exists());
        drop(file);
        assert!(is_abandoned(&path));
        assert!(remove_abandoned(&path).unwrap() && !path.exists());
        assert!(remove_abandoned(&path).unwrap());
        assert!(!is_abandoned(&directory.path().join("gone")));
    }

    #[test]
    fn a_file_that_lost_its_name_is_not_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".x.tmp");
        let file = File::create_new(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(!hold(&file, &path).unwrap());
        std::fs::write(&path, "another's").unwrap();
        assert!(!hold(&file, &path).unwrap());
    }

    #[test]
    fn whoever_comes_first_is_alone_and_the_next_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state/shop.lock");
        let seen = |others: &mut Option<Others>| Presence::join(&path, |found| *others = Some(found)).unwrap();
        let (mut first, mut second, mut third) = (None, None, None);
        let one = seen(&mut first);
        let two = seen(&mut second);
        assert!(one.is_known() && two.is_known());
        drop((one, two));
        seen(&mut third);
        assert_eq!([first, second, third], [Some(Others::None), Some(Others::Some), Some(Others::None)]);
    }
}
