//! What can be wrong with the options of every kind, seen beside the table that they name columns of.

use super::design::PORT;
use super::judge::measures_of;
use super::options::{Calibrate, ClassWeight, Options, Threshold};
use super::task::Task;
use crate::problem::{Code, Problem, Step};
use crate::table::{TableSchema, type_name};

/// Columns that are named and not there.
pub fn column_problems(options: &Options<'_>, features: &TableSchema) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut missing = |name: &str, place: Vec<Step>| {
        if features.column(name).is_none() {
            let message = format!("the table at `{PORT}` has no column `{name}`");
            problems.push(Problem::new(Code::UnknownColumn, message).nearest(name, features.names()).at(place));
        }
    };
    let lists = [
        ("unavailable_at_prediction", options.unavailable),
        ("allow_leaks", options.allow_leaks),
        ("slice", options.slice),
    ];
    for (option, names) in lists {
        for (index, name) in names.iter().enumerate() {
            let is_product = options.prepare.products.iter().any(|pair| pair.join(" × ") == *name);
            if !(option == "allow_leaks" && is_product) {
                missing(name, vec!["with".into(), option.into(), index.into()]);
            }
        }
    }
    if let Some(weight) = options.weight {
        missing(weight, vec!["with".into(), "weight".into()]);
    }
    if let Some(weight) = options.weight {
        let dtype = features.column(weight).map(|column| &column.dtype);
        if let Some(dtype) = dtype.filter(|dtype| Task::of_numbers(dtype).is_none()) {
            let message = format!("`{weight}` is {}, and a weight is a number", type_name(dtype));
            problems.push(Problem::new(Code::WrongColumnType, message).at(["with", "weight"]));
        }
    }
    let is_snapshots = !features.snapshots.is_empty();
    let bad = |message: &str| Problem::new(Code::BadValue, message).at(["with", "validate"]);
    let by_chance = options.validate.share.is_some() || options.validate.folds.is_some();
    if is_snapshots && by_chance {
        problems.push(bad("snapshots are judged by time: rows held out by chance would know their own future"));
    }
    if !is_snapshots && features.event_time.is_none() && options.validate.time_folds.is_some() {
        problems.push(bad("the table has neither snapshots nor an event time, so nothing is before anything else"));
    }
    for (index, name) in options.slice.iter().enumerate() {
        if features.column(name).is_some_and(|column| column.class.names_one()) {
            let message = format!("`{name}` names a person, so every group would be one person");
            let place: [Step; 3] = ["with".into(), "slice".into(), index.into()];
            problems.push(Problem::new(Code::BadValue, message).at(place));
        }
    }
    problems
}

/// Options that mean nothing for such a target.
pub fn idle(options: &Options<'_>, task: Task) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut told = |is_idle: bool, message: &str, option: &'static str| {
        problems.extend(is_idle.then(|| Problem::new(Code::BadValue, message).at(["with", option])));
    };
    let is_default = options.threshold == Threshold::default();
    told(
        task != Task::Binary && !is_default,
        "only a target that is true or false is decided on by a threshold",
        "threshold",
    );
    let is_number = task == Task::Number;
    told(is_number && options.calibrate != Calibrate::None, "a number has no probability", "calibrate");
    let weights = options.class_weight != ClassWeight::None;
    told(is_number && weights, "a number has no classes; `weight` names a column of weights", "class_weight");
    problems
}

/// That a measure does not exist.
pub fn unknown_measure(name: &str, task: Task, is_probability: bool) -> Problem {
    let known = measures_of(task, is_probability);
    let message = if measures_of(task, true).contains(&name) {
        format!("`{name}` is a measure of probabilities, which there are none without `calibrate`")
    } else {
        format!("`{name}` is no measure of such a target: {}", known.join(", "))
    };
    Problem::new(Code::BadValue, message).nearest(name, known.iter().copied())
}
