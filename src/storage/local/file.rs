//! One file, whole or absent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::durable::{create_directories, sync_directory};
use crate::storage::StorageError;

/// Replaces the file at `path` by `bytes`: readers, and a crash at any moment, see the old file or the new.
/// Missing directories are made. Blocking.
///
/// # Errors
/// Those of the file system; nothing is left behind.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    stage(path, |file| file.write_all(bytes))
        .and_then(|staged| replace(&staged, path))
        .map_err(|error| StorageError::io("write", path.display(), &error))
}

/// The size of a file in bytes.
///
/// # Errors
/// Those of the file system, such as that it is not there.
pub fn size(path: &Path) -> Result<u64, StorageError> {
    let meta = fs::metadata(path).map_err(|error| StorageError::io("look at", path.display(), &error))?;
    Ok(meta.len())
}

/// Writes a synced, hidden file beside `target`, from where it can be given its name.
pub(super) fn stage(target: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<PathBuf> {
    let staged = staged_path(target)?;
    create_directories(parent(&staged))?;
    let result = File::create_new(&staged).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    discard_on_error(&staged, result)?;
    Ok(staged)
}

/// Gives a staged file its name, in place of what may be there.
pub(super) fn replace(staged: &Path, target: &Path) -> io::Result<()> {
    discard_on_error(staged, fs::rename(staged, target))?;
    sync_directory(parent(target))
}

/// Gives a staged file its name, unless that is taken (`AlreadyExists`). A link, because a rename overwrites.
pub(super) fn claim(staged: &Path, target: &Path) -> io::Result<()> {
    discard_on_error(staged, fs::hard_link(staged, target))?;
    // The link is made: a staging name that stays behind is only litter.
    let _ = fs::remove_file(staged);
    sync_directory(parent(target))
}

/// `.name.<random>.tmp` beside the target: hidden, and on the same file system.
pub(super) fn staged_path(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    Ok(target.with_file_name(format!(".{name}.{}.tmp", Uuid::now_v7().simple())))
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn discard_on_error<T>(staged: &Path, result: io::Result<T>) -> io::Result<T> {
    if result.is_err() {
        let _ = fs::remove_file(staged);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/deep/résultat 1.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_taken_name_is_not_claimed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x");
        claim(&stage(&target, |file| file.write_all(b"one")).unwrap(), &target).unwrap();
        let second = stage(&target, |file| file.write_all(b"two")).unwrap();
        assert_eq!(claim(&second, &target).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), b"one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_target_that_is_a_directory_is_an_error_without_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::create_dir_all(path.join("y")).unwrap();
        let error = write_atomic(&path, b"one").unwrap_err();
        assert!(error.to_string().starts_with("write "), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
