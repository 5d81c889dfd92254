//! How the files of a source are written.

/// A format that sources are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    Parquet,
    /// Comma-separated values, as RFC 4180 has them.
    Csv(Csv),
    /// One JSON object a line.
    Ndjson,
}

/// The dialect of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csv {
    /// What stands between two fields; an ASCII character.
    pub delimiter: u8,
    /// What stands around a field with delimiters, line breaks or quotes in it; none where fields are never quoted.
    pub quote: Option<u8>,
    /// The columns, in order, of files without a line that names them.
    pub names: Option<Vec<String>>,
    /// Fields without quotes that stand for null.
    pub null_values: Vec<String>,
}

impl Format {
    /// What the files of a directory end with.
    pub fn extensions(&self) -> &'static [&'static str] {
        match self {
            Format::Parquet => &[".parquet"],
            Format::Csv(_) => &[".csv"],
            Format::Ndjson => &[".ndjson", ".jsonl"],
        }
    }

    /// As people write it.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Parquet => "Parquet",
            Format::Csv(_) => "CSV",
            Format::Ndjson => "newline JSON",
        }
    }

    /// Whether the name of a file says that it is of this format.
    pub(super) fn names(&self, file: &str) -> bool {
        self.extensions().iter().any(|extension| file.ends_with(extension))
    }
}
