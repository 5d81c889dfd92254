//! A large file written in parts, under a hidden name until it is complete.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::file::Staged;
use super::store::store_error;

#[derive(Debug)]
pub(super) struct LocalUpload {
    staged: Arc<Staged>,
    target: PathBuf,
    offset: u64,
    done: bool,
}

impl LocalUpload {
    pub(super) fn start(target: &Path) -> io::Result<Self> {
        let staged = Arc::new(Staged::create(target)?);
        Ok(Self { staged, target: target.to_owned(), offset: 0, done: false })
    }
}

fn write_at(file: &fs::File, data: &PutPayload, mut offset: u64) -> io::Result<()> {
    for chunk in data {
        file.write_all_at(chunk, offset)?;
        offset += chunk.len() as u64;
    }
    Ok(())
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.offset;
        self.offset += data.content_length() as u64;
        let (staged, target) = (Arc::clone(&self.staged), self.target.clone());
        Box::pin(async move {
            let write = move || write_at(&staged.file, &data, offset);
            let written = tokio::task::spawn_blocking(write).await?;
            written.map_err(|error| store_error(error, &target))
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let (staged, target) = (Arc::clone(&self.staged), self.target.clone());
        tokio::task::spawn_blocking(move || {
            let placed = staged.file.sync_all().and_then(|()| staged.replace(&target));
            placed.map_err(|error| store_error(error, &target))
        })
        .await??;
        self.done = true;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        self.done = true;
        fs::remove_file(&self.staged.path).map_err(|error| store_error(error, &self.staged.path))
    }
}

/// What was never completed leaves no trace.
impl Drop for LocalUpload {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.staged.path);
        }
    }
}
