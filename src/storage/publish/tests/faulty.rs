//! A store that fails, or seems to die, at its n-th operation.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The operation fails, later ones work.
    Fail,
    /// The operation works but reports an error, later ones work.
    FailAfter,
    /// The operation and all later ones fail, as after a crash just before it.
    Crash,
    /// The operation works, all later ones fail, as after a crash just behind it.
    CrashAfter,
    /// Other bytes of the same length are written, and no error is reported.
    Garble,
    /// No commit ever gets through; other operations work.
    NoCommit,
}

/// What somebody else does just before the n-th operation.
type Meanwhile = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    at: usize,
    count: Arc<AtomicUsize>,
    meanwhile: Option<Meanwhile>,
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl Faulty {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, fault: Fault, at: usize) -> Self {
        Self { inner, fault, at, count: Arc::default(), meanwhile: None }
    }

    /// Lets somebody else act just before operation `at` (listings aside).
    pub(super) fn meanwhile<F: Future<Output = ()> + Send + 'static>(
        mut self,
        act: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        self.meanwhile = Some(Arc::new(move || act().boxed()));
        self
    }

    /// Whether the fault was reached.
    pub(super) fn hit(&self) -> bool {
        self.count.load(Ordering::SeqCst) > self.at
    }

    fn error<T>() -> Result<T> {
        Err(Error::Generic { store: "faulty", source: "injected".into() })
    }

    /// Whether to do the operation, and whether to report it as failed.
    fn next(&self) -> (bool, bool) {
        let n = self.count.fetch_add(1, Ordering::SeqCst);
        let crashed = matches!(self.fault, Fault::Crash | Fault::CrashAfter) && n > self.at;
        let now = n == self.at && !matches!(self.fault, Fault::Garble | Fault::NoCommit);
        let after = matches!(self.fault, Fault::FailAfter | Fault::CrashAfter);
        (!(crashed || now && !after), crashed || now)
    }

    async fn operation<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if self.count.load(Ordering::SeqCst) == self.at
            && let Some(meanwhile) = &self.meanwhile
        {
            meanwhile().await;
        }
        let (act, fail) = self.next();
        let result = if act {
            work.await
        } else {
            return Self::error();
        };
        if fail { Self::error() } else { result }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    faulty: Faulty,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let faulty = self.faulty.clone();
        let garble = faulty.fault == Fault::Garble && faulty.count.load(Ordering::SeqCst) == faulty.at;
        let data = if garble { vec![b'?'; data.content_length()].into() } else { data };
        let part = self.inner.put_part(data);
        Box::pin(async move { faulty.operation(part).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.faulty.operation(self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.faulty.operation(self.inner.abort()).await
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, to: &Path, data: PutPayload, options: PutOptions) -> Result<PutResult> {
        if options.mode == PutMode::Create && self.fault == Fault::NoCommit {
            return self.operation(async { Self::error() }).await;
        }
        self.operation(self.inner.put_opts(to, data, options)).await
    }

    async fn put_multipart_opts(&self, to: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.operation(self.inner.put_multipart_opts(to, options)).await?;
        Ok(Box::new(FaultyUpload { inner, faulty: self.clone() }))
    }

    async fn get_opts(&self, from: &Path, options: GetOptions) -> Result<GetResult> {
        self.operation(self.inner.get_opts(from, options)).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let faulty = self.clone();
        let one = move |path: Result<Path>| {
            let faulty = faulty.clone();
            async move {
                let path = path?;
                let delete = object_store::ObjectStoreExt::delete(&faulty.inner, &path);
                faulty.operation(delete).await.map(|()| path)
            }
        };
        paths.then(one).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.next() {
            (_, true) => futures::stream::once(async { Self::error() }).boxed(),
            _ => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.operation(self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.operation(self.inner.copy_opts(from, to, options)).await
    }
}
