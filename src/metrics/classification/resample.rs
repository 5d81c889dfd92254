//! Resamples of rows that are told apart only by the slot they count in: drawn, counted and measured
//! without a sort and without a list of rows.

use crate::metrics::intervals::Interval;
use rand::{Rng, RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

/// Rows a block of counters covers; it fits the first-level cache. A power of two, so that bits are
/// a place in it.
const BLOCK: usize = 1 << BLOCK_BITS;
const BLOCK_BITS: u32 = 12;

/// Resamples that one thread does in a row.
const RUN: usize = 8;

/// The slot of each row and the number of slots.
pub(in crate::metrics) type Slots<'a> = (&'a [u32], usize);

/// Seeds of resamples: one each, drawn in their order.
pub(in crate::metrics) fn seeds(resamples: usize, rng: &mut impl Rng) -> Vec<u64> {
    (0..resamples).map(|_| rng.next_u64()).collect()
}

/// Intervals of `measures` measures of one or more models of the same rows. `measure` is given, by
/// model and slot, how many of the drawn rows count there. As [`crate::metrics::intervals::bootstrap`]:
/// resamples in which a measure does not exist are left out; `None` without rows or resamples or
/// when the measure does not exist on all rows.
pub(in crate::metrics) fn resampled_intervals<const MODELS: usize>(
    models: [Slots<'_>; MODELS],
    measures: usize,
    resamples: usize,
    rng: &mut impl Rng,
    measure: impl Fn([&[u32]; MODELS]) -> Vec<Option<f64>> + Sync,
) -> Vec<Option<Interval>> {
    let estimates = measure(counted(models).each_ref().map(Vec::as_slice));
    let drawn = resampled(models, &seeds(resamples, rng), &measure);
    let of = |at: usize| {
        let estimate = estimates.get(at).copied().flatten()?;
        interval(estimate, drawn.iter().filter_map(|values| values.get(at).copied().flatten()).collect())
    };
    (0..measures).map(of).collect()
}

/// What `measure` says of each resample, in the order of the seeds.
pub(in crate::metrics) fn resampled<const MODELS: usize, Found: Send>(
    models: [Slots<'_>; MODELS],
    seeds: &[u64],
    measure: impl Fn([&[u32]; MODELS]) -> Found + Sync,
) -> Vec<Found> {
    let rows = models.iter().map(|(slots, _)| slots.len()).min().unwrap_or(0);
    let scratch = || (Draws::new(rows), models.map(|(_, count)| vec![0; count]));
    let one = |(draws, counts): &mut (Draws, [Vec<u32>; MODELS]), &seed: &u64| {
        counts.iter_mut().for_each(|counts| counts.fill(0));
        draws.each_block(seed, |first, times| {
            for ((slots, _), counts) in models.iter().zip(counts.iter_mut()) {
                let slots = slots.get(first..).unwrap_or(&[]);
                for (&slot, &times) in slots.iter().zip(times) {
                    if let Some(count) = counts.get_mut(slot as usize) {
                        *count += times;
                    }
                }
            }
        });
        measure(counts.each_ref().map(Vec::as_slice))
    };
    // Not split further, so that scratch, which may be large, is not made anew for every resample.
    seeds.par_iter().with_min_len(RUN).map_init(scratch, one).collect()
}

/// The counts when every row is there once.
fn counted<const MODELS: usize>(models: [Slots<'_>; MODELS]) -> [Vec<u32>; MODELS] {
    models.map(|(slots, count)| {
        let mut counts = vec![0; count];
        for &slot in slots {
            if let Some(count) = counts.get_mut(slot as usize) {
                *count += 1;
            }
        }
        counts
    })
}

/// The estimate between the 2.5th and the 97.5th percentile of the resamples.
pub(in crate::metrics) fn interval(estimate: f64, mut measures: Vec<f64>) -> Option<Interval> {
    measures.retain(|measure| !measure.is_nan());
    measures.sort_unstable_by(f64::total_cmp);
    let percentile = |share: f64| {
        let position = share * measures.len().checked_sub(1)? as f64;
        let (below, above) = (measures.get(position.floor() as usize)?, measures.get(position.ceil() as usize)?);
        Some(below + (above - below) * position.fract())
    };
    Some(Interval { estimate, low: percentile(0.025)?, high: percentile(0.975)? })
}

/// How often each of a number of rows is drawn, when as many are drawn with replacement. First for
/// every draw the block it falls into, then in each block the row: the same distribution as drawing
/// rows, but counted within a cache.
struct Draws {
    rows: usize,
    by_block: Vec<u32>,
    times: Vec<u32>,
}

impl Draws {
    fn new(rows: usize) -> Self {
        Self { rows, by_block: vec![0; rows.div_ceil(BLOCK)], times: vec![0; BLOCK.min(rows)] }
    }

    /// Calls with the first row of each block and how often each of its rows was drawn.
    fn each_block(&mut self, seed: u64, mut visit: impl FnMut(usize, &[u32])) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        self.draw_blocks(&mut rng);
        for (block, &draws) in self.by_block.iter().enumerate() {
            let first = block * BLOCK;
            let size = BLOCK.min(self.rows - first);
            let Some(times) = self.times.get_mut(..size) else { return };
            times.fill(0);
            draw_within(times, draws as usize, &mut rng);
            visit(first, times);
        }
    }

    fn draw_blocks(&mut self, rng: &mut Xoshiro256PlusPlus) {
        if let [only] = self.by_block.as_mut_slice() {
            *only = self.rows as u32;
            return;
        }
        self.by_block.fill(0);
        let mut left = self.rows;
        while left > 0 {
            let bits = rng.next_u64();
            for half in [bits as u32, (bits >> 32) as u32].into_iter().take(left) {
                // Off from a uniform choice of blocks by less than rows / 2⁴⁴.
                let row = (u64::from(half) * self.rows as u64) >> 32;
                if let Some(drawn) = self.by_block.get_mut((row >> BLOCK_BITS) as usize) {
                    *drawn += 1;
                }
            }
            left = left.saturating_sub(2);
        }
    }
}

/// Draws `draws` of the rows of a block.
fn draw_within(times: &mut [u32], draws: usize, rng: &mut Xoshiro256PlusPlus) {
    let mut left = draws;
    let size = times.len() as u64;
    while left > 0 {
        let mut bits = rng.next_u64();
        let (many, whole) = if size == BLOCK as u64 { (left.min(5), true) } else { (left.min(2), false) };
        for _ in 0..many {
            let row = if whole { bits & (BLOCK as u64 - 1) } else { ((bits & 0xffff_ffff) * size) >> 32 };
            bits >>= if whole { BLOCK_BITS } else { 32 };
            if let Some(drawn) = times.get_mut(row as usize) {
                *drawn += 1;
            }
        }
        left -= many;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(rows: usize, seed: u64) -> Vec<u32> {
        let mut all = Vec::new();
        Draws::new(rows).each_block(seed, |first, times| {
            assert_eq!(first, all.len());
            all.extend_from_slice(times);
        });
        all
    }

    #[test]
    fn as_many_are_drawn_as_there_are() {
        for rows in [1, 2, 3, 4095, 4096, 4097, 10_000] {
            let drawn = times(rows, 3);
            assert_eq!((drawn.len(), drawn.iter().sum::<u32>()), (rows, rows as u32));
        }
        assert!(times(0, 3).is_empty());
        assert_ne!(times(5000, 3), times(5000, 4));
    }

    /// Each row is drawn Binomial(n, 1/n) times, nearly Poisson(1): shares of 0, 1 and 2 times are
    /// .3679, .3679 and .1839. Sums of parts of the rows vary as the binomial says, which they would
    /// not if blocks had fixed shares.
    #[test]
    fn draws_have_the_distribution_of_rows_drawn_one_by_one() {
        let rows = 12_500;
        let mut shares = [0.0; 3];
        let (mut sums, mut squares) = (0.0, 0.0);
        let resamples = 400;
        for seed in 0..resamples {
            let drawn = times(rows, seed);
            for (count, share) in shares.iter_mut().enumerate() {
                *share += drawn.iter().filter(|&&times| times as usize == count).count() as f64;
            }
            let part = f64::from(drawn[8192..].iter().sum::<u32>());
            sums += part;
            squares += part * part;
        }
        let all = rows as f64 * resamples as f64;
        for (share, expected) in shares.into_iter().zip([0.367_88, 0.367_88, 0.183_94]) {
            assert!((share / all - expected).abs() < 0.001, "{share}");
        }
        let p = (rows - 8192) as f64 / rows as f64;
        let mean = sums / resamples as f64;
        let variance = squares / resamples as f64 - mean * mean;
        assert!((mean / (rows as f64 * p) - 1.0).abs() < 0.003, "{mean}");
        assert!((variance / (rows as f64 * p * (1.0 - p)) - 1.0).abs() < 0.3, "{variance}");
    }

    #[test]
    fn no_rows_have_no_interval() {
        let found =
            resampled_intervals([(&[][..], 0)], 1, 20, &mut Xoshiro256PlusPlus::seed_from_u64(1), |_| vec![None]);
        assert_eq!(found, [None]);
        assert_eq!(interval(1.0, vec![f64::NAN]), None);
    }
}
