//! BG/NBD (Fader, Hardie and Lee 2005, "Counting your customers" the easy way, Marketing Science 24).
//!
//! While active, a customer buys at random at a rate λ; after each purchase the customer leaves with probability p. Over
//! customers λ is of a gamma distribution (shape r, rate α) and p of a beta distribution (a, b).

use statrs::distribution::{Beta, ContinuousCDF, Gamma, Normal};
use statrs::function::gamma::ln_gamma;

use super::dual::Real;
use super::history::History;
use super::process::Process;

/// Purchases that are left out of expectations.
const REST: f64 = 1e-11;
/// Deviations below the mean from which on the count of would-be purchases is followed.
const DEVIATIONS: f64 = 12.0;
/// Counts that are followed at most.
const COUNTS_MAX: f64 = 1e7;

/// r, α, a and b.
pub(super) struct BgNbd;

impl Process for BgNbd {
    const NAMES: [&'static str; 4] = ["r", "alpha", "a", "b"];
    const IS_TIME: [bool; 4] = [false, true, false, false];
    const BY_COHORT: [bool; 4] = [false, true, true, true];

    fn starts(rate: f64, _age: f64) -> Vec<[f64; 4]> {
        let of = |r: f64, a: f64, b: f64| [r, r / rate, a, b];
        vec![of(0.25, 0.8, 2.5), of(1.0, 0.5, 3.0), of(2.0, 1.0, 10.0), of(0.5, 0.1, 1.0)]
    }

    fn of_repeats<R: Real>([r, alpha, a, b]: [R; 4], repeats: f64) -> [R; 2] {
        let left = if repeats > 0.0 { a.ln() - (b + (repeats - 1.0)).ln() } else { R::constant(f64::NEG_INFINITY) };
        let counts = (r + repeats).ln_gamma() - r.ln_gamma() + r * alpha.ln();
        let stays = (a + b).ln_gamma() - b.ln_gamma() + (b + repeats).ln_gamma() - (a + b + repeats).ln_gamma();
        [counts + stays, left]
    }

    fn of_moment<R: Real>([r, alpha, _, _]: [R; 4], _terms: [R; 2], repeats: f64, moment: f64) -> [R; 2] {
        [-(r + repeats) * (alpha + moment).ln(), R::constant(0.0)]
    }

    fn log_likelihood<R: Real>([base, left]: [R; 2], at_last: [R; 2], at_end: [R; 2], repeats: u32) -> R {
        let ([last, _], [end, _]) = (at_last, at_end);
        if repeats == 0 { base + end } else { base + end.ln_add_exp(left + last) }
    }

    fn alive([r, alpha, a, b]: [f64; 4], history: &History) -> f64 {
        let repeats = f64::from(history.repeats);
        if history.repeats == 0 {
            return 1.0;
        }
        let longer = ((alpha + history.age) / (alpha + history.recency)).ln();
        1.0 / (1.0 + a / (b + repeats - 1.0) * ((r + repeats) * longer).exp())
    }

    /// Of a customer who never left there would be a negative binomial number N of purchases. The one after j of them
    /// comes about with the chance that the customer has stayed through these: Σⱼ P(N > j) E[(1 − p)ʲ], whose terms are
    /// all above zero. The papers' closed form, a hypergeometric function over a − 1, loses digits near a = 1 and
    /// overflows for frequent customers.
    fn expected([r, alpha, a, b]: [f64; 4], history: &History, horizon: f64) -> f64 {
        if horizon <= 0.0 {
            return 0.0;
        }
        let repeats = f64::from(history.repeats);
        let (shape, known) = (r + repeats, alpha + history.age);
        let (hit, miss) = (horizon / (known + horizon), known / (known + horizon));
        // Of the chance of a miss, which is next to one where r and α are at their edge.
        let logarithm = -(horizon / known).ln_1p();
        let mean = shape * hit / miss;
        let first = (mean - DEVIATIONS * (mean / miss).sqrt()).floor().clamp(0.0, COUNTS_MAX);
        let (mut count, mut stays, mut sum) = (0.0, 1.0, 0.0);
        while count < first {
            sum += stays;
            stays *= (b + repeats + count) / (a + b + repeats + count);
            count += 1.0;
        }
        let mut chance = if first > 0.0 {
            let ways = ln_gamma(shape + first) - ln_gamma(shape) - ln_gamma(first + 1.0);
            (ways + shape * logarithm + first * hit.ln()).exp()
        } else {
            (shape * logarithm).exp()
        };
        let mut rest = 1.0 - chance;
        while count < COUNTS_MAX {
            sum += rest.max(0.0) * stays;
            stays *= (b + repeats + count) / (a + b + repeats + count);
            count += 1.0;
            // How much less likely each further count is than the last one, at most, from here on.
            let falls = hit * ((shape + count) / (count + 1.0)).max(1.0);
            chance *= (shape + count - 1.0) / count * hit;
            rest -= chance;
            // Rounding may leave more than there is.
            if falls < 1.0 && rest.min(chance * falls / (1.0 - falls)) <= REST {
                break;
            }
        }
        sum
    }

    fn leaving([_, _, a, b]: [f64; 4], repeats: u32, share: f64) -> f64 {
        quantile(a, b + f64::from(repeats), share)
    }

    fn leaves_at(_parameters: [f64; 4], _history: &History, rate: f64, leaving: f64) -> f64 {
        rate * leaving
    }
}

/// Shapes outside of these are those of fits at the edge of what there is: the search for a quantile does not end there,
/// and what the beta distribution comes close to is as good.
const SHAPES: [f64; 2] = [1e-3, 1e4];

/// So near to zero the density is a power.
const NEAR: f64 = 1e-8;

/// The `share` quantile of the beta distribution.
fn quantile(a: f64, b: f64, share: f64) -> f64 {
    let [least, most] = SHAPES;
    if a > most {
        // Nearly one value.
        let mean = a / (a + b);
        let deviation = (mean * (1.0 - mean) / (a + b)).sqrt();
        return (mean + deviation * Normal::standard().inverse_cdf(share)).clamp(0.0, 1.0);
    }
    // x^a Γ(a + b) / (Γ(a + 1) Γ(b)) where x is next to zero.
    let near_zero = |a: f64, b: f64, share: f64| {
        ((share.ln() + ln_gamma(a + 1.0) + ln_gamma(b) - ln_gamma(a + b)) / a).exp().min(1.0)
    };
    let (low, high) = (near_zero(a, b, share), near_zero(b, a, 1.0 - share));
    if low * (1.0 + b) < NEAR || a < least {
        return low;
    }
    if high * (1.0 + a) < NEAR || b < least {
        return 1.0 - high;
    }
    if b > most {
        // Of a gamma variable and one that hardly varies.
        return Gamma::new(a, 1.0).map_or(f64::NAN, |found| {
            let value = found.inverse_cdf(share);
            value / (value + b)
        });
    }
    Beta::new(a, b).map_or(f64::NAN, |found| found.inverse_cdf(share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::lifetime::process::discounted;

    /// However far at the edge: in order, within 0 to 1, and continuous where one way to find it hands over to another.
    #[test]
    fn quantiles_end() {
        let shapes: Vec<f64> = (-10..=10).map(|power| 10_f64.powi(power)).collect();
        for a in &shapes {
            for b in &shapes {
                let found = [0.01, 0.3, 0.5, 0.9, 0.99].map(|share| quantile(*a, *b, share));
                assert!(found.iter().all(|own| (0.0..=1.0).contains(own)), "{a} {b} {found:?}");
                assert!(found.is_sorted(), "{a} {b} {found:?}");
            }
        }
        for (a, b) in [(1e-3, 5.0), (1e-3, 1e3), (2.0, 1e4), (0.5, 1e4), (1e4, 1e3), (1e4, 1e4)] {
            for share in [0.1, 0.5, 0.9] {
                let (below, above) = (quantile(a * 0.9999, b * 0.9999, share), quantile(a * 1.0001, b * 1.0001, share));
                assert!((below - above).abs() < 2e-3 * above.max(1e-3), "{a} {b} {share}: {below} {above}");
            }
        }
    }

    const CDNOW: [f64; 4] = [0.243, 4.414, 0.793, 2.426];

    fn history(repeats: u32, recency: f64, age: f64) -> History {
        History { repeats, recency, age, cohort: 0 }
    }

    /// Fader, Hardie and Lee (2005): 1.226 expected purchases of a customer of CDNOW in the next 39 weeks.
    #[test]
    fn a_customer_of_the_paper() {
        let customer = history(2, 30.43, 38.86);
        let product = BgNbd::alive(CDNOW, &customer) * BgNbd::expected(CDNOW, &customer, 39.0);
        assert!((product - 1.226).abs() < 5e-4, "{product}");
        assert!((BgNbd::alive(CDNOW, &customer) - 0.7266).abs() < 5e-5);
    }

    #[test]
    fn frequent_customers_and_long_horizons_stay_finite() {
        let frequent = history(5_000, 38.0, 38.86);
        let found = BgNbd::expected(CDNOW, &frequent, 52.0);
        assert!(found.is_finite() && found > 100.0, "{found}");
        let near_one = |a| BgNbd::expected([0.243, 4.414, a, 2.426], &history(2, 30.43, 38.86), 520.0);
        assert!((near_one(1.0 - 1e-7) - near_one(1.0 + 1e-7)).abs() < 1e-5 && near_one(1.0).is_finite());
        assert_eq!(BgNbd::expected(CDNOW, &frequent, 0.0), 0.0);
        // Where r and α are at their edge all customers buy at one rate, here one in two units of time, and nobody leaves.
        for edge in [1e6, 1e9, 1e14] {
            let found = BgNbd::expected([edge, 2.0 * edge, 1e-6, 1e6], &history(2, 3.0, 4.0), 12.0);
            assert!((found - 6.0).abs() < 1e-4, "{edge}: {found}");
        }
        assert!(discounted::<BgNbd>(CDNOW, &frequent, 52.0, 0.002) < found);
    }
}
