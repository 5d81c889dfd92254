//! A table of snapshots in memory, and the rows of some of them.

use chrono::NaiveDate;
use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataType, IntoColumn, NamedFrom, NewChunkedArray, Series, SortMultipleOptions,
    col,
};

use crate::format;
use crate::stages::contract::Failure;
use crate::stages::protocol::{SnapshotSplit, split_snapshots};
use crate::table::{AS_OF, Table, midnight_us};

/// The rows of a table of snapshots, by snapshot and then by entity.
pub struct Snapshots {
    frame: DataFrame,
    /// Days since 1970 of each row's moment.
    days: Vec<Option<i32>>,
    /// The moments that the table says it has.
    moments: Vec<NaiveDate>,
    /// Until when all is known.
    watermark: Option<NaiveDate>,
}

impl Snapshots {
    /// Reads the entity and these columns.
    pub fn read<'a>(
        table: Table,
        entity: &'a str,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Snapshots, Failure> {
        let mut names = vec![entity, AS_OF];
        for name in columns {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let selected: Vec<_> = names.into_iter().map(col).collect();
        let frame = table.frame.select(selected).sort([AS_OF, entity], SortMultipleOptions::default()).collect()?;
        let days = frame.column(AS_OF)?.cast(&DataType::Date)?.cast(&DataType::Int32)?;
        let days = days.i32()?.iter().collect();
        Ok(Snapshots { frame, days, moments: table.schema.snapshots, watermark: table.watermark })
    }

    /// The rows of one snapshot, by entity.
    pub fn at(&self, moment: NaiveDate) -> Result<DataFrame, Failure> {
        let wanted = days_of(moment);
        self.rows(self.days.iter().map(|days| *days == Some(wanted)))
    }

    /// The rows of these snapshots whose target is known, and their targets as the frame's column.
    pub fn labelled(&self, moments: &[NaiveDate], target: &str) -> Result<DataFrame, Failure> {
        let wanted: Vec<i32> = moments.iter().copied().map(days_of).collect();
        let known = self.frame.column(target)?.is_not_null();
        let rows = self.days.iter().zip(known.iter());
        self.rows(rows.map(|(days, known)| known == Some(true) && days.is_some_and(|days| wanted.contains(&days))))
    }

    /// Which snapshots train, evaluate and are scored, by where the target is known.
    pub fn split(&self, target: &str, horizon_days: u32, run_date: NaiveDate) -> Result<SnapshotSplit, Failure> {
        let mut known = Vec::new();
        for moment in &self.moments {
            if self.labelled(&[*moment], target)?.height() > 0 {
                known.push(*moment);
            }
        }
        // What a query made of a label that is not known yet may well look like one that is.
        let known_until = self.watermark.map_or(run_date, |watermark| watermark.min(run_date));
        let split = split_snapshots(&known, horizon_days, known_until);
        split.map(|split| SnapshotSplit { score: run_date, ..split }).ok_or_else(|| {
            let found = match known.len() {
                0 => "in none of them".to_owned(),
                some => format!("in {some} of them ({})", format::span(&known)),
            };
            Failure::data(format!(
                "the table has {} snapshots, and `{target}` is known {found}: that leaves none to train on whose {horizon_days}-day window \
                 ends before another evaluates. Add snapshots (`count`), shorten the label's window, or check that the source's newest event is as new as you think",
                self.moments.len(),
            ))
        })
    }

    fn rows(&self, wanted: impl Iterator<Item = bool>) -> Result<DataFrame, Failure> {
        let mask = BooleanChunked::from_iter_values("mask".into(), wanted);
        Ok(self.frame.filter(&mask)?)
    }
}

/// Days since 1970.
fn days_of(moment: NaiveDate) -> i32 {
    (midnight_us(moment) / 86_400_000_000) as i32
}

/// A column that says the same in every row: the version of the model.
pub fn repeated(name: &str, text: &str, rows: usize) -> Column {
    Series::new(name.into(), vec![text; rows]).into_column()
}
