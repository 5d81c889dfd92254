//! Linear regression of a label that is a number.

mod charts;
mod evaluate;
mod facts;
mod fitted;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, LazyFrame, NamedFrom, Series};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::design::snapshots::{Snapshots, repeated};
use super::design::{self, Choice, PORT, Scale};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
use crate::stages::profile;
use crate::stages::protocol::Protocol;
use crate::table::{Column, Role, Table, TableSchema, type_name};
use evaluate::Judged;
use fitted::Fitted;

/// The expected value of a label that is a number, by linear regression.
///
/// The newest snapshot whose label is known evaluates; the snapshots whose label windows end before it train. The
/// baseline is the training rows' mean. The model that scores the run date is then fitted once more on all labelled
/// snapshots, with the same settings.
///
/// Features are numbers, truth values (0 and 1) and text. What is missing in a number becomes the median of the
/// training rows. Text becomes one column for each level that at least 10 training rows have; other levels, and missing
/// text, are zero in all of them. Columns that others determine are left out, and the evaluation names them.
///
/// The output `predictions` has one row per entity of the run date's snapshot: `prediction`, in the unit of the label,
/// and `model_version`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// The label, a number, such as `spend_next_90d`.
    #[schemars(length(min = 1))]
    target: String,
    /// The features: a list of columns, or `all`: every number, truth value and text of the table that is no label, not
    /// part of the key and not of class `direct_id`.
    #[serde(default)]
    features: Choice,
    /// What keeps coefficients small; nothing unless it is given (ordinary least squares).
    #[serde(default)]
    penalty: Penalty,
    /// How features are scaled before fitting.
    #[serde(default)]
    scale: Scale,
    /// Whether to fit, to apply a model of an earlier run date, or both.
    #[serde(default)]
    mode: Mode,
}

/// What keeps coefficients small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Penalty {
    /// Multiplies ‖w‖² against the summed squared errors, so it is scikit-learn's `alpha` of `Ridge`; the intercept is
    /// not penalized.
    #[schemars(range(min = 0.0))]
    pub l2: f64,
}

/// The columns of the output after the entity.
const OUTPUTS: [&str; 2] = ["prediction", "model_version"];

impl StageConfig for Linear {
    const KIND: &'static str = "linear";
    const FAMILY: &'static str = "prediction";
}

impl Stage for Linear {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["predictions"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = self.features.check();
        if !(self.penalty.l2 >= 0.0 && self.penalty.l2.is_finite()) {
            let message = format!("expected a number of at least 0, found {}", self.penalty.l2);
            problems.push(Problem::new(Code::BadValue, message).at(["with", "penalty", "l2"]));
        }
        problems
    }

    fn protocol(&self) -> Protocol {
        match self.mode {
            Mode::Apply => Protocol::Newest { port: PORT },
            Mode::Fit | Mode::FitApply => Protocol::Snapshots { port: PORT, target: self.target.clone() },
        }
    }

    fn applies_earlier_model(&self) -> bool {
        self.mode == Mode::Apply
    }

    fn schemas(&self, inputs: &InputSchemas, _: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let features = inputs.one(PORT)?;
        let mut problems = self.features.columns(features).err().unwrap_or_default();
        problems.extend(self.target_problem(features));
        match design::entity(features, &OUTPUTS) {
            Ok(entity) if problems.is_empty() => Ok(vec![self.schema(entity, features)]),
            Ok(_) => Err(problems),
            // Without snapshots that is what the protocol complains of.
            Err(problem) => {
                problems.extend((!features.snapshots.is_empty()).then_some(problem));
                Err(problems)
            }
        }
    }

    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        design::memory_bytes_min(&self.features, inputs, self.mode)
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = inputs.earlier.take();
        let table = inputs.one(PORT)?;
        let schema = table.schema.clone();
        let entity = design::entity(&schema, &OUTPUTS).map_err(|problem| Failure::bug(problem.message))?;
        if self.mode == Mode::Apply {
            let model = Model::to_apply(earlier, self, &[])?;
            return self.apply(table, &entity, &model, context.run_date);
        }
        let columns = design::chosen(&self.features, &schema)?;
        let horizon_days = design::horizon_days(&schema, &self.target)?;
        let read = columns.iter().map(String::as_str).chain([self.target.as_str()]);
        let snapshots = Snapshots::read(table, &entity.name, read)?;
        let split = snapshots.split(&self.target, horizon_days, context.run_date)?;

        let train = snapshots.labelled(&split.train, &self.target)?;
        let trial = Fitted::fit(self, &train, &columns, horizon_days)?;
        context.cancel.check()?;
        let held = snapshots.labelled(&[split.evaluate], &self.target)?;
        let mut evaluation = Judged::new(&trial, &train, &held)?.evaluation(split.evaluate, context)?;
        context.cancel.check()?;

        let refit = snapshots.labelled(&split.refit, &self.target)?;
        let served = Fitted::fit(self, &refit, &columns, horizon_days)?;
        evaluation.facts.extend(facts::of_fit(&split, &train, &trial, &served));
        evaluation.charts.push(charts::coefficients(&served, &refit)?);
        let model = self.model(&served, &refit, &schema, context.run_date)?;
        let rows = snapshots.at(context.run_date)?;
        let scored = match self.mode {
            Mode::Fit => self.predictions(&entity.name, &rows.head(Some(0)), &served, &model)?,
            _ => self.predictions(&entity.name, &rows, &served, &model)?,
        };
        Ok(Outputs { tables: vec![scored], model: Some(model), evaluation: Some(evaluation), ..Outputs::default() })
    }
}

impl Linear {
    /// A label that is no number; that it is there and a label is for the protocol to check.
    fn target_problem(&self, features: &TableSchema) -> Option<Problem> {
        let column = features.column(&self.target).filter(|column| column.role != Role::Plain)?;
        let is_number = column.dtype.is_primitive_numeric() || matches!(column.dtype, DataType::Decimal(..));
        if is_number || self.mode == Mode::Apply {
            return None;
        }
        let message =
            format!("`{}` is {}, and what is predicted here is a number", self.target, type_name(&column.dtype));
        let problem = Problem::new(Code::WrongColumnType, message).at(["with", "target"]);
        Some(match column.dtype {
            DataType::Boolean => problem.help("`logistic` predicts what is true or false"),
            _ => problem,
        })
    }

    fn schema(&self, entity: Column, features: &TableSchema) -> TableSchema {
        let class = features.column(&self.target).map(|column| column.class).unwrap_or_default();
        let key = vec![entity.name.clone()];
        let [prediction, version] = OUTPUTS;
        let columns = vec![
            entity,
            Column::new(prediction, DataType::Float64).class(class),
            Column::new(version, DataType::String),
        ];
        TableSchema { columns, key, ..TableSchema::default() }
    }

    /// Scores the run date with a model of an earlier one.
    fn apply(&self, table: Table, entity: &Column, model: &Model, run_date: NaiveDate) -> Result<Outputs, Failure> {
        let fitted: Fitted = model.main()?;
        let needed = fitted.design.columns.iter().map(design::Encoding::name);
        let present: Vec<&str> = needed.filter(|name| table.schema.column(name).is_some()).collect();
        let rows = Snapshots::read(table, &entity.name, present)?.at(run_date)?;
        let scored = self.predictions(&entity.name, &rows, &fitted, model)?;
        Ok(Outputs { tables: vec![scored], ..Outputs::default() })
    }

    fn predictions(
        &self,
        entity: &str,
        rows: &DataFrame,
        fitted: &Fitted,
        model: &Model,
    ) -> Result<LazyFrame, Failure> {
        let [prediction, version] = OUTPUTS;
        let columns = vec![
            rows.column(entity)?.clone(),
            Series::new(prediction.into(), fitted.predictions(rows)?).into_column(),
            repeated(version, &model.version(), rows.height()),
        ];
        Ok(DataFrame::new(rows.height(), columns)?.lazy())
    }

    fn model(
        &self,
        fitted: &Fitted,
        rows: &DataFrame,
        features: &TableSchema,
        run_date: NaiveDate,
    ) -> Result<Model, Failure> {
        let [prediction, version] = OUTPUTS;
        let signature = Signature {
            kind: Linear::KIND.to_owned(),
            inputs: fitted.design.fields(),
            outputs: vec![Field::new(prediction, "float64"), Field::new(version, "string")],
            profile: profile::columns(rows, features)?,
            rows: rows.height(),
            parameters: parameters(self)?,
        };
        Model::new(run_date, signature, fitted)
    }
}
