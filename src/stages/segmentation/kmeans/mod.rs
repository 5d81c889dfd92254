//! Segments by k-means.

mod charts;
mod evaluate;
mod fit;
mod fitted;
mod names;
mod options;
mod prepare;
mod tables;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use ndarray::Array2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::input::{self, PORT};
use crate::problem::{Code, Problem, Step};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
use crate::stages::profile;
use crate::stages::protocol::Protocol;
use crate::table::{Table, TableSchema, type_name};
use evaluate::Judged;
use fit::Trial;
use fitted::Fitted;
use options::{Clusters, Engine, Scale, Transform};

/// Divides the entities into segments of like ones by k-means.
///
/// Works on the snapshot of the run date. Columns are prepared in this order: a missing value (null
/// or NaN) becomes the column's median, then come the changes under `transform`, in the order in which
/// they are written, then `scale`. The report counts what was missing.
///
/// The output `segments` has one row per entity: `segment` (from 1, the largest first), `segment_name`,
/// `distance` (Euclidean, from the segment's centroid, in prepared units) and `model_version`. The output
/// `profiles` has one row per segment: `segment_name`, `size`, `share`, and of each column
/// `mean_<column>`, the mean of its known values in the units of the input, null where there are none.
///
/// A name says what sets the segment apart from all entities, such as `recent, frequent, high spend`: the
/// three prepared columns whose centroid lies furthest from the mean, each by half a deviation or more, as
/// `high` or `low` and the column's name, a `days` at its end left out. Kinder words are these only: of
/// `recency` or `recency_days` less is `recent` and more `lapsed`; of `orders` or `frequency` less is `rare`
/// and more `frequent`. A segment without such a column is `average`. Where a larger segment has the same
/// words, the next such column is named too, or a number follows. A name belongs to the model: who
/// applies it later finds the same ones.
///
/// There are no labels, so the report judges the segments by internal measures on the rows of the
/// run date, beside those of median cells: the first three columns each cut in two at the median. Of
/// more than 10,000 rows the silhouette is measured on a sample of 10,000, the same for each number
/// of clusters.
///
/// The model file holds everything that another program needs to apply it: the medians, the
/// transform, the scaler, and the names and centroids, in prepared and in original units.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KMeans {
    /// The numbers to cluster by.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    columns: Vec<String>,
    /// Changes to single columns, in the order in which the keys are written.
    #[serde(default)]
    transform: Transform,
    /// What makes the columns comparable.
    #[serde(default)]
    scale: Scale,
    /// How many segments: a number, or a range to choose from.
    clusters: Clusters,
    /// Independent starts for each number of clusters; the one of least inertia is kept.
    #[serde(default = "default_restarts")]
    #[schemars(range(min = 1, max = 100))]
    restarts: usize,
    /// The most iterations of one start.
    #[serde(default = "default_max_iterations")]
    #[schemars(range(min = 1, max = 100_000))]
    max_iterations: usize,
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
        self.transform.problems(&self.columns).into_iter().chain(self.clusters.problem()).collect()
    }

    fn protocol(&self) -> Protocol {
        Protocol::Newest { port: PORT }
    }

    fn applies_earlier_model(&self) -> bool {
        self.mode == Mode::Apply
    }

    fn schemas(&self, inputs: &InputSchemas, _: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let features = inputs.one(PORT)?;
        let mut problems: Vec<Problem> = Vec::new();
        for (index, name) in self.columns.iter().enumerate() {
            let place = [Step::from("with"), Step::from("columns"), Step::from(index)];
            problems.extend(input::numeric(features, name, place));
        }
        match input::entity(features, &tables::SEGMENT_COLUMNS) {
            Ok(entity) if problems.is_empty() => Ok(tables::schemas(entity, features, &self.columns)),
            Ok(_) => Err(problems),
            Err(problem) => {
                problems.push(problem);
                Err(problems)
            }
        }
    }

    /// The newest snapshot three times, as table, as numbers and scaled.
    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        let (rows, features) = inputs.sized(PORT)?;
        let newest = rows / features.snapshots.len().max(1) as u64;
        Some(newest.saturating_mul(self.columns.len() as u64).saturating_mul(3 * size_of::<f64>() as u64))
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = match self.mode {
            Mode::Apply => Some(Model::to_apply(inputs.earlier.take(), self, &[])?),
            Mode::Fit | Mode::FitApply => None,
        };
        let table = inputs.one(PORT)?;
        let features = table.schema.clone();
        let (entity, raw) = self.read(table, context)?;
        let (model, trials) = match earlier {
            Some(model) => (model, vec![]),
            None => self.fit(&raw, &features, context)?,
        };
        // A model fitted now too is applied as it was written, so that applying it again gives the same.
        let fitted: Fitted = model.main()?;
        let scaled = fitted.prepare(&raw)?;
        let found = fitted.assign(scaled.view())?;
        context.cancel.check()?;
        let version = model.version();
        let profiles = tables::profiles(&raw, &found.labels, &fitted, &version)?;
        let judged =
            Judged { stage: self, fitted: &fitted, raw: &raw, scaled: &scaled, found: &found, trials: &trials };
        let evaluation = judged.evaluation(&entity.name, &version, &profiles, context)?;
        let segments = tables::segments(entity, &found, &fitted, &version)?;
        let segments = if self.mode == Mode::Fit { segments.clear() } else { segments };
        let model = (self.mode != Mode::Apply).then_some(model);
        let tables = tables::lazy([segments, profiles.frame]);
        Ok(Outputs { tables, model, evaluation: Some(evaluation), ..Outputs::default() })
    }
}

impl KMeans {
    /// The entities of the run date's snapshot, ascending, and their columns, missing values as NaN.
    fn read(&self, table: Table, context: &StageContext) -> Result<(tables::Entities, Array2<f64>), Failure> {
        let entity = input::entity(&table.schema, &tables::SEGMENT_COLUMNS);
        let entity = entity.map_err(|problem| Failure::bug(problem.message))?.name;
        let columns = self.columns.iter().map(String::as_str);
        let frame = input::snapshot(table, &entity, columns, context.run_date)?;
        if frame.height() == 0 {
            return Err(Failure::data(format!("the snapshot of {} has no rows", context.run_date)));
        }
        let raw = prepare::raw(&frame, &self.columns)?;
        context.cancel.check()?;
        Ok((tables::Entities { column: frame.column(&entity)?.clone(), name: entity }, raw))
    }

    /// Fits on the rows; the numbers of clusters that were tried, where there was a choice.
    fn fit(
        &self,
        raw: &Array2<f64>,
        features: &TableSchema,
        context: &StageContext,
    ) -> Result<(Model, Vec<Trial>), Failure> {
        let mut fitted = Fitted::preparing(self, raw)?;
        let scaled = fitted.prepare(raw)?;
        let (clustering, trials) = fit::choose(self, scaled.view(), context)?;
        fitted.describe(clustering, scaled.view())?;
        Ok((Model::new(context.run_date, self.signature(raw, features)?, &fitted)?, trials))
    }

    fn signature(&self, raw: &Array2<f64>, features: &TableSchema) -> Result<Signature, Failure> {
        let dtype = |name: &str| features.column(name).map(|column| type_name(&column.dtype)).unwrap_or_default();
        let columns = self.columns.iter().zip(raw.columns());
        let described = |(name, values): (&String, ndarray::ArrayView1<'_, f64>)| {
            profile::of_values(features, name, values.to_vec())
        };
        Ok(Signature {
            kind: KMeans::KIND.to_owned(),
            inputs: self.columns.iter().map(|name| Field::new(name, dtype(name))).collect(),
            outputs: [("segment", "int64"), ("segment_name", "string"), ("distance", "float64")]
                .map(|(name, dtype)| Field::new(name, dtype))
                .into(),
            profile: columns.map(described).collect(),
            rows: raw.nrows(),
            parameters: parameters(self)?,
        })
    }
}

/// A parameter problem of a column that is not among those to cluster by.
fn not_clustered(name: &str, columns: &[String]) -> Problem {
    let problem = Problem::new(Code::UnknownColumn, format!("`{name}` is not among `columns`"));
    problem.nearest(name, columns.iter().map(String::as_str))
}
