//! Curves of the evaluation, and what the served model looks at.

use polars::prelude::DataFrame;

use super::evaluate::{DECILES, Judged};
use super::fitted::Fitted;
use crate::format;
use crate::metrics::classification::{Confusion, Predictions};
use crate::metrics::evaluation::{Chart, Curve, Slice};
use crate::stages::contract::Failure;
use crate::stages::prediction::supervised::COEFFICIENTS_MAX;

/// Who is named at this probability or above.
pub const THRESHOLD: f64 = 0.5;
/// Fewer rows make no point of the calibration curve.
const POINT_ROWS_MIN: usize = 10;

/// The curves that exist of the evaluation rows, those of the best single feature beside the model's.
pub fn of_rows(judged: &Judged<'_>) -> Vec<Chart> {
    let diagonal = || vec![(0.0, 0.0), (1.0, 1.0)];
    let curves = |of: fn(&Predictions) -> Vec<(f64, f64)>| -> Vec<Curve> {
        let model = Curve { name: "model".to_owned(), points: of(&judged.model) };
        let single = judged
            .single
            .as_ref()
            .map(|single| Curve { name: format!("{} alone", single.name), points: of(&single.ranked) });
        [model].into_iter().chain(single).filter(|curve| !curve.points.is_empty()).collect()
    };
    let lines = |title: &str, x: &str, y: &str, curves: Vec<Curve>, reference: Vec<(f64, f64)>| {
        let (title, x, y) = (title.to_owned(), x.to_owned(), y.to_owned());
        (!curves.is_empty()).then_some(Chart::Lines { title, x, y, curves, reference })
    };
    let share = judged.share();
    let charts = [
        lines("ROC curve", "share of negatives named", "share of positives named", curves(roc), diagonal()),
        lines(
            "Precision and recall",
            "share of positives named",
            "positives among the named",
            curves(precision_recall),
            vec![(0.0, share), (1.0, share)],
        ),
        lines("Gain", "share of rows named, likeliest first", "share of positives named", curves(gain), diagonal()),
        lift(&judged.model),
        calibration(&judged.model),
        Some(confusion(judged.target, judged.model.confusion(THRESHOLD))),
    ];
    charts.into_iter().flatten().collect()
}

fn roc(of: &Predictions) -> Vec<(f64, f64)> {
    of.roc_curve().iter().map(|point| (point.false_positive_rate, point.true_positive_rate)).collect()
}

fn precision_recall(of: &Predictions) -> Vec<(f64, f64)> {
    of.precision_recall_curve().iter().map(|point| (point.recall, point.precision)).collect()
}

fn gain(of: &Predictions) -> Vec<(f64, f64)> {
    let slices = of.slices(DECILES);
    let mut rows = 0;
    let points = slices.iter().filter_map(|slice| {
        rows += slice.rows;
        Some((rows as f64 / of.rows() as f64, slice.gain?))
    });
    let points: Vec<(f64, f64)> = points.collect();
    if points.is_empty() { points } else { [(0.0, 0.0)].into_iter().chain(points).collect() }
}

fn lift(model: &Predictions) -> Option<Chart> {
    let slices = model.slices(DECILES);
    let bars: Vec<(String, f64)> =
        slices.iter().filter_map(|slice| Some((slice.slice.to_string(), slice.lift?))).collect();
    let title = "Lift by tenth of the rows, the most probable first".to_owned();
    (!bars.is_empty()).then_some(Chart::Bars { title, unit: "times the average".to_owned(), bars })
}

fn calibration(model: &Predictions) -> Option<Chart> {
    let bins = model.calibration(DECILES).bins;
    let points: Vec<(f64, f64)> = bins
        .iter()
        .filter(|bin| bin.rows >= POINT_ROWS_MIN)
        .map(|bin| (bin.mean_probability, bin.positive_share))
        .collect();
    (!points.is_empty()).then(|| Chart::Line {
        title: "Calibration".to_owned(),
        x: "probability stated".to_owned(),
        y: "share that happened".to_owned(),
        points,
        reference: vec![(0.0, 0.0), (1.0, 1.0)],
    })
}

/// Rows by what happened and what was predicted; the shade is the share of what happened.
fn confusion(target: &str, found: Confusion) -> Chart {
    let row = |cells: [usize; 2]| {
        let all = cells.iter().sum::<usize>().max(1) as f64;
        let texts =
            cells.map(|rows| format!("{} ({})", format::thousands(rows as u64), format::percent(rows as f64 / all)));
        (cells.map(|rows| rows as f64 / all).to_vec(), texts.to_vec())
    };
    let (positive_values, positive_texts) = row([found.true_positive, found.false_negative]);
    let (negative_values, negative_texts) = row([found.false_positive, found.true_negative]);
    Chart::Grid {
        title: format!("Decisions at a probability of {THRESHOLD}"),
        rows_title: "what happened".to_owned(),
        columns_title: "what was predicted".to_owned(),
        rows: vec![target.to_owned(), format!("not {target}")],
        columns: vec![target.to_owned(), format!("not {target}")],
        values: vec![positive_values, negative_values],
        texts: vec![positive_texts, negative_texts],
        center: None,
    }
}

/// Lift and gain by tenth, and what deciding at the threshold reaches.
pub fn slices(model: &Predictions) -> Vec<Slice> {
    let of_tenth = |slice: &crate::metrics::classification::Slice| {
        let name = format!("tenth {}", slice.slice);
        let lift = slice.lift.map(|lift| Slice { baseline: Some(1.0), ..Slice::new(&name, "lift", lift) });
        let gain = slice.gain.map(|gain| Slice::new(&name, "gain", gain));
        lift.into_iter().chain(gain)
    };
    let decided = model.confusion(THRESHOLD);
    let at_threshold = [
        ("precision", decided.precision()),
        ("recall", decided.recall()),
        ("f1", decided.f1()),
        ("accuracy", decided.accuracy()),
    ];
    let name = format!("threshold {THRESHOLD}");
    let at_threshold = at_threshold.into_iter().filter_map(|(measure, value)| Some(Slice::new(&name, measure, value?)));
    model.slices(DECILES).iter().flat_map(of_tenth).chain(at_threshold).collect()
}

/// The largest coefficients per standard deviation of their column, over the rows fitted on.
pub fn coefficients(served: &Fitted, rows: &DataFrame) -> Result<Chart, Failure> {
    let terms = served.design.terms().into_iter().map(|term| term.to_string());
    let deviations = served.design.deviations(rows)?;
    let coefficients = served.regression.coefficients.iter().zip(deviations);
    let standardized = coefficients.map(|(coefficient, deviation)| coefficient * deviation);
    let mut found: Vec<(String, f64)> = terms.zip(standardized).collect();
    found.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let row = |(term, coefficient): (String, f64)| {
        vec![term, format!("{coefficient:+.3}"), format!("{:.3}", coefficient.exp())]
    };
    Ok(Chart::Table {
        title: "Largest coefficients of the served model".to_owned(),
        columns: ["feature", "log-odds per deviation", "times the odds"].map(str::to_owned).to_vec(),
        rows: found.into_iter().take(COEFFICIENTS_MAX).map(row).collect(),
    })
}
