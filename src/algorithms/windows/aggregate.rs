//! The aggregates themselves, over a slice of one entity's values.

use super::series::{Series, SeriesValues};
use super::{Aggregated, Call, Column, Data, Snapshot, Values, Window};

/// How the values of a window become one.
///
/// Of no values, counts and `Sum` are 0 and everything else is missing; deviations and variances
/// of a sample need two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregation {
    Count,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
    /// Interpolated linearly between the two nearest values; 0.5 is the median.
    Quantile(f64),
    Variance {
        population: bool,
    },
    StandardDeviation {
        population: bool,
    },
    /// The most frequent value; of equally frequent ones the smallest.
    Mode,
    /// The earliest value.
    First,
    /// The latest value.
    Last,
}

impl Aggregation {
    /// Whether the result is an integer for an integer (or absent) argument.
    pub fn keeps_integers(self) -> bool {
        !matches!(self, Self::Average | Self::Quantile(_) | Self::Variance { .. } | Self::StandardDeviation { .. })
    }

    /// Whether the result is a count, whatever the argument.
    pub fn counts(self) -> bool {
        matches!(self, Self::Count | Self::CountDistinct)
    }
}

/// Why an aggregate has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("a SUM of integers does not fit in 64 bits")]
    Overflow,
}

#[derive(Clone, Copy)]
enum Cell {
    Missing,
    Integer(i64),
    Float(f64),
}

/// Result columns under construction for a run of entities.
pub(super) struct Results {
    entities: Vec<u32>,
    snapshots: Vec<u32>,
    columns: Vec<Column>,
}

impl Results {
    pub fn new(calls: &[Call], values: &[Values]) -> Results {
        let columns = calls.iter().map(|call| empty_column(call, values)).collect();
        Results { entities: vec![], snapshots: vec![], columns }
    }

    pub fn add_rows(&mut self, entity: usize, first_snapshot: usize, count: usize) {
        self.entities.extend(std::iter::repeat_n(entity as u32, count));
        self.snapshots.extend((first_snapshot..first_snapshot + count).map(|snapshot| snapshot as u32));
    }

    /// Appends the call's value for each snapshot, in order.
    pub fn add(
        &mut self,
        index: usize,
        call: &Call,
        series: &Series,
        snapshots: &[Snapshot],
    ) -> Result<(), WindowError> {
        let Some(column) = self.columns.get_mut(index) else { return Ok(()) };
        let mut running = Running::default();
        for snapshot in snapshots {
            if !snapshot.known.get(index).copied().unwrap_or(false) {
                push(column, Cell::Missing);
                continue;
            }
            let (start, end) = series.range(call.window, snapshot);
            let cell = match (call.window, call.aggregation) {
                (Window::Before, Aggregation::Sum | Aggregation::Average) => {
                    running.advance(series, end);
                    running.total(call.aggregation)?
                }
                (Window::Before, Aggregation::CountDistinct) => Cell::Integer(running.distinct(series, end)),
                (_, aggregation) => of_range(aggregation, series, start, end)?,
            };
            push(column, cell);
        }
        Ok(())
    }

    /// Joins the parts in their order.
    pub fn concat(calls: &[Call], values: &[Values], parts: Vec<Results>) -> Aggregated {
        let mut whole = Results::new(calls, values);
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

fn empty_column(call: &Call, values: &[Values]) -> Column {
    let integers = match call.argument.and_then(|index| values.get(index)).map(|values| &values.data) {
        None => true,
        Some(Data::Integers(_)) => call.aggregation.keeps_integers(),
        Some(Data::Floats(_)) => call.aggregation.counts(),
    };
    if integers {
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

/// A sum carried from snapshot to snapshot.
#[derive(Default)]
struct Running {
    end: usize,
    integers: i128,
    floats: Compensated,
    is_float: bool,
    distinct: i64,
}

impl Running {
    fn advance(&mut self, series: &Series, end: usize) {
        match &series.values {
            SeriesValues::Rows => {}
            SeriesValues::Integers(values) => {
                self.integers += sum_integers(values.get(self.end..end).unwrap_or_default());
            }
            SeriesValues::Floats(values) => {
                self.is_float = true;
                for value in values.get(self.end..end).unwrap_or_default() {
                    self.floats.add(*value);
                }
            }
        }
        self.end = end;
    }

    fn total(&self, aggregation: Aggregation) -> Result<Cell, WindowError> {
        total(aggregation, self.is_float, self.integers, self.floats.value(), self.end)
    }

    fn distinct(&mut self, series: &Series, end: usize) -> i64 {
        let new = series.previous.get(self.end..end).unwrap_or_default();
        self.distinct += new.iter().filter(|previous| previous.is_none()).count() as i64;
        self.end = end;
        self.distinct
    }
}

fn total(
    aggregation: Aggregation,
    is_float: bool,
    integers: i128,
    floats: f64,
    count: usize,
) -> Result<Cell, WindowError> {
    if aggregation == Aggregation::Average {
        let sum = if is_float { floats } else { integers as f64 };
        return Ok(if count == 0 { Cell::Missing } else { Cell::Float(sum / count as f64) });
    }
    if is_float {
        return Ok(Cell::Float(floats));
    }
    i64::try_from(integers).map(Cell::Integer).map_err(|_| WindowError::Overflow)
}

/// Neumaier's compensated sum: the rounding errors are summed beside the sum.
/// Source: Neumaier, Zeitschrift für Angewandte Mathematik und Mechanik 54 (1974).
#[derive(Default, Clone, Copy)]
pub(super) struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    pub fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    pub fn value(self) -> f64 {
        // Infinite sums have no meaningful error term.
        if self.sum.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

fn sum_integers(values: &[i64]) -> i128 {
    values.iter().map(|value| i128::from(*value)).sum()
}

fn sum_floats(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Compensated::default();
    for value in values {
        sum.add(value);
    }
    sum.value()
}

fn of_range(aggregation: Aggregation, series: &Series, start: usize, end: usize) -> Result<Cell, WindowError> {
    match aggregation {
        Aggregation::Count => return Ok(Cell::Integer((end - start) as i64)),
        Aggregation::CountDistinct => return Ok(Cell::Integer(series.distinct(start, end))),
        _ => {}
    }
    match &series.values {
        SeriesValues::Rows => Ok(Cell::Integer((end - start) as i64)),
        SeriesValues::Integers(values) => of_integers(aggregation, values.get(start..end).unwrap_or_default()),
        SeriesValues::Floats(values) => of_floats(aggregation, values.get(start..end).unwrap_or_default()),
    }
}

fn of_integers(aggregation: Aggregation, values: &[i64]) -> Result<Cell, WindowError> {
    let cell = |value: Option<i64>| value.map_or(Cell::Missing, Cell::Integer);
    Ok(match aggregation {
        Aggregation::Sum | Aggregation::Average => {
            return total(aggregation, false, sum_integers(values), 0.0, values.len());
        }
        Aggregation::Min => cell(values.iter().min().copied()),
        Aggregation::Max => cell(values.iter().max().copied()),
        Aggregation::First => cell(values.first().copied()),
        Aggregation::Last => cell(values.last().copied()),
        Aggregation::Mode => {
            let mut sorted = values.to_vec();
            sorted.sort_unstable();
            cell(mode(&sorted).copied())
        }
        _ => of_floats(aggregation, &values.iter().map(|value| *value as f64).collect::<Vec<_>>())?,
    })
}

fn of_floats(aggregation: Aggregation, values: &[f64]) -> Result<Cell, WindowError> {
    let cell = |value: Option<f64>| value.map_or(Cell::Missing, Cell::Float);
    Ok(match aggregation {
        Aggregation::Sum | Aggregation::Average => {
            return total(aggregation, true, 0, sum_floats(values.iter().copied()), values.len());
        }
        Aggregation::Min => cell(values.iter().copied().min_by(f64::total_cmp)),
        Aggregation::Max => cell(values.iter().copied().max_by(f64::total_cmp)),
        Aggregation::First => cell(values.first().copied()),
        Aggregation::Last => cell(values.last().copied()),
        Aggregation::Mode => {
            let mut sorted: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            cell(mode(&sorted).copied())
        }
        Aggregation::Quantile(share) => cell(quantile(values, share)),
        Aggregation::Variance { population } => cell(variance(values, population)),
        Aggregation::StandardDeviation { population } => cell(variance(values, population).map(f64::sqrt)),
        Aggregation::Count | Aggregation::CountDistinct => Cell::Integer(values.len() as i64),
    })
}

/// The longest run of equal values; the first (smallest) of equally long ones.
fn mode<T: PartialEq>(sorted: &[T]) -> Option<&T> {
    let mut best: Option<(usize, &T)> = None;
    for run in sorted.chunk_by(PartialEq::eq) {
        if best.is_none_or(|(length, _)| run.len() > length) {
            best = run.first().map(|value| (run.len(), value));
        }
    }
    best.map(|(_, value)| value)
}

fn quantile(values: &[f64], share: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let mut values = values.to_vec();
    let position = share.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (_, low, above) = values.select_nth_unstable_by(position.floor() as usize, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    let part = position - position.floor();
    Some(if part == 0.0 { low } else { low + (high - low) * part })
}

fn variance(values: &[f64], population: bool) -> Option<f64> {
    let degrees = if population { values.len() } else { values.len().checked_sub(1)? };
    if degrees == 0 {
        return None;
    }
    let mean = sum_floats(values.iter().copied()) / values.len() as f64;
    let squares = sum_floats(values.iter().map(|value| (value - mean) * (value - mean)));
    Some(squares / degrees as f64)
}
