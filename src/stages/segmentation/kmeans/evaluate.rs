//! How good the segments are, beside median cells.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, ArrayView2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::fit::Trial;
use super::fitted::Fitted;
use super::options::Clusters;
use super::prepare::{median, tell};
use super::tables::{ProfileRow, Profiles};
use super::{KMeans, charts};
use crate::algorithms::kmeans::Assignment;
use crate::format;
use crate::metrics::MetricError;
use crate::metrics::clustering::{Silhouette, calinski_harabasz, davies_bouldin, silhouette};
use crate::metrics::evaluation::{Better, Estimate, Evaluation, Fact, Measure};
use crate::metrics::intervals::{RESAMPLES, mean, mean_difference};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::model::Mode;
use crate::stages::watch;

/// The silhouette of more rows is measured on a sample of so many: its time grows with the square.
pub const SILHOUETTE_ROWS_MAX: usize = 10_000;

/// Segments that the sentence names.
const NAMED_MAX: usize = 5;

/// Columns that the baseline cuts.
const BASELINE_COLUMNS_MAX: usize = 3;

/// The silhouette of the rows, or of the same sample of them every time.
pub fn silhouette_of(x: ArrayView2<'_, f64>, labels: &[usize], context: &StageContext) -> Result<Silhouette, Failure> {
    silhouette(x, labels, SILHOUETTE_ROWS_MAX, &mut rng(context)).map_err(bug)
}

/// Apart from the numbers that fitting draws.
fn rng(context: &StageContext) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(context.seed.wrapping_add(1))
}

fn bug(error: MetricError) -> Failure {
    Failure::bug(error.to_string())
}

/// What is judged.
pub struct Judged<'a> {
    pub stage: &'a KMeans,
    pub fitted: &'a Fitted,
    /// Rows × columns, missing values as NaN.
    pub raw: &'a Array2<f64>,
    /// The same, prepared.
    pub scaled: &'a Array2<f64>,
    pub found: &'a Assignment,
    pub trials: &'a [Trial],
}

/// The measures of one way to divide the rows.
struct Measured {
    silhouette: Silhouette,
    davies_bouldin: Option<f64>,
    calinski_harabasz: Option<f64>,
    inertia: f64,
}

impl Judged<'_> {
    /// The evaluation of the model of this version.
    pub fn evaluation(
        &self,
        entity: &str,
        version: &str,
        profiles: &Profiles,
        context: &StageContext,
    ) -> Result<Evaluation, Failure> {
        let x = self.scaled.view();
        let inertia = self.found.distances.iter().map(|distance| distance * distance).sum();
        let model = measured(x, &self.found.labels.to_vec(), inertia, context)?;
        let cells = median_cells(x);
        let baseline = measured(x, &cells, inertia_about_means(x, &cells), context)?;
        let cut: Vec<&str> = self.stage.columns.iter().take(BASELINE_COLUMNS_MAX).map(String::as_str).collect();
        let cells = cells.into_iter().collect::<BTreeSet<_>>().len();
        let mut facts = self.facts(version, &model, context);
        facts.push(Fact::new("baseline", format!("{cells} cells: {} cut at the median", cut.join(", "))));
        let mut evaluation = Evaluation {
            target: entity.to_owned(),
            model: format!("k-means with {} clusters", self.fitted.clusters.len()),
            baseline: "median cells".to_owned(),
            headline: "silhouette".to_owned(),
            measures: measures(&model, &baseline, context),
            facts,
            charts: charts::of(self, profiles, baseline.silhouette.mean),
            slices: charts::slices(profiles),
            finds: finds(profiles),
            watch: vec![],
        };
        evaluation.watch = self.watch(&evaluation, &model, profiles);
        Ok(evaluation)
    }

    /// What to be wary of.
    fn watch(&self, evaluation: &Evaluation, model: &Measured, profiles: &Profiles) -> Vec<String> {
        let shares: Vec<(i64, f64)> = profiles.rows.iter().map(|row| (row.segment, row.share)).collect();
        let rules = [
            watch::weak_structure(model.silhouette.mean),
            watch::small_segments(&shares),
            watch::wide_interval(evaluation),
            watch::unfinished(self.fitted.converged),
        ];
        rules.into_iter().flatten().collect()
    }

    fn facts(&self, version: &str, model: &Measured, context: &StageContext) -> Vec<Fact> {
        let rows = format::thousands(self.raw.nrows() as u64);
        let chosen = match self.stage.clusters {
            Clusters::Chosen(range) => format!(", chosen from {} to {} by silhouette", range.from, range.to),
            Clusters::Fixed(_) => String::new(),
        };
        let imputed = match tell(&self.stage.columns, self.raw, f64::is_nan) {
            none if none.is_empty() => "nothing was missing".to_owned(),
            missing => format!("the median for {missing}"),
        };
        let labels = match self.stage.mode {
            Mode::Apply => format!("none: internal measures, on rows that the model {version} was not fitted on"),
            _ => "none: internal measures, on the rows that the clusters were fitted on".to_owned(),
        };
        let how = if model.silhouette.sampled {
            format!("on a sample of {} rows", format::thousands(SILHOUETTE_ROWS_MAX as u64))
        } else {
            "exact".into()
        };
        let rest = match (self.fitted.converged, self.fitted.iterations) {
            (true, _) => String::new(),
            (false, iterations) => format!(", still moving after {iterations} iterations"),
        };
        vec![
            Fact::new("rows", format!("{rows}, the snapshot of {}", context.run_date)),
            Fact::new("clusters", format!("{}{chosen}", self.fitted.clusters.len())),
            Fact::new("columns", self.stage.columns.join(", ")),
            Fact::new("imputed", imputed),
            Fact::new("engine", format!("{}{rest}", self.stage.engine.name())),
            Fact::new("labels", labels),
            Fact::new("silhouette", format!("{how}; intervals by bootstrap over rows, the clusters given")),
        ]
    }
}

/// The largest segments by name, in a sentence; nothing where no name may be shown.
fn finds(profiles: &Profiles) -> String {
    let mut rows: Vec<&ProfileRow> = profiles.rows.iter().collect();
    // Stable: of equally large ones the first comes first.
    rows.sort_by_key(|row| std::cmp::Reverse(row.size));
    let named =
        rows.iter().filter_map(|row| Some(format!("“{}” ({})", charts::name(row)?, format::percent(row.share))));
    let named: Vec<String> = named.take(NAMED_MAX).collect();
    let which = if named.len() < rows.len() { "Its largest segments" } else { "Its segments" };
    match named.split_last() {
        None => String::new(),
        Some((only, [])) => format!("Its largest segment is {only}."),
        Some((last, others)) => format!("{which} are {} and {last}.", others.join(", ")),
    }
}

fn measured(
    x: ArrayView2<'_, f64>,
    labels: &[usize],
    inertia: f64,
    context: &StageContext,
) -> Result<Measured, Failure> {
    context.cancel.check()?;
    Ok(Measured {
        silhouette: silhouette_of(x, labels, context)?,
        davies_bouldin: davies_bouldin(x, labels).map_err(bug)?,
        calinski_harabasz: calinski_harabasz(x, labels).map_err(bug)?,
        inertia,
    })
}

/// Those measures that exist for the model.
fn measures(model: &Measured, baseline: &Measured, context: &StageContext) -> Vec<Measure> {
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
    let rest = [
        measure("davies_bouldin", Better::Lower, point(model.davies_bouldin), point(baseline.davies_bouldin)),
        measure("calinski_harabasz", Better::Higher, point(model.calinski_harabasz), point(baseline.calinski_harabasz)),
        measure("inertia", Better::Lower, point(Some(model.inertia)), point(Some(baseline.inertia))),
    ];
    silhouette.into_iter().chain(rest.into_iter().flatten()).collect()
}

/// The cell of each row: one binary digit per column, whether it lies above the median.
fn median_cells(x: ArrayView2<'_, f64>) -> Vec<usize> {
    let mut cells = vec![0; x.nrows()];
    for (bit, column) in x.columns().into_iter().take(BASELINE_COLUMNS_MAX).enumerate() {
        let middle = median(column).unwrap_or(f64::INFINITY);
        for (cell, value) in cells.iter_mut().zip(column) {
            *cell |= usize::from(*value > middle) << bit;
        }
    }
    cells
}

/// The sum of the squared distances of rows to the means of their cells.
fn inertia_about_means(x: ArrayView2<'_, f64>, cells: &[usize]) -> f64 {
    let mut sums: BTreeMap<usize, (Array1<f64>, f64)> = BTreeMap::new();
    for (row, &cell) in x.rows().into_iter().zip(cells) {
        let (sum, rows) = sums.entry(cell).or_insert_with(|| (Array1::zeros(x.ncols()), 0.0));
        *sum += &row;
        *rows += 1.0;
    }
    let means: BTreeMap<usize, Array1<f64>> = sums.into_iter().map(|(cell, (sum, rows))| (cell, sum / rows)).collect();
    let rows = x.rows().into_iter().zip(cells);
    rows.filter_map(|(row, cell)| Some((&row - means.get(cell)?).mapv(|d| d * d).sum())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// By hand: medians 2.5 and 0; cells {1, 2}, {3} and {4}; only the first has two rows, whose mean is
    /// 1.5, so each is 0.5 off: 2 · 0.25.
    #[test]
    fn median_cells_and_their_inertia() {
        let x = array![[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 9.0]];
        let cells = median_cells(x.view());
        assert_eq!(cells, [0, 0, 1, 3]);
        assert!((inertia_about_means(x.view(), &cells) - 0.5).abs() < 1e-12);
    }
}
