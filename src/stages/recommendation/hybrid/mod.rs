mod candidates;
mod fuse;
mod learn;
mod lists;
mod options;
mod parts;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::IntoLazy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::candidates::{Names, Tables, common};
use self::fuse::Fusion;
use self::learn::{Learned, Lesson};
use self::options::{Method, Weights, Word};
use super::beside::{self, AsOf, Beside};
use super::interactions::{Columns, Interactions};
use super::judge::{self, Judged};
use super::lists::{self as output, Layout, Lists};
use super::options::{ColdStart, Diversity, Evaluate, ExcludeSeen, Id, Options};
use super::recommender::{self, PORT as INTERACTIONS};
use super::serve;
use super::trial::{Split, Trial};
use crate::config::Span;
use crate::format;
use crate::metrics::evaluation::{Evaluation, Fact};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::lineage::Reads;
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
use crate::stages::protocol::{self, Protocol};
use crate::stages::watch;
use crate::table::{AS_OF, TableSchema, type_name};

/// The port of the parts.
const PORT: &str = "candidates";

/// Puts the lists of several recommenders together.
///
/// Each table at `candidates` is the output of a recommender, and all of them must name the same users and items and
/// have lists of the same moments; what is put together is what each emits for the moment. The first parts should give
/// more candidates than the hybrid shows (`top: 100`). Users, items, event time and hold-out are taken from them.
///
/// It is judged on the newest hold-out beside the strongest of the simple lists, and the report has all parts beside
/// it. With `weights: learned` a logistic regression learns them from which candidates were met at the hold-out before,
/// which the parts emit too (`splits: 2`, their default); a part that adds nothing counts nothing. What is served is
/// then learned anew from all hold-outs. Let `popular` of the last days be one of the parts: it knows the season.
///
/// `because` is that of the part that adds most to the score, and `source` names it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hybrid {
    /// How candidates are put together.
    #[serde(default)]
    method: Method,
    /// What each part counts: `learned`, `equal`, or a number at or above zero for each part by its name.
    #[serde(default)]
    weights: Weights,
    /// c in the reciprocal rank 1 / (c + rank): the greater, the less the first places count; 60 by default.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    constant: Option<f64>,
    /// With `method: switching`: the part, such as a content-based one, for users with few orders and items that few
    /// users have.
    #[serde(default)]
    cold_part: Option<String>,
    /// With `method: switching`: users with at most so many orders have few; 3 by default.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    few_orders: Option<u32>,
    /// With `method: switching`: items that fewer users have are new; 5 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    few_users: Option<u32>,
    /// With `method: cascade`: how many candidates the first part chooses; 50 by default.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pool: Option<usize>,
    /// The column that names the order; without it what a user buys at one time is one order.
    #[serde(default)]
    order: Option<String>,
    /// How many items each user gets.
    #[serde(default = "super::options::default_top")]
    #[schemars(range(min = 1, max = 1000))]
    top: usize,
    /// Leave out what the user has met already; give the parts the same.
    #[serde(default)]
    exclude_seen: ExcludeSeen,
    /// What fills the lists of users of whom too little is known.
    #[serde(default)]
    cold_start: ColdStart,
    /// Items that fewer users have met are not recommended.
    #[serde(default = "super::options::default_min_support")]
    #[schemars(range(min = 1, max = 1_000_000))]
    min_support: u32,
    /// Only these items are recommended; without it, and without a table at `allowed`, all are.
    #[serde(default)]
    allow: Vec<Id>,
    /// These items are never recommended, nor are those of a table at `denied`.
    #[serde(default)]
    deny: Vec<Id>,
    /// The column of the table at `stock` that says what is there: a number above zero, or true.
    #[serde(default)]
    stock: Option<String>,
    /// Trades likeness to the user for difference within the list.
    #[serde(default)]
    diversity: Option<Diversity>,
}

/// c of Cormack et al. 2009.
const CONSTANT: f64 = 60.0;
const COLD_WEIGHT_MIN: f64 = 1e-3;
const FEW_ORDERS: u32 = 3;
const FEW_USERS: u32 = 5;
const POOL: usize = 50;

/// The file of the model.
#[derive(Serialize, Deserialize)]
struct Fitted {
    parts: Vec<String>,
    weights: Vec<f64>,
    constant: f64,
}

impl StageConfig for Hybrid {
    const KIND: &'static str = "hybrid";
    const FAMILY: &'static str = "recommendation";
}

impl Stage for Hybrid {
    fn inputs(&self) -> Vec<InputPort> {
        [InputPort::one(INTERACTIONS), InputPort::many(PORT)].into_iter().chain(beside::PORTS).collect()
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["recommendations"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let bad = |message: &str, option: &'static str| Problem::new(Code::BadValue, message).at(["with", option]);
        match (self.method, &self.cold_part) {
            (Method::Switching, None) => {
                let message = "switching needs `cold_part`, the part for users with few orders and for new items";
                problems.push(Problem::new(Code::MissingKey, message).at(["with"]));
            }
            (Method::Switching, Some(_)) | (_, None) => {}
            (_, Some(_)) => problems.push(bad("only `method: switching` has a cold part", "cold_part")),
        }
        if let Weights::Given(weights) = &self.weights {
            if weights.values().any(|weight| !(*weight >= 0.0 && weight.is_finite())) {
                problems.push(bad("weights are numbers at or above zero", "weights"));
            } else if weights.values().all(|weight| *weight == 0.0) {
                problems.push(bad("a weight above zero is needed", "weights"));
            }
        }
        if self.constant.is_some() && self.method == Method::Weighted {
            problems.push(bad("scores are put together, not ranks", "constant"));
        }
        let is_switching = self.method == Method::Switching;
        let asked = [
            (self.few_users.is_some() && !is_switching, "few_users", "only `method: switching` knows new items"),
            (self.pool.is_some() && self.method != Method::Cascade, "pool", "only `method: cascade` has a pool"),
            (
                self.few_orders.is_some() && !is_switching,
                "few_orders",
                "only `method: switching` tells such users apart",
            ),
        ];
        problems.extend(asked.into_iter().filter(|(is_idle, ..)| *is_idle).map(|(_, option, what)| bad(what, option)));
        problems.extend(self.diversity.as_ref().map(|diversity| diversity.problems(self.top)).unwrap_or_default());
        problems
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let tables = inputs.many(PORT);
        let names = common(tables)?;
        let interactions = inputs.one(INTERACTIONS)?;
        let mut problems = self.part_problems(tables);
        let (time, holdout) = (interactions.event_time.clone(), holdout(&names));
        let Some(time) = time else {
            let message = format!("the table at `{INTERACTIONS}` does not say when its rows became known");
            let help = "say so where the table is made: `event_time: …`";
            return Err(vec![Problem::new(Code::Leak, message).help(help).at(["inputs", INTERACTIONS])]);
        };
        for (what, name) in [("users", &names.user), ("items", &names.item)] {
            if interactions.column(name).is_none() {
                let message =
                    format!("the table at `{INTERACTIONS}` has no column `{name}`, by which the parts name {what}");
                problems.push(Problem::new(Code::UnknownColumn, message).at(["inputs", INTERACTIONS]));
            }
        }
        if let Some(order) = self.order.as_ref().filter(|order| interactions.column(order).is_none()) {
            let message = format!("the table at `{INTERACTIONS}` has no column `{order}`");
            let problem = Problem::new(Code::UnknownColumn, message).nearest(order, interactions.names());
            problems.push(problem.at(["with", "order"]));
        }
        let days = holdout.map_or(0, Span::in_days);
        let rules = Protocol::Holdout { port: INTERACTIONS, time: time.clone(), days, tonight: &[beside::STOCK] };
        problems.extend(protocol::check(&rules, inputs, run_date));
        let options = self.options(&names, Some(&time));
        problems.extend(beside::problems(inputs, &options, &names.moments));
        let columns = [interactions.column(&names.user), interactions.column(&names.item)];
        match columns {
            [Some(user), Some(item)] if problems.is_empty() => {
                Ok(vec![output::schema(user.clone(), item.clone(), false, names.moments.clone())])
            }
            _ => Err(problems),
        }
    }

    fn reads(&self, inputs: &InputSchemas) -> Reads {
        let (Ok(interactions), Ok(names)) = (inputs.one(INTERACTIONS), common(inputs.many(PORT))) else {
            return Reads::default();
        };
        let mut reads = recommender::reads(&self.options(&names, interactions.event_time.as_deref()));
        let ids = [&names.user, &names.item].map(|name| (PORT, name.clone()));
        reads.passed.get_or_insert_default().extend(ids.into_iter().chain([(PORT, AS_OF.to_owned())]));
        reads
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let tables = inputs.many(PORT);
        let schemas: Vec<(String, TableSchema)> =
            tables.iter().map(|named| (named.name.clone(), named.table.schema.clone())).collect();
        let names = common(&schemas).map_err(|problems| {
            Failure::bug(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
        })?;
        let table = inputs.ports.get(INTERACTIONS).and_then(|tables| tables.first());
        let schema = table.map(|named| named.table.schema.clone()).unwrap_or_default();
        let options = self.options(&names, schema.event_time.as_deref());
        let beside = Beside::read(&mut inputs, &options)?;
        let columns =
            Columns { user: options.user, item: options.item, time: options.time, order: options.order, weight: None };
        let interactions = Interactions::read(
            inputs.one(INTERACTIONS)?,
            &columns,
            context.run_date,
            beside.ids(beside::USERS, options.user)?,
            beside.ids(beside::ITEMS, options.item)?,
        )?;
        context.cancel.check()?;
        let parts = Tables::read(tables, &names, &interactions)?;
        let work = Work { stage: self, options, names: &names, parts, interactions, beside, schema: &schema, context };
        work.run()
    }
}

impl Hybrid {
    /// The options that every recommender has, with what the parts say.
    fn options<'a>(&'a self, names: &'a Names, time: Option<&'a str>) -> Options<'a> {
        let holdout = holdout(names);
        Options {
            user: &names.user,
            item: &names.item,
            time,
            order: self.order.as_deref(),
            weight: None,
            half_life: None,
            holdout,
            splits: names.moments.len().saturating_sub(1) as u32,
            top: self.top,
            exclude_seen: self.exclude_seen,
            cold_start: self.cold_start,
            min_support: self.min_support,
            allow: &self.allow,
            deny: &self.deny,
            stock: self.stock.as_deref(),
            diversity: self.diversity.as_ref(),
            probability: false,
            evaluate: if holdout.is_some() { Evaluate::Time } else { Evaluate::None },
            mode: Mode::FitApply,
        }
    }

    /// Parts that are named and not there, or asked for what they do not give.
    fn part_problems(&self, tables: &[(String, TableSchema)]) -> Vec<Problem> {
        let known = || tables.iter().map(|(name, _)| name.as_str());
        let unknown = |name: &str| {
            let message = format!("none of the tables at `{PORT}` is called `{name}`");
            Problem::new(Code::BadValue, message).nearest(name, known())
        };
        let mut problems = Vec::new();
        if let Some(name) = self.cold_part.as_ref().filter(|name| !known().any(|known| known == *name)) {
            problems.push(unknown(name).at(["with", "cold_part"]));
        }
        match &self.weights {
            Weights::Given(weights) => {
                for name in weights.keys().filter(|name| !known().any(|known| known == *name)) {
                    problems.push(unknown(name).at([
                        crate::problem::Step::from("with"),
                        crate::problem::Step::from("weights"),
                        crate::problem::Step::from(name.clone()),
                    ]));
                }
            }
            Weights::Word(Word::Learned) => {
                let splits = tables.iter().map(|(_, schema)| schema.snapshots.len()).min().unwrap_or(0);
                if splits < 3 {
                    let message = "weights are learned from a hold-out before the one that judges, of which the parts have no lists";
                    let help = "give the parts `splits: 2`, or the hybrid `weights: equal`";
                    problems.push(Problem::new(Code::NoEvaluation, message).help(help).at(["with"]));
                }
            }
            Weights::Word(Word::Equal) => {}
        }
        problems
    }
}

/// The length of the newest hold-out.
fn holdout(names: &Names) -> Option<Span> {
    let mut newest = names.moments.iter().rev();
    let (end, start) = (newest.next()?, newest.next()?);
    u32::try_from((*end - *start).num_days()).ok().filter(|days| *days > 0).map(Span::days)
}

/// All that a run works with.
struct Work<'a> {
    stage: &'a Hybrid,
    options: Options<'a>,
    names: &'a Names,
    parts: Tables,
    interactions: Interactions,
    beside: Beside,
    schema: &'a TableSchema,
    context: &'a StageContext,
}

impl Work<'_> {
    fn run(&self) -> Result<Outputs, Failure> {
        let run_date = self.context.run_date;
        let mut outputs = Outputs::default();
        let mut found = Vec::new();
        let moments = &self.names.moments;
        let mut lesson = Lesson::default();
        // At the first split there is nothing earlier to learn from: its lists are of equal weights.
        let mut weights = Learned { fusion: self.given(), users: 0 };
        for pair in moments.windows(2) {
            let [start, end] = pair else { continue };
            self.context.cancel.check()?;
            let split = Split::Time(*start, *end);
            let trial = Trial::of(split, &self.interactions, &self.options, run_date, self.context.seed)?;
            let as_of = self.as_of(&trial)?;
            let (lists, parts) = self.lists(&trial, &as_of, &weights.fusion, false)?;
            if *end == run_date {
                outputs.evaluation = Some(self.judge(&trial, &as_of, &lists, &parts, &weights));
            }
            if self.stage.weights == Weights::Word(Word::Learned) {
                self.teach(&mut lesson, &trial, &as_of, &parts);
                weights = self.learned(&lesson);
            }
            found.push(lists);
        }
        let now = Trial::now(&self.interactions, &self.options, run_date)?;
        outputs.profile = now.known.profile(&self.interactions);
        let fusion = &weights.fusion;
        let as_of = self.as_of(&now)?;
        let (served, _) = self.lists(&now, &as_of, fusion, true)?;
        if let Some(evaluation) = &mut outputs.evaluation {
            let scene = lists::scene(&self.interactions, &now, &as_of);
            evaluation.facts.extend(serve::facts(&scene, &now, &served, &self.options)?);
            evaluation.facts.extend(self.beside.fact());
            let is_empty = served.of_users.iter().all(Vec::is_empty) && self.interactions.len() > 0;
            evaluation.warnings.extend(is_empty.then(|| watch::nothing_served(run_date)));
            evaluation.facts.push(Fact::new("served weights", self.words(fusion)));
        }
        found.push(served);
        let model = self.model(fusion, &outputs)?;
        let layout = Layout {
            user: &self.names.user,
            item: &self.names.item,
            with_probability: false,
            served: run_date,
            version: &model.version(),
        };
        outputs.tables = vec![output::frame(&self.interactions, &found, &layout)?.lazy()];
        outputs.model = Some(model);
        Ok(outputs)
    }

    /// The weights before anything is learned: those given, or all the same.
    fn given(&self) -> Fusion {
        let weight = |part: &String| match &self.stage.weights {
            Weights::Given(weights) => weights.get(part).copied().unwrap_or(0.0),
            Weights::Word(_) => 1.0,
        };
        Fusion {
            method: self.stage.method.into(),
            weights: self.parts.parts.iter().map(weight).collect(),
            constant: self.stage.constant.unwrap_or(CONSTANT),
        }
    }

    fn learned(&self, lesson: &Lesson) -> Learned {
        let mut learned = lesson.learn(&self.given());
        // Whom the cold part alone serves would get nothing from a part of weight 0.
        let cold = self.parts.parts.iter().position(|part| Some(part) == self.stage.cold_part.as_ref());
        if let Some(weight) = cold.and_then(|cold| learned.fusion.weights.get_mut(cold)) {
            *weight = weight.max(COLD_WEIGHT_MIN);
        }
        learned
    }

    fn judge(
        &self,
        trial: &Trial,
        as_of: &AsOf,
        lists: &Lists,
        parts: &[candidates::OfPart],
        weights: &Learned,
    ) -> Evaluation {
        let beside = parts::lists(&self.parts.parts, parts, self.options.top);
        let judged = Judged {
            model: "hybrid",
            item: self.options.item,
            options: &self.options,
            trial,
            permitted: as_of.permitted.as_deref(),
            lists,
            beside: &beside,
            seed: self.context.seed,
        };
        let mut facts =
            vec![Fact::new("parts", self.parts.parts.join(", ")), Fact::new("weights", self.words(&weights.fusion))];
        if weights.users > 0 {
            let users = format::count(weights.users as u64, "user", "users");
            facts.push(Fact::new("learned from", format!("{users} of earlier hold-outs")));
        }
        let mut evaluation = judge::evaluate(&judged, facts);
        parts::compare(&judged, &beside, &mut evaluation);
        evaluation.watch.extend(parts::seen(trial, &self.parts.parts, parts));
        evaluation
    }

    /// What each part counts, in words.
    fn words(&self, fusion: &Fusion) -> String {
        let sum: f64 = fusion.weights.iter().sum();
        let each = self.parts.parts.iter().zip(&fusion.weights);
        let each = each.map(|(part, weight)| format!("{part} {:.2}", weight / sum.max(f64::MIN_POSITIVE)));
        let constant = match fusion.method {
            fuse::Method::RankFusion => format!(" (constant {})", fusion.constant),
            fuse::Method::Weighted => String::new(),
        };
        format!("{}{constant}", each.collect::<Vec<_>>().join(", "))
    }

    fn model(&self, weights: &Fusion, outputs: &Outputs) -> Result<Model, Failure> {
        let dtype = |name: &str| self.schema.column(name).map(|column| type_name(&column.dtype)).unwrap_or_default();
        let (user, item) = (dtype(&self.names.user), dtype(&self.names.item));
        let signature = Signature {
            kind: Hybrid::KIND.to_owned(),
            inputs: vec![Field::new(&self.names.user, &user), Field::new(&self.names.item, &item)],
            outputs: vec![
                Field::new(&self.names.user, user),
                Field::new(output::RANK, "int64"),
                Field::new(&self.names.item, item),
                Field::new(output::SCORE, "float64"),
            ],
            profile: outputs.profile.clone(),
            rows: self.interactions.len(),
            parameters: parameters(self.stage)?,
        };
        let fitted =
            Fitted { parts: self.parts.parts.clone(), weights: weights.weights.clone(), constant: weights.constant };
        Model::new(self.context.run_date, signature, &fitted)
    }
}
