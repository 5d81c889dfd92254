//! Aggregates that take in values slice by slice, so that a growing window is read once.

use std::cmp::Ordering;

use super::value::{Cell, Sum, Value, WindowError};

/// An aggregate under way.
pub(super) trait Running<T> {
    /// Takes in the next values, in order of time.
    fn add(&mut self, values: &[T]);
    /// Its result so far.
    fn cell(&self) -> Result<Cell, WindowError>;
    /// Forgets everything.
    fn reset(&mut self);
}

/// The sum.
#[derive(Default)]
pub(super) struct Total<S>(S);

impl<T: Value<Sum = S>, S: Sum<T>> Running<T> for Total<S> {
    fn add(&mut self, values: &[T]) {
        for value in values {
            self.0.add(*value);
        }
    }

    fn cell(&self) -> Result<Cell, WindowError> {
        self.0.total()
    }

    fn reset(&mut self) {
        self.0 = S::default();
    }
}

/// The mean.
#[derive(Default)]
pub(super) struct Mean<S> {
    sum: S,
    count: usize,
}

impl<T: Value<Sum = S>, S: Sum<T>> Running<T> for Mean<S> {
    fn add(&mut self, values: &[T]) {
        for value in values {
            self.sum.add(*value);
        }
        self.count += values.len();
    }

    fn cell(&self) -> Result<Cell, WindowError> {
        Ok(if self.count == 0 { Cell::Missing } else { Cell::Float(self.sum.float() / self.count as f64) })
    }

    fn reset(&mut self) {
        (self.sum, self.count) = (S::default(), 0);
    }
}

/// The value that no other stands before: the least, or with `Greater` the greatest.
pub(super) struct Extreme<T> {
    pub wanted: Ordering,
    pub best: Option<T>,
}

impl<T: Value> Running<T> for Extreme<T> {
    fn add(&mut self, values: &[T]) {
        for value in values {
            if self.best.is_none_or(|best| value.compare(&best) == self.wanted) {
                self.best = Some(*value);
            }
        }
    }

    fn cell(&self) -> Result<Cell, WindowError> {
        Ok(self.best.map_or(Cell::Missing, Value::cell))
    }

    fn reset(&mut self) {
        self.best = None;
    }
}

/// What is asked of the sorted values.
#[derive(Clone, Copy)]
pub(super) enum Rank {
    Mode,
    Quantile(f64),
}

/// The distinct values in ascending order, each with how often it came.
pub(super) struct Runs<T> {
    rank: Rank,
    runs: Vec<(T, u32)>,
    fresh: Vec<T>,
    merged: Vec<(T, u32)>,
    count: usize,
}

/// Up to this many distinct values, a new one is put into its place; above, new values are sorted
/// and merged.
const INSERT_UP_TO: usize = 32;

impl<T: Value> Runs<T> {
    pub fn new(rank: Rank) -> Runs<T> {
        Runs { rank, runs: vec![], fresh: vec![], merged: vec![], count: 0 }
    }

    fn insert(&mut self, value: T) {
        let place = self.runs.partition_point(|(one, _)| one.compare(&value) == Ordering::Less);
        match self.runs.get_mut(place) {
            Some((one, count)) if *one == value => *count += 1,
            _ => self.runs.insert(place, (value, 1)),
        }
    }

    fn merge(&mut self, values: &[T]) {
        self.fresh.clear();
        self.fresh.extend(values.iter().map(|value| value.canonical()));
        self.fresh.sort_unstable_by(Value::compare);
        self.merged.clear();
        let mut old = self.runs.iter().copied().peekable();
        for run in self.fresh.chunk_by(PartialEq::eq) {
            let Some(value) = run.first() else { continue };
            while let Some(before) = old.next_if(|(one, _)| one.compare(value) == Ordering::Less) {
                self.merged.push(before);
            }
            let same = old.next_if(|(one, _)| one == value).map_or(0, |(_, count)| count);
            self.merged.push((*value, same + run.len() as u32));
        }
        self.merged.extend(old);
        std::mem::swap(&mut self.runs, &mut self.merged);
    }

    /// The most frequent value, the smallest of equally frequent ones.
    fn mode(&self) -> Option<T> {
        let mut best: Option<(T, u32)> = None;
        for (value, count) in &self.runs {
            if best.is_none_or(|(_, most)| *count > most) {
                best = Some((*value, *count));
            }
        }
        best.map(|(value, _)| value)
    }

    /// Interpolated linearly between the two values next to the share's place.
    fn quantile(&self, share: f64) -> Option<f64> {
        let position = share.clamp(0.0, 1.0) * self.count.checked_sub(1)? as f64;
        let (mut behind, part) = (position.floor() as usize, position - position.floor());
        let mut runs = self.runs.iter();
        while let Some((value, count)) = runs.next() {
            let count = *count as usize;
            if behind >= count {
                behind -= count;
                continue;
            }
            let low = value.float();
            if part == 0.0 || behind + 1 < count {
                return Some(low);
            }
            let high = runs.next().map_or(low, |(value, _)| value.float());
            return Some(low + (high - low) * part);
        }
        None
    }
}

impl<T: Value> Running<T> for Runs<T> {
    fn add(&mut self, values: &[T]) {
        self.count += values.len();
        let mut values = values.iter();
        while self.runs.len() <= INSERT_UP_TO {
            let Some(value) = values.next() else { return };
            self.insert(value.canonical());
        }
        let rest = values.as_slice();
        if !rest.is_empty() {
            self.merge(rest);
        }
    }

    fn cell(&self) -> Result<Cell, WindowError> {
        Ok(match self.rank {
            Rank::Mode => self.mode().map_or(Cell::Missing, Value::cell),
            Rank::Quantile(share) => self.quantile(share).map_or(Cell::Missing, Cell::Float),
        })
    }

    fn reset(&mut self) {
        self.runs.clear();
        self.count = 0;
    }
}
