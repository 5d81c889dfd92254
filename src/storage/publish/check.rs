//! Reading back what was written: before anyone is told that it is there, and whenever someone doubts it.

use std::io::Read;

use futures::TryStreamExt;
use object_store::{GetResult, GetResultPayload, ObjectStoreExt};
use sha2::{Digest, Sha256};

use super::commit::CommittedFile;
use super::dataset::Dataset;
use super::upload::hexadecimal;
use crate::storage::{Kind, StorageError};

/// Files up to this size are read back whole from any store, larger ones only from local disk: S3 checks the
/// digest of every part itself, and reading gigabytes back would double the traffic.
const READ_BACK_BYTES: u64 = 8 * 1024 * 1024;

/// What a local file is read in.
const BLOCK_BYTES: usize = 256 * 1024;

/// Whether a file whose upload could not be completed is there all the same: the answer may have been lost, and to a
/// second request the server says that it knows no such upload. The name is the run's own, so nobody else wrote it.
/// No answer of the local disk is lost: a file that is there after an error may not be there for good.
pub(super) async fn arrived(dataset: &Dataset, file: &CommittedFile) -> bool {
    if dataset.to.is_local() {
        return false;
    }
    let Ok(path) = dataset.path(&file.path) else { return false };
    dataset.store.head(&path).await.is_ok_and(|meta| meta.size == file.bytes)
}

/// Checks the size of a written file, and its SHA-256 where that is cheap.
pub(super) async fn check(dataset: &Dataset, file: &CommittedFile) -> Result<(), StorageError> {
    let path = dataset.path(&file.path)?;
    let failed = |error| StorageError::store("read back", dataset.to.join(&file.path), &error);
    let meta = dataset.store.head(&path).await.map_err(failed)?;
    let corrupt = |detail: String| StorageError::new(Kind::Corrupt, "read back", dataset.to.join(&file.path), detail);
    if meta.size != file.bytes {
        return Err(corrupt(format!("it has {} bytes instead of {}", meta.size, file.bytes)));
    }
    let is_cheap = dataset.to.is_local() || file.bytes <= READ_BACK_BYTES;
    if is_cheap && digest(dataset, file).await? != file.sha256 {
        return Err(corrupt("its SHA-256 is not that of what was written".to_owned()));
    }
    Ok(())
}

/// The SHA-256 of a file of a dataset as it is now, however large the file is in little memory.
pub(super) async fn digest(dataset: &Dataset, file: &CommittedFile) -> Result<String, StorageError> {
    let failed = |error| StorageError::store("read back", dataset.to.join(&file.path), &error);
    let object = dataset.store.get(&dataset.path(&file.path)?).await.map_err(failed)?;
    sha256(object).await.map_err(failed)
}

async fn sha256(object: GetResult) -> Result<String, object_store::Error> {
    if let GetResultPayload::File(file, _) = object.payload {
        // As a stream it would come in blocks of 8 KiB, each from another thread.
        let read = move || local_sha256(file);
        let hashed = tokio::task::spawn_blocking(read).await?;
        return hashed.map_err(|error| object_store::Error::Generic { store: "local files", source: error.into() });
    }
    let hash = object.into_stream().try_fold(Sha256::new(), |mut hash, bytes| async move {
        hash.update(&bytes);
        Ok(hash)
    });
    Ok(hexadecimal(hash.await?))
}

fn local_sha256(mut file: std::fs::File) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hexadecimal(hash)),
            read => hash.update(block.get(..read).unwrap_or_default()),
        }
    }
}
