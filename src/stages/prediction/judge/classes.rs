//! A target of several classes.

use ndarray::Array2;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::binary::compared;
use super::{Judged, as_probabilities, point};
use crate::format;
use crate::metrics::disclosure::TOLD_MIN;
use crate::metrics::evaluation::{Better, Chart, Estimate, Evaluation, Fact, Measure, Slice};
use crate::metrics::intervals::RESAMPLES;
use crate::metrics::many_classes::{ClassMeasure, ClassPredictions};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::watch;

pub fn evaluation(
    judged: &Judged<'_>,
    names: &[String],
    truth: &[u32],
    context: &StageContext,
) -> Result<Evaluation, Failure> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
    let data = |error: crate::metrics::many_classes::ClassesError| Failure::data(error.to_string());
    let model = ClassPredictions::new(truth, as_probabilities(&judged.expected)).map_err(data)?;
    let flat =
        Array2::from_shape_fn((truth.len(), names.len()), |(_, class)| judged.prior.get(class).copied().unwrap_or(0.0));
    let prior = ClassPredictions::new(truth, as_probabilities(&flat)).map_err(data)?;
    let mut measures: Vec<Measure> = Vec::new();
    if judged.is_probability {
        measures.extend(compared("log_loss", &model.log_losses(), &prior.log_losses(), &mut rng));
        measures.extend(compared("brier", &model.brier_losses(), &prior.brier_losses(), &mut rng));
    }
    let found = model.intervals(&ClassMeasure::ALL, RESAMPLES, &mut rng);
    let differences = model.difference_intervals(&prior, &ClassMeasure::ALL, RESAMPLES, &mut rng);
    context.cancel.check()?;
    for ((measure, found), difference) in ClassMeasure::ALL.into_iter().zip(found).zip(differences) {
        let Some(found) = found else { continue };
        measures.push(Measure {
            name: measure.name().to_owned(),
            better: Better::Higher,
            model: found.into(),
            baseline: prior.confusion().measure(measure).map(Estimate::point),
            difference: difference.map(Into::into),
        });
    }
    measures.extend(super::against("roc_auc", Better::Higher, model.roc_auc_interval(RESAMPLES, &mut rng), Some(0.5)));
    if let Some(before) = judged.before.as_ref().and_then(|before| ClassPredictions::new(truth, before.clone()).ok()) {
        measures.push(point("log_loss_before_calibration", Better::Lower, before.log_loss(), None));
    }
    let headline = measures.first().map(|first| first.name.clone()).unwrap_or_default();
    let rows = format::thousands(truth.len() as u64);
    let facts =
        vec![Fact::new("evaluated on", format!("{}, {rows} rows of {} classes", judged.evaluated, names.len()))];
    let mut evaluation = Evaluation {
        target: judged.options.target.to_owned(),
        model: judged.model.clone(),
        baseline: "class prior".to_owned(),
        headline,
        measures,
        facts,
        charts: [confusion(&model, names), Some(by_class(&model, names))].into_iter().flatten().collect(),
        slices: slices(&model, names),
        ..Evaluation::default()
    };
    let rules = [watch::few_rows(truth.len()), watch::wide_interval(&evaluation)];
    evaluation.watch = rules.into_iter().flatten().collect();
    Ok(evaluation)
}

/// Rows by what happened and what was predicted, as shares of what happened.
fn confusion(model: &ClassPredictions, names: &[String]) -> Option<Chart> {
    let counts = model.confusion().counts;
    // A grid of very many cells cannot be read.
    (names.len() <= 12).then(|| {
        let shares: Vec<Vec<f64>> = counts
            .iter()
            .map(|row| {
                let all = row.iter().sum::<u64>().max(1) as f64;
                row.iter().map(|count| *count as f64 / all).collect()
            })
            .collect();
        // What happened to a few is not told.
        let is_told = |row: &[u64]| row.iter().sum::<u64>() >= TOLD_MIN;
        let told: Vec<bool> = counts.iter().map(|row| is_told(row)).collect();
        let shares: Vec<Vec<f64>> = shares
            .into_iter()
            .zip(&told)
            .map(|(row, told)| row.into_iter().map(|s| if *told { s } else { 0.0 }).collect())
            .collect();
        let text = |share: &f64, told: bool| if told { format::percent(*share) } else { "few".to_owned() };
        let texts =
            shares.iter().zip(&told).map(|(row, told)| row.iter().map(|share| text(share, *told)).collect()).collect();
        Chart::Grid {
            title: "What happened and what was predicted".to_owned(),
            rows_title: "what happened".to_owned(),
            columns_title: "what was predicted".to_owned(),
            rows: names.to_vec(),
            columns: names.to_vec(),
            values: shares,
            texts,
            center: None,
        }
    })
}

fn by_class(model: &ClassPredictions, names: &[String]) -> Chart {
    let aucs = model.roc_aucs();
    let text = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |value| format!("{value:.3}"));
    let row = |scores: crate::metrics::many_classes::ClassScores| {
        let auc = aucs.get(scores.class).copied().flatten();
        let name = names.get(scores.class).cloned().unwrap_or_default();
        if scores.support < TOLD_MIN {
            let few = format!("fewer than {TOLD_MIN}");
            return [name, few].into_iter().chain((0..4).map(|_| String::new())).collect();
        }
        let cells = [text(scores.precision), text(scores.recall), text(scores.f1), text(auc)];
        [name, format::thousands(scores.support)].into_iter().chain(cells).collect()
    };
    Chart::Table {
        title: "By class".to_owned(),
        columns: ["class", "rows", "precision", "recall", "F1", "ROC AUC against the rest"].map(str::to_owned).to_vec(),
        rows: model.confusion().scores().into_iter().map(row).collect(),
    }
}

fn slices(model: &ClassPredictions, names: &[String]) -> Vec<Slice> {
    let of = |scores: crate::metrics::many_classes::ClassScores| {
        let name = format!("class {}", names.get(scores.class).cloned().unwrap_or_default());
        let all = [("precision", scores.precision), ("recall", scores.recall), ("f1", scores.f1)];
        let told = scores.support >= TOLD_MIN;
        all.into_iter().filter_map(move |(measure, value)| Some(Slice::new(&name, measure, value.filter(|_| told)?)))
    };
    model.confusion().scores().into_iter().flat_map(of).collect()
}
