//! How an environment says that S3 is reached. Keys are referred to and never written.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use url::{Host, Url};

use super::secret::{SecretRef, without_what_was_found, written_out};
use super::yaml::{self, Node, Value};
use crate::problem::{Code, Problem};

/// How S3 is reached. What is left out is taken from the `AWS_*` variables, as other programs take it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct S3Spec {
    /// The server, `https://host` or `http://host:port`; without it, that of AWS for the region.
    #[schemars(regex(pattern = "^https?://[^/?#@:\\s][^/?#@\\s]*/?$"), extend("x-expected" = "an address such as `https://host:9000`"))]
    pub endpoint: Option<String>,
    /// The region; `us-east-1` by default.
    #[schemars(length(min = 1))]
    pub region: Option<String>,
    /// Whether the bucket stands in the path (`https://host/bucket/key`, the default) or before the host
    /// (`https://bucket.host/key`).
    pub path_style: Option<bool>,
    /// Who is asking. Without it the `AWS_*` variables say it, else the profile of the AWS files, else the role of the
    /// container or the machine.
    pub credentials: Option<CredentialsSpec>,
    /// How the server encrypts what is written.
    pub encryption: Option<EncryptionSpec>,
    /// How long a request may take.
    #[schemars(range(min = 1, max = 3600))]
    pub request_timeout_seconds: Option<u32>,
    /// How long a request that fails for the moment is tried again.
    #[schemars(range(max = 3600))]
    pub retry_seconds: Option<u32>,
    /// Whether whatever is read is read twice and compared; by default where the endpoint is `http:`, since nothing
    /// else then finds a flipped bit.
    pub read_twice: Option<bool>,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialsSpec {
    /// A pair of keys.
    Keys(KeysSpec),
    /// A profile of the AWS files.
    Profile(ProfileSpec),
    /// A role, for the token that a cluster puts into a file.
    WebIdentity(WebIdentitySpec),
    /// The role of the machine, from its metadata service.
    InstanceMetadata(MetadataSpec),
}

/// A pair of keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysSpec {
    /// Where the access key is.
    pub access_key_id: SecretRef,
    /// Where its secret is.
    pub secret_access_key: SecretRef,
    /// Where the token is that temporary keys come with.
    #[serde(default)]
    pub session_token: Option<SecretRef>,
}

/// A profile of the AWS files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileSpec {
    /// The profile's name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The file of credentials, relative to the project; `~/.aws/credentials` by default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub file: Option<String>,
}

/// A role, for a token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebIdentitySpec {
    /// The file that holds the token, relative to the project.
    #[schemars(length(min = 1))]
    pub token_file: String,
    /// The role to assume.
    #[schemars(length(min = 1))]
    pub role_arn: String,
    /// How the session is named in the service's log.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub session_name: Option<String>,
    /// The service that gives keys for tokens, always by `https:`; that of AWS for the region by default.
    #[serde(default)]
    #[schemars(regex(pattern = "^https://[^/?#@:\\s][^/?#@\\s]*/?$"), extend("x-expected" = "an address such as `https://host`"))]
    pub endpoint: Option<String>,
}

/// The machine's metadata service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MetadataSpec {
    /// The service; `http://169.254.169.254` by default.
    #[schemars(regex(pattern = "^https?://[^/?#@:\\s][^/?#@\\s]*/?$"), extend("x-expected" = "an address such as `https://host:9000`"))]
    pub endpoint: Option<String>,
    /// Whether version 1 of the service will do where version 2 is refused.
    pub version_1: bool,
}

/// How the server encrypts what is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncryptionSpec {
    /// With which keys.
    #[serde(rename = "type")]
    pub kind: EncryptionType,
    /// The key of the key management service, for `kms` and `kms_dual`; the account's own by default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub key_id: Option<String>,
    /// Whether one key is derived for the bucket, which saves requests to the key management service.
    #[serde(default)]
    pub bucket_key: Option<bool>,
}

/// With which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncryptionType {
    /// Keys of the server (SSE-S3).
    S3,
    /// Keys of the key management service (SSE-KMS).
    Kms,
    /// Two layers of them (DSSE-KMS).
    KmsDual,
}

/// Reads the `s3` of an environment; problems are placed below it and repeat no text that could be a key.
pub fn read(node: &Node) -> Result<S3Spec, Vec<Problem>> {
    let mut secrets = Vec::new();
    if let Some(keys) = node.get("credentials").and_then(|credentials| credentials.get("keys")) {
        for key in ["access_key_id", "secret_access_key", "session_token"] {
            secrets.extend(written_out(keys, key).map(|problem| problem.under("keys").under("credentials")));
        }
    }
    for (path, address) in addresses(node) {
        if address.contains('@') {
            let message = "an address with a user or password in it; keys belong under `credentials`";
            secrets.push(Problem::new(Code::BadSecret, message).at(path));
        }
    }
    if !secrets.is_empty() {
        return Err(secrets);
    }
    let problems = yaml::validate(node, schema_for!(S3Spec).as_value());
    if !problems.is_empty() {
        return Err(problems.into_iter().map(without_what_was_found).collect());
    }
    let spec: S3Spec = serde_json::from_value(yaml::to_json(node))
        .map_err(|_| vec![Problem::new(Code::BadValue, "S3 is not described in a way that can be read")])?;
    if spec.path_style == Some(false) && spec.endpoint.as_deref().is_some_and(is_of_numbers) {
        let message = "no bucket can stand before a host of numbers: leave `path_style` out, or give the host's name";
        return Err(vec![Problem::new(Code::BadValue, message).at(["path_style"])]);
    }
    match &spec.encryption {
        Some(encryption) if encryption.kind == EncryptionType::S3 => {
            let ignored = [("key_id", encryption.key_id.is_some()), ("bucket_key", encryption.bucket_key.is_some())];
            let named = ignored.into_iter().filter(|(_, given)| *given).map(|(key, _)| {
                let message = format!("`{key}` goes with keys of the key management service, `type: kms`");
                Problem::new(Code::BadValue, message).at(["encryption", key])
            });
            let named: Vec<Problem> = named.collect();
            if named.is_empty() { Ok(spec) } else { Err(named) }
        }
        _ => Ok(spec),
    }
}

fn is_of_numbers(endpoint: &str) -> bool {
    let url = Url::parse(endpoint).ok();
    url.is_some_and(|url| matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_))))
}

/// Every address that may be given, with its place.
fn addresses(node: &Node) -> Vec<(Vec<&'static str>, &str)> {
    const PLACES: [&[&str]; 3] = [
        &["endpoint"],
        &["credentials", "web_identity", "endpoint"],
        &["credentials", "instance_metadata", "endpoint"],
    ];
    let text = |path: &&[&'static str]| {
        let found = path.iter().try_fold(node, |node, key| node.get(key))?;
        match &found.value {
            Value::String(text) => Some((path.to_vec(), text.text.as_str())),
            _ => None,
        }
    };
    PLACES.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let tree = yaml::parse(text).unwrap();
        let mut said: Vec<String> = read(&tree)
            .unwrap_err()
            .iter()
            .map(|problem| {
                let mark = tree.locate(&problem.place);
                format!("{}:{} {} {}", mark.line, mark.column, problem.code.id(), problem.message)
            })
            .collect();
        said.sort();
        said
    }

    #[test]
    fn every_setting_is_read() {
        let text = "endpoint: http://s3.lake:9000\nregion: eu-central-1\npath_style: false\ncredentials:\n  keys:\n    \
                    access_key_id: {secret: {env: LAKE_KEY}}\n    secret_access_key: {secret: {file: key}}\nencryption: \
                    {type: kms, key_id: alias/lake, bucket_key: true}\nrequest_timeout_seconds: 5\nretry_seconds: \
                    0\nread_twice: false\n";
        let spec = read(&yaml::parse(text).unwrap()).unwrap();
        assert_eq!(spec.region.as_deref(), Some("eu-central-1"));
        assert_eq!((spec.path_style, spec.read_twice, spec.retry_seconds), (Some(false), Some(false), Some(0)));
        assert!(matches!(&spec.credentials, Some(CredentialsSpec::Keys(keys)) if keys.session_token.is_none()));
        assert_eq!(spec.encryption.unwrap().kind, EncryptionType::Kms);
        assert_eq!(read(&yaml::parse("{}").unwrap()).unwrap(), S3Spec::default());
    }

    #[test]
    fn what_could_be_a_key_is_never_repeated() {
        let written =
            "credentials:\n  keys:\n    access_key_id: AKIATOPSECRET\n    secret_access_key: {secret: topsecret}\n";
        let address = "endpoint: https://user:topsecret@host\n";
        let unknown = "secret_access_key: topsecret\n";
        let misplaced = "credentials: topsecret\n";
        let cases = [
            (written, "3:20 P160"),
            (address, "1:11 P160"),
            (unknown, "1:1 P101"),
            (misplaced, "1:14 P103"),
            ("endpoint: topsecret\n", "1:11 P104"),
        ];
        for (text, place) in cases {
            let said = problems(text);
            assert!(said[0].starts_with(place), "{said:?}");
            assert!(!format!("{said:?}").to_lowercase().contains("topsecret"), "{said:?}");
        }
        assert_eq!(problems(written).len(), 2);
    }

    #[test]
    fn one_way_to_say_who_is_asking_and_no_setting_that_is_ignored() {
        let two = "credentials:\n  profile: {name: a}\n  instance_metadata: {}\n";
        assert!(problems(two)[0].contains("cannot be given together"), "{:?}", problems(two));
        let numbers = "endpoint: http://127.0.0.1:9000\npath_style: false\n";
        assert!(problems(numbers)[0].starts_with("2:13 P104"), "{:?}", problems(numbers));
        assert!(problems("endpoint: http://:9000\n")[0].starts_with("1:11 P104"));
        let ignored = "encryption: {type: s3, key_id: alias/x}\n";
        assert!(problems(ignored)[0].starts_with("1:32 P104"), "{:?}", problems(ignored));
        assert!(problems("endpoint: ftp://host\n")[0].starts_with("1:11 P104"));
    }
}
