//! Random streams that depend on what they are for and not on when they are asked for, and the
//! few distributions the model needs.

use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, Poisson, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;

pub type Stream = Xoshiro256PlusPlus;

/// What a stream is used for. Two purposes never share draws, so that a change to how baskets are
/// filled leaves the dates of the orders as they were.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    Catalog = 1,
    ListPrice = 2,
    Promotion = 3,
    Customer = 4,
    Timing = 5,
    Basket = 6,
    Return = 7,
    Guest = 8,
    Person = 9,
    Consent = 10,
    Defect = 11,
    Corruption = 12,
}

/// A well-mixed 64-bit number for (seed, purpose, a, b): the output function of SplitMix64
/// (Steele, Lea, Flood 2014) folded over the parts.
pub fn key(seed: u64, purpose: Purpose, a: u64, b: u64) -> u64 {
    [purpose as u64, a, b].into_iter().fold(mix(seed), |state, part| mix(state ^ mix(part)))
}

fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The stream of (seed, purpose, a, b).
pub fn stream(seed: u64, purpose: Purpose, a: u64, b: u64) -> Stream {
    Stream::seed_from_u64(key(seed, purpose, a, b))
}

/// Exponential with mean 1 / `rate`; infinite when the rate is not positive.
pub fn exponential(rng: &mut impl Rng, rate: f64) -> f64 {
    if rate > 0.0 { -(1.0 - rng.r#gen::<f64>()).ln() / rate } else { f64::INFINITY }
}

/// Gamma with `shape` > 0 and the given mean (Marsaglia and Tsang 2000; below shape 1 by their
/// boost, G(a) = G(a + 1) · U^(1/a)).
pub fn gamma(rng: &mut impl Rng, shape: f64, mean: f64) -> f64 {
    let boost = if shape < 1.0 { rng.r#gen::<f64>().powf(1.0 / shape) } else { 1.0 };
    let d = if shape < 1.0 { shape + 1.0 } else { shape } - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x: f64 = rng.sample(StandardNormal);
        let v = (1.0 + c * x).powi(3);
        let u: f64 = rng.r#gen();
        if v > 0.0 && (1.0 - u).ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
            return d * v * boost * mean / shape;
        }
    }
}

/// Beta with parameters `a` and `b`: G(a) / (G(a) + G(b)) of two gammas.
pub fn beta(rng: &mut impl Rng, a: f64, b: f64) -> f64 {
    let left = gamma(rng, a, a);
    let right = gamma(rng, b, b);
    left / (left + right)
}

/// Above this mean, multiplying uniforms takes longer than a rejection sampler.
const POISSON_PRODUCT_MEAN_MAX: f64 = 12.0;

/// Poisson: by multiplication of uniforms (Knuth) for small means, else by rejection.
pub fn poisson(rng: &mut impl Rng, mean: f64) -> u32 {
    if mean > POISSON_PRODUCT_MEAN_MAX
        && let Ok(distribution) = Poisson::new(mean)
    {
        return distribution.sample(rng) as u32;
    }
    let floor = (-mean).exp();
    let mut product: f64 = rng.r#gen();
    let mut count = 0;
    while product > floor {
        product *= rng.r#gen::<f64>();
        count += 1;
    }
    count
}

/// A uniform number in [0, 1) from the upper bits of a key.
pub fn unit(key: u64) -> f64 {
    (key >> 11) as f64 / (1u64 << 53) as f64
}

/// Log-normal with median `median` and standard deviation `sigma` of its logarithm.
pub fn log_normal(rng: &mut impl Rng, median: f64, sigma: f64) -> f64 {
    median * (sigma * rng.sample::<f64, _>(StandardNormal)).exp()
}

/// Shares over `N` choices, drawn from a Dirichlet distribution with parameters `alpha`, as a
/// running sum that [`choose`] reads. Equal shares if every gamma underflowed to 0.
pub fn dirichlet<const N: usize>(rng: &mut impl Rng, alpha: [f64; N]) -> [f64; N] {
    let draws = alpha.map(|shape| gamma(rng, shape, shape));
    let draws = if draws.iter().sum::<f64>() > 0.0 { draws } else { [1.0; N] };
    let mut total = 0.0;
    draws.map(|draw| {
        total += draw;
        total
    })
}

/// The index of a choice, given the running sum of the weights.
pub fn choose(rng: &mut impl Rng, running: &[f64]) -> usize {
    let total = running.last().copied().unwrap_or(0.0);
    let at = rng.r#gen::<f64>() * total;
    running.partition_point(|&sum| sum <= at).min(running.len().saturating_sub(1))
}

/// Items with weights, drawn in logarithmic time.
#[derive(Debug, Clone)]
pub struct Weighted<T> {
    items: Vec<T>,
    running: Vec<f64>,
}

impl<T> Weighted<T> {
    pub fn new(pairs: impl IntoIterator<Item = (T, f64)>) -> Self {
        let mut total = 0.0;
        let (items, running) = pairs
            .into_iter()
            .map(|(item, weight)| {
                total += weight;
                (item, total)
            })
            .unzip();
        Self { items, running }
    }

    /// One item with probability proportional to its weight; none if there are no items.
    pub fn draw(&self, rng: &mut impl Rng) -> Option<&T> {
        self.items.get(choose(rng, &self.running))
    }

    /// Each item with its share of the weight.
    pub fn shares(&self) -> impl Iterator<Item = (&T, f64)> {
        let total = self.running.last().copied().unwrap_or(1.0);
        let before = std::iter::once(0.0).chain(self.running.iter().copied());
        self.items
            .iter()
            .zip(self.running.iter().zip(before))
            .map(move |(item, (sum, before))| (item, (sum - before) / total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 40_000;

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
        let mean = draws.iter().sum::<f64>() / DRAWS as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / DRAWS as f64;
        (mean, variance)
    }

    // Mean and variance below are the distributions' own: gamma with mean m and shape a has
    // variance m²/a, Poisson m, exponential 1/rate².
    #[test]
    fn samplers_have_the_moments_of_their_distributions() {
        let mut rng = stream(7, Purpose::Basket, 0, 0);
        for (shape, mean) in [(0.3, 2.0), (2.5, 4.0)] {
            let (m, v) = moments(|| gamma(&mut rng, shape, mean));
            assert!((m / mean - 1.0).abs() < 0.05, "gamma mean {m}");
            assert!((v / (mean * mean / shape) - 1.0).abs() < 0.1, "gamma variance {v}");
        }
        for mean in [3.0, 40.0] {
            let (m, v) = moments(|| f64::from(poisson(&mut rng, mean)));
            assert!((m / mean - 1.0).abs() < 0.02 && (v / mean - 1.0).abs() < 0.05, "poisson {m} {v}");
        }
        // Mean a/(a + b), variance ab/((a + b)²(a + b + 1)).
        let (m, v) = moments(|| beta(&mut rng, 1.5, 9.0));
        assert!((m / (1.5 / 10.5) - 1.0).abs() < 0.02, "beta mean {m}");
        assert!((v / (13.5 / (110.25 * 11.5)) - 1.0).abs() < 0.05, "beta variance {v}");
        let (m, v) = moments(|| exponential(&mut rng, 0.5));
        assert!((m - 2.0).abs() < 0.05 && (v - 4.0).abs() < 0.3, "exponential {m} {v}");
    }

    #[test]
    fn weights_are_kept_and_no_items_give_none() {
        let weighted = Weighted::new([("a", 1.0), ("b", 0.0), ("c", 3.0)]);
        let mut rng = stream(7, Purpose::Basket, 0, 1);
        let drawn: Vec<&str> = (0..DRAWS).filter_map(|_| weighted.draw(&mut rng).copied()).collect();
        let share = drawn.iter().filter(|&&item| item == "c").count() as f64 / DRAWS as f64;
        assert!((share - 0.75).abs() < 0.01, "{share}");
        assert!(!drawn.contains(&"b"));
        assert!(Weighted::<u8>::new([]).draw(&mut rng).is_none());
    }

    #[test]
    fn streams_differ_in_every_part_of_their_key() {
        let keys = [
            key(1, Purpose::Basket, 2, 3),
            key(2, Purpose::Basket, 2, 3),
            key(1, Purpose::Timing, 2, 3),
            key(1, Purpose::Basket, 3, 2),
            key(1, Purpose::Basket, 2, 4),
        ];
        for (i, left) in keys.iter().enumerate() {
            assert!(keys.iter().skip(i + 1).all(|right| left != right));
        }
    }
}
