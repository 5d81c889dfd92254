//! All measures of a model beside those of its baseline.

use maud::{Markup, html};

use super::glossary;
use super::parts::{self, CELL_MAX, Head, MESSAGE_MAX, ROWS_MAX};
use crate::metrics::evaluation::{Better, Evaluation, Measure, Verdict};
use crate::report::format;

/// Folded up, since the sentence and the drawing say what decides.
pub fn folded(stage: &str, evaluation: &Evaluation) -> Markup {
    let shown = evaluation.measures.iter().take(ROWS_MAX);
    let rows: Vec<Markup> = shown.map(|measure| row(measure, &evaluation.headline)).collect();
    let caption = match evaluation.baseline.as_str() {
        "" => format!("Measures of {stage}"),
        baseline => format!("Measures of {stage}; baseline: {baseline}"),
    };
    let heads = [Head::Text("Measure"), Head::Number("Model"), Head::Number("Baseline"), Head::Number("Difference")];
    html! {
        details {
            summary { (format::count(evaluation.measures.len() as u64, "measure", "measures")) " beside the baseline" }
            (parts::table(&format::clip(&caption, MESSAGE_MAX), &heads, &rows, evaluation.measures.len()))
        }
    }
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
