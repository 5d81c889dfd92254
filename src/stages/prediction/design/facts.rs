//! What a reader must know of the rows and columns that a model was fitted on.

use super::{Design, Encoding};
use crate::format;
use crate::metrics::evaluation::Fact;

/// The columns that a fact names.
pub const NAMES_MAX: usize = 20;

/// The features and how many columns they became.
pub fn columns(design: &Design) -> Fact {
    let names = design.columns.iter().map(Encoding::name);
    let count = design.columns.len();
    let value = format!("{count} features in {} columns: {}", design.width(), format::list(names, NAMES_MAX));
    Fact::new("columns", value)
}

/// What became of missing values, of text and of columns without anything to learn from.
pub fn of_values(design: &Design) -> Vec<Fact> {
    let mut facts = Vec::new();
    facts.extend(missing(design).map(|value| Fact::new("imputed with the median", value)));
    facts.extend(levels(design).map(|value| Fact::new("levels of text", value)));
    if !design.dropped.is_empty() {
        let names = format::list(design.dropped.iter().map(String::as_str), NAMES_MAX);
        let value = format!("{names}: without a value, or without a frequent level, in training");
        facts.push(Fact::new("dropped columns", value));
    }
    facts
}

/// The features of which training rows lacked a value.
fn missing(design: &Design) -> Option<String> {
    let lacking = design.columns.iter().filter_map(|encoding| match encoding {
        Encoding::Number { name, imputed, .. } | Encoding::Date { name, imputed, .. } if *imputed > 0 => {
            Some(format!("{name} in {} rows", format::thousands(*imputed as u64)))
        }
        _ => None,
    });
    let lacking: Vec<String> = lacking.collect();
    (!lacking.is_empty()).then(|| format::list(lacking.iter().map(String::as_str), NAMES_MAX))
}

fn levels(design: &Design) -> Option<String> {
    let texts = design.columns.iter().filter_map(|encoding| match encoding {
        Encoding::Levels { name, levels, other, .. } => {
            Some(format!("{name}: {}{}", levels.len(), if *other { " and others" } else { "" }))
        }
        _ => None,
    });
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then(|| format::list(texts.iter().map(String::as_str), NAMES_MAX))
}
