//! What a customer may be like, given the history: points that stand for the distribution, the same for everyone, so that
//! intervals cost a few operations a customer and no random numbers.

use statrs::distribution::{ContinuousCDF, Gamma};

use super::process::{Process, purchases};
use super::{Ahead, History, Spend};

/// Points. The steps from one to the next in each further dimension have no factor in common with it (a lattice of rank
/// one), so that every dimension has every quantile once.
const POINTS: usize = 64;
const STEPS: [usize; 2] = [19, 27];
/// What an interval is to hold.
const HELD: f64 = 0.9;

/// A range that holds 90 % of what may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    pub low: f64,
    pub high: f64,
}

/// Quantiles in the middle of each of the parts.
fn quantiles(of: impl Fn(f64) -> f64) -> [f64; POINTS] {
    std::array::from_fn(|place| of((place as f64 + 0.5) / POINTS as f64))
}

/// Quantiles that all customers of a cohort and number of repeats share.
pub(super) struct Points {
    /// Of the rate of purchases times what is known of it.
    rates: [f64; POINTS],
    leaving: [f64; POINTS],
    /// Of what the value of a purchase is divided by; none without a model of it.
    spend: Option<[f64; POINTS]>,
}

impl Points {
    pub(super) fn new<P: Process>(parameters: [f64; 4], repeats: u32, spend: Option<&Spend>) -> Points {
        let gamma = |shape: f64| Gamma::new(shape, 1.0).ok();
        let [r, ..] = parameters;
        let rate = gamma(r + f64::from(repeats));
        let spend = spend.map(|spend| gamma(spend.p * f64::from(repeats) + spend.q));
        let at = |of: &Option<Gamma>, share: f64| of.as_ref().map_or(f64::NAN, |found| found.inverse_cdf(share));
        Points {
            rates: quantiles(|share| at(&rate, share)),
            leaving: quantiles(|share| P::leaving(parameters, repeats, share)),
            spend: spend.map(|of| quantiles(|share| at(&of, share))),
        }
    }

    /// Of purchases ahead, and of what they are worth, discounted, against what [`Spend::scale`] says of the customer.
    pub(super) fn ranges<P: Process>(
        &self,
        parameters: [f64; 4],
        history: &History,
        alive: f64,
        ahead: Ahead,
    ) -> [Range; 2] {
        let [_, alpha, ..] = parameters;
        let known = alpha + history.age;
        let (mut counts, mut values) = ([0.0; POINTS], [0.0; POINTS]);
        for place in 0..POINTS {
            let at = |dimension: usize| (place * STEPS[dimension]) % POINTS;
            let rate = self.rates[place] / known;
            let leaving = P::leaves_at(parameters, history, rate, self.leaving[at(0)]);
            counts[place] = purchases(rate, leaving, ahead.horizon, 0.0);
            if let Some(divisors) = &self.spend {
                values[place] = purchases(rate, leaving, ahead.horizon, ahead.discount) / divisors[at(1)];
            }
        }
        [held(&mut counts, alive), held(&mut values, alive)]
    }
}

/// The range of what is zero with the chance that the customer has left, and like the points otherwise: from zero on
/// where that chance is above what may lie below the range.
fn held(points: &mut [f64; POINTS], alive: f64) -> Range {
    let left = 1.0 - alive;
    let outside = (1.0 - HELD) / 2.0;
    let mut quantile = |share: f64| {
        let place = ((share - left) / alive * POINTS as f64 - 0.5).clamp(0.0, (POINTS - 1) as f64);
        let (below, part) = (place.floor() as usize, place.fract());
        let (_, low, rest) = points.select_nth_unstable_by(below, f64::total_cmp);
        let high = rest.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
        *low + part * (high - *low)
    };
    if left < outside {
        Range { low: quantile(outside), high: quantile(1.0 - outside) }
    } else if left < HELD {
        Range { low: 0.0, high: quantile(HELD) }
    } else {
        Range { low: 0.0, high: 0.0 }
    }
}
