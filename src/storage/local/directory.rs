//! A whole directory that appears at once, for content-addressed artifacts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::durable::{create_directories, sync_directory, sync_tree};
use super::file::parent;
use crate::storage::StorageError;

/// Who placed the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// This writer.
    Here,
    /// Another writer was first; its directory stands and ours is dropped.
    Earlier,
}

/// A directory being filled under a temporary name beside its target. Dropped unfinished, it is removed.
#[derive(Debug)]
pub struct AtomicDirectory {
    target: PathBuf,
    staged: Option<PathBuf>,
}

impl AtomicDirectory {
    /// Makes `<target>.tmp-<random>`; missing ancestors are made too. Blocking.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(target: &Path) -> Result<Self, StorageError> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".tmp-{}", Uuid::now_v7().simple()));
        let staged = target.with_file_name(name);
        create_directories(parent(&staged))
            .and_then(|()| fs::create_dir(&staged))
            .map_err(|error| StorageError::io("create", staged.display(), &error))?;
        Ok(Self { target: target.to_owned(), staged: Some(staged) })
    }

    /// Where to write for now.
    pub fn path(&self) -> &Path {
        self.staged.as_deref().unwrap_or(&self.target)
    }

    /// Syncs all that was written and gives the directory its name. The target must name its content,
    /// so that losing the race to another writer loses nothing.
    ///
    /// # Errors
    /// Those of the file system; what was staged is removed.
    pub fn finish(mut self) -> Result<Placed, StorageError> {
        self.place().map_err(|error| StorageError::io("write", self.target.display(), &error))
    }

    /// Like [`AtomicDirectory::finish`], but what was staged wins: where the target is there already, each file takes
    /// the place of its namesake, in the order of their names and `_…` last. Who reads an older file goes on reading it.
    ///
    /// # Errors
    /// Those of the file system; what was staged is removed.
    pub fn replace(mut self) -> Result<(), StorageError> {
        let replaced = match self.place() {
            Ok(Placed::Earlier) => self.place_files(),
            placed => placed.map(drop),
        };
        replaced.map_err(|error| StorageError::io("write", self.target.display(), &error))
    }

    fn place_files(&self) -> io::Result<()> {
        let Some(staged) = &self.staged else { return Ok(()) };
        sync_tree(staged)?;
        let mut names: Vec<_> = fs::read_dir(staged)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.sort_by_key(|name| (name.as_encoded_bytes().starts_with(b"_"), name.clone()));
        for name in names {
            fs::rename(staged.join(&name), self.target.join(&name))?;
        }
        sync_directory(&self.target)
    }

    fn place(&mut self) -> io::Result<Placed> {
        let Some(staged) = self.staged.clone() else {
            return Ok(Placed::Here);
        };
        if self.target.is_dir() {
            return Ok(Placed::Earlier); // even an empty one, which a rename would replace
        }
        sync_tree(&staged)?;
        match fs::rename(&staged, &self.target) {
            Ok(()) => {
                self.staged = None;
                sync_directory(parent(&self.target))?;
                Ok(Placed::Here)
            }
            Err(_) if self.target.is_dir() => Ok(Placed::Earlier),
            Err(error) => Err(error),
        }
    }
}

impl Drop for AtomicDirectory {
    fn drop(&mut self) {
        if let Some(staged) = &self.staged {
            let _ = fs::remove_dir_all(staged);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_appears_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/b");
        let atomic = AtomicDirectory::create(&target).unwrap();
        fs::create_dir(atomic.path().join("sub")).unwrap();
        fs::write(atomic.path().join("sub/x"), "x").unwrap();
        assert!(!target.exists());
        assert_eq!(atomic.finish().unwrap(), Placed::Here);
        assert_eq!(fs::read_to_string(target.join("sub/x")).unwrap(), "x");
        assert_eq!(fs::read_dir(dir.path().join("a")).unwrap().count(), 1);
    }

    fn race(target: &Path, writer: usize) -> Placed {
        let atomic = AtomicDirectory::create(target).unwrap();
        fs::write(atomic.path().join("x"), format!("{writer}")).unwrap();
        atomic.finish().unwrap()
    }

    #[test]
    fn one_of_many_writers_wins_and_the_others_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = &dir.path().join("digest");
        let placed: Vec<Placed> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8).map(|n| scope.spawn(move || race(target, n))).collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(placed.iter().filter(|placed| **placed == Placed::Here).count(), 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_is_there_is_replaced_file_by_file() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("a"), "old").unwrap();
        let mut reader = fs::File::open(target.join("a")).unwrap();
        let atomic = AtomicDirectory::create(&target).unwrap();
        for name in ["_meta", "a", "b"] {
            fs::write(atomic.path().join(name), "new").unwrap();
        }
        atomic.replace().unwrap();
        for name in ["_meta", "a", "b"] {
            assert_eq!(fs::read_to_string(target.join(name)).unwrap(), "new");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "old");
    }

    #[test]
    fn an_unfinished_directory_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        drop(AtomicDirectory::create(&dir.path().join("x")).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
