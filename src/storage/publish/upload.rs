//! Uploading a local file in parts, hashed on the way, invisible until it is completed.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};

use super::commit::CommittedFile;
use super::dataset::Dataset;
use super::request::{NewFile, Stop};
use crate::storage::StorageError;

/// S3 wants at least 5 MiB a part, and all but the last of one size.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// S3 allows 10,000 parts; larger files get larger parts.
const PARTS_MAX: u64 = 9_000;
/// Parts in flight at a time, which bounds memory.
const PARTS_AT_ONCE: usize = 4;

/// An upload of which only the completion is missing.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) upload: Box<dyn MultipartUpload>,
    pub(super) file: CommittedFile,
}

/// Uploads one file under `name`. On an error, or if the run is to stop, the upload is aborted.
pub(super) async fn stage(
    dataset: &Dataset,
    name: String,
    source: &NewFile,
    stop: &Stop,
) -> Result<Staged, StorageError> {
    let path = dataset.path(&name)?;
    let failed = |error| StorageError::store("write", dataset.to.join(&name), &error);
    let file = File::open(&source.path).map_err(|error| StorageError::io("read", source.path.display(), &error))?;
    let mut upload = dataset.store.put_multipart(&path).await.map_err(failed)?;
    let sent = send(upload.as_mut(), file, || stop.check(&dataset.to)).await.map_err(|error| match error {
        SendError::Source(error) => StorageError::io("read", source.path.display(), &error),
        SendError::Store(error) => failed(error),
        SendError::Stopped(error) => error,
    });
    match sent {
        Ok((bytes, sha256)) => {
            let file = CommittedFile { path: name, bytes, rows: source.rows, sha256 };
            Ok(Staged { upload, file })
        }
        Err(error) => {
            let _ = upload.abort().await; // the first error is the one to tell
            Err(error)
        }
    }
}

enum SendError {
    Source(io::Error),
    Store(object_store::Error),
    Stopped(StorageError),
}

async fn send(
    upload: &mut dyn MultipartUpload,
    file: File,
    check: impl Fn() -> Result<(), StorageError>,
) -> Result<(u64, String), SendError> {
    let size = file.metadata().map_err(SendError::Source)?.len();
    let part_bytes = PART_BYTES.max(size.div_ceil(PARTS_MAX));
    let (mut total, mut hash) = (0, Sha256::new());
    let file = Arc::new(file);
    let mut parts = FuturesUnordered::new();
    loop {
        check().map_err(SendError::Stopped)?;
        let (bytes, hashed) = next_part(Arc::clone(&file), hash, part_bytes).await?;
        hash = hashed;
        if bytes.is_empty() {
            break;
        }
        total += bytes.len() as u64;
        parts.push(upload.put_part(PutPayload::from_bytes(bytes)));
        while parts.len() >= PARTS_AT_ONCE {
            parts.next().await.transpose().map_err(SendError::Store)?;
        }
    }
    while let Some(part) = parts.next().await {
        part.map_err(SendError::Store)?;
    }
    Ok((total, hexadecimal(hash)))
}

/// The next part and the hash so far, off the async threads.
async fn next_part(file: Arc<File>, mut hash: Sha256, part_bytes: u64) -> Result<(Bytes, Sha256), SendError> {
    let read = move || {
        let mut part = Vec::new();
        file.take(part_bytes).read_to_end(&mut part)?;
        hash.update(&part);
        Ok((Bytes::from(part), hash))
    };
    let joined = tokio::task::spawn_blocking(read).await;
    joined.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(SendError::Source)
}

pub(in crate::storage) fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
