//! Blocks of a text file as frames.

use polars::prelude::{DataFrame, DataType, PolarsResult};

use super::Texts;
use super::blocks::Block;
use super::builder::Builder;
use super::found::Found;
use super::raw::Raw;
use super::{csv, json};
use crate::storage::{Csv, Footer, Format, Location, SourceFile};
use crate::table::{TableSchema, text};

/// Where in a file's records the values of each column are.
pub(super) struct Layout<'a> {
    schema: &'a TableSchema,
    format: &'a Format,
    location: &'a Location,
    /// By column of the schema.
    places: Vec<Place>,
    /// Fields of a record of CSV.
    fields: usize,
    /// The column of the event time, and the moment from which rows are skipped.
    before: Option<(usize, i64)>,
}

/// Where the values of a column are.
enum Place {
    /// A field of CSV, by its number.
    Field(usize),
    /// The key of the same name.
    Key,
    /// Nowhere: they are all that of the directory's name.
    Directory(Option<String>),
}

/// A block's rows.
pub(super) struct Parsed {
    pub(super) frame: DataFrame,
    pub(super) found: Found,
}

impl<'a> Layout<'a> {
    pub(super) fn new(texts: &Texts<'a>, file: &'a SourceFile, head: &Footer) -> Layout<'a> {
        let place = |name: &str| {
            let field = head.columns.iter().position(|column| column.name == name);
            let directory = file.partitions.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            match (texts.format, field, directory) {
                (_, None, Some(value)) => Place::Directory(value),
                (Format::Csv(_), Some(field), _) => Place::Field(field),
                (Format::Csv(_), None, None) => Place::Directory(None),
                _ => Place::Key,
            }
        };
        let position = |name: &str| texts.schema.columns.iter().position(|column| column.name == name);
        Layout {
            schema: texts.schema,
            format: texts.format,
            location: &file.location,
            places: texts.schema.columns.iter().map(|column| place(&column.name)).collect(),
            fields: head.columns.len(),
            before: texts.before.and_then(|(name, moment_us)| Some((position(name)?, moment_us))),
        }
    }

    pub(super) fn parse(&self, block: &Block) -> PolarsResult<Parsed> {
        let capacity = block.ends.len();
        let columns = self.schema.columns.iter();
        let mut builders: Vec<Builder> =
            columns.map(|column| Builder::new(&column.name, &column.dtype, capacity)).collect();
        let mut found = Found::new(self.location, self.schema);
        // Of CSV, the header tells it; else a key may be left out.
        found.seen = self.places.iter().map(|place| !matches!(place, Place::Key)).collect();
        let mut rows = 0;
        for record in block.records().skip(self.header_lines(block)) {
            let Some(record) = std::str::from_utf8(record).ok().filter(|record| !record.contains('\0')) else {
                found.encoding += 1;
                continue;
            };
            let row = match self.format {
                Format::Csv(csv) => self.fields(record, csv, &mut found),
                _ => self.object(record, &mut found),
            };
            let Some(row) = row else { continue };
            if self.is_later(&row) {
                found.later += 1;
                continue;
            }
            for (builder, raw) in builders.iter_mut().zip(&row) {
                builder.push(raw);
            }
            rows += 1;
        }
        found.rows = rows as u64;
        found.unread = builders.iter().map(|builder| builder.unread).collect();
        let columns = builders.into_iter().map(Builder::finish).collect::<PolarsResult<Vec<_>>>()?;
        Ok(Parsed { frame: DataFrame::new(rows, columns)?, found })
    }

    /// Lines before the first row.
    fn header_lines(&self, block: &Block) -> usize {
        usize::from(block.is_first && matches!(self.format, Format::Csv(Csv { names: None, .. })))
    }

    fn fields<'r>(&self, record: &'r str, csv: &Csv, found: &mut Found) -> Option<Vec<Raw<'r>>> {
        let mut fields = Vec::with_capacity(self.fields);
        if csv::fields(record, csv, &mut fields).is_err() {
            found.quoting += 1;
            return None;
        }
        if fields.len() != self.fields {
            found.ragged += 1;
            return None;
        }
        let row = self.places.iter().zip(&self.schema.columns).map(|(place, column)| match place {
            Place::Field(index) => fields.get_mut(*index).map_or(Raw::Null, |field| {
                let field = std::mem::replace(field, Raw::Null);
                if is_null(&field, &column.dtype, csv) { Raw::Null } else { field }
            }),
            Place::Key => Raw::Null,
            Place::Directory(value) => of_directory(value.as_deref()),
        });
        Some(row.collect())
    }

    fn object<'r>(&self, line: &'r str, found: &mut Found) -> Option<Vec<Raw<'r>>> {
        if line.bytes().all(|byte| byte.is_ascii_whitespace()) {
            return None; // an empty line that has spaces
        }
        let Ok(entries) = json::object(line) else {
            found.objects += 1;
            return None;
        };
        let directory = |place: &Place| match place {
            Place::Directory(value) => of_directory(value.as_deref()),
            _ => Raw::Null,
        };
        let mut row: Vec<Raw<'r>> = self.places.iter().map(directory).collect();
        for (key, value) in entries {
            let column = self.schema.columns.iter().position(|column| column.name == key);
            match column.and_then(|column| Some((row.get_mut(column)?, found.seen.get_mut(column)?))) {
                Some((slot, seen)) => (*slot, *seen) = (value, true),
                None => found.see(&key),
            }
        }
        Some(row)
    }

    fn is_later(&self, row: &[Raw<'_>]) -> bool {
        let Some((column, before_us)) = self.before else { return false };
        let moment = row.get(column).and_then(Raw::text).and_then(text::moment);
        moment.is_some_and(|moment| moment >= before_us)
    }
}

/// In quotes, what stands for null is a text; but not even then is it a value of another type.
fn is_null(field: &Raw<'_>, dtype: &DataType, csv: &Csv) -> bool {
    *dtype != DataType::String && field.text().is_some_and(|text| csv.null_values.iter().any(|null| null == text))
}

fn of_directory<'r>(value: Option<&str>) -> Raw<'r> {
    value.map_or(Raw::Null, |value| Raw::Text(value.to_owned().into()))
}
