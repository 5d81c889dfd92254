//! Eigenvalues of symmetric matrices, and their decomposition into triangles.

/// A symmetric matrix.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Symmetric {
    pub(super) size: usize,
    /// Row after row, both halves.
    pub(super) values: Vec<f64>,
}

/// Q and λ of A = Qᵀ diag(λ) Q.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spectrum {
    /// Descending.
    pub(super) values: Vec<f64>,
    /// One row after the other, in the order of their values.
    pub(super) vectors: Vec<f64>,
}

impl Symmetric {
    pub(super) fn from_fn(size: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let value = &value;
        Self { size, values: (0..size).flat_map(|i| (0..size).map(move |j| value(i, j))).collect() }
    }

    pub(super) fn diagonal(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().step_by(self.size + 1).copied()
    }

    /// By reflections to a tridiagonal matrix and then by steps of the implicit symmetric QR method (Golub and Van
    /// Loan 2013, sections 8.3.1 to 8.3.5). None where a value is NaN or infinite, or becomes so.
    pub(super) fn spectrum(self) -> Option<Spectrum> {
        let size = self.size;
        if !self.values.iter().all(|value| value.is_finite()) {
            return None;
        }
        let (mut band, mut vectors) = self.tridiagonal();
        band.diagonalize(&mut vectors);
        if !band.diagonal.iter().chain(&vectors).all(|value| value.is_finite()) {
            return None;
        }
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|&a, &b| band.diagonal[b].total_cmp(&band.diagonal[a]).then(a.cmp(&b)));
        Some(Spectrum {
            values: order.iter().map(|&index| band.diagonal[index]).collect(),
            vectors: order.iter().flat_map(|&index| &vectors[index * size..][..size]).copied().collect(),
        })
    }

    /// T and Q of A = Qᵀ T Q.
    fn tridiagonal(mut self) -> (Band, Vec<f64>) {
        let size = self.size;
        let a = &mut self.values;
        let mut vectors = Self::from_fn(size, |i, j| if i == j { 1.0 } else { 0.0 }).values;
        let mut beside = vec![0.0; size.saturating_sub(1)];
        for column in 0..size.saturating_sub(1) {
            let first = column + 1;
            let mut normal = a[column * size + first..(column + 1) * size].to_vec();
            let length = dot(&normal, &normal).sqrt();
            let target = -length.copysign(normal[0]);
            beside[column] = target;
            normal[0] -= target;
            let length = dot(&normal, &normal).sqrt();
            if length == 0.0 || first + 1 == size {
                beside[column] = a[column * size + first];
                continue;
            }
            normal.iter_mut().for_each(|value| *value /= length);
            let row = |i: usize| (first + i) * size + first..(first + i + 1) * size;
            let mut image: Vec<f64> = (0..normal.len()).map(|i| dot(&a[row(i)], &normal)).collect();
            let along = dot(&image, &normal);
            add(&mut image, -along, &normal);
            for i in 0..normal.len() {
                let (by_image, by_normal) = (-2.0 * normal[i], -2.0 * image[i]);
                add(&mut a[row(i)], by_image, &image);
                add(&mut a[row(i)], by_normal, &normal);
            }
            reflect(&mut vectors[first * size..], size, &normal);
        }
        (Band { diagonal: self.diagonal().collect(), beside }, vectors)
    }
}

/// Replaces rows by their mirror images: R − 2 n (nᵀ R).
fn reflect(rows: &mut [f64], size: usize, normal: &[f64]) {
    let mut along = vec![0.0; size];
    rows.chunks_exact(size).zip(normal).for_each(|(row, share)| add(&mut along, *share, row));
    rows.chunks_exact_mut(size).zip(normal).for_each(|(row, share)| add(row, -2.0 * share, &along));
}

/// A symmetric tridiagonal matrix.
struct Band {
    diagonal: Vec<f64>,
    beside: Vec<f64>,
}

impl Band {
    /// Makes `beside` zero, turning the rows of `vectors` along.
    fn diagonalize(&mut self, vectors: &mut [f64]) {
        let scale = self.diagonal.iter().chain(&self.beside).fold(0.0_f64, |most, value| most.max(value.abs()));
        let small = |value: f64| value.abs() <= f64::EPSILON * scale;
        let mut end = self.beside.len();
        // It takes two or three steps a value.
        for _ in 0..60 * (end + 1) {
            while end > 0 && small(self.beside[end - 1]) {
                end -= 1;
            }
            if end == 0 {
                return;
            }
            let start = self.beside[..end].iter().rposition(|value| small(*value)).map_or(0, |index| index + 1);
            self.step(start, end, vectors);
        }
    }

    /// One step on the rows from `start` to `end`, with the shift of Wilkinson.
    fn step(&mut self, start: usize, end: usize, vectors: &mut [f64]) {
        let size = self.diagonal.len();
        let (d, e) = (&mut self.diagonal, &mut self.beside);
        let half = (d[end - 1] - d[end]) / 2.0;
        let corner = e[end - 1];
        let shift = d[end] - corner * corner / (half + half.hypot(corner).copysign(half));
        let (mut kept, mut removed) = (d[start] - shift, e[start]);
        for k in start..end {
            let length = kept.hypot(removed);
            let (cos, sin) = if length > 0.0 { (kept / length, removed / length) } else { (1.0, 0.0) };
            if k > start {
                e[k - 1] = length;
            }
            let (a, b, c) = (d[k], e[k], d[k + 1]);
            d[k] = cos * cos * a + 2.0 * cos * sin * b + sin * sin * c;
            d[k + 1] = sin * sin * a - 2.0 * cos * sin * b + cos * cos * c;
            e[k] = cos * sin * (c - a) + (cos * cos - sin * sin) * b;
            if k + 1 < end {
                (kept, removed) = (e[k], sin * e[k + 1]);
                e[k + 1] *= cos;
            }
            let (first, second) = vectors[k * size..(k + 2) * size].split_at_mut(size);
            for (x, y) in first.iter_mut().zip(second) {
                (*x, *y) = (cos * *x + sin * *y, cos * *y - sin * *x);
            }
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], share: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += share * what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(a: &Symmetric) {
        let size = a.size;
        let Spectrum { values, vectors } = a.clone().spectrum().unwrap();
        assert!(values.windows(2).all(|pair| pair[0] >= pair[1]));
        let scale = a.values.iter().fold(1e-300_f64, |most, v| most.max(v.abs()));
        for i in 0..size {
            for j in 0..size {
                let of = |weight: &dyn Fn(usize) -> f64| -> f64 {
                    (0..size).map(|k| weight(k) * vectors[k * size + i] * vectors[k * size + j]).sum()
                };
                let one = if i == j { 1.0 } else { 0.0 };
                assert!((of(&|_| 1.0) - one).abs() < 1e-13 * (size as f64 + 10.0), "not a rotation");
                let error = (of(&|k| values[k]) - a.values[i * size + j]).abs();
                assert!(error < 1e-13 * scale * (size as f64 + 10.0), "{error} at {i}, {j}");
            }
        }
    }

    #[test]
    fn known_values() {
        let a = Symmetric { size: 3, values: vec![2.0, -1.0, 0.0, -1.0, 2.0, -1.0, 0.0, -1.0, 2.0] };
        let found = a.spectrum().unwrap().values;
        let root = 2.0_f64.sqrt();
        found.iter().zip([2.0 + root, 2.0, 2.0 - root]).for_each(|(f, e)| assert!((f - e).abs() < 1e-14));
    }

    #[test]
    fn edge_cases() {
        let nothing = Symmetric { size: 0, values: vec![] }.spectrum().unwrap();
        assert!(nothing.values.is_empty());
        for size in [1, 2, 5, 40] {
            check(&Symmetric::from_fn(size, |_, _| 0.0));
            check(&Symmetric::from_fn(size, |i, j| if i == j { 3.0 } else { 0.0 }));
            check(&Symmetric::from_fn(size, |_, _| 1.0));
            check(&Symmetric::from_fn(size, |i, j| 1.0 / (i + j + 1) as f64));
            check(&Symmetric::from_fn(size, |i, j| 0.1_f64.powi((i + j) as i32)));
        }
        assert_eq!(Symmetric::from_fn(2, |_, _| f64::NAN).spectrum(), None);
        assert_eq!(Symmetric::from_fn(2, |_, _| f64::INFINITY).spectrum(), None);
    }

    proptest! {
        #[test]
        fn gives_the_matrix_back(values in proptest::collection::vec(-10.0..10.0f64, 0..200)) {
            let size = (values.len() as f64).sqrt() as usize;
            check(&Symmetric::from_fn(size, |i, j| values[i.min(j) * size + i.max(j)]));
        }
    }
}
