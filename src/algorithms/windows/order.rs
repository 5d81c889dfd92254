//! Grouping events by entity, once.

use std::ops::Range;

/// Event rows grouped by entity, in the order of the input within each.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityOrder {
    /// Row numbers of the input.
    rows: Vec<u32>,
    /// Where each entity's rows start in `rows`, and one past the last.
    starts: Vec<usize>,
}

impl EntityOrder {
    /// Number of entities.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the rows of a run of entities start, and one past the last.
    pub(super) fn starts_of(&self, entities: Range<usize>) -> &[usize] {
        self.starts.get(entities.start..=entities.end).unwrap_or_default()
    }

    pub(super) fn rows(&self, range: Range<usize>) -> &[u32] {
        self.rows.get(range).unwrap_or_default()
    }
}

/// Groups events by a counting sort. `codes` has an entity's code, below `entities`, for each of at
/// most 2³² − 1 events (the caller checks); the order of the codes is that of the output.
pub fn group_by_entity(codes: &[u32], entities: usize) -> EntityOrder {
    let mut starts = vec![0usize; entities + 1];
    for code in codes {
        if let Some(count) = starts.get_mut(*code as usize) {
            *count += 1;
        }
    }
    let mut total = 0;
    for start in &mut starts {
        total += std::mem::replace(start, total);
    }
    let mut next: Vec<usize> = starts.clone();
    let mut rows = vec![0u32; codes.len()];
    for (row, code) in (0u32..).zip(codes) {
        let Some(next) = next.get_mut(*code as usize) else { continue };
        if let Some(slot) = rows.get_mut(*next) {
            *slot = row;
        }
        *next += 1;
    }
    EntityOrder { rows, starts }
}
