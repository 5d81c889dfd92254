//! Parameters chosen out of a grid, on the training rows only.

use ndarray::Axis;
use polars::prelude::DataFrame;
use serde_json::Value;

use super::judge::{default_measure, measure_of, measures_of};
use super::learner::{Predictor, Subject, train};
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

/// What is wrong with a grid, placed under `with.tune`.
pub fn problems<P: Predictor>(stage: &P, tune: &Tune) -> Vec<Problem> {
    let place = || ["with", "tune", "grid"];
    let before: Vec<String> = stage.own_problems().into_iter().map(|problem| problem.message).collect();
    let mut problems: Vec<Problem> = Vec::new();
    // Each combination, since values may go together with some others only; each mistake is told once.
    let mut tell = |code: Code, message: String| {
        if !before.contains(&message) && problems.iter().all(|told| told.message != message) {
            problems.push(Problem::new(code, message).at(place()));
        }
    };
    for trial in tune.trials().iter().take(super::options::TRIALS_MAX) {
        match with(stage, trial) {
            Err(message) => tell(Code::BadValue, message),
            Ok(other) => other.own_problems().into_iter().for_each(|problem| tell(problem.code, problem.message)),
        }
    }
    problems
}

/// The measure that decides; `None` where the task has none of that name.
pub fn deciding(tune: &Tune, task: Task, is_probability: bool) -> Option<&'static str> {
    let known = measures_of(task);
    match &tune.by {
        None => Some(default_measure(task, is_probability)),
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
            let trained = train(&other, subject, &rows_at(rows, &known)?, context)?;
            let held_rows = rows_at(rows, &held)?;
            let expected = trained.expected::<P>(&held_rows)?;
            debug_assert_eq!(expected.len_of(Axis(0)), held.len());
            found.extend(measure_of(measure, &target.at(&held), &expected));
        }
        let mean = found.iter().sum::<f64>() / found.len().max(1) as f64;
        if !found.is_empty() && best.is_none_or(|(most, _)| mean > most) {
            best = Some((mean, place));
        }
        let spread = found.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / found.len().max(1) as f64;
        let sign = if matches!(measure, "rmse" | "mae" | "log_loss" | "brier") { -1.0 } else { 1.0 };
        table.push((mean, vec![words(trial), format!("{:.4}", sign * mean), format!("{:.4}", spread.sqrt())]));
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
