//! Factors of users and items from implicit feedback, by alternating least squares (Hu, Koren and Volinsky 2008).
//!
//! Minimizes, over the stored (u, i) and their weights c,
//!
//! Σ c (1 − xᵤ·yᵢ)² + a · Σ over all u, i of (xᵤ·yᵢ)² + λ · \[Σᵤ (nᵤ + a·|I|)^ν |xᵤ|² + Σᵢ (nᵢ + a·|U|)^ν |yᵢ|²\]
//!
//! where a is the unobserved weight, λ the regularization, ν its exponent and n the number of entries of a row or column
//! (Rendle et al. 2022, "Revisiting the performance of iALS on item recommendation benchmarks"). Users and items are
//! solved for in turn, each row by some steps of conjugate gradients from where it was (Takács, Pilászy and Tikk 2011),
//! or exactly.
//!
//! Before each turn both sides are rotated so that the Gram matrix of the side that stays is diagonal. That changes no
//! score, but takes its product out of every step, and gives the gradients a preconditioner that is nearly the inverse
//! for rows with few entries.

mod exact;
mod fold;
mod gradient;
mod rows;
mod spectrum;
#[cfg(test)]
mod tests;

pub use fold::{because, fold_in};

use super::sparse::Csr;
use exact::System;
use gradient::Scratch;
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_distr::StandardNormal;
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;
use rows::{Group, LANES, Rows};
use spectrum::{Spectrum, Symmetric};

/// Rows that a thread takes at once.
const BLOCK_ROWS: usize = 64;

/// The typical length of an item's factors at the start. So short that the first users are little more than sums of
/// their items' random factors, which is a step towards the leading directions; from longer ones the loss is greater
/// for many iterations.
const SPREAD: f64 = 0.02;

/// How factors are fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Numbers that describe a user or an item, above zero.
    pub factors: usize,
    /// Times that users and items are solved for, above zero.
    pub iterations: usize,
    /// λ, at or above zero. What suits goes with ν and the size of the matrix: where it is too great all factors shrink
    /// to nothing.
    pub regularization: f64,
    /// ν: 0 penalizes every row alike, 1 by its number of entries; at or above zero.
    pub regularization_exponent: f64,
    /// a: the weight of each pair of user and item, stored or not, being worth zero; at or above zero.
    pub unobserved_weight: f64,
    /// How a row is solved for.
    pub solver: Solver,
    /// Of the random numbers that items start from.
    pub seed: u64,
}

/// How a row is solved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// Steps of conjugate gradients, above zero.
    ConjugateGradient {
        /// Three are near enough.
        steps: usize,
    },
    /// Exactly, in time that grows with the cube of the factors.
    Cholesky,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            factors: 64,
            iterations: 15,
            regularization: 0.05,
            regularization_exponent: 0.5,
            unobserved_weight: 1.0,
            solver: Solver::ConjugateGradient { steps: 3 },
            seed: 0,
        }
    }
}

impl Parameters {
    /// λ (n + a · others)^ν.
    fn penalty(&self, entries: usize, others: usize) -> f64 {
        let count = entries as f64 + self.unobserved_weight * others as f64;
        self.regularization * count.powf(self.regularization_exponent)
    }

    fn check(&self) -> Result<(), AlsError> {
        let at_least_zero = |value: f64| value >= 0.0 && value.is_finite();
        let solved = self.solver != Solver::ConjugateGradient { steps: 0 };
        let checks = [
            (self.factors > 0, "factors is zero"),
            (self.iterations > 0, "iterations is zero"),
            (at_least_zero(self.regularization), "regularization is not a number at or above zero"),
            (at_least_zero(self.regularization_exponent), "regularization exponent is not a number at or above zero"),
            (at_least_zero(self.unobserved_weight), "unobserved weight is not a number at or above zero"),
            (solved, "conjugate gradients take no steps"),
        ];
        checks.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(AlsError::Parameter(what)))
    }
}

/// What describes users and items: the score of an item for a user is the product of their rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// Users × factors. Those without entries are zeros.
    pub users: Array2<f32>,
    /// Items × factors. Those without entries are zeros.
    pub items: Array2<f32>,
    /// What is minimized, after each iteration; up to the rounding of single precision.
    pub loss: Vec<f64>,
}

/// Why there are no factors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlsError {
    /// A parameter out of range.
    #[error("factorize interactions: {0}")]
    Parameter(&'static str),
    /// The caller asked for no more.
    #[error("factorize interactions: stopped before the end")]
    Stopped,
    /// Factors grew until their products were not finite.
    #[error("factorize interactions: products of factors are not finite; weights or the penalty are extreme")]
    Overflow,
    /// Factors shrank to nothing, though there are entries.
    #[error(
        "factorize interactions: the equations have no one solution, or all factors came to zero; penalize more if \
             there is no penalty, else less"
    )]
    Vanished,
}

/// The rows with an entry that counts. Users and items without any, who may come later, have no part in anything.
fn filled(matrix: &Csr) -> impl Iterator<Item = usize> + '_ {
    let counts = |weight: &f64| *weight as f32 > 0.0 && (*weight as f32).is_finite();
    (0..matrix.rows()).filter(move |row| matrix.row(*row).1.iter().any(counts))
}

/// The mean over users and items of what λ is multiplied with: (n + `unobserved_weight` · others)^`exponent`. 1 where there
/// is nothing.
pub fn mean_penalty(interactions: &Csr, exponent: f64, unobserved_weight: f64) -> f64 {
    let by_item = interactions.transpose();
    let (users, items) = (filled(interactions).count(), filled(&by_item).count());
    let sum = |matrix: &Csr, others: usize| -> f64 {
        let of = |row: usize| matrix.row(row).0.len() as f64 + unobserved_weight * others as f64;
        filled(matrix).map(|row| of(row).powf(exponent)).sum()
    };
    let mean = (sum(interactions, items) + sum(&by_item, users)) / (users + items) as f64;
    if mean > 0.0 && mean.is_finite() { mean } else { 1.0 }
}

/// Bytes that [`fit`] takes beside `interactions` (entries of users × items), with as many threads as there are.
pub fn bytes(users: usize, items: usize, entries: usize, factors: usize) -> usize {
    let width = rows::padded(factors);
    let of_factors = (users.saturating_add(items)).saturating_mul(width * size_of::<f32>());
    let of_transpose = entries.saturating_mul(size_of::<u32>() + size_of::<f64>()).saturating_add(items * 16);
    let of_sums = (rows::MOST_PARTIALS + 4) * width * width * size_of::<f64>();
    let of_threads = rayon::current_num_threads() * gradient::PACKED;
    of_factors.saturating_add(of_transpose).saturating_add(of_sums).saturating_add(of_threads)
}

/// Fits factors to `interactions` (users × items, each weight the c of that entry).
///
/// Items start from normal numbers of deviation 0.02/√factors, drawn in their order; users from zeros. A weight that is
/// zero, negative or beyond single precision is ignored, as if it were not stored, though callers had better leave such
/// entries out. The result depends on the input and the seed, not on the threads. It comes in the principal axes of the
/// users at the last turn, those with the greatest share of the scores first.
///
/// `keep_going` is asked before each turn. Errors on parameters out of range, when not to keep going, and on overflow.
/// Takes the memory of [`bytes`].
pub fn fit(
    interactions: &Csr,
    parameters: &Parameters,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Factors, AlsError> {
    parameters.check()?;
    let by_item = interactions.transpose();
    let mut users = Rows::zeros(interactions.rows(), parameters.factors);
    let mut items = drawn(&by_item, parameters);
    let (user_count, item_count) = (filled(interactions).count(), filled(&by_item).count());
    let asked = || if keep_going() { Ok(()) } else { Err(AlsError::Stopped) };
    let mut loss = Vec::with_capacity(parameters.iterations);
    let mut gram = items.gram();
    for _ in 0..parameters.iterations {
        asked()?;
        let of_users = turn(&mut users, (&mut items, item_count), gram, interactions, parameters)?;
        let gram_of_users = users.gram();
        asked()?;
        let of_items = turn(&mut items, (&mut users, user_count), gram_of_users, &by_item, parameters)?;
        gram = items.gram();
        // Both sides are now in coordinates in which the users' products are diagonal.
        let everywhere: f64 = of_items.spectrum.iter().zip(gram.diagonal()).map(|(a, b)| a * b).sum();
        let unobserved = parameters.unobserved_weight * everywhere;
        loss.push(of_items.observed + unobserved + of_users.penalty + of_items.penalty);
    }
    let (users, items) = (users.into_array(), items.into_array());
    if user_count > 0 && users.iter().all(|value| *value == 0.0) {
        return Err(AlsError::Vanished);
    }
    Ok(Factors { users, items, loss })
}

fn drawn(by_item: &Csr, parameters: &Parameters) -> Rows<'static> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(parameters.seed);
    let mut rows = Rows::zeros(by_item.rows(), parameters.factors);
    let deviation = SPREAD / (parameters.factors as f64).sqrt();
    let width = rows::padded(parameters.factors);
    let values = rows.values.to_mut();
    for row in filled(by_item) {
        for value in values[row * width..][..parameters.factors].iter_mut() {
            *value = (deviation * rng.sample::<f64, _>(StandardNormal)) as f32;
        }
    }
    rows
}

/// What a turn leaves.
struct Turned {
    /// Σ c (1 − x·y)².
    observed: f64,
    /// λ Σ (n + a · others)^ν |x|².
    penalty: f64,
    /// The eigenvalues of the other side's products, which are the diagonal now.
    spectrum: Vec<f64>,
}

/// Rotates both sides, then solves for the rows of `own`. `gram` is that of `other`, of whose rows `others` have entries;
/// `matrix` is own × other.
fn turn(
    own: &mut Rows<'_>,
    (other, others): (&mut Rows<'_>, usize),
    gram: Symmetric,
    matrix: &Csr,
    parameters: &Parameters,
) -> Result<Turned, AlsError> {
    let spectrum = gram.spectrum().filter(|found| found.values.iter().all(|value| (*value as f32).is_finite()));
    let Spectrum { values, vectors } = spectrum.ok_or(AlsError::Overflow)?;
    let rotation = rotation(&vectors, parameters.factors);
    other.rotate(&rotation);
    own.rotate(&rotation);
    let side = Side { other, others, matrix, parameters, spectrum: &values, gram: diagonal(&values) };
    let width = own.width();
    let blocks = own.values.to_mut().par_chunks_mut(BLOCK_ROWS * width).enumerate();
    let sums: Vec<(f64, f64)> = blocks
        .map_init(Default::default, |room: &mut Room, (block, rows)| {
            let rows = rows.as_chunks_mut::<LANES>().0.chunks_exact_mut(width / LANES);
            let solved = rows.enumerate().map(|(row, x)| side.solve(block * BLOCK_ROWS + row, x, room));
            solved.fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1))
        })
        .collect();
    let (observed, penalty) = sums.iter().fold((0.0, 0.0), |sum, block| (sum.0 + block.0, sum.1 + block.1));
    Ok(Turned { observed, penalty, spectrum: values })
}

/// The matrix (width × width, padded with zeros) that rows are multiplied by to get their products with `vectors`.
fn rotation(vectors: &[f64], factors: usize) -> Vec<f32> {
    let width = rows::padded(factors);
    let mut rotation = vec![0.0; width * width];
    for (to, vector) in vectors.chunks_exact(factors).enumerate() {
        for (from, value) in vector.iter().enumerate() {
            rotation[from * width + to] = *value as f32;
        }
    }
    rotation
}

fn diagonal(values: &[f64]) -> Symmetric {
    Symmetric::from_fn(values.len(), |i, j| if i == j { values[i].max(0.0) } else { 0.0 })
}

/// What rows are solved against.
struct Side<'a> {
    other: &'a Rows<'a>,
    others: usize,
    matrix: &'a Csr,
    parameters: &'a Parameters,
    spectrum: &'a [f64],
    gram: Symmetric,
}

/// What one thread works with.
#[derive(Default)]
struct Room {
    scratch: Scratch,
    system: System,
}

impl Side<'_> {
    /// Moves `x` to where it minimizes the loss, or near; gives what it then has of Σ c (1 − x·y)² and of the penalty.
    fn solve(&self, row: usize, x: &mut [Group], room: &mut Room) -> (f64, f64) {
        let Room { scratch, system } = room;
        scratch.load(self.matrix, row, self.other.count());
        if scratch.indices.is_empty() {
            x.fill([0.0; LANES]);
            return (0.0, 0.0);
        }
        let penalty = self.parameters.penalty(scratch.indices.len(), self.others);
        let (groups, scale) = (self.other.groups(), self.parameters.unobserved_weight);
        match self.parameters.solver {
            Solver::ConjugateGradient { steps } => {
                self.precondition(penalty, scratch, x.len());
                gradient::descend(groups, steps, x, scratch);
            }
            Solver::Cholesky => {
                let mut solution = vec![0.0; self.gram.size];
                if system.decompose(groups, &self.gram, scale, penalty, &scratch.indices, &scratch.weights) {
                    solution.copy_from_slice(system.right());
                    system.solve(&mut solution);
                }
                let slots = x.as_flattened_mut().iter_mut();
                slots.zip(solution).for_each(|(slot, value)| *slot = value as f32);
                gradient::predict(groups, x, scratch);
            }
        }
        if !x.as_flattened().iter().chain(&scratch.predicted).all(|value| value.is_finite()) {
            x.fill([0.0; LANES]);
            scratch.predicted.fill(0.0);
        }
        let missed = scratch.weights.iter().zip(&scratch.predicted);
        let observed = missed.map(|(c, s)| f64::from(*c) * (1.0 - f64::from(*s)).powi(2)).sum();
        let length: f64 = x.as_flattened().iter().map(|value| f64::from(*value).powi(2)).sum();
        (observed, penalty * length)
    }

    /// Sets the diagonal matrices of a row: a Λ + λ', and the inverse of (a + Σc / others) Λ + λ', which takes the
    /// entries for typical ones.
    fn precondition(&self, penalty: f64, scratch: &mut Scratch, groups: usize) {
        let scale = self.parameters.unobserved_weight;
        let total: f64 = scratch.weights.iter().map(|weight| f64::from(*weight)).sum();
        let typical = scale + total / self.others as f64;
        scratch.diagonal.clear();
        scratch.diagonal.resize(groups, [0.0; LANES]);
        scratch.inverse.clear();
        scratch.inverse.resize(groups, [0.0; LANES]);
        let slots = scratch.diagonal.as_flattened_mut().iter_mut().zip(scratch.inverse.as_flattened_mut());
        for ((diagonal, inverse), value) in slots.zip(self.spectrum) {
            let value = value.max(0.0);
            *diagonal = (scale * value + penalty) as f32;
            let inverted = (1.0 / (typical * value + penalty)) as f32;
            *inverse = if inverted.is_finite() { inverted } else { 0.0 };
        }
    }
}
