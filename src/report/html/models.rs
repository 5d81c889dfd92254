//! The sections on models and segments: for each a sentence, what to watch, the deciding measure beside its
//! baseline, its charts, and, folded up, the rest.

use maud::{Markup, html};

use super::parts::{self, CELL_MAX, Head, ROWS_MAX};
use super::{chart, glossary, measures};
use crate::metrics::evaluation::{Chart, Evaluation, Measure};
use crate::report::content::ModelReport;
use crate::report::format;
use crate::report::summary::verdict_words;

const CHARTS_MAX: usize = 24;
/// Facts that stand beside the deciding measure; all are below.
const FACTS_SHOWN: usize = 5;

/// The id of a model's heading; `place` is its place in the report.
pub fn anchor(place: usize) -> String {
    format!("model-{place}")
}

/// Models with their places in the report.
pub fn numbered(models: &[ModelReport]) -> impl Iterator<Item = (usize, &ModelReport)> {
    models.iter().enumerate()
}

/// What predicts, in its part of so many bytes for all models.
pub fn models(models: &[ModelReport], bytes_max: usize) -> Markup {
    let predict: Vec<_> = numbered(models).filter(|(_, model)| !model.is_segmentation()).collect();
    html! {
        section aria-labelledby="models" {
            h2 #models { "Models" }
            @if predict.is_empty() {
                p.soft { "This run has no model." }
            } @else {
                p.soft {
                    "Each model stands beside a trivial baseline on the same data, which it was not fitted on. "
                    "Ranges are 95 % intervals: where those of a difference hold zero, it may be chance."
                }
                @if predict.len() > 1 { (overview(&predict)) }
                (articles(&predict, bytes_max / models.len().max(1)))
            }
        }
    }
}

/// What groups, in its part of so many bytes for all models; nothing where there is none.
pub fn segments(models: &[ModelReport], bytes_max: usize) -> Markup {
    let group: Vec<_> = numbered(models).filter(|(_, model)| model.is_segmentation()).collect();
    html! {
        @if !group.is_empty() {
            section aria-labelledby="segments" {
                h2 #segments { "Segments" }
                p.soft { "Segments have no right answer: they are judged by how well they part the rows they were made of." }
                (articles(&group, bytes_max / models.len().max(1)))
            }
        }
    }
}

fn overview(models: &[(usize, &ModelReport)]) -> Markup {
    let row = |(place, model): &(usize, &ModelReport)| {
        let headline = model.evaluation.headline();
        html! {
            th scope="row" {
                a href={ "#" (anchor(*place)) } { (parts::breakable(&format::clip(&model.stage, CELL_MAX))) }
                @if let Some(measure) = headline {
                    span.explain { (format::clip(&glossary::explain(&measure.name).0, CELL_MAX)) }
                }
            }
            td { (parts::mark(model.verdict, verdict(model))) }
            td.n { (parts::estimate(headline.map(|measure| &measure.model))) }
            td.n { (parts::estimate(headline.and_then(|measure| measure.baseline.as_ref()))) }
        }
    };
    let rows: Vec<Markup> = models.iter().take(ROWS_MAX).map(row).collect();
    let heads =
        [Head::Text("Model, and what decides"), Head::Text("Verdict"), Head::Number("Model"), Head::Number("Baseline")];
    parts::table("All models beside their baselines", &heads, &rows, models.len())
}

fn verdict(model: &ModelReport) -> &'static str {
    match model.verdict {
        _ if model.is_unevaluated() => "not evaluated in this run",
        None if !model.evaluation.measures.is_empty() => "no single measure decides",
        verdict => verdict_words(verdict),
    }
}

/// As many as fit, each within `share` bytes and what those before it have left.
fn articles(models: &[(usize, &ModelReport)], share: usize) -> Markup {
    let mut spare = 0;
    let mut articles: Vec<Markup> = vec![];
    for (place, model) in models {
        let room = share + spare;
        let words = article(*place, model, &html! {}).0.len();
        let article = article(*place, model, &charts(*place, &model.evaluation, room.saturating_sub(words)));
        if article.0.len() > room {
            break;
        }
        spare = room - article.0.len();
        articles.push(article);
    }
    html! {
        @for article in &articles { (article) }
        (parts::left_out(models.len(), articles.len()))
    }
}

fn article(place: usize, model: &ModelReport, charts: &Markup) -> Markup {
    let evaluation = &model.evaluation;
    let heading = anchor(place);
    let headline = evaluation.headline();
    let facts = || evaluation.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str()));
    html! {
        article aria-labelledby=(heading) {
            div.head {
                h3 id=(heading) { (format::clip(&model.stage, CELL_MAX)) }
                @if headline.is_some() { (parts::mark(model.verdict, verdict_words(model.verdict))) }
            }
            p.say { (parts::message(&glossary::reworded(&model.sentence, &evaluation.headline))) }
            @if let Some(measure) = headline { (meaning(measure)) }
            (watch(evaluation))
            div.pair {
                @if let Some(measure) = headline {
                    (chart::interval(&format!("{heading}-headline"), measure, &evaluation.baseline))
                }
                div { (parts::facts(facts().take(FACTS_SHOWN))) }
            }
            (charts)
            @if !evaluation.measures.is_empty() { (measures::folded(&model.stage, evaluation)) }
            (made(model))
        }
    }
}

/// What the deciding measure says, for who does not know it.
fn meaning(measure: &Measure) -> Markup {
    let (name, meaning) = glossary::explain(&measure.name);
    html! {
        @if let Some(meaning) = meaning { p.soft { (name) ": " (meaning) } }
    }
}

fn watch(evaluation: &Evaluation) -> Markup {
    let printed = |sentence: &String| parts::message(&glossary::reworded(sentence, &evaluation.headline));
    let sentences: Vec<Markup> = evaluation.warnings.iter().chain(&evaluation.watch).map(printed).collect();
    html! {
        @if !sentences.is_empty() {
            div.note { h4 { "What to watch" } (parts::sentences(&sentences)) }
        }
    }
}

/// How the model came to be.
fn made(model: &ModelReport) -> Markup {
    let version = model.version.as_deref().unwrap_or("none");
    let fitted_for = model.fitted_for.map_or_else(|| "not known".to_owned(), |date| date.to_string());
    let own = [
        ("stage kind", model.kind.as_str()),
        ("mode", model.mode.as_str()),
        ("version", version),
        ("fitted for", &fitted_for),
    ];
    let others = model.evaluation.facts.iter().skip(FACTS_SHOWN);
    let others = others.map(|fact| (fact.name.as_str(), fact.value.as_str()));
    html! {
        details {
            summary { "How it was made" }
            (parts::facts(others.chain(own)))
        }
    }
}

/// The first charts within so many bytes.
fn charts(place: usize, evaluation: &Evaluation, bytes_max: usize) -> Markup {
    let charts = &evaluation.charts;
    let draw = |(number, drawn): (usize, &Chart)| chart::figure(&format!("{}-chart-{number}", anchor(place)), drawn);
    // The frame around them, and what is said of those left out.
    let mut bytes = 200;
    let mut shown = vec![];
    for drawn in charts.iter().take(CHARTS_MAX).enumerate().map(draw) {
        bytes += drawn.0.len();
        if bytes > bytes_max {
            break;
        }
        shown.push(drawn);
    }
    html! {
        @if !shown.is_empty() { div.charts { @for figure in &shown { (figure) } } }
        @if shown.len() < charts.len() {
            p.small.soft { (charts.len() - shown.len()) " more of its charts in report.json." }
        }
    }
}
