//! How good a division of rows is, beside others of as many parts: cells by RFM score, and a random one.

use std::collections::BTreeSet;

use ndarray::ArrayView2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::identity::Numbers;
use super::input::Rows;
use super::pictures::{APPLIED, told};
use super::preparation::{Impute, Preparation, tell};
use crate::algorithms::rfm::{Best, scores};
use crate::format;
use crate::metrics::MetricError;
use crate::metrics::clustering::{
    Silhouette, adjusted_rand, calinski_harabasz, davies_bouldin, inertia, normalized_mutual_information, silhouette,
};
use crate::metrics::evaluation::{Better, Chart, Estimate, Fact, Measure, SEGMENTS_FACT};
use crate::metrics::intervals::{RESAMPLES, mean, mean_difference};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::model::Mode;

/// The silhouette of more rows is measured on a sample of so many: its time grows with the square.
pub const SILHOUETTE_ROWS_MAX: usize = 10_000;

/// Columns that the baseline scores, as RFM does.
const SCORED_COLUMNS: usize = 3;
/// Scores of each of them.
const BINS: u32 = 5;

/// The silhouette of the rows, or of the same sample of them every time.
pub fn silhouette_of(x: ArrayView2<'_, f64>, labels: &[usize], context: &StageContext) -> Result<Silhouette, Failure> {
    silhouette(x, labels, SILHOUETTE_ROWS_MAX, &mut rng(context)).map_err(bug)
}

/// Apart from the numbers that fitting draws.
pub fn rng(context: &StageContext) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(context.seed.wrapping_add(1))
}

pub fn bug(error: MetricError) -> Failure {
    Failure::bug(error.to_string())
}

/// The measures of one way to divide the rows.
pub struct Measured {
    pub silhouette: Silhouette,
    davies_bouldin: Option<f64>,
    calinski_harabasz: Option<f64>,
    inertia: f64,
    /// Adjusted Rand and normalized mutual information with what is known.
    truth: Option<[f64; 2]>,
}

/// What is known of where rows belong.
pub type Truth<'a> = Option<&'a [Option<usize>]>;

/// Measures a division; inertia is that about the means of its parts.
pub fn measured(
    x: ArrayView2<'_, f64>,
    labels: &[usize],
    truth: Truth<'_>,
    context: &StageContext,
) -> Result<Measured, Failure> {
    context.cancel.check()?;
    Ok(Measured {
        silhouette: silhouette_of(x, labels, context)?,
        davies_bouldin: davies_bouldin(x, labels).map_err(bug)?,
        calinski_harabasz: calinski_harabasz(x, labels).map_err(bug)?,
        inertia: inertia(x, labels).map_err(bug)?,
        truth: truth.map(|truth| agreement(labels, truth)).transpose()?.flatten(),
    })
}

/// Of the rows of which the truth is known.
fn agreement(labels: &[usize], truth: &[Option<usize>]) -> Result<Option<[f64; 2]>, Failure> {
    let known = labels.iter().zip(truth).filter_map(|(label, truth)| Some((*label, (*truth)?)));
    let (labels, truth): (Vec<usize>, Vec<usize>) = known.unzip();
    if labels.is_empty() {
        return Ok(None);
    }
    let rand = adjusted_rand(&labels, &truth).map_err(bug)?;
    Ok(Some([rand, normalized_mutual_information(&labels, &truth).map_err(bug)?]))
}

/// Those measures that exist for the model.
pub fn measures(model: &Measured, baseline: &Measured, context: &StageContext) -> Vec<Measure> {
    let of_rows = |found: &Silhouette| {
        let interval = mean(&found.values, RESAMPLES, &mut rng(context)).map(Estimate::from);
        found.mean.map(|value| interval.unwrap_or_else(|| Estimate::point(value)))
    };
    let difference =
        mean_difference(&model.silhouette.values, &baseline.silhouette.values, RESAMPLES, &mut rng(context));
    let point = |value: Option<f64>| value.map(Estimate::point);
    let measure = |name: &str, better: Better, model: Option<Estimate>, baseline: Option<Estimate>| {
        let difference = model.zip(baseline).map(|(model, baseline)| Estimate::point(model.value - baseline.value));
        model.map(|model| Measure { name: name.to_owned(), better, model, baseline, difference })
    };
    let silhouette = measure("silhouette", Better::Higher, of_rows(&model.silhouette), of_rows(&baseline.silhouette));
    let silhouette = silhouette.map(|measure| Measure { difference: difference.map(Estimate::from), ..measure });
    let truth = |place: usize, of: &Measured| point(of.truth.and_then(|both| both.get(place).copied()));
    let rest = [
        measure("davies_bouldin", Better::Lower, point(model.davies_bouldin), point(baseline.davies_bouldin)),
        measure("calinski_harabasz", Better::Higher, point(model.calinski_harabasz), point(baseline.calinski_harabasz)),
        measure("inertia", Better::Lower, point(Some(model.inertia)), point(Some(baseline.inertia))),
        measure("adjusted_rand", Better::Higher, truth(0, model), truth(0, baseline)),
        measure("normalized_mutual_information", Better::Higher, truth(1, model), truth(1, baseline)),
    ];
    silhouette.into_iter().chain(rest.into_iter().flatten()).collect()
}

/// A table of divisions side by side.
pub fn table(divisions: &[(&str, &Measured)]) -> Chart {
    let text = |value: Option<f64>| value.map_or_else(|| "—".to_owned(), |value| format!("{value:.3}"));
    let row = |(name, of): &(&str, &Measured)| {
        let inertia = format::number(of.inertia);
        vec![(*name).to_owned(), text(of.silhouette.mean), text(of.calinski_harabasz), text(of.davies_bouldin), inertia]
    };
    Chart::Table {
        title: "Beside other divisions into as many parts".to_owned(),
        columns: ["division", "silhouette", "Caliński-Harabasz", "Davies-Bouldin", "inertia"].map(str::to_owned).into(),
        rows: divisions.iter().map(row).collect(),
    }
}

/// Rows by RFM score: each of the first three columns scored from 1 to 5 by its quantiles, of recency less being
/// better, and the sums of the scores cut into so many parts of equal size, equal sums staying together.
pub fn rfm_cells(x: ArrayView2<'_, f64>, preparation: &Preparation, parts: usize) -> Result<Vec<usize>, Failure> {
    let bug = |error: crate::algorithms::rfm::NoBins| Failure::bug(error.to_string());
    let mut totals = vec![0.0; x.nrows()];
    for (name, column) in scored(preparation).zip(x.columns()) {
        let best = if name.to_lowercase().starts_with("recency") { Best::Lowest } else { Best::Highest };
        let found = scores(&column.to_vec(), BINS.max(parts as u32), best).map_err(bug)?;
        totals.iter_mut().zip(found).for_each(|(total, score)| *total += score.map_or(0.0, f64::from));
    }
    let cells = scores(&totals, parts as u32, Best::Highest).map_err(bug)?;
    Ok(cells.into_iter().map(|cell| cell.unwrap_or_default() as usize).collect())
}

/// How the silhouette was come by.
pub fn how(silhouette: &Silhouette) -> String {
    match silhouette.sampled {
        true => format!("on a sample of {} rows", format::thousands(SILHOUETTE_ROWS_MAX as u64)),
        false => "exact".to_owned(),
    }
}

/// What the model of this version is judged by.
pub fn labels(mode: Mode, version: &str) -> String {
    match mode {
        Mode::Apply => format!("none: internal measures, on rows that the model {version} was not fitted on"),
        _ => "none: internal measures, on the rows that the clusters were fitted on".to_owned(),
    }
}

/// Which columns had values filled, and with what.
pub fn imputed(impute: Option<Impute>, columns: &[String], rows: &Rows) -> String {
    let missing = tell(columns, &rows.numbers, |value| !value.is_finite());
    match impute {
        Some(impute) if !missing.is_empty() => format!("{} for {missing}", impute.name()),
        _ => "nothing was missing".to_owned(),
    }
}

/// What the baseline is: `cells` are those of [`rfm_cells`].
pub fn baseline(cells: &[usize], preparation: &Preparation) -> String {
    let scored: Vec<&str> = scored(preparation).collect();
    format!("{} cells by the sum of the quantile scores of {}", parts(cells), scored.join(", "))
}

/// Whose numbers the segments have, where they have those of an earlier night.
pub fn continued(numbers: Option<&Numbers>, mode: Mode) -> Option<Fact> {
    let applied = (mode == Mode::Apply).then(|| APPLIED.to_owned());
    numbers.map(told).or(applied).map(|text| Fact::new(SEGMENTS_FACT, text))
}

/// The names of the columns that the baseline scores.
fn scored(preparation: &Preparation) -> impl Iterator<Item = &str> {
    preparation.columns.iter().take(SCORED_COLUMNS).map(String::as_str)
}

/// How many different parts there are.
pub fn parts(labels: &[usize]) -> usize {
    labels.iter().collect::<BTreeSet<_>>().len()
}

/// Parts of the same sizes, drawn at random.
pub fn shuffled(labels: &[usize], context: &StageContext) -> Vec<usize> {
    let mut labels = labels.to_vec();
    labels.shuffle(&mut rng(context));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::segmentation::preparation::Transform;
    use ndarray::array;

    fn preparation(columns: &[&str]) -> Preparation {
        Preparation {
            columns: columns.iter().map(|&name| name.to_owned()).collect(),
            missing: None,
            transform: Transform::default(),
            scaler: None,
            categories: vec![],
        }
    }

    /// By hand: recency scores 5 to 1, orders 1 to 5 and 5: sums 6, 6, 6, 6, 6 but for the last, who is best in both.
    #[test]
    fn cells_are_those_of_the_sums_of_scores() {
        let x = array![[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0], [0.0, 9.0]];
        let cells = rfm_cells(x.view(), &preparation(&["recency_days", "orders"]), 2).unwrap();
        assert_eq!((cells[4], parts(&cells)), (2, 2));
        assert!(cells[..4].iter().all(|cell| *cell == 1), "{cells:?}");
        let cells = rfm_cells(x.view(), &preparation(&["a", "orders"]), 5).unwrap();
        assert!(cells[0] < cells[3], "more of both is better");
    }
}
