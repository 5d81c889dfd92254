//! From which probability on a decision is made.

use super::options::{Cost, Threshold};
use super::task::Target;
use crate::metrics::classification::Ranking;
use crate::stages::contract::Failure;

/// The threshold that is wanted, chosen on scores of rows that the model did not see. Where deciding for nobody is best,
/// it is above all scores.
pub fn choose(wanted: Threshold, scores: &[f64], target: &Target) -> Result<f64, Failure> {
    let Target::Binary(truth) = target else { return Err(Failure::bug("only true or false has a threshold")) };
    let ranking = Ranking::new(truth, scores).map_err(|error| Failure::data(error.to_string()))?;
    let chosen = match wanted {
        Threshold::At(at) => return Ok(at),
        Threshold::F1 => ranking.best_f1().and_then(|choice| choice.threshold),
        Threshold::Cost(Cost { false_positive, false_negative }) => {
            ranking.least_cost(false_positive, false_negative).and_then(|choice| choice.threshold)
        }
        Threshold::Capacity(share) => ranking.capacity(share).threshold,
    };
    Ok(chosen.unwrap_or(f64::MAX))
}

/// In words, for the report.
pub fn words(wanted: Threshold, chosen: f64) -> String {
    let at = crate::format::number(chosen);
    match wanted {
        Threshold::At(_) => format!("{at}, as given"),
        _ if chosen == f64::MAX => "none: deciding for nobody is best".to_owned(),
        Threshold::F1 => format!("{at}, with the greatest F1 on rows that the model did not see"),
        Threshold::Cost(Cost { false_positive, false_negative }) => format!(
            "{at}, with the least cost on rows that the model did not see (false positive {}, false negative {})",
            crate::format::number(false_positive),
            crate::format::number(false_negative)
        ),
        Threshold::Capacity(share) => {
            format!("{at}, which {} of the rows that the model did not see reach", crate::format::percent(share))
        }
    }
}
