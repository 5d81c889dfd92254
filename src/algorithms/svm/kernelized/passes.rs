//! The two passes over all variables that make a step, in plain loops over lanes.

use crate::algorithms::tiles::LANES;

/// Lanes of a pass; tiles are whole multiples of it.
const WIDE: usize = 8;
const _: () = assert!(LANES.is_multiple_of(WIDE));

/// Curvature that stands in for one that is not above zero (libsvm's tau).
pub(super) const CURVATURE_MIN: f64 = 1e-12;

/// What can still be gained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan {
    /// The greatest slope of a variable that can grow, and the last such variable.
    pub(super) up: f64,
    pub(super) index: usize,
    /// The least slope of a variable that can shrink.
    pub(super) down: f64,
}

impl Scan {
    pub(super) const NOTHING: Scan = Scan { up: f64::NEG_INFINITY, index: 0, down: f64::INFINITY };

    /// Joined with that of later variables, which begin at `start`.
    pub(super) fn join(self, later: Scan, start: usize) -> Scan {
        let down = self.down.min(later.down);
        if later.up >= self.up && later.up > f64::NEG_INFINITY {
            Scan { up: later.up, index: start + later.index, down }
        } else {
            Scan { down, ..self }
        }
    }
}

vectorized! {
    /// Lowers the slopes by `step` times the difference of two rows of the kernel, and says what can still be gained.
    /// `can_grow` is 0 or −∞, `can_shrink` 0 or ∞; all are equally long, a multiple of the lanes.
    pub(super) fn advance(
        slopes: &mut [f64],
        can_grow: &[f64],
        can_shrink: &[f64],
        first: &[f32],
        second: &[f32],
        step: f64,
    ) -> Scan {
        let (mut up, mut at, mut down) = ([f64::NEG_INFINITY; WIDE], [0_u64; WIDE], [f64::INFINITY; WIDE]);
        let rows = first.as_chunks::<WIDE>().0.iter().zip(second.as_chunks::<WIDE>().0);
        let masks = can_grow.as_chunks::<WIDE>().0.iter().zip(can_shrink.as_chunks::<WIDE>().0);
        for (((slopes, rows), masks), place) in
            slopes.as_chunks_mut::<WIDE>().0.iter_mut().zip(rows).zip(masks).zip(0_u64..)
        {
            for lane in 0..WIDE {
                let slope = slopes[lane] - step * (f64::from(rows.0[lane]) - f64::from(rows.1[lane]));
                slopes[lane] = slope;
                let (grown, shrunk) = (slope + masks.0[lane], slope + masks.1[lane]);
                let better = grown >= up[lane];
                up[lane] = if better { grown } else { up[lane] };
                at[lane] = if better { place } else { at[lane] };
                down[lane] = if shrunk < down[lane] { shrunk } else { down[lane] };
            }
        }
        let (up, index) = last_greatest(&up, &at);
        Scan { up, index, down: down.iter().fold(f64::INFINITY, |least, value| least.min(*value)) }
    }
}

vectorized! {
    /// The partner with which a step from the first variable gains most by the second-order estimate: its estimate
    /// (below zero if there is none) and the last such variable. `diagonal` is that of the kernel, `own` the first
    /// variable's entry of it, `row` its row.
    pub(super) fn partner(
        slopes: &[f64],
        can_shrink: &[f64],
        diagonal: &[f64],
        row: &[f32],
        own: f64,
        up: f64,
    ) -> (f64, usize) {
        let (mut best, mut at) = ([-1.0_f64; WIDE], [0_u64; WIDE]);
        let values = slopes.as_chunks::<WIDE>().0.iter().zip(can_shrink.as_chunks::<WIDE>().0);
        let entries = diagonal.as_chunks::<WIDE>().0.iter().zip(row.as_chunks::<WIDE>().0);
        for ((values, entries), place) in values.zip(entries).zip(0_u64..) {
            for lane in 0..WIDE {
                let distance = up - (values.0[lane] + values.1[lane]);
                let curvature = own + entries.0[lane] - 2.0 * f64::from(entries.1[lane]);
                let curvature = if curvature > 0.0 { curvature } else { CURVATURE_MIN };
                let gain = distance * distance / curvature;
                let better = (distance > 0.0) & (gain >= best[lane]);
                best[lane] = if better { gain } else { best[lane] };
                at[lane] = if better { place } else { at[lane] };
            }
        }
        last_greatest(&best, &at)
    }
}

#[inline(always)]
fn last_greatest(values: &[f64; WIDE], places: &[u64; WIDE]) -> (f64, usize) {
    let mut best = (f64::NEG_INFINITY, 0);
    for lane in 0..WIDE {
        let index = places[lane] as usize * WIDE + lane;
        if values[lane] > best.0 || (values[lane] == best.0 && index > best.1) {
            best = (values[lane], index);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Few distinct values, so that many are tied.
        #[test]
        fn passes_are_their_definitions(
            rows in prop::collection::vec((0_i32..4, any::<bool>(), any::<bool>(), 0_i32..3, 0_i32..3), 48..=48),
        ) {
            let mut slopes: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
            let grow: Vec<f64> = rows.iter().map(|row| if row.1 { 0.0 } else { f64::NEG_INFINITY }).collect();
            let shrink: Vec<f64> = rows.iter().map(|row| if row.2 { 0.0 } else { f64::INFINITY }).collect();
            let first: Vec<f32> = rows.iter().map(|row| row.3 as f32).collect();
            let second: Vec<f32> = rows.iter().map(|row| row.4 as f32).collect();
            let expected: Vec<f64> = rows.iter().map(|row| f64::from(row.0) - 0.5 * f64::from(row.3 - row.4)).collect();
            let found = advance(&mut slopes, &grow, &shrink, &first, &second, 0.5);
            prop_assert_eq!(&slopes, &expected);
            let (mut up, mut index, mut down) = (f64::NEG_INFINITY, 0, f64::INFINITY);
            for (place, slope) in slopes.iter().enumerate() {
                if rows[place].1 && *slope >= up {
                    (up, index) = (*slope, place);
                }
                if rows[place].2 {
                    down = down.min(*slope);
                }
            }
            prop_assert_eq!((found.up, found.down), (up, down));
            prop_assert!(up == f64::NEG_INFINITY || found.index == index);

            let diagonal = vec![1.0; 48];
            let mut expected = (-1.0, 0);
            for (place, slope) in slopes.iter().enumerate() {
                let distance = 2.0 - slope;
                let curvature = 2.0 - 2.0 * f64::from(first[place]);
                let gain = distance * distance / if curvature > 0.0 { curvature } else { CURVATURE_MIN };
                if rows[place].2 && distance > 0.0 && gain >= expected.0 {
                    expected = (gain, place);
                }
            }
            let found = partner(&slopes, &shrink, &diagonal, &first, 1.0, 2.0);
            prop_assert_eq!(found.0, expected.0);
            prop_assert!(found.0 < 0.0 || found.1 == expected.1);
        }
    }
}
