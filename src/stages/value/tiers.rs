//! Customers in tiers by what they are worth, and what each tier is given.

mod assign;
mod groups;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use indexmap::IndexMap;
use polars::prelude::{DataFrame, DataType, IntoColumn, IntoLazy, NamedFrom, Series, col};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::assign::{By, Cut, Limit, Placed};
use self::groups::Group;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::files;
use crate::stages::ids::places;
use crate::stages::lineage::Reads;
use crate::stages::model::{Field, Model, Signature, parameters};
use crate::stages::ports::{self, Serves, of_run_date};
use crate::table::{Class, Column, Table, TableSchema, floats, type_name};

/// Puts customers into tiers by what they are worth, and says what each tier is given.
///
/// `tiers` go from the best to the last, which takes the `rest`. With `by: customers` each of the others has a share of
/// the customers (`platinum: 0.05` is the most valuable twentieth), with `by: value` a share of all value (those who
/// together have the first half of it: `platinum: 0.5`), with `by: threshold` the least value that belongs to it. Equal
/// values are in one tier, the better one. Who has no value (null) is in none.
///
/// From the second night on, a customer stays in last night's tier unless the value is beyond its limits by the margin
/// `hysteresis`, a share of the limit: 0.1 lets nobody rise whose value is less than a tenth above the limit, nor fall
/// whose value is less than a tenth below it. So tiers do not flip with every purchase, and shares are met nearly.
///
/// `groups` is the table of what is given to whom: the first row that fits tier and price sensitivity gives `service` and
/// `offer`. Price sensitivity is the column `level` of the table at `price_response`, such as `price_sensitivity` makes it.
///
/// The first output has a row for everyone with a row in `values`: `value`, `rank` (1 is the most valuable), `tier`,
/// `tier_rank` (1 is the best), `previous_tier`, `since` (the run date from which on the customer is in it),
/// `price_sensitivity`, `service`, `offer`. The second, `tiers`, has a row a tier.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// The column that names the customer, where the table at `values` does not say it.
    #[serde(default)]
    entity: Option<String>,
    /// The column of what customers are worth, such as `clv`.
    value: String,
    /// What the numbers of `tiers` are.
    #[serde(default)]
    by: By,
    /// The tiers from the best to the last: a name and a share or a least value; the last one is `rest`.
    #[schemars(length(min = 2, max = 20))]
    tiers: IndexMap<String, Limit>,
    /// By which share of a limit the value must be beyond it for a customer to leave last night's tier; 0 lets tiers
    /// follow every change.
    #[serde(default = "default_hysteresis")]
    #[schemars(range(min = 0, max = 0.9))]
    hysteresis: f64,
    /// What is given to whom; the first that fits.
    #[serde(default)]
    groups: Vec<Group>,
}

fn default_hysteresis() -> f64 {
    0.1
}

const VALUES: &str = "values";
const RESPONSE: &str = "price_response";
const LEVEL: &str = "level";
/// The table of a model: who was in which tier, since when.
const FILE: &str = "tiers.parquet";
/// The columns of the output after the entity.
const OUTPUTS: [&str; 9] =
    ["value", "rank", "tier", "tier_rank", "previous_tier", "since", "price_sensitivity", "service", "offer"];

impl StageConfig for Tiers {
    const KIND: &'static str = "tiers";
    const FAMILY: &'static str = "value";
}

impl Stage for Tiers {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(VALUES), InputPort::optional(RESPONSE)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["customers", "tiers"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = assign::problems(&self.tiers, self.by);
        let names: Vec<&str> = self.tiers.keys().map(String::as_str).collect();
        problems.extend(groups::problems(&self.groups, &names));
        problems
    }

    fn continues_model(&self) -> bool {
        true
    }

    fn reads(&self, inputs: &InputSchemas) -> Reads {
        let own = inputs.one(VALUES).ok().and_then(TableSchema::entity).map(|column| column.name.clone());
        let entity: Vec<String> = self.entity.clone().or(own).into_iter().collect();
        let with = |column: &str| entity.iter().cloned().chain([column.to_owned()]).collect();
        let columns = vec![(VALUES, with(&self.value)), (RESPONSE, with(LEVEL))];
        Reads { columns, passed: Some(entity.iter().map(|name| (VALUES, name.clone())).collect()) }
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let values = inputs.one(VALUES)?;
        let mut problems = Vec::new();
        let entity = self.entity_of(values, run_date).map_err(|problem| problems.push(problem)).ok();
        let serves = Serves { is: ports::is_number, needed: "a value is a number" };
        let value = ports::column(values, VALUES, &self.value, serves);
        let value = value.map_err(|problem| problems.push(problem.at(["with", "value"]))).ok();
        let response = inputs.many(RESPONSE).first().map(|(_, schema)| schema);
        if let Some(entity) = &entity {
            problems.extend(response.and_then(|schema| response_problem(schema, entity)));
        }
        if response.is_none() && self.groups.iter().any(Group::asks_for_sensitivity) {
            let message = format!("`groups` ask for price sensitivity, but there is no table at `{RESPONSE}`");
            problems.push(Problem::new(Code::MissingInput, message).at(["with", "groups"]));
        }
        let (Some(entity), Some(value), true) = (entity, value, problems.is_empty()) else { return Err(problems) };
        let level = response.and_then(|schema| schema.column(LEVEL)).map(|column| column.class).unwrap_or_default();
        Ok(vec![customers_schema(entity, value.class, level), tiers_schema(value.class)])
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = inputs.earlier.take().filter(|model| model.signature.kind == Tiers::KIND);
        let response = inputs.many(RESPONSE).pop().map(|named| named.table);
        let table = inputs.one(VALUES)?;
        let entity =
            self.entity_of(&table.schema, context.run_date).map_err(|problem| Failure::bug(problem.message))?;
        let rows = of_run_date(table, context.run_date)
            .select([col(entity.name.as_str()), col(self.value.as_str()).alias("value")])
            .filter(col(entity.name.as_str()).is_not_null())
            .sort([entity.name.as_str()], Default::default())
            .collect()?;
        let ids = rows.column(&entity.name)?.as_materialized_series().clone();
        if ids.n_unique()? < ids.len() {
            let message = format!("the table at `{VALUES}` has several rows of one `{}`", entity.name);
            return Err(Failure::data(message));
        }
        let values: Vec<Option<f64>> =
            floats(&rows, "value")?.into_iter().map(|value| Some(value).filter(|value| value.is_finite())).collect();
        let names: Vec<&str> = self.tiers.keys().map(String::as_str).collect();
        let before = earlier.as_ref().map(|model| before(model, &ids, &names)).transpose()?;
        let cuts = assign::cuts(&values, &self.tiers, self.by);
        let placed = assign::place(&values, &cuts, before.as_deref(), self.hysteresis, context.run_date);
        let levels = response.map(|table| levels(table, &entity.name, &ids, context.run_date)).transpose()?;
        let scene = Scene { stage: self, names, ids: &ids, values: &values, cuts, placed, levels };
        let customers = scene.customers(&entity.name)?;
        let model = scene.model(context, &entity)?;
        let night = earlier.as_ref().map(|model| model.run_date);
        Ok(Outputs {
            tables: vec![customers.lazy(), scene.tiers()?.lazy()],
            model: Some(model),
            evaluation: Some(report::evaluation(&scene, night)),
            ..Outputs::default()
        })
    }
}

impl Tiers {
    /// The customer as the output has it.
    fn entity_of(&self, values: &TableSchema, run_date: NaiveDate) -> Result<Column, Problem> {
        let name = match (&self.entity, values.entity()) {
            (Some(name), _) => name.as_str(),
            (None, Some(column)) => column.name.as_str(),
            (None, None) => {
                let message = format!("the table at `{VALUES}` does not say what names the customer");
                return Err(Problem::new(Code::MissingKey, message).help("say it with `entity`").at(["with"]));
            }
        };
        let found = ports::column(values, VALUES, name, ports::ID);
        let found = found.and_then(|column| ports::taken(name, &OUTPUTS).map_or(Ok(column), Err));
        let column = found.map_err(|problem| problem.at(["with", "entity"]))?;
        ports::no_snapshot(values, VALUES, run_date).map_or(Ok(column.clone()), Err)
    }
}

/// What keeps the table of responses from being used.
fn response_problem(schema: &TableSchema, entity: &Column) -> Option<Problem> {
    let level = Serves { is: |dtype| *dtype == DataType::String, needed: "it is one of low, medium, high and unknown" };
    let columns = [(entity.name.as_str(), ports::ID), (LEVEL, level)];
    let problem = columns.into_iter().find_map(|(name, serves)| ports::column(schema, RESPONSE, name, serves).err())?;
    let help = "feed it the first output of a `price_sensitivity` stage";
    Some(problem.help(help).at(["inputs", RESPONSE]))
}

/// In which tier each customer was, and since when.
fn before(model: &Model, ids: &Series, names: &[&str]) -> Result<Vec<Option<(usize, NaiveDate)>>, Failure> {
    let frame = files::from_parquet(model, FILE)?;
    let own = places(frame.column("entity")?.as_materialized_series(), ids)?;
    let mut before = vec![None; ids.len()];
    let rows = own.into_iter().zip(frame.column("tier")?.str()?.iter()).zip(frame.column("since")?.i32()?.iter());
    for ((place, tier), since) in rows {
        let tier = tier.and_then(|tier| names.iter().position(|name| *name == tier));
        let since = since.and_then(NaiveDate::from_epoch_days);
        if let (Some(slot), Some(tier), Some(since)) =
            (place.and_then(|place| before.get_mut(place as usize)), tier, since)
        {
            *slot = Some((tier, since));
        }
    }
    Ok(before)
}

/// How each customer responds to prices.
fn levels(table: Table, entity: &str, ids: &Series, run_date: NaiveDate) -> Result<Vec<Option<String>>, Failure> {
    let frame = of_run_date(table, run_date).select([col(entity), col(LEVEL)]).collect()?;
    let own = places(frame.column(entity)?.as_materialized_series(), ids)?;
    let mut levels = vec![None; ids.len()];
    for (place, level) in own.into_iter().zip(frame.column(LEVEL)?.str()?.iter()) {
        if let Some(slot) = place.and_then(|place| levels.get_mut(place as usize)) {
            *slot = level.map(str::to_owned);
        }
    }
    Ok(levels)
}

/// All that is known tonight.
pub struct Scene<'a> {
    pub stage: &'a Tiers,
    pub names: Vec<&'a str>,
    ids: &'a Series,
    pub values: &'a [Option<f64>],
    pub cuts: Vec<Cut>,
    pub placed: Vec<Placed>,
    /// Without a table of responses there are none.
    pub levels: Option<Vec<Option<String>>>,
}

impl Scene<'_> {
    pub fn level(&self, place: usize) -> Option<&str> {
        self.levels.as_ref()?.get(place)?.as_deref()
    }

    fn tier_name(&self, tier: Option<usize>) -> Option<&str> {
        self.names.get(tier?).copied()
    }

    /// What a customer is given.
    pub fn group(&self, place: usize) -> Option<&Group> {
        let tier = self.tier_name(self.placed.get(place)?.tier)?;
        self.stage.groups.iter().find(|group| group.fits(tier, self.level(place)))
    }

    fn customers(&self, entity: &str) -> Result<DataFrame, Failure> {
        let all = || self.placed.iter();
        let tiers: Vec<Option<&str>> = all().map(|own| self.tier_name(own.tier)).collect();
        let previous: Vec<Option<&str>> = all().map(|own| self.tier_name(own.before)).collect();
        let ranks: Vec<Option<i64>> = all().map(|own| own.tier.map(|tier| tier as i64 + 1)).collect();
        let since: Vec<Option<i32>> = all().map(|own| own.tier.map(|_| own.since.to_epoch_days())).collect();
        let of_group = |of: fn(&Group) -> Option<&str>| {
            (0..self.placed.len()).map(|place| self.group(place).and_then(of)).collect::<Vec<Option<&str>>>()
        };
        let levels: Vec<Option<&str>> = (0..self.placed.len()).map(|place| self.level(place)).collect();
        Ok(DataFrame::new_infer_height(vec![
            self.ids.clone().with_name(entity.into()).into_column(),
            Series::new("value".into(), self.values).into_column(),
            Series::new("rank".into(), assign::ranks(self.values)).into_column(),
            Series::new("tier".into(), tiers).into_column(),
            Series::new("tier_rank".into(), ranks).into_column(),
            Series::new("previous_tier".into(), previous).into_column(),
            Series::new("since".into(), since).cast(&DataType::Date)?.into_column(),
            Series::new("price_sensitivity".into(), levels).into_column(),
            Series::new("service".into(), of_group(|group| group.service.as_deref())).into_column(),
            Series::new("offer".into(), of_group(|group| group.offer.as_deref())).into_column(),
        ])?)
    }

    /// A row a tier.
    fn tiers(&self) -> Result<DataFrame, Failure> {
        let total: f64 = self.values.iter().flatten().sum();
        let sums = self.sums();
        let ranked = sums.iter().map(|sum| sum.customers).sum::<u64>().max(1) as f64;
        let limits: Vec<Option<f64>> =
            (0..self.names.len()).map(|tier| self.cuts.get(tier).map(|cut| cut.least)).collect();
        let counts = |of: fn(&Sum) -> u64| sums.iter().map(|sum| of(sum) as i64).collect::<Vec<_>>();
        let shares: Vec<f64> = sums.iter().map(|sum| sum.customers as f64 / ranked).collect();
        let values: Vec<f64> = sums.iter().map(|sum| sum.value).collect();
        let of_value: Vec<Option<f64>> = sums.iter().map(|sum| (total > 0.0).then(|| sum.value / total)).collect();
        Ok(DataFrame::new_infer_height(vec![
            Series::new("tier".into(), self.names.clone()).into_column(),
            Series::new("least_value".into(), limits).into_column(),
            Series::new("customers".into(), counts(|sum| sum.customers)).into_column(),
            Series::new("share".into(), shares).into_column(),
            Series::new("value".into(), values).into_column(),
            Series::new("share_of_value".into(), of_value).into_column(),
            Series::new("risen".into(), counts(|sum| sum.risen)).into_column(),
            Series::new("fallen".into(), counts(|sum| sum.fallen)).into_column(),
            Series::new("held".into(), counts(|sum| sum.held)).into_column(),
        ])?)
    }

    /// What is in each tier.
    pub fn sums(&self) -> Vec<Sum> {
        let mut sums = vec![Sum::default(); self.names.len()];
        for (own, value) in self.placed.iter().zip(self.values) {
            let Some(sum) = own.tier.and_then(|tier| sums.get_mut(tier)) else { continue };
            sum.customers += 1;
            sum.value += value.unwrap_or(0.0);
            sum.risen += u64::from(own.before.is_some_and(|before| Some(before) > own.tier));
            sum.fallen += u64::from(own.before.is_some_and(|before| Some(before) < own.tier));
            sum.held += u64::from(own.is_held);
        }
        sums
    }

    /// Tonight's tiers, for the next night.
    fn model(&self, context: &StageContext, entity: &Column) -> Result<Model, Failure> {
        let tiers: Vec<Option<&str>> = self.placed.iter().map(|own| self.tier_name(own.tier)).collect();
        let since: Vec<i32> = self.placed.iter().map(|own| own.since.to_epoch_days()).collect();
        let frame = DataFrame::new_infer_height(vec![
            self.ids.clone().with_name("entity".into()).into_column(),
            Series::new("tier".into(), tiers).into_column(),
            Series::new("since".into(), since).into_column(),
        ])?;
        let signature = Signature {
            kind: Tiers::KIND.to_owned(),
            inputs: vec![Field::new(&entity.name, type_name(&entity.dtype)), Field::new(&self.stage.value, "float64")],
            outputs: vec![Field::new("tier", "string")],
            profile: vec![],
            rows: self.ids.len(),
            parameters: parameters(self.stage)?,
        };
        let limits: BTreeMap<&str, f64> =
            self.names.iter().copied().zip(self.cuts.iter().map(|cut| cut.least)).collect();
        let mut model = Model::new(context.run_date, signature, &serde_json::json!({ "least_values": limits }))?;
        model.files.insert(FILE.to_owned(), files::to_parquet(frame)?);
        Ok(model)
    }
}

/// What is in a tier.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    pub customers: u64,
    pub value: f64,
    pub risen: u64,
    pub fallen: u64,
    /// Who would be in another one but for the margin.
    pub held: u64,
}

/// `worth` is the class of what customers are worth, `level` that of their price sensitivity.
fn customers_schema(entity: Column, worth: Class, level: Class) -> TableSchema {
    let key = vec![entity.name.clone()];
    let of = |name: &str| match name {
        "value" => (DataType::Float64, "what tiers are made by"),
        "rank" => (DataType::Int64, "place by value, 1 the most valuable; equal values have the same"),
        "tier" => (DataType::String, "the tier; null without a value"),
        "tier_rank" => (DataType::Int64, "place of the tier, 1 the best"),
        "previous_tier" => (DataType::String, "the tier on the night before"),
        "since" => (DataType::Date, "the run date from which on the customer is in the tier"),
        "price_sensitivity" => (DataType::String, "low, medium, high or unknown"),
        "service" => (DataType::String, "the service that tier and price sensitivity are given"),
        _ => (DataType::String, "the offer that tier and price sensitivity are given"),
    };
    let others = OUTPUTS.into_iter().map(|name| {
        let (dtype, described) = of(name);
        let class = match name {
            "price_sensitivity" => level,
            "service" | "offer" => worth.max(level),
            _ => worth,
        };
        Column::new(name, dtype).class(class).described(described)
    });
    TableSchema { columns: std::iter::once(entity).chain(others).collect(), key, ..TableSchema::default() }
}

fn tiers_schema(worth: Class) -> TableSchema {
    let column = |name: &str, dtype, described: &str| Column::new(name, dtype).class(worth).described(described);
    let number = |name, described| column(name, DataType::Float64, described);
    let count = |name, described| column(name, DataType::Int64, described);
    let columns = vec![
        column("tier", DataType::String, "the tier"),
        number("least_value", "the least value that belongs to it without hysteresis; null of the last"),
        count("customers", "customers in it"),
        number("share", "their share of all who are in a tier"),
        number("value", "their value together"),
        number("share_of_value", "its share of all value"),
        count("risen", "customers who have risen into it since the night before"),
        count("fallen", "customers who have fallen into it since the night before"),
        count("held", "customers who would be in another but for hysteresis"),
    ];
    TableSchema { columns, key: vec!["tier".to_owned()], ..TableSchema::default() }
}
