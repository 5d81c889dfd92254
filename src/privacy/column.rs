//! Pseudonyms of whole columns, for polars.

use std::fmt::Write;

use polars::prelude::{
    Column, DataType, Expr, Field, IntoColumn, PlSmallStr, PolarsError, PolarsResult, StringChunkedBuilder, col,
};

use super::Pseudonyms;

/// The length of a pseudonym with a version of one digit.
const LENGTH: usize = 35;

impl Pseudonyms {
    /// Whether a column of this type has a canonical text.
    ///
    /// Integers: decimal digits, with `-` below zero and without leading zeros, whatever their width. Texts: their
    /// bytes in UTF-8 as they are. Dates: `YYYY-MM-DD`. Other types have more than one text for a value, or values
    /// that are the same and print differently.
    pub fn takes(dtype: &DataType) -> bool {
        dtype.is_integer() || matches!(dtype, DataType::String | DataType::Date)
    }

    /// A column's pseudonyms, under its name; null stays null. Each row stands alone, so it streams and runs on as
    /// many threads as there are.
    pub fn expression(&self, name: &str) -> Expr {
        let pseudonyms = self.clone();
        let made = move |column: Column| pseudonyms.column(&column);
        col(name).map(made, |_, field| Ok(Field::new(field.name().clone(), DataType::String)))
    }

    fn column(&self, column: &Column) -> PolarsResult<Column> {
        let name = column.name().clone();
        let series = column.as_materialized_series();
        match series.dtype() {
            DataType::String => {
                let texts = series.str()?;
                self.collect(name, texts.len(), texts.iter(), |text, into| into.push_str(text))
            }
            DataType::UInt64 => {
                let numbers = series.u64()?;
                self.collect(name, numbers.len(), numbers.iter(), write_number)
            }
            dtype if dtype.is_integer() => {
                let series = series.cast(&DataType::Int64)?;
                let numbers = series.i64()?;
                self.collect(name, numbers.len(), numbers.iter(), write_number)
            }
            DataType::Date => {
                let days = series.cast(&DataType::Int32)?;
                let days = days.i32()?;
                self.collect(name, days.len(), days.iter(), |day, into| {
                    if let Some(date) = chrono::NaiveDate::from_epoch_days(day) {
                        let _ = write!(into, "{date}");
                    }
                })
            }
            other => Err(PolarsError::InvalidOperation(format!("a column of type {other} has no pseudonyms").into())),
        }
    }

    /// The canonical texts are written one after another into the same buffer. A row whose value is that of the row
    /// before takes its pseudonym; a table of all that were seen is slower than making them anew.
    fn collect<T: PartialEq + Copy>(
        &self,
        name: PlSmallStr,
        rows: usize,
        values: impl Iterator<Item = Option<T>>,
        text_of: impl Fn(T, &mut String),
    ) -> PolarsResult<Column> {
        let mut column = StringChunkedBuilder::new(name, rows);
        let mut text = String::new();
        let mut made = String::with_capacity(LENGTH);
        let mut last: Option<T> = None;
        for value in values {
            let Some(value) = value else {
                column.append_null();
                continue;
            };
            if last != Some(value) {
                text.clear();
                made.clear();
                text_of(value, &mut text);
                self.write(text.as_bytes(), &mut made);
                last = Some(value);
            }
            column.append_value(&made);
        }
        Ok(column.finish().into_column())
    }
}

fn write_number<T: std::fmt::Display>(number: T, into: &mut String) {
    // Writing into a text cannot fail.
    let _ = write!(into, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::{Engine, IntoLazy, NamedFrom, Series, df};

    fn pseudonyms() -> Pseudonyms {
        Pseudonyms::new(1, b"0123456789abcdef0123456789abcdef").unwrap()
    }

    fn of(series: &Series) -> Vec<Option<String>> {
        let frame = df! {"id" => series}.unwrap().lazy().select([pseudonyms().expression("id")]);
        let frame = frame.collect_with_engine(Engine::Streaming).unwrap().unwrap_single();
        let column = frame.column("id").unwrap().as_materialized_series().clone();
        column.str().unwrap().iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn a_number_and_its_text_have_the_same_pseudonym_whatever_the_width() {
        let texts = of(&Series::new("id".into(), ["12345", "12345", "7"]));
        for dtype in [DataType::Int16, DataType::Int64, DataType::UInt32, DataType::UInt64] {
            let numbers = Series::new("id".into(), [12345_i32, 12345, 7]).cast(&dtype).unwrap();
            assert_eq!(of(&numbers), texts, "{dtype}");
        }
        assert_eq!(texts[0], texts[1]);
        assert_ne!(texts[0], texts[2]);
        assert!(texts[0].as_ref().unwrap().starts_with("p1_"));
        assert_eq!(texts[0].as_ref().unwrap().len(), LENGTH);
    }

    #[test]
    fn null_stays_null_and_texts_are_taken_as_they_are() {
        let found = of(&Series::new("id".into(), [Some("a"), None, Some("A"), Some(" a")]));
        assert_eq!(found[1], None);
        assert!(found[0] != found[2] && found[0] != found[3]);
        let negative = of(&Series::new("id".into(), [-5_i64]));
        assert_eq!(negative, of(&Series::new("id".into(), ["-5"])));
    }

    #[test]
    fn a_date_is_the_text_that_it_is_written_as() {
        let days = Series::new("id".into(), [19_782_i32]).cast(&DataType::Date).unwrap();
        assert_eq!(of(&days), of(&Series::new("id".into(), ["2024-02-29"])));
    }

    #[test]
    fn other_types_are_refused() {
        assert!(!Pseudonyms::takes(&DataType::Float64) && !Pseudonyms::takes(&DataType::Boolean));
        let frame = df! {"id" => [1.5]}.unwrap().lazy().select([pseudonyms().expression("id")]);
        assert!(frame.collect().is_err());
    }
}
