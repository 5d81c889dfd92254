//! `report.parquet`: every figure of the report in long form, for a warehouse to collect night by night.

use std::path::Path;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, PolarsResult, Series};

use crate::metrics::evaluation::Estimate;
use crate::metrics::profile::Shape;
use crate::report::{
    Change, ModelReport, NodeReport, NodeStatus, ProfiledColumn, PublicationReport, Report, SourceReport,
};
use crate::storage::scan;
use crate::table::midnight_us;

/// What is measured on everything, and not on a part.
const ALL: &str = "all";
/// What stands for the stage of a figure of the whole run.
const RUN: &str = "run";
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

/// Of models, of parts of their rows, of columns, of what every node gave and took, of checks, of what moved, and of
/// the run as a whole.
fn rows(report: &Report) -> Vec<Row> {
    let mut rows: Vec<Row> = report.models.iter().flat_map(of_model).collect();
    rows.extend(report.profiles.iter().flat_map(|table| {
        let columns = table.columns.iter().flat_map(|column| of_column(&table.table, column));
        [Row::new(&table.table, ALL, "profiled_rows", table.rows as f64)].into_iter().chain(columns)
    }));
    let checks = report.checks.iter();
    rows.extend(checks.map(|check| Row::new(&check.on, &check.check, "failed_rows", check.failed_rows as f64)));
    rows.extend(report.nodes.iter().filter(|node| node.status != NodeStatus::NotSelected).flat_map(of_node));
    rows.extend(report.set_aside().map(|aside| Row::new(&aside.on, ALL, "rows_set_aside", aside.rows as f64)));
    rows.extend(report.sources.iter().flat_map(|source| of_source(source, report.run_date)));
    rows.extend(report.publications.iter().flat_map(of_publication));
    let moved = |change: &Change| {
        Row::new(&change.of, ALL, &format!("change of {}", change.measure), change.now - change.before)
    };
    rows.extend(report.changes.iter().map(moved));
    rows.push(Row::new(RUN, ALL, "elapsed_seconds", report.elapsed_seconds));
    rows.extend(report.peak_memory_bytes.map(|peak| Row::new(RUN, ALL, "peak_memory_bytes", peak as f64)));
    rows.push(Row::new(RUN, ALL, "threads", report.threads as f64));
    rows
}

fn of_model(model: &ModelReport) -> Vec<Row> {
    let mut rows = Vec::new();
    for measure in &model.evaluation.measures {
        let Estimate { value, low, high } = measure.model;
        let baseline = measure.baseline.map(|baseline| baseline.value);
        rows.push(Row { baseline, low, high, ..Row::new(&model.stage, ALL, &measure.name, value) });
        rows.extend(measure.difference.map(|Estimate { value, low, high }| {
            let name = format!("difference of {}", measure.name);
            Row { low, high, ..Row::new(&model.stage, ALL, &name, value) }
        }));
    }
    for slice in &model.evaluation.slices {
        let row = Row::new(&model.stage, &slice.slice, &slice.measure, slice.value);
        rows.push(Row { baseline: slice.baseline, ..row });
    }
    rows
}

fn of_column(table: &str, column: &ProfiledColumn) -> Vec<Row> {
    let name = &column.profile.name;
    let drift = column.drift.iter().map(|drift| (format!("psi against {}", drift.against), drift.psi));
    let mut rows: Vec<Row> = drift.map(|(measure, psi)| Row::new(table, name, &measure, psi)).collect();
    let missing = column.profile.nulls as f64 / column.profile.rows.max(1) as f64;
    rows.push(Row::new(table, name, "missing_share", missing));
    if let Shape::Number { mean, median, .. } = &column.profile.shape {
        rows.extend(
            [("mean", mean), ("median", median)].map(|(measure, value)| Row::new(table, name, measure, *value)),
        );
    }
    rows
}

fn of_node(node: &NodeReport) -> Vec<Row> {
    let ports = node.outputs.iter().map(|output| (&output.port, output.rows as f64));
    let rows = ports.map(|(port, count)| Row::new(&node.id, port, "rows", count));
    rows.chain([Row::new(&node.id, ALL, "elapsed_seconds", node.elapsed_seconds)]).collect()
}

fn of_source(source: &SourceReport, run_date: NaiveDate) -> Vec<Row> {
    let id = format!("source.{}", source.name);
    let age = source.watermark.map(|watermark| (run_date - watermark).num_days() as f64);
    let age = age.map(|days| Row::new(&id, ALL, "watermark_age_days", days));
    let counts = [("files", source.files), ("bytes", source.bytes), ("later_rows", source.later_rows)];
    counts.map(|(measure, count)| Row::new(&id, ALL, measure, count as f64)).into_iter().chain(age).collect()
}

fn of_publication(publication: &PublicationReport) -> Vec<Row> {
    let id = format!("publish.{}", publication.name);
    let size = [("files", publication.files), ("bytes", publication.bytes), ("changed", publication.changed.into())];
    size.map(|(measure, count)| Row::new(&id, ALL, measure, count as f64)).into()
}

fn frame(report: &Report, rows: &[Row]) -> PolarsResult<DataFrame> {
    let day = i32::try_from(midnight_us(report.run_date) / DAY_US).unwrap_or_default();
    let text = |name: &str, of: fn(&Row) -> &str| Series::new(name.into(), rows.iter().map(of).collect::<Vec<_>>());
    let number = |name: &str, of: fn(&Row) -> Option<f64>| {
        Series::new(name.into(), rows.iter().map(of).collect::<Vec<Option<f64>>>())
    };
    let columns = [
        Series::new("run".into(), vec![report.run_id.as_str(); rows.len()]),
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
