//! A kind that recommends: all that does not depend on how it does so.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, IntoLazy};
use serde::Serialize;

use super::beside::{self, AsOf, Beside};
use super::history::History;
use super::interactions::{Columns, Interactions};
use super::judge::{self, Judged};
use super::limits::within_memory;
use super::lists::{self, Layout, Lists};
use super::options::{Evaluate, HasOptions, Options, SERVING};
use super::probability::{self, Chances};
use super::serve;
use super::trial::{self, Split, Trial};
use crate::algorithms::wanted::Wanted;
use crate::metrics::evaluation::{Evaluation, Fact};
use crate::metrics::profile::ColumnProfile;
use crate::problem::Problem;
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, StageConfig, StageContext};
use crate::stages::lineage::Reads;
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
use crate::stages::ports::{self, Serves};
use crate::stages::protocol::Protocol;
use crate::stages::watch;
use crate::table::{Column, TableSchema, type_name};

/// The port of the interactions.
pub const PORT: &str = "interactions";

/// Items and scores, best first, for each user.
pub type Scored = Vec<Vec<(u32, f64)>>;

/// What is known as of a moment, and who is to be served.
pub struct Scene<'a> {
    pub interactions: &'a Interactions,
    pub moment: NaiveDate,
    /// What is learned from.
    pub known: &'a History,
    /// What those who are served have.
    pub histories: &'a History,
    /// Whether these are the same users: row u of both is one user.
    pub is_own: bool,
    /// What the other tables say at the moment.
    pub as_of: &'a AsOf,
}

/// How a kind recommends, and what it says of it.
pub trait Recommender: StageConfig + Serialize + HasOptions {
    /// What is learned from the interactions.
    type Fitted: Send + Sync;

    /// The model in words, such as `item-based collaborative filtering`.
    fn name(&self) -> String;

    /// What is wrong with its own parameters, placed under `with`.
    fn own_problems(&self) -> Vec<Problem> {
        vec![]
    }

    /// What its own parameters find wrong with the tables.
    fn table_problems(&self, _inputs: &InputSchemas) -> Vec<Problem> {
        vec![]
    }

    /// The schemas of further tables that it gives.
    fn more_schemas(&self, _user: &Column, _item: &Column) -> Vec<TableSchema> {
        vec![]
    }

    /// Those tables, of what is served.
    fn more_tables(&self, _fitted: &Self::Fitted, _interactions: &Interactions) -> Result<Vec<DataFrame>, Failure> {
        Ok(vec![])
    }

    /// Bytes that a fit of so many users, items and pairs takes beside them, where that is more than they take.
    fn fit_bytes(&self, _users: usize, _items: usize, _pairs: usize) -> u64 {
        0
    }

    /// Learns.
    fn fit(&self, scene: &Scene<'_>, context: &StageContext) -> Result<Self::Fitted, Failure>;

    /// The best `count` items of each user, and no others.
    fn recommend(
        &self,
        fitted: &Self::Fitted,
        scene: &Scene<'_>,
        count: usize,
        wanted: &Wanted<'_>,
    ) -> Result<Scored, Failure>;

    /// For each item on the lists, the user's own item that most speaks for it.
    fn because(
        &self,
        fitted: &Self::Fitted,
        scene: &Scene<'_>,
        lists: &[Vec<(u32, f64)>],
    ) -> Result<Vec<Vec<Option<u32>>>, Failure>;

    /// What a reader must know of a fit.
    fn facts(&self, fitted: &Self::Fitted, scene: &Scene<'_>) -> Result<Vec<Fact>, Failure>;

    /// The files of the model beside those that every model has.
    fn files(&self, fitted: &Self::Fitted, interactions: &Interactions) -> Result<BTreeMap<String, Vec<u8>>, Failure>;

    /// The model of these files for the users and items of this night.
    fn load(&self, model: &Model, scene: &Scene<'_>, context: &StageContext) -> Result<Self::Fitted, Failure>;
}

pub fn inputs(required: &[&'static str]) -> Vec<InputPort> {
    let other = beside::PORTS.into_iter().map(|port| match required.contains(&port.name) {
        true => InputPort::one(port.name),
        false => port,
    });
    std::iter::once(InputPort::one(PORT)).chain(other).collect()
}

pub fn check<R: Recommender>(stage: &R) -> Vec<Problem> {
    let options = stage.options();
    let mut problems = lists::name_problems(options.user, options.item);
    problems.extend(options.check());
    problems.extend(stage.own_problems());
    problems
}

pub fn protocol(options: &Options<'_>) -> Protocol {
    let Some(time) = options.time else { return Protocol::None };
    let holdout = options.holdout.filter(|_| options.evaluate == Evaluate::Time);
    let days = holdout.map_or(0, |holdout| holdout.in_days());
    Protocol::Holdout { port: PORT, time: time.to_owned(), days, tonight: &[beside::STOCK] }
}

pub fn schemas<R: Recommender>(
    stage: &R,
    inputs: &InputSchemas,
    run_date: NaiveDate,
) -> Result<Vec<TableSchema>, Vec<Problem>> {
    let options = stage.options();
    let interactions = inputs.one(PORT)?;
    let mut problems = Vec::new();
    let user = id_column(interactions, "user", options.user, &mut problems);
    let item = id_column(interactions, "item", options.item, &mut problems);
    if let Some(order) = options.order {
        id_column(interactions, "order", order, &mut problems);
    }
    if let Some(weight) = options.weight {
        problems.extend(weight_problem(interactions, weight));
    }
    let moments = moments(&options, run_date);
    problems.extend(beside::problems(inputs, &options, &moments));
    problems.extend(stage.table_problems(inputs));
    match (user, item) {
        (Some(user), Some(item)) if problems.is_empty() => {
            let more = stage.more_schemas(&user, &item);
            let first = lists::schema(user.clone(), item.clone(), options.probability, moments);
            Ok(std::iter::once(first).chain(more).collect())
        }
        _ => Err(problems),
    }
}

/// The columns of the interactions; of the tables beside them all may be read.
pub fn reads(options: &Options<'_>) -> Reads {
    let others = [options.time, options.order, options.weight].into_iter().flatten();
    let columns = [options.user, options.item].into_iter().chain(others).map(str::to_owned).collect();
    let ids =
        [(PORT, options.user), (beside::USERS, options.user), (PORT, options.item), (beside::ITEMS, options.item)];
    Reads { columns: vec![(PORT, columns)], passed: Some(ids.map(|(port, name)| (port, name.to_owned())).to_vec()) }
}

/// The moments of the output, ascending.
fn moments(options: &Options<'_>, run_date: NaiveDate) -> Vec<NaiveDate> {
    let before = if options.mode == Mode::FitApply { trial::splits(options, run_date) } else { vec![] };
    before.into_iter().chain([run_date]).collect()
}

fn id_column(schema: &TableSchema, option: &'static str, name: &str, problems: &mut Vec<Problem>) -> Option<Column> {
    let found = ports::column(schema, PORT, name, ports::ID).map_err(|problem| problem.at(["with", option]));
    found.map_err(|problem| problems.push(problem)).ok().cloned()
}

fn weight_problem(schema: &TableSchema, name: &str) -> Option<Problem> {
    let serves = Serves { is: ports::is_number, needed: "a weight is a number" };
    ports::column(schema, PORT, name, serves).err().map(|problem| problem.at(["with", "weight"]))
}

/// All that a run works with.
struct Work<'a, R> {
    stage: &'a R,
    options: Options<'a>,
    interactions: &'a Interactions,
    beside: &'a Beside,
    context: &'a StageContext,
}

pub fn run<R: Recommender>(stage: &R, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
    let options = stage.options();
    let earlier = match options.mode {
        Mode::Apply => Some(Model::to_apply(inputs.earlier.take(), stage, SERVING)?),
        Mode::Fit | Mode::FitApply => None,
    };
    let beside = Beside::read(&mut inputs, &options)?;
    let table = inputs.one(PORT)?;
    let dtypes = dtypes(&table.schema, &options);
    let interactions = Interactions::read(
        table,
        &Columns {
            user: options.user,
            item: options.item,
            time: options.time,
            order: options.order,
            weight: options.weight,
        },
        context.run_date,
        beside.ids(beside::USERS, options.user)?,
        beside.ids(beside::ITEMS, options.item)?,
    )?;
    context.cancel.check()?;
    within_memory(stage, &interactions, inputs.memory_bytes)?;
    let work = Work { stage, options, interactions: &interactions, beside: &beside, context };
    let mut outputs = Outputs::default();
    let mut parts = Vec::new();
    let mut chances = None;
    if earlier.is_none() {
        (parts, outputs.evaluation, chances) = work.judge()?;
        context.cancel.check()?;
    }
    let now = Trial::now(&interactions, &options, context.run_date)?;
    outputs.profile = now.known.profile(&interactions);
    let as_of = work.as_of(&now)?;
    let scene = work.scene(&now, &as_of);
    let (fitted, version) = match &earlier {
        Some(model) => {
            same_ids(model, &options, &dtypes)?;
            chances = probability::load(model, options.probability)?;
            (stage.load(model, &scene, context)?, model.version())
        }
        None => {
            let fitted = stage.fit(&scene, context)?;
            let model = work.model(&fitted, chances.as_ref(), &outputs.profile, dtypes)?;
            let version = model.version();
            outputs.model = Some(model);
            (fitted, version)
        }
    };
    context.cancel.check()?;
    if options.mode == Mode::Fit {
        parts.clear();
    } else {
        let mut served = serve::lists(stage, &fitted, &scene, &now, true)?;
        if let Some(chances) = &chances {
            chances.apply(&mut served, &now);
        }
        if let Some(evaluation) = &mut outputs.evaluation {
            evaluation.facts.extend(serve::facts(&scene, &now, &served, &options)?);
            evaluation.facts.extend(beside.fact());
            let is_empty = served.of_users.iter().all(Vec::is_empty) && interactions.len() > 0;
            evaluation.warnings.extend(is_empty.then(|| watch::nothing_served(context.run_date)));
            let lacks_chances = options.probability && chances.is_none();
            evaluation.watch.extend(lacks_chances.then(watch::no_probabilities));
        }
        parts.push(served);
    }
    let layout = Layout {
        user: options.user,
        item: options.item,
        with_probability: options.probability,
        served: context.run_date,
        version: &version,
    };
    outputs.tables = vec![lists::frame(&interactions, &parts, &layout)?.lazy()];
    outputs.tables.extend(stage.more_tables(&fitted, &interactions)?.into_iter().map(IntoLazy::lazy));
    Ok(outputs)
}

/// The lists at the splits, how they were judged, and the probabilities that were learned from them.
type Outcome = (Vec<Lists>, Option<Evaluation>, Option<Chances>);

impl<R: Recommender> Work<'_, R> {
    fn as_of(&self, trial: &Trial) -> Result<AsOf, Failure> {
        self.beside.as_of(trial.moment, self.context.run_date, self.interactions, &self.options)
    }

    fn scene<'b>(&'b self, trial: &'b Trial, as_of: &'b AsOf) -> Scene<'b> {
        Scene {
            interactions: self.interactions,
            moment: trial.moment,
            known: &trial.known,
            histories: trial.histories(),
            is_own: trial.is_own(),
            as_of,
        }
    }

    /// Fits before each split and judges after the newest.
    fn judge(&self) -> Result<Outcome, Failure> {
        let (options, seed) = (&self.options, self.context.seed);
        let splits = trial::plan(options, self.context.run_date);
        let Some((last, earlier)) = splits.split_last() else { return Ok((vec![], None, None)) };
        let trial_of = |split: &Split| Trial::of(*split, self.interactions, options, self.context.run_date, seed);
        let mut parts = Vec::new();
        let mut chances = None;
        for split in earlier {
            let trial = trial_of(split)?;
            let as_of = self.as_of(&trial)?;
            let lists = self.fit_and_serve(&trial, &self.scene(&trial, &as_of))?.1;
            chances = options.probability.then(|| Chances::learn(&lists, &trial)).flatten();
            parts.push(lists);
        }
        let trial = trial_of(last)?;
        let as_of = self.as_of(&trial)?;
        let scene = self.scene(&trial, &as_of);
        let (fitted, mut lists) = self.fit_and_serve(&trial, &scene)?;
        // What is served is learned last, from the lists as the model orders them.
        let served = options.probability.then(|| Chances::learn(&lists, &trial)).flatten();
        let judged = chances.as_ref().map(|chances| {
            chances.apply(&mut lists, &trial);
            probability::judge(&lists, &trial, seed)
        });
        let mut evaluation = judge::evaluate(
            &Judged {
                model: &self.stage.name(),
                item: options.item,
                options,
                trial: &trial,
                permitted: as_of.permitted.as_deref(),
                lists: &lists,
                beside: &[],
                seed,
            },
            self.stage.facts(&fitted, &scene)?,
        );
        let (measures, charts, warnings) = judged.unwrap_or_default();
        evaluation.measures.extend(measures);
        evaluation.charts.extend(charts);
        evaluation.watch.extend(warnings);
        let served = served.or(chances);
        if options.evaluate == Evaluate::Time {
            parts.push(lists);
        }
        Ok((parts, Some(evaluation), served))
    }

    fn fit_and_serve(&self, trial: &Trial, scene: &Scene<'_>) -> Result<(R::Fitted, Lists), Failure> {
        self.context.cancel.check()?;
        let fitted = self.stage.fit(scene, self.context)?;
        self.context.cancel.check()?;
        let lists = serve::lists(self.stage, &fitted, scene, trial, false)?;
        Ok((fitted, lists))
    }

    fn model(
        &self,
        fitted: &R::Fitted,
        chances: Option<&Chances>,
        profile: &[ColumnProfile],
        dtypes: [String; 3],
    ) -> Result<Model, Failure> {
        let (options, [user, item, time]) = (&self.options, dtypes);
        let mut inputs = vec![Field::new(options.user, &user), Field::new(options.item, &item)];
        inputs.extend(options.time.map(|name| Field::new(name, time)));
        let signature = Signature {
            kind: R::KIND.to_owned(),
            inputs,
            outputs: vec![
                Field::new(options.user, user),
                Field::new(lists::RANK, "int64"),
                Field::new(options.item, item),
                Field::new(lists::SCORE, "float64"),
            ],
            profile: profile.to_vec(),
            rows: self.interactions.len(),
            parameters: parameters(self.stage)?,
        };
        let main = serde_json::json!({
            "users": self.interactions.users.len(),
            "items": self.interactions.items.len(),
            "parameters": signature.parameters.clone(),
        });
        let mut model = Model::new(self.context.run_date, signature, &main)?;
        model.files.extend(self.stage.files(fitted, self.interactions)?);
        model.files.extend(chances.map(Chances::file).transpose()?);
        Ok(model)
    }
}

/// Refuses a model of ids of another type, which would know nobody.
fn same_ids(model: &Model, options: &Options<'_>, [user, item, _]: &[String; 3]) -> Result<(), Failure> {
    for (name, found) in [(options.user, user), (options.item, item)] {
        let before = model.signature.inputs.iter().find(|field| field.name == name).map(|field| &field.dtype);
        let is_text = |dtype: &String| dtype == "string";
        if let Some(before) = before.filter(|before| is_text(before) != is_text(found)) {
            return Err(Failure::data(format!(
                "`{name}` is {found} now and was {before} when the model was fitted, so it knows none of them; fit it again"
            )));
        }
    }
    Ok(())
}

/// Type names of user, item and time.
fn dtypes(schema: &TableSchema, options: &Options<'_>) -> [String; 3] {
    let of = |name: &str| schema.column(name).map(|column| type_name(&column.dtype)).unwrap_or_default();
    [of(options.user), of(options.item), options.time.map(of).unwrap_or_default()]
}

/// The stage of a recommender's parameters. Two traits cannot both have a blanket `impl Stage`.
macro_rules! recommender_stage {
    ($name:ident, requires: [$($port:expr),*], outputs: [$($output:literal),*]) => {
        impl $crate::stages::contract::Stage for $name {
            fn inputs(&self) -> Vec<$crate::stages::contract::InputPort> {
                super::recommender::inputs(&[$($port),*])
            }

            fn outputs(&self) -> Vec<&'static str> {
                vec!["recommendations", $($output),*]
            }

            fn check(&self) -> Vec<$crate::problem::Problem> {
                super::recommender::check(self)
            }

            fn protocol(&self) -> $crate::stages::protocol::Protocol {
                use super::options::HasOptions;
                super::recommender::protocol(&self.options())
            }

            fn applies_earlier_model(&self) -> bool {
                self.mode == $crate::stages::model::Mode::Apply
            }

            fn schemas(
                &self,
                inputs: &$crate::stages::contract::InputSchemas,
                run_date: chrono::NaiveDate,
            ) -> Result<Vec<$crate::table::TableSchema>, Vec<$crate::problem::Problem>> {
                super::recommender::schemas(self, inputs, run_date)
            }

            fn reads(&self, _: &$crate::stages::contract::InputSchemas) -> $crate::stages::lineage::Reads {
                use super::options::HasOptions;
                super::recommender::reads(&self.options())
            }

            fn memory_bytes_min(&self, inputs: &$crate::stages::contract::Inputs) -> Option<u64> {
                super::limits::memory_bytes_min(inputs)
            }

            fn run(
                &self,
                inputs: $crate::stages::contract::Inputs,
                context: &$crate::stages::contract::StageContext,
            ) -> Result<$crate::stages::contract::Outputs, $crate::stages::contract::Failure> {
                super::recommender::run(self, inputs, context)
            }
        }
    };
}
