//! Segments by density.

mod curve;
mod evaluate;
mod fitted;
mod tables;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use ndarray::Array2;
use polars::prelude::IntoLazy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::identity::{Earlier, Identity, Numbers};
use super::input::{Asked, PORT, Rows};
use super::pictures;
use super::preparation::{Impute, Preparation, Recipe, Scale, Transform};
use super::profiles;
use crate::algorithms::dbscan;
use crate::format;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::engine::Engine;
use crate::stages::lineage::Reads;
use crate::stages::model::{Mode, Model, Signature};
use crate::stages::protocol::Protocol;
use crate::table::TableSchema;
use curve::Curve;
use evaluate::Judged;
use fitted::{Fitted, Placed};

/// Divides the entities by density (DBSCAN): a segment is what lies densely together, however shaped; the rest is noise.
///
/// Works on the snapshot of the run date, or on all rows of a table without snapshots, one row an entity. Columns are
/// prepared as by `kmeans`: `impute`, then `transform`, then `scale`, with `categories` as zeros and ones.
///
/// An entity with at least `min_points` entities within `radius`, itself included, is a core point. Core points within
/// the radius of each other are of one segment. Another entity within the radius of a core point is a border point; all
/// others are noise. A border point that touches several segments goes to the one whose first core point comes first in
/// the order of the entities, as in scikit-learn.
///
/// `radius: auto` takes the knee of the curve of distances to the `min_points`-th nearest entity, ascending: the point
/// furthest below the straight line between its ends (Kneedle, Satopaa et al. 2011). Of more than 10,000 entities the
/// curve is of a sample of so many, whose distances are to all. The report shows the curve and its knee.
///
/// The output `segments` has one row per entity: `as_of`, `segment` (from 1; −1 is noise), `segment_name`, `point` (`core`,
/// `border` or `noise`) and `model_version`. The output `profiles` is that of `kmeans`, with a row for noise.
///
/// Segments keep their identity as those of `kmeans` do, by the means of their core points; the first time they are
/// numbered by size. Segments around the same center, such as rings, cannot be told apart by it and may be new every night.
/// The report says which are kept, new and gone, and who moved, noise included. More than 1,000 segments are refused.
///
/// With `mode: apply` the core points of the earlier model stay: an entity is of the segment of the nearest core point
/// within the radius, of equally near ones the first, and otherwise noise. It is a `core` point then where it coincides
/// with one, and otherwise a `border` point. The model's file holds the prepared coordinates of every core point, without
/// the entity: keep it as you keep the table.
///
/// The report judges the division of all but noise by internal measures, beside as many cells by RFM score and random
/// parts, and says how many are noise. Those measures favor round segments, which these need not be, so no verdict is
/// drawn from them. Where `truth` names a column, adjusted Rand index and normalized mutual
/// information say how far the segments agree with it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dbscan {
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
    /// How near is near, in prepared units: a number above zero, or `auto`.
    radius: Radius,
    /// How many entities within the radius make a core point, itself included.
    #[schemars(range(min = 1, max = 100_000))]
    min_points: usize,
    /// How distances are taken.
    #[serde(default)]
    metric: Metric,
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

/// How near is near.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value", untagged)]
#[schemars(with = "RadiusSchema")]
pub enum Radius {
    Auto(Auto),
    Given(f64),
}

/// The knee of the curve of distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    /// The knee of the curve of distances.
    Auto,
}

/// The two ways to say how near is near.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum RadiusSchema {
    /// The knee of the curve of distances.
    Auto(Auto),
    /// This distance.
    Given(#[schemars(extend("exclusiveMinimum" = 0))] f64),
}

impl TryFrom<serde_json::Value> for Radius {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        Ok(if value.is_string() {
            Radius::Auto(serde_json::from_value(value)?)
        } else {
            Radius::Given(serde_json::from_value(value)?)
        })
    }
}

/// How distances are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The square root of the sum of squared differences.
    #[default]
    Euclidean,
    /// The sum of absolute differences.
    Manhattan,
    /// One less the cosine of the angle between two rows, from 0 to 2.
    Cosine,
}

impl From<Metric> for dbscan::Metric {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::Euclidean => dbscan::Metric::Euclidean,
            Metric::Manhattan => dbscan::Metric::Manhattan,
            Metric::Cosine => dbscan::Metric::Cosine,
        }
    }
}

impl From<Engine> for dbscan::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Native => dbscan::Engine::Native,
            Engine::Linfa => dbscan::Engine::Linfa,
        }
    }
}

/// Of opposite directions.
const COSINE_MAX: f64 = 2.0;

/// More segments are refused: they are compared with each other, and with those of an earlier night.
const CLUSTERS_MAX: usize = 1_000;

/// Parameters that say nothing of fitting.
const SERVING: [&str; 2] = ["truth", "identity"];

impl StageConfig for Dbscan {
    const KIND: &'static str = "dbscan";
    const FAMILY: &'static str = "segmentation";
}

impl Stage for Dbscan {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["segments", "profiles"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = self.transform.problems(&self.columns);
        if let (Radius::Given(radius), Metric::Cosine) = (self.radius, self.metric)
            && radius > COSINE_MAX
        {
            let message =
                format!("a cosine distance is at most {COSINE_MAX}, so within {radius} of each other lies everything");
            problems.push(Problem::new(Code::BadValue, message).at(["with", "radius"]));
        }
        if self.engine == Engine::Linfa && self.min_points < 2 {
            let problem = Problem::new(Code::BadValue, "the DBSCAN of linfa needs at least 2 points");
            problems.push(problem.help("use `engine: native`").at(["with", "min_points"]));
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

    /// The rows four times: as a table, as they are, prepared and in the tree.
    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        let (rows, features) = inputs.sized(PORT)?;
        let newest = rows / features.snapshots.len().max(1) as u64;
        Some(newest.saturating_mul(4 * self.columns.len() as u64).saturating_mul(size_of::<f64>() as u64))
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let (earlier, before) = (inputs.earlier.take(), inputs.before.take());
        let table = inputs.one(PORT)?;
        let features = table.schema.clone();
        let rows = self.asked().read(table, &tables::SEGMENT_COLUMNS, context.run_date)?;
        context.cancel.check()?;
        let Made { model, fitted, scaled, placed, curve, numbers } = match self.mode {
            Mode::Apply => Made::applied(Model::to_apply(earlier, self, &SERVING)?, &rows)?,
            Mode::Fit | Mode::FitApply => self.fit(&rows, &features, earlier.as_ref(), context)?,
        };
        context.cancel.check()?;
        let version = model.version();
        let groups = fitted.groups();
        let labels = placed.places(groups.len());
        let segments = tables::segments(&rows, &placed, &labels, &groups, (&version, context.run_date))?;
        let profiles = profiles::profiles(&rows, &labels, groups, (&self.columns, &self.categories), &version)?;
        let moves = pictures::moves(before, numbers.as_ref(), self.mode, &segments, &rows.entity, &profiles)?;
        let judged = Judged {
            stage: self,
            fitted: &fitted,
            rows: &rows,
            scaled: &scaled,
            placed: &placed,
            labels: &labels,
            curve: curve.as_ref(),
            numbers: numbers.as_ref(),
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
    placed: Placed,
    /// The distances that the radius was found in.
    curve: Option<Curve>,
    /// Whose numbers the segments have, where there was an earlier night.
    numbers: Option<Numbers>,
}

impl Made {
    fn applied(model: Model, rows: &Rows) -> Result<Made, Failure> {
        let fitted: Fitted = model.main()?;
        let scaled = fitted.preparation.prepare(rows)?;
        let placed = fitted.place(&model, scaled.view())?;
        Ok(Made { model, fitted, scaled, placed, curve: None, numbers: None })
    }
}

impl Dbscan {
    fn asked(&self) -> Asked<'_> {
        Asked {
            entity: self.entity.as_deref(),
            numbers: &self.columns,
            texts: &self.categories,
            weight: None,
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
        let (preparation, scaled) = Preparation::fit(recipe, rows)?;
        let curve = match self.radius {
            Radius::Auto(Auto::Auto) => Some(Curve::of(self, scaled.view(), context)?),
            Radius::Given(_) => None,
        };
        let radius = match (self.radius, &curve) {
            (Radius::Given(radius), _) => radius,
            (_, curve) => curve.as_ref().map_or(0.0, |curve| curve.radius),
        };
        context.cancel.check()?;
        let params = dbscan::Params {
            radius,
            min_points: self.min_points,
            metric: self.metric.into(),
            engine: self.engine.into(),
        };
        let found = dbscan::fit(scaled.view(), &params).map_err(|error| Failure::data(format!("could not {error}")))?;
        if found.clusters > CLUSTERS_MAX {
            return Err(Failure::TooLarge(format!(
                "there are {} segments, more than {CLUSTERS_MAX} that anyone could tell apart; try a greater `radius` or more \
                 `min_points`",
                format::thousands(found.clusters as u64)
            )));
        }
        let earlier = earlier.filter(|_| self.continues_model());
        let earlier =
            earlier.map(|model| Earlier::read::<Fitted>(model, Dbscan::KIND, &preparation)).transpose()?.flatten();
        let (fitted, placed, numbers) = Fitted::new(preparation, &params, found, scaled.view(), earlier.as_ref())?;
        let mut model = Model::new(context.run_date, self.signature(rows, features)?, &fitted)?;
        model.files.insert(fitted::CORE_POINTS.to_owned(), placed.core_points(scaled.view(), &fitted)?);
        Ok(Made { model, fitted, scaled, placed, curve, numbers: earlier.map(|_| numbers) })
    }

    fn signature(&self, rows: &Rows, features: &TableSchema) -> Result<Signature, Failure> {
        let outputs = [("segment", "int64"), ("segment_name", "string"), ("point", "string")];
        self.asked().signature(self, rows, features, &outputs)
    }
}
