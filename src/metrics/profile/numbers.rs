//! The shape of numbers: a histogram to look at, and quantiles to compare by.

use super::{DESCRIBED_MIN, Shape, TOGETHER_MIN};

/// Bars of a histogram.
const BARS: usize = 20;
/// Steps between quantiles, where there are rows enough.
const STEPS_MAX: usize = 200;
/// The share of values at either end that does not stretch the histogram.
const TAIL: f64 = 0.01;

/// Of finite, ascending values.
pub(super) fn shape(sorted: &[f64]) -> Shape {
    let rows = sorted.len();
    if rows < DESCRIBED_MIN {
        return Shape::None;
    }
    let at = |place: usize| sorted.get(place).copied().unwrap_or_default();
    // The ends of the histogram have values beyond them, so that no extreme is shown.
    let beyond = ((rows as f64 * TAIL) as usize).max(TOGETHER_MIN - 1).min((rows - 1) / 2);
    let (low, high) = (at(beyond), at(rows - 1 - beyond));
    // Bars of such a width have no edges.
    if !(high - low).is_finite() {
        return Shape::None;
    }
    let grain = grain(high - low);
    let rounded = |value: f64| round(value, if value == 0.0 { grain } else { grain.min(self::grain(value)) });
    let edges = edges(sorted, low, high, grain);
    let (edges, counts) = joined(&edges, &counts(sorted, &edges));
    let steps = (rows / TOGETHER_MIN).min(STEPS_MAX);
    let middle = at((rows - 1) / 2) / 2.0 + at(rows / 2) / 2.0;
    Shape::Number {
        edges,
        counts,
        mean: mean(sorted),
        median: rounded(middle),
        quantiles: (1..steps).map(|step| rounded(at(step * rows / steps))).collect(),
    }
}

fn mean(values: &[f64]) -> f64 {
    let rows = values.len() as f64;
    let sum: f64 = values.iter().sum();
    if sum.is_finite() { sum / rows } else { values.iter().map(|value| value / rows).sum() }
}

/// What the third significant digit of a number stands for.
fn grain(value: f64) -> f64 {
    if value == 0.0 { f64::INFINITY } else { 10_f64.powf(value.abs().log10().floor() - 2.0) }
}

/// To a multiple of the grain, a power of ten.
fn round(value: f64, grain: f64) -> f64 {
    if !grain.is_finite() || grain <= 0.0 {
        return value;
    }
    // Below one, dividing by its inverse keeps the decimal digits clean: 0.3 and not 0.30000000000000004.
    let found = if grain < 1.0 {
        let inverse = (1.0 / grain).round();
        (value * inverse).round() / inverse
    } else {
        (value / grain).round() * grain
    };
    if found.is_finite() { found + 0.0 } else { value }
}

/// Equally wide bars from `low` to `high`; of whole numbers that are few, one bar each.
fn edges(sorted: &[f64], low: f64, high: f64, grain: f64) -> Vec<f64> {
    let whole = |value: &f64| value.fract() == 0.0 && value.abs() < 1e15;
    if high - low < BARS as f64 && sorted.iter().all(whole) {
        let bars = (high - low) as usize + 1;
        return (0..=bars).map(|bar| low + bar as f64).collect();
    }
    let step = (high / BARS as f64) - (low / BARS as f64);
    let mut edges: Vec<f64> = (0..=BARS).map(|bar| round(low + step * bar as f64, grain)).collect();
    edges.dedup();
    if edges.len() < 2 {
        // One value, or as good as one.
        let only = edges.first().copied().unwrap_or(low);
        let width = Some(self::grain(only)).filter(|width| width.is_finite()).unwrap_or(1.0);
        edges = vec![only, only + width];
    }
    edges
}

/// Values in each bar, those outside in the first and last.
fn counts(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
    let inner = edges.get(1..edges.len().saturating_sub(1)).unwrap_or_default();
    let mut counts = Vec::with_capacity(edges.len());
    let mut before = 0;
    for edge in inner {
        let below = sorted.partition_point(|value| value < edge);
        counts.push((below - before) as u64);
        before = below;
    }
    counts.push((sorted.len() - before) as u64);
    counts
}

/// Bars with too few values are joined with those to their right, the last with that to its left. A bar
/// without any stays: it tells of nobody.
fn joined(edges: &[f64], counts: &[u64]) -> (Vec<f64>, Vec<u64>) {
    let least = TOGETHER_MIN as u64;
    let mut kept: Vec<f64> = edges.first().copied().into_iter().collect();
    let mut sums: Vec<u64> = Vec::new();
    let mut open = 0;
    for (count, end) in counts.iter().zip(edges.iter().skip(1)) {
        open += count;
        if open == 0 || open >= least {
            kept.push(*end);
            sums.push(open);
            open = 0;
        }
    }
    if open > 0 {
        // Empty bars before the last few values do not keep them apart from others.
        while let Some(last) = sums.pop() {
            kept.pop();
            open += last;
            if last > 0 {
                break;
            }
        }
        kept.extend(edges.last());
        sums.push(open);
    }
    (kept, sums)
}
