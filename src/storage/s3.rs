//! The S3 client, configured by the ordinary `AWS_*` environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};

/// A client for one bucket. Reads keys, region, endpoint and the rest from `AWS_*` (also those of a
/// pod or instance role); no request is made here.
pub(super) fn bucket(name: &str) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry());
    // A part of 8 MiB has to fit through a slow uplink; the client's own limit is 30 seconds.
    if std::env::var_os("AWS_TIMEOUT").is_none() {
        builder = builder.with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), "120s");
    }
    Ok(Arc::new(builder.build()?))
}

/// Six tries within a minute and a half: longer outages are the scheduler's to retry.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(10),
            base: 2.0,
        },
        max_retries: 6,
        retry_timeout: Duration::from_secs(90),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn building_a_client_needs_no_network() {
        let store = bucket("some-bucket").unwrap();
        assert_eq!(store.to_string(), "AmazonS3(some-bucket)");
    }
}
