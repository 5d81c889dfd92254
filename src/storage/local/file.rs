//! One file, whole or absent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::durable::{create_directories, sync_directory};
use super::lock::hold;
use crate::storage::StorageError;

/// Replaces the file at `path` by `bytes`: readers, and a crash at any moment, see the old file or the new.
/// Missing directories are made. Blocking.
///
/// # Errors
/// Those of the file system; nothing is left behind.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    stage(path, |file| file.write_all(bytes))
        .and_then(|staged| staged.replace(path))
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

/// A hidden file beside its target, locked as long as this lives: what is found unlocked is litter.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl Staged {
    /// An empty one; missing directories are made.
    pub(super) fn create(target: &Path) -> io::Result<Staged> {
        loop {
            let path = staged_path(target)?;
            create_directories(parent(&path))?;
            let file = File::create_new(&path)?;
            if discard_on_error(&path, hold(&file, &path))? {
                return Ok(Staged { file, path });
            }
        }
    }

    /// Gives it its name, in place of what may be there.
    pub(super) fn replace(&self, target: &Path) -> io::Result<()> {
        discard_on_error(&self.path, fs::rename(&self.path, target))?;
        sync_directory(parent(target))
    }

    /// Gives it its name, unless that is taken (`AlreadyExists`). A link, because a rename overwrites.
    pub(super) fn claim(&self, target: &Path) -> io::Result<()> {
        discard_on_error(&self.path, fs::hard_link(&self.path, target))?;
        // The link is made: a staging name that stays behind is only litter.
        let _ = fs::remove_file(&self.path);
        sync_directory(parent(target))
    }
}

/// Writes a synced, hidden file beside `target`, from where it can be given its name.
pub(super) fn stage(target: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Staged> {
    let mut staged = Staged::create(target)?;
    let written = write(&mut staged.file).and_then(|()| staged.file.sync_all());
    discard_on_error(&staged.path, written)?;
    Ok(staged)
}

/// `.name.<random>.tmp` beside the target: hidden, and on the same file system.
fn staged_path(target: &Path) -> io::Result<PathBuf> {
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
        stage(&target, |file| file.write_all(b"one")).unwrap().claim(&target).unwrap();
        let second = stage(&target, |file| file.write_all(b"two")).unwrap();
        assert_eq!(second.claim(&target).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
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
