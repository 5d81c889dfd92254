//! The values of one entity that one aggregate looks at, in order of time.

use super::{Data, Events, Snapshot, Window};

/// Values with their times, without the missing and the filtered ones.
#[derive(Debug)]
pub struct Series {
    pub times: Vec<i64>,
    pub values: SeriesValues,
    /// For each value the index of the same value before it, if any; empty unless asked for.
    pub previous: Vec<Option<u32>>,
}

#[derive(Debug)]
pub enum SeriesValues {
    /// Rows are only counted.
    Rows,
    Integers(Vec<i64>),
    Floats(Vec<f64>),
}

impl Series {
    /// Collects the rows that are valid and kept by the mask.
    pub fn gather(
        events: &Events<'_>,
        rows: &[u32],
        argument: Option<usize>,
        mask: Option<usize>,
        distinct: bool,
    ) -> Series {
        let mask = mask.and_then(|index| events.masks.get(index));
        let values = argument.and_then(|index| events.values.get(index));
        let kept = |row: usize| {
            mask.is_none_or(|mask| mask.get(row).copied().unwrap_or(false))
                && values
                    .and_then(|values| values.valid.as_ref())
                    .is_none_or(|valid| valid.get(row).copied().unwrap_or(false))
        };
        let rows = || rows.iter().map(|row| *row as usize).filter(|row| kept(*row));
        let time = |row: usize| events.times.get(row).copied();
        let mut series = match values.map(|values| &values.data) {
            None => Series { times: rows().filter_map(time).collect(), values: SeriesValues::Rows, previous: vec![] },
            Some(Data::Integers(data)) => {
                let (times, values) = rows().filter_map(|row| Some((time(row)?, *data.get(row)?))).unzip();
                Series { times, values: SeriesValues::Integers(values), previous: vec![] }
            }
            Some(Data::Floats(data)) => {
                let (times, values) = rows()
                    .filter_map(|row| Some((time(row)?, *data.get(row)?)))
                    .filter(|(_, value)| !value.is_nan())
                    .unzip();
                Series { times, values: SeriesValues::Floats(values), previous: vec![] }
            }
        };
        if distinct {
            series.previous = series.link_previous();
        }
        series
    }

    /// The half-open range of values inside the window of a snapshot.
    pub fn range(&self, window: Window, snapshot: &Snapshot) -> (usize, usize) {
        let index = |time: i64| self.times.partition_point(|one| *one < time);
        let moment = snapshot.moment;
        match window {
            Window::Before => (0, index(moment)),
            Window::Last(length) => (index(moment.saturating_sub(length)), index(moment)),
            Window::Next(length) => (index(moment), index(moment.saturating_add(length))),
        }
    }

    /// Number of distinct values in the range: those whose equal before lies outside of it.
    pub fn distinct(&self, start: usize, end: usize) -> i64 {
        let previous = self.previous.get(start..end).unwrap_or_default();
        previous.iter().filter(|one| one.is_none_or(|index| (index as usize) < start)).count() as i64
    }

    fn link_previous(&self) -> Vec<Option<u32>> {
        let keys: Vec<u64> = match &self.values {
            SeriesValues::Rows => return vec![None; self.times.len()],
            SeriesValues::Integers(values) => values.iter().map(|value| *value as u64).collect(),
            // Adding zero makes -0 and 0 one value.
            SeriesValues::Floats(values) => values.iter().map(|value| (value + 0.0).to_bits()).collect(),
        };
        let mut order: Vec<(u64, u32)> = keys.into_iter().zip(0u32..).collect();
        order.sort_unstable();
        let mut previous = vec![None; order.len()];
        for pair in order.windows(2) {
            if let [(before, index), (key, later)] = pair
                && before == key
                && let Some(slot) = previous.get_mut(*later as usize)
            {
                *slot = Some(*index);
            }
        }
        previous
    }
}
