//! A target that is true or false.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Judged, TENTHS, against, point, single};
use crate::format;
use crate::metrics::classification::{BinaryMeasure, Confusion, Predictions, Ranking};
use crate::metrics::evaluation::{Better, Chart, Curve, Evaluation, Fact, Measure, Slice};
use crate::metrics::intervals::{self, RESAMPLES};
use crate::stages::contract::{Failure, StageContext};
use crate::stages::prediction::options::Threshold;
use crate::stages::prediction::task::Target;
use crate::stages::watch;

/// Fewer rows make no point of the calibration curve.
const POINT_ROWS_MIN: usize = 10;

pub fn evaluation(judged: &Judged<'_>, truth: &[bool], context: &StageContext) -> Result<Evaluation, Failure> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
    let scores = judged.expected.column(0).to_vec();
    let ranking = Ranking::new(truth, &scores).map_err(data)?;
    let share = ranking.positives() as f64 / ranking.rows().max(1) as f64;
    let probabilities = judged.is_probability.then(|| Predictions::new(truth.to_vec(), scores.clone())).transpose();
    let probabilities = probabilities.map_err(data)?;
    let calibration = probabilities.as_ref().map(|model| model.calibration(TENTHS));
    let expected_error = calibration.as_ref().map(|found| found.expected_error);
    let measures = measures(judged, truth, &ranking, probabilities.as_ref(), expected_error, &mut rng, context)?;
    let best = single::best(judged, truth)?;
    let advantage = best.as_ref().and_then(|best| best.advantage(&ranking, &mut rng));
    let headline = measures.first().map(|first| first.name.clone()).unwrap_or_default();
    let mut facts = vec![Fact::new(
        "evaluated on",
        format!(
            "{}, {} rows, {} positive",
            judged.evaluated,
            format::thousands(truth.len() as u64),
            format::percent(share)
        ),
    )];
    if ranking.roc_auc().is_none() {
        let word = if ranking.positives() > 0 { "true" } else { "false" };
        let value = format!("there is none: the target is {word} in every evaluated row, so log loss decides");
        facts.push(Fact::new("ROC AUC", value));
    }
    facts.extend(judged.threshold_words().map(|words| Fact::new("threshold", words)));
    facts.extend(best.as_ref().zip(advantage).map(|(best, advantage)| best.fact(advantage)));
    facts.extend(before_and_after(judged, truth, probabilities.as_ref(), &mut rng));
    let decisions = Confusion::of(truth.iter().copied().zip(judged.decided.iter().copied()));
    let mut charts = curves(&ranking, best.as_ref(), share);
    charts.extend(probabilities.as_ref().and_then(|model| reliability(judged, truth, model)));
    charts.push(confusion(judged.options.target, decisions, judged.threshold.unwrap_or(0.5)));
    let mut evaluation = Evaluation {
        target: judged.options.target.to_owned(),
        model: judged.model.clone(),
        baseline: "class prior".to_owned(),
        headline,
        measures,
        facts,
        charts,
        slices: slices(&ranking, &decisions, judged),
        ..Evaluation::default()
    };
    let roc_auc = ranking.roc_auc();
    let mean = scores.iter().sum::<f64>() / scores.len().max(1) as f64;
    let rules = [
        watch::few_of_a_class(judged.options.target, truth.len(), ranking.positives()),
        watch::wide_interval(&evaluation),
        best.as_ref()
            .zip(advantage)
            .zip(roc_auc)
            .and_then(|((best, lead), model)| watch::single_feature(&best.name, best.roc_auc, model, lead.low)),
        roc_auc.and_then(watch::too_good),
        expected_error.and_then(|error| watch::miscalibrated(error, mean, share)),
    ];
    evaluation.watch = rules.into_iter().flatten().collect();
    Ok(evaluation)
}

fn data(error: crate::metrics::MetricError) -> Failure {
    Failure::data(error.to_string())
}

/// All measures beside those of the share of positive training rows, the headline first.
fn measures(
    judged: &Judged<'_>,
    truth: &[bool],
    ranking: &Ranking,
    probabilities: Option<&Predictions>,
    calibration_error: Option<f64>,
    rng: &mut Xoshiro256PlusPlus,
    context: &StageContext,
) -> Result<Vec<Measure>, Failure> {
    let share = ranking.positives() as f64 / ranking.rows().max(1) as f64;
    // Of the order, and of the decisions: each fold has a threshold of its own.
    let decisions: Vec<f64> = judged.decided.iter().map(|decided| f64::from(u8::from(*decided))).collect();
    let decided = Ranking::new(truth, &decisions).map_err(data)?;
    let (of_order, of_decisions) = BinaryMeasure::ALL.split_at(3);
    let mut found = ranking.intervals(of_order, f64::NAN, RESAMPLES, rng);
    found.extend(decided.intervals(of_decisions, 0.5, RESAMPLES, rng));
    context.cancel.check()?;
    let of = |measure: BinaryMeasure| {
        BinaryMeasure::ALL.iter().position(|own| *own == measure).and_then(|place| found.get(place).copied().flatten())
    };
    let mut measures: Vec<Measure> = Vec::new();
    measures.extend(against("roc_auc", Better::Higher, of(BinaryMeasure::RocAuc), Some(0.5)));
    if let Some(model) = probabilities {
        let prior = judged.prior.first().copied().unwrap_or(share).clamp(0.0, 1.0);
        let flat = Predictions::new(truth.to_vec(), vec![prior; truth.len()]).map_err(data)?;
        for (name, model, flat) in
            [("log_loss", model.log_losses(), flat.log_losses()), ("brier", model.brier_losses(), flat.brier_losses())]
        {
            measures.extend(compared(name, &model, &flat, rng));
        }
    }
    measures.extend(against("average_precision", Better::Higher, of(BinaryMeasure::AveragePrecision), Some(share)));
    let scores = judged.expected.column(0).to_vec();
    let first = TopDecile::new(truth, &scores);
    let lift = intervals::bootstrap(truth.len(), RESAMPLES, rng, |times| first.lift(times));
    measures.extend(against("lift@10%", Better::Higher, lift, Some(1.0)));
    measures.extend(against("ks", Better::Higher, of(BinaryMeasure::Ks), Some(0.0)));
    measures.extend(calibration_error.map(|error| point("ece", Better::Lower, error, None)));
    for measure in of_decisions {
        measures.extend(against(measure.name(), Better::Higher, of(*measure), None));
    }
    Ok(measures)
}

/// Losses of rows beside those of the baseline.
pub fn compared(name: &str, model: &[f64], baseline: &[f64], rng: &mut Xoshiro256PlusPlus) -> Option<Measure> {
    Some(Measure {
        name: name.to_owned(),
        better: Better::Lower,
        model: intervals::mean(model, RESAMPLES, rng)?.into(),
        baseline: intervals::mean(baseline, RESAMPLES, rng).map(Into::into),
        difference: intervals::mean_difference(model, baseline, RESAMPLES, rng).map(Into::into),
    })
}

/// What calibration changed.
fn before_and_after(
    judged: &Judged<'_>,
    truth: &[bool],
    after: Option<&Predictions>,
    rng: &mut Xoshiro256PlusPlus,
) -> Option<Fact> {
    let before = Predictions::new(truth.to_vec(), judged.before.as_ref()?.column(0).to_vec()).ok()?;
    let after = after?;
    let figures = |of: &Predictions| (of.brier(), of.calibration(TENTHS).expected_error);
    let ((brier_before, error_before), (brier, error)) = (figures(&before), figures(after));
    let changed =
        |times: &[u32]| Some(after.calibration_error(TENTHS, times) - before.calibration_error(TENTHS, times));
    let change = intervals::bootstrap(truth.len(), RESAMPLES, rng, changed)?;
    Some(Fact::new(
        "calibration",
        format!(
            "Brier score {brier_before:.4} before and {brier:.4} after, expected calibration error {error_before:.4} and \
             {error:.4} (a change of {:+.4}, {:+.4} to {:+.4})",
            change.estimate, change.low, change.high
        ),
    ))
}

fn curves(model: &Ranking, best: Option<&single::Single>, share: f64) -> Vec<Chart> {
    let diagonal = || vec![(0.0, 0.0), (1.0, 1.0)];
    let both = |of: fn(&Ranking) -> Vec<(f64, f64)>| -> Vec<Curve> {
        let own = Curve { name: "model".to_owned(), points: of(model) };
        let other = best.map(|best| Curve { name: format!("{} alone", best.name), points: of(&best.ranking) });
        [own].into_iter().chain(other).filter(|curve| !curve.points.is_empty()).collect()
    };
    let lines = |title: &str, x: &str, y: &str, curves: Vec<Curve>, reference: Vec<(f64, f64)>| {
        let (title, x, y) = (title.to_owned(), x.to_owned(), y.to_owned());
        (!curves.is_empty()).then_some(Chart::Lines { title, x, y, curves, reference })
    };
    let roc = |of: &Ranking| {
        of.roc_curve().iter().map(|point| (point.false_positive_rate, point.true_positive_rate)).collect()
    };
    let precision =
        |of: &Ranking| of.precision_recall_curve().iter().map(|point| (point.recall, point.precision)).collect();
    let slices = model.slices(TENTHS);
    let bars: Vec<(String, f64)> =
        slices.iter().filter_map(|slice| Some((slice.slice.to_string(), slice.lift?))).collect();
    let lift = (!bars.is_empty()).then(|| Chart::Bars {
        title: "Lift by tenth of the rows, the most probable first".to_owned(),
        unit: "times the average".to_owned(),
        bars,
    });
    let charts = [
        lines("ROC curve", "share of negatives named", "share of positives named", both(roc), diagonal()),
        lines(
            "Precision and recall",
            "share of positives named",
            "positives among the named",
            both(precision),
            vec![(0.0, share), (1.0, share)],
        ),
        lines("Gain", "share of rows named, likeliest first", "share of positives named", both(gain), diagonal()),
        lift,
    ];
    charts.into_iter().flatten().collect()
}

fn gain(of: &Ranking) -> Vec<(f64, f64)> {
    let mut rows = 0;
    let points = of.slices(TENTHS).into_iter().filter_map(|slice| {
        rows += slice.rows;
        Some((rows as f64 / of.rows() as f64, slice.gain?))
    });
    let points: Vec<(f64, f64)> = points.collect();
    if points.is_empty() { points } else { [(0.0, 0.0)].into_iter().chain(points).collect() }
}

/// What was stated and what happened, before and after calibration.
fn reliability(judged: &Judged<'_>, truth: &[bool], model: &Predictions) -> Option<Chart> {
    let points = |of: &Predictions| -> Vec<(f64, f64)> {
        let bins = of.calibration(TENTHS).bins;
        bins.iter()
            .filter(|bin| bin.rows >= POINT_ROWS_MIN)
            .map(|bin| (bin.mean_probability, bin.positive_share))
            .collect()
    };
    let before =
        judged.before.as_ref().and_then(|before| Predictions::new(truth.to_vec(), before.column(0).to_vec()).ok());
    let name = if before.is_some() { "calibrated" } else { "model" };
    let own = Curve { name: name.to_owned(), points: points(model) };
    let before = before.map(|before| Curve { name: "before".to_owned(), points: points(&before) });
    let curves: Vec<Curve> = [own].into_iter().chain(before).filter(|curve| !curve.points.is_empty()).collect();
    (!curves.is_empty()).then(|| Chart::Lines {
        title: "Calibration".to_owned(),
        x: "probability stated".to_owned(),
        y: "share that happened".to_owned(),
        curves,
        reference: vec![(0.0, 0.0), (1.0, 1.0)],
    })
}

/// Rows by what happened and what was decided; the shade is the share of what happened.
fn confusion(target: &str, found: Confusion, threshold: f64) -> Chart {
    let row = |cells: [usize; 2]| {
        let all = cells.iter().sum::<usize>().max(1) as f64;
        let texts =
            cells.map(|rows| format!("{} ({})", format::thousands(rows as u64), format::percent(rows as f64 / all)));
        (cells.map(|rows| rows as f64 / all).to_vec(), texts.to_vec())
    };
    let (positive_values, positive_texts) = row([found.true_positive, found.false_negative]);
    let (negative_values, negative_texts) = row([found.false_positive, found.true_negative]);
    Chart::Grid {
        title: match threshold < f64::MAX {
            true => format!("Decisions from {} on", format::number(threshold)),
            false => "Decisions: for nobody".to_owned(),
        },
        rows_title: "what happened".to_owned(),
        columns_title: "what was decided".to_owned(),
        rows: vec![target.to_owned(), format!("not {target}")],
        columns: vec![target.to_owned(), format!("not {target}")],
        values: vec![positive_values, negative_values],
        texts: vec![positive_texts, negative_texts],
        center: None,
    }
}

/// Lift and gain by tenth, and what deciding at the threshold reaches.
fn slices(model: &Ranking, decided: &Confusion, judged: &Judged<'_>) -> Vec<Slice> {
    let of_tenth = |slice: &crate::metrics::classification::Slice| {
        let name = format!("tenth {}", slice.slice);
        let lift = slice.lift.map(|lift| Slice { baseline: Some(1.0), ..Slice::new(&name, "lift", lift) });
        let gain = slice.gain.map(|gain| Slice::new(&name, "gain", gain));
        lift.into_iter().chain(gain)
    };
    let at_threshold = [
        ("precision", decided.precision()),
        ("recall", decided.recall()),
        ("f1", decided.f1()),
        ("accuracy", decided.accuracy()),
        ("balanced_accuracy", decided.balanced_accuracy()),
        ("mcc", decided.mcc()),
    ];
    // What is chosen is another number every night, and is to be compared all the same.
    let name = match judged.options.threshold {
        Threshold::At(_) if !judged.is_probability => "threshold 0".to_owned(),
        Threshold::At(at) => format!("threshold {at}"),
        _ => "threshold".to_owned(),
    };
    let at_threshold = at_threshold.into_iter().filter_map(|(measure, value)| Some(Slice::new(&name, measure, value?)));
    model.slices(TENTHS).iter().flat_map(of_tenth).chain(at_threshold).collect()
}

/// The truth of a target that is true or false.
pub fn truth_of(target: &Target) -> &[bool] {
    match target {
        Target::Binary(truth) => truth,
        _ => &[],
    }
}

/// Rows from the most probable, to measure the lift of many resamples after sorting once.
struct TopDecile {
    /// Row, outcome, and score.
    order: Vec<(usize, bool, f64)>,
}

impl TopDecile {
    fn new(truth: &[bool], score: &[f64]) -> TopDecile {
        let mut order: Vec<(usize, bool, f64)> =
            truth.iter().zip(score).enumerate().map(|(row, (truth, p))| (row, *truth, *p)).collect();
        order.sort_by(|a, b| b.2.total_cmp(&a.2));
        TopDecile { order }
    }

    /// The positive share of the most probable tenth (rounded up) over that of all, each row
    /// occurring as often as `times` says; rows of equal score share their outcomes.
    fn lift(&self, times: &[u32]) -> Option<f64> {
        let rows = self.order.len();
        let size = rows.div_ceil(TENTHS) as f64;
        let (mut taken, mut found, mut positives) = (0.0, 0.0, 0.0);
        for level in self.order.chunk_by(|a, b| a.2 == b.2) {
            let (mut own, mut own_positives) = (0.0, 0.0);
            for (row, truth, _) in level {
                let weight = f64::from(times.get(*row).copied().unwrap_or(0));
                own += weight;
                own_positives += if *truth { weight } else { 0.0 };
            }
            let fits: f64 = f64::min(own, size - taken);
            if own > 0.0 {
                found += own_positives * fits / own;
                taken += fits;
            }
            positives += own_positives;
        }
        (positives > 0.0).then(|| (found / size) / (positives / rows as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lift_of_the_first_tenth_shares_ties() {
        let truth = [true, true, false, true, false, false, false, false, false, false, false];
        let score = [0.9, 0.5, 0.5, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3];
        let top = TopDecile::new(&truth, &score);
        // Two of eleven rows: the first, and one of two of which one is positive; 3 of 11 are in all.
        assert!((top.lift(&[1; 11]).unwrap() - (1.5 / 2.0) / (3.0 / 11.0)).abs() < 1e-12);
        let slices = Ranking::new(&truth, &score).unwrap().slices(10);
        assert!((top.lift(&[1; 11]).unwrap() - slices[0].lift.unwrap()).abs() < 1e-12);
        assert_eq!(top.lift(&[0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
