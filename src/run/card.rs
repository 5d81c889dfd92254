//! The model card: what a model is, what it was fitted on, how good it is, in Markdown.

use std::fmt::Write;

use crate::metrics::evaluation::{Estimate, Evaluation};
use crate::stages::model::Model;

/// The card of a stage's model.
pub fn render(stage: &str, model: &Model, evaluation: Option<&Evaluation>) -> String {
    let mut card = String::new();
    let signature = &model.signature;
    let _ = writeln!(card, "# {stage} {}\n", model.version());
    let _ = writeln!(
        card,
        "A {} model, fitted on {} rows for the run date {}.\n",
        signature.kind, signature.rows, model.run_date
    );
    if let Some(evaluation) = evaluation {
        measures(&mut card, evaluation);
    }
    let _ = writeln!(card, "## Signature\n\n| | column | type |\n|---|---|---|");
    for (side, fields) in [("in", &signature.inputs), ("out", &signature.outputs)] {
        for field in fields {
            let _ = writeln!(card, "| {side} | {} | {} |", field.name, field.dtype);
        }
    }
    let parameters = serde_json::to_string_pretty(&signature.parameters).unwrap_or_default();
    let _ = writeln!(card, "\n## Parameters\n\n```json\n{parameters}\n```");
    card
}

fn measures(card: &mut String, evaluation: &Evaluation) {
    let _ = writeln!(card, "{}\n", evaluation.sentence());
    let _ = writeln!(card, "| measure | model | baseline: {} |\n|---|---|---|", evaluation.baseline);
    for measure in &evaluation.measures {
        let baseline = measure.baseline.as_ref().map(estimate).unwrap_or_default();
        let _ = writeln!(card, "| {} | {} | {baseline} |", measure.name, estimate(&measure.model));
    }
    let _ = writeln!(card);
    for fact in &evaluation.facts {
        let _ = writeln!(card, "- {}: {}", fact.name, fact.value);
    }
    let _ = writeln!(card);
}

fn estimate(estimate: &Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("{:.4} ({low:.4} to {high:.4})", estimate.value),
        _ => format!("{:.4}", estimate.value),
    }
}
