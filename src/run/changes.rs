//! What moved since the run before: headline measures, rows, the age of models, sizes of segments.

use std::path::Path;

use super::history;
use super::state::fitted_for;
use crate::report::{Change, ModelReport, Report};

/// A figure that is compared from run to run.
struct Figure {
    of: String,
    measure: String,
    value: f64,
}

/// The figures that differ from those of the newest earlier run date, of several runs of that date the
/// last that succeeded.
pub fn since(root: &Path, now: &Report) -> Vec<Change> {
    let runs = history::newest_first(root, Some(&now.pipeline));
    let before = history::before(runs, now.run_date).and_then(|run| run.report());
    before.map(|before| between(&before, now)).unwrap_or_default()
}

/// Figures that both have and that are not the same.
fn between(before: &Report, now: &Report) -> Vec<Change> {
    let earlier = figures(before);
    let change = |figure: Figure| {
        let same = |other: &&Figure| other.of == figure.of && other.measure == figure.measure;
        let value = earlier.iter().find(same)?.value;
        let Figure { of, measure, value: now } = figure;
        (value != now).then_some(Change { of, measure, before: value, now, since: before.run_date })
    };
    figures(now).into_iter().filter_map(change).collect()
}

/// Headline measures first, then rows that are published, then the age of models and sizes of segments.
fn figures(report: &Report) -> Vec<Figure> {
    let headline = |model: &ModelReport| {
        let measure = model.evaluation.headline()?;
        Some(Figure { of: model.stage.clone(), measure: measure.name.clone(), value: measure.model.value })
    };
    let mut figures: Vec<Figure> = report.models.iter().filter_map(headline).collect();
    figures.extend(report.publications.iter().map(|publication| Figure {
        of: publication.name.clone(),
        measure: "rows".to_owned(),
        value: publication.rows as f64,
    }));
    let age = |model: &ModelReport| {
        let fitted = fitted_for(model.version.as_deref()?)?;
        let value = (report.run_date - fitted).num_days() as f64;
        Some(Figure { of: model.stage.clone(), measure: "days since it was fitted".to_owned(), value })
    };
    figures.extend(report.models.iter().filter_map(age));
    for model in &report.models {
        let sizes = model.evaluation.slices.iter().filter(|slice| slice.measure == "rows");
        figures.extend(sizes.map(|slice| Figure {
            of: model.stage.clone(),
            measure: format!("rows of {}", slice.slice),
            value: slice.value,
        }));
    }
    figures
}
