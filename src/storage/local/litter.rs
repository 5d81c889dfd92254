//! What writers that died left behind, told from what living ones are still writing.
//!
//! Everything is written under a temporary name first. Its writer keeps it open and locked until it has its name
//! or is given up, and the operating system lets go of the locks of a process that died, however it died. So what
//! is not locked is litter, and no clock is needed to tell.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;

/// Where a file system knows no locks, what is older than this is taken for litter.
const LITTER_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Locks a file or directory that was just made; `false` if a sweep was faster and it is gone.
pub(super) fn hold(made: &File, path: &Path) -> io::Result<bool> {
    match made.lock() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        _ => path.try_exists(),
    }
}

/// Removes what dead writers left in a directory (not below it). What cannot be removed now is tried again by the
/// next sweep. Blocking.
pub fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if !entry.file_name().to_str().is_some_and(is_temporary) {
            continue;
        }
        // Held until it is removed, so that a writer that has just made it waits and then finds it gone.
        let Ok(found) = File::open(entry.path()) else { continue };
        let dead = match found.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(_)) => is_old(&found),
        };
        if dead {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let path = entry.path();
            let _ = if is_directory { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

fn is_old(found: &File) -> bool {
    let modified = found.metadata().and_then(|found| found.modified());
    modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > LITTER_AGE))
}

/// `.<name>.<random>.tmp`, `<name>.tmp-<random>`, and `<name>.old-<random>` of what was moved out of the way.
fn is_temporary(name: &str) -> bool {
    let hidden = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")).map(|name| name.rsplit_once('.'));
    let beside = || name.rsplit_once(".tmp-").or_else(|| name.rsplit_once(".old-"));
    hidden.unwrap_or_else(beside).is_some_and(|(_, random)| random.len() == 32 && Uuid::try_parse(random).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::{AtomicDirectory, file};
    use super::*;
    use std::io::Write;

    #[test]
    fn only_what_has_no_living_writer_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let names = || {
            let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        fs::write(dir.path().join("x"), "mine").unwrap();
        fs::write(dir.path().join(".hidden.tmp"), "not ours").unwrap();
        fs::create_dir(dir.path().join("node.tmp-dir")).unwrap();
        let others = names();
        let staged = file::stage(&dir.path().join("y"), |file| file.write_all(b"y")).unwrap();
        let directory = AtomicDirectory::create(&dir.path().join("z")).unwrap();
        fs::write(directory.path().join("part"), "z").unwrap();
        // As a process leaves it that is killed: under its temporary name, and not locked.
        let random = Uuid::now_v7().simple();
        fs::write(dir.path().join(format!(".y.{random}.tmp")), "dead").unwrap();
        for name in ["z.tmp", "z.old"] {
            let dead = dir.path().join(format!("{name}-{random}"));
            fs::create_dir(&dead).unwrap();
            fs::write(dead.join("part"), "dead").unwrap();
        }
        sweep(dir.path());
        assert_eq!(names().len(), others.len() + 2, "what is being written stays: {:?}", names());
        file::replace(&staged, &dir.path().join("y")).unwrap();
        directory.finish().unwrap();
        sweep(dir.path());
        let placed = names().into_iter().filter(|name| !others.contains(name)).collect::<Vec<_>>();
        assert_eq!(placed, ["y", "z"], "and gets its name");
    }

    #[test]
    fn a_writer_notices_that_a_sweep_was_faster() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let made = File::create_new(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!hold(&made, &path).unwrap());
    }
}
