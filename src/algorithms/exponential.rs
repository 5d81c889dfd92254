//! eˣ and ln x in plain arithmetic, for inner loops.

/// ln 2 in two parts: multiples of the first are exact.
const LN2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];

/// e to the power of a number that is not positive, within two units of the last digit, in plain arithmetic so that it
/// vectorizes. Zero where the result would be below the normal numbers.
#[inline(always)]
pub(super) fn exponential(x: f64) -> f64 {
    /// Adding it leaves a whole number in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// 1/n!, n = 13 to 0: the next term is below 1e-17 on half of ln 2.
    const TERMS: [f64; 14] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    let bounded = if x < -708.0 { -708.0 } else { x };
    let shifted = bounded * std::f64::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = bounded - whole * LN2[0] - whole * LN2[1];
    let mut sum = 0.0;
    for term in TERMS {
        sum = sum * rest + term;
    }
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    if x < -708.0 { 0.0 } else { sum * scale }
}

/// The natural logarithm of a finite number of at least one, within two units of the last digit, in plain arithmetic so
/// that it vectorizes.
#[inline(always)]
pub(super) fn logarithm(x: f64) -> f64 {
    /// Bits of the root of one half, where the exponent steps up.
    const ROOT: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    /// A whole number below 2^52 in the lowest bits of this, less it, is that number.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    /// Of artanh(s)/s by s², from the last that counts for s up to (√2 − 1)/(√2 + 1).
    const TERMS: [f64; 11] = [
        1.0 / 21.0,
        1.0 / 19.0,
        1.0 / 17.0,
        1.0 / 15.0,
        1.0 / 13.0,
        1.0 / 11.0,
        1.0 / 9.0,
        1.0 / 7.0,
        1.0 / 5.0,
        1.0 / 3.0,
        1.0,
    ];
    let exponent = x.to_bits().wrapping_sub(ROOT) >> 52;
    let mantissa = f64::from_bits(x.to_bits().wrapping_sub(exponent << 52));
    let exponent = f64::from_bits(exponent | WHOLE.to_bits()) - WHOLE;
    let beyond = mantissa - 1.0;
    let s = beyond / (2.0 + beyond);
    let square = s * s;
    let mut sum = 0.0;
    for term in TERMS {
        sum = sum * square + term;
    }
    exponent * LN2[0] + (2.0 * s * sum + exponent * LN2[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_that_of_the_standard_library(x in -720.0_f64..=0.0) {
            let expected = if x < -708.0 { 0.0 } else { x.exp() };
            // Two units of the last digit.
            prop_assert!((exponential(x) - expected).abs() <= 2.0 * f64::EPSILON * expected);
        }
    }

    proptest! {
        #[test]
        fn so_is_the_logarithm(x in 1.0_f64..4.0, power in 0_i32..1000) {
            let x = x * 2.0_f64.powi(power);
            prop_assert!((logarithm(x) - x.ln()).abs() <= 2.0 * f64::EPSILON * x.ln());
        }
    }

    #[test]
    fn ends() {
        assert_eq!(exponential(f64::NEG_INFINITY), 0.0);
        assert_eq!(exponential(0.0), 1.0);
        assert_eq!(logarithm(1.0), 0.0);
    }
}
