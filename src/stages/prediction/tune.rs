//! Parameters chosen out of a grid, on the training rows only.

use ndarray::Axis;
use polars::prelude::DataFrame;
use serde_json::Value;

use super::judge::contest::sign;
use super::judge::{measure_of, measures_of};
use super::learner::{Predictor, Subject, calibrated};
use super::options::{Calibrate, Tune};
use super::parts;
use super::task::{Task, rows_at};
use crate::format;
use crate::metrics::evaluation::Chart;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, StageContext};

/// The best settings, and what all of them reached.
pub struct Tuned<P> {
    pub stage: P,
    pub chosen: Vec<(String, Value)>,
    pub trials: Chart,
}

/// The stage with these parameters in place of its own; a name like `penalty.l2` means a part of one.
fn with<P: Predictor>(stage: &P, trial: &[(&str, &Value)]) -> Result<P, String> {
    let mut all = serde_json::to_value(stage).map_err(|error| error.to_string())?;
    for (name, value) in trial {
        let mut place = &mut all;
        for part in name.split('.') {
            if place.is_null() {
                *place = Value::Object(serde_json::Map::new());
            }
            let known = place.as_object_mut().ok_or_else(|| format!("`{name}` is no parameter"))?;
            place = known.entry(part.to_owned()).or_insert(Value::Null);
        }
        *place = (*value).clone();
    }
    serde_json::from_value(all).map_err(|error| format!("`{}`: {error}", words(trial)))
}

/// What is wrong with a grid whatever the target, placed under `with.tune`.
pub fn problems<P: Predictor>(stage: &P, tune: &Tune) -> Vec<Problem> {
    let of = |trial: &[(&str, &Value)]| match with(stage, trial) {
        Err(message) => vec![Problem::new(Code::BadValue, message)],
        Ok(other) => other.own_problems(),
    };
    each_once(tune, &stage.own_problems(), of)
}

/// Parameters of a grid that such a target does not go with, placed under `with.tune`.
pub fn idle<P: Predictor>(stage: &P, tune: &Tune, task: Task) -> Vec<Problem> {
    each_once(tune, &stage.idle(task), |trial| with(stage, trial).map(|other| other.idle(task)).unwrap_or_default())
}

/// The problems of each combination, since values may go together with some others only; each mistake is told once, and
/// not those that the stage has without the grid.
fn each_once(tune: &Tune, before: &[Problem], of: impl Fn(&[(&str, &Value)]) -> Vec<Problem>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for trial in tune.trials().iter().take(super::options::TRIALS_MAX) {
        for problem in of(trial) {
            if before.iter().chain(&problems).all(|told| told.message != problem.message) {
                problems.push(Problem::new(problem.code, problem.message).at(["with", "tune", "grid"]));
            }
        }
    }
    problems
}

/// The measure that decides; `None` where there is none of that name.
pub fn deciding(tune: &Tune, task: Task, is_probability: bool) -> Option<&'static str> {
    let known = measures_of(task, is_probability);
    match &tune.by {
        None => known.first().copied(),
        Some(name) => known.iter().copied().find(|known| known == name),
    }
}

/// Tries all combinations on parts of the training rows, and takes the best; of equal ones the first.
pub fn tune<P: Predictor>(
    stage: &P,
    subject: &Subject,
    rows: &DataFrame,
    context: &StageContext,
) -> Result<Option<Tuned<P>>, Failure> {
    let options = stage.options();
    let Some(tune) = options.tune else { return Ok(None) };
    let is_probability = stage.gives_probabilities() || options.calibrate != Calibrate::None;
    let Some(measure) = deciding(tune, subject.task, is_probability) else {
        return Err(Failure::bug("the measure of the grid is none of the task's"));
    };
    let target = subject.target_of(rows)?;
    let folds = parts::by_entity(rows, &subject.entity, &target, tune.folds, context.seed)?;
    let mut best: Option<(f64, usize)> = None;
    let mut table = Vec::new();
    let trials = tune.trials();
    for (place, trial) in trials.iter().enumerate() {
        let other = with(stage, trial).map_err(Failure::data)?;
        let mut found = Vec::new();
        for fold in 0..tune.folds {
            context.cancel.check()?;
            let (held, known): (Vec<usize>, Vec<usize>) =
                (0..folds.len()).partition(|row| folds.get(*row) == Some(&fold));
            let (trained, _) = calibrated(&other, subject, &rows_at(rows, &known)?, context)?;
            let held_rows = rows_at(rows, &held)?;
            let expected = trained.expected::<P>(&held_rows)?;
            debug_assert_eq!(expected.len_of(Axis(0)), held.len());
            found.extend(measure_of(measure, &target.at(&held), &expected));
        }
        let mean = found.iter().sum::<f64>() / found.len().max(1) as f64;
        let worth = sign(measure) * mean;
        if !found.is_empty() && best.is_none_or(|(most, _)| worth > most) {
            best = Some((worth, place));
        }
        let spread = found.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / found.len().max(1) as f64;
        table.push((worth, vec![words(trial), format!("{mean:.4}"), format!("{:.4}", spread.sqrt())]));
    }
    let Some((_, place)) = best else {
        return Err(Failure::data(format!("the grid was tried and `{measure}` exists for none of its settings")));
    };
    let chosen = trials.get(place).cloned().unwrap_or_default();
    let stage = with(stage, &chosen).map_err(Failure::data)?;
    table.sort_by(|a, b| b.0.total_cmp(&a.0));
    let trials = Chart::Table {
        title: format!("Trials of the grid, by {measure} on {} parts of the training rows", tune.folds),
        columns: ["parameters", measure, "deviation between parts"].map(str::to_owned).to_vec(),
        rows: table.into_iter().take(50).map(|(_, row)| row).collect(),
    };
    let chosen = chosen.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    Ok(Some(Tuned { stage, chosen, trials }))
}

fn words(trial: &[(&str, &Value)]) -> String {
    let all: Vec<String> = trial.iter().map(|(name, value)| format!("{name} {value}")).collect();
    format::list(all.iter().map(String::as_str), 20)
}
