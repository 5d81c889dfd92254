//! The inner loops of the maps.

use crate::algorithms::tiles::LANES;

vectorized! {
    /// In lanes.
    pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
        let mut sums = [0.0; LANES];
        let (a, b) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a.0.iter().zip(b.0) {
            for lane in 0..LANES {
                sums[lane] += a[lane] * b[lane];
            }
        }
        sums.iter().sum::<f64>() + a.1.iter().zip(b.1).map(|(a, b)| a * b).sum::<f64>()
    }
}

vectorized! {
    /// Solves L z = k for the rows of a tile, k being replaced by z; two features at a time share what is read. Ends
    /// early where the factor is too short.
    pub(super) fn substitute(factor: &[f64], lanes: &mut [[f64; LANES]]) {
        let mut rest = factor;
        let mut place = 0;
        while place < lanes.len() {
            let Some((row, below)) = rest.split_at_checked(place + 1) else { return };
            let (solved, open) = lanes.split_at_mut(place);
            if open.len() == 1 {
                let mut own = open[0];
                take_off(&mut own, solved, row);
                open[0] = own.map(|value| value / row[place]);
                return;
            }
            let Some((next, below)) = below.split_at_checked(place + 2) else { return };
            rest = below;
            let (mut own, mut other) = (open[0], open[1]);
            for ((solved, &entry), &beside) in solved.iter().zip(row).zip(next) {
                for lane in 0..LANES {
                    own[lane] -= entry * solved[lane];
                    other[lane] -= beside * solved[lane];
                }
            }
            for lane in 0..LANES {
                own[lane] /= row[place];
                other[lane] = (other[lane] - next[place] * own[lane]) / next[place + 1];
            }
            (open[0], open[1]) = (own, other);
            place += 2;
        }
    }
}

#[inline(always)]
fn take_off(own: &mut [f64; LANES], solved: &[[f64; LANES]], row: &[f64]) {
    for (solved, &entry) in solved.iter().zip(row) {
        for lane in 0..LANES {
            own[lane] -= entry * solved[lane];
        }
    }
}

vectorized! {
    /// `scale` times the cosine of each value and `phase`.
    pub(super) fn cosines(lanes: &mut [f64; LANES], phase: f64, scale: f64) {
        /// Up to here a multiple of π is taken off in three parts without an error that shows.
        const NEAR: f64 = 1e6;
        let mut near = true;
        for value in lanes.iter_mut() {
            *value += phase;
            near &= value.abs() < NEAR;
        }
        if near {
            for value in lanes.iter_mut() {
                *value = scale * cosine(*value);
            }
        } else {
            lanes.iter_mut().for_each(|value| *value = scale * value.cos());
        }
    }
}

/// The cosine within 1e-15, in plain arithmetic so that it vectorizes.
#[inline(always)]
fn cosine(x: f64) -> f64 {
    /// π in three parts: multiples of the first two are exact.
    const PI: [f64; 3] = [3.141_592_651_605_606, 1.984_187_158_327_044_3e-09, 1.034_036_596_358_821e-18];
    /// Adding it leaves a whole number in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// (−1)ⁿ/(2n)!, n = 11 to 0: the next term is below 1e-18 on half of π.
    const TERMS: [f64; 12] = [
        -1.0 / 1_124_000_727_777_607_680_000.0,
        1.0 / 2_432_902_008_176_640_000.0,
        -1.0 / 6_402_373_705_728_000.0,
        1.0 / 20_922_789_888_000.0,
        -1.0 / 87_178_291_200.0,
        1.0 / 479_001_600.0,
        -1.0 / 3_628_800.0,
        1.0 / 40_320.0,
        -1.0 / 720.0,
        1.0 / 24.0,
        -0.5,
        1.0,
    ];
    let shifted = x * std::f64::consts::FRAC_1_PI + ROUND;
    let turns = shifted - ROUND;
    let rest = x - turns * PI[0] - turns * PI[1] - turns * PI[2];
    let square = rest * rest;
    let mut sum = 0.0;
    for term in TERMS {
        sum = sum * square + term;
    }
    // Every half turn changes the sign.
    f64::from_bits(sum.to_bits() ^ (shifted.to_bits() << 63))
}
