mod candidate;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;
use polars::prelude::{DataFrame, DataType, IntoLazy, Schema};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::candidate::{Candidate, Contender, Contends};
use super::design::PORT;
use super::judge::contest::{interval, sign};
use super::judge::{default_measure, measures_of};
use super::material::{Material, horizon_days};
use super::options::Validate;
use super::output;
use super::problems::unknown_measure;
use super::scoring::{ROWS_AT_ONCE, ToScore};
use super::task::Task;
use crate::format;
use crate::metrics::evaluation::{Chart, Fact};
use crate::metrics::intervals::Interval;
use crate::problem::{Code, Problem, Step};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::model::{Mode, Model, Signature, parameters};
use crate::stages::protocol::Protocol;
use crate::table::{AS_OF, Column, Table, TableSchema};

/// Several models of one target, judged on the same rows; the best is handed on, and stays until another one is clearly
/// better.
///
/// Each candidate is a stage that predicts, with its parameters but for those that all share: `target`, `validate`,
/// `slice` and `mode`. They are ranked by one measure, with intervals, and those that cannot be told apart from the first
/// are named. The one that was served the night before is the champion: it stays unless a challenger's measure is better
/// by `margin` or more and the interval of the difference has zero outside. `champion` names one by hand, which is how a
/// change is rolled back.
///
/// What it gives is what the champion gives; all candidates must give the same columns, so that a support vector machine
/// needs `calibrate` beside a logistic regression.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// The column to predict.
    #[schemars(length(min = 1))]
    target: String,
    /// The models, by name; of equal ones the first is the best.
    #[schemars(length(min = 2, max = 20))]
    candidates: Vec<Candidate>,
    /// The measure that decides: as for `tune`.
    #[serde(default)]
    by: Option<String>,
    /// By how much a challenger must be better than the champion.
    #[serde(default)]
    #[schemars(range(min = 0))]
    margin: f64,
    /// The candidate that is served, whatever the measures say.
    #[serde(default)]
    champion: Option<String>,
    /// How rows are held out to judge by, as of a stage that predicts.
    #[serde(default)]
    validate: Validate,
    /// Columns by whose values the evaluation of the champion is told apart as well.
    #[serde(default)]
    slice: Vec<String>,
    /// Whether to fit, to apply the champion of an earlier run date, or both.
    #[serde(default)]
    mode: Mode,
}

impl StageConfig for Compare {
    const KIND: &'static str = "compare";
    const FAMILY: &'static str = "prediction";
}

/// The main file of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Fitted {
    champion: String,
    kind: String,
    /// The run date of the night that it became champion.
    since: NaiveDate,
    measure: String,
}

/// The file of the champion's own model.
const CHAMPION: &str = "champion.json";

impl Stage for Compare {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["predictions", "probabilities"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let at = |index: usize| [Step::from("with"), "candidates".into(), index.into()];
        for (index, candidate) in self.candidates.iter().enumerate() {
            if self.candidates.iter().take(index).any(|other| other.id == candidate.id) {
                let message = format!("two candidates are called `{}`", candidate.id);
                problems.push(Problem::new(Code::DuplicateId, message).at(at(index)));
            }
            match self.built(candidate) {
                Ok(stage) => {
                    let own = stage.check().into_iter();
                    problems.extend(own.map(|problem| Problem::new(problem.code, problem.message).at(at(index))));
                }
                Err(message) => problems.push(Problem::new(Code::BadValue, message).at(at(index))),
            }
        }
        if let Some(name) = self.champion.as_ref().filter(|name| self.named(name).is_none()) {
            let problem = Problem::new(Code::BadValue, format!("no candidate is called `{name}`"));
            let known = self.candidates.iter().map(|candidate| candidate.id.as_str());
            problems.push(problem.nearest(name, known).at(["with", "champion"]));
        }
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            problems.push(Problem::new(Code::BadValue, "a margin is a number at or above zero").at(["with", "margin"]));
        }
        problems
    }

    fn protocol(&self) -> Protocol {
        match self.mode {
            Mode::Apply => Protocol::Newest { port: PORT },
            Mode::Fit | Mode::FitApply => Protocol::Labelled { port: PORT, target: self.target.clone() },
        }
    }

    fn applies_earlier_model(&self) -> bool {
        self.mode == Mode::Apply
    }

    fn continues_model(&self) -> bool {
        self.mode != Mode::Apply
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let mut first: Option<Vec<TableSchema>> = None;
        let mut problems = Vec::new();
        for (index, candidate) in self.candidates.iter().enumerate() {
            let place = [Step::from("with"), "candidates".into(), index.into()];
            let Ok(stage) = self.built(candidate) else { continue };
            match (stage.schemas(inputs, run_date), &first) {
                (Err(own), _) => {
                    problems.extend(own.into_iter().map(|problem| {
                        let help = problem.help.clone();
                        let placed = Problem::new(problem.code, problem.message).at(place.clone());
                        match help {
                            Some(help) => placed.help(help),
                            None => placed,
                        }
                    }));
                }
                (Ok(own), None) => first = Some(own),
                (Ok(own), Some(first)) if own.first() != first.first() => {
                    let message = format!("`{}` gives other columns than the candidates before it", candidate.id);
                    let problem = Problem::new(Code::BadValue, message);
                    problems.push(problem.help("with `calibrate: platt` scores become probabilities").at(place));
                }
                _ => {}
            }
        }
        let features = inputs.one(PORT)?;
        let is_probability =
            self.candidates.first().and_then(|one| self.built(one).ok()).is_some_and(|one| one.is_probability());
        if let Some(task) = self.task(features)
            && let Some(name) = &self.by
            && !measures_of(task, is_probability).contains(&name.as_str())
        {
            problems.push(unknown_measure(name, task, is_probability).at(["with", "by"]));
        }
        match first {
            Some(mut schemas) if problems.is_empty() => {
                // Kinds that predict numbers have no table of classes: there is one without rows.
                if let [predictions] = schemas.as_slice() {
                    schemas.push(of_classes(predictions));
                }
                Ok(schemas)
            }
            _ => Err(problems),
        }
    }

    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        let stages = self.candidates.iter().filter_map(|candidate| self.built(candidate).ok());
        stages.filter_map(|stage| stage.memory_bytes_min(inputs)).max()
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = inputs.earlier.take();
        let table = inputs.one(PORT)?;
        if self.mode == Mode::Apply {
            let model = Model::to_apply(earlier, self, &["slice"])?;
            let fitted: Fitted = model.main()?;
            let stage = self.champion_of(&fitted)?;
            let json = model.files.get(CHAMPION).map(Vec::as_slice).unwrap_or_default();
            return Ok(two(stage.apply(json, &model.version(), &table, context)?, &table.schema));
        }
        let before = earlier.and_then(|model| model.main::<Fitted>().ok());
        self.contest(table, before, context)
    }
}

/// The table of classes beside one of predictions.
fn of_classes(predictions: &TableSchema) -> TableSchema {
    let own = predictions.columns.iter().filter(|column| predictions.key.contains(&column.name));
    let more = [
        Column::new(output::CLASS, DataType::String),
        Column::new(output::SCORE, DataType::Float64),
        Column::new(output::VERSION, DataType::String),
    ];
    let key = predictions.key.iter().cloned().chain([output::CLASS.to_owned()]).collect();
    let snapshots = predictions.snapshots.clone();
    TableSchema { columns: own.cloned().chain(more).collect(), key, snapshots, ..TableSchema::default() }
}

/// Two tables, of which the second has no rows where the candidates predict numbers.
fn two(mut outputs: Outputs, features: &TableSchema) -> Outputs {
    if outputs.tables.len() + outputs.pieces.len() < 2 {
        let key = features.columns.iter().filter(|column| features.key.first() == Some(&column.name));
        let key = key.map(|column| (column.name.clone(), column.dtype.clone()));
        let moment = (!features.snapshots.is_empty()).then(|| (AS_OF.to_owned(), DataType::Date));
        let more = [output::CLASS, output::SCORE, output::VERSION].map(str::to_owned);
        let types = [DataType::String, DataType::Float64, DataType::String];
        let all = key.chain(moment).chain(more.into_iter().zip(types));
        let schema: Schema = all.map(|(name, dtype)| (name.into(), dtype)).collect();
        outputs.tables.push(DataFrame::empty_with_schema(&schema).lazy());
    }
    outputs
}

/// How a candidate stands to the first.
struct Standing {
    place: usize,
    found: Interval,
    /// Its measure less that of the best; `None` of the best itself.
    behind: Option<Interval>,
}

impl Standing {
    /// Whether it cannot be told apart from the best.
    fn is_level(&self) -> bool {
        self.behind.is_none_or(|behind| behind.low <= 0.0 && behind.high >= 0.0)
    }
}

impl Compare {
    fn named(&self, id: &str) -> Option<usize> {
        self.candidates.iter().position(|candidate| candidate.id == id)
    }

    fn built(&self, candidate: &Candidate) -> Result<Box<dyn Contends>, String> {
        candidate.build(&self.target, self.validate, &self.slice, self.mode)
    }

    fn task(&self, features: &TableSchema) -> Option<Task> {
        let dtype = &features.column(&self.target)?.dtype;
        self.candidates.iter().find_map(|candidate| self.built(candidate).ok()?.task_of(dtype))
    }

    fn champion_of(&self, fitted: &Fitted) -> Result<Box<dyn Contends>, Failure> {
        let candidate = self.candidates.iter().find(|candidate| candidate.id == fitted.champion);
        let missing = || {
            let message = format!("the champion of the earlier model, `{}`, is no candidate any more", fitted.champion);
            Failure::data(message)
        };
        self.built(candidate.ok_or_else(missing)?).map_err(Failure::data)
    }

    /// Judges all candidates on the same rows, and serves the champion.
    fn contest(&self, table: Table, before: Option<Fitted>, context: &StageContext) -> Result<Outputs, Failure> {
        let schema = table.schema.clone();
        let stages: Vec<Box<dyn Contends>> =
            self.candidates.iter().map(|one| self.built(one)).collect::<Result<_, _>>().map_err(Failure::bug)?;
        let mut read: Vec<String> = Vec::new();
        for stage in &stages {
            read.extend(stage.columns(&schema)?);
        }
        let task = self.task(&schema).ok_or_else(|| Failure::bug("the target is of another type"))?;
        let horizon = horizon_days(&schema, &self.target).filter(|_| !schema.snapshots.is_empty());
        let material = Material::read(&table, &read, &self.target, context.run_date)?;
        let first = stages.first().ok_or_else(|| Failure::bug("there is no candidate"))?;
        let entity = first.entity(&schema)?;
        let folds = first.folds(&material, task, &entity, horizon, context)?;
        let mut contenders: Vec<Contender> = Vec::new();
        for stage in &stages {
            context.cancel.check()?;
            contenders.push(stage.contend(&schema, &folds, context)?);
        }
        let default = default_measure(task, first.is_probability());
        let measure = self.by.clone().unwrap_or_else(|| default.to_owned());
        let standings = standings(&measure, &contenders, context)?;
        let (champion, why, since) = self.decide(&measure, &contenders, &standings, before.as_ref(), context);
        let name = self.candidates.get(champion).map(|one| one.id.clone()).unwrap_or_default();
        let mut contender = contenders.swap_remove(champion);
        let mut evaluation = contender.evaluation;
        let served = (contender.serve)(&folds.refit, &schema, context)?;
        evaluation.charts.extend(served.picture);
        evaluation.charts.insert(0, self.leaderboard(&measure, &standings, champion));
        evaluation.facts.insert(0, Fact::new("champion", format!("`{name}`: {why}")));
        let level: Vec<&str> = standings
            .iter()
            .filter(|standing| standing.behind.is_some() && standing.is_level())
            .filter_map(|standing| self.candidates.get(standing.place).map(|one| one.id.as_str()))
            .collect();
        if !level.is_empty() {
            let best =
                standings.first().and_then(|best| self.candidates.get(best.place)).map_or("", |one| one.id.as_str());
            let value =
                format!("{} cannot be told apart from `{best}`, the first", format::list(level.into_iter(), 20));
            evaluation.facts.insert(1, Fact::new("indistinguishable", value));
        }
        evaluation.model = format!("{} (`{name}`)", evaluation.model);
        let main = Fitted { champion: name, kind: served.kind, since, measure };
        let signature = Signature { kind: Compare::KIND.to_owned(), parameters: parameters(self)?, ..served.signature };
        let mut model = Model::new(context.run_date, signature, &main)?;
        model.files.insert(CHAMPION.to_owned(), served.json.clone());
        let to_score = ToScore::plan(&table, &read, &self.target, context.run_date, ROWS_AT_ONCE)?;
        let to_score = if self.mode == Mode::Fit { to_score.none() } else { to_score };
        let scored = two((served.tables)(to_score, &model.version(), context)?, &schema);
        Ok(Outputs { model: Some(model), evaluation: Some(evaluation), ..scored })
    }

    /// Who is served, why, and since when.
    fn decide(
        &self,
        measure: &str,
        contenders: &[Contender],
        standings: &[Standing],
        before: Option<&Fitted>,
        context: &StageContext,
    ) -> (usize, String, NaiveDate) {
        let best = standings.first().map_or(0, |standing| standing.place);
        let since_before = |name: &str| {
            before.filter(|before| before.champion == name).map_or(context.run_date, |before| before.since)
        };
        if let Some(place) = self.champion.as_ref().and_then(|name| self.named(name)) {
            let name = self.champion.clone().unwrap_or_default();
            return (place, "named by hand".to_owned(), since_before(&name));
        }
        let held = before.and_then(|before| Some((before, self.named(&before.champion)?)));
        let Some((before, champion)) = held else {
            if let Some(before) = before {
                let why =
                    format!("the best by {measure}; `{}`, champion before, is no candidate any more", before.champion);
                return (best, why, context.run_date);
            }
            return (
                best,
                format!("the best by {measure}; no champion of an earlier night is known"),
                context.run_date,
            );
        };
        if champion == best {
            return (best, format!("the best by {measure}, champion since {}", before.since), before.since);
        }
        let (Some(own), Some(other)) = (contenders.get(best), contenders.get(champion)) else {
            return (champion, "champion before".to_owned(), before.since);
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
        let lead = interval(measure, &own.truth, &own.expected, Some(&other.expected), &mut rng);
        let sign = sign(measure);
        let name = self.candidates.get(best).map(|one| one.id.as_str()).unwrap_or_default();
        match lead {
            Some(lead) => {
                let ahead = sign * lead.estimate;
                let surely = (sign * lead.low).min(sign * lead.high) > 0.0;
                let figures = format!(
                    "{measure} differs by {:+.4} (95 % interval {:+.4} to {:+.4}, margin {})",
                    lead.estimate,
                    lead.low,
                    lead.high,
                    format::number(self.margin)
                );
                if surely && ahead >= self.margin {
                    let why = format!("took over from `{}`: {figures}", before.champion);
                    (best, why, context.run_date)
                } else {
                    let why = format!("champion since {}; `{name}` is ahead, but not clearly: {figures}", before.since);
                    (champion, why, before.since)
                }
            }
            None => (champion, format!("champion since {}", before.since), before.since),
        }
    }

    fn leaderboard(&self, measure: &str, standings: &[Standing], champion: usize) -> Chart {
        let row = |standing: &Standing| {
            let candidate = self.candidates.get(standing.place);
            let name = candidate.map(|one| one.id.clone()).unwrap_or_default();
            let kind = candidate.map(|one| one.stage.name().to_owned()).unwrap_or_default();
            let figures = |of: &Interval, sign: bool| match sign {
                true => format!("{:+.4} ({:+.4} to {:+.4})", of.estimate, of.low, of.high),
                false => format!("{:.4} ({:.4} to {:.4})", of.estimate, of.low, of.high),
            };
            let verdict = match (&standing.behind, standing.is_level()) {
                (None, _) => "first",
                (Some(_), true) => "cannot be told apart",
                (Some(_), false) => "worse",
            };
            let served = if standing.place == champion { "served" } else { "" };
            let behind = standing.behind.as_ref().map(|behind| figures(behind, true)).unwrap_or_default();
            vec![name, kind, figures(&standing.found, false), behind, verdict.to_owned(), served.to_owned()]
        };
        let columns = ["candidate", "stage", measure, "against the first", "verdict", ""];
        Chart::Table {
            title: format!("Leaderboard, by {measure}"),
            columns: columns.map(str::to_owned).to_vec(),
            rows: standings.iter().map(row).collect(),
        }
    }
}

/// The candidates, the best first.
fn standings(measure: &str, contenders: &[Contender], context: &StageContext) -> Result<Vec<Standing>, Failure> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
    let mut found = Vec::new();
    for (place, contender) in contenders.iter().enumerate() {
        let own = interval(measure, &contender.truth, &contender.expected, None, &mut rng);
        let own = own.ok_or_else(|| Failure::data(format!("`{measure}` does not exist on the rows that judge")))?;
        found.push(Standing { place, found: own, behind: None });
    }
    let sign = sign(measure);
    found.sort_by(|a, b| (sign * b.found.estimate).total_cmp(&(sign * a.found.estimate)).then(a.place.cmp(&b.place)));
    let Some(best) = found.first().and_then(|best| contenders.get(best.place)) else { return Ok(found) };
    for standing in found.iter_mut().skip(1) {
        if let Some(own) = contenders.get(standing.place) {
            standing.behind = interval(measure, &own.truth, &own.expected, Some(&best.expected), &mut rng);
        }
    }
    Ok(found)
}
