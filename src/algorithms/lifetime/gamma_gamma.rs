//! Gamma-Gamma (Fader and Hardie 2013, The Gamma-Gamma model of monetary value): what a purchase of a customer is worth.
//!
//! The values of a customer's purchases are of a gamma distribution (shape p, rate ν), and over customers ν is of one
//! too (shape q, rate γ). It takes values and numbers of purchases to have nothing to do with each other.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::LifetimeError;
use super::dual::{Dual, Real};
use super::maximize::{Slopes, covariance, highest, maximize};
use crate::algorithms::exponential::logarithm;

const BLOCK_CUSTOMERS: usize = 1024;
const TRIED_CUSTOMERS_MAX: usize = 20_000;

/// What a customer's purchases were worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// How many purchases the mean is of, at least one.
    pub purchases: u32,
    /// Above zero.
    pub mean: f64,
}

/// A fitted model of what purchases are worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spend {
    pub p: f64,
    pub q: f64,
    /// In the unit of what is spent.
    pub gamma: f64,
    /// Of p, q and γ; none where the likelihood does not determine them.
    pub errors: Option<[f64; 3]>,
    pub log_likelihood: f64,
    pub customers: usize,
    pub converged: bool,
}

impl Spend {
    /// What a purchase of a customer is worth on average, given what those so far were worth: between their mean and
    /// that of all customers, nearer to the former the more there are. `None` where it has no finite mean, which is so
    /// without purchases if q is at most one.
    pub fn expected(&self, purchases: f64, mean: f64) -> Option<f64> {
        let known = self.p * purchases + self.q - 1.0;
        (known > 0.0).then(|| self.scale(purchases, mean) / known)
    }

    /// What the unknown rate of a customer's values divides: the range of what a customer is worth is this times that of
    /// [`super::Outlook::worth`].
    pub fn scale(&self, purchases: f64, mean: f64) -> f64 {
        self.p * (self.gamma + purchases * mean)
    }
}

/// Fits on customers in any order; the result does not depend on the number of threads. Errors where there are fewer
/// than two, and on values that are not above zero and finite.
pub fn fit(spent: &[Spent], keep_going: &(dyn Fn() -> bool + Sync)) -> Result<Spend, LifetimeError> {
    if spent.len() < 2 {
        return Err(LifetimeError::NoSpend);
    }
    if !spent.iter().all(|own| own.purchases > 0 && own.mean > 0.0 && own.mean.is_finite()) {
        return Err(LifetimeError::Impossible);
    }
    let mut sorted = spent.to_vec();
    sorted.par_sort_by(|a, b| a.purchases.cmp(&b.purchases).then(a.mean.total_cmp(&b.mean)));
    let mean = sorted.iter().map(|own| own.mean).sum::<f64>() / sorted.len() as f64;
    let step = sorted.len().div_ceil(TRIED_CUSTOMERS_MAX).max(1);
    let some = Same::of(&sorted.iter().step_by(step).copied().collect::<Vec<Spent>>());
    // Where the mean of all is p γ / (q − 1).
    let start = |(p, q): (f64, f64)| [p, q, mean * (q - 1.0) / p].map(f64::ln).to_vec();
    let starts = [(1.0, 2.0), (6.0, 4.0), (2.0, 1.5), (20.0, 10.0)].map(start);
    let best = highest(|at| total_of(&some, at), starts, keep_going)?;
    let all = if step > 1 { Some(Same::of(&sorted)) } else { None };
    let function = |at: &[f64]| total_of(all.as_ref().unwrap_or(&some), at);
    let top = if step > 1 { maximize(function, best.at) } else { best };
    let own: Vec<f64> = top.at.iter().map(|value| value.exp()).collect();
    let [p, q, gamma] = own.try_into().map_err(|_| LifetimeError::NoMaximum)?;
    let errors = covariance(function, &top.at).map(|spread| {
        let error = |place: usize, value: f64| spread.get((place, place)).map_or(f64::NAN, |own| own.sqrt() * value);
        [error(0, p), error(1, q), error(2, gamma)]
    });
    Ok(Spend { p, q, gamma, errors, log_likelihood: top.value, customers: sorted.len(), converged: top.converged })
}

/// Customers of the same number of purchases.
struct Same {
    purchases: f64,
    customers: f64,
    /// Of the logarithms of their means.
    logarithms: f64,
    /// What each has spent in all.
    sums: Vec<f64>,
}

impl Same {
    fn of(sorted: &[Spent]) -> Vec<Same> {
        let same = |own: &[Spent]| {
            let purchases = own.first().map_or(0.0, |first| f64::from(first.purchases));
            Same {
                purchases,
                customers: own.len() as f64,
                logarithms: own.iter().map(|own| own.mean.ln()).sum(),
                sums: own.iter().map(|own| own.mean * purchases).collect(),
            }
        };
        sorted.chunk_by(|a, b| a.purchases == b.purchases).map(same).collect()
    }
}

/// The log-likelihood and its slopes by the logarithms of the parameters. With u the share of what a customer has spent
/// in γ and it, that of the customer is p x ln u + q ln(1 − u), the logarithm of a beta function less: small numbers.
fn total_of(all: &[Same], at: &[f64]) -> Slopes {
    let [Some(p), Some(q), Some(gamma)] = [at.first(), at.get(1), at.get(2)] else { return (f64::NAN, vec![]) };
    let [p, q, gamma] = Dual::of_logarithms([*p, *q, *gamma]);
    let mut sum: Dual<3> = Dual::constant(0.0);
    for own in all {
        let shape = p * own.purchases;
        let each = (shape + q).ln_gamma() - shape.ln_gamma() - q.ln_gamma();
        let blocks: Vec<[f64; 4]> =
            own.sums.par_chunks(BLOCK_CUSTOMERS).map(|sums| logarithms(sums, gamma.value)).collect();
        let mut total = [0.0; 4];
        blocks.iter().for_each(|block| total.iter_mut().zip(block).for_each(|(sum, part)| *sum += part));
        let of_gamma = |value: f64, slope: f64| Dual { value, slopes: gamma.slopes.map(|own| own * slope) };
        let [spent, spent_slope, rest, rest_slope] = total;
        sum = sum
            + each * own.customers
            + shape * of_gamma(spent, spent_slope)
            + q * of_gamma(rest, rest_slope)
            + -own.logarithms;
    }
    (sum.value, sum.slopes.to_vec())
}

vectorized! {
    /// Σ ln u and its slope by γ, Σ ln(1 − u) and its slope, where u = sum / (γ + sum).
    fn logarithms(sums: &[f64], gamma: f64) -> [f64; 4] {
        const LANES: usize = 8;
        let mut found = [[0.0; LANES]; 4];
        let (whole, rest) = sums.as_chunks::<LANES>();
        for sums in whole {
            for lane in 0..LANES {
                found[0][lane] -= logarithm(1.0 + gamma / sums[lane]);
                found[1][lane] -= 1.0 / (sums[lane] + gamma);
                found[2][lane] -= logarithm(1.0 + sums[lane] / gamma);
                found[3][lane] += sums[lane] / (gamma * (sums[lane] + gamma));
            }
        }
        for sum in rest {
            found[0][0] -= logarithm(1.0 + gamma / sum);
            found[1][0] -= 1.0 / (sum + gamma);
            found[2][0] -= logarithm(1.0 + sum / gamma);
            found[3][0] += sum / (gamma * (sum + gamma));
        }
        found.map(|lanes| lanes.iter().sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_without_purchases_are_like_all() {
        let spend =
            Spend { p: 6.25, q: 3.74, gamma: 15.44, errors: None, log_likelihood: 0.0, customers: 2, converged: true };
        let all = 6.25 * 15.44 / 2.74;
        assert_eq!(spend.expected(0.0, 0.0), Some(all));
        let few = spend.expected(1.0, 100.0).unwrap();
        let many = spend.expected(50.0, 100.0).unwrap();
        assert!(all < few && few < many && many < 100.0, "{all} {few} {many}");
        assert_eq!(Spend { q: 0.9, ..spend }.expected(0.0, 0.0), None);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let one = Spent { purchases: 1, mean: 2.0 };
        assert_eq!(fit(&[one], &|| true), Err(LifetimeError::NoSpend));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let found = fit(&[one, Spent { mean: wrong, ..one }], &|| true);
            assert_eq!(found, Err(LifetimeError::Impossible), "{wrong}");
        }
        assert_eq!(fit(&[one, one], &|| false), Err(LifetimeError::Stopped));
    }
}
