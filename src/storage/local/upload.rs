//! A large file written in parts, under a hidden name until it is complete.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::durable::create_directories;
use super::file::{parent, replace, staged_path};
use super::store::store_error;

#[derive(Debug)]
pub(super) struct LocalUpload {
    file: Arc<File>,
    staged: PathBuf,
    target: PathBuf,
    offset: u64,
    done: bool,
}

impl LocalUpload {
    pub(super) fn start(target: &Path) -> io::Result<Self> {
        let staged = staged_path(target)?;
        create_directories(parent(&staged))?;
        let file = Arc::new(File::create_new(&staged)?);
        Ok(Self { file, staged, target: target.to_owned(), offset: 0, done: false })
    }
}

fn write_at(file: &File, data: &PutPayload, mut offset: u64) -> io::Result<()> {
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
        let (file, target) = (Arc::clone(&self.file), self.target.clone());
        Box::pin(async move {
            let write = move || write_at(&file, &data, offset);
            let written = tokio::task::spawn_blocking(write).await?;
            written.map_err(|error| store_error(error, &target))
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let file = Arc::clone(&self.file);
        let (staged, target) = (self.staged.clone(), self.target.clone());
        tokio::task::spawn_blocking(move || {
            file.sync_all().and_then(|()| replace(&staged, &target)).map_err(|error| store_error(error, &target))
        })
        .await??;
        self.done = true;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        self.done = true;
        fs::remove_file(&self.staged).map_err(|error| store_error(error, &self.staged))
    }
}

/// What was never completed leaves no trace.
impl Drop for LocalUpload {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.staged);
        }
    }
}
