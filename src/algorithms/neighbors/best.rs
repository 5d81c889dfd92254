//! Keeping the best few of many candidates as they come.

use crate::algorithms::top::{best_first, keep_best};
use crate::algorithms::wanted::Wanted;
use std::cmp::Ordering;

/// A similarity above zero and an index as one number: greater is better, of equal similarities the lower index is.
/// (The bits of numbers above zero are in the order of the numbers.)
#[inline(always)]
pub(super) fn key(similarity: f32, index: u32) -> u64 {
    (u64::from(similarity.to_bits()) << 32) | u64::from(!index)
}

/// What [`key`] was made of.
#[inline(always)]
pub(super) fn from_key(key: u64) -> (u32, f32) {
    (!(key as u32), similarity_of(key))
}

/// The similarity in a [`key`]; zero of the key zero.
#[inline(always)]
pub(super) fn similarity_of(key: u64) -> f32 {
    f32::from_bits((key >> 32) as u32)
}

/// The best `count` keys of those given, in no order, and for a while some more. Which they are does not depend on the
/// order in which they came.
#[derive(Default)]
pub(super) struct Best {
    keys: Vec<u64>,
    floor: u64,
}

impl Best {
    /// No key up to this one is any use.
    #[inline(always)]
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// Considers a key above the floor.
    pub(super) fn push(&mut self, key: u64, count: usize) {
        let most = count.saturating_add(count / 2).saturating_add(8);
        let held = self.keys.len();
        if held == self.keys.capacity() {
            self.keys.reserve_exact(held.max(8).min(most - held));
        }
        self.keys.push(key);
        if held + 1 >= most {
            self.trim(count);
        }
    }

    /// Lets go of all but the best `count`.
    pub(super) fn trim(&mut self, count: usize) {
        if count == 0 {
            self.keys.clear();
        } else if self.keys.len() > count {
            let (_, last, _) = self.keys.select_nth_unstable_by(count - 1, |a, b| b.cmp(a));
            self.floor = self.floor.max(*last);
            self.keys.truncate(count);
        }
    }

    /// The best `count`, best first; there is nothing left.
    pub(super) fn drain(&mut self, count: usize) -> impl Iterator<Item = u64> + '_ {
        self.trim(count);
        self.keys.sort_unstable_by(|a, b| b.cmp(a));
        self.floor = 0;
        self.keys.drain(..)
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Moves the keys above a floor to `other`.
    pub(super) fn pour_into(&mut self, other: &mut Self, count: usize) {
        for key in self.keys.drain(..) {
            if key > other.floor {
                other.push(key, count);
            }
        }
        self.floor = 0;
    }
}

/// Scores of items, summed up. Which are above zero is kept in a list, so that a reset costs no more than the sums.
pub(super) struct Scores {
    sums: Vec<f64>,
    /// The items with a score, as many as `scored`; one place more than there are items.
    touched: Vec<u32>,
    scored: usize,
    best: Vec<(u32, f64)>,
}

impl Scores {
    pub(super) fn new(items: usize) -> Self {
        Self { sums: vec![0.0; items], touched: vec![0; items + 1], scored: 0, best: Vec::new() }
    }

    /// Adds amounts above zero to the scores of items that there are.
    #[inline(always)]
    pub(super) fn add(&mut self, item: u32, amount: f64) {
        let sum = &mut self.sums[item as usize];
        // Written in any case and counted only the first time: a branch would be guessed wrong often.
        self.touched[self.scored] = item;
        self.scored += usize::from(*sum == 0.0);
        *sum += amount;
    }

    /// The best `top` of the items that a user may be shown, best first; all scores are zero again.
    pub(super) fn take_best(&mut self, top: usize, wanted: &Wanted<'_>, user: usize) -> Vec<(u32, f64)> {
        let is_wanted = wanted.by(user);
        let most = top.saturating_mul(2).saturating_add(16);
        let mut floor = (u32::MAX, 0.0);
        self.best.clear();
        for &item in &self.touched[..self.scored] {
            let candidate = (item, std::mem::take(&mut self.sums[item as usize]));
            // Most are below the floor, so that the seen are searched for few.
            if candidate.1 >= floor.1 && best_first(&candidate, &floor) == Ordering::Less && is_wanted(item) {
                self.best.push(candidate);
                if self.best.len() >= most {
                    keep_best(&mut self.best, top);
                    floor = self.best.last().copied().unwrap_or(floor);
                }
            }
        }
        self.scored = 0;
        keep_best(&mut self.best, top);
        self.best.clone()
    }
}

/// A weight as it enters scores: so bounded that no sum of products with similarities overflows or vanishes. One that
/// is not above zero is none.
#[inline(always)]
pub(super) fn usable(weight: f64) -> Option<f64> {
    (weight >= f64::from(f32::MIN_POSITIVE)).then(|| weight.min(f64::from(f32::MAX)))
}
