//! The section on models: for each a sentence, the deciding measure beside its baseline, and the rest.

use maud::{Markup, html};

use super::parts::{self, CELL_MAX, Head, MESSAGE_MAX, ROWS_MAX};
use super::{chart, glossary};
use crate::metrics::evaluation::{Better, Evaluation, Measure, Verdict};
use crate::report::content::ModelReport;
use crate::report::format;
use crate::report::summary::verdict_words;

/// Bytes of this section from which on charts are left out.
const CHARTS_BYTES_MAX: usize = 250_000;
/// Bytes of this section from which on whole models are left out.
const SECTION_BYTES_MAX: usize = 400_000;
const CHARTS_MAX: usize = 24;

pub fn section(models: &[ModelReport]) -> Markup {
    let mut articles: Vec<Markup> = vec![];
    let mut bytes = 0;
    for (place, model) in models.iter().enumerate() {
        let charts = (bytes < CHARTS_BYTES_MAX).then(|| charts(place, &model.evaluation));
        let article = article(place, model, charts);
        bytes += article.0.len();
        if bytes > SECTION_BYTES_MAX {
            break;
        }
        articles.push(article);
    }
    html! {
        section aria-labelledby="models" {
            h2 #models { "Models" }
            @if models.is_empty() {
                p.soft { "This run has no model." }
            } @else {
                p.soft {
                    "Every model stands beside a trivial baseline on the same data: what predicts is judged on data that it was not fitted on; segments, which have no right answer, on their own rows. "
                    "The ranges are 95 % intervals."
                }
            }
            @for article in &articles { (article) }
            (parts::left_out(models.len(), articles.len()))
        }
    }
}

fn article(place: usize, model: &ModelReport, charts: Option<Markup>) -> Markup {
    let evaluation = &model.evaluation;
    let heading = format!("model-{place}");
    html! {
        article aria-labelledby=(heading) {
            div.head {
                h3 id=(heading) { (format::clip(&model.stage, CELL_MAX)) }
                (parts::mark(model.verdict, verdict_words(model.verdict)))
            }
            p.say { (format::clip(&model.sentence, MESSAGE_MAX)) }
            div.pair {
                @if let Some(measure) = evaluation.headline() {
                    (chart::interval(&format!("{heading}-headline"), measure, &evaluation.baseline))
                }
                (facts(model))
            }
            @if !evaluation.measures.is_empty() { (measures(&model.stage, evaluation)) }
            @match charts {
                Some(charts) => (charts),
                None => p.small.soft { "Its charts are in report.json." },
            }
        }
    }
}

fn facts(model: &ModelReport) -> Markup {
    let said = model.evaluation.facts.iter().map(|fact| (fact.name.as_str(), fact.value.as_str()));
    let version = model.version.as_deref().unwrap_or("none");
    let own = [("stage kind", model.kind.as_str()), ("mode", model.mode.as_str()), ("version", version)];
    parts::facts(said.chain(own))
}

fn measures(stage: &str, evaluation: &Evaluation) -> Markup {
    let shown = evaluation.measures.iter().take(ROWS_MAX);
    let rows: Vec<Markup> = shown.map(|measure| row(measure, &evaluation.headline)).collect();
    let caption = format!("All measures of {}; baseline: {}", stage, evaluation.baseline);
    let heads = [Head::Text("Measure"), Head::Number("Model"), Head::Number("Baseline"), Head::Number("Difference")];
    parts::table(&format::clip(&caption, MESSAGE_MAX), &heads, &rows, evaluation.measures.len())
}

fn row(measure: &Measure, headline: &str) -> Markup {
    let (name, meaning) = glossary::explain(&measure.name);
    let direction = match measure.better {
        Better::Higher => "Higher is better.",
        Better::Lower => "Lower is better.",
    };
    let verdict = measure.baseline.map(|_| measure.verdict());
    let words = match verdict {
        Some(Verdict::Beats) => "better",
        Some(Verdict::NotShown) => "not shown",
        Some(Verdict::Loses) => "worse",
        None => "no baseline",
    };
    html! {
        th scope="row" {
            (format::clip(&name, CELL_MAX))
            @if measure.name == headline { span.soft { " (decides)" } }
            span.explain { @if let Some(meaning) = meaning { (meaning) " " } (direction) }
        }
        td.n { (parts::estimate(Some(&measure.model))) }
        td.n { (parts::estimate(measure.baseline.as_ref())) }
        td.n { (parts::estimate(measure.difference.as_ref())) div { (parts::mark(verdict, words)) } }
    }
}

fn charts(place: usize, evaluation: &Evaluation) -> Markup {
    let charts = &evaluation.charts;
    html! {
        @if !charts.is_empty() {
            div.charts {
                @for (number, drawn) in charts.iter().take(CHARTS_MAX).enumerate() {
                    (chart::figure(&format!("model-{place}-chart-{number}"), drawn))
                }
            }
            (parts::left_out(charts.len(), CHARTS_MAX))
        }
    }
}
