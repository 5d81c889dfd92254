//! Pictures of the segments: how large they are, how they differ, and how their number was found.

use ndarray::Array2;

use super::evaluate::Judged;
use super::tables::{ProfileRow, Profiles};
use crate::format;
use crate::metrics::evaluation::{Chart, Slice};

/// Of fewer rows no mean is shown, nor a name that is drawn from one: it would tell of single ones.
const MEAN_ROWS_MIN: usize = 10;

/// Everything there is to see; `baseline` is the silhouette of the baseline.
pub fn of(judged: &Judged<'_>, profiles: &Profiles, baseline: Option<f64>) -> Vec<Chart> {
    let mut charts = of_trials(judged, baseline);
    charts.push(sizes(profiles));
    charts.push(heat_map(judged, profiles));
    charts
}

/// Size and share of each segment.
pub fn slices(profiles: &Profiles) -> Vec<Slice> {
    let of_segment = |row: &ProfileRow| {
        let name = format!("segment {}", row.segment);
        [Slice::new(&name, "rows", row.size as f64), Slice::new(&name, "share", row.share)]
    };
    profiles.rows.iter().flat_map(of_segment).collect()
}

/// Silhouette, over that of the baseline, and inertia of each number of clusters that was tried.
fn of_trials(judged: &Judged<'_>, baseline: Option<f64>) -> Vec<Chart> {
    let points = |of: fn(&super::fit::Trial) -> Option<f64>| -> Vec<(f64, f64)> {
        judged.trials.iter().filter_map(|trial| Some((trial.clusters as f64, of(trial)?))).collect()
    };
    let line = |y: &str, points: Vec<(f64, f64)>, level: Option<f64>| {
        let ends = points.first().zip(points.last()).map(|(first, last)| [first.0, last.0])?;
        Some(Chart::Line {
            title: format!("{y} by number of clusters"),
            x: "clusters".to_owned(),
            y: y.to_lowercase(),
            points,
            reference: level.map(|level| ends.map(|end| (end, level)).to_vec()).unwrap_or_default(),
        })
    };
    let silhouette = line("Silhouette", points(|trial| trial.silhouette), baseline);
    silhouette.into_iter().chain(line("Inertia", points(|trial| Some(trial.inertia)), None)).collect()
}

/// The name of a segment, where it may be shown.
pub fn name(row: &ProfileRow) -> Option<&str> {
    (row.size.min(row.fitted) >= MEAN_ROWS_MIN).then_some(row.name.as_str())
}

/// `1: recent, frequent, high spend`
fn label(row: &ProfileRow) -> String {
    match name(row) {
        Some(name) => format!("{}: {name}", row.segment),
        None => format!("segment {}", row.segment),
    }
}

fn sizes(profiles: &Profiles) -> Chart {
    let bar = |row: &ProfileRow| (label(row), row.size as f64);
    Chart::Bars {
        title: "Sizes of the segments".to_owned(),
        unit: "rows".to_owned(),
        bars: profiles.rows.iter().map(bar).collect(),
    }
}

/// What is read are means in the units of the input; what is shaded is how many deviations a segment's
/// mean of the prepared column lies from that of all rows.
fn heat_map(judged: &Judged<'_>, profiles: &Profiles) -> Chart {
    let shades = standardized(judged.scaled, &judged.found.labels.to_vec(), profiles.rows.len());
    let shown = |row: &ProfileRow| row.size >= MEAN_ROWS_MIN;
    let texts = |row: &ProfileRow| -> Vec<String> {
        let text = |(mean, known): (&Option<f64>, &usize)| match mean {
            _ if !shown(row) => "few rows".to_owned(),
            Some(_) if *known < MEAN_ROWS_MIN => "few known".to_owned(),
            Some(mean) => format::number(*mean),
            None => "unknown".to_owned(),
        };
        row.means.iter().zip(&row.known).map(text).collect()
    };
    let values = |(row, shades): (&ProfileRow, Vec<f64>)| -> Vec<f64> {
        if shown(row) { shades } else { vec![0.0; shades.len()] }
    };
    let name = |row: &ProfileRow| {
        format!("{} ({} rows, {})", label(row), format::thousands(row.size as u64), format::percent(row.share))
    };
    Chart::Grid {
        title: "Means of the segments, shaded by how far they lie from those of all".to_owned(),
        rows_title: "segment".to_owned(),
        columns_title: "mean of".to_owned(),
        rows: profiles.rows.iter().map(name).collect(),
        columns: judged.stage.columns.clone(),
        values: profiles.rows.iter().zip(shades).map(values).collect(),
        texts: profiles.rows.iter().map(texts).collect(),
        center: Some(0.0),
    }
}

/// Means of each cluster's rows, in deviations from the mean of all; 0 in a constant column and of a
/// cluster without rows.
fn standardized(x: &Array2<f64>, labels: &[usize], clusters: usize) -> Vec<Vec<f64>> {
    let mut found = vec![vec![0.0; x.ncols()]; clusters];
    for (place, column) in x.columns().into_iter().enumerate() {
        let rows = column.len().max(1) as f64;
        let mean = column.sum() / rows;
        let deviation = (column.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt();
        let mut sums = vec![(0.0, 0.0); clusters];
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

#[cfg(test)]
mod tests {
    use super::standardized;
    use ndarray::array;

    /// By hand: mean 3 and deviation √(10/4) in the first column; the second is constant.
    #[test]
    fn means_in_deviations() {
        let x = array![[1.0, 7.0], [2.0, 7.0], [4.0, 7.0], [5.0, 7.0]];
        let found = standardized(&x, &[0, 0, 1, 1], 3);
        let half = 1.5 / 2.5_f64.sqrt();
        assert!((found[0][0] + half).abs() < 1e-12 && (found[1][0] - half).abs() < 1e-12);
        assert_eq!((found[0][1], found[2].clone()), (0.0, vec![0.0, 0.0]));
    }
}
