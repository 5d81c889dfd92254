//! The format of a source's files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SourceSpec;

/// How a source's files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values in UTF-8, as RFC 4180 has them.
    Csv,
    /// One JSON object a line, in UTF-8.
    Ndjson,
}

/// The dialect of a source's CSV files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvSpec {
    /// What stands between two fields: one ASCII character that is no letter and no digit, such as `;` or a tab (`"\t"`).
    #[serde(default = "comma")]
    #[schemars(schema_with = "character")]
    pub delimiter: char,
    /// What stands around a field that has delimiters, line breaks or quotes in it: one ASCII character.
    #[serde(default = "quote")]
    #[schemars(schema_with = "character")]
    pub quote: char,
    /// Whether the first line names the columns. Without one, the fields are the contract's columns in its order.
    #[serde(default = "yes")]
    pub header: bool,
    /// The texts that stand for null where they are not quoted.
    #[serde(default = "nothing")]
    pub null_values: Vec<String>,
}

impl Default for CsvSpec {
    fn default() -> CsvSpec {
        CsvSpec { delimiter: comma(), quote: quote(), header: yes(), null_values: nothing() }
    }
}

fn comma() -> char {
    ','
}

fn quote() -> char {
    '"'
}

fn yes() -> bool {
    true
}

fn nothing() -> Vec<String> {
    vec![String::new()]
}

fn character(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string",
        "pattern": "^[\\t !-/:-@\\[-`{-~]$",
        "x-expected": "one ASCII character that is no letter and no digit, such as `;`"
    })
}

impl SourceSpec {
    /// The format that is said, or that the path ends with; else Parquet.
    pub fn file_format(&self) -> SourceFormat {
        let name = self.path.as_deref().unwrap_or_default().to_ascii_lowercase();
        // Of a compressed file too, so that it can be said what is wrong with it.
        let name =
            [".gz", ".zst", ".bz2", ".xz", ".zip"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        let ends = |extensions: &[&str]| extensions.iter().any(|extension| name.ends_with(extension));
        match self.format {
            Some(format) => format,
            None if ends(&[".csv"]) => SourceFormat::Csv,
            None if ends(&[".ndjson", ".jsonl"]) => SourceFormat::Ndjson,
            None => SourceFormat::Parquet,
        }
    }
}
