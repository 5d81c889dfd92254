//! An upload in parts that notes an outage as every other request does, so that it is waited for once.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{Error, MultipartId, MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::store::S3Store;

#[derive(Debug)]
pub(super) struct Upload {
    target: Arc<Target>,
    /// Parts begun.
    parts: usize,
}

/// What every part needs to know.
#[derive(Debug)]
struct Target {
    store: S3Store,
    path: Path,
    id: MultipartId,
    /// Parts that have arrived, by number.
    arrived: Mutex<Vec<(usize, PartId)>>,
}

impl Upload {
    pub(super) async fn begin(store: &S3Store, path: &Path) -> Result<Upload> {
        let id = store.persist(|client| async move { client.create_multipart(path).await }).await?;
        let target = Target { store: store.clone(), path: path.clone(), id, arrived: Mutex::default() };
        Ok(Upload { target: Arc::new(target), parts: 0 })
    }
}

impl Target {
    async fn send(&self, number: usize, data: PutPayload) -> Result<()> {
        // A part that arrives twice counts once.
        let put = |client: AmazonS3| {
            let data = data.clone();
            async move { client.put_part(&self.path, &self.id, number, data).await }
        };
        let part = self.store.persist(put).await?;
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push((number, part));
        Ok(())
    }

    /// The parts in their order, if none is missing.
    fn parts(&self, expected: usize) -> Result<Vec<PartId>> {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone();
        arrived.sort_unstable_by_key(|(number, _)| *number);
        if arrived.len() != expected {
            return Err(Error::Generic { store: "S3", source: "a part of the upload has not arrived".into() });
        }
        Ok(arrived.into_iter().map(|(_, part)| part).collect())
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (target, number) = (Arc::clone(&self.target), self.parts);
        self.parts += 1;
        Box::pin(async move { target.send(number, data).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let Target { store, path, id, .. } = &*self.target;
        let parts = self.target.parts(self.parts)?;
        // Where it is complete although the answer was lost, the upload is gone the next time: that is for the caller to
        // find out.
        let complete = |client: AmazonS3| {
            let parts = parts.clone();
            async move { client.complete_multipart(path, id, parts).await }
        };
        store.persist(complete).await
    }

    async fn abort(&mut self) -> Result<()> {
        let Target { store, path, id, .. } = &*self.target;
        store.persist(|client| async move { client.abort_multipart(path, id).await }).await
    }
}
