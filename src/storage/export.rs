//! Tables as text, for those who read no Parquet.

use std::path::Path;

use polars::prelude::{
    CsvWriterOptions, DataType, Engine, Expr, FileWriteFormat, LazyFrame, NDJsonWriterOptions, PlRefPath, PolarsResult,
    Schema, SinkDestination, SinkTarget, UnifiedSinkArgs, col, lit, when,
};

use super::scan::{RowCounter, counted};

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// As RFC 4180 has it, with a line of names and line feeds; null is empty, an empty text is `""`.
    Csv,
    /// One JSON object a line, every column in each.
    Ndjson,
}

impl Text {
    /// What file names end with.
    pub fn extension(self) -> &'static str {
        match self {
            Text::Csv => "csv",
            Text::Ndjson => "ndjson",
        }
    }
}

/// Streams a frame of these columns into a text file; returns the number of rows. Times are ISO 8601 in UTC, decimals
/// texts with all their digits, floats the shortest text that gives the same float back, and what is no number or
/// infinite is null.
pub fn write_text(frame: LazyFrame, schema: &Schema, path: &Path, text: Text, rows: &RowCounter) -> PolarsResult<u64> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let before = rows.get();
    let readable: Vec<Expr> = schema.iter().map(|(name, dtype)| plain(name.as_str(), dtype)).collect();
    let frame = counted(frame, rows).select(readable);
    let target = SinkDestination::File { target: SinkTarget::Path(PlRefPath::new(path.to_string_lossy())) };
    let arguments = UnifiedSinkArgs { maintain_order: true, ..UnifiedSinkArgs::default() };
    let format = match text {
        Text::Csv => FileWriteFormat::Csv(CsvWriterOptions { include_header: true, ..CsvWriterOptions::default() }),
        Text::Ndjson => FileWriteFormat::NDJson(NDJsonWriterOptions::default()),
    };
    frame.sink(target, format, arguments)?.collect_with_engine(Engine::Streaming)?;
    Ok(rows.get() - before)
}

/// A column as text formats can hold it.
fn plain(name: &str, dtype: &DataType) -> Expr {
    let column = col(name);
    match dtype {
        DataType::Datetime(..) => column.dt().strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
        DataType::Date => column.dt().strftime("%Y-%m-%d"),
        DataType::Decimal(..) => column.cast(DataType::String),
        float if float.is_float() => {
            when(column.clone().is_finite()).then(column).otherwise(lit(polars::prelude::NULL))
        }
        _ => column,
    }
}

#[cfg(test)]
mod tests {
    use polars::df;
    use polars::prelude::{DataFrame, IntoColumn, IntoLazy, NamedFrom, Series, TimeUnit};

    use super::*;

    fn frame() -> DataFrame {
        let mut frame = df!(
            "id" => [1_i64, 2],
            "text" => [Some("a, \"b\"\nc"), None],
            "number" => [0.1 + 0.2, f64::NAN],
            "yes" => [Some(true), None],
            "empty" => ["", "=1+1"]
        )
        .unwrap();
        let times = Series::new("at".into(), [0_i64, 1_700_000_000_123_456]);
        let times = times.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
        frame.with_column(times.into_column()).unwrap();
        let days = Series::new("day".into(), [0_i32, 19_000]).cast(&DataType::Date).unwrap();
        frame.with_column(days.into_column()).unwrap();
        frame
    }

    fn written(text: Text) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table");
        let frame = frame();
        let rows = write_text(frame.clone().lazy(), frame.schema(), &path, text, &RowCounter::default()).unwrap();
        assert_eq!(rows, 2);
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn csv_is_quoted_where_it_must_be() {
        let expected = "id,text,number,yes,empty,at,day\n\
                        1,\"a, \"\"b\"\"\nc\",0.30000000000000004,true,\"\",1970-01-01T00:00:00.000000Z,1970-01-01\n\
                        2,,,,=1+1,2023-11-14T22:13:20.123456Z,2022-01-08\n";
        assert_eq!(written(Text::Csv), expected);
    }

    #[test]
    fn json_has_every_column_in_each_line() {
        let expected = "{\"id\":1,\"text\":\"a, \\\"b\\\"\\nc\",\"number\":0.30000000000000004,\"yes\":true,\"empty\":\"\",\"at\":\"1970-01-01T00:00:00.000000Z\",\"day\":\"1970-01-01\"}\n\
                        {\"id\":2,\"text\":null,\"number\":null,\"yes\":null,\"empty\":\"=1+1\",\"at\":\"2023-11-14T22:13:20.123456Z\",\"day\":\"2022-01-08\"}\n";
        assert_eq!(written(Text::Ndjson), expected);
    }
}
