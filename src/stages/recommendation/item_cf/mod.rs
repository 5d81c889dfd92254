//! Item-based collaborative filtering.

pub mod holdout;
pub mod interactions;
pub mod lists;
mod neighbors;
#[cfg(test)]
mod tests;

use chrono::{Days, NaiveDate};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithms::item_cf::{self, ItemNeighbors};
use crate::algorithms::sparse::Csr;
use crate::config::Span;
use crate::metrics::evaluation::{Evaluation, Fact};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::model::{Field, Model, Profile, Signature};
use crate::stages::prediction::design::words;
use crate::stages::protocol::Protocol;
use crate::table::{Table, TableSchema, type_name};
use holdout::{BASELINE, HEADLINE, Holdout};
use interactions::{Events, Names, PORT};
use lists::{AsOf, OUTPUTS};
use neighbors::Neighbors;

/// Recommends items that the same users bought as those that a user has.
///
/// Two items are as similar as the cosine of their columns in the matrix of users × items, in which
/// a pair counts once, however often it was bought. Each item keeps its most similar `neighbors`; the
/// score of an item is the sum of its similarities to the items of the user (Sarwar et al. 2001).
///
/// The model is fitted on the events before the run date − `holdout` and judged by what users who
/// were known then did after it, beside popularity on the same users. Items that no one had bought
/// before the split cannot be recommended, and count as missed. The model that serves is then fitted
/// on all events before the run date.
///
/// The output `recommendations` has rows as of the split (from the model that was judged, so
/// `model_version` is null) and as of the run date, each with `rank` from 1, the item and its
/// `score`. Users for whom nothing is left to recommend have no rows. With `mode: apply` there are
/// rows as of the run date only, since the earlier model may have seen what followed the split.
///
/// The work grows with the sum over users of the squared number of their items; above five
/// thousand million the stage refuses to start.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemCf {
    /// The column that names who acts, such as `customer_id`.
    #[schemars(length(min = 1))]
    user: String,
    /// The column that names what is recommended, such as `product_id`.
    #[schemars(length(min = 1))]
    item: String,
    /// The events' time; the table's event time.
    #[schemars(length(min = 1))]
    time: String,
    /// How alike two items are.
    #[serde(default)]
    similarity: Similarity,
    /// How many similar items each item keeps.
    #[serde(default = "default_neighbors")]
    #[schemars(range(min = 1, max = 1000))]
    neighbors: u32,
    /// How long before the run date the split lies.
    holdout: Span,
    /// How many items each user gets.
    #[serde(default = "default_top")]
    #[schemars(range(min = 1, max = 1000))]
    top: u32,
    /// Never recommend what the user already has.
    #[serde(default = "default_exclude_seen")]
    exclude_seen: bool,
    /// Added to the denominator of each similarity; holds back pairs with few users in common.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    shrinkage: f64,
    /// Whether to fit, to apply a model of an earlier run date, or both.
    #[serde(default)]
    mode: Mode,
}

/// How alike two items are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// Users in common, over the geometric mean of the users of each.
    #[default]
    Cosine,
}

/// What a run does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Fits, evaluates, and recommends with the model of this night.
    #[default]
    FitApply,
    /// Fits and evaluates; the output has no rows.
    Fit,
    /// Recommends with the newest model of an earlier run date.
    Apply,
}

fn default_neighbors() -> u32 {
    100
}

fn default_top() -> u32 {
    10
}

fn default_exclude_seen() -> bool {
    true
}

/// The most multiplications: some 20 seconds on one core.
const COST_MAX: u64 = 5_000_000_000;

/// The main file of a model; the neighbors are beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Card {
    similarity: Similarity,
    shrinkage: f64,
    neighbors: u32,
    users: usize,
    items: usize,
    /// Distinct pairs of user and item.
    interactions: usize,
}

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
        for (option, value) in [("neighbors", self.neighbors), ("top", self.top)] {
            if !(1..=1000).contains(&value) {
                problems.push(Problem::new(Code::BadValue, format!("{value} is not from 1 to 1000")).at(["with", option]));
            }
        }
        if !(self.shrinkage >= 0.0 && self.shrinkage.is_finite()) {
            let message = format!("expected a number of at least 0, found {}", self.shrinkage);
            problems.push(Problem::new(Code::BadValue, message).at(["with", "shrinkage"]));
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
        let problems = self.names().problems(interactions, &OUTPUTS);
        if problems.is_empty() { Ok(vec![self.schema(interactions, run_date)]) } else { Err(problems) }
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = inputs.earlier.take();
        let table = inputs.one(PORT)?;
        let schema = table.schema.clone();
        let events = Events::read(table, self.names(), context.run_date)?;
        if self.mode == Mode::Apply {
            let model = earlier.ok_or_else(|| Failure::bug("no earlier model was handed over"))?;
            return self.apply(events, &model, context);
        }
        let all = events.before(context.run_date)?;
        affordable(&all)?;
        let split = self.split(context.run_date).ok_or_else(|| Failure::bug("the hold-out reaches before the calendar"))?;
        let held = Holdout::new(&events, split, self.exclude_seen)?;
        let top = self.top as usize;
        let judged = self.lists(&held.known, &self.fit(&held.known), Holdout::longest(top));
        context.cancel.check()?;
        let served = self.fit(&all);
        let mut evaluation = self.evaluation(&held, &judged, context)?;
        evaluation.facts = self.facts(&held, &all, context.run_date);
        context.cancel.check()?;
        let model = self.model(&events, &all, &served, &schema, context.run_date)?;
        let version = model.version();
        let now = if self.mode == Mode::Fit { vec![] } else { self.lists(&all, &served, top) };
        let parts = [
            AsOf { moment: split, lists: &judged, version: None },
            AsOf { moment: context.run_date, lists: &now, version: Some(&version) },
        ];
        let parts = if self.mode == Mode::Fit { &[][..] } else { &parts[..] };
        let table = lists::frame(self.names(), &events.users, &events.items, parts, top)?;
        Ok(Outputs { tables: vec![table], model: Some(model), evaluation: Some(evaluation) })
    }
}

impl ItemCf {
    fn names(&self) -> Names<'_> {
        Names { user: &self.user, item: &self.item, time: &self.time }
    }

    fn split(&self, run_date: NaiveDate) -> Option<NaiveDate> {
        run_date.checked_sub_days(Days::new(u64::from(self.holdout.in_days())))
    }

    fn schema(&self, interactions: &TableSchema, run_date: NaiveDate) -> TableSchema {
        let snapshots = match self.mode {
            Mode::FitApply => self.split(run_date).into_iter().chain([run_date]).collect(),
            Mode::Fit => vec![],
            Mode::Apply => vec![run_date],
        };
        lists::schema(self.names(), interactions, snapshots)
    }

    fn fit(&self, interactions: &Csr) -> ItemNeighbors {
        item_cf::fit(interactions, self.neighbors as usize, self.shrinkage)
    }

    fn lists(&self, interactions: &Csr, neighbors: &ItemNeighbors, top: usize) -> Vec<holdout::List> {
        item_cf::recommend(interactions, neighbors, 0..interactions.rows(), top, self.exclude_seen)
    }

    /// Recommends as of the run date with a model of an earlier one.
    fn apply(&self, events: Events, model: &Model, context: &StageContext) -> Result<Outputs, Failure> {
        let file = model.files.get(neighbors::FILE).ok_or_else(|| Failure::data("the earlier model has no neighbors; fit it again"))?;
        let (events, neighbors) = Neighbors::from_parquet(file)?.joined(events)?;
        let all = events.before(context.run_date)?;
        let found = neighbors::recommend(&all, &neighbors, self.top as usize, self.exclude_seen);
        let version = model.version();
        let parts = [AsOf { moment: context.run_date, lists: &found, version: Some(&version) }];
        let table = lists::frame(self.names(), &events.users, &events.items, &parts, self.top as usize)?;
        Ok(Outputs { tables: vec![table], ..Outputs::default() })
    }

    fn evaluation(&self, held: &Holdout, judged: &[holdout::List], context: &StageContext) -> Result<Evaluation, Failure> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
        Ok(Evaluation {
            target: self.item.clone(),
            model: format!("item-based collaborative filtering, {} neighbors", self.neighbors),
            baseline: BASELINE.to_owned(),
            headline: HEADLINE.to_owned(),
            measures: held.measures(judged, self.top as usize, &mut rng, &context.cancel)?,
            facts: vec![],
            charts: vec![],
        })
    }

    fn facts(&self, held: &Holdout, all: &Csr, run_date: NaiveDate) -> Vec<Fact> {
        let users = |matrix: &Csr| (0..matrix.rows()).filter(|user| !matrix.row(*user).0.is_empty()).count();
        let (known_users, relevant) = (users(&held.known), held.relevant());
        let density = held.known.entries() as f64 / (known_users as f64 * held.items as f64);
        let new = if self.exclude_seen { "new to them " } else { "" };
        vec![
            Fact::new("evaluated on", format!("{} users, from {} until before {run_date}", words::count(held.users.len()), held.split)),
            Fact::new("to be found", format!("{} items {new}that these users then had", words::count(relevant))),
            Fact::new(
                "items unknown before the split",
                format!("{} of these ({}); none can be recommended, and they count as missed", words::count(held.unknown), words::percent(held.unknown as f64 / relevant as f64)),
            ),
            Fact::new(
                "trained on",
                format!(
                    "events before {}: {} pairs of {} users and {} items, {:.3} % of all pairs",
                    held.split,
                    words::count(held.known.entries()),
                    words::count(known_users),
                    words::count(held.items),
                    100.0 * density
                ),
            ),
            Fact::new(
                "served model",
                format!("a refit on all events before {run_date} ({} pairs), not the one evaluated here", words::count(all.entries())),
            ),
        ]
    }

    fn model(&self, events: &Events, all: &Csr, served: &ItemNeighbors, schema: &TableSchema, run_date: NaiveDate) -> Result<Model, Failure> {
        let field = |name: &String| schema.column(name).map(|column| Field::new(name, type_name(&column.dtype)));
        let per_user = (0..all.rows()).map(|user| all.row(user).0.len() as f64);
        let signature = Signature {
            kind: ItemCf::KIND.to_owned(),
            inputs: [&self.user, &self.item, &self.time].into_iter().filter_map(field).collect(),
            outputs: lists::fields(&self.schema(schema, run_date)),
            profile: vec![Profile::of_numbers("items_per_user", per_user)],
            rows: all.entries(),
            parameters: serde_json::to_value(self).map_err(|error| Failure::bug(error.to_string()))?,
        };
        let card = Card {
            similarity: self.similarity,
            shrinkage: self.shrinkage,
            neighbors: self.neighbors,
            users: events.users.len(),
            items: events.items.len(),
            interactions: all.entries(),
        };
        let mut model = Model::new(run_date, signature, &card)?;
        model.files.insert(neighbors::FILE.to_owned(), neighbors::to_parquet(served, &events.items)?);
        Ok(model)
    }
}

/// Refuses what would take too long, before it begins.
fn affordable(interactions: &Csr) -> Result<(), Failure> {
    let cost = item_cf::cost(interactions);
    if cost <= COST_MAX {
        return Ok(());
    }
    let most = (0..interactions.rows()).map(|user| interactions.row(user).0.len()).max().unwrap_or(0);
    Err(Failure::TooLarge(format!(
        "comparing items takes {} multiplications (the sum over users of their items squared; one user has {} items), \
         and the limit is {}: leave out users with implausibly many items, or older events, in a query before",
        words::count(cost as usize),
        words::count(most),
        words::count(COST_MAX as usize)
    )))
}
