//! Hive's `key=value` directories.

use crate::storage::location::percent_decoded;

const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The partition keys and values in a file's path relative to the source's base; the file's own name is none.
pub(super) fn partitions(relative: &str) -> Vec<(String, Option<String>)> {
    let directories = relative.rsplit_once('/').map_or("", |(directories, _)| directories);
    let pair = |segment: &str| {
        let (key, value) = segment.split_once('=').filter(|(key, _)| !key.is_empty())?;
        Some((key.to_owned(), (value != NULL).then(|| percent_decoded(value))))
    };
    directories.split('/').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_read_outermost_first() {
        let found = partitions("country=C%C3%B4te%20d'Ivoire/x/year=__HIVE_DEFAULT_PARTITION__/a=b.parquet");
        let country = Some("Côte d'Ivoire".to_owned());
        assert_eq!(found, [("country".to_owned(), country), ("year".to_owned(), None)]);
        assert_eq!(partitions("a.parquet"), []);
    }
}
