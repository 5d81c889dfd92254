//! The names inside a dataset. Numbers are zero-padded so that lexical order is numeric order.

use chrono::NaiveDate;

pub(super) const COMMITS: &str = "_commits";
pub(super) const MARKER: &str = "_commits/_dataset.json";

/// The directory of one date's commits.
pub(super) fn commits(date: NaiveDate) -> String {
    format!("{COMMITS}/{date}")
}

pub(super) fn commit(date: NaiveDate, sequence: u64) -> String {
    format!("{COMMITS}/{date}/{sequence:06}.json")
}

/// The date and sequence of a commit's path relative to the dataset.
pub(super) fn parse_commit(relative: &str) -> Option<(NaiveDate, u64)> {
    let (date, name) = relative.strip_prefix(COMMITS)?.strip_prefix('/')?.split_once('/')?;
    let digits = name.strip_suffix(".json")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((date.parse().ok()?, digits.parse().ok().filter(|_| plain)?))
}

pub(super) fn partition(date: NaiveDate) -> String {
    format!("run_date={date}")
}

pub(super) fn success(date: NaiveDate) -> String {
    format!("run_date={date}/_SUCCESS")
}

pub(super) fn manifest(date: NaiveDate) -> String {
    format!("run_date={date}/_manifest.json")
}

pub(super) fn dictionary(date: NaiveDate) -> String {
    beside(date, "_dictionary.md")
}

/// A file beside the data that is none of it.
pub(super) fn beside(date: NaiveDate, name: &str) -> String {
    format!("run_date={date}/{name}")
}

/// What data files end with.
const EXTENSIONS: [&str; 3] = ["parquet", "csv", "ndjson"];

pub(super) fn part(date: NaiveDate, index: usize, sequence: u64, run_id: &str, extension: &str) -> String {
    format!("run_date={date}/part-{index:05}-{sequence:06}-{run_id}.{extension}")
}

/// Whether a path is of a local file that has not got its name yet.
pub(super) fn is_staged(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('.') && name.ends_with(".tmp"))
}

/// The date of a path below a partition, and whether it is below one of that name.
pub(super) fn parse_partition(path: &str) -> Option<NaiveDate> {
    path.strip_prefix("run_date=")?.split_once('/')?.0.parse().ok()
}

/// A data file found in a partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The sequence its run aims at.
    pub(super) sequence: u64,
    /// Not yet given its name: an upload in progress, or what a crash left of one.
    pub(super) staged: bool,
}

/// Reads a file name (without directories); `None` for anything that publishing did not write.
pub(super) fn parse_part(name: &str) -> Option<Part> {
    let (visible, staged) = match name.strip_prefix('.') {
        Some(hidden) => (hidden.strip_suffix(".tmp")?.rsplit_once('.')?.0, true),
        None => (name, false),
    };
    let (stem, extension) = visible.rsplit_once('.')?;
    let (index, rest) = stem.strip_prefix("part-")?.split_once('-').filter(|_| EXTENSIONS.contains(&extension))?;
    let (sequence, _run) = rest.split_once('-')?;
    index.parse::<u32>().ok()?;
    Some(Part { sequence: sequence.parse().ok()?, staged })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let date = NaiveDate::from_ymd_opt(2011, 12, 10).unwrap();
        assert_eq!(commit(date, 7), "_commits/2011-12-10/000007.json");
        assert_eq!(parse_commit(&commit(date, 7)), Some((date, 7)));
        assert_eq!(parse_commit("_commits/2011-12-10/.000007.json.ab.tmp"), None);
        assert_eq!(parse_commit(MARKER), None);
        let name = part(date, 3, 7, "0193-ab", "csv");
        assert_eq!(name, "run_date=2011-12-10/part-00003-000007-0193-ab.csv");
        let name = part(date, 3, 7, "0193-ab", "parquet");
        assert_eq!(name, "run_date=2011-12-10/part-00003-000007-0193-ab.parquet");
        let name = name.rsplit('/').next().unwrap();
        assert_eq!(parse_part(name), Some(Part { sequence: 7, staged: false }));
        let staged = parse_part(&format!(".{name}.0193abcd.tmp"));
        assert_eq!(staged, Some(Part { sequence: 7, staged: true }));
        for other in
            ["_SUCCESS", "mine.parquet", "part-0.parquet", "part-x-1-r.parquet", "part-0-1-r.md", "._SUCCESS.a.tmp"]
        {
            assert_eq!(parse_part(other), None, "{other}");
        }
    }
}
