//! Numbers that carry their derivatives, so that a likelihood is written once and its gradient comes with it (forward
//! automatic differentiation).

use std::ops::{Add, Div, Mul, Neg, Sub};

use statrs::function::gamma::{digamma, ln_gamma};

/// What likelihoods are computed in: plain numbers, or numbers with derivatives.
pub(super) trait Real:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    fn constant(value: f64) -> Self;
    fn value(self) -> f64;
    fn ln(self) -> Self;
    fn exp(self) -> Self;
    fn ln_gamma(self) -> Self;
    /// The greatest of the value and its derivatives, regardless of sign.
    fn size(self) -> f64;

    /// ln(eᵃ + eᵇ), without overflow.
    fn ln_add_exp(self, other: Self) -> Self {
        let (more, less) = if self.value() >= other.value() { (self, other) } else { (other, self) };
        more + ((less - more).exp() + 1.0).ln()
    }
}

impl Real for f64 {
    fn constant(value: f64) -> f64 {
        value
    }

    fn value(self) -> f64 {
        self
    }

    fn ln(self) -> f64 {
        f64::ln(self)
    }

    fn exp(self) -> f64 {
        f64::exp(self)
    }

    fn ln_gamma(self) -> f64 {
        ln_gamma(self)
    }

    fn size(self) -> f64 {
        self.abs()
    }
}

/// A number and its derivatives by `N` variables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dual<const N: usize> {
    pub(super) value: f64,
    pub(super) slopes: [f64; N],
}

impl<const N: usize> Dual<N> {
    /// The logarithms of `N` variables that are above zero, as what the derivatives are by: the variables themselves.
    pub(super) fn of_logarithms(logarithms: [f64; N]) -> [Dual<N>; N] {
        std::array::from_fn(|place| {
            let value = logarithms[place].exp();
            Dual { value, slopes: std::array::from_fn(|other| if other == place { value } else { 0.0 }) }
        })
    }

    /// f(self), where f has this value and slope here.
    fn chain(self, value: f64, slope: f64) -> Dual<N> {
        Dual { value, slopes: self.slopes.map(|own| own * slope) }
    }

    fn with(self, other: Dual<N>, value: f64, slopes: impl Fn(f64, f64) -> f64) -> Dual<N> {
        Dual { value, slopes: std::array::from_fn(|place| slopes(self.slopes[place], other.slopes[place])) }
    }
}

impl<const N: usize> Real for Dual<N> {
    fn constant(value: f64) -> Dual<N> {
        Dual { value, slopes: [0.0; N] }
    }

    fn value(self) -> f64 {
        self.value
    }

    fn ln(self) -> Dual<N> {
        self.chain(self.value.ln(), 1.0 / self.value)
    }

    fn exp(self) -> Dual<N> {
        let value = self.value.exp();
        self.chain(value, value)
    }

    fn ln_gamma(self) -> Dual<N> {
        self.chain(ln_gamma(self.value), digamma(self.value))
    }

    fn size(self) -> f64 {
        self.slopes.iter().fold(self.value.abs(), |most, slope| most.max(slope.abs()))
    }
}

impl<const N: usize> Add for Dual<N> {
    type Output = Dual<N>;

    fn add(self, other: Dual<N>) -> Dual<N> {
        self.with(other, self.value + other.value, |a, b| a + b)
    }
}

impl<const N: usize> Sub for Dual<N> {
    type Output = Dual<N>;

    fn sub(self, other: Dual<N>) -> Dual<N> {
        self.with(other, self.value - other.value, |a, b| a - b)
    }
}

impl<const N: usize> Mul for Dual<N> {
    type Output = Dual<N>;

    #[expect(clippy::suspicious_arithmetic_impl, reason = "the rule of products is a sum")]
    fn mul(self, other: Dual<N>) -> Dual<N> {
        self.with(other, self.value * other.value, |a, b| a * other.value + b * self.value)
    }
}

impl<const N: usize> Div for Dual<N> {
    type Output = Dual<N>;

    #[expect(clippy::suspicious_arithmetic_impl, reason = "the rule of quotients is a difference")]
    fn div(self, other: Dual<N>) -> Dual<N> {
        let value = self.value / other.value;
        self.with(other, value, |a, b| (a - value * b) / other.value)
    }
}

impl<const N: usize> Neg for Dual<N> {
    type Output = Dual<N>;

    fn neg(self) -> Dual<N> {
        self.chain(-self.value, -1.0)
    }
}

impl<const N: usize> Add<f64> for Dual<N> {
    type Output = Dual<N>;

    fn add(self, other: f64) -> Dual<N> {
        Dual { value: self.value + other, ..self }
    }
}

impl<const N: usize> Mul<f64> for Dual<N> {
    type Output = Dual<N>;

    fn mul(self, other: f64) -> Dual<N> {
        self.chain(self.value * other, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn odd<R: Real>([x, y]: [R; 2]) -> R {
        ((x * y + 1.5).ln() - (x / y).exp() + (y + 0.25).ln_gamma()).ln_add_exp(-x * 2.0)
    }

    proptest! {
        #[test]
        fn slopes_are_those_of_small_steps(x in 0.1_f64..3.0, y in 0.5_f64..4.0) {
            let found = odd(Dual::of_logarithms([x.ln(), y.ln()]));
            prop_assert!((found.value - odd([x, y])).abs() < 1e-12);
            let step = 1e-5_f64;
            let by = |dx: f64, dy: f64| odd([x * dx.exp(), y * dy.exp()]);
            let expected = [(by(step, 0.0) - by(-step, 0.0)) / (2.0 * step), (by(0.0, step) - by(0.0, -step)) / (2.0 * step)];
            for (found, expected) in found.slopes.iter().zip(expected) {
                prop_assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{found} {expected}");
            }
        }
    }
}
