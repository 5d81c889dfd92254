//! The stage that every kind that predicts is.

use chrono::NaiveDate;
use ndarray::{Array2, Axis, concatenate};
use polars::prelude::DataFrame;

use super::design::{self, PORT};
use super::judge::contest::sign;
use super::judge::{self, Judged, default_measure, measure_of};
use super::learner::{Predictor, Subject, Trained, train};
use super::material::{Folds, Material, horizon_days};
use super::options::Options;
use super::output;
use super::problems::{column_problems, idle, unknown_measure};
use super::reasons::{self, IMPORTANCE_ROWS_MAX};
use super::scoring::{self, ROWS_AT_ONCE, ToScore};
use super::task::{Target, Task, rows_at};
use super::tune::{self, Tuned};
use crate::format;
use crate::metrics::evaluation::{Chart, Evaluation, Fact};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageContext};
use crate::stages::lineage::Reads;
use crate::stages::model::{Field, Mode, Model, Signature, parameters};
use crate::stages::profile;
use crate::stages::protocol::Protocol;
use crate::stages::watch;
use crate::table::{AS_OF, Class, Table, TableSchema};

/// A feature that reaches so much by itself mostly knows the outcome.
const LEAK: f64 = 0.98;
/// A feature without which so much is lost is worth a word.
const COSTLY: f64 = 0.10;

impl<P: Predictor> Stage for P {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one(PORT)]
    }

    fn outputs(&self) -> Vec<&'static str> {
        if P::TELLS_CLASSES { vec!["predictions", "probabilities"] } else { vec!["predictions"] }
    }

    fn check(&self) -> Vec<Problem> {
        let options = self.options();
        let mut problems = options.check();
        problems.extend(self.own_problems());
        problems.extend(options.tune.map(|tune| tune::problems(self, tune)).unwrap_or_default());
        problems
    }

    fn protocol(&self) -> Protocol {
        let options = self.options();
        match options.mode {
            Mode::Apply => Protocol::Newest { port: PORT },
            Mode::Fit | Mode::FitApply => Protocol::Labelled { port: PORT, target: options.target.to_owned() },
        }
    }

    fn applies_earlier_model(&self) -> bool {
        self.options().mode == Mode::Apply
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let (options, features) = (self.options(), inputs.one(PORT)?);
        let chosen = options.features.columns(features, &left_out(&options));
        let mut problems = chosen.as_ref().err().cloned().unwrap_or_default();
        problems.extend(options.prepare.problems(features, chosen.as_deref().unwrap_or_default(), &left_out(&options)));
        problems.extend(column_problems(&options, features));
        let label = features.column(options.target).filter(|_| options.mode != Mode::Apply);
        let task = label.and_then(|label| self.task(&label.dtype));
        if let (Some(label), None) = (label, task) {
            let (takes, help) = self.takes();
            problems.push(super::task::type_problem(label, takes).help(help));
        }
        if let Some(task) = task {
            problems.extend(idle(&options, task));
            problems.extend(self.idle(task));
            problems.extend(options.tune.map(|tune| tune::idle(self, tune, task)).unwrap_or_default());
        }
        if let (Some(tune), Some(task)) = (options.tune, task)
            && tune::deciding(tune, task, is_probability(self)).is_none()
        {
            let name = tune.by.clone().unwrap_or_default();
            problems.push(unknown_measure(&name, task, is_probability(self)).at(["with", "tune", "by"]));
        }
        let entity = match design::entity(features, &output::NAMES) {
            Ok(entity) if problems.is_empty() => entity,
            Ok(_) => return Err(problems),
            Err(problem) => {
                problems.push(problem);
                return Err(problems);
            }
        };
        // A model of an earlier night may be of any task that the kind has: the table must say which.
        let task = task.or_else(|| features.column(options.target).and_then(|column| self.task(&column.dtype)));
        // That the target is there is for the protocol to check, but not where a model is only applied.
        let Some(task) = task else {
            let message = format!("the table has no column `{}`, whose type says what is predicted", options.target);
            let problem = Problem::new(Code::UnknownColumn, message).nearest(options.target, features.names());
            let problem = problem.at(["with", "target"]);
            return Err((options.mode == Mode::Apply).then_some(problem).into_iter().collect());
        };
        let class = features.column(options.target).map(|column| column.class).unwrap_or_default();
        let snapshots: Vec<NaiveDate> = if features.snapshots.is_empty() { vec![] } else { vec![run_date] };
        let mut schemas = output::schemas(&entity, task, is_probability(self), class, &snapshots, P::TELLS_CLASSES);
        schemas.iter_mut().for_each(|schema| output::name_target(schema, options.target));
        Ok(schemas)
    }

    fn reads(&self, inputs: &InputSchemas) -> Reads {
        let options = self.options();
        let read = inputs.one(PORT).ok().and_then(|features| {
            let chosen = options.features.columns(features, &left_out(&options)).ok()?;
            let entity = design::entity(features, &output::NAMES).ok()?.name;
            let columns = columns_read(&options, &chosen);
            Some(Reads { columns: vec![(PORT, columns)], passed: Some(vec![(PORT, entity), (PORT, AS_OF.to_owned())]) })
        });
        read.unwrap_or_default()
    }

    /// Rows whose target is known as a table and a matrix; and so many as are scored at once, with the keys and the
    /// scores of all. How many rows of a table without snapshots are to be scored is not known beforehand.
    fn memory_bytes_min(&self, inputs: &Inputs) -> Option<u64> {
        let (rows, features) = inputs.sized(PORT)?;
        let options = self.options();
        let columns = options.features.columns(features, &left_out(&options)).ok()?.len() as u64;
        let bytes = |rows: u64| rows.saturating_mul(columns + 2).saturating_mul(size_of::<f64>() as u64);
        let scored = bytes(rows.min(ROWS_AT_ONCE as u64));
        if options.mode == Mode::Apply {
            return Some(scored);
        }
        let horizon_days = horizon_days(features, options.target).unwrap_or(0);
        let newest = features.snapshots.last();
        let is_known = |moment: &&NaiveDate| {
            newest.is_some_and(|newest| (*newest - **moment).num_days() >= i64::from(horizon_days.max(1)))
        };
        let known = features.snapshots.iter().filter(is_known).count() as u64;
        let learned = bytes(rows / features.snapshots.len().max(1) as u64 * known);
        Some(scored.max(learned.saturating_add(learned / 2)))
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let earlier = inputs.earlier.take();
        let table = inputs.one(PORT)?;
        match self.options().mode {
            Mode::Apply => apply(self, table, &Model::to_apply(earlier, self, &["slice"])?, context),
            Mode::Fit | Mode::FitApply => fit_and_apply(self, table, context),
        }
    }
}

/// Whether what is scored are probabilities.
pub fn is_probability<P: Predictor>(stage: &P) -> bool {
    stage.gives_probabilities() || stage.options().calibrate != super::options::Calibrate::None
}

/// Columns that are no features.
pub fn left_out<'a>(options: &Options<'a>) -> Vec<&'a str> {
    let named = options.unavailable.iter().map(String::as_str);
    named.chain([options.target]).chain(options.weight).collect()
}

/// All columns that a run reads.
pub fn columns_read(options: &Options<'_>, features: &[String]) -> Vec<String> {
    let mut names: Vec<String> = features.to_vec();
    names.extend(options.prepare.columns().cloned());
    names.extend(options.slice.iter().cloned());
    names.extend(options.weight.map(str::to_owned));
    names.push(options.target.to_owned());
    names
}

/// What is predicted, of the rows whose target is known.
pub fn subject<P: Predictor>(stage: &P, schema: &TableSchema, rows: Option<&DataFrame>) -> Result<Subject, Failure> {
    let options = stage.options();
    let bug = |problems: Vec<Problem>| {
        Failure::bug(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
    };
    let features = options.features.columns(schema, &left_out(&options)).map_err(bug)?;
    let entity = design::entity(schema, &output::NAMES).map_err(|problem| bug(vec![problem]))?;
    let label = schema.column(options.target).ok_or_else(|| Failure::bug("the target is not there"))?;
    let task = stage.task(&label.dtype).ok_or_else(|| Failure::bug("the target is of another type"))?;
    let classes = match (task, rows) {
        (Task::Classes, Some(rows)) => Target::classes(rows, options.target)?,
        _ => vec![],
    };
    Ok(Subject {
        target: options.target.to_owned(),
        task,
        classes,
        horizon_days: horizon_days(schema, options.target).filter(|_| !schema.snapshots.is_empty()),
        entity: entity.name,
        features,
    })
}

fn fit_and_apply<P: Predictor>(stage: &P, table: Table, context: &StageContext) -> Result<Outputs, Failure> {
    let schema = table.schema.clone();
    let first = subject(stage, &schema, None)?;
    let read = columns_read(&stage.options(), &first.features);
    let options = stage.options();
    let material = Material::read(&table, &read, options.target, context.run_date)?;
    let folds =
        material.folds(&options, first.task, &first.entity, first.horizon_days, context.run_date, context.seed)?;
    let subject = subject(stage, &schema, Some(&folds.refit))?;
    let judgement = judge(stage, &subject, &folds, context)?;
    context.cancel.check()?;
    let Served { trained, picture, stage: served } = serve(stage, &subject, judgement.tuned, &folds.refit, context)?;
    let mut evaluation = judgement.evaluation;
    evaluation.charts.extend(picture);
    let model = model(stage, &trained, &folds.refit, &schema, context.run_date)?;
    let version = model.version();
    let to_score = ToScore::plan(&table, &read, options.target, context.run_date, ROWS_AT_ONCE)?;
    let to_score = if options.mode == Mode::Fit { to_score.none() } else { to_score };
    let scored = scoring::score::<P>(trained, to_score, &version, is_probability(&served), context)?;
    Ok(Outputs { model: Some(model), evaluation: Some(evaluation), ..scored })
}

/// The model that is served.
pub struct Served<P: Predictor> {
    pub trained: Trained<P::Learned>,
    pub picture: Option<Chart>,
    /// With the parameters that were chosen.
    pub stage: P,
}

/// Fits once more on all rows whose target is known.
pub fn serve<P: Predictor>(
    stage: &P,
    subject: &Subject,
    tuned: Option<Tuned<P>>,
    rows: &DataFrame,
    context: &StageContext,
) -> Result<Served<P>, Failure> {
    let (stage, chosen) = tuned.map_or_else(|| (stage.clone(), vec![]), |tuned| (tuned.stage, tuned.chosen));
    let mut trained = train(&stage, subject, rows, context)?;
    trained.tuned = chosen;
    let deviations = trained.design.deviations(rows)?;
    let picture = stage.picture(&trained, &deviations);
    Ok(Served { trained, picture, stage })
}

/// What came of judging a model.
pub struct Judgement<P> {
    pub evaluation: Evaluation,
    pub tuned: Option<Tuned<P>>,
    /// Of the rows that judge: what happened and what was expected.
    pub truth: Target,
    pub expected: Array2<f64>,
}

/// Fits before each fold that judges, and judges on all of them together.
pub fn judge<P: Predictor>(
    stage: &P,
    subject: &Subject,
    folds: &Folds,
    context: &StageContext,
) -> Result<Judgement<P>, Failure> {
    let newest = folds.folds.last().ok_or_else(|| Failure::bug("there is no fold"))?;
    let mut tuned: Option<Tuned<P>> = None;
    let mut trained: Option<Trained<P::Learned>> = None;
    let (mut expected, mut before, mut decided): (Vec<Array2<f64>>, Vec<Array2<f64>>, Vec<bool>) = Default::default();
    let mut held: Option<DataFrame> = None;
    for fold in &folds.folds {
        context.cancel.check()?;
        // Anew for each fold: what one judges may be what another trains on.
        tuned = tune::tune(stage, subject, &fold.train, context)?;
        let stage = tuned.as_ref().map_or(stage, |tuned| &tuned.stage);
        let fitted = train(stage, subject, &fold.train, context)?;
        let x = fitted.design.matrix(&fold.held)?;
        let found = fitted.expected_of::<P>(x.view())?;
        if fitted.calibration.is_some() && stage.gives_probabilities() {
            before.push(P::scores(&fitted.learned, x.view())?);
        }
        let threshold = fitted.threshold.unwrap_or(0.5);
        decided.extend(found.column(0).iter().map(|score| *score >= threshold));
        expected.push(found);
        held = Some(match held {
            Some(held) => held.vstack(&fold.held)?,
            None => fold.held.clone(),
        });
        trained = Some(fitted);
    }
    let (Some(trained), Some(held)) = (trained, held) else { return Err(Failure::bug("there is no fold")) };
    let stage = tuned.as_ref().map_or(stage, |tuned| &tuned.stage);
    let options = stage.options();
    let joined = |parts: &[Array2<f64>]| -> Result<Array2<f64>, Failure> {
        let views: Vec<_> = parts.iter().map(Array2::view).collect();
        concatenate(Axis(0), &views).map_err(|error| Failure::bug(error.to_string()))
    };
    let train_target = subject.target_of(&newest.train)?;
    leaks(&options, &trained, newest, &train_target)?;
    let judged = Judged {
        options: &options,
        model: stage.name(subject.task),
        evaluated: &folds.evaluated,
        truth: subject.target_of(&held)?,
        expected: joined(&expected)?,
        is_probability: is_probability(stage),
        before: (!before.is_empty()).then(|| joined(&before)).transpose()?,
        decided,
        threshold: trained.threshold,
        prior: prior(&train_target),
        held: &held,
        train: (&newest.train, &train_target),
        design: &trained.design,
    };
    let mut evaluation = judged.evaluation(context)?;
    evaluation.facts.extend(folds.facts.iter().map(|fact| Fact::new(fact.name.clone(), fact.value.clone())));
    evaluation.facts.push(design::facts::columns(&trained.design));
    evaluation.facts.extend(stage.facts(&trained));
    evaluation.facts.extend(design::facts::of_values(&trained.design));
    evaluation.warnings.extend(stage.warnings(&trained));
    if let Some(tuned) = &tuned {
        let chosen: Vec<String> = tuned.chosen.iter().map(|(name, value)| format!("{name} {value}")).collect();
        evaluation.facts.push(Fact::new("tuned", chosen.join(", ")));
        evaluation.charts.push(tuned.trials.clone());
    }
    let measure = default_measure(subject.task, is_probability(stage));
    important::<P>(&trained, newest, measure, &mut evaluation, context)?;
    let Judged { truth, expected, .. } = judged;
    Ok(Judgement { evaluation, tuned, truth, expected })
}

/// Adds what each feature is worth on the newest fold.
fn important<P: Predictor>(
    trained: &Trained<P::Learned>,
    newest: &super::material::Fold,
    measure: &str,
    evaluation: &mut Evaluation,
    context: &StageContext,
) -> Result<(), Failure> {
    let rows = newest.held.height();
    let step = rows.div_ceil(IMPORTANCE_ROWS_MAX).max(1);
    let held = rows_at(&newest.held, &(0..rows).step_by(step).collect::<Vec<_>>())?;
    let subject = &trained.subject;
    let truth = subject.target_of(&held)?;
    let x = trained.design.matrix(&held)?;
    let worth = |expected: &_| measure_of(measure, &truth, expected).map(|found| sign(measure) * found);
    let found = reasons::importance::<P>(trained, x.view(), worth, context)?;
    if subject.task == Task::Binary {
        let costly = found.iter().filter(|(_, lost)| *lost >= COSTLY);
        evaluation.warnings.extend(costly.map(|(name, lost)| watch::costly_feature(name, *lost)));
    }
    evaluation.charts.extend(judge::importance(&found, measure));
    Ok(())
}

/// Refuses features that tell the target almost alone.
fn leaks<L>(
    options: &Options<'_>,
    trained: &Trained<L>,
    newest: &super::material::Fold,
    target: &Target,
) -> Result<(), Failure> {
    let x = trained.design.unscaled(&newest.train)?;
    let found = reasons::alone(&trained.design, x.view(), target);
    let measure = if matches!(target, Target::Number(_)) { "R²" } else { "ROC AUC" };
    let refused = found.iter().filter(|(name, reached)| *reached >= LEAK && !options.allow_leaks.contains(name));
    let words: Vec<String> = refused.map(|(name, reached)| format!("`{name}` ({measure} {reached:.3})")).collect();
    if words.is_empty() {
        return Ok(());
    }
    Err(Failure::data(format!(
        "{} alone tells `{}` almost without error, as a feature does that knows the outcome: list it under \
         `unavailable_at_prediction`, or, if it is truly known before, under `allow_leaks`",
        format::list(words.iter().map(String::as_str), 10),
        options.target
    )))
}

/// What training rows alone say.
fn prior(target: &Target) -> Vec<f64> {
    match target {
        Target::Number(values) => vec![values.iter().sum::<f64>() / values.len().max(1) as f64],
        _ => {
            let classes = target.class_of();
            let share = |class: usize| {
                classes.iter().filter(|own| **own as usize == class).count() as f64 / classes.len().max(1) as f64
            };
            let first = usize::from(matches!(target, Target::Binary(_)));
            (first..target.class_count()).map(share).collect()
        }
    }
}

/// Scores the run date, or the rows without a target, with a model of an earlier night.
fn apply<P: Predictor>(stage: &P, table: Table, model: &Model, context: &StageContext) -> Result<Outputs, Failure> {
    scored(stage, model.main()?, &model.version(), &table, context)
}

/// The tables of the rows that are to be scored, by a model of an earlier night.
pub fn scored<P: Predictor>(
    stage: &P,
    trained: Trained<P::Learned>,
    version: &str,
    table: &Table,
    context: &StageContext,
) -> Result<Outputs, Failure> {
    let target = stage.options().target;
    let fields = trained.design.fields();
    let needed = fields.iter().map(|field| field.name.as_str());
    let mut present: Vec<&str> = needed.filter(|name| table.schema.column(name).is_some()).collect();
    present.push(target);
    let to_score = ToScore::plan(table, &present, target, context.run_date, ROWS_AT_ONCE)?;
    scoring::score::<P>(trained, to_score, version, is_probability(stage), context)
}

fn model<P: Predictor>(
    stage: &P,
    trained: &Trained<P::Learned>,
    rows: &DataFrame,
    features: &TableSchema,
    run_date: NaiveDate,
) -> Result<Model, Failure> {
    Model::new(run_date, signature(stage, trained, rows, features)?, trained)
}

/// What the model takes and gives.
pub fn signature<P: Predictor>(
    stage: &P,
    trained: &Trained<P::Learned>,
    rows: &DataFrame,
    features: &TableSchema,
) -> Result<Signature, Failure> {
    let subject = &trained.subject;
    let entity = features.column(&subject.entity).cloned();
    let outputs = entity.map(|entity| {
        output::schemas(&entity, subject.task, is_probability(stage), Class::default(), &[], false)
            .into_iter()
            .flat_map(|schema| schema.columns)
            .map(|column| Field::new(column.name, crate::table::type_name(&column.dtype)))
            .collect()
    });
    Ok(Signature {
        kind: P::KIND.to_owned(),
        inputs: trained.design.fields(),
        outputs: outputs.unwrap_or_default(),
        profile: profile::columns(rows, features)?,
        rows: rows.height(),
        parameters: parameters(stage)?,
    })
}
