//! What the segments look like: how large they are, how they differ, what they are called.

use ndarray::ArrayView2;
use polars::prelude::DataFrame;

use super::identity::Numbers;
use super::migration::{self, Levels, Moves};
use super::profiles::{OfColumn, ProfileRow, Profiles};
use crate::format;
use crate::metrics::evaluation::{Chart, Slice};
use crate::stages::contract::{Before, Failure};
use crate::stages::model::Mode;

/// Of fewer rows no mean is shown, nor a name that is drawn from one: it would tell of single ones.
const MEAN_ROWS_MIN: usize = 10;
/// Segments that the sentence names.
const NAMED_MAX: usize = 5;
/// Of a model that is only applied.
pub const APPLIED: &str = "those of the model that is applied";
/// The number of those who are of no segment.
pub const NOISE: i64 = -1;

/// Size and share of each segment.
pub fn slices(profiles: &Profiles) -> Vec<Slice> {
    let of_segment = |row: &ProfileRow| {
        let name = format!("segment {}", row.group.segment);
        [Slice::new(&name, "rows", row.size as f64), Slice::new(&name, "share", row.share)]
    };
    profiles.rows.iter().flat_map(of_segment).collect()
}

/// The name of a segment, where it may be shown.
fn name(row: &ProfileRow) -> Option<&str> {
    let is_large = row.size.min(row.group.fitted) >= MEAN_ROWS_MIN;
    (is_large || row.group.segment == NOISE).then_some(row.group.name.as_str())
}

/// `1: recent, frequent, high spend`
fn label(row: &ProfileRow) -> String {
    match name(row) {
        Some(name) if row.group.segment == NOISE => name.to_owned(),
        Some(name) => format!("{}: {name}", row.group.segment),
        None => format!("segment {}", row.group.segment),
    }
}

/// What a segment is called, by number.
fn label_of(profiles: &Profiles, segment: &str) -> String {
    let row = profiles.rows.iter().find(|row| row.group.segment.to_string() == segment);
    row.map_or_else(|| format!("segment {segment}"), label)
}

/// Who moved since an earlier night. Only where the numbers are those of such a night do they say it.
pub fn moves(
    before: Option<Before>,
    numbers: Option<&Numbers>,
    mode: Mode,
    segments: &DataFrame,
    entity: &str,
    profiles: &Profiles,
) -> Result<Option<Moves>, Failure> {
    let before = before.filter(|_| numbers.is_some() || mode == Mode::Apply);
    let is_unknown = numbers.is_some() && before.is_none();
    let name = |segment: &str| label_of(profiles, segment);
    let place = |segment: &str| segment.parse().unwrap_or(i64::MAX);
    let levels = Levels { entity, column: "segment", place: &place, name: &name };
    Ok(migration::moves(before.as_ref(), segments, levels)?.or_else(|| is_unknown.then(migration::unknown)))
}

/// Noise only where there is some.
fn is_shown(row: &ProfileRow) -> bool {
    row.group.segment != NOISE || row.size > 0
}

pub fn sizes(profiles: &Profiles) -> Chart {
    let bar = |row: &ProfileRow| (label(row), row.size as f64);
    Chart::Bars {
        title: "Sizes of the segments".to_owned(),
        unit: "rows".to_owned(),
        bars: profiles.rows.iter().filter(|row| is_shown(row)).map(bar).collect(),
    }
}

/// What is read are means in the units of the input; what is shaded is how many deviations a segment's
/// mean of the prepared column lies from that of all rows. `labels` are places among the profiles.
pub fn heat_map(x: ArrayView2<'_, f64>, labels: &[usize], profiles: &Profiles, columns: &[String]) -> Chart {
    let shades = standardized(x, labels, profiles.rows.len(), columns.len());
    let shown = |row: &ProfileRow| row.size >= MEAN_ROWS_MIN;
    let texts = |row: &ProfileRow| -> Vec<String> {
        let text = |of: &OfColumn| match of.mean {
            _ if !shown(row) => "few rows".to_owned(),
            Some(_) if of.known < MEAN_ROWS_MIN => "few known".to_owned(),
            Some(mean) => format::number(mean),
            None => "unknown".to_owned(),
        };
        row.columns.iter().map(text).collect()
    };
    let values = |(row, shades): (&ProfileRow, Vec<f64>)| -> Vec<f64> {
        let told = |(shade, of): (f64, &OfColumn)| if shown(row) && of.known >= MEAN_ROWS_MIN { shade } else { 0.0 };
        shades.into_iter().zip(&row.columns).map(told).collect()
    };
    let name = |row: &ProfileRow| {
        format!("{} ({} rows, {})", label(row), format::thousands(row.size as u64), format::percent(row.share))
    };
    Chart::Grid {
        title: "Means of the segments, shaded by how far they lie from those of all".to_owned(),
        rows_title: "segment".to_owned(),
        columns_title: "mean of".to_owned(),
        rows: profiles.rows.iter().filter(|row| is_shown(row)).map(name).collect(),
        columns: columns.to_vec(),
        values: profiles.rows.iter().zip(shades).filter(|(row, _)| is_shown(row)).map(values).collect(),
        texts: profiles.rows.iter().filter(|row| is_shown(row)).map(texts).collect(),
        center: Some(0.0),
    }
}

/// Means of each part's rows in the first columns, in deviations from the mean of all; 0 in a constant column and of a
/// part without rows.
fn standardized(x: ArrayView2<'_, f64>, labels: &[usize], parts: usize, columns: usize) -> Vec<Vec<f64>> {
    let mut found = vec![vec![0.0; columns]; parts];
    for (place, column) in x.columns().into_iter().enumerate().take(columns) {
        let rows = column.len().max(1) as f64;
        let mean = column.sum() / rows;
        let deviation = (column.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
        let mut sums = vec![(0.0, 0.0); parts];
        for (value, label) in column.iter().zip(labels) {
            if let Some((sum, count)) = sums.get_mut(*label) {
                *sum += value - mean;
                *count += 1.0;
            }
        }
        for (row, (sum, count)) in found.iter_mut().zip(sums) {
            if let Some(cell) = row.get_mut(place).filter(|_| count > 0.0 && deviation > 0.0) {
                *cell = sum / count / deviation;
            }
        }
    }
    found
}

/// The largest segments by name, in a sentence; nothing where no name may be shown.
pub fn finds(profiles: &Profiles) -> String {
    let mut rows: Vec<&ProfileRow> = profiles.rows.iter().filter(|row| row.group.segment != NOISE).collect();
    // Stable: of equally large ones the first comes first.
    rows.sort_by_key(|row| std::cmp::Reverse(row.size));
    let named = rows.iter().filter_map(|row| Some(format!("“{}” ({})", name(row)?, format::percent(row.share))));
    let named: Vec<String> = named.take(NAMED_MAX).collect();
    let which = if named.len() < rows.len() { "Its largest segments" } else { "Its segments" };
    match named.split_last() {
        None => String::new(),
        Some((only, [])) => format!("Its largest segment is {only}."),
        Some((last, others)) => format!("{which} are {} and {last}.", others.join(", ")),
    }
}

/// Which segments are those of an earlier night.
pub fn told(numbers: &Numbers) -> String {
    let list = |numbers: &[i64]| numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let kept = numbers.numbers.len() - numbers.new.len();
    let mut said = vec![format!("{kept} kept from the model before")];
    if !numbers.new.is_empty() {
        said.push(format!("new: {}", list(&numbers.new)));
    }
    if !numbers.gone.is_empty() {
        said.push(format!("gone: {}", list(&numbers.gone)));
    }
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// By hand: mean 3 and deviation √(10/4) in the first column; the second is constant.
    #[test]
    fn means_in_deviations() {
        let x = array![[1.0, 7.0], [2.0, 7.0], [4.0, 7.0], [5.0, 7.0]];
        let found = standardized(x.view(), &[0, 0, 1, 1], 3, 2);
        let half = 1.5 / 2.5_f64.sqrt();
        assert!((found[0][0] + half).abs() < 1e-12 && (found[1][0] - half).abs() < 1e-12);
        assert_eq!((found[0][1], found[2].clone()), (0.0, vec![0.0, 0.0]));
    }

    #[test]
    fn births_and_deaths_are_said() {
        let numbers = Numbers { numbers: vec![1, 3, 5], new: vec![5], gone: vec![2, 4], next: 6 };
        assert_eq!(told(&numbers), "2 kept from the model before; new: 5; gone: 2, 4");
    }
}
