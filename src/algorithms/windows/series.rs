//! The values of one entity that some aggregates look at, in order of time.

use std::ops::Range;

use super::gather::{Local, LocalData};
use super::plan::SeriesPlan;
use super::value::Value;

/// Values without the missing and the filtered ones; buffers that are filled entity after entity.
#[derive(Default)]
pub(super) struct Series {
    pub kind: SeriesKind,
    pub integers: Vec<i64>,
    pub floats: Vec<f64>,
    /// For each moment of the plan how many values lie before it.
    pub cuts: Vec<usize>,
    /// For each value one more than the index of the same value before it, 0 if there is none;
    /// empty unless distinct values are counted.
    pub previous: Vec<u32>,
    slots: Vec<u32>,
}

/// Which of the buffers holds the values.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeriesKind {
    /// None: rows are only counted.
    #[default]
    Rows,
    Integers,
    Floats,
}

impl Series {
    /// Takes the values of the rows that are valid and kept by the mask; `cuts` are those of all rows.
    pub fn fill(&mut self, local: &Local, rows: Range<usize>, plan: &SeriesPlan, cuts: &[usize]) {
        let mask = plan.mask.and_then(|index| local.masks.get(index)).and_then(|mask| mask.get(rows.clone()));
        let column = plan.argument.and_then(|index| local.columns.get(index));
        let valid = column.and_then(|column| column.valid.as_ref()).and_then(|valid| valid.get(rows.clone()));
        let kept = Kept { valid, mask };
        self.previous.clear();
        match column.map(|column| &column.data) {
            None => {
                self.kind = SeriesKind::Rows;
                kept.filter(local.times(rows), cuts, &mut self.integers, &mut self.cuts);
            }
            Some(LocalData::Integers(data)) => {
                self.kind = SeriesKind::Integers;
                kept.filter(data.get(rows).unwrap_or_default(), cuts, &mut self.integers, &mut self.cuts);
                if plan.distinct {
                    link(&self.integers, &mut self.slots, &mut self.previous);
                }
            }
            Some(LocalData::Floats(data)) => {
                self.kind = SeriesKind::Floats;
                kept.filter(data.get(rows).unwrap_or_default(), cuts, &mut self.floats, &mut self.cuts);
                if plan.distinct {
                    link(&self.floats, &mut self.slots, &mut self.previous);
                }
            }
        }
    }
}

/// Which rows count.
struct Kept<'a> {
    valid: Option<&'a [bool]>,
    mask: Option<&'a [bool]>,
}

impl Kept<'_> {
    fn holds(&self, row: usize) -> bool {
        let holds = |flags: Option<&[bool]>| flags.is_none_or(|flags| flags.get(row).copied().unwrap_or(false));
        holds(self.valid) && holds(self.mask)
    }

    /// Copies the values that count; what lies behind the last moment is in no window.
    fn filter<T: Copy>(&self, values: &[T], cuts: &[usize], into: &mut Vec<T>, kept_cuts: &mut Vec<usize>) {
        into.clear();
        kept_cuts.clear();
        if self.valid.is_none() && self.mask.is_none() {
            let last = cuts.last().copied().unwrap_or(0);
            into.extend_from_slice(values.get(..last).unwrap_or_default());
            kept_cuts.extend_from_slice(cuts);
            return;
        }
        let mut start = 0;
        for cut in cuts {
            let part = values.get(start..*cut).unwrap_or_default();
            into.extend((start..).zip(part).filter(|(row, _)| self.holds(*row)).map(|(_, value)| *value));
            kept_cuts.push(into.len());
            start = *cut;
        }
    }
}

/// Up to this many values, the same value is looked for by walking back.
const WALK_BACK: usize = 24;

/// Links each value to the same value before it: through a hash table with open addressing.
fn link<T: Value>(values: &[T], slots: &mut Vec<u32>, previous: &mut Vec<u32>) {
    if values.len() <= WALK_BACK {
        for (index, value) in values.iter().enumerate() {
            let before = values.get(..index).unwrap_or_default();
            previous.push(before.iter().rposition(|one| one == value).map_or(0, |found| found as u32 + 1));
        }
        return;
    }
    // Half of the slots stay empty, so that a probe ends soon.
    let size = (values.len() * 2).next_power_of_two();
    slots.clear();
    slots.resize(size, 0);
    for (position, value) in (1u32..).zip(values) {
        let mut slot = spread(value.bits()) as usize & (size - 1);
        let found = loop {
            let Some(entry) = slots.get_mut(slot) else { break 0 };
            let same = |entry: u32| values.get(entry as usize - 1).is_some_and(|one| one == value);
            if *entry == 0 || same(*entry) {
                break std::mem::replace(entry, position);
            }
            slot = (slot + 1) & (size - 1);
        };
        previous.push(found);
    }
}

/// Mixes the bits so that regular keys do not crowd.
/// Source: the finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA 2014), variant 13 of Stafford.
fn spread(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
