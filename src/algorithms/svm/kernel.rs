//! Kernels, and the inner loops that evaluate one row against tiles of rows.

use super::SvmError;
use crate::algorithms::exponential::exponential;
use crate::algorithms::tiles::{LANES, squared_distances};
use serde::{Deserialize, Serialize};

/// A function of two rows that stands for their scalar product in another space.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// x·z.
    Linear,
    /// exp(−gamma ‖x − z‖²).
    Rbf {
        /// Above zero.
        gamma: f64,
    },
    /// (gamma x·z + coef0) to the power of degree.
    Polynomial {
        /// Above zero.
        gamma: f64,
        /// At least 1.
        degree: u32,
        /// Any number.
        coef0: f64,
    },
    /// tanh(gamma x·z + coef0), which is not positive definite: the minimum found is a local one.
    Sigmoid {
        /// Above zero.
        gamma: f64,
        /// Any number.
        coef0: f64,
    },
}

impl Kernel {
    /// Refuses a gamma that is not above zero, a coef0 that is not finite and a degree of zero.
    pub(super) fn check(self) -> Result<Self, SvmError> {
        let above = |gamma: f64| gamma > 0.0 && gamma.is_finite();
        let legal = match self {
            Kernel::Linear => true,
            Kernel::Rbf { gamma } => above(gamma),
            Kernel::Polynomial { gamma, degree, coef0 } => above(gamma) && degree > 0 && coef0.is_finite(),
            Kernel::Sigmoid { gamma, coef0 } => above(gamma) && coef0.is_finite(),
        };
        if legal { Ok(self) } else { Err(SvmError::Kernel) }
    }

    /// Of a row with itself.
    pub(super) fn diagonal(self, row: &[f64]) -> f64 {
        let mut tile = vec![0.0; row.len() * LANES];
        tile.iter_mut().step_by(LANES).zip(row).for_each(|(slot, value)| *slot = *value);
        let mut lanes = [0.0; LANES];
        values(&tile, row, self, &mut lanes);
        lanes[0]
    }
}

vectorized! {
    /// The kernel of `point` with every row of the tiles, rounded to single precision; false where one is not finite.
    pub(super) fn rounded(tiles: &[f64], point: &[f64], kernel: Kernel, out: &mut [f32]) -> bool {
        let mut finite = true;
        for (tile, slots) in tiles.chunks_exact((LANES * point.len()).max(1)).zip(out.as_chunks_mut::<LANES>().0) {
            let found = of_tile(tile, point, kernel);
            for lane in 0..LANES {
                slots[lane] = found[lane] as f32;
                finite &= slots[lane].is_finite();
            }
        }
        finite
    }
}

vectorized! {
    /// The kernel of `point` with every row of the tiles.
    pub(super) fn values(tiles: &[f64], point: &[f64], kernel: Kernel, out: &mut [f64]) {
        for (tile, slots) in tiles.chunks_exact((LANES * point.len()).max(1)).zip(out.as_chunks_mut::<LANES>().0) {
            *slots = of_tile(tile, point, kernel);
        }
    }
}

vectorized! {
    /// The sum over the rows of the tiles of coefficient times kernel; one coefficient a row, padding included.
    pub(super) fn expansion(tiles: &[f64], coefficients: &[f64], point: &[f64], kernel: Kernel) -> f64 {
        let mut sums = [0.0; LANES];
        for (tile, coefficients) in
            tiles.chunks_exact((LANES * point.len()).max(1)).zip(coefficients.as_chunks::<LANES>().0)
        {
            let found = of_tile(tile, point, kernel);
            for lane in 0..LANES {
                // Padding must add nothing even where its kernel overflows.
                let term = coefficients[lane] * found[lane];
                sums[lane] += if coefficients[lane] == 0.0 { 0.0 } else { term };
            }
        }
        sums.iter().sum()
    }
}

#[inline(always)]
fn of_tile(tile: &[f64], point: &[f64], kernel: Kernel) -> [f64; LANES] {
    match kernel {
        Kernel::Linear => products(tile, point),
        Kernel::Rbf { gamma } => {
            let mut lanes = squared_distances(tile, point);
            for value in &mut lanes {
                *value = exponential(-gamma * *value);
            }
            lanes
        }
        Kernel::Polynomial { gamma, degree, coef0 } => {
            let mut lanes = products(tile, point);
            for value in &mut lanes {
                *value = gamma * *value + coef0;
            }
            power(lanes, degree)
        }
        Kernel::Sigmoid { gamma, coef0 } => products(tile, point).map(|product| (gamma * product + coef0).tanh()),
    }
}

#[inline(always)]
fn products(tile: &[f64], point: &[f64]) -> [f64; LANES] {
    let mut sums = [0.0; LANES];
    for (values, &coordinate) in tile.as_chunks::<LANES>().0.iter().zip(point) {
        for lane in 0..LANES {
            sums[lane] += values[lane] * coordinate;
        }
    }
    sums
}

/// By squaring.
#[inline(always)]
fn power(mut base: [f64; LANES], degree: u32) -> [f64; LANES] {
    let (mut result, mut left) = ([1.0; LANES], degree);
    while left > 0 {
        for lane in 0..LANES {
            result[lane] *= if left % 2 == 1 { base[lane] } else { 1.0 };
        }
        left /= 2;
        if left > 0 {
            for value in &mut base {
                *value *= *value;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn kernels_are_their_formulas(a in prop::collection::vec(-2.0_f64..2.0, 5), b in prop::collection::vec(-2.0_f64..2.0, 5)) {
            let mut tile = vec![0.0; 5 * LANES];
            for (column, value) in a.iter().enumerate() {
                tile[column * LANES + 3] = *value;
            }
            let dot: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let square: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
            let cases = [
                (Kernel::Linear, dot),
                (Kernel::Rbf { gamma: 0.3 }, (-0.3 * square).exp()),
                (Kernel::Polynomial { gamma: 0.5, degree: 5, coef0: 1.0 }, (0.5 * dot + 1.0).powi(5)),
                (Kernel::Sigmoid { gamma: 0.5, coef0: -1.0 }, (0.5 * dot - 1.0).tanh()),
            ];
            for (kernel, expected) in cases {
                let (mut out, mut small) = ([0.0; LANES], [0.0; LANES]);
                values(&tile, &b, kernel, &mut out);
                prop_assert!((out[3] - expected).abs() < 1e-12 * expected.abs().max(1.0));
                prop_assert!(rounded(&tile, &b, kernel, &mut small));
                prop_assert_eq!(small[3], out[3] as f32);
                let mut coefficients = [0.0; LANES];
                coefficients[3] = 2.0;
                prop_assert_eq!(expansion(&tile, &coefficients, &b, kernel), 2.0 * out[3]);
            }
        }
    }

    #[test]
    fn far_rows_are_nothing_to_each_other() {
        assert_eq!(Kernel::Rbf { gamma: 1.0 }.diagonal(&[1e200, 3.0]), 1.0);
        assert_eq!(Kernel::Linear.diagonal(&[2.0, 3.0]), 13.0);
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for gamma in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Kernel::Rbf { gamma }.check(), Err(SvmError::Kernel));
            assert_eq!(Kernel::Sigmoid { gamma, coef0: 0.0 }.check(), Err(SvmError::Kernel));
        }
        assert!(Kernel::Polynomial { gamma: 1.0, degree: 0, coef0: 0.0 }.check().is_err());
        assert!(Kernel::Polynomial { gamma: 1.0, degree: 1, coef0: f64::NAN }.check().is_err());
        assert!(Kernel::Linear.check().is_ok());
    }
}
