//! Noisy estimates shrunk towards what they have in common (empirical Bayes).

use super::Slope;

/// What estimates have in common, before one looks at a single one.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// Of all.
    pub mean: f64,
    /// Of each group, itself shrunk towards that of all.
    pub groups: Vec<f64>,
    /// How far true values lie from the mean of their group: the variance.
    pub variance: f64,
    /// How far true values lie from the mean of all.
    pub total_variance: f64,
}

/// A shrunk estimate: normal, with this mean and deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shrunk {
    pub mean: f64,
    pub deviation: f64,
}

/// A group with fewer known estimates has the mean of all.
const GROUP_MIN: usize = 10;
/// Halvings of the interval in which a variance lies.
const HALVINGS: usize = 80;

/// Learns the prior of estimates, each of one of `groups` groups, where `noise` is the variance of the residuals: between
/// them by Paule and Mandel's estimator, which needs no distribution. Unknown slopes are left out; `None` where fewer than
/// two are known.
pub fn prior(slopes: &[Slope], of_group: &[u32], groups: usize, noise: f64) -> Option<Prior> {
    let known: Vec<(f64, f64, usize)> = slopes
        .iter()
        .zip(of_group)
        .filter(|(slope, _)| slope.is_known())
        .map(|(slope, group)| (slope.elasticity, noise / slope.variation, *group as usize))
        .collect();
    if known.len() < 2 {
        return None;
    }
    let mut counts = vec![0_usize; groups];
    for (_, _, group) in &known {
        if let Some(count) = counts.get_mut(*group) {
            *count += 1;
        }
    }
    // Small groups are one with all others that are small.
    let is_own = |group: usize| counts.get(group).is_some_and(|count| *count >= GROUP_MIN);
    let place = |group: usize| if is_own(group) { group } else { groups };
    let all = |variance: f64| means(&known, &|_| 0, 1, variance);
    let by_group = |variance: f64| means(&known, &place, groups + 1, variance);
    let own = counts.iter().filter(|count| **count >= GROUP_MIN).count();
    let others = usize::from(counts.iter().any(|count| (1..GROUP_MIN).contains(count)));
    let total_variance = between(&known, &|_| 0, 1, &all);
    let variance = between(&known, &place, own + others, &by_group).min(total_variance);
    let [mean, _] = all(total_variance).first().copied().unwrap_or([0.0; 2]);
    // The means of groups are estimates too.
    let found = by_group(variance);
    let estimates: Vec<(f64, f64, usize)> = (0..groups)
        .filter(|group| is_own(*group))
        .filter_map(|group| found.get(group))
        .map(|own| (own[0], own[1], 0))
        .collect();
    let apart = if estimates.len() < 2 {
        0.0
    } else {
        between(&estimates, &|_| 0, 1, &|variance| means(&estimates, &|_| 0, 1, variance))
    };
    let of = |group: usize| match found.get(group).filter(|_| is_own(group)) {
        Some([own, error]) if apart > 0.0 => (own * apart + mean * error) / (apart + error),
        _ => mean,
    };
    Some(Prior { mean, groups: (0..groups).map(of).collect(), variance, total_variance })
}

/// The weighted mean of each place and its variance, when true values vary by so much around it.
fn means(known: &[(f64, f64, usize)], place: &dyn Fn(usize) -> usize, count: usize, variance: f64) -> Vec<[f64; 2]> {
    let mut sums = vec![[0.0; 2]; count];
    for (value, error, group) in known {
        if let Some(sum) = sums.get_mut(place(*group)) {
            let weight = 1.0 / (variance + error);
            sum[0] += weight * value;
            sum[1] += weight;
        }
    }
    sums.into_iter()
        .map(|[sum, weight]| if weight > 0.0 { [sum / weight, 1.0 / weight] } else { [0.0, f64::INFINITY] })
        .collect()
}

/// The variance between true values with which squares, each against what it should be, come to their number less that
/// of the means.
fn between(
    known: &[(f64, f64, usize)],
    place: &dyn Fn(usize) -> usize,
    places: usize,
    means: &dyn Fn(f64) -> Vec<[f64; 2]>,
) -> f64 {
    let expected = known.len() as f64 - places as f64;
    let excess = |variance: f64| {
        let means = means(variance);
        let square = |(value, error, group): &(f64, f64, usize)| {
            let mean = means.get(place(*group)).map_or(0.0, |own| own[0]);
            (value - mean).powi(2) / (variance + error)
        };
        known.iter().map(square).sum::<f64>() - expected
    };
    if expected <= 0.0 || excess(0.0) <= 0.0 {
        return 0.0;
    }
    let mut high = 1.0;
    while excess(high) > 0.0 && high < 1e12 {
        high *= 4.0;
    }
    let mut low = 0.0;
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if excess(middle) > 0.0 { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// What is known of one when the prior is.
pub fn shrink(slope: &Slope, mean: f64, variance: f64, noise: f64) -> Shrunk {
    if !slope.is_known() || variance <= 0.0 {
        return Shrunk { mean, deviation: variance.max(0.0).sqrt() };
    }
    let error = noise / slope.variation;
    let precision = 1.0 / variance + 1.0 / error;
    if error <= 0.0 {
        return Shrunk { mean: slope.elasticity, deviation: 0.0 };
    }
    Shrunk { mean: (mean / variance + slope.elasticity / error) / precision, deviation: precision.recip().sqrt() }
}
