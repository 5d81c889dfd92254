//! From settings to a client of one bucket. No request is made here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key};
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};

use super::profile::{Files, Profile};
use super::settings::{Credentials, S3Settings, names_someone, options, value};
use super::sound::{before_host, complaint, is_virtual_hosted};
use super::store::S3Store;
use crate::storage::{Kind, StorageError};

/// A request may take this long, body included: a part of 8 MiB fits through a slow uplink, and one that hangs is
/// tried again twice within the budget.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a request is tried again; longer outages are the scheduler's to retry.
const RETRY: Duration = Duration::from_secs(180);
/// Before a request is made again; so many times as long before each further time, and of random length.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
pub(super) const PAUSE_GROWTH: u32 = 3;
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long whoever gives credentials is asked again. Where there is none, this is what finding out takes.
const IDENTITY_RETRY: Duration = Duration::from_secs(5);

/// A client of one bucket; `variables` are the process's.
///
/// # Errors
/// [`Kind::Denied`] for a profile that does not exist, [`Kind::Invalid`] for settings that make no sense.
pub(in crate::storage) fn connect(
    bucket: &str,
    settings: &S3Settings,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<S3Store, StorageError> {
    let mut options = options(settings, variables);
    identify(bucket, settings, &mut options)?;
    if let Some(complaint) = complaint(bucket, &options) {
        return Err(failed(bucket, Kind::Invalid, &complaint));
    }
    let endpoint = value(&options, Key::S3Endpoint).or_else(|| value(&options, Key::Endpoint)).map(str::to_owned);
    let is_plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    if is_plain {
        // Who writes `http:` means it.
        options.push((Key::Client(ClientConfigKey::AllowHttp), "true".to_owned()));
    }
    if let Some(endpoint) = endpoint.filter(|_| is_virtual_hosted(&options)) {
        // The client wants the bucket in it already.
        options.retain(|(key, _)| *key != Key::S3Endpoint);
        options.push((Key::Endpoint, before_host(&endpoint, bucket)));
    }
    if value(&options, Key::Client(ClientConfigKey::Timeout)).is_none() {
        options.push((Key::Client(ClientConfigKey::Timeout), format!("{}s", TIMEOUT.as_secs())));
    }
    let build = |retry: RetryConfig| -> Result<AmazonS3Builder, StorageError> {
        let builder = AmazonS3Builder::new().with_retry(retry);
        let builder = options.iter().fold(builder, |builder, (key, value)| builder.with_config(*key, value));
        Ok(builder.with_bucket_name(bucket))
    };
    let finish = |builder: AmazonS3Builder| -> Result<AmazonS3, StorageError> {
        builder.build().map_err(|error| failed(bucket, Kind::Invalid, &error.to_string()))
    };
    let patience = settings.retry.unwrap_or(RETRY);
    // Credentials are asked for once, by a client that soon gives up.
    let identity = finish(build(retry(patience.min(IDENTITY_RETRY)))?)?;
    let known = |builder: AmazonS3Builder| builder.with_credentials(Arc::clone(identity.credentials()));
    let patient = finish(known(build(retry(patience))?))?;
    let hasty = finish(known(build(retry(Duration::ZERO))?))?;
    Ok(S3Store::new(patient, hasty, settings.read_twice.unwrap_or(is_plain), patience))
}

/// Tries until the budget is spent, with growing pauses of random length.
fn retry(budget: Duration) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { init_backoff: PAUSE, max_backoff: PAUSE_MAX, base: PAUSE_GROWTH.into() },
        max_retries: if budget.is_zero() { 0 } else { usize::MAX },
        retry_timeout: budget,
    }
}

/// Adds keys and region of the profile that is named, or of the usual one where nobody is named.
fn identify(bucket: &str, settings: &S3Settings, options: &mut Vec<(Key, String)>) -> Result<(), StorageError> {
    let (name, file, is_asked_for) = match &settings.credentials {
        Some(Credentials::Profile { name, file }) => (name.clone(), file.as_deref(), true),
        Some(_) => return Ok(()),
        None if names_someone(options) => return Ok(()),
        None => match std::env::var("AWS_PROFILE").ok().filter(|name| !name.is_empty()) {
            Some(name) => (name, None::<&Path>, true),
            None => ("default".to_owned(), None, false),
        },
    };
    let profile = match Files::usual(file).profile(&name) {
        Some(profile) => profile,
        None if is_asked_for => {
            let detail = format!("there is no profile `{name}` in the files of AWS credentials");
            return Err(failed(bucket, Kind::Denied, &detail));
        }
        None => return Ok(()),
    };
    let Profile { access_key_id, secret_access_key, session_token, region } = profile;
    let keys =
        [(Key::AccessKeyId, access_key_id), (Key::SecretAccessKey, secret_access_key), (Key::Token, session_token)];
    if is_asked_for && keys.iter().take(2).any(|(_, key)| key.is_none()) {
        let detail = format!("the profile `{name}` has no `aws_access_key_id` and `aws_secret_access_key`");
        return Err(failed(bucket, Kind::Denied, &detail));
    }
    options.extend(keys.into_iter().filter_map(|(key, value)| Some((key, value?.reveal().to_owned()))));
    if value(options, Key::Region).or_else(|| value(options, Key::DefaultRegion)).is_none() {
        options.extend(region.map(|region| (Key::Region, region)));
    }
    Ok(())
}

fn failed(bucket: &str, kind: Kind, detail: &str) -> StorageError {
    StorageError::new(kind, "connect to", format!("s3://{bucket}"), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(all: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn building_a_client_needs_no_network() {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hidden-build")];
        let store = connect("some-bucket", &S3Settings::default(), variables(&keys)).unwrap();
        assert_eq!(store.to_string(), "AmazonS3(some-bucket)");
    }

    #[test]
    fn half_a_pair_of_keys_and_a_missing_profile_are_errors() {
        let half = connect("b", &S3Settings::default(), variables(&[("AWS_ACCESS_KEY_ID", "AKIA")])).err().unwrap();
        assert_eq!(half.kind(), Kind::Invalid);
        assert!(half.to_string().starts_with("connect to s3://b: "), "{half}");
        let file = Some("/nowhere".into());
        let credentials = Some(Credentials::Profile { name: "pond-of-nobody".to_owned(), file });
        let missing = connect("b", &S3Settings { credentials, ..S3Settings::default() }, variables(&[])).err().unwrap();
        assert_eq!(missing.kind(), Kind::Denied);
        assert!(missing.detail.contains("`pond-of-nobody`"), "{missing}");
    }
}
