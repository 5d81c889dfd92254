//! A stage that predicts, whatever its kind, as a candidate.

use ndarray::Array2;
use polars::prelude::{DataFrame, DataType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::boosted_trees::BoostedTrees;
use super::super::learner::{Predictor, Trained};
use super::super::linear::Linear;
use super::super::logistic::Logistic;
use super::super::material::{Folds, Material};
use super::super::options::Validate;
use super::super::run::{self, Served};
use super::super::scoring::{self, ToScore};
use super::super::svm::Svm;
use super::super::task::{Target, Task};
use super::super::{design, output};
use crate::metrics::evaluation::{Chart, Evaluation};
use crate::stages::contract::{Failure, Outputs, Stage, StageContext};
use crate::stages::model::{Mode, Signature};
use crate::table::{Table, TableSchema};

/// A model among several.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// What it is called in the report.
    #[schemars(length(min = 1))]
    pub id: String,
    /// The kind of stage.
    pub stage: Kind,
    /// Its parameters, but for `target`, `validate`, `slice` and `mode`, which all candidates share.
    #[serde(default)]
    pub with: serde_json::Map<String, Value>,
}

/// The kinds of stages that may be candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Linear,
    Logistic,
    Svm,
    BoostedTrees,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Linear => "linear",
            Kind::Logistic => "logistic",
            Kind::Svm => "svm",
            Kind::BoostedTrees => "boosted_trees",
        }
    }
}

/// Parameters that all candidates share.
const SHARED: [&str; 4] = ["target", "validate", "slice", "mode"];

impl Candidate {
    /// The stage with the parameters that all share.
    pub fn build(
        &self,
        target: &str,
        validate: Validate,
        slice: &[String],
        mode: Mode,
    ) -> Result<Box<dyn Contends>, String> {
        if let Some(name) = SHARED.into_iter().find(|name| self.with.contains_key(*name)) {
            return Err(format!("`{name}` is said once for all candidates, beside `candidates`"));
        }
        let mut with = self.with.clone();
        with.insert("target".to_owned(), json!(target));
        with.insert("validate".to_owned(), json!(validate));
        with.insert("slice".to_owned(), json!(slice));
        with.insert("mode".to_owned(), json!(mode));
        let with = Value::Object(with);
        let built: Result<Box<dyn Contends>, serde_json::Error> = match self.stage {
            Kind::Linear => serde_json::from_value::<Linear>(with).map(|stage| Box::new(stage) as Box<dyn Contends>),
            Kind::Logistic => {
                serde_json::from_value::<Logistic>(with).map(|stage| Box::new(stage) as Box<dyn Contends>)
            }
            Kind::Svm => serde_json::from_value::<Svm>(with).map(|stage| Box::new(stage) as Box<dyn Contends>),
            Kind::BoostedTrees => {
                serde_json::from_value::<BoostedTrees>(with).map(|stage| Box::new(stage) as Box<dyn Contends>)
            }
        };
        built.map_err(|error| format!("`{}`: {error}", self.id))
    }
}

/// The tables of rows, by the version of the model that made them.
type Tables = Box<dyn FnOnce(ToScore, &str, &StageContext) -> Result<Outputs, Failure>>;

/// The model that is served.
pub struct Champion {
    pub kind: String,
    pub json: Vec<u8>,
    pub signature: Signature,
    pub picture: Option<Chart>,
    pub tables: Tables,
}

/// Fits once more on all rows whose target is known.
type Serve = Box<dyn FnMut(&DataFrame, &TableSchema, &StageContext) -> Result<Champion, Failure>>;

/// A candidate that was judged.
pub struct Contender {
    pub evaluation: Evaluation,
    pub truth: Target,
    pub expected: Array2<f64>,
    pub serve: Serve,
}

/// What a kind must be able to do to be a candidate.
pub trait Contends: Stage {
    fn task_of(&self, dtype: &DataType) -> Option<Task>;

    /// Whether its scores are probabilities.
    fn is_probability(&self) -> bool;

    fn entity(&self, schema: &TableSchema) -> Result<String, Failure>;

    /// The columns that it reads.
    fn columns(&self, schema: &TableSchema) -> Result<Vec<String>, Failure>;

    fn folds(
        &self,
        material: &Material,
        task: Task,
        entity: &str,
        horizon_days: Option<u32>,
        context: &StageContext,
    ) -> Result<Folds, Failure>;

    fn contend(&self, schema: &TableSchema, folds: &Folds, context: &StageContext) -> Result<Contender, Failure>;

    /// The tables of rows by an earlier model.
    fn apply(&self, json: &[u8], version: &str, table: &Table, context: &StageContext) -> Result<Outputs, Failure>;
}

impl<P: Predictor> Contends for P {
    fn task_of(&self, dtype: &DataType) -> Option<Task> {
        self.task(dtype)
    }

    fn is_probability(&self) -> bool {
        run::is_probability(self)
    }

    fn entity(&self, schema: &TableSchema) -> Result<String, Failure> {
        let entity = design::entity(schema, &output::NAMES).map_err(|problem| Failure::bug(problem.message))?;
        Ok(entity.name)
    }

    fn columns(&self, schema: &TableSchema) -> Result<Vec<String>, Failure> {
        let subject = run::subject(self, schema, None)?;
        Ok(run::columns_read(&self.options(), &subject.features))
    }

    fn folds(
        &self,
        material: &Material,
        task: Task,
        entity: &str,
        horizon_days: Option<u32>,
        context: &StageContext,
    ) -> Result<Folds, Failure> {
        material.folds(&self.options(), task, entity, horizon_days, context.run_date, context.seed)
    }

    fn contend(&self, schema: &TableSchema, folds: &Folds, context: &StageContext) -> Result<Contender, Failure> {
        let subject = run::subject(self, schema, Some(&folds.refit))?;
        let run::Judgement { evaluation, tuned, truth, expected } = run::judge(self, &subject, folds, context)?;
        let stage = self.clone();
        let mut tuned = Some(tuned);
        let serve = move |rows: &DataFrame, schema: &TableSchema, context: &StageContext| {
            let tuned = tuned.take().flatten();
            let Served { trained, picture, stage: served } = run::serve(&stage, &subject, tuned, rows, context)?;
            let json = serde_json::to_vec(&trained).map_err(|error| Failure::bug(error.to_string()))?;
            let signature = run::signature(&stage, &trained, rows, schema)?;
            let tables: Tables = Box::new(move |rows: ToScore, version: &str, context: &StageContext| {
                scoring::score::<P>(trained, rows, version, run::is_probability(&served), context)
            });
            Ok(Champion { kind: P::KIND.to_owned(), json, signature, picture, tables })
        };
        Ok(Contender { evaluation, truth, expected, serve: Box::new(serve) })
    }

    fn apply(&self, json: &[u8], version: &str, table: &Table, context: &StageContext) -> Result<Outputs, Failure> {
        let trained: Trained<P::Learned> = serde_json::from_slice(json)
            .map_err(|error| Failure::data(format!("the earlier model cannot be read: {error}")))?;
        run::scored(self, trained, version, table, context)
    }
}
