//! Where everything is: the environment's word on S3, with the secrets that it refers to.

use std::path::Path;
use std::time::Duration;

use crate::config::{CredentialsSpec, EncryptionType, Environment, Loaded, S3Spec, Secret, SecretRef};
use crate::plan::{Plan, Work};
use crate::problem::{Code, Problem};
use crate::storage::{Credentials, Encryption, Hidden, Places, S3Settings};

/// The places of a plan. Secrets are read only if something of the plan is in S3; the message of a problem names the
/// place of the block and nothing of a secret.
pub fn places(loaded: &Loaded, plan: &Plan) -> Result<Places, Problem> {
    let root = &loaded.project.root;
    let remote = plan.nodes.iter().any(|node| match &node.work {
        Work::Source { spec, .. } => spec.path.as_deref().is_some_and(Places::is_remote),
        Work::Publish { spec, .. } => Places::is_remote(&spec.to),
        Work::Stage(_) | Work::Gate { .. } => false,
    });
    if remote { of_environment(&loaded.environment, root) } else { Ok(Places::of(root)) }
}

/// The places that an environment tells of; what is in S3 is about to be used.
pub fn of_environment(environment: &Environment, root: &Path) -> Result<Places, Problem> {
    let Some((spec, place)) = &environment.s3 else { return Ok(Places::of(root)) };
    let refused = |message| Problem::new(Code::BadSecret, format!("{place}: {message}"));
    Ok(Places::new(root, settings(spec, root).map_err(refused)?))
}

fn settings(spec: &S3Spec, root: &Path) -> Result<S3Settings, String> {
    let encryption = spec.encryption.as_ref().map(|encryption| Encryption {
        algorithm: match encryption.kind {
            EncryptionType::S3 => "AES256",
            EncryptionType::Kms => "aws:kms",
            EncryptionType::KmsDual => "aws:kms:dsse",
        },
        kms_key_id: encryption.key_id.clone(),
        bucket_key: encryption.bucket_key,
    });
    let seconds = |seconds: Option<u32>| seconds.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(S3Settings {
        endpoint: spec.endpoint.as_ref().map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
        region: spec.region.clone(),
        path_style: spec.path_style,
        credentials: spec.credentials.as_ref().map(|spec| credentials(spec, root)).transpose()?,
        encryption,
        request_timeout: seconds(spec.request_timeout_seconds),
        retry: seconds(spec.retry_seconds),
        read_twice: spec.read_twice,
    })
}

fn credentials(spec: &CredentialsSpec, root: &Path) -> Result<Credentials, String> {
    Ok(match spec {
        CredentialsSpec::Keys(keys) => Credentials::Keys {
            access_key_id: read_secret(&keys.access_key_id, "access_key_id", root)?,
            secret_access_key: read_secret(&keys.secret_access_key, "secret_access_key", root)?,
            session_token: keys
                .session_token
                .as_ref()
                .map(|token| read_secret(token, "session_token", root))
                .transpose()?,
        },
        CredentialsSpec::Profile(profile) => {
            Credentials::Profile { name: profile.name.clone(), file: profile.file.as_ref().map(|file| root.join(file)) }
        }
        CredentialsSpec::WebIdentity(web) => Credentials::WebIdentity {
            token_file: root.join(&web.token_file),
            role_arn: web.role_arn.clone(),
            session_name: web.session_name.clone(),
            endpoint: web.endpoint.clone(),
        },
        CredentialsSpec::InstanceMetadata(metadata) => Credentials::InstanceMetadata {
            endpoint: metadata.endpoint.as_ref().map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
            version_1: metadata.version_1,
        },
    })
}

/// The text that a reference leads to. The error tells where it is looked for and nothing of it.
pub(super) fn read_secret(reference: &SecretRef, key: &str, root: &Path) -> Result<Hidden, String> {
    let (text, place) = match &reference.secret {
        Secret::File(file) => {
            let path = root.join(file);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| format!("failed to read `{key}` from {}: {error}", path.display()))?;
            (text, path.display().to_string())
        }
        Secret::Env(name) => {
            let unset = |_| format!("failed to read `{key}`: the environment variable `{name}` is not set");
            (std::env::var(name).map_err(unset)?, format!("`{name}`"))
        }
    };
    let text = text.trim();
    // Whatever else it is, a key goes into the header of a request.
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("failed to use `{key}` from {place}: it is empty, or has more than one word"));
    }
    Ok(Hidden::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_files_and_no_error_shows_them() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("id"), "AKIAFILE\n").unwrap();
        std::fs::write(directory.path().join("two"), "hidden words\n").unwrap();
        let reference = |file: &str| SecretRef { secret: Secret::File(file.to_owned()) };
        assert_eq!(
            read_secret(&reference("id"), "access_key_id", directory.path()),
            Ok(Hidden::new("AKIAFILE".to_owned()))
        );
        let missing = read_secret(&reference("none"), "access_key_id", directory.path()).unwrap_err();
        assert!(missing.starts_with("failed to read `access_key_id` from ") && missing.contains("No such file"));
        let two = read_secret(&reference("two"), "access_key_id", directory.path()).unwrap_err();
        assert!(two.contains("more than one word") && !two.contains("hidden"), "{two}");
        let unset = SecretRef { secret: Secret::Env("PATRONAGE_NO_SUCH_VARIABLE".to_owned()) };
        assert!(read_secret(&unset, "session_token", directory.path()).unwrap_err().contains("is not set"));
    }
}
