//! What the two models of purchases have in common: four parameters above zero, a likelihood, and what is expected of
//! a customer given the history.

use super::dual::Real;
use super::history::History;

/// Nodes and weights of Gauss and Legendre's rule of five points on 0..1.
const NODES: [(f64, f64); 5] = [
    (0.046_910_077_030_668_02, 0.118_463_442_528_094_54),
    (0.230_765_344_947_158_45, 0.239_314_335_249_683_23),
    (0.5, 0.284_444_444_444_444_45),
    (0.769_234_655_052_841_6, 0.239_314_335_249_683_23),
    (0.953_089_922_969_332, 0.118_463_442_528_094_54),
];

/// A model of purchases.
pub(super) trait Process {
    /// What the papers call its parameters.
    const NAMES: [&'static str; 4];
    /// Which of them are in the unit of time of the histories.
    const IS_TIME: [bool; 4];
    /// Which parameters may be those of a cohort.
    const BY_COHORT: [bool; 4];

    /// Where to start from, of customers who buy `rate` times per unit of time and have been known for `age`.
    fn starts(rate: f64, age: f64) -> Vec<[f64; 4]>;

    /// What is the same for all customers of that many repeats.
    fn of_repeats<R: Real>(parameters: [R; 4], repeats: f64) -> [R; 2];

    /// What is the same for all customers of that many repeats who bought last, or were known, that long after their first
    /// purchase; `terms` are those of the repeats.
    fn of_moment<R: Real>(parameters: [R; 4], terms: [R; 2], repeats: f64, moment: f64) -> [R; 2];

    /// The logarithm of the density of a history, out of what it shares with others.
    fn log_likelihood<R: Real>(terms: [R; 2], at_last: [R; 2], at_end: [R; 2], repeats: u32) -> R;

    /// The chance that the customer is active at the end of the history.
    fn alive(parameters: [f64; 4], history: &History) -> f64;

    /// Purchases expected in `horizon` after the end of the history of a customer who is active then.
    fn expected(parameters: [f64; 4], history: &History, horizon: f64) -> f64;

    /// The `share` quantile of what says how a customer of that many repeats, active at the end, leaves.
    fn leaving(parameters: [f64; 4], repeats: u32, share: f64) -> f64;

    /// The rate at which a customer leaves, who buys at `rate`.
    fn leaves_at(parameters: [f64; 4], history: &History, rate: f64, leaving: f64) -> f64;
}

/// Purchases expected of a customer who is active, each worth e⁻ᵟᵗ of one now: ∫ e⁻ᵟᵗ dE(t), by parts, so that a rule of
/// few points serves: what it integrates is smooth, and δ is small.
pub(super) fn discounted<P: Process>(parameters: [f64; 4], history: &History, horizon: f64, discount: f64) -> f64 {
    let at_end = P::expected(parameters, history, horizon);
    if discount == 0.0 {
        return at_end;
    }
    let worth = |moment: f64| (-discount * moment).exp();
    let within = NODES.map(|(node, weight)| {
        let moment = node * horizon;
        weight * worth(moment) * P::expected(parameters, history, moment)
    });
    worth(horizon) * at_end + discount * horizon * within.iter().sum::<f64>()
}

/// Purchases that a customer who buys at `rate` and leaves at `leaving` makes in `horizon`, each worth e⁻ᵟᵗ.
pub(super) fn purchases(rate: f64, leaving: f64, horizon: f64, discount: f64) -> f64 {
    let decay = (leaving + discount) * horizon;
    if decay < 1e-12 { rate * horizon } else { rate * horizon * -(-decay).exp_m1() / decay }
}
