//! Curves of the evaluation, and what the served model looks at.

use polars::prelude::DataFrame;

use super::evaluate::DECILES;
use super::fitted::Fitted;
use crate::algorithms::scale::StandardScaler;
use crate::metrics::classification::Predictions;
use crate::metrics::evaluation::Chart;
use crate::stages::contract::Failure;

/// The coefficients that are shown, the largest first.
const COEFFICIENTS_MAX: usize = 20;

/// The ROC curve, calibration and lift; those that exist.
pub fn of_rows(model: &Predictions) -> Vec<Chart> {
    let diagonal = || vec![(0.0, 0.0), (1.0, 1.0)];
    let mut charts = Vec::new();
    let roc: Vec<(f64, f64)> =
        model.roc_curve().iter().map(|point| (point.false_positive_rate, point.true_positive_rate)).collect();
    if !roc.is_empty() {
        charts.push(Chart::Line {
            title: "ROC curve".to_owned(),
            x: "share of negatives named".to_owned(),
            y: "share of positives named".to_owned(),
            points: roc,
            reference: diagonal(),
        });
    }
    let bins = model.calibration(DECILES).bins;
    charts.push(Chart::Line {
        title: "Calibration".to_owned(),
        x: "probability stated".to_owned(),
        y: "share that happened".to_owned(),
        points: bins.iter().map(|bin| (bin.mean_probability, bin.positive_share)).collect(),
        reference: diagonal(),
    });
    let slices = model.slices(DECILES);
    let bars: Vec<(String, f64)> =
        slices.iter().filter_map(|slice| Some((slice.slice.to_string(), slice.lift?))).collect();
    if !bars.is_empty() {
        let title = "Lift by tenth of the rows, the most probable first".to_owned();
        charts.push(Chart::Bars { title, unit: "times the average".to_owned(), bars });
    }
    charts
}

/// The largest coefficients per standard deviation of their column, over the rows fitted on.
pub fn coefficients(served: &Fitted, rows: &DataFrame) -> Result<Chart, Failure> {
    let terms = served.design.terms().into_iter().map(|term| term.to_string());
    let coefficients = &served.regression.coefficients;
    let standardized: Vec<f64> = match served.design.scaler {
        Some(_) => coefficients.clone(),
        None => {
            let matrix = served.design.matrix(rows)?;
            let scaler = StandardScaler::fit(matrix.view()).map_err(|error| Failure::data(error.to_string()))?;
            coefficients.iter().zip(scaler.scale).map(|(coefficient, deviation)| coefficient * deviation).collect()
        }
    };
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
