//! Sorting events by entity and time, once.

use rayon::prelude::*;

/// Event rows grouped by entity (ascending) and sorted by time within each; ties keep input order.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityOrder {
    /// Row numbers of the input.
    rows: Vec<u32>,
    /// The distinct entity keys, ascending.
    pub keys: Vec<i64>,
    /// Where each entity's rows start in `rows`, and one past the last.
    starts: Vec<usize>,
}

impl EntityOrder {
    /// Number of entities.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The rows of an entity in order of time; empty for an unknown one.
    pub fn rows_of(&self, entity: usize) -> &[u32] {
        match (self.starts.get(entity), self.starts.get(entity + 1)) {
            (Some(start), Some(end)) => self.rows.get(*start..*end).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// Sorts the events. `keys` are entity keys whose order is the order of the output; both slices
/// have one element an event. At most 2³² − 1 events (the caller checks).
pub fn order_events(keys: &[i64], times: &[i64]) -> EntityOrder {
    let mut events: Vec<(i64, i64, u32)> =
        keys.iter().zip(times).zip(0u32..).map(|((key, time), row)| (*key, *time, row)).collect();
    events.par_sort_unstable();
    let mut order = EntityOrder { rows: Vec::with_capacity(events.len()), keys: vec![], starts: vec![] };
    for (key, _, row) in events {
        if order.keys.last() != Some(&key) {
            order.keys.push(key);
            order.starts.push(order.rows.len());
        }
        order.rows.push(row);
    }
    order.starts.push(order.rows.len());
    order
}
