//! Result columns under construction, and how each aggregation fills its own.

use std::cmp::Ordering;
use std::ops::Range;

use super::plan::{Plan, PlannedCall};
use super::running::{Extreme, Mean, Rank, Running, Runs, Total};
use super::series::{Series, SeriesKind};
use super::value::{Cell, Value, WindowError, sum_floats};
use super::{Aggregated, Aggregation, Column};

/// The rows of a run of entities.
pub(super) struct Results {
    entities: Vec<u32>,
    snapshots: Vec<u32>,
    columns: Vec<Column>,
}

impl Results {
    pub fn new(plan: &Plan<'_>) -> Results {
        Results { entities: vec![], snapshots: vec![], columns: plan.calls.iter().map(empty_column).collect() }
    }

    pub fn add_rows(&mut self, entity: usize, snapshots: Range<usize>) {
        self.entities.extend(std::iter::repeat_n(entity as u32, snapshots.len()));
        self.snapshots.extend(snapshots.map(|snapshot| snapshot as u32));
    }

    /// Appends the call's value for each snapshot from `absent` on.
    pub fn add(&mut self, plan: &Plan<'_>, index: usize, series: &Series, absent: usize) -> Result<(), WindowError> {
        let (Some(call), Some(column)) = (plan.calls.get(index), self.columns.get_mut(index)) else { return Ok(()) };
        let cut = |moment: &usize| series.cuts.get(*moment).copied().unwrap_or(0);
        let windows = call.windows.get(absent..).unwrap_or_default().iter();
        let windows = windows.map(|window| window.as_ref().map(|(start, end)| (cut(start), cut(end))));
        match (call.aggregation, series.kind) {
            (Aggregation::Count, _) | (_, SeriesKind::Rows) => {
                fill(column, windows, |start, end| Ok(Cell::Integer((end - start) as i64)))
            }
            (Aggregation::CountDistinct, _) => distinct(column, call, windows, &series.previous),
            (_, SeriesKind::Integers) => of_values(column, call, windows, &series.integers),
            (_, SeriesKind::Floats) => of_values(column, call, windows, &series.floats),
        }
    }

    /// Joins the parts in their order.
    pub fn concat(plan: &Plan<'_>, parts: Vec<Results>) -> Aggregated {
        let mut whole = Results::new(plan);
        let rows = parts.iter().map(|part| part.entities.len()).sum();
        whole.entities.reserve(rows);
        whole.snapshots.reserve(rows);
        for part in parts {
            whole.entities.extend(part.entities);
            whole.snapshots.extend(part.snapshots);
            for (column, more) in whole.columns.iter_mut().zip(part.columns) {
                match (column, more) {
                    (Column::Integers { data, valid }, Column::Integers { data: more, valid: also }) => {
                        data.extend(more);
                        valid.extend(also);
                    }
                    (Column::Floats { data, valid }, Column::Floats { data: more, valid: also }) => {
                        data.extend(more);
                        valid.extend(also);
                    }
                    _ => {}
                }
            }
        }
        Aggregated { entities: whole.entities, snapshots: whole.snapshots, columns: whole.columns }
    }
}

/// Where a window starts and ends among the values; `None` where the result is not known.
type Span = Option<(usize, usize)>;

fn empty_column(call: &PlannedCall) -> Column {
    if call.integers {
        Column::Integers { data: vec![], valid: vec![] }
    } else {
        Column::Floats { data: vec![], valid: vec![] }
    }
}

fn push(column: &mut Column, cell: Cell) {
    match column {
        Column::Integers { data, valid } => {
            let value = match cell {
                Cell::Integer(value) => Some(value),
                _ => None,
            };
            data.push(value.unwrap_or(0));
            valid.push(value.is_some());
        }
        Column::Floats { data, valid } => {
            let value = match cell {
                Cell::Integer(value) => Some(value as f64),
                Cell::Float(value) => Some(value),
                Cell::Missing => None,
            };
            data.push(value.unwrap_or(0.0));
            valid.push(value.is_some());
        }
    }
}

fn fill(
    column: &mut Column,
    windows: impl Iterator<Item = Span>,
    mut cell: impl FnMut(usize, usize) -> Result<Cell, WindowError>,
) -> Result<(), WindowError> {
    for window in windows {
        let cell = window.map_or(Ok(Cell::Missing), |(start, end)| cell(start, end))?;
        push(column, cell);
    }
    Ok(())
}

/// Distinct values of a window are those whose equal before lies outside of it.
fn distinct(
    column: &mut Column,
    call: &PlannedCall,
    windows: impl Iterator<Item = Span>,
    previous: &[u32],
) -> Result<(), WindowError> {
    let new = |from: usize, to: usize, start: usize| {
        let links = previous.get(from..to).unwrap_or_default();
        links.iter().filter(|link| **link as usize <= start).count() as i64
    };
    let (mut counted, mut at) = (0, 0);
    fill(column, windows, |start, end| {
        if !call.grows {
            return Ok(Cell::Integer(new(start, end, start)));
        }
        counted += new(at, end, 0);
        at = end;
        Ok(Cell::Integer(counted))
    })
}

fn of_values<T: Value>(
    column: &mut Column,
    call: &PlannedCall,
    windows: impl Iterator<Item = Span>,
    values: &[T],
) -> Result<(), WindowError> {
    let slice = |start: usize, end: usize| values.get(start..end).unwrap_or_default();
    let one = |value: Option<&T>| Ok(value.map_or(Cell::Missing, |value| value.cell()));
    let float = |value: Option<f64>| Ok(value.map_or(Cell::Missing, Cell::Float));
    match call.aggregation {
        Aggregation::Sum => run(column, call, windows, values, Total::<T::Sum>::default()),
        Aggregation::Average => run(column, call, windows, values, Mean::<T::Sum>::default()),
        Aggregation::Min => run(column, call, windows, values, Extreme { wanted: Ordering::Less, best: None }),
        Aggregation::Max => run(column, call, windows, values, Extreme { wanted: Ordering::Greater, best: None }),
        Aggregation::Mode => run(column, call, windows, values, Runs::new(Rank::Mode)),
        Aggregation::Quantile(share) => run(column, call, windows, values, Runs::new(Rank::Quantile(share))),
        Aggregation::First => fill(column, windows, |start, end| one(slice(start, end).first())),
        Aggregation::Last => fill(column, windows, |start, end| one(slice(start, end).last())),
        Aggregation::Variance { population } => {
            fill(column, windows, |start, end| float(variance(slice(start, end), population)))
        }
        Aggregation::StandardDeviation { population } => {
            fill(column, windows, |start, end| float(variance(slice(start, end), population).map(f64::sqrt)))
        }
        Aggregation::Count | Aggregation::CountDistinct => Ok(()),
    }
}

/// Feeds a running aggregate: a growing window what is new, any other from its start.
fn run<T: Value>(
    column: &mut Column,
    call: &PlannedCall,
    windows: impl Iterator<Item = Span>,
    values: &[T],
    mut running: impl Running<T>,
) -> Result<(), WindowError> {
    let mut at = 0;
    fill(column, windows, |start, end| {
        if !call.grows {
            running.reset();
            at = start;
        }
        running.add(values.get(at..end).unwrap_or_default());
        at = end;
        running.cell()
    })
}

/// In two passes, each sum compensated.
fn variance<T: Value>(values: &[T], population: bool) -> Option<f64> {
    let degrees = if population { values.len() } else { values.len().checked_sub(1)? };
    if degrees == 0 {
        return None;
    }
    let mean = sum_floats(values.iter().map(|value| value.float())) / values.len() as f64;
    let squares = sum_floats(values.iter().map(|value| (value.float() - mean) * (value.float() - mean)));
    Some(squares / degrees as f64)
}
