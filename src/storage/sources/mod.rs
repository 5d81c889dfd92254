//! Which files a source is made of: one file, a glob, a directory, or a published dataset.

mod dataset;
mod hive;
mod pattern;
#[cfg(test)]
mod tests;

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::{Format, Kind, Location, StorageError};
use hive::partitions;
use pattern::Pattern;

/// One file of a source.
#[derive(Debug, Clone)]
pub struct SourceFile {
    pub location: Location,
    /// In bytes.
    pub size: u64,
    /// Changes whenever the content does: the SHA-256 of a published file, the ETag of an S3 object,
    /// size and modification time (nanoseconds) of a local file.
    pub identity: String,
    /// `key=value` segments below the source's base, outermost first; `None` is Hive's null.
    pub partitions: Vec<(String, Option<String>)>,
}

/// The files of a source, sorted by path.
///
/// A glob (`*`, `**`, `?`, `[..]`, `{a,b}`) takes what it matches, and the files of the format below any directory
/// it matches; a directory takes every file of the format below it, by its extension. Names that start with `_` or `.` are skipped in
/// both. A dataset published by [`super::publish`] gives the files of each date's newest commit and no others.
///
/// # Errors
/// [`Kind::NotFound`] if there is no such file, or no file of the format in it; [`Kind::Invalid`] for a bad glob.
pub async fn list(location: &Location, format: &Format) -> Result<Vec<SourceFile>, StorageError> {
    if let Some(file) = exact(location).await? {
        return Ok(vec![file]);
    }
    let literal = location.local_path().is_some_and(|path| path.is_dir());
    let pattern = if literal { None } else { Pattern::split(location)? };
    let base = pattern.as_ref().map_or(location, |pattern| &pattern.base);
    let all = match dataset::files(base).await? {
        Some(files) => files,
        None => below(base).await?,
    };
    let keep = |relative: &str| match &pattern {
        Some(pattern) => pattern.matches(relative, format),
        None => format.names(relative),
    };
    let mut files: Vec<_> = all.into_iter().filter(|(name, _)| keep(name)).collect();
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    if files.is_empty() {
        let detail = match pattern {
            Some(_) => "no file matches".to_owned(),
            None => format!("there is no {} file, or nothing at all", format.name()),
        };
        return Err(StorageError::new(Kind::NotFound, "read", location, detail));
    }
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

/// The location as a single file, if it is one.
async fn exact(location: &Location) -> Result<Option<SourceFile>, StorageError> {
    let Ok((store, path)) = location.store() else {
        return Ok(None); // a glob need not be a possible name
    };
    if location.path().is_empty() || location.local_path().is_some_and(|path| path.is_dir()) {
        return Ok(None);
    }
    match store.head(&path).await {
        Ok(meta) => source_file(location.clone(), &meta, Vec::new()).map(Some),
        Err(error) => match StorageError::store("read", location, &error) {
            error if error.kind() == Kind::NotFound => Ok(None),
            error => Err(error),
        },
    }
}

/// Makes sure that a file that was read in parts is still the one that was listed.
///
/// # Errors
/// [`Kind::Transient`] if it is another one or gone, else what the store says.
pub async fn unchanged(file: &SourceFile) -> Result<(), StorageError> {
    if file.identity.starts_with(dataset::COMMITTED) {
        return Ok(()); // never written again
    }
    let (store, path) = file.location.store()?;
    let meta = match store.head(&path).await {
        Ok(meta) => meta,
        Err(error) => {
            return Err(match StorageError::store("read", &file.location, &error) {
                error if error.kind() == Kind::NotFound => {
                    StorageError::new(Kind::Transient, "read", &file.location, "it was there when it was listed")
                }
                error => error,
            });
        }
    };
    if identity(&file.location, &meta) == file.identity {
        return Ok(());
    }
    Err(StorageError::new(Kind::Transient, "read", &file.location, "it changed while it was read"))
}

/// Every file below a base, by its path relative to it, hidden ones left out.
async fn below(base: &Location) -> Result<Vec<(String, SourceFile)>, StorageError> {
    let (store, path) = base.store()?;
    let prefix = (!path.is_root()).then_some(&path);
    let found: Vec<ObjectMeta> =
        store.list(prefix).try_collect().await.map_err(|error| StorageError::store("list", base, &error))?;
    let files = found.iter().filter_map(|meta| {
        let relative = meta.location.as_ref().strip_prefix(base.path())?.trim_start_matches('/');
        let hidden = relative.split('/').any(|name| name.starts_with(['_', '.']));
        (!hidden && !relative.is_empty()).then(|| {
            let file = source_file(base.join(relative), meta, partitions(relative))?;
            Ok((relative.to_owned(), file))
        })
    });
    files.collect()
}

/// A file as it is now. Whoever reads it from S3 later reads this version or none, since the identity of what is made
/// of it is that of this version.
fn source_file(
    location: Location,
    meta: &ObjectMeta,
    partitions: Vec<(String, Option<String>)>,
) -> Result<SourceFile, StorageError> {
    if let Some(tag) = &meta.e_tag {
        location.only(tag)?;
    }
    let identity = identity(&location, meta);
    Ok(SourceFile { location, size: meta.size, identity, partitions })
}

fn identity(location: &Location, meta: &ObjectMeta) -> String {
    // A local ETag holds the inode, which a restored backup changes although no byte did.
    let tag = meta.e_tag.as_ref().filter(|_| !location.is_local());
    tag.map_or_else(
        || {
            let time = meta.last_modified;
            let nanoseconds = time.timestamp_nanos_opt().unwrap_or_else(|| time.timestamp());
            format!("{}-{nanoseconds}", meta.size)
        },
        |tag| tag.trim_matches('"').to_owned(),
    )
}
