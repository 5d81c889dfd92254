//! How good the segments are, noise left out.

use ndarray::{Array2, Axis};

use super::curve::{Curve, ROWS_MAX};
use super::fitted::{Fitted, Placed, Point};
use super::{Auto, Dbscan, Radius};
use crate::format;
use crate::metrics::evaluation::{Evaluation, Fact};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::model::Mode;
use crate::stages::segmentation::identity::Numbers;
use crate::stages::segmentation::input::Rows;
use crate::stages::segmentation::judge::{self, measured};
use crate::stages::segmentation::migration::Moves;
use crate::stages::segmentation::pictures::{self, NOISE};
use crate::stages::segmentation::profiles::Profiles;
use crate::stages::watch;

/// What is judged.
pub struct Judged<'a> {
    pub stage: &'a Dbscan,
    pub fitted: &'a Fitted,
    pub rows: &'a Rows,
    /// Prepared.
    pub scaled: &'a Array2<f64>,
    pub placed: &'a Placed,
    /// The place of each row among the profiles.
    pub labels: &'a [usize],
    pub curve: Option<&'a Curve>,
    /// Whose numbers the segments have; none where there is no earlier night, or a model is only applied.
    pub numbers: Option<&'a Numbers>,
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
        let kept: Vec<usize> =
            self.placed.clusters.iter().enumerate().filter_map(|(row, cluster)| cluster.map(|_| row)).collect();
        let labels: Vec<usize> = kept.iter().filter_map(|row| self.labels.get(*row).copied()).collect();
        let mut facts = self.facts(version, context);
        facts.extend(moves.as_ref().map(|moves| moves.fact.clone()));
        let mut charts: Vec<_> = self.curve.map(Curve::chart).into_iter().collect();
        charts.push(pictures::sizes(profiles));
        charts.push(pictures::heat_map(self.scaled.view(), self.labels, profiles, &self.stage.columns));
        charts.extend(moves.and_then(|moves| moves.chart));
        let (mut measures, mut silhouette) = (vec![], None);
        if !kept.is_empty() {
            let part = self.scaled.select(Axis(0), &kept);
            let (x, parts) = (part.view(), judge::parts(&labels));
            let truth: Option<Vec<Option<usize>>> =
                self.rows.truth.as_ref().map(|truth| kept.iter().filter_map(|row| truth.get(*row).copied()).collect());
            let model = measured(x, &labels, truth.as_deref(), context)?;
            let cells = judge::rfm_cells(x, &self.fitted.preparation, parts)?;
            let baseline = measured(x, &cells, truth.as_deref(), context)?;
            let random = measured(x, &judge::shuffled(&labels, context), truth.as_deref(), context)?;
            measures = judge::measures(&model, &baseline, context);
            // They favor what is round, and these need not be: which is better they do not decide.
            measures.iter_mut().for_each(|measure| measure.difference = None);
            silhouette = model.silhouette.mean;
            charts.push(judge::table(&[("DBSCAN", &model), ("RFM cells", &baseline), ("random", &random)]));
            facts.push(Fact::new("baseline", judge::baseline(&cells, &self.fitted.preparation)));
            let how = judge::how(&model.silhouette);
            facts.push(Fact::new("silhouette", format!("{how}, noise left out; intervals by bootstrap over rows")));
        }
        let mut evaluation = Evaluation {
            target: self.rows.entity.clone(),
            model: format!("DBSCAN with {}", format::count(self.fitted.clusters.len() as u64, "cluster", "clusters")),
            baseline: "RFM cells".to_owned(),
            measures,
            facts,
            charts,
            slices: pictures::slices(profiles),
            finds: pictures::finds(profiles),
            ..Evaluation::default()
        };
        let shares: Vec<(i64, f64)> = profiles
            .rows
            .iter()
            .map(|row| (row.group.segment, row.share))
            .filter(|(segment, _)| *segment != NOISE)
            .collect();
        let noise = 1.0 - kept.len() as f64 / self.labels.len().max(1) as f64;
        let rules = [
            watch::noise(noise, self.fitted.clusters.len(), self.stage.mode == Mode::Apply),
            silhouette.and_then(watch::not_round),
            watch::small_segments(&shares),
        ];
        evaluation.watch = rules.into_iter().flatten().collect();
        Ok(evaluation)
    }

    fn facts(&self, version: &str, context: &StageContext) -> Vec<Fact> {
        let stage = self.stage;
        let count = |wanted: Point| self.placed.points.iter().filter(|point| **point == wanted).count() as u64;
        let told_of = |wanted: Point| format::thousands(count(wanted));
        let rows = self.scaled.nrows();
        let radius = match stage.radius {
            Radius::Given(_) => format::number(self.fitted.radius),
            Radius::Auto(Auto::Auto) => {
                let of = if rows > ROWS_MAX && stage.mode != Mode::Apply {
                    format!(" of a sample of {} rows", format::thousands(ROWS_MAX as u64))
                } else {
                    String::new()
                };
                format!("{}, the knee of the distances{of}", format::number(self.fitted.radius))
            }
        };
        let columns: Vec<&str> = stage.columns.iter().chain(&stage.categories).map(String::as_str).collect();
        let mut facts = vec![
            Fact::new("rows", format!("{}, as of {}", format::thousands(rows as u64), context.run_date)),
            Fact::new("clusters", self.fitted.clusters.len().to_string()),
            Fact::new(
                "points",
                format!(
                    "{} core, {} border, {} noise ({})",
                    told_of(Point::Core),
                    told_of(Point::Border),
                    told_of(Point::Noise),
                    format::percent(count(Point::Noise) as f64 / rows.max(1) as f64)
                ),
            ),
            Fact::new("radius", radius),
            Fact::new("columns", columns.join(", ")),
            Fact::new("imputed", judge::imputed(stage.impute, &stage.columns, self.rows)),
            Fact::new("labels", judge::labels(stage.mode, version)),
        ];
        facts.extend(stage.truth.as_ref().map(|name| Fact::new("truth", name.clone())));
        facts.extend(judge::continued(self.numbers, stage.mode));
        facts
    }
}
