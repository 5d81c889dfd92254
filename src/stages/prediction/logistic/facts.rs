//! What a reader of the evaluation must know.

use chrono::NaiveDate;
use polars::prelude::DataFrame;

use super::Logistic;
use super::evaluate::Judged;
use super::fitted::Fitted;
use super::options::ClassWeight;
use super::single::Single;
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::metrics::intervals::Interval;
use crate::stages::prediction::design::Encoding;
use crate::stages::protocol::SnapshotSplit;

/// The columns that a fact names.
const NAMES_MAX: usize = 20;

/// Facts of the evaluation rows.
pub fn of_rows(judged: &Judged<'_>, evaluated: NaiveDate, single: Option<(&Single, Interval)>) -> Vec<Fact> {
    let (rows, share) = (format::thousands(judged.model.rows() as u64), format::percent(judged.share()));
    let mut facts = vec![Fact::new("evaluated on", format!("{evaluated}, {rows} rows, {share} positive"))];
    if judged.model.roc_auc().is_none() {
        let word = if judged.model.positives() > 0 { "true" } else { "false" };
        let value = format!("there is none: the target is {word} in every evaluated row, so log loss decides");
        facts.push(Fact::new("ROC AUC", value));
    }
    if let Some((single, advantage)) = single {
        let direction = match single.rising {
            Some(true) => ", more is likelier",
            Some(false) => ", less is likelier",
            None => "",
        };
        let value = format!(
            "{}{direction}: a ROC AUC of {:.3} on the same rows; the model's is {:+.3} from that (95 % interval {:+.3} to {:+.3}). \
             It was chosen on the training rows",
            single.name, single.roc_auc, advantage.estimate, advantage.low, advantage.high
        );
        facts.push(Fact::new("best single feature", value));
    }
    facts
}

/// Facts of what was fitted on what.
pub fn of_fit(
    stage: &Logistic,
    split: &SnapshotSplit,
    train: &DataFrame,
    trial: &Fitted,
    served: &Fitted,
) -> Vec<Fact> {
    let snapshots = |dates: &[NaiveDate]| match dates.len() {
        1 => format!("1 snapshot, {}", format::span(dates)),
        many => format!("{many} snapshots, {}", format::span(dates)),
    };
    let mut facts = vec![
        Fact::new(
            "trained on",
            format!("{}, {} rows", snapshots(&split.train), format::thousands(train.height() as u64)),
        ),
        Fact::new(
            "served model",
            format!(
                "a refit on all labelled snapshots up to {} ({} rows), not the one evaluated here",
                split.refit.last().copied().unwrap_or(split.evaluate),
                format::thousands(served.design.rows as u64)
            ),
        ),
        Fact::new("columns", columns(trial)),
        Fact::new("fit", fit(trial)),
    ];
    facts.extend(missing(trial).map(|value| Fact::new("imputed with the median", value)));
    facts.extend(levels(trial).map(|value| Fact::new("levels of text", value)));
    if !trial.design.dropped.is_empty() {
        let names = format::list(trial.design.dropped.iter().map(String::as_str), NAMES_MAX);
        facts.push(Fact::new(
            "dropped columns",
            format!("{names}: without a value, or without a level of 10 rows, in training"),
        ));
    }
    if stage.class_weight == ClassWeight::Balanced {
        let value = "those of a world where both classes are equally frequent (class_weight: balanced), \
                     so log loss, Brier score and calibration error suffer";
        facts.push(Fact::new("probabilities", value));
    }
    facts
}

fn columns(trial: &Fitted) -> String {
    let names = trial.design.columns.iter().map(Encoding::name);
    format!(
        "{} features in {} columns: {}",
        trial.design.columns.len(),
        trial.design.width(),
        format::list(names, NAMES_MAX)
    )
}

fn fit(trial: &Fitted) -> String {
    let steps = trial.regression.iterations;
    match trial.regression.converged {
        true => format!("converged after {steps} steps"),
        false => format!(
            "did not converge in {steps} steps: the coefficients are not final; scale the features or raise the penalty"
        ),
    }
}

/// The features of which training rows lacked a value.
fn missing(trial: &Fitted) -> Option<String> {
    let lacking = trial.design.columns.iter().filter_map(|encoding| match encoding {
        Encoding::Number { name, imputed, .. } if *imputed > 0 => {
            Some(format!("{name} in {} rows", format::thousands(*imputed as u64)))
        }
        _ => None,
    });
    let lacking: Vec<String> = lacking.collect();
    (!lacking.is_empty()).then(|| format::list(lacking.iter().map(String::as_str), NAMES_MAX))
}

fn levels(trial: &Fitted) -> Option<String> {
    let texts = trial.design.columns.iter().filter_map(|encoding| match encoding {
        Encoding::Levels { name, levels } => Some(format!("{name}: {}", levels.len())),
        Encoding::Number { .. } => None,
    });
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| format::list(texts.iter().map(String::as_str), NAMES_MAX))
}
