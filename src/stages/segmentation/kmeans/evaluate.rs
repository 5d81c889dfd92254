//! How good the segments are.

use ndarray::{Array2, ArrayView2, Axis};
use rand::Rng;
use rand::seq::index;

use super::fit::Trial;
use super::fitted::Fitted;
use super::options::Clusters;
use super::{KMeans, charts};
use crate::algorithms::kmeans::{self, Assignment, Params};
use crate::format;
use crate::metrics::clustering::adjusted_rand;
use crate::metrics::evaluation::{Better, Estimate, Evaluation, Fact, Measure};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::model::Mode;
use crate::stages::segmentation::identity::Numbers;
use crate::stages::segmentation::input::Rows;
use crate::stages::segmentation::judge::{self, Measured, SILHOUETTE_ROWS_MAX, bug, measured, rng};
use crate::stages::segmentation::migration::Moves;
use crate::stages::segmentation::pictures;
use crate::stages::segmentation::profiles::Profiles;
use crate::stages::watch;

/// Samples that stability is measured on, and starts of each.
const BOOTSTRAP_SAMPLES: usize = 10;
const BOOTSTRAP_RESTARTS: usize = 3;

/// What is judged.
pub struct Judged<'a> {
    pub stage: &'a KMeans,
    pub fitted: &'a Fitted,
    pub rows: &'a Rows,
    /// Prepared.
    pub scaled: &'a Array2<f64>,
    pub found: &'a Assignment,
    pub trials: &'a [Trial],
    /// Whose numbers the segments have; none where a model is only applied.
    pub numbers: Option<&'a Numbers>,
    /// Rows that the model was fitted on.
    pub fitted_on: usize,
}

impl Judged<'_> {
    /// The evaluation of the model of this version.
    pub fn evaluation(
        &self,
        version: &str,
        profiles: &Profiles,
        moves: Option<Moves>,
        context: &StageContext,
    ) -> Result<Evaluation, Failure> {
        let (x, truth) = (self.scaled.view(), self.rows.truth.as_deref());
        let clusters = self.fitted.clusters.len();
        let labels = self.found.labels.to_vec();
        let model = measured(x, &labels, truth, context)?;
        let cells = judge::rfm_cells(x, &self.fitted.preparation, clusters)?;
        let baseline = measured(x, &cells, truth, context)?;
        let random = measured(x, &judge::shuffled(&labels, context), truth, context)?;
        let stability = self.stability(&labels, context)?;
        let mut facts = self.facts(version, &model, context);
        facts.push(Fact::new("baseline", judge::baseline(&cells, &self.fitted.preparation)));
        facts.push(Fact::new("stability", stable(stability)));
        facts.extend(moves.as_ref().map(|moves| moves.fact.clone()));
        let mut measures = judge::measures(&model, &baseline, context);
        measures.extend(stability.map(|mean| Measure {
            name: "bootstrap_adjusted_rand".to_owned(),
            better: Better::Higher,
            model: Estimate::point(mean),
            baseline: None,
            difference: None,
        }));
        let mut charts = charts::of_trials(self.trials, baseline.silhouette.mean);
        charts.push(pictures::sizes(profiles));
        charts.push(pictures::heat_map(self.scaled.view(), &labels, profiles, &self.stage.columns));
        charts.extend(moves.and_then(|moves| moves.chart));
        charts.push(judge::table(&[("k-means", &model), ("RFM cells", &baseline), ("random", &random)]));
        let no_longer = self.spread().and_then(|(then, now)| watch::fits_no_longer(then, now));
        let mut evaluation = Evaluation {
            target: self.rows.entity.clone(),
            model: format!("k-means with {clusters} clusters"),
            baseline: "RFM cells".to_owned(),
            headline: "silhouette".to_owned(),
            measures,
            facts,
            charts,
            slices: pictures::slices(profiles),
            finds: pictures::finds(profiles),
            warnings: watch::unfinished(self.fitted.converged).into_iter().chain(no_longer).collect(),
            ..Evaluation::default()
        };
        evaluation.watch = self.watch(&evaluation, &model, stability, profiles);
        Ok(evaluation)
    }

    /// What to be wary of.
    fn watch(
        &self,
        evaluation: &Evaluation,
        model: &Measured,
        stability: Option<f64>,
        profiles: &Profiles,
    ) -> Vec<String> {
        let shares: Vec<(i64, f64)> = profiles.rows.iter().map(|row| (row.group.segment, row.share)).collect();
        let rules = [
            watch::weak_structure(model.silhouette.mean),
            watch::small_segments(&shares),
            watch::wide_interval(evaluation),
            watch::unstable(stability),
        ];
        rules.into_iter().flatten().collect()
    }

    /// Of a model that is only applied: the mean squared distance of rows to their centroids, fitted on and now.
    fn spread(&self) -> Option<(f64, f64)> {
        let squared: f64 = self.found.distances.iter().map(|distance| distance * distance).sum();
        let weight = |rows: usize| rows.max(1) as f64;
        let is_comparable = self.stage.mode == Mode::Apply && self.rows.weights.is_none();
        is_comparable.then(|| (self.fitted.inertia / weight(self.fitted_on), squared / weight(self.scaled.nrows())))
    }

    /// The mean adjusted Rand index between these segments and those found on samples drawn with replacement; none
    /// where too few different rows are drawn.
    fn stability(&self, labels: &[usize], context: &StageContext) -> Result<Option<f64>, Failure> {
        let clusters = self.fitted.clusters.len();
        let (x, labels, weights) = self.sample(labels, context);
        let mut rng = rng(context);
        let mut found = Vec::new();
        for _ in 0..BOOTSTRAP_SAMPLES {
            context.cancel.check()?;
            let drawn: Vec<usize> = (0..x.nrows()).map(|_| rng.gen_range(0..x.nrows())).collect();
            let mut drawn_rows = x.select(Axis(0), &drawn);
            let weights: Option<Vec<f64>> =
                weights.as_ref().map(|weights| drawn.iter().filter_map(|row| weights.get(*row).copied()).collect());
            let params = Params {
                restarts: self.stage.restarts.min(BOOTSTRAP_RESTARTS),
                engine: kmeans::Engine::Native,
                ..self.stage.params(clusters)
            };
            let given = kmeans::Given { weights: weights.as_deref(), start: None };
            let Ok(fitted) = kmeans::fit_in_place(&mut drawn_rows, &params, &given, &mut rng) else { continue };
            let other = fitted.predict(x.view()).map_err(|error| Failure::bug(error.to_string()))?;
            found.push(adjusted_rand(&labels, &other.labels.to_vec()).map_err(bug)?);
        }
        Ok((!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64))
    }

    /// At most so many rows as the silhouette is measured on, with their labels and weights.
    fn sample(&self, labels: &[usize], context: &StageContext) -> (Array2<f64>, Vec<usize>, Option<Vec<f64>>) {
        let x: ArrayView2<'_, f64> = self.scaled.view();
        let weights = self.rows.weights.as_ref();
        if x.nrows() <= SILHOUETTE_ROWS_MAX {
            return (x.to_owned(), labels.to_vec(), weights.cloned());
        }
        let mut rows = index::sample(&mut rng(context), x.nrows(), SILHOUETTE_ROWS_MAX).into_vec();
        rows.sort_unstable();
        let of = |row: &usize| labels.get(*row).copied();
        let weights = weights.map(|weights| rows.iter().filter_map(|row| weights.get(*row).copied()).collect());
        (x.select(Axis(0), &rows), rows.iter().filter_map(of).collect(), weights)
    }

    fn facts(&self, version: &str, model: &Measured, context: &StageContext) -> Vec<Fact> {
        let stage = self.stage;
        let chosen = match stage.clusters {
            Clusters::Chosen(range) => format!(", chosen from {} to {} by {}", range.from, range.to, range.by.name()),
            Clusters::Fixed(_) => String::new(),
        };
        let rest = match (self.fitted.converged, self.fitted.iterations) {
            (true, _) => String::new(),
            (false, iterations) => format!(", still moving after {iterations} iterations"),
        };
        let columns: Vec<&str> = stage.columns.iter().chain(&stage.categories).map(String::as_str).collect();
        let mut facts = vec![
            Fact::new("rows", format!("{}, as of {}", format::thousands(self.scaled.nrows() as u64), context.run_date)),
            Fact::new("clusters", format!("{}{chosen}", self.fitted.clusters.len())),
            Fact::new("columns", columns.join(", ")),
            Fact::new("imputed", judge::imputed(stage.impute, &stage.columns, self.rows)),
            Fact::new("engine", format!("{}{rest}", stage.engine.name())),
            Fact::new("labels", judge::labels(stage.mode, version)),
            Fact::new(
                "silhouette",
                format!("{}; intervals by bootstrap over rows, the clusters given", judge::how(&model.silhouette)),
            ),
        ];
        facts.extend(stage.weight.as_ref().map(|name| Fact::new("weight", name.clone())));
        facts.extend(stage.truth.as_ref().map(|name| Fact::new("truth", name.clone())));
        facts.extend(judge::continued(self.numbers, stage.mode));
        facts.extend(self.spread().map(|(then, now)| {
            let text = format!("{} a row, {} when it was fitted", format::number(now), format::number(then));
            Fact::new("inertia", text)
        }));
        facts
    }
}

fn stable(mean: Option<f64>) -> String {
    match mean {
        Some(mean) => format!(
            "a mean adjusted Rand index of {mean:.3} with the segments of {BOOTSTRAP_SAMPLES} bootstrap samples"
        ),
        None => "not measured: samples of these rows hold too few different ones".to_owned(),
    }
}
