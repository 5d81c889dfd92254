//! What a reader of the evaluation must know.

use chrono::NaiveDate;
use polars::prelude::DataFrame;

use super::evaluate::Judged;
use super::fitted::Fitted;
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::stages::prediction::design::facts as of_design;
use crate::stages::protocol::SnapshotSplit;

/// Facts of the evaluation rows.
pub fn of_rows(judged: &Judged<'_>, evaluated: NaiveDate) -> Vec<Fact> {
    let rows = judged.truth.len();
    let mean = judged.truth.iter().sum::<f64>() / rows.max(1) as f64;
    let value = format!(
        "{evaluated}, {} rows with a mean of {}; in training it was {}",
        format::thousands(rows as u64),
        format::number(mean),
        format::number(judged.mean)
    );
    vec![Fact::new("evaluated on", value)]
}

/// Facts of what was fitted on what.
pub fn of_fit(split: &SnapshotSplit, train: &DataFrame, trial: &Fitted, served: &Fitted) -> Vec<Fact> {
    let mut facts = of_design::of_split(split, train.height(), served.design.rows);
    facts.push(of_design::columns(&trial.design));
    facts.extend(dependent(trial));
    facts.extend(of_design::of_values(&trial.design));
    facts
}

/// Columns that say nothing of their own.
fn dependent(trial: &Fitted) -> Option<Fact> {
    let terms = trial.design.terms();
    let names: Vec<String> =
        trial.regression.dependent.iter().filter_map(|place| Some(terms.get(*place)?.to_string())).collect();
    let listed = format::list(names.iter().map(String::as_str), of_design::NAMES_MAX);
    (!names.is_empty()).then(|| Fact::new("left out", format!("{listed}: constant, or other columns determine them")))
}
