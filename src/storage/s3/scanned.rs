//! How polars reads from S3: by our client, at addresses that only this process understands.
//!
//! polars has an S3 client of its own. It never gives up on an answer that stalls, would need every setting twice, and
//! could not be told to read one version of a file, or to read it twice. It does take object stores for schemes that
//! it does not know, so buckets have addresses `patronage://<number>.<bucket>/<key>` for it, and pushdown and
//! streaming are as they are for its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use object_store::ObjectStore;
use polars::io::cloud::{CloudOptions, ExtObjectStoreBuilder, register_object_store_builder};
use polars::polars_utils::pl_path::{_allow_ext_scheme, PlRefPath};
use polars::prelude::{PolarsError, PolarsResult};

use super::store::S3Store;

const SCHEME: &str = "patronage";

/// The stores that polars may ask for. They are common to the process because polars' register of schemes is.
static STORES: LazyLock<RwLock<HashMap<String, Arc<S3Store>>>> = LazyLock::new(RwLock::default);
static NEXT: AtomicU64 = AtomicU64::new(0);
static READY: LazyLock<Result<(), String>> = LazyLock::new(|| {
    let ready = _allow_ext_scheme(SCHEME).and_then(|()| register_object_store_builder(SCHEME, Arc::new(Stores)));
    ready.map_err(|error| error.to_string())
});

#[derive(Debug)]
struct Stores;

impl ExtObjectStoreBuilder for Stores {
    fn build(&self, url: &PlRefPath, _: Option<&CloudOptions>) -> PolarsResult<Arc<dyn ObjectStore + Send + Sync>> {
        let unknown = || PolarsError::ComputeError(format!("no bucket is known for {url}").into());
        let (authority, _) = url.strip_scheme_split_authority().ok_or_else(unknown)?;
        let stores = STORES.read().unwrap_or_else(PoisonError::into_inner);
        let store = stores.get(authority).map(|store| Arc::clone(store) as Arc<dyn ObjectStore + Send + Sync>);
        store.ok_or_else(unknown)
    }
}

/// The address of a bucket for polars, which reads it by this client from now on.
pub(in crate::storage) fn address(bucket: &str, client: Arc<S3Store>) -> Result<String, String> {
    READY.clone()?;
    let authority = format!("{}.{bucket}", NEXT.fetch_add(1, Ordering::Relaxed));
    let address = format!("{SCHEME}://{authority}");
    STORES.write().unwrap_or_else(PoisonError::into_inner).insert(authority, client);
    Ok(address)
}

/// The bucket in an error of polars, as the user knows it.
pub(in crate::storage) fn bucket_of(address: &str) -> Option<String> {
    let (authority, _) = address.strip_prefix(SCHEME)?.strip_prefix("://")?.split_once('/')?;
    Some(format!("s3://{}", authority.split_once('.')?.1))
}
