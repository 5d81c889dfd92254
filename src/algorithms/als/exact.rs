//! One row exactly: the normal equations in double precision, by Cholesky's decomposition.

use super::rows::{Group, LANES};
use super::spectrum::Symmetric;

/// Numbers that are added side by side.
const WIDE: usize = 8;

/// The equations of a row, and room to build them.
#[derive(Debug, Default)]
pub(super) struct System {
    size: usize,
    /// Row after row, of which what is above the diagonal has no meaning.
    lower: Vec<f64>,
    /// Σ c y.
    right: Vec<f64>,
    /// Four rows at a time.
    four: [Vec<f64>; 4],
}

impl System {
    /// Sets up `scale` · gram + `penalty` · I + Σ c y yᵀ and Σ c y over the entries of a row, then decomposes. False
    /// where that is not positive definite, or not finite.
    pub(super) fn decompose(
        &mut self,
        other: &[Group],
        gram: &Symmetric,
        scale: f64,
        penalty: f64,
        indices: &[u32],
        weights: &[f32],
    ) -> bool {
        let size = gram.size;
        self.size = size;
        self.lower.clear();
        self.lower.extend(gram.values.iter().map(|value| scale * value));
        self.lower.iter_mut().step_by(size + 1).for_each(|value| *value += penalty);
        self.right.clear();
        self.right.resize(size, 0.0);
        let groups = size.div_ceil(LANES);
        for (indices, weights) in indices.chunks(4).zip(weights.chunks(4)) {
            let mut shares = [0.0; 4];
            for (slot, row) in self.four.iter_mut().enumerate() {
                row.clear();
                if let (Some(&index), Some(&weight)) = (indices.get(slot), weights.get(slot)) {
                    let values = other[index as usize * groups..][..groups].as_flattened();
                    row.extend(values.iter().take(size).map(|value| f64::from(*value)));
                    shares[slot] = f64::from(weight);
                } else {
                    row.resize(size, 0.0);
                }
            }
            add_products(&self.four, &shares, size, &mut self.lower, &mut self.right);
        }
        decompose(&mut self.lower, size)
    }

    /// Σ c y of the row.
    pub(super) fn right(&self) -> &[f64] {
        &self.right
    }

    /// Solves for another right side in place, once decomposed.
    pub(super) fn solve(&self, x: &mut [f64]) {
        solve(&self.lower, self.size, x);
    }
}

vectorized! {
    fn add_products(rows: &[Vec<f64>; 4], shares: &[f64; 4], size: usize, lower: &mut [f64], right: &mut [f64]) {
        let [a, b, c, d] = rows.each_ref().map(|row| &row[..size]);
        for (i, line) in lower.chunks_exact_mut(size).enumerate() {
            let [e, f, g, h] = [shares[0] * a[i], shares[1] * b[i], shares[2] * c[i], shares[3] * d[i]];
            right[i] += (e + f) + (g + h);
            let columns = a.iter().zip(b).zip(c).zip(d);
            for (slot, (((a, b), c), d)) in line[..=i].iter_mut().zip(columns) {
                *slot += (e * a + f * b) + (g * c + h * d);
            }
        }
    }
}

vectorized! {
    /// Replaces the lower half of A by L of A = L Lᵀ.
    fn decompose(lower: &mut [f64], size: usize) -> bool {
        for i in 0..size {
            let (above, line) = lower.split_at_mut(i * size);
            for (j, other) in above.chunks_exact(size).enumerate() {
                line[j] = (line[j] - product(&line[..j], &other[..j])) / other[j];
            }
            let rest = line[i] - product(&line[..i], &line[..i]);
            if !(rest > 0.0 && rest.is_finite()) {
                return false;
            }
            line[i] = rest.sqrt();
        }
        true
    }
}

vectorized! {
    fn solve(lower: &[f64], size: usize, x: &mut [f64]) {
        for (i, line) in lower.chunks_exact(size.max(1)).enumerate() {
            x[i] = (x[i] - product(&line[..i], &x[..i])) / line[i];
        }
        for (i, line) in lower.chunks_exact(size.max(1)).enumerate().rev() {
            x[i] /= line[i];
            let (solved, value) = (&mut x[..=i], line);
            if let Some((last, before)) = solved.split_last_mut() {
                before.iter_mut().zip(value).for_each(|(x, l)| *x -= *last * l);
            }
        }
    }
}

#[inline(always)]
fn product(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; WIDE];
    let ((a, rest_of_a), (b, rest_of_b)) = (a.as_chunks::<WIDE>(), b.as_chunks::<WIDE>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..WIDE {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let mut rest = 0.0;
    for (a, b) in rest_of_a.iter().zip(rest_of_b) {
        rest += a * b;
    }
    ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7])) + rest
}
