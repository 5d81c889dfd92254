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
use crate::stages::prediction::design::facts as of_design;
use crate::stages::protocol::SnapshotSplit;

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
    let mut facts = of_design::of_split(split, train.height(), served.design.rows);
    facts.push(of_design::columns(&trial.design));
    facts.push(Fact::new("fit", fit(trial)));
    facts.extend(of_design::of_values(&trial.design));
    if stage.class_weight == ClassWeight::Balanced {
        let value = "those of a world where both classes are equally frequent (class_weight: balanced), \
                     so log loss, Brier score and calibration error suffer";
        facts.push(Fact::new("probabilities", value));
    }
    facts
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
