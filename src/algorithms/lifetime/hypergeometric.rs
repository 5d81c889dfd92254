//! Gauss's hypergeometric function where its first parameter is one.

use super::dual::Real;

/// Terms after which the fraction is given up: enough up to z = 1 − 1e-5. Nearer to one, only fits at the edge of what
/// there is.
const TERMS_MAX: usize = 5_000;
const TOLERANCE: f64 = 1e-15;

/// ₂F₁(1, b; c; z) for b above zero, c above b and z in 0..1, by Gauss's continued fraction (NIST DLMF 15.7.5), evaluated
/// from its start by the modified method of Lentz.
pub(super) fn of_one<R: Real>(b: R, c: R, z: R) -> R {
    let one = R::constant(1.0);
    // Of the fraction 1 / (1 + k₁ z / (1 + k₂ z / (1 + …))).
    let (mut found, mut numerator, mut denominator) = (one, one, R::constant(0.0));
    for step in 1..TERMS_MAX {
        let half = (step / 2) as f64;
        let place = (step - 1) as f64;
        let below = (c + (place - 1.0)) * (c + place);
        let above = match step % 2 {
            1 => -(c + (half - 1.0)) * (b + half),
            _ => (b - c + (1.0 - half)) * half,
        };
        let term = above * z / below;
        denominator = one / (one + term * denominator);
        numerator = one + term / numerator;
        let change = numerator * denominator;
        found = found * change;
        if (change - one).size() < TOLERANCE {
            break;
        }
    }
    one / found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// mpmath 1.4.1, hyp2f1(1, b, c, z) with 40 digits.
    #[test]
    fn agrees_with_mpmath() {
        let cases = [
            (0.553, 2.159, 0.5, 1.174_573_367_472_145_6),
            (0.553, 2.159, 0.9999, 1.903_418_892_473_435),
            (2.553, 4.159, 0.2, 1.142_642_900_118_486_2),
            (222.05, 223.7, 0.95, 17.684_181_293_758_845),
            (1.606, 2.159, 0.999, 49.844_684_132_926_47),
            (1000.5, 1001.9, 0.3, 1.427_716_787_342_347_7),
            (0.01, 1.02, 0.999_99, 1.108_457_932_854_565_2),
        ];
        for (b, c, z, expected) in cases {
            let found: f64 = of_one(b, c, z);
            assert!((found - expected).abs() < 1e-11 * expected, "{b} {c} {z}: {found} {expected}");
        }
    }
}
