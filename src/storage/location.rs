//! Where something is, as the user wrote it, and how to reach it.

use std::fmt;
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use super::local::DurableFileSystem;
use super::places::Bucket;
use super::{Kind, StorageError};

/// A file, a directory or prefix, or a glob: local or in S3. Cheap to clone; clones and children share one client.
#[derive(Clone)]
pub struct Location {
    /// As the user wrote it.
    text: String,
    root: Root,
    /// Below the root, without a slash at either end; may hold glob characters.
    path: String,
}

#[derive(Clone)]
enum Root {
    Local,
    Bucket(Arc<Bucket>),
    Given(Arc<dyn ObjectStore>),
}

impl Location {
    /// [`super::Places::location`]: `root` is the project's, `bucket` gives the bucket of a name.
    pub(super) fn read(
        text: &str,
        root: &FilePath,
        bucket: impl FnOnce(&str) -> Arc<Bucket>,
    ) -> Result<Self, StorageError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            if text.trim().is_empty() {
                return Err(invalid(text, "it is empty"));
            }
            return Self::local(text, &root.join(text));
        };
        match scheme {
            "s3" | "s3a" => Self::s3(text, rest, bucket),
            "file" => {
                let path = rest.strip_prefix("localhost").unwrap_or(rest);
                if !path.starts_with('/') {
                    return Err(invalid(text, "expected `file:///` and an absolute path"));
                }
                Self::local(text, FilePath::new(&percent_decoded(path)))
            }
            _ => {
                let shown = format!("{scheme}://…"); // what follows may hold a password
                Err(invalid(&shown, "expected `s3://`, `file://` or a path"))
            }
        }
    }

    /// A location where nothing is said about S3.
    #[cfg(test)]
    pub fn parse(text: &str, root: &FilePath) -> Result<Self, StorageError> {
        super::Places::of(root).location(text)
    }

    /// A location below `path` of a store made elsewhere, such as one in memory; `text` is how it is shown.
    pub fn within(store: Arc<dyn ObjectStore>, path: &str, text: &str) -> Self {
        let path = path.trim_matches('/').to_owned();
        Self { text: text.to_owned(), root: Root::Given(store), path }
    }

    /// A path of the file system; `text` is how it is shown.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if it is no UTF-8.
    pub fn local(text: &str, path: &FilePath) -> Result<Self, StorageError> {
        let path = std::path::absolute(path).map_err(|error| invalid(text, &error.to_string()))?;
        let path = normal(&path);
        let path = path.to_str().ok_or_else(|| invalid(text, "its path is not UTF-8"))?;
        let path = path.trim_matches('/').to_owned();
        Ok(Self { text: text.to_owned(), root: Root::Local, path })
    }

    fn s3(text: &str, rest: &str, bucket: impl FnOnce(&str) -> Arc<Bucket>) -> Result<Self, StorageError> {
        let (name, key) = rest.split_once('/').unwrap_or((rest, ""));
        if name.contains(['@', ':']) {
            let detail = "credentials belong in the AWS_* variables or the environment file, not in an address";
            return Err(invalid("s3://…", detail));
        }
        let key = key.trim_matches('/');
        let dotted = key.split('/').any(|segment| matches!(segment, "." | ".."));
        if name.is_empty() || dotted || key.contains("//") {
            let detail = "expected `s3://bucket/prefix` without empty, `.` or `..` segments";
            return Err(invalid(text, detail));
        }
        Ok(Self { text: text.to_owned(), root: Root::Bucket(bucket(name)), path: key.to_owned() })
    }

    /// What is below this location; `relative` has `/` between its segments.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        let glue = |left: &str| match left {
            "" => relative.to_owned(),
            _ => format!("{}/{relative}", left.trim_end_matches('/')),
        };
        Self { text: glue(&self.text), root: self.root.clone(), path: glue(&self.path) }
    }

    /// Another path below the same root, shown as a full address since the user wrote no such text.
    pub(super) fn at(&self, path: &str) -> Self {
        let mut moved = self.clone();
        path.clone_into(&mut moved.path);
        moved.text = moved.url();
        moved
    }

    /// The store and the path in it.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the path cannot be an object's, or the S3 settings make no sense.
    pub fn store(&self) -> Result<(Arc<dyn ObjectStore>, Path), StorageError> {
        let path = Path::parse(&self.path).map_err(|error| invalid(&self.text, &error.to_string()))?;
        let store = match &self.root {
            Root::Local => Arc::new(DurableFileSystem::default()),
            Root::Given(store) => Arc::clone(store),
            Root::Bucket(bucket) => bucket.client()?,
        };
        Ok((store, path))
    }

    /// The path in the file system, if it is there.
    pub fn local_path(&self) -> Option<PathBuf> {
        self.is_local().then(|| FilePath::new("/").join(&self.path))
    }

    /// Whether bytes stay on this machine.
    pub fn is_local(&self) -> bool {
        matches!(self.root, Root::Local)
    }

    /// A complete address for other readers: an absolute path, or `s3://bucket/key`.
    pub fn url(&self) -> String {
        match &self.root {
            Root::Local => format!("/{}", self.path),
            Root::Bucket(bucket) => format!("s3://{}/{}", bucket.name(), self.path),
            Root::Given(_) => self.path.clone(),
        }
    }

    /// Where polars finds a file: every scan of a source goes through this.
    ///
    /// # Errors
    /// Those of [`Location::store`].
    pub fn scanned(&self) -> Result<String, StorageError> {
        match &self.root {
            Root::Bucket(bucket) => Ok(format!("{}/{}", bucket.scanned()?, self.path)),
            Root::Local | Root::Given(_) => Ok(self.url()),
        }
    }

    /// From now on reads of this object in S3 give this version (ETag) or fail.
    pub(super) fn only(&self, version: &str) -> Result<(), StorageError> {
        match &self.root {
            Root::Bucket(bucket) => bucket.only(self.store()?.1, version),
            Root::Local | Root::Given(_) => Ok(()),
        }
    }

    /// The path below the store's root; it may hold glob characters.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Only the address: a client's own `Debug` would print its keys.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.text).finish()
    }
}

fn invalid(text: &str, detail: &str) -> StorageError {
    StorageError::new(Kind::Invalid, "use location", text, detail)
}

/// Resolves `.` and `..` by name, without following links (the path need not exist yet).
fn normal(path: &FilePath) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut out, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
        out
    })
}

/// `%20` and its like become characters; anything malformed stays as it is.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone().map(|digit| char::from(digit).to_digit(16));
        let digits = (ahead.next().flatten(), ahead.next().flatten());
        match digits {
            (Some(high), Some(low)) if byte == b'%' => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                bytes.nth(1);
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Location, StorageError> {
        Location::parse(text, FilePath::new("/project"))
    }

    #[test]
    fn local_texts_become_absolute_paths_and_are_shown_as_written() {
        let cases = [
            ("data/x.parquet", "/project/data/x.parquet"),
            ("./data/../lake/", "/project/lake"),
            ("/srv/lake", "/srv/lake"),
            ("file:///srv/my%20lake", "/srv/my lake"),
            ("file://localhost/srv/100%", "/srv/100%"),
            ("Käse & Öl/#1~.parquet", "/project/Käse & Öl/#1~.parquet"),
        ];
        for (text, path) in cases {
            let location = parse(text).unwrap();
            assert_eq!(location.url(), path);
            assert_eq!(location.local_path(), Some(PathBuf::from(path)));
            assert_eq!(location.to_string(), text);
        }
    }

    #[test]
    fn buckets_and_keys_are_split() {
        let location = parse("s3://bucket/a/b c/").unwrap();
        assert_eq!(location.url(), "s3://bucket/a/b c");
        assert_eq!(location.local_path(), None);
        assert_eq!(location.join("x").to_string(), "s3://bucket/a/b c/x");
        assert_eq!(parse("s3://bucket").unwrap().join("x").url(), "s3://bucket/x");
    }

    #[test]
    fn what_can_never_work_is_refused() {
        for text in ["", "gs://b/x", "https://x/y", "s3://", "s3://b/../x", "s3://b/a//c", "file://x/y"] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Invalid, "{text}");
        }
    }

    #[test]
    fn credentials_in_an_address_are_refused_unseen() {
        for text in ["s3://AKIAX:topsecret@bucket/x", "https://me:topsecret@host/x"] {
            let error = parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("topsecret"), "{error}");
        }
    }

    #[test]
    fn debug_shows_the_address_alone() {
        let location = parse("s3://bucket/x").unwrap();
        assert_eq!(format!("{location:?}"), "Location(\"s3://bucket/x\")");
    }
}
