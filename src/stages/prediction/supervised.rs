//! A kind that learns a label from the features of snapshots: all that does not depend on how it learns.

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, LazyFrame, NamedFrom, Series};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::design::snapshots::{Snapshots, repeated};
use super::design::{self, Choice, Design, PORT};
use crate::metrics::evaluation::{Chart, Evaluation, Fact};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
use crate::stages::profile;
use crate::stages::protocol::{Protocol, SnapshotSplit};
use crate::table::{Column, Role, Table, TableSchema};

/// How a kind learns, and what it says of it. Whoever implements this is a [`Stage`].
pub trait Supervised: StageConfig + Serialize {
    /// What is learned from the columns of the matrix.
    type Learned: Serialize + DeserializeOwned;
    /// The column of the output that says what is expected of an entity.
    const SCORE: &'static str;

    fn target(&self) -> &str;

    fn features(&self) -> &Choice;

    fn mode(&self) -> Mode;

    /// Everything wrong with the parameters beside the features, placed under `with`.
    fn own_problems(&self) -> Vec<Problem>;

    /// What is wrong with the type of the label, if something is.
    fn label_problem(&self, label: &Column) -> Option<Problem>;

    /// Fits on rows whose target is known.
    fn fit(&self, rows: &DataFrame, features: &[String], horizon_days: u32) -> Result<Fitted<Self::Learned>, Failure>;

    /// The score of each row.
    fn scores(fitted: &Fitted<Self::Learned>, rows: &DataFrame) -> Result<Vec<f64>, Failure>;

    /// Judges a model that was fitted on `train` by the rows of `held`, whose snapshot is `evaluated`.
    fn judge(
        &self,
        trial: &Fitted<Self::Learned>,
        train: &DataFrame,
        held: &DataFrame,
        evaluated: NaiveDate,
        context: &StageContext,
    ) -> Result<Evaluation, Failure>;

    /// What a reader must know of the fits: the one that was judged and the one that is served.
    fn facts(
        &self,
        split: &SnapshotSplit,
        train: &DataFrame,
        trial: &Fitted<Self::Learned>,
        served: &Fitted<Self::Learned>,
    ) -> Vec<Fact>;

    /// What the served model looks at, in the rows that it was fitted on.
    fn coefficients(served: &Fitted<Self::Learned>, rows: &DataFrame) -> Result<Chart, Failure>;
}

/// A fitted model, as its main file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted<R> {
    /// The label.
    pub target: String,
    /// The length of the future that the label looks at.
    pub horizon_days: u32,
    pub design: Design,
    pub regression: R,
}

/// How many coefficients are shown, the largest first.
pub const COEFFICIENTS_MAX: usize = 20;

/// The column of the output that says which model it is from.
const VERSION: &str = "model_version";

impl<S: Supervised> Stage for S {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["predictions"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = self.features().check();
        problems.extend(self.own_problems());
        problems
    }

    fn protocol(&self) -> Protocol {
        match self.mode() {
            Mode::Apply => Protocol::Newest { port: PORT },
            Mode::Fit | Mode::FitApply => Protocol::Snapshots { port: PORT, target: self.target().to_owned() },
        }
    }

    fn applies_earlier_model(&self) -> bool {
        self.mode() == Mode::Apply
    }

    fn schemas(&self, inputs: &InputSchemas, _: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let features = inputs.one(PORT)?;
        let mut problems = self.features().columns(features).err().unwrap_or_default();
        // That the target is there and a label is for the protocol to check.
        let label = features.column(self.target()).filter(|column| column.role != Role::Plain);
        problems.extend(label.filter(|_| self.mode() != Mode::Apply).and_then(|label| self.label_problem(label)));
        match design::entity(features, &[S::SCORE, VERSION]) {
            Ok(entity) if problems.is_empty() => Ok(vec![schema(self, entity, features)]),
            Ok(_) => Err(problems),
            // Without snapshots that is what the protocol complains of.
            Err(problem) => {
                problems.extend((!features.snapshots.is_empty()).then_some(problem));
                Err(problems)
            }
        }
    }

    /// All snapshots as a table, and those that are learned from as a matrix: all but the newest ones, at least half.
    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        let (rows, features) = inputs.sized(PORT)?;
        let columns = self.features().columns(features).ok()?.len() as u64;
        let table = rows.saturating_mul(columns + 2).saturating_mul(size_of::<f64>() as u64);
        Some(table.saturating_add(if self.mode() == Mode::Apply { 0 } else { table / 2 }))
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = inputs.earlier.take();
        let table = inputs.one(PORT)?;
        let schema = table.schema.clone();
        let entity =
            design::entity(&schema, &[S::SCORE, VERSION]).map_err(|problem| Failure::bug(problem.message))?.name;
        if self.mode() == Mode::Apply {
            let model = Model::to_apply(earlier, self, &[])?;
            return apply::<S>(table, &entity, &model, context.run_date);
        }
        let columns = self.features().columns(&schema).map_err(|problems| {
            Failure::bug(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
        })?;
        let target = self.target();
        let horizon_days = horizon_days(&schema, target)?;
        let read = columns.iter().map(String::as_str).chain([target]);
        let snapshots = Snapshots::read(table, &entity, read)?;
        let split = snapshots.split(target, horizon_days, context.run_date)?;

        let train = snapshots.labelled(&split.train, target)?;
        let trial = self.fit(&train, &columns, horizon_days)?;
        context.cancel.check()?;
        let held = snapshots.labelled(&[split.evaluate], target)?;
        let mut evaluation = self.judge(&trial, &train, &held, split.evaluate, context)?;
        context.cancel.check()?;

        let refit = snapshots.labelled(&split.refit, target)?;
        let served = self.fit(&refit, &columns, horizon_days)?;
        evaluation.facts.extend(self.facts(&split, &train, &trial, &served));
        evaluation.charts.push(S::coefficients(&served, &refit)?);
        let model = model(self, &served, &refit, &schema, context.run_date)?;
        let rows = snapshots.at(context.run_date)?;
        let scored = match self.mode() {
            Mode::Fit => rows.head(Some(0)),
            _ => rows,
        };
        let scored = predictions::<S>(&entity, &scored, &served, &model)?;
        Ok(Outputs { tables: vec![scored], model: Some(model), evaluation: Some(evaluation), ..Outputs::default() })
    }
}

/// A penalty that is no number at or above zero.
pub fn penalty_problem(l2: f64) -> Option<Problem> {
    let message = || format!("expected a number of at least 0, found {l2}");
    let is_sound = l2 >= 0.0 && l2.is_finite();
    (!is_sound).then(|| Problem::new(Code::BadValue, message()).at(["with", "penalty", "l2"]))
}

/// The length of the future that a label looks at.
fn horizon_days(features: &TableSchema, target: &str) -> Result<u32, Failure> {
    match features.column(target).map(|column| column.role) {
        Some(Role::Label { horizon_days }) => Ok(horizon_days),
        _ => Err(Failure::bug(format!("`{target}` is not a label"))),
    }
}

fn schema<S: Supervised>(stage: &S, entity: Column, features: &TableSchema) -> TableSchema {
    let class = features.column(stage.target()).map(|column| column.class).unwrap_or_default();
    let key = vec![entity.name.clone()];
    let score = Column::new(S::SCORE, DataType::Float64).class(class);
    let columns = vec![entity, score, Column::new(VERSION, DataType::String)];
    TableSchema { columns, key, ..TableSchema::default() }
}

/// Scores the run date with a model of an earlier one.
fn apply<S: Supervised>(table: Table, entity: &str, model: &Model, run_date: NaiveDate) -> Result<Outputs, Failure> {
    let fitted: Fitted<S::Learned> = model.main()?;
    let needed = fitted.design.columns.iter().map(design::Encoding::name);
    let present: Vec<&str> = needed.filter(|name| table.schema.column(name).is_some()).collect();
    let rows = Snapshots::read(table, entity, present)?.at(run_date)?;
    let scored = predictions::<S>(entity, &rows, &fitted, model)?;
    Ok(Outputs { tables: vec![scored], ..Outputs::default() })
}

fn predictions<S: Supervised>(
    entity: &str,
    rows: &DataFrame,
    fitted: &Fitted<S::Learned>,
    model: &Model,
) -> Result<LazyFrame, Failure> {
    let columns = vec![
        rows.column(entity)?.clone(),
        Series::new(S::SCORE.into(), S::scores(fitted, rows)?).into_column(),
        repeated(VERSION, &model.version(), rows.height()),
    ];
    Ok(DataFrame::new(rows.height(), columns)?.lazy())
}

fn model<S: Supervised>(
    stage: &S,
    fitted: &Fitted<S::Learned>,
    rows: &DataFrame,
    features: &TableSchema,
    run_date: NaiveDate,
) -> Result<Model, Failure> {
    let signature = Signature {
        kind: S::KIND.to_owned(),
        inputs: fitted.design.fields(),
        outputs: vec![Field::new(S::SCORE, "float64"), Field::new(VERSION, "string")],
        profile: profile::columns(rows, features)?,
        rows: rows.height(),
        parameters: parameters(stage)?,
    };
    Model::new(run_date, signature, fitted)
}
