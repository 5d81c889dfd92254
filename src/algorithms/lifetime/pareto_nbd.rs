//! Pareto/NBD (Schmittlein, Morrison and Colombo 1987, "Counting your customers: who are they and what will they do
//! next?", Management Science 33).
//!
//! While active, a customer buys at random at a rate λ, and leaves at random at a rate µ. Over customers λ is of a gamma
//! distribution (shape r, rate α), and so is µ (shape s, rate β).
//!
//! All that is hard in it is s ∫ (α + τ)⁻⁽ʳ⁺ˣ⁾ (β + τ)⁻⁽ˢ⁺¹⁾ dτ from tₓ to T, against its integrand's bound at T. By Euler's
//! transformation the two hypergeometric functions of the papers become one of parameters above zero, with first
//! parameter one, and powers, which stay logarithms.

use statrs::distribution::{ContinuousCDF, Gamma};

use super::dual::Real;
use super::history::History;
use super::hypergeometric::of_one;
use super::process::Process;

/// r, α, s and β.
pub(super) struct ParetoNbd;

impl Process for ParetoNbd {
    const NAMES: [&'static str; 4] = ["r", "alpha", "s", "beta"];
    const IS_TIME: [bool; 4] = [false, true, false, true];
    const BY_COHORT: [bool; 4] = [false, true, false, true];

    fn starts(rate: f64, age: f64) -> Vec<[f64; 4]> {
        let of = |r: f64, s: f64, share: f64| [r, r / rate, s, share * age];
        vec![of(0.5, 0.6, 0.4), of(1.0, 1.0, 1.0), of(2.0, 0.5, 1.0), of(0.25, 2.0, 4.0)]
    }

    fn of_repeats<R: Real>([r, alpha, s, _]: [R; 4], repeats: f64) -> [R; 2] {
        let power = r + repeats;
        [power.ln_gamma() - r.ln_gamma() + r * alpha.ln(), s.ln() - (power + s).ln()]
    }

    /// The logarithm of one over the integrand's bound, and that of what is left of the integral from here on, against it.
    fn of_moment<R: Real>([r, alpha, s, beta]: [R; 4], [_, share]: [R; 2], repeats: f64, moment: f64) -> [R; 2] {
        let power = r + repeats;
        let [purchases, leaving] = [alpha + moment, beta + moment];
        let (c, [ln_purchases, ln_leaving]) = (power + s + 1.0, [purchases.ln(), leaving.ln()]);
        let rest = if alpha.value() >= beta.value() {
            of_one(power, c, (alpha - beta) / purchases).ln()
        } else {
            ln_purchases - ln_leaving + of_one(s + 1.0, c, (beta - alpha) / leaving).ln()
        };
        [power * ln_purchases + s * (ln_leaving - beta.ln()), share + rest]
    }

    fn log_likelihood<R: Real>([base, _]: [R; 2], at_last: [R; 2], at_end: [R; 2], _repeats: u32) -> R {
        let [bound, _] = at_end;
        base - bound + odds(at_last, at_end)
    }

    fn alive(parameters: [f64; 4], history: &History) -> f64 {
        let repeats = f64::from(history.repeats);
        let terms = Self::of_repeats(parameters, repeats);
        let [at_last, at_end] =
            [history.recency, history.age].map(|moment| Self::of_moment(parameters, terms, repeats, moment));
        (-odds(at_last, at_end)).exp()
    }

    fn expected([r, alpha, s, beta]: [f64; 4], history: &History, horizon: f64) -> f64 {
        let rate = (r + f64::from(history.repeats)) / (alpha + history.age);
        let known = beta + history.age;
        let longer = (horizon / known).ln_1p();
        // (1 − e^(−(s − 1) longer)) / (s − 1), which is `longer` at s = 1.
        let exponent = (s - 1.0) * longer;
        let share = if exponent.abs() < 1e-8 { 1.0 - exponent / 2.0 } else { -(-exponent).exp_m1() / exponent };
        rate * known * longer * share
    }

    fn leaving([_, _, s, _]: [f64; 4], _repeats: u32, share: f64) -> f64 {
        Gamma::new(s, 1.0).map_or(f64::NAN, |found| found.inverse_cdf(share))
    }

    fn leaves_at([_, _, _, beta]: [f64; 4], history: &History, _rate: f64, leaving: f64) -> f64 {
        leaving / (beta + history.age)
    }
}

/// The logarithm of one over the chance of being active: of one and the integral against its integrand's bound at the end.
fn odds<R: Real>([last, after_last]: [R; 2], [end, after_end]: [R; 2]) -> R {
    let integral = end - last + after_last;
    let never = -after_end.exp() + 1.0;
    if integral.value() > 0.0 {
        integral + (never * (-integral).exp() + 1.0).ln()
    } else {
        (never + integral.exp()).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CDNOW: [f64; 4] = [0.553, 10.578, 0.606, 11.669];

    fn history(repeats: u32, recency: f64, age: f64) -> History {
        History { repeats, recency, age, cohort: 0 }
    }

    fn log_likelihood(parameters: [f64; 4], history: &History) -> f64 {
        let repeats = f64::from(history.repeats);
        let terms = ParetoNbd::of_repeats(parameters, repeats);
        let at = |moment| ParetoNbd::of_moment(parameters, terms, repeats, moment);
        ParetoNbd::log_likelihood(terms, at(history.recency), at(history.age), history.repeats)
    }

    /// Fader and Hardie (2005), A note on implementing the Pareto/NBD model in MATLAB, and the BTYD package: 1.455
    /// expected purchases of a customer of CDNOW in the next 39 weeks.
    #[test]
    fn a_customer_of_the_paper() {
        let customer = history(2, 30.43, 38.86);
        let alive = ParetoNbd::alive(CDNOW, &customer);
        assert!((alive - 0.8691).abs() < 1e-4, "{alive}");
        let product = alive * ParetoNbd::expected(CDNOW, &customer, 39.0);
        assert!((product - 1.455).abs() < 1e-3, "{product}");
    }

    /// The issue of implementations that take the logarithm of a difference of two equal numbers.
    #[test]
    fn very_frequent_customers_stay_finite() {
        let found = log_likelihood([0.5143, 2.8845, 0.2856, 14.1087], &history(221, 103.428_57, 103.571_43));
        assert!(found.is_finite(), "{found}");
    }

    /// The two branches meet where α and β are the same, and s = 1 is no exception.
    #[test]
    fn nothing_jumps() {
        let customer = history(3, 20.0, 50.0);
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
        let at = |beta| log_likelihood([0.5, 10.0, 0.6, beta], &customer);
        assert!(near(at(10.0 - 1e-7), at(10.0 + 1e-7)) && near(at(10.0), at(10.0 + 1e-7)));
        let at = |s| ParetoNbd::expected([0.5, 10.0, s, 12.0], &customer, 30.0);
        assert!(near(at(1.0 - 1e-9), at(1.0)) && near(at(1.0 + 1e-7), at(1.0)));
    }
}
