//! Reading back what was written, before anyone is told that it is there.

use futures::TryStreamExt;
use object_store::{GetResult, ObjectStoreExt};
use sha2::{Digest, Sha256};

use super::commit::CommittedFile;
use super::dataset::Dataset;
use super::upload::hexadecimal;
use crate::storage::{Kind, StorageError};

/// Files up to this size are read back whole from any store, larger ones only from local disk: S3 checks the
/// digest of every part itself, and reading gigabytes back would double the traffic.
const READ_BACK_BYTES: u64 = 8 * 1024 * 1024;

/// Whether a file whose upload could not be completed is there all the same: the answer may have been lost, and to a
/// second request the server says that it knows no such upload. The name is the run's own, so nobody else wrote it.
pub(super) async fn arrived(dataset: &Dataset, file: &CommittedFile) -> bool {
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
    if dataset.to.is_local() || file.bytes <= READ_BACK_BYTES {
        let object = dataset.store.get(&path).await.map_err(failed)?;
        if sha256(object).await.map_err(failed)? != file.sha256 {
            return Err(corrupt("its SHA-256 is not that of what was written".to_owned()));
        }
    }
    Ok(())
}

async fn sha256(object: GetResult) -> Result<String, object_store::Error> {
    let hash = object.into_stream().try_fold(Sha256::new(), |mut hash, bytes| async move {
        hash.update(&bytes);
        Ok(hash)
    });
    Ok(hexadecimal(hash.await?))
}
