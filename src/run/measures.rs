//! `report.parquet`: every figure of the report in long form, for a warehouse to collect night by night.

use std::path::Path;

use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, PolarsResult, Series};

use crate::metrics::evaluation::Estimate;
use crate::report::Report;
use crate::storage::scan;
use crate::table::midnight_us;

/// What is measured on everything, and not on a part.
const ALL: &str = "all";
const DAY_US: i64 = 86_400_000_000;

/// One figure.
struct Row {
    stage: String,
    slice: String,
    measure: String,
    value: f64,
    baseline: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

impl Row {
    fn new(stage: &str, slice: impl Into<String>, measure: &str, value: f64) -> Row {
        let (stage, measure) = (stage.to_owned(), measure.to_owned());
        Row { stage, slice: slice.into(), measure, value, baseline: None, low: None, high: None }
    }
}

/// Writes the figures of a report.
pub fn write(path: &Path, report: &Report) -> PolarsResult<()> {
    scan::write_parquet(frame(report, &rows(report))?.lazy(), path)?;
    Ok(())
}

/// Of models, of parts of their rows, of drift, of checks, and of what every node gave and took.
fn rows(report: &Report) -> Vec<Row> {
    let mut rows = Vec::new();
    for model in &report.models {
        for measure in &model.evaluation.measures {
            let Estimate { value, low, high } = measure.model;
            let baseline = measure.baseline.map(|baseline| baseline.value);
            rows.push(Row { baseline, low, high, ..Row::new(&model.stage, ALL, &measure.name, value) });
        }
        for slice in &model.evaluation.slices {
            let row = Row::new(&model.stage, &slice.slice, &slice.measure, slice.value);
            rows.push(Row { baseline: slice.baseline, ..row });
        }
    }
    for table in &report.profiles {
        for column in &table.columns {
            let drift = column.drift.iter().map(|drift| (format!("psi against {}", drift.against), drift.psi));
            let name = &column.profile.name;
            rows.extend(drift.map(|(measure, psi)| Row::new(&table.table, name, &measure, psi)));
            let missing = column.profile.nulls as f64 / column.profile.rows.max(1) as f64;
            rows.push(Row::new(&table.table, name, "missing_share", missing));
        }
    }
    let checks = report.checks.iter();
    rows.extend(checks.map(|check| Row::new(&check.on, &check.check, "failed_rows", check.failed_rows as f64)));
    for source in &report.sources {
        let counts = [("quarantined_rows", source.quarantined_rows), ("later_rows", source.later_rows)];
        let id = format!("source.{}", source.name);
        rows.extend(counts.map(|(measure, count)| Row::new(&id, ALL, measure, count as f64)));
    }
    for node in &report.nodes {
        let ports = node.outputs.iter().map(|output| (&output.port, output.rows as f64));
        rows.extend(ports.map(|(port, count)| Row::new(&node.id, port, "rows", count)));
        rows.push(Row::new(&node.id, ALL, "elapsed_seconds", node.elapsed_seconds));
    }
    rows
}

fn frame(report: &Report, rows: &[Row]) -> PolarsResult<DataFrame> {
    let day = i32::try_from(midnight_us(report.run_date) / DAY_US).unwrap_or_default();
    let text = |name: &str, of: fn(&Row) -> &str| Series::new(name.into(), rows.iter().map(of).collect::<Vec<_>>());
    let number = |name: &str, of: fn(&Row) -> Option<f64>| {
        Series::new(name.into(), rows.iter().map(of).collect::<Vec<Option<f64>>>())
    };
    let columns = [
        Series::new("run_id".into(), vec![report.run_id.as_str(); rows.len()]),
        Series::new("run_date".into(), vec![day; rows.len()]).cast(&DataType::Date)?,
        text("stage", |row| &row.stage),
        text("slice", |row| &row.slice),
        text("measure", |row| &row.measure),
        number("value", |row| Some(row.value)),
        number("baseline", |row| row.baseline),
        number("low", |row| row.low),
        number("high", |row| row.high),
    ];
    DataFrame::new(rows.len(), columns.into_iter().map(IntoColumn::into_column).collect())
}
