//! One row by conjugate gradients, in coordinates in which the other side's products are diagonal.

use super::rows::{Group, LANES};
use crate::algorithms::sparse::Csr;

/// Rows whose shares are added before they go into the total.
const RUN: usize = 64;

/// What is left to gain below which a row is solved. Steps on the smallest numbers, whose quotients have few digits,
/// would lead away again.
const LEAST: f32 = 1e-30;

/// Bytes of rows that a thread copies together.
pub(super) const PACKED: usize = 4 << 20;

/// What one thread works with.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The row's entries: rows of the other side, their weights, and what the row predicts for them.
    pub(super) indices: Vec<u32>,
    pub(super) weights: Vec<f32>,
    pub(super) predicted: Vec<f32>,
    along: Vec<f32>,
    /// What is added to the products of the entries: a diagonal matrix.
    pub(super) diagonal: Vec<Group>,
    /// An approximate inverse of the whole, also diagonal.
    pub(super) inverse: Vec<Group>,
    residual: Vec<Group>,
    direction: Vec<Group>,
    image: Vec<Group>,
    run: Run,
    packed: Vec<Group>,
}

impl Scratch {
    /// Takes the entries of a row with a column below `columns` and a weight above zero.
    pub(super) fn load(&mut self, matrix: &Csr, row: usize, columns: usize) {
        self.indices.clear();
        self.weights.clear();
        for (index, weight) in matrix.pairs(row) {
            let weight = weight as f32;
            if weight > 0.0 && weight.is_finite() && (index as usize) < columns {
                self.indices.push(index);
                self.weights.push(weight);
            }
        }
    }
}

vectorized! {
    /// Takes `steps` steps from `x` towards the solution of (diagonal + Σ c y yᵀ) x = Σ c y over the entries of the
    /// row. What is predicted for the entries is kept up to date along the way.
    pub(super) fn descend(other: &[Group], steps: usize, x: &mut [Group], scratch: &mut Scratch) {
        let Scratch { indices, weights, predicted, along, diagonal, inverse, residual, direction, image, run, packed } = scratch;
        for groups in [&mut *residual, &mut *direction, &mut *image] {
            groups.resize(x.len(), [0.0; LANES]);
        }
        predicted.resize(indices.len(), 0.0);
        along.resize(indices.len(), 0.0);
        let entries = Entries { other, indices, weights, packed: packed_unless_many(other, indices, x.len(), packed) };
        run.pull(entries, 1.0, x, predicted, Some(residual));
        for (((r, p), (d, m)), x) in
            residual.iter_mut().zip(&mut *direction).zip(diagonal.iter().zip(&*inverse)).zip(&*x)
        {
            for lane in 0..LANES {
                r[lane] -= d[lane] * x[lane];
                p[lane] = m[lane] * r[lane];
            }
        }
        let mut length = product(residual, direction);
        let enough = (length * f32::EPSILON * f32::EPSILON).max(LEAST);
        for step in 1..=steps {
            let curvature = if step < steps {
                run.pull(entries, 0.0, direction, along, Some(image));
                for ((q, d), p) in image.iter_mut().zip(&*diagonal).zip(&*direction) {
                    for lane in 0..LANES {
                        q[lane] -= d[lane] * p[lane];
                    }
                }
                -product(image, direction)
            } else {
                run.pull(entries, 0.0, direction, along, None);
                curvature(weights, along) + weighed(direction, diagonal)
            };
            let pace = length / curvature;
            // Solved as far as the numbers can tell, or beyond what they can hold.
            if !(length > enough && curvature > 0.0 && pace.is_finite()) {
                break;
            }
            step_along(x, pace, direction);
            predicted.iter_mut().zip(&*along).for_each(|(s, t)| *s += pace * t);
            if step == steps {
                break;
            }
            step_along(residual, pace, image);
            let before = length;
            length = weighed(residual, inverse);
            let share = length / before;
            for ((p, m), r) in direction.iter_mut().zip(&*inverse).zip(&*residual) {
                for lane in 0..LANES {
                    p[lane] = m[lane] * r[lane] + share * p[lane];
                }
            }
        }
    }
}

/// What `x` predicts for the entries of the row.
pub(super) fn predict(other: &[Group], x: &[Group], scratch: &mut Scratch) {
    let Scratch { indices, weights, predicted, run, .. } = scratch;
    predicted.resize(indices.len(), 0.0);
    run.pull(Entries { other, indices, weights, packed: &[] }, 0.0, x, predicted, None);
}

/// The entries of a row: rows of the other side and their weights.
#[derive(Clone, Copy)]
struct Entries<'a> {
    other: &'a [Group],
    indices: &'a [u32],
    weights: &'a [f32],
    /// The rows one after the other, unless they are too many.
    packed: &'a [Group],
}

/// Room for what a run is worked on with.
#[derive(Debug, Default)]
struct Run {
    rows: Vec<Group>,
    products: Vec<Group>,
    shares: Vec<f32>,
    sum: Vec<Group>,
}

impl Run {
    /// `predicted` = y·x and, if it is wanted, `sum` = Σ c (target − y·x) y.
    fn pull(
        &mut self,
        entries: Entries<'_>,
        target: f32,
        x: &[Group],
        predicted: &mut [f32],
        mut sum: Option<&mut [Group]>,
    ) {
        let Self { rows, products, shares, sum: sum_of_run } = self;
        products.resize(RUN, [0.0; LANES]);
        shares.resize(RUN, 0.0);
        sum_of_run.resize(x.len(), [0.0; LANES]);
        if let Some(sum) = &mut sum {
            sum.fill([0.0; LANES]);
        }
        let mut packed = entries.packed.chunks(RUN * x.len());
        let runs = entries.indices.chunks(RUN).zip(entries.weights.chunks(RUN));
        for ((indices, weights), predicted) in runs.zip(predicted.chunks_mut(RUN)) {
            let rows = packed.next().unwrap_or_else(|| pack(entries.other, indices, x.len(), rows));
            multiply(rows, x, products);
            totals(products, weights, target, predicted, shares);
            if let Some(sum) = &mut sum {
                sum_of_run.fill([0.0; LANES]);
                add_rows(rows, shares, sum_of_run);
                step_along(sum, 1.0, sum_of_run);
            }
        }
    }
}

/// The rows one after the other, so that they are fetched from afar once only, or nothing where they would take more
/// than [`PACKED`].
fn packed_unless_many<'a>(other: &[Group], indices: &[u32], groups: usize, packed: &'a mut Vec<Group>) -> &'a [Group] {
    let few = indices.len().saturating_mul(groups * size_of::<Group>()) <= PACKED;
    if few { pack(other, indices, groups, packed) } else { &[] }
}

/// Copies rows together.
fn pack<'a>(other: &[Group], indices: &[u32], groups: usize, packed: &'a mut Vec<Group>) -> &'a [Group] {
    packed.clear();
    let row = |index: &u32| &other[*index as usize * groups..][..groups];
    for indices in indices.chunks(RUN) {
        // Read a little of each first: rows are far apart, and nothing here has to wait for the one before.
        let touched = indices.iter().flat_map(row).fold(0, |touched, group| touched ^ group[0].to_bits());
        std::hint::black_box(touched);
        indices.iter().for_each(|index| packed.extend_from_slice(row(index)));
    }
    packed
}

vectorized! {
    /// The products of rows with `x`, whose lanes are yet to be added.
    #[inline(never)]
    fn multiply(rows: &[Group], x: &[Group], products: &mut [Group]) {
        let fours = rows.chunks_exact(4 * x.len());
        let rest = fours.remainder();
        let count = fours.len();
        for (rows, products) in fours.zip(products.as_chunks_mut::<4>().0) {
            let [a, b, c, d] = four(rows);
            let (mut first, mut second, mut third, mut fourth) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
            for ((((a, b), c), d), x) in a.iter().zip(b).zip(c).zip(d).zip(x) {
                for lane in 0..LANES {
                    first[lane] += a[lane] * x[lane];
                }
                for lane in 0..LANES {
                    second[lane] += b[lane] * x[lane];
                }
                for lane in 0..LANES {
                    third[lane] += c[lane] * x[lane];
                }
                for lane in 0..LANES {
                    fourth[lane] += d[lane] * x[lane];
                }
            }
            *products = [first, second, third, fourth];
        }
        for (row, product) in rest.chunks_exact(x.len()).zip(products.iter_mut().skip(4 * count)) {
            let mut sums = [0.0; LANES];
            for (a, x) in row.iter().zip(x) {
                for lane in 0..LANES {
                    sums[lane] += a[lane] * x[lane];
                }
            }
            *product = sums;
        }
    }
}

vectorized! {
    /// `predicted`, the sums of the lanes, and `shares` = c (target − predicted).
    #[inline(never)]
    fn totals(products: &[Group], weights: &[f32], target: f32, predicted: &mut [f32], shares: &mut [f32]) {
        for (((product, weight), predicted), share) in products.iter().zip(weights).zip(predicted).zip(shares) {
            *predicted = total(*product);
            *share = weight * (target - *predicted);
        }
    }
}

vectorized! {
    /// Adds rows times their shares.
    #[inline(never)]
    fn add_rows(rows: &[Group], shares: &[f32], sums: &mut [Group]) {
        let fours = rows.chunks_exact(4 * sums.len());
        let rest = fours.remainder();
        let count = fours.len();
        for (rows, shares) in fours.zip(shares.as_chunks::<4>().0) {
            let [a, b, c, d] = four(rows);
            for ((((a, b), c), d), sums) in a.iter().zip(b).zip(c).zip(d).zip(&mut *sums) {
                let mut sum = *sums;
                for lane in 0..LANES {
                    sum[lane] +=
                        (shares[0] * a[lane] + shares[1] * b[lane]) + (shares[2] * c[lane] + shares[3] * d[lane]);
                }
                *sums = sum;
            }
        }
        for (row, share) in rest.chunks_exact(sums.len()).zip(shares.iter().skip(4 * count)) {
            step_along(sums, *share, row);
        }
    }
}

/// Four rows that lie one after the other.
#[inline(always)]
fn four(rows: &[Group]) -> [&[Group]; 4] {
    let (first, second) = rows.split_at(rows.len() / 2);
    let (a, b) = first.split_at(first.len() / 2);
    let (c, d) = second.split_at(second.len() / 2);
    [a, b, c, d]
}

/// Σ c t².
fn curvature(weights: &[f32], along: &[f32]) -> f32 {
    let terms = weights.iter().zip(along).map(|(c, t)| f64::from(*c) * f64::from(*t) * f64::from(*t));
    terms.sum::<f64>() as f32
}

#[inline(always)]
fn product(a: &[Group], b: &[Group]) -> f32 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    total(sums)
}

/// Σ w v².
#[inline(always)]
fn weighed(values: &[Group], weights: &[Group]) -> f32 {
    let mut sums = [0.0; LANES];
    for (v, w) in values.iter().zip(weights) {
        for lane in 0..LANES {
            sums[lane] += w[lane] * v[lane] * v[lane];
        }
    }
    total(sums)
}

#[inline(always)]
fn step_along(x: &mut [Group], pace: f32, direction: &[Group]) {
    for (x, p) in x.iter_mut().zip(direction) {
        let mut moved = *x;
        for lane in 0..LANES {
            moved[lane] += pace * p[lane];
        }
        *x = moved;
    }
}

/// The sum of the lanes, by halves.
#[inline(always)]
fn total(sums: Group) -> f32 {
    let mut eight = [0.0; 8];
    for lane in 0..8 {
        eight[lane] = sums[lane] + sums[lane + 8];
    }
    let mut four = [0.0; 4];
    for lane in 0..4 {
        four[lane] = eight[lane] + eight[lane + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}
