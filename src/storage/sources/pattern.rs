//! Globs: a literal base that can be listed, and what must match below it.

use globset::{GlobBuilder, GlobMatcher};

use crate::storage::{Format, Kind, Location, StorageError};

pub(super) struct Pattern {
    /// The leading segments without glob characters.
    pub(super) base: Location,
    matcher: GlobMatcher,
}

impl Pattern {
    /// Splits a location with glob characters; `None` for one without.
    pub(super) fn split(location: &Location) -> Result<Option<Self>, StorageError> {
        let path = location.path();
        let Some(first) = path.find(['*', '?', '[', '{']) else {
            return Ok(None);
        };
        let start = path.get(..first).and_then(|literal| literal.rfind('/'));
        let (base, glob) = match start.and_then(|slash| path.split_at_checked(slash)) {
            Some((base, glob)) => (base, glob.trim_start_matches('/')),
            None => ("", path),
        };
        let built = GlobBuilder::new(glob).literal_separator(true).build();
        let glob = built.map_err(|error| StorageError::new(Kind::Invalid, "use location", location, error.kind()))?;
        Ok(Some(Self { base: location.at(base), matcher: glob.compile_matcher() }))
    }

    /// Whether the file at `relative` (to the base) matches, or is of the format below a directory that does.
    pub(super) fn matches(&self, relative: &str, format: &Format) -> bool {
        let mut directories = relative.match_indices('/').filter_map(|(end, _)| relative.get(..end));
        self.matcher.is_match(relative)
            || (format.names(relative) && directories.any(|name| self.matcher.is_match(name)))
    }
}
