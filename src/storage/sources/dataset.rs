//! Published datasets as sources: what the newest commits name, never what lies about.

use super::SourceFile;
use super::hive::partitions;
use crate::storage::publish::{self, Commit};
use crate::storage::{Location, StorageError};

/// What the identity of a committed file starts with.
pub(super) const COMMITTED: &str = "sha256:";

/// The committed files of a dataset, or of one of its `run_date=` partitions, by their path relative to `base`.
/// `None` if `base` is neither.
pub(super) async fn files(base: &Location) -> Result<Option<Vec<(String, SourceFile)>>, StorageError> {
    if let Some(commits) = publish::newest_of_each_date(base).await? {
        return Ok(Some(committed(base, "", &commits)));
    }
    // A dataset may be a whole bucket.
    let (root, partition) = base.path().rsplit_once('/').unwrap_or(("", base.path()));
    if !partition.starts_with("run_date=") {
        return Ok(None);
    }
    let prefix = format!("{partition}/");
    let commits = publish::newest_of_each_date(&base.at(root)).await?;
    Ok(commits.map(|commits| committed(base, &prefix, &commits)))
}

fn committed(base: &Location, prefix: &str, commits: &[Commit]) -> Vec<(String, SourceFile)> {
    let files = commits.iter().flat_map(|commit| &commit.files);
    let below = files.filter_map(|file| Some((file.path.strip_prefix(prefix)?, file)));
    below
        .map(|(relative, file)| {
            let file = SourceFile {
                location: base.join(relative),
                size: file.bytes,
                identity: format!("{COMMITTED}{}", file.sha256),
                partitions: partitions(relative),
            };
            (relative.to_owned(), file)
        })
        .collect()
}
