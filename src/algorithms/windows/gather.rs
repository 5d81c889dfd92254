//! The events of a run of entities, brought together in order of time.

use std::ops::Range;

use super::plan::Plan;
use super::{Data, Events, Values};

/// Events of a run of entities: contiguous, by entity and time; ties keep the order of the input.
pub(super) struct Local {
    /// Where each entity's events start, and one past the last.
    starts: Vec<usize>,
    times: Vec<i64>,
    /// One per column of values.
    pub columns: Vec<LocalColumn>,
    pub masks: Vec<Vec<bool>>,
}

pub(super) struct LocalColumn {
    pub data: LocalData,
    pub valid: Option<Vec<bool>>,
}

pub(super) enum LocalData {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
}

impl Local {
    /// Gathers what the plan needs of the events of these entities.
    pub fn gather(events: &Events<'_>, plan: &Plan<'_>, entities: Range<usize>) -> Local {
        let starts = events.order.starts_of(entities);
        let (first, last) = (starts.first().copied().unwrap_or(0), starts.last().copied().unwrap_or(0));
        let mut rows: Vec<u32> = events.order.rows(first..last).to_vec();
        let mut times = pick(events.times, &rows);
        let starts: Vec<usize> = starts.iter().map(|start| start - first).collect();
        for pair in starts.windows(2) {
            let [start, end] = pair else { continue };
            if let (Some(times), Some(rows)) = (times.get_mut(*start..*end), rows.get_mut(*start..*end)) {
                sort_by_time(times, rows);
            }
        }
        let wanted = |index: usize| plan.series.iter().any(|series| series.argument == Some(index));
        let none = || LocalColumn { data: LocalData::Integers(vec![]), valid: None };
        let columns = events.values.iter().enumerate();
        let columns =
            columns.map(|(index, values)| if wanted(index) { column(values, &rows, &times) } else { none() }).collect();
        let masks = events.masks.iter().map(|mask| pick(mask, &rows)).collect();
        Local { starts, times, columns, masks }
    }

    /// For each entity the range of its events.
    pub fn entities(&self) -> impl Iterator<Item = Range<usize>> {
        self.starts.windows(2).filter_map(|pair| match pair {
            [start, end] => Some(*start..*end),
            _ => None,
        })
    }

    pub fn times(&self, rows: Range<usize>) -> &[i64] {
        self.times.get(rows).unwrap_or_default()
    }
}

/// Rows arrive in order of time more often than not.
fn sort_by_time(times: &mut [i64], rows: &mut [u32]) {
    if times.is_sorted() {
        return;
    }
    let mut both: Vec<(i64, u32)> = times.iter().copied().zip(rows.iter().copied()).collect();
    both.sort_unstable();
    for ((time, row), (slot, row_slot)) in both.into_iter().zip(times.iter_mut().zip(rows)) {
        *slot = time;
        *row_slot = row;
    }
}

fn column(values: &Values, rows: &[u32], times: &[i64]) -> LocalColumn {
    let data = match &values.data {
        Data::Integers(data) => LocalData::Integers(pick(data, rows)),
        Data::Codes(codes) => {
            LocalData::Integers(rows.iter().map(|row| codes.get(*row as usize).copied().map_or(0, i64::from)).collect())
        }
        Data::Floats(data) => LocalData::Floats(pick(data, rows)),
        Data::Times => LocalData::Integers(times.to_vec()),
    };
    LocalColumn { data, valid: values.valid.as_ref().map(|valid| pick(valid, rows)) }
}

fn pick<T: Copy + Default>(from: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|row| from.get(*row as usize).copied().unwrap_or_default()).collect()
}
