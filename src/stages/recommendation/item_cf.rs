use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use polars::prelude::{Column as Values, DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::holdout::{self, Judged};
use super::interactions::Interactions;
use super::neighbors;
use crate::algorithms::item_cf::{self, ItemNeighbors};
use crate::algorithms::sparse::Csr;
use crate::config::Span;
use crate::format;
use crate::metrics::evaluation::{Evaluation, Fact};
use crate::metrics::profile::ColumnProfile;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
use crate::stages::protocol::Protocol;
use crate::table::{AS_OF, Column, TableSchema, midnight_us, type_name};

/// Item-based collaborative filtering: recommends what is bought by the same customers as what a
/// customer has bought.
///
/// The similarity of two items is the cosine of their columns in the customer × item matrix, whose
/// entries are 1 where the customer bought the item, however often. An item keeps its `neighbors`
/// most similar ones. A customer's score for an item is the sum of its similarities to the items
/// that the customer has bought. Source: Sarwar et al. 2001, Deshpande and Karypis 2004.
///
/// It is fitted on what happened before run date − `holdout`, judged on what followed beside
/// popularity, by the first 5, 10 and 20 of each list as far as `top` reaches, then fitted on everything
/// before the run date and served. The output has both moments, so that what is learned at the split
/// can be used by a later stage; only the run date's rows are published. Customers without a purchase
/// have no rows.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemCf {
    /// The column that names the user.
    user: String,
    /// The column that names the item.
    item: String,
    /// The event time.
    time: String,
    /// How alike two items are.
    #[serde(default)]
    similarity: Similarity,
    /// How many similar items each item keeps.
    #[serde(default = "default_neighbors")]
    #[schemars(range(min = 1, max = 10_000))]
    neighbors: usize,
    /// Added to the denominator of the cosine: holds back pairs with little evidence.
    #[serde(default)]
    #[schemars(range(min = 0))]
    shrinkage: f64,
    /// How much of the newest past is held out to judge by.
    holdout: Span,
    /// How many items each user gets.
    #[serde(default = "default_top")]
    #[schemars(range(min = 1, max = 1000))]
    top: usize,
    /// Leave out what the user has interacted with already.
    #[serde(default = "default_exclude_seen")]
    exclude_seen: bool,
    /// Fit and apply, only fit, or apply the newest model of an earlier run date.
    #[serde(default)]
    mode: Mode,
}

/// How alike two items are.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Similarity {
    /// The cosine of the angle between their columns.
    #[default]
    Cosine,
}

fn default_neighbors() -> usize {
    100
}

fn default_top() -> usize {
    10
}

fn default_exclude_seen() -> bool {
    true
}

/// Multiplications above which fitting is refused: minutes of work.
const COST_MAX: u64 = 200_000_000_000;
const PORT: &str = "interactions";
const NEIGHBORS: &str = "neighbors.parquet";

/// The main file of the model; the lists are in `neighbors.parquet`.
#[derive(Serialize, Deserialize)]
struct Fitted {
    items: usize,
    parameters: serde_json::Value,
}

/// The parameters that say how users are served and how lists are judged, and nothing of fitting.
const SERVING: [&str; 3] = ["holdout", "top", "exclude_seen"];

impl StageConfig for ItemCf {
    const KIND: &'static str = "item_cf";
    const FAMILY: &'static str = "recommendation";
}

impl Stage for ItemCf {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["recommendations"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (option, name) in [("user", &self.user), ("item", &self.item)] {
            if [AS_OF, "rank", "score", "model_version"].contains(&name.as_str()) {
                let message = format!("`{name}` is also the name of a column of the output");
                problems.push(Problem::new(Code::DuplicateId, message).at(["with", option]));
            }
        }
        if self.user == self.item {
            problems.push(Problem::new(Code::DuplicateId, "user and item are one column").at(["with", "item"]));
        }
        problems
    }

    fn protocol(&self) -> Protocol {
        Protocol::Holdout { port: PORT, time: self.time.clone(), days: self.holdout.in_days() }
    }

    fn applies_earlier_model(&self) -> bool {
        self.mode == Mode::Apply
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let interactions = inputs.one(PORT)?;
        let mut problems = Vec::new();
        let mut ids = Vec::new();
        for (option, name) in [("user", &self.user), ("item", &self.item)] {
            match interactions.column(name) {
                None => {
                    let problem =
                        Problem::new(Code::UnknownColumn, format!("the table at `{PORT}` has no column `{name}`"));
                    problems.push(problem.nearest(name, interactions.names()).at(["with", option]));
                }
                Some(column) if column.dtype.is_integer() || column.dtype == DataType::String => {
                    ids.push(column.clone())
                }
                Some(column) => {
                    let message = format!("`{name}` is {}; an id is a whole number or text", type_name(&column.dtype));
                    problems.push(Problem::new(Code::WrongColumnType, message).at(["with", option]));
                }
            }
        }
        let [user, item] = ids.as_slice() else { return Err(problems) };
        if !problems.is_empty() {
            return Err(problems);
        }
        let columns = vec![
            user.clone(),
            Column::new(AS_OF, DataType::Date),
            Column::new("rank", DataType::Int64),
            item.clone(),
            Column::new("score", DataType::Float64),
            Column::new("model_version", DataType::String),
        ];
        let split = self.split(run_date).filter(|_| self.mode == Mode::FitApply);
        let snapshots = split.into_iter().chain([run_date]).collect();
        let key = vec![self.user.clone(), AS_OF.to_owned(), "rank".to_owned()];
        Ok(vec![TableSchema { columns, key, event_time: None, snapshots, fixed: false }])
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = match self.mode {
            Mode::Apply => Some(Model::to_apply(inputs.earlier.take(), self, &SERVING)?),
            Mode::Fit | Mode::FitApply => None,
        };
        let table = inputs.one(PORT)?;
        let dtypes = self.id_types(&table.schema);
        let interactions = Interactions::read(table, &self.user, &self.item, &self.time)?;
        context.cancel.check()?;
        let now = interactions.before(context.run_date)?;
        let mut outputs = Outputs { profile: interactions.profile(&now), ..Outputs::default() };
        let mut parts = Vec::new();
        let (neighbors, version) = match earlier {
            Some(model) => {
                let bytes = model.files.get(NEIGHBORS).map(Vec::as_slice).unwrap_or_default();
                (neighbors::from_parquet(bytes, &interactions.items)?, model.version())
            }
            None => {
                affordable(&now)?;
                let neighbors = item_cf::fit(&now, self.neighbors, self.shrinkage);
                context.cancel.check()?;
                let model = self.model(&neighbors, &interactions, dtypes, &outputs.profile, context.run_date)?;
                let version = model.version();
                outputs.model = Some(model);
                let (at_split, evaluation) = self.judge(&interactions, context)?;
                outputs.evaluation = evaluation;
                parts.extend(at_split);
                (neighbors, version)
            }
        };
        context.cancel.check()?;
        let lists = item_cf::recommend(&now, &neighbors, 0..now.rows(), self.top, self.exclude_seen);
        parts.push((context.run_date, lists));
        if self.mode == Mode::Fit {
            parts.clear();
        }
        outputs.tables = vec![self.frame(&interactions, &parts, context.run_date, &version)?.lazy()];
        Ok(outputs)
    }
}

/// A moment and, for each user, the recommended items with their scores.
type Lists = (NaiveDate, Vec<Vec<(u32, f64)>>);

impl ItemCf {
    fn split(&self, run_date: NaiveDate) -> Option<NaiveDate> {
        run_date.checked_sub_days(Days::new(u64::from(self.holdout.in_days())))
    }

    /// Fits before the split and judges after it.
    fn judge(
        &self,
        interactions: &Interactions,
        context: &StageContext,
    ) -> Result<(Option<Lists>, Option<Evaluation>), Failure> {
        let Some(split) = self.split(context.run_date) else { return Ok((None, None)) };
        let before = interactions.before(split)?;
        let after = interactions.between(split, context.run_date)?;
        let neighbors = item_cf::fit(&before, self.neighbors, self.shrinkage);
        let lists = item_cf::recommend(&before, &neighbors, 0..before.rows(), self.top, self.exclude_seen);
        let count = |number: usize| format::thousands(number as u64);
        let facts = vec![
            Fact::new("split", format!("{split}: fitted before, judged after")),
            Fact::new(
                "interactions",
                format!(
                    "{} rows, {} user–item pairs before the split",
                    count(interactions.len()),
                    count(before.entries())
                ),
            ),
            Fact::new(
                "users and items",
                format!("{} and {}", count(interactions.users.len()), count(interactions.items.len())),
            ),
            Fact::new("neighbors", format!("{} an item, cosine", count(self.neighbors))),
        ];
        let judged = Judged {
            model: "item-based collaborative filtering",
            item: &self.item,
            before: &before,
            after: &after,
            recommended: lists.iter().map(|list| list.iter().map(|(item, _)| *item).collect()).collect(),
            top: self.top,
            exclude_seen: self.exclude_seen,
            seed: context.seed,
        };
        let evaluation = Some(holdout::evaluate(&judged, facts));
        Ok((Some((split, lists)), evaluation))
    }

    /// Type names of user, item and time.
    fn id_types(&self, schema: &TableSchema) -> [String; 3] {
        [&self.user, &self.item, &self.time]
            .map(|name| schema.column(name).map(|column| type_name(&column.dtype)).unwrap_or_default())
    }

    fn model(
        &self,
        neighbors: &ItemNeighbors,
        interactions: &Interactions,
        dtypes: [String; 3],
        profile: &[ColumnProfile],
        run_date: NaiveDate,
    ) -> Result<Model, Failure> {
        let [user, item, time] = dtypes;
        let signature = Signature {
            kind: Self::KIND.to_owned(),
            inputs: vec![Field::new(&self.user, &user), Field::new(&self.item, &item), Field::new(&self.time, time)],
            outputs: vec![
                Field::new(&self.user, user),
                Field::new("rank", "int64"),
                Field::new(&self.item, item),
                Field::new("score", "float64"),
            ],
            profile: profile.to_vec(),
            rows: interactions.len(),
            parameters: parameters(self)?,
        };
        let fitted = Fitted { items: neighbors.items(), parameters: signature.parameters.clone() };
        let mut model = Model::new(run_date, signature, &fitted)?;
        model
            .files
            .extend(BTreeMap::from([(NEIGHBORS.to_owned(), neighbors::to_parquet(neighbors, &interactions.items)?)]));
        Ok(model)
    }

    /// One row a recommendation, by user, moment and rank; only `served` has a version.
    fn frame(
        &self,
        interactions: &Interactions,
        parts: &[Lists],
        served: NaiveDate,
        version: &str,
    ) -> Result<DataFrame, Failure> {
        let (mut users, mut items) = (Vec::new(), Vec::new());
        let (mut days, mut ranks, mut scores, mut versions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for user in 0..interactions.users.len() {
            for (moment, lists) in parts {
                let day = i32::try_from(midnight_us(*moment) / 86_400_000_000).unwrap_or_default();
                for (rank, (item, score)) in (1i64..).zip(lists.get(user).into_iter().flatten()) {
                    users.push(user as u32);
                    items.push(*item);
                    days.push(day);
                    ranks.push(rank);
                    scores.push(*score);
                    // What was fitted before the split only judges; it is not a version that serves.
                    versions.push((*moment == served).then_some(version));
                }
            }
        }
        let wide = |ids: &Series, rows: &[u32], name: &str| -> Result<Values, Failure> {
            Ok(ids.take_slice(rows)?.with_name(name.into()).into_column())
        };
        Ok(DataFrame::new_infer_height(vec![
            wide(&interactions.users, &users, &self.user)?,
            Series::new(AS_OF.into(), days).cast(&DataType::Date)?.into_column(),
            Series::new("rank".into(), ranks).into_column(),
            wide(&interactions.items, &items, &self.item)?,
            Series::new("score".into(), scores).into_column(),
            Series::new("model_version".into(), versions).into_column(),
        ])?)
    }
}

/// Refuses beforehand what would take too long.
fn affordable(interactions: &Csr) -> Result<(), Failure> {
    let cost = item_cf::cost(interactions);
    if cost <= COST_MAX {
        return Ok(());
    }
    Err(Failure::TooLarge(format!(
        "comparing items takes {} multiplications, more than the {} allowed: a few users have very many items; filter them out before",
        format::thousands(cost),
        format::thousands(COST_MAX),
    )))
}

#[cfg(test)]
mod tests;
