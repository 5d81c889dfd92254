//! What locations have in common: the project that relative paths start from, and how S3 is reached.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use object_store::ObjectStore;
use object_store::path::Path;

use super::s3::{self, S3Settings, S3Store};
use super::{Kind, Location, StorageError};

/// Gives locations. Clones share one client for each bucket.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    root: PathBuf,
    s3: S3Settings,
    buckets: Mutex<HashMap<String, Arc<Bucket>>>,
}

impl Places {
    /// `root`: the project's. Touches neither disk nor network.
    pub fn new(root: &FilePath, s3: S3Settings) -> Places {
        Places(Arc::new(Inner { root: root.to_owned(), s3, buckets: Mutex::default() }))
    }

    /// Where nothing is said about S3, so that the `AWS_*` variables alone count.
    pub fn of(root: &FilePath) -> Places {
        Places::new(root, S3Settings::default())
    }

    /// Reads `s3://bucket/prefix`, `file:///path`, an absolute path or a path relative to the project. Touches neither
    /// disk nor network.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for another scheme, a missing bucket, credentials in the address, or `..` in a key.
    pub fn location(&self, text: &str) -> Result<Location, StorageError> {
        Location::read(text, &self.0.root, |name| {
            let mut buckets = self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Bucket { name: name.to_owned(), s3: self.0.s3.clone(), client: OnceLock::new() });
            Arc::clone(buckets.entry(name.to_owned()).or_insert_with(new))
        })
    }

    /// Whether a text is that of a place in S3.
    pub fn is_remote(text: &str) -> bool {
        text.starts_with("s3://") || text.starts_with("s3a://")
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Places").field(&self.0.root).finish()
    }
}

/// A bucket, whose client is made when it is first needed.
pub(super) struct Bucket {
    name: String,
    s3: S3Settings,
    client: OnceLock<Client>,
}

struct Client {
    store: Arc<S3Store>,
    /// The bucket's address for polars.
    address: String,
}

impl Bucket {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn client(&self) -> Result<Arc<dyn ObjectStore>, StorageError> {
        let client = self.connected()?;
        Ok(Arc::clone(&client.store) as Arc<dyn ObjectStore>)
    }

    /// The bucket's address for polars.
    pub(super) fn scanned(&self) -> Result<&str, StorageError> {
        Ok(&self.connected()?.address)
    }

    pub(super) fn only(&self, path: Path, version: &str) -> Result<(), StorageError> {
        self.connected()?.store.only(path, version.to_owned());
        Ok(())
    }

    fn connected(&self) -> Result<&Client, StorageError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let store = Arc::new(s3::connect(&self.name, &self.s3, std::env::vars_os().filter_map(text))?);
        let failed = |detail| StorageError::new(Kind::Other, "connect to", format!("s3://{}", self.name), detail);
        let address = s3::address(&self.name, Arc::clone(&store)).map_err(failed)?;
        Ok(self.client.get_or_init(|| Client { store, address }))
    }
}

/// Variables that are no text are none of S3's.
fn text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}
