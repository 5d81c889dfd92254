//! The inner loops: which rows of a leaf lie within the radius of a point, and how far boxes are apart.
//!
//! Terms are added column by column, as scikit-learn adds them, so that a pair at exactly the radius counts the same.
//! No term is negative, so a sum that has passed the bound stays beyond it and the rest need not be added.

use super::Metric;
use super::tree::LEAF_ROWS;

/// Rows compared at once.
pub(super) const LANES: usize = 16;
/// Columns after which it is asked whether any row can still be near.
const CHUNK_COLUMNS: usize = 4;

/// How coordinates add up to a distance that is compared with a bound.
trait Terms {
    fn term(difference: f64) -> f64;
}

struct Squared;

impl Terms for Squared {
    #[inline(always)]
    fn term(difference: f64) -> f64 {
        difference * difference
    }
}

struct Absolute;

impl Terms for Absolute {
    #[inline(always)]
    fn term(difference: f64) -> f64 {
        difference.abs()
    }
}

impl Metric {
    /// Cosine distances are taken as Euclidean ones of directions.
    fn is_squared(self) -> bool {
        self != Metric::Manhattan
    }

    /// For each of `points` (row after row), bit `i` says whether row `i` of the leaf lies within `bound`.
    pub(super) fn within(self, points: &[f64], leaf: &[f64], columns: usize, bound: f64, masks: &mut [u32]) {
        if self.is_squared() {
            within_squared(points, leaf, columns, bound, masks);
        } else {
            within_absolute(points, leaf, columns, bound, masks);
        }
    }

    /// What the distances of the rows of a leaf to a point add up to.
    pub(super) fn sums(self, point: &[f64], leaf: &[f64], sums: &mut [f64; LEAF_ROWS]) {
        if self.is_squared() { sums_squared(point, leaf, sums) } else { sums_absolute(point, leaf, sums) }
    }

    /// The least that the distance between points of two boxes can add up to. A point is a box, too.
    pub(super) fn apart_min(self, a: Bounds<'_>, b: Bounds<'_>) -> f64 {
        let sides = a.low.iter().zip(a.high).zip(b.low.iter().zip(b.high));
        let gap = |((a_low, a_high), (b_low, b_high)): ((&f64, &f64), (&f64, &f64))| {
            self.term((b_low - a_high).max(a_low - b_high).max(0.0))
        };
        sides.map(gap).sum()
    }

    /// The most that it can add up to.
    pub(super) fn apart_max(self, a: Bounds<'_>, b: Bounds<'_>) -> f64 {
        let sides = a.low.iter().zip(a.high).zip(b.low.iter().zip(b.high));
        let reach = |((a_low, a_high), (b_low, b_high)): ((&f64, &f64), (&f64, &f64))| {
            self.term((b_high - a_low).max(a_high - b_low))
        };
        sides.map(reach).sum()
    }

    #[inline(always)]
    fn term(self, difference: f64) -> f64 {
        if self.is_squared() { Squared::term(difference) } else { Absolute::term(difference) }
    }
}

/// The least and the greatest coordinate of some rows, column by column.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) low: &'a [f64],
    pub(super) high: &'a [f64],
}

impl<'a> Bounds<'a> {
    pub(super) fn point(point: &'a [f64]) -> Bounds<'a> {
        Bounds { low: point, high: point }
    }
}

vectorized! {
    fn within_squared(points: &[f64], leaf: &[f64], columns: usize, bound: f64, masks: &mut [u32]) {
        within::<Squared>(points, leaf, columns, bound, masks);
    }
}

vectorized! {
    fn within_absolute(points: &[f64], leaf: &[f64], columns: usize, bound: f64, masks: &mut [u32]) {
        within::<Absolute>(points, leaf, columns, bound, masks);
    }
}

vectorized! {
    fn sums_squared(point: &[f64], leaf: &[f64], sums: &mut [f64; LEAF_ROWS]) {
        all_sums::<Squared>(point, leaf, sums);
    }
}

vectorized! {
    fn sums_absolute(point: &[f64], leaf: &[f64], sums: &mut [f64; LEAF_ROWS]) {
        all_sums::<Absolute>(point, leaf, sums);
    }
}

#[inline(always)]
fn within<T: Terms>(points: &[f64], leaf: &[f64], columns: usize, bound: f64, masks: &mut [u32]) {
    for (point, mask) in points.chunks_exact(columns).zip(masks) {
        *mask = 0;
        for (index, tile) in leaf.chunks_exact(LANES * columns).enumerate() {
            *mask |= tile_within::<T>(tile, point, bound) << (index * LANES);
        }
    }
}

#[inline(always)]
fn tile_within<T: Terms>(tile: &[f64], point: &[f64], bound: f64) -> u32 {
    let mut sums = [0.0; LANES];
    let (tile, _) = tile.as_chunks::<LANES>();
    for (tile, point) in tile.chunks(CHUNK_COLUMNS).zip(point.chunks(CHUNK_COLUMNS)) {
        for (values, &coordinate) in tile.iter().zip(point) {
            for lane in 0..LANES {
                sums[lane] += T::term(values[lane] - coordinate);
            }
        }
        let mut near = false;
        for sum in &sums {
            near |= *sum <= bound;
        }
        if !near {
            return 0;
        }
    }
    let mut mask = 0;
    for (lane, sum) in sums.iter().enumerate() {
        mask |= u32::from(*sum <= bound) << lane;
    }
    mask
}

#[inline(always)]
fn all_sums<T: Terms>(point: &[f64], leaf: &[f64], sums: &mut [f64; LEAF_ROWS]) {
    let tiles = leaf.chunks_exact(LANES * point.len());
    for (tile, sums) in tiles.zip(sums.as_chunks_mut::<LANES>().0) {
        *sums = [0.0; LANES];
        for (values, &coordinate) in tile.as_chunks::<LANES>().0.iter().zip(point) {
            for lane in 0..LANES {
                sums[lane] += T::term(values[lane] - coordinate);
            }
        }
    }
}
