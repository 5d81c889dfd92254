//! The population stability index: how far a distribution has moved from an earlier one.

use super::{ColumnProfile, LEVELS_MAX, Shape, TOGETHER_MIN};

/// From here on a column has moved (Siddiqi 2006, Credit Risk Scorecards).
pub const MODERATE: f64 = 0.10;
/// From here on it is another one (Siddiqi 2006).
pub const STRONG: f64 = 0.25;

/// Bins that the earlier numbers are cut into.
const BINS: usize = 10;

/// How far a column has moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Psi {
    /// Σ (aᵢ − eᵢ) ln(aᵢ / eᵢ) over the bins, e being the shares of the earlier distribution and a those of
    /// the later one.
    pub index: f64,
    /// What it stays below in 19 of 20 cases when nothing has moved.
    pub chance: f64,
}

impl Psi {
    /// Whether it is more than chance alone makes of as few rows.
    pub fn is_strong(&self) -> bool {
        self.index > STRONG && self.index > self.chance
    }
}

/// The index of `now` against `earlier`; `None` where they cannot be compared: one is not described, or
/// one is of numbers and the other of levels.
///
/// Numbers are cut at the deciles of the earlier ones; a value that more than a tenth of them have is a
/// bin of its own. How many of the later ones lie in each bin follows from their quantiles, linearly
/// between two of them. Levels are bins as they are, and all that neither names are one bin. Of a level that
/// only one of both names, the other is taken to have the same share among its unnamed ones, as far as a level
/// can go unnamed there. What is missing is a bin too. With n rows in B bins, a bin of
/// r rows has the share (r + ½) / (n + ½B), so that an empty bin does not make the index infinite.
///
/// When nothing has moved, the index divided by 1/n + 1/m is distributed as χ² with B − 1 degrees
/// of freedom (Yurdakul 2018, Statistical Properties of Population Stability Index); `chance` is its 95th
/// percentile.
pub fn psi(earlier: &ColumnProfile, now: &ColumnProfile) -> Option<Psi> {
    let mut bins = match (&earlier.shape, &now.shape) {
        (Shape::Number { quantiles: before, .. }, Shape::Number { quantiles: after, .. }) => {
            let cuts = cuts(before);
            let rows = |quantiles: &[f64], known: u64| -> Vec<f64> {
                let below = cuts.iter().map(|cut| cut.share_below(quantiles));
                steps(below).map(|share| share * known as f64).collect()
            };
            let pairs = rows(before, earlier.known()).into_iter().zip(rows(after, now.known()));
            if cuts.is_empty() { return None } else { pairs.collect::<Vec<_>>() }
        }
        (Shape::Category { levels: before, other }, Shape::Category { levels: after, other: other_now }) => {
            of_levels(&Levels::of(before, *other, earlier.known()), &Levels::of(after, *other_now, now.known()))
        }
        _ => return None,
    };
    bins.push((earlier.nulls as f64, now.nulls as f64));
    // A bin that nobody was or is in says nothing.
    bins.retain(|(before, after)| *before > 0.0 || *after > 0.0);
    Some(of_bins(&bins, earlier.rows as f64, now.rows as f64))
}

/// The levels of a profile.
struct Levels<'a> {
    named: &'a [(String, u64)],
    other: f64,
    known: f64,
    /// The most rows that a level can have and not be named.
    unnamed_max: f64,
}

impl<'a> Levels<'a> {
    fn of(named: &'a [(String, u64)], other: u64, known: u64) -> Levels<'a> {
        let least =
            named.last().filter(|_| named.len() >= LEVELS_MAX).map_or(TOGETHER_MIN as u64 - 1, |(_, count)| *count);
        Levels { named, other: other as f64, known: known as f64, unnamed_max: least as f64 }
    }

    fn rows(&self, name: &str) -> Option<f64> {
        self.named.iter().find(|(level, _)| level == name).map(|(_, count)| *count as f64)
    }

    /// What to take for the rows of levels that only `named` names: their shares there, as far as a level can go
    /// unnamed here, and all together no more than the others have.
    fn unnamed(&self, named: &Levels<'_>) -> Vec<(String, f64)> {
        let missing = named.named.iter().filter(|(level, _)| self.rows(level).is_none());
        let wanted: Vec<(String, f64)> = missing
            .map(|(level, rows)| (level.clone(), (*rows as f64 / named.known * self.known).min(self.unnamed_max)))
            .collect();
        let all: f64 = wanted.iter().map(|(_, rows)| rows).sum();
        let part = if all > self.other { self.other / all } else { 1.0 };
        wanted.into_iter().map(|(level, rows)| (level, rows * part)).collect()
    }
}

fn of_levels(before: &Levels<'_>, after: &Levels<'_>) -> Vec<(f64, f64)> {
    let both = before.named.iter().filter_map(|(level, was)| Some((*was as f64, after.rows(level)?)));
    let mut bins: Vec<(f64, f64)> = both.collect();
    let (mut other_before, mut other_after) = (before.other, after.other);
    for (level, rows) in after.unnamed(before) {
        other_after -= rows;
        bins.push((before.rows(&level).unwrap_or(0.0), rows));
    }
    for (level, rows) in before.unnamed(after) {
        other_before -= rows;
        bins.push((rows, after.rows(&level).unwrap_or(0.0)));
    }
    bins.push((other_before.max(0.0), other_after.max(0.0)));
    bins
}

/// Of rows before and after, bin by bin.
fn of_bins(bins: &[(f64, f64)], before: f64, after: f64) -> Psi {
    let count = bins.len() as f64;
    let share = |rows: f64, all: f64| (rows + 0.5) / (all + 0.5 * count);
    let of_bin = |(b, a): &(f64, f64)| {
        let (expected, actual) = (share(*b, before), share(*a, after));
        (actual - expected) * (actual / expected).ln()
    };
    let index = bins.iter().map(of_bin).sum();
    Psi { index, chance: chi_square_95(count - 1.0) * (1.0 / before + 1.0 / after) }
}

/// The 95th percentile of χ², by Wilson and Hilferty (1931); 0 without a degree of freedom.
fn chi_square_95(degrees: f64) -> f64 {
    const NORMAL_95: f64 = 1.644_853_626_951_472_2;
    if degrees < 1.0 {
        return 0.0;
    }
    let width = 2.0 / (9.0 * degrees);
    degrees * (1.0 - width + NORMAL_95 * width.sqrt()).powi(3)
}

/// Where one bin ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    Before(f64),
    After(f64),
}

/// At the deciles; before and after a value that several deciles have.
fn cuts(quantiles: &[f64]) -> Vec<Cut> {
    let steps = quantiles.len() + 1;
    let bins = steps.min(BINS);
    let decile = |bin: usize| quantiles.get((bin * steps / bins).checked_sub(1)?).copied();
    let deciles: Vec<f64> = (1..bins).filter_map(decile).collect();
    let of = |same: &[f64]| match same {
        [once] => vec![Cut::Before(*once)],
        [first, ..] => vec![Cut::Before(*first), Cut::After(*first)],
        [] => vec![],
    };
    deciles.chunk_by(|a, b| a == b).flat_map(of).collect()
}

impl Cut {
    /// The share of values on the lower side, by evenly spaced quantiles.
    fn share_below(self, quantiles: &[f64]) -> f64 {
        if quantiles.is_empty() {
            return 0.5;
        }
        let steps = (quantiles.len() + 1) as f64;
        let (Cut::Before(value) | Cut::After(value)) = self;
        let below = quantiles.partition_point(|quantile| *quantile < value);
        let through = quantiles.partition_point(|quantile| *quantile <= value);
        let last = quantiles.len();
        let at = |place: usize| quantiles.get(place).copied().unwrap_or(value);
        let places = match through - below {
            // Beyond the first and the last it goes on as between them and their neighbors.
            0 if below == 0 => 1.0 - beyond(at(0) - value, at(1.min(last - 1)) - at(0)),
            0 if below == last => last as f64 + beyond(value - at(last - 1), at(last - 1) - at(last.max(2) - 2)),
            0 => below as f64 + (value - at(below - 1)) / (at(below) - at(below - 1)),
            1 => through as f64,
            // Many have this very value; where it begins and ends lies between two quantiles.
            _ => match self {
                Cut::Before(_) if below == 0 => 0.0,
                Cut::After(_) if through == last => steps,
                Cut::Before(_) => below as f64 + 0.5,
                Cut::After(_) => through as f64 + 0.5,
            },
        };
        places / steps
    }
}

/// The part of a step that so great a distance covers, if a whole step covers `step`.
fn beyond(distance: f64, step: f64) -> f64 {
    if step > 0.0 { (distance / step).min(1.0) } else { 1.0 }
}

/// The differences of ascending shares, from 0 to 1.
fn steps(below: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
    below.chain([1.0]).scan(0.0, |before, share| {
        let step = (share - *before).max(0.0);
        *before = share.max(*before);
        Some(step)
    })
}
