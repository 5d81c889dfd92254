//! Profiles of the AWS files: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::storage::redact::Hidden;

/// What a profile gives.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pub(super) access_key_id: Option<Hidden>,
    pub(super) secret_access_key: Option<Hidden>,
    pub(super) session_token: Option<Hidden>,
    pub(super) region: Option<String>,
}

/// Where the files are, by the variables that other programs know.
pub(super) struct Files {
    credentials: Option<PathBuf>,
    config: Option<PathBuf>,
}

impl Files {
    /// `credentials`: a file given in place of the usual one.
    pub(super) fn usual(credentials: Option<&Path>) -> Files {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = |name: &str| variable("HOME").map(|home| home.join(".aws").join(name));
        Files {
            credentials: credentials
                .map(Path::to_owned)
                .or_else(|| variable("AWS_SHARED_CREDENTIALS_FILE"))
                .or_else(|| home("credentials")),
            config: variable("AWS_CONFIG_FILE").or_else(|| home("config")),
        }
    }

    /// The profile of that name. A file that cannot be read has no profile.
    pub(super) fn profile(&self, name: &str) -> Option<Profile> {
        let read = |file: &Option<PathBuf>| file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        let credentials = read(&self.credentials).and_then(|text| section(&text, name));
        // The configuration calls every section but the default one `profile NAME`.
        let prefixed = format!("profile {name}");
        let config = read(&self.config).and_then(|text| section(&text, &prefixed).or_else(|| section(&text, name)));
        if credentials.is_none() && config.is_none() {
            return None;
        }
        let (credentials, config) = (credentials.unwrap_or_default(), config.unwrap_or_default());
        let either = |key: &str| credentials.get(key).or_else(|| config.get(key)).cloned();
        let hidden = |key: &str| either(key).map(Hidden::new);
        Some(Profile {
            access_key_id: hidden("aws_access_key_id"),
            secret_access_key: hidden("aws_secret_access_key"),
            session_token: hidden("aws_session_token"),
            region: either("region"),
        })
    }
}

/// The keys and values of a section; none if there is no such section.
fn section(text: &str, wanted: &str) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines() {
        // Indented lines belong to a nested setting, of which none is ours.
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.split_whitespace().eq(wanted.split_whitespace());
            if inside {
                found.get_or_insert_default();
            }
        } else if inside
            && !is_nested
            && let Some((key, value)) = line.split_once('=')
            && let Some(found) = &mut found
        {
            found.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    found.map(|mut found| {
        found.retain(|_, value| !value.is_empty());
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_region_of_a_profile_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let credentials = "[default]\naws_access_key_id = A1\n# no\n[lake]\naws_access_key_id=A2\n\
                           AWS_SECRET_ACCESS_KEY = hidden-2=\naws_session_token =\n";
        let config = "[profile lake]\nregion = eu-west-1\ns3 =\n  region = nested\n";
        let files = Files { credentials: path("credentials", credentials), config: path("config", config) };
        let lake = files.profile("lake").unwrap();
        assert_eq!(lake.access_key_id.unwrap().reveal(), "A2");
        assert_eq!(lake.secret_access_key.unwrap().reveal(), "hidden-2=");
        assert!(lake.session_token.is_none());
        assert_eq!(lake.region.as_deref(), Some("eu-west-1"));
        assert!(files.profile("default").unwrap().secret_access_key.is_none());
        assert!(files.profile("pond").is_none());
    }

    #[test]
    fn files_that_are_not_there_have_no_profiles() {
        let nowhere = Some(PathBuf::from("/nowhere"));
        assert!(Files { credentials: nowhere, config: None }.profile("default").is_none());
    }
}
