//! What a check is called in reports and messages: its kind, and what it is of.

use crate::config::CheckKind;
use crate::config::checks::{NotNull, Range, RowBounds, Unique};
use crate::sql;

/// Characters of a condition or an expression that are repeated at most.
const QUOTED_MAX: usize = 60;

/// The check in words that hold no value of data.
pub fn of(kind: &CheckKind) -> String {
    match kind {
        CheckKind::NotNull(NotNull { not_null }) => format!("not_null {}", not_null.join(", ")),
        CheckKind::Unique(Unique { unique }) => format!("unique {}", unique.join(", ")),
        CheckKind::Range(range) => format!("range {}{}", range.range, bounds(range)),
        CheckKind::Accepted(accepted) => {
            let count = accepted.values.len();
            format!("accepted {} of {count} value{}", accepted.accepted, if count == 1 { "" } else { "s" })
        }
        CheckKind::Pattern(pattern) => format!("pattern {} {}", pattern.pattern, clipped(&pattern.regex)),
        CheckKind::Condition(condition) => format!("sql {}", clipped(&condition.sql)),
        CheckKind::References(references) => format!("references {} in {}", references.references, references.within),
        CheckKind::Freshness(freshness) => {
            format!("freshness {} max_age {}", freshness.freshness, String::from(freshness.max_age))
        }
        CheckKind::Rows(rows) => format!("rows{}", row_bounds(&rows.rows)),
        CheckKind::Columns(_) => "columns".to_owned(),
    }
}

/// The columns that a check looks at; none where it looks at the table as a whole.
pub fn columns(kind: &CheckKind) -> Vec<String> {
    match kind {
        CheckKind::NotNull(NotNull { not_null: columns }) | CheckKind::Unique(Unique { unique: columns }) => {
            columns.clone()
        }
        CheckKind::Range(range) => vec![range.range.clone()],
        CheckKind::Accepted(accepted) => vec![accepted.accepted.clone()],
        CheckKind::Pattern(pattern) => vec![pattern.pattern.clone()],
        CheckKind::References(references) => vec![references.references.clone()],
        CheckKind::Freshness(freshness) => vec![freshness.freshness.clone()],
        CheckKind::Condition(condition) => {
            let tree = sql::expression(&condition.sql).ok();
            let named = tree.map(|tree| sql::identifiers(&tree)).unwrap_or_default();
            named.into_iter().map(|ident| ident.value).collect()
        }
        CheckKind::Rows(_) | CheckKind::Columns(_) => vec![],
    }
}

fn bounds(range: &Range) -> String {
    let bounds = [("min", range.min), ("max", range.max), ("above", range.above), ("below", range.below)];
    let given = bounds.into_iter().filter_map(|(key, bound)| Some(format!(" {key} {}", bound?)));
    given.collect()
}

/// What is asked of a number of rows: ` min 10 change_max 0.2`.
pub fn row_bounds(bounds: &RowBounds) -> String {
    let number = |key: &str, bound: Option<u64>| bound.map(|bound| format!(" {key} {bound}")).unwrap_or_default();
    let change = bounds.change_max.map(|share| format!(" change_max {share}")).unwrap_or_default();
    format!("{}{}{change}", number("min", bounds.min), number("max", bounds.max))
}

/// On one line, and not without end.
fn clipped(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(QUOTED_MAX).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}
