//! Sequential minimal optimization with the working set of Fan, Chen and Lin, "Working set selection using second
//! order information for training support vector machines", JMLR 6 (2005), algorithm WSS 2.
//!
//! In terms of the signed coefficients βᵢ = yᵢ αᵢ classification and regression are one problem: minimize
//! ½ βᵀKβ − pᵀβ where Σβ = 0 and each β is between its bounds, one of which is zero. The slope of a variable is
//! pᵢ − (Kβ)ᵢ. In each step the one of greatest slope that can grow grows by what another shrinks. Regression has two
//! variables a row, for errors on either side: a second half that shares the rows of the kernel.

use super::super::SvmError;
use super::Params;
use super::cache::Cache;
use super::passes::{CURVATURE_MIN, Scan, advance, partner};

/// Steps between questions whether to go on.
const ASKED_EVERY: usize = 1024;

/// The variables, a whole number of equal halves, each padded to `width` with what can never change.
pub(super) struct Variables {
    pub(super) width: usize,
    slopes: Vec<f64>,
    pub(super) values: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    can_grow: Vec<f64>,
    can_shrink: Vec<f64>,
}

/// How it ended.
pub(super) struct End {
    pub(super) intercept: f64,
    pub(super) iterations: usize,
    pub(super) converged: bool,
    pub(super) violation: f64,
}

impl Variables {
    /// None yet.
    pub(super) fn new(width: usize) -> Self {
        let none = Vec::new;
        let (slopes, values, lower, upper) = (none(), none(), none(), none());
        Self { width, slopes, values, lower, upper, can_grow: none(), can_shrink: none() }
    }

    /// Adds a half: of each row the slope at zero and the other bound, above or below.
    pub(super) fn add_half(&mut self, rows: impl Iterator<Item = (f64, f64)>) {
        let end = self.slopes.len() + self.width;
        for (slope, bound) in rows {
            self.slopes.push(slope);
            self.lower.push(bound.min(0.0));
            self.upper.push(bound.max(0.0));
        }
        for bound in [&mut self.slopes, &mut self.lower, &mut self.upper, &mut self.values] {
            bound.resize(end, 0.0);
        }
        self.can_grow.resize(end, 0.0);
        self.can_shrink.resize(end, 0.0);
        (end - self.width..end).for_each(|variable| self.mark(variable));
    }

    /// Notes whether a variable is at a bound.
    fn mark(&mut self, variable: usize) {
        let value = self.values[variable];
        self.can_grow[variable] = if value < self.upper[variable] { 0.0 } else { f64::NEG_INFINITY };
        self.can_shrink[variable] = if value > self.lower[variable] { 0.0 } else { f64::INFINITY };
    }

    /// Lowers the slopes by what a step did.
    fn advance(&mut self, first: &[f32], second: &[f32], step: f64) -> Scan {
        let halves = self.slopes.chunks_exact_mut(self.width);
        let masks = self.can_grow.chunks_exact(self.width).zip(self.can_shrink.chunks_exact(self.width));
        let mut scan = Scan::NOTHING;
        for (half, (slopes, (grow, shrink))) in halves.zip(masks).enumerate() {
            scan = scan.join(advance(slopes, grow, shrink, first, second, step), half * self.width);
        }
        scan
    }

    /// The second variable of a step, if there is one.
    fn partner(&self, diagonal: &[f64], row: &[f32], scan: Scan) -> Option<usize> {
        let own = diagonal[scan.index % self.width];
        let halves = self.slopes.chunks_exact(self.width).zip(self.can_shrink.chunks_exact(self.width));
        let mut best = (-1.0, None);
        for (half, (slopes, shrink)) in halves.enumerate() {
            let (gain, index) = partner(slopes, shrink, diagonal, row, own, scan.up);
            if gain >= 0.0 && gain >= best.0 {
                best = (gain, Some(half * self.width + index));
            }
        }
        best.1
    }

    /// Moves two variables as far as helps and their bounds allow; how far.
    fn step(&mut self, grows: usize, shrinks: usize, curvature: f64) -> f64 {
        let curvature = if curvature > 0.0 { curvature } else { CURVATURE_MIN };
        let wanted = (self.slopes[grows] - self.slopes[shrinks]) / curvature;
        let room = self.upper[grows] - self.values[grows];
        let stock = self.values[shrinks] - self.lower[shrinks];
        let step = wanted.min(room).min(stock);
        // At a bound exactly, whatever the sums round to.
        self.values[grows] = if step < room { self.values[grows] + step } else { self.upper[grows] };
        self.values[shrinks] = if step < stock { self.values[shrinks] - step } else { self.lower[shrinks] };
        self.mark(grows);
        self.mark(shrinks);
        step
    }

    /// The mean slope of the variables between their bounds, for which it is the intercept; without any the middle of
    /// what the others allow.
    fn intercept(&self, scan: Scan) -> f64 {
        let (mut sum, mut free) = (0.0, 0_usize);
        let masks = self.can_grow.iter().zip(&self.can_shrink);
        for (slope, masks) in self.slopes.iter().zip(masks) {
            if *masks.0 == 0.0 && *masks.1 == 0.0 {
                sum += slope;
                free += 1;
            }
        }
        if free > 0 { sum / free as f64 } else { f64::midpoint(scan.up, scan.down) }
    }
}

/// Steps until no two variables differ in slope by the tolerance. Errors where values are not finite, and when told to
/// stop.
pub(super) fn minimize(
    variables: &mut Variables,
    cache: &mut Cache<'_>,
    diagonal: &[f64],
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<End, SvmError> {
    let width = variables.width;
    let nothing = vec![0.0; width];
    let mut scan = variables.advance(&nothing, &nothing, 0.0);
    let mut iterations = 0;
    loop {
        let violation = scan.up - scan.down;
        if violation < params.tolerance || iterations == params.iterations_max {
            let converged = violation < params.tolerance;
            return Ok(End { intercept: variables.intercept(scan), iterations, converged, violation });
        }
        if iterations.is_multiple_of(ASKED_EVERY) && !keep_going() {
            return Err(SvmError::Stopped);
        }
        let grows = scan.index;
        let row = cache.row(grows % width)?;
        let Some(shrinks) = variables.partner(diagonal, row, scan) else { return Err(SvmError::Overflow) };
        let (first, second) = cache.pair(grows % width, shrinks % width)?;
        let between = f64::from(first[shrinks % width]);
        let curvature = diagonal[grows % width] + diagonal[shrinks % width] - 2.0 * between;
        let step = variables.step(grows, shrinks, curvature);
        if !step.is_finite() {
            return Err(SvmError::Overflow);
        }
        scan = variables.advance(first, second, step);
        iterations += 1;
    }
}
