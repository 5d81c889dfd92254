//! How S3 is reached: what the environment file says, and where it is silent what the `AWS_*` variables say.

use std::path::PathBuf;
use std::time::Duration;

use object_store::ClientConfigKey;
use object_store::aws::AmazonS3ConfigKey as Key;

use crate::storage::redact::Hidden;

/// What the environment file says; what is left out is taken from the `AWS_*` variables.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    pub endpoint: Option<String>,
    pub region: Option<String>,
    /// Whether the bucket stands in the path and not before the host.
    pub path_style: Option<bool>,
    pub credentials: Option<Credentials>,
    pub encryption: Option<Encryption>,
    pub request_timeout: Option<Duration>,
    /// How long a request is tried again.
    pub retry: Option<Duration>,
    /// Whether what is read is read twice and compared.
    pub read_twice: Option<bool>,
}

/// Who is asking.
#[derive(Debug, Clone)]
pub enum Credentials {
    Keys { access_key_id: Hidden, secret_access_key: Hidden, session_token: Option<Hidden> },
    Profile { name: String, file: Option<PathBuf> },
    WebIdentity { token_file: PathBuf, role_arn: String, session_name: Option<String>, endpoint: Option<String> },
    InstanceMetadata { endpoint: Option<String>, version_1: bool },
}

/// How the server encrypts what is written.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// As S3 calls it: `AES256`, `aws:kms`, `aws:kms:dsse`.
    pub algorithm: &'static str,
    pub kms_key_id: Option<String>,
    pub bucket_key: Option<bool>,
}

/// The settings in `object_store`'s terms: the variables (of which only those that start with `AWS_` count) first,
/// what wins over them after them.
pub(super) fn options(settings: &S3Settings, variables: impl Iterator<Item = (String, String)>) -> Vec<(Key, String)> {
    let key = |name: &str| name.starts_with("AWS_").then(|| name.to_ascii_lowercase().parse::<Key>().ok()).flatten();
    let mut options: Vec<(Key, String)> = variables
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((key(&name)?, value)))
        .filter(|(key, _)| !is_replaced(settings, key))
        .collect();
    let mut set = |key: Key, value: Option<String>| options.extend(value.map(|value| (key, value)));
    set(Key::Endpoint, settings.endpoint.clone());
    set(Key::Region, settings.region.clone());
    set(Key::VirtualHostedStyleRequest, settings.path_style.map(|path| (!path).to_string()));
    let timeout = settings.request_timeout.map(|timeout| format!("{}s", timeout.as_secs()));
    set(Key::Client(ClientConfigKey::Timeout), timeout);
    match &settings.credentials {
        Some(Credentials::Keys { access_key_id, secret_access_key, session_token }) => {
            set(Key::AccessKeyId, Some(access_key_id.reveal().to_owned()));
            set(Key::SecretAccessKey, Some(secret_access_key.reveal().to_owned()));
            set(Key::Token, session_token.as_ref().map(|token| token.reveal().to_owned()));
        }
        Some(Credentials::WebIdentity { token_file, role_arn, session_name, endpoint }) => {
            set(Key::WebIdentityTokenFile, Some(token_file.display().to_string()));
            set(Key::RoleArn, Some(role_arn.clone()));
            set(Key::RoleSessionName, session_name.clone());
            set(Key::StsEndpoint, endpoint.clone());
        }
        Some(Credentials::InstanceMetadata { endpoint, version_1 }) => {
            set(Key::MetadataEndpoint, endpoint.clone());
            set(Key::ImdsV1Fallback, version_1.then(|| "true".to_owned()));
        }
        Some(Credentials::Profile { .. }) | None => {}
    }
    if let Some(Encryption { algorithm, kms_key_id, bucket_key }) = &settings.encryption {
        let bucket_key = bucket_key.map(|bucket_key| bucket_key.to_string());
        // These keys have no public name but that of their variables.
        let named = [
            ("aws_server_side_encryption", Some((*algorithm).to_owned())),
            ("aws_sse_kms_key_id", kms_key_id.clone()),
            ("aws_sse_bucket_key_enabled", bucket_key),
        ];
        options.extend(named.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value?))));
    }
    options
}

/// Whether a variable has nothing more to say, since the environment file says all that it is about: half of one
/// identity and half of another would be nobody's.
fn is_replaced(settings: &S3Settings, key: &Key) -> bool {
    match key {
        Key::Endpoint | Key::S3Endpoint => settings.endpoint.is_some(),
        Key::Region | Key::DefaultRegion => settings.region.is_some(),
        Key::Encryption(_) => settings.encryption.is_some(),
        // The address says which bucket.
        Key::Bucket => true,
        key => settings.credentials.is_some() && is_identity(key),
    }
}

fn is_identity(key: &Key) -> bool {
    matches!(
        key,
        Key::AccessKeyId
            | Key::SecretAccessKey
            | Key::Token
            | Key::WebIdentityTokenFile
            | Key::RoleArn
            | Key::RoleSessionName
            | Key::StsEndpoint
            | Key::ContainerCredentialsRelativeUri
            | Key::ContainerCredentialsFullUri
            | Key::ContainerAuthorizationTokenFile
            | Key::MetadataEndpoint
            | Key::ImdsV1Fallback
            | Key::SkipSignature
    )
}

/// Whether the options say who is asking, so that no profile needs to be looked for.
pub(super) fn names_someone(options: &[(Key, String)]) -> bool {
    let has = |wanted: Key| options.iter().any(|(key, _)| *key == wanted);
    has(Key::AccessKeyId)
        || has(Key::SecretAccessKey)
        || (has(Key::WebIdentityTokenFile) && has(Key::RoleArn))
        || has(Key::ContainerCredentialsRelativeUri)
        || has(Key::ContainerCredentialsFullUri)
        || has(Key::SkipSignature)
}

/// The last value of an option: the one that counts.
pub(super) fn value(options: &[(Key, String)], wanted: Key) -> Option<&str> {
    options.iter().rev().find(|(key, _)| *key == wanted).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> impl Iterator<Item = (String, String)> {
        let all = [
            ("AWS_ACCESS_KEY_ID", "AKIAENV"),
            ("AWS_SECRET_ACCESS_KEY", "hidden-env"),
            ("AWS_ENDPOINT_URL_S3", "http://env:1"),
            ("AWS_REGION", "env-1"),
            ("AWS_BUCKET", "another"),
            ("AWS_NO_SUCH_THING", "x"),
            ("REGION", "not-ours"),
        ];
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    #[test]
    fn variables_alone_are_enough() {
        let options = options(&S3Settings::default(), variables());
        assert_eq!(value(&options, Key::AccessKeyId), Some("AKIAENV"));
        assert_eq!(value(&options, Key::S3Endpoint), Some("http://env:1"));
        assert_eq!(value(&options, Key::Region), Some("env-1"));
        assert_eq!(value(&options, Key::Bucket), None);
        assert!(names_someone(&options));
    }

    #[test]
    fn what_the_environment_file_says_wins() {
        let settings = S3Settings {
            endpoint: Some("http://file:1".to_owned()),
            region: Some("file-1".to_owned()),
            path_style: Some(false),
            credentials: Some(Credentials::InstanceMetadata { endpoint: None, version_1: false }),
            ..S3Settings::default()
        };
        let options = options(&settings, variables());
        let of = |key| value(&options, key);
        assert_eq!((of(Key::Endpoint), of(Key::S3Endpoint)), (Some("http://file:1"), None));
        assert_eq!((of(Key::Region), of(Key::VirtualHostedStyleRequest)), (Some("file-1"), Some("true")));
        assert_eq!((of(Key::AccessKeyId), of(Key::SecretAccessKey)), (None, None));
        assert!(!names_someone(&options));
    }

    #[test]
    fn encryption_is_the_variables_or_the_files_and_no_mixture() {
        let encryption = Encryption { algorithm: "aws:kms", kms_key_id: None, bucket_key: Some(true) };
        let settings = S3Settings { encryption: Some(encryption), ..S3Settings::default() };
        let variable = || [("AWS_SSE_KMS_KEY_ID".to_owned(), "key".to_owned())].into_iter();
        let encrypted = |settings: &S3Settings| -> Vec<(String, String)> {
            let all = options(settings, variable()).into_iter();
            all.map(|(key, value)| (key.as_ref().to_owned(), value)).collect()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [pair("aws_server_side_encryption", "aws:kms"), pair("aws_sse_bucket_key_enabled", "true")];
        assert_eq!(encrypted(&settings), expected);
        assert_eq!(encrypted(&S3Settings::default()), [pair("aws_sse_kms_key_id", "key")]);
    }

    #[test]
    fn debug_shows_no_key() {
        let secret = || Hidden::new("hidden-in-debug".to_owned());
        let keys = Credentials::Keys { access_key_id: secret(), secret_access_key: secret(), session_token: None };
        let settings = S3Settings { credentials: Some(keys), ..S3Settings::default() };
        assert!(!format!("{settings:?}").contains("hidden-in-debug"));
        assert_eq!(value(&options(&settings, variables()), Key::AccessKeyId), Some("hidden-in-debug"));
    }
}
