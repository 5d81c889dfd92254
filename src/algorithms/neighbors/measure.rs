//! Similarities from what is summed over the common entries of two vectors.

use super::{Parameters, Similarity};

/// A weight as it enters similarities: not above zero, or NaN, is zero.
#[inline(always)]
pub(super) fn rounded(weight: f64) -> f32 {
    if weight > 0.0 { (weight as f32).min(f32::MAX) } else { 0.0 }
}

/// A sum over the common entries of two vectors; zero until there is one.
pub(super) trait Common: Copy + Default + Send {
    /// Adds an entry that one has with weight `a` and the other with weight `b`, both above zero.
    fn add(&mut self, a: f32, b: f32);

    /// Whether nothing was added.
    fn is_empty(self) -> bool;

    /// The sum of products or minima.
    fn sum(self) -> f64;

    /// The number of common entries, where it was counted.
    fn count(self) -> f64;
}

/// The number of common entries, which is all there is to weights of 1.
#[derive(Clone, Copy, Default)]
pub(super) struct Count(u32);

impl Common for Count {
    #[inline(always)]
    fn add(&mut self, _: f32, _: f32) {
        self.0 += 1;
    }

    #[inline(always)]
    fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        f64::from(self.0)
    }

    #[inline(always)]
    fn count(self) -> f64 {
        f64::from(self.0)
    }
}

/// The sum of products. Two 32-bit numbers have an exact product in 64 bits, which is never rounded to zero.
#[derive(Clone, Copy, Default)]
pub(super) struct Product(f64);

impl Common for Product {
    #[inline(always)]
    fn add(&mut self, a: f32, b: f32) {
        self.0 += f64::from(a) * f64::from(b);
    }

    #[inline(always)]
    fn is_empty(self) -> bool {
        self.0 == 0.0
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        self.0
    }

    #[inline(always)]
    fn count(self) -> f64 {
        0.0
    }
}

/// The sum of minima.
#[derive(Clone, Copy, Default)]
pub(super) struct Least(f64);

impl Common for Least {
    #[inline(always)]
    fn add(&mut self, a: f32, b: f32) {
        self.0 += f64::from(a.min(b));
    }

    #[inline(always)]
    fn is_empty(self) -> bool {
        self.0 == 0.0
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        self.0
    }

    #[inline(always)]
    fn count(self) -> f64 {
        0.0
    }
}

/// A sum with the number of its terms.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted<S> {
    of: S,
    count: u32,
}

impl<S: Common> Common for Counted<S> {
    #[inline(always)]
    fn add(&mut self, a: f32, b: f32) {
        self.of.add(a, b);
        self.count += 1;
    }

    #[inline(always)]
    fn is_empty(self) -> bool {
        self.count == 0
    }

    #[inline(always)]
    fn sum(self) -> f64 {
        self.of.sum()
    }

    #[inline(always)]
    fn count(self) -> f64 {
        f64::from(self.count)
    }
}

/// Calls `$run::<C>(…)` with the [`Common`] that suffices.
macro_rules! with_common {
    ($parameters:expr, $binary:expr, $run:ident($($argument:expr),* $(,)?)) => {{
        use $crate::algorithms::neighbors::{Similarity, measure::{Count, Counted, Least, Product}};
        let counted = $parameters.shrinkage > 0.0;
        match ($parameters.similarity, counted) {
            _ if $binary => $run::<Count>($($argument),*),
            (Similarity::Jaccard, false) => $run::<Least>($($argument),*),
            (Similarity::Jaccard, true) => $run::<Counted<Least>>($($argument),*),
            (_, false) => $run::<Product>($($argument),*),
            (_, true) => $run::<Counted<Product>>($($argument),*),
        }
    }};
}
pub(super) use with_common;

/// Sums over the weights of one vector.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Totals {
    sum: f64,
    squares: f64,
}

impl Totals {
    pub(super) fn add(&mut self, weight: f32) {
        self.sum += f64::from(weight);
        self.squares += f64::from(weight) * f64::from(weight);
    }

    pub(super) fn of(weights: impl Iterator<Item = f32>) -> Self {
        let mut totals = Self::default();
        weights.for_each(|weight| totals.add(weight));
        totals
    }
}

/// What a similarity needs to know of one vector: a factor and a term.
#[derive(Clone, Copy)]
pub(super) struct Side {
    pub(super) factor: f64,
    pub(super) term: f64,
}

/// A similarity of vectors of a length.
#[derive(Clone, Copy)]
pub(super) struct Measure {
    similarity: Similarity,
    shrinkage: f64,
    length: f64,
}

/// The part of a vector's squares that rounding alone may leave of a variance of zero.
const NO_VARIANCE: f64 = 1e-12;

impl Measure {
    pub(super) fn new(parameters: &Parameters, length: usize) -> Self {
        let shrinkage = parameters.shrinkage.max(0.0);
        Self { similarity: parameters.similarity, shrinkage, length: length as f64 }
    }

    /// Whether the numbers of common entries matter.
    pub(super) fn counts(&self) -> bool {
        self.shrinkage > 0.0
    }

    pub(super) fn side(&self, totals: Totals) -> Side {
        let inverse_root = |x: f64| if x > 0.0 { 1.0 / x.sqrt() } else { 0.0 };
        match self.similarity {
            Similarity::Cosine => Side { factor: inverse_root(totals.squares), term: 0.0 },
            Similarity::Pearson => {
                let term = totals.sum / self.length.sqrt();
                let deviation = totals.squares - term * term;
                let varies = deviation > NO_VARIANCE * totals.squares;
                Side { factor: if varies { inverse_root(deviation) } else { 0.0 }, term }
            }
            Similarity::Jaccard => Side { factor: 1.0, term: totals.sum },
            Similarity::Euclidean => Side { factor: 1.0, term: totals.squares },
            Similarity::Dot => Side { factor: 1.0, term: 0.0 },
        }
    }

    /// The similarity of two vectors, which may turn out below zero, or NaN where one is all zero.
    #[inline(always)]
    pub(super) fn of<C: Common>(&self, a: Side, b: Side, common: C) -> f32 {
        let plain = plain(self.similarity, a, b, common.sum());
        if self.counts() { self.supported(plain, common.count()) } else { at_most_max(plain) }
    }

    /// [`Self::of`] one vector and several, given by factors and terms, and by sums and counts.
    #[inline(always)]
    pub(super) fn of_many(
        &self,
        side: Side,
        (factors, terms): (&[f64], &[f64]),
        (sums, counts): (&[f64], &[f64]),
        similarities: &mut [f32],
    ) {
        macro_rules! fill {
            ($similarity:expr) => {{
                let others = factors.iter().zip(terms).map(|(&factor, &term)| Side { factor, term });
                let found = others.zip(sums).map(|(other, sum)| plain($similarity, side, other, *sum));
                if self.counts() {
                    let found = found.zip(counts).map(|(plain, count)| self.supported(plain, *count));
                    similarities.iter_mut().zip(found).for_each(|(slot, found)| *slot = found);
                } else {
                    similarities.iter_mut().zip(found).for_each(|(slot, found)| *slot = at_most_max(found));
                }
            }};
        }
        // One loop each, without a decision inside.
        match self.similarity {
            Similarity::Cosine => fill!(Similarity::Cosine),
            Similarity::Pearson => fill!(Similarity::Pearson),
            Similarity::Jaccard => fill!(Similarity::Jaccard),
            Similarity::Euclidean => fill!(Similarity::Euclidean),
            Similarity::Dot => fill!(Similarity::Dot),
        }
    }

    #[inline(always)]
    fn supported(&self, plain: f64, count: f64) -> f32 {
        at_most_max(plain * (count / (count + self.shrinkage)))
    }
}

#[inline(always)]
fn at_most_max(similarity: f64) -> f32 {
    let rounded = similarity as f32;
    if rounded > f32::MAX { f32::MAX } else { rounded }
}

#[inline(always)]
fn plain(similarity: Similarity, a: Side, b: Side, sum: f64) -> f64 {
    match similarity {
        Similarity::Cosine => sum * a.factor * b.factor,
        Similarity::Pearson => (sum - a.term * b.term) * a.factor * b.factor,
        Similarity::Jaccard => sum / (a.term + b.term - sum),
        Similarity::Euclidean => 1.0 / (1.0 + (a.term + b.term - 2.0 * sum).max(0.0).sqrt()),
        Similarity::Dot => sum,
    }
}
