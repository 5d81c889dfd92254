//! How the number of clusters was found.

use super::fit::Trial;
use crate::metrics::evaluation::Chart;

/// Each measure by number of clusters, where several were tried; silhouettes over that of the baseline.
pub fn of_trials(trials: &[Trial], baseline: Option<f64>) -> Vec<Chart> {
    let points = |of: &dyn Fn(&Trial) -> Option<f64>| -> Vec<(f64, f64)> {
        trials.iter().filter_map(|trial| Some((trial.clusters as f64, of(trial)?))).collect()
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
    let lines = [
        line("Silhouette", points(&|trial| trial.silhouette), baseline),
        line("Caliński-Harabasz index", points(&|trial| trial.calinski_harabasz), None),
        line("Davies-Bouldin index", points(&|trial| trial.davies_bouldin), None),
        line("Inertia", points(&|trial| Some(trial.inertia)), None),
    ];
    lines.into_iter().flatten().collect()
}
