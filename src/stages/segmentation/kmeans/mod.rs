//! Segments by k-means.

mod charts;
mod evaluate;
mod fit;
mod fitted;
mod options;
mod tables;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::identity::{Earlier, Identity, Numbers};
use super::input::{Asked, PORT, Rows};
use super::pictures;
use super::preparation::{Impute, Preparation, Recipe, Scale, Transform};
use super::profiles::{self, Group};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::engine::Engine;
use crate::stages::lineage::Reads;
use crate::stages::model::{Mode, Model, Signature};
use crate::stages::protocol::Protocol;
use crate::table::TableSchema;
use evaluate::Judged;
use fit::{Beside, Trial};
use fitted::Fitted;
use options::{Clusters, Init};
use polars::prelude::IntoLazy;

/// Divides the entities into segments of like ones by k-means.
///
/// Works on the snapshot of the run date, or on all rows of a table without snapshots, one row an entity. Columns are
/// prepared in this order: missing values are filled if `impute` says how (otherwise they fail the stage, named by
/// column and number), then come the changes under `transform`, in the order in which they are written, then `scale`.
/// `categories` become columns of zeros and ones, one for each of the 20 most frequent levels of ten rows or more and
/// one for all others, which are not scaled; a null has zeros only.
///
/// The output `segments` has one row per entity: `as_of`, `segment` (from 1), `segment_name`, `distance` (Euclidean, from
/// the segment's centroid, in prepared units), `confidence` (1 − distance / distance to the second nearest centroid: 1 at
/// the centroid, 0 half-way to another segment) and `model_version`. The output `profiles` has one row per segment:
/// `segment_name`, `size`, `share`, of each column `mean_<column>`, `median_<column>` and `lift_<column>` (the mean over
/// that of all entities) of its known values in the units of the input, and of each category the most frequent level
/// `mode_<column>` with its share, `share_of_mode_<column>`.
///
/// Segments keep their identity. The first time they are numbered by size, the largest first. From then on, tonight's
/// clusters are matched to the segments of the newest model of an earlier run date, so that the squared distances
/// between their centroids, in tonight's prepared units, sum to the least (the Hungarian method); a pair counts if its
/// centroids are nearer to each other than each is to the next of its own night, and however far others lie apart they
/// weigh no more than that. A segment that is continued keeps its number; a new one gets a number that none ever had; a
/// number that is gone is not given again, nor after `columns` have changed. It is the order of run dates that counts:
/// after a backfill, dates that were there already keep their numbers until they run again. Where there are as many
/// clusters as segments before, one more start begins at their centroids (not with `engine: linfa`), and is kept unless
/// another saves more than one per cent of the inertia; and of a range the number of before stays unless another is better
/// by more than two per cent: few are to move without a reason. The report says
/// which are kept, new and gone, how many entities moved, and from which segment to which, counts below five and what
/// would give them away left out. `identity: fresh` numbers anew each night.
///
/// A name says what sets the segment apart from all entities, such as `recent, frequent, high spend`: the
/// three prepared columns whose centroid lies furthest from the mean, each by half a deviation or more, as
/// `high` or `low` and the column's name, a `days` at its end left out. Kinder words are these only: of
/// `recency` or `recency_days` less is `recent` and more `lapsed`; of `orders` or `frequency` less is `rare`
/// and more `frequent`. A segment without such a column is `average`. Where another segment has the same
/// words, the next such column is named too, or a number follows. A segment that is continued keeps its name while each
/// word holds by a quarter of a deviation, and stays `average` until a column sets it apart by three quarters of
/// one. Who applies a model later finds the same names.
///
/// There are no labels, so the report judges the segments by internal measures, beside those of as many cells by RFM
/// score (the first three columns scored by quantiles, of a column whose name begins with `recency` less being better,
/// and the sums of the scores cut into parts of equal size) and of random parts of the same sizes; and by how well ten
/// bootstrap samples give the same segments again. Of more than 10,000 rows silhouettes and stability are measured on a
/// sample of 10,000, the same for each number of clusters. Where `truth` names a column, adjusted Rand index and
/// normalized mutual information say how far the segments agree with it.
///
/// With `mode: apply` the centroids of the earlier model stay. The report then says when they no longer fit: by the
/// squared distances now and when it was fitted, and by the drift (PSI) of each column.
///
/// The model file holds everything that another program needs to apply it: what stands for missing values, the
/// transform, the scaler, the levels, the names, and the centroids in prepared and in original units.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KMeans {
    /// The column that names the entity, where the table does not say it: not needed for the output of `features`.
    #[serde(default)]
    entity: Option<String>,
    /// The numbers to cluster by.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    columns: Vec<String>,
    /// Columns of text to cluster by, too.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    categories: Vec<String>,
    /// What stands for missing values (null, NaN and infinite ones) in `columns`.
    #[serde(default)]
    impute: Option<Impute>,
    /// Changes to single columns, in the order in which the keys are written.
    #[serde(default)]
    transform: Transform,
    /// What makes the columns comparable.
    #[serde(default)]
    scale: Scale,
    /// A column that says how much each entity counts; all the same without it.
    #[serde(default)]
    weight: Option<String>,
    /// How many segments: a number, or a range to choose from.
    clusters: Clusters,
    /// Where each start begins.
    #[serde(default)]
    init: Init,
    /// Independent starts for each number of clusters; the one of least inertia is kept.
    #[serde(default = "default_restarts")]
    #[schemars(range(min = 1, max = 100))]
    restarts: usize,
    /// The most iterations of one start.
    #[serde(default = "default_max_iterations")]
    #[schemars(range(min = 1, max = 100_000))]
    max_iterations: usize,
    /// A start ends when its centroids move by no more: squared and summed, as a share of the columns' mean variance.
    #[serde(default = "default_tolerance")]
    #[schemars(range(min = 0.0, max = 1.0))]
    tolerance: f64,
    /// Whose numbers and names the segments have.
    #[serde(default)]
    identity: Identity,
    /// A column that says what each entity is known to belong to; only the report looks at it.
    #[serde(default)]
    truth: Option<String>,
    /// Who computes it.
    #[serde(default)]
    engine: Engine,
    /// Whether a model is fitted, and whether it is applied.
    #[serde(default)]
    mode: Mode,
}

fn default_restarts() -> usize {
    10
}

fn default_max_iterations() -> usize {
    300
}

fn default_tolerance() -> f64 {
    1e-4
}

/// Parameters that say nothing of fitting.
const SERVING: [&str; 2] = ["truth", "identity"];

impl StageConfig for KMeans {
    const KIND: &'static str = "kmeans";
    const FAMILY: &'static str = "segmentation";
}

impl Stage for KMeans {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["segments", "profiles"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = self.transform.problems(&self.columns);
        problems.extend(self.clusters.problem());
        if self.weight.is_some() && self.engine == Engine::Linfa {
            let message = "the k-means of linfa knows no weights";
            problems.push(Problem::new(Code::BadValue, message).help("use `engine: native`").at(["with", "weight"]));
        }
        problems
    }

    fn protocol(&self) -> Protocol {
        Protocol::Newest { port: PORT }
    }

    fn applies_earlier_model(&self) -> bool {
        self.mode == Mode::Apply
    }

    fn continues_model(&self) -> bool {
        self.identity == Identity::Stable
    }

    fn looks_back(&self) -> bool {
        self.identity == Identity::Stable
    }

    fn reads(&self, inputs: &InputSchemas) -> Reads {
        inputs.one(PORT).map(|features| self.asked().reads(features, &tables::SEGMENT_COLUMNS)).unwrap_or_default()
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let features = inputs.one(PORT)?;
        let entity = self.asked().entity(features, &tables::SEGMENT_COLUMNS)?;
        let strictest = self.asked().strictest(features);
        let profiles = profiles::schema(features, &self.columns, &self.categories, strictest);
        Ok(vec![tables::schema(entity, strictest, run_date), profiles])
    }

    /// The rows three times: as a table, as they are and prepared.
    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        let (rows, features) = inputs.sized(PORT)?;
        let newest = rows / features.snapshots.len().max(1) as u64;
        Some(newest.saturating_mul(3 * self.columns.len() as u64).saturating_mul(size_of::<f64>() as u64))
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let (earlier, before) = (inputs.earlier.take(), inputs.before.take());
        let table = inputs.one(PORT)?;
        let features = table.schema.clone();
        let rows = self.asked().read(table, &tables::SEGMENT_COLUMNS, context.run_date)?;
        context.cancel.check()?;
        let Made { model, fitted, scaled, trials, numbers } = match self.mode {
            Mode::Apply => Made::applied(Model::to_apply(earlier, self, &SERVING)?, &rows)?,
            Mode::Fit | Mode::FitApply => self.fit(&rows, &features, earlier.as_ref(), context)?,
        };
        let found = fitted.assign(scaled.view())?;
        context.cancel.check()?;
        let version = model.version();
        let group = |cluster: &fitted::Cluster| Group {
            segment: cluster.segment,
            name: cluster.name.text.clone(),
            fitted: cluster.size,
        };
        let groups = fitted.clusters.iter().map(group).collect();
        let labels = found.labels.to_vec();
        let profiles = profiles::profiles(&rows, &labels, groups, (&self.columns, &self.categories), &version)?;
        let confidence = fitted.confidence(scaled.view(), &found)?;
        let segments = tables::segments(&rows, &found, confidence, &fitted, (&version, context.run_date))?;
        let moves = pictures::moves(before, numbers.as_ref(), self.mode, &segments, &rows.entity, &profiles)?;
        let judged = Judged {
            stage: self,
            fitted: &fitted,
            rows: &rows,
            scaled: &scaled,
            found: &found,
            trials: &trials,
            numbers: numbers.as_ref(),
            fitted_on: model.signature.rows,
        };
        let evaluation = judged.evaluation(&version, &profiles, moves, context)?;
        let segments = if self.mode == Mode::Fit { segments.clear() } else { segments };
        let model = (self.mode != Mode::Apply).then_some(model);
        let tables = vec![segments.lazy(), profiles.frame.lazy()];
        Ok(Outputs { tables, model, evaluation: Some(evaluation), ..Outputs::default() })
    }
}

/// A model and what it was made from.
struct Made {
    model: Model,
    fitted: Fitted,
    /// The rows, prepared.
    scaled: Array2<f64>,
    /// The numbers of clusters that were tried, where there was a choice.
    trials: Vec<Trial>,
    /// Whose numbers the segments have, where there was an earlier night.
    numbers: Option<Numbers>,
}

impl Made {
    fn applied(model: Model, rows: &Rows) -> Result<Made, Failure> {
        let fitted: Fitted = model.main()?;
        let scaled = fitted.preparation.prepare(rows)?;
        Ok(Made { model, fitted, scaled, trials: vec![], numbers: None })
    }
}

impl KMeans {
    fn asked(&self) -> Asked<'_> {
        Asked {
            entity: self.entity.as_deref(),
            numbers: &self.columns,
            texts: &self.categories,
            weight: self.weight.as_deref(),
            truth: self.truth.as_deref(),
        }
    }

    fn fit(
        &self,
        rows: &Rows,
        features: &TableSchema,
        earlier: Option<&Model>,
        context: &StageContext,
    ) -> Result<Made, Failure> {
        let recipe =
            Recipe { numbers: &self.columns, impute: self.impute, transform: &self.transform, scale: self.scale };
        let (preparation, mut scaled) = Preparation::fit(recipe, rows)?;
        let earlier = earlier.filter(|_| self.continues_model());
        let earlier =
            earlier.map(|model| Earlier::read::<Fitted>(model, KMeans::KIND, &preparation)).transpose()?.flatten();
        let past = earlier.as_ref().map(Earlier::centers).transpose()?;
        let beside = Beside { weights: rows.weights.as_deref(), past: past.as_ref().map(|past| past.view()) };
        let (clustering, trials) = fit::choose(self, &mut scaled, beside, context)?;
        let (fitted, numbers) = Fitted::new(preparation, clustering, scaled.view(), earlier.as_ref())?;
        let model = Model::new(context.run_date, self.signature(rows, features)?, &fitted)?;
        // It is applied as it was written, so that applying it again gives the same.
        let fitted = model.main()?;
        Ok(Made { model, fitted, scaled, trials, numbers: earlier.map(|_| numbers) })
    }

    fn signature(&self, rows: &Rows, features: &TableSchema) -> Result<Signature, Failure> {
        let outputs =
            [("segment", "int64"), ("segment_name", "string"), ("distance", "float64"), ("confidence", "float64")];
        self.asked().signature(self, rows, features, &outputs)
    }
}
