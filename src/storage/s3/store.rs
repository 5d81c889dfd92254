//! What a bucket's client does beyond `object_store`'s: it waits for a dead server once and not for every request,
//! reads one version of an object and no other, and where nothing protects what travels, reads it twice.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::client::{PAUSE, PAUSE_GROWTH, PAUSE_MAX};
use super::faults::{Disagreement, Shortened, is_gone_upload, is_transient};
use super::upload::Upload;

/// Tries to read the same twice in a row.
const READS_MAX: usize = 10;
/// More than this is not kept to be compared: whoever reads so much at once streams it and knows its SHA-256.
const COMPARED_BYTES_MAX: u64 = 128 * 1024 * 1024;

#[derive(Debug, Clone)]
pub(in crate::storage) struct S3Store {
    /// Tries again until the budget is spent.
    patient: AmazonS3,
    /// Tries once.
    hasty: AmazonS3,
    /// Whether the last request spent the whole budget, so that no other has to.
    is_down: Arc<AtomicBool>,
    read_twice: bool,
    /// How long a request is tried again.
    patience: Duration,
    /// The version (ETag) of an object that may be read.
    versions: Arc<Mutex<HashMap<Path, String>>>,
}

impl S3Store {
    pub(super) fn new(patient: AmazonS3, hasty: AmazonS3, read_twice: bool, patience: Duration) -> S3Store {
        S3Store { patient, hasty, is_down: Arc::default(), read_twice, patience, versions: Arc::default() }
    }

    /// Makes a request that may well be made twice, and makes it again where the client takes a failure for final:
    /// a connection that breaks while it is under way, an answer that makes no sense.
    pub(super) async fn persist<T, F: Future<Output = Result<T>>>(&self, request: impl Fn(AmazonS3) -> F) -> Result<T> {
        let started = Instant::now();
        let mut pause = PAUSE;
        loop {
            let is_waited_for = !self.is_down.load(Ordering::Relaxed);
            let result = request(self.client().clone()).await;
            let is_worth_it = result.as_ref().err().is_some_and(|error| is_transient(error) && !is_gone_upload(error));
            if !is_worth_it || !is_waited_for || started.elapsed() + pause >= self.patience {
                return self.note(result);
            }
            tokio::time::sleep(pause.mul_f64(rand::random::<f64>() + 0.5)).await;
            pause = (pause * PAUSE_GROWTH).min(PAUSE_MAX);
        }
    }

    pub(super) fn client(&self) -> &AmazonS3 {
        if self.is_down.load(Ordering::Relaxed) { &self.hasty } else { &self.patient }
    }

    pub(super) fn note<T>(&self, result: Result<T>) -> Result<T> {
        match &result {
            Ok(_) => self.is_down.store(false, Ordering::Relaxed),
            Err(error) if is_transient(error) && !is_gone_upload(error) => self.is_down.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        result
    }

    /// One read, whole unless it is too much.
    async fn read(&self, location: &Path, options: GetOptions) -> Result<Read> {
        self.persist(|client| read_once(client, location, options.clone())).await
    }

    /// Reads until two reads in a row agree.
    async fn read_twice(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut before = self.read(location, options.clone()).await;
        for _ in 1..READS_MAX {
            if let Ok(Read::Long(answer)) = before {
                return Ok(answer);
            }
            let again = self.read(location, options.clone()).await;
            match (before?, again) {
                (Read::Missing(error), Ok(Read::Missing(_))) => return Err(error),
                (
                    Read::Whole { meta, range, attributes, bytes },
                    Ok(Read::Whole { meta: m, range: r, bytes: b, .. }),
                ) if is_same(&meta, &m) && range == r && bytes == b => {
                    let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
                    return Ok(GetResult { payload, meta, range, attributes });
                }
                (_, again) => before = again,
            }
        }
        before.and(Err(Disagreement { reads: READS_MAX }.into()))
    }

    async fn list_once(&self, prefix: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        self.persist(|client| async move { client.list(prefix).try_collect().await }).await
    }

    async fn list_whole(self, prefix: Option<Path>) -> Result<Vec<ObjectMeta>> {
        let mut before = self.list_once(prefix.as_ref()).await?;
        if !self.read_twice {
            return Ok(before);
        }
        for _ in 1..READS_MAX {
            let again = self.list_once(prefix.as_ref()).await?;
            if before.len() == again.len() && before.iter().zip(&again).all(|(a, b)| is_same(a, b)) {
                return Ok(again);
            }
            before = again;
        }
        Err(Disagreement { reads: READS_MAX }.into())
    }

    /// From now on this version of the object may be read and no other.
    pub(in crate::storage) fn only(&self, path: Path, version: String) {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(path, version);
    }
}

async fn read_once(client: AmazonS3, location: &Path, options: GetOptions) -> Result<Read> {
    let is_head = options.head;
    let answer = match client.get_opts(location, options).await {
        Ok(answer) => answer,
        Err(Error::NotFound { path, source }) => return Ok(Read::Missing(Error::NotFound { path, source })),
        Err(error) => return Err(error),
    };
    let GetResult { meta, range, attributes, .. } = &answer;
    let (meta, range, attributes) = (meta.clone(), range.clone(), attributes.clone());
    let expected = range.end.saturating_sub(range.start);
    if !is_head && expected > COMPARED_BYTES_MAX {
        return Ok(Read::Long(answer));
    }
    let bytes = if is_head { Bytes::new() } else { answer.bytes().await? };
    if !is_head && bytes.len() as u64 != expected {
        return Err(Shortened { expected, found: bytes.len() as u64 }.into());
    }
    Ok(Read::Whole { meta, range, attributes, bytes })
}

/// What one read gave.
enum Read {
    Whole {
        meta: ObjectMeta,
        range: Range<u64>,
        attributes: Attributes,
        bytes: Bytes,
    },
    /// Too much to be kept.
    Long(GetResult),
    Missing(Error),
}

fn is_same(a: &ObjectMeta, b: &ObjectMeta) -> bool {
    a.location == b.location && a.size == b.size && a.e_tag == b.e_tag
}

impl fmt::Display for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.patient.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        // Whether one that must not overwrite has arrived is for the caller to find out.
        if options.mode != PutMode::Overwrite {
            return self.note(self.client().put_opts(location, payload, options).await);
        }
        let put = |client: AmazonS3| {
            let (payload, options) = (payload.clone(), options.clone());
            async move { client.put_opts(location, payload, options).await }
        };
        self.persist(put).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if options != PutMultipartOptions::default() {
            let (operation, implementer) = ("put_multipart_opts with options".to_owned(), self.to_string());
            return Err(Error::NotImplemented { operation, implementer });
        }
        Ok(Box::new(Upload::begin(self, location).await?))
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        if options.if_match.is_none() {
            let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            options.if_match = versions.get(location).cloned();
        }
        if self.read_twice {
            return self.read_twice(location, options).await;
        }
        let get = |client: AmazonS3| {
            let options = options.clone();
            async move { client.get_opts(location, options).await }
        };
        self.persist(get).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                let delete = |client: AmazonS3| {
                    let location = location.clone();
                    async move { client.delete(&location).await }
                };
                store.persist(delete).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.clone().list_whole(prefix.cloned());
        let items = async move { Ok::<_, Error>(stream::iter(listed.await?.into_iter().map(Ok))) };
        stream::once(items).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.persist(|client| async move { client.list_with_delimiter(prefix).await }).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copy = |client: AmazonS3| {
            let options = options.clone();
            async move { client.copy_opts(from, to, options).await }
        };
        self.persist(copy).await
    }
}
