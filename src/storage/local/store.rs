//! The local file system as an object store whose writes survive a power cut.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::file::stage;
use super::upload::LocalUpload;

/// Reads and lists as `object_store` does; writes are synced before they get their name, and so is the name.
#[derive(Debug, Default)]
pub struct DurableFileSystem {
    inner: LocalFileSystem,
}

impl DurableFileSystem {
    fn target(&self, location: &Path) -> Result<PathBuf> {
        self.inner.path_to_filesystem(location)
    }
}

impl fmt::Display for DurableFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local files")
    }
}

/// An I/O error in `object_store`'s terms; the operating system's own stays its source.
pub(super) fn store_error(error: io::Error, path: &FilePath) -> Error {
    let path = path.display().to_string();
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path, source: error.into() },
        io::ErrorKind::AlreadyExists => Error::AlreadyExists { path, source: error.into() },
        io::ErrorKind::PermissionDenied => Error::PermissionDenied { path, source: error.into() },
        _ => Error::Generic { store: "local files", source: error.into() },
    }
}

fn put(target: &FilePath, payload: &PutPayload, mode: &PutMode) -> io::Result<()> {
    let staged = stage(target, |file| payload.iter().try_for_each(|chunk| file.write_all(chunk)))?;
    match mode {
        PutMode::Create => staged.claim(target),
        _ => staged.replace(target),
    }
}

#[async_trait]
impl ObjectStore for DurableFileSystem {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if matches!(options.mode, PutMode::Update(_)) {
            let operation = "a conditional update".to_owned();
            return Err(Error::NotImplemented { operation, implementer: self.to_string() });
        }
        let target = self.target(location)?;
        tokio::task::spawn_blocking(move || {
            put(&target, &payload, &options.mode).map_err(|error| store_error(error, &target))
        })
        .await??;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let target = self.target(location)?;
        let upload = tokio::task::spawn_blocking(move || {
            LocalUpload::start(&target).map_err(|error| store_error(error, &target))
        })
        .await??;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
