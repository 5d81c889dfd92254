//! Rows that are set aside, and those that go on.

use std::path::Path;

use polars::prelude::{
    BooleanChunked, Column, DataFrame, DataType, Engine, Expr, Field, IntoColumn, LazyFrame, NewChunkedArray,
    PolarsResult, StringChunked, col, len, lit,
};

use super::{Findings, KEPT, ROW, failing, newest, newest_of};
use crate::checks::Check;
use crate::config::Severity;
use crate::run::failure::NodeFailure;
use crate::storage::scan;

/// The column that says which checks a row fails.
const REASON: &str = "_reason";

impl Findings<'_> {
    /// Writes the rows that a check of severity `quarantine` fails, with all such checks as the reason; how many.
    pub fn set_aside(&self, file: &Path) -> Result<u64, NodeFailure> {
        let quarantines = self.quarantines();
        let flags: Vec<Expr> =
            quarantines.iter().enumerate().map(|(index, (_, failing))| failing.clone().alias(flag(index))).collect();
        let names: Vec<Expr> = (0..flags.len()).map(|index| col(flag(index))).collect();
        let words: Vec<String> = quarantines.iter().map(|(check, _)| check.words.clone()).collect();
        let any = names.iter().cloned().reduce(Expr::or).unwrap_or_else(|| lit(false));
        let mut numbered = self.numbered();
        // A table of rows that were set aside before has a reason already, which gives way.
        let mut columns: Vec<Expr> = numbered
            .collect_schema()?
            .iter_names()
            .filter(|name| ![ROW, REASON].contains(&name.as_str()))
            .map(|name| self.subject.entering.column(name))
            .collect();
        columns.push(reason(&names, words));
        Ok(scan::write_parquet(numbered.with_columns(flags).filter(any).select(columns), file)?)
    }

    /// The rows that go on, in their order.
    pub fn kept(&self) -> LazyFrame {
        let frame = self.subject.entering.rows(self.numbered().filter(self.goes_on()));
        if self.needs_row_numbers() { frame.drop(polars::prelude::cols([ROW])) } else { frame }
    }

    /// How many rows go on, and the greatest times among them.
    pub(super) fn measure_kept(&self) -> Result<DataFrame, NodeFailure> {
        let mut measures = vec![len().cast(DataType::Int64).alias(KEPT)];
        measures.extend(newest_of(&self.subject).into_iter().map(|(name, column)| newest(col(column)).alias(name)));
        let measured = self.numbered().filter(self.goes_on()).select(measures);
        Ok(measured.collect_with_engine(Engine::Streaming)?.unwrap_single())
    }

    /// The rows, with their numbers where those are needed.
    fn numbered(&self) -> LazyFrame {
        let frame = self.subject.frame.clone();
        if self.needs_row_numbers() { frame.with_row_index(ROW, None) } else { frame }
    }

    fn goes_on(&self) -> Expr {
        let used = self.subject.time.map_or(lit(true), |time| col(time).is_not_null());
        self.quarantines().into_iter().fold(used, |used, (_, failing)| used.and(failing.not()))
    }

    /// The checks that set rows aside, with what is true for those rows.
    fn quarantines(&self) -> Vec<(&Check, Expr)> {
        let checks = self.subject.checks.iter().zip(&self.positions);
        let quarantines = checks.filter(|(check, _)| check.severity == Severity::Quarantine);
        quarantines
            .filter(|(check, positions)| match positions {
                // Nothing to find, and perhaps no row numbers to find it by.
                Some(positions) => positions.len() > 0,
                None => check.test.finds_rows(),
            })
            .map(|(check, positions)| (*check, failing(check, positions.as_ref())))
            .collect()
    }
}

fn flag(index: usize) -> String {
    format!("_fails_{index}")
}

/// The words of the checks whose flag is true.
fn reason(flags: &[Expr], words: Vec<String>) -> Expr {
    let Some((first, others)) = flags.split_first() else { return lit("").alias(REASON) };
    let join = move |flags: &mut [Column]| -> PolarsResult<Column> {
        let flags: Vec<&BooleanChunked> = flags.iter().map(|flag| flag.bool()).collect::<PolarsResult<_>>()?;
        let rows = flags.iter().map(|flag| flag.len()).max().unwrap_or(0);
        let fails = |flag: &BooleanChunked, row: usize| flag.get(if flag.len() == 1 { 0 } else { row }) == Some(true);
        let of_row = |row: usize| {
            let failed = flags.iter().zip(&words).filter(|(flag, _)| fails(flag, row));
            failed.map(|(_, words)| words.as_str()).collect::<Vec<_>>().join("; ")
        };
        let reasons: Vec<String> = (0..rows).map(of_row).collect();
        Ok(StringChunked::from_slice(REASON.into(), &reasons).into_column())
    };
    first.clone().map_many(join, others, |_, _| Ok(Field::new(REASON.into(), DataType::String))).alias(REASON)
}
