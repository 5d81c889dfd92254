//! Conditions on single rows: parsed, checked against the columns, and written so that any engine means the same.

use std::ops::ControlFlow;

use sqlparser::ast::{CastKind, DataType, ExactNumberInfo, Expr, Function, Ident, Spanned, Visitor, VisitorMut};
use sqlparser::tokenizer::Location;

use super::functions::is_aggregate;
use super::names::check_expression;
use super::walk::{walk, walk_mut};
use super::{expression, portable};
use crate::problem::{Code, Problem};

/// How a column is widened before it is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wide {
    Integer,
    Float,
}

/// Parses a condition over the columns of one row; places are inside the text.
pub fn condition(text: &str, columns: &[&str]) -> Result<Expr, Vec<Problem>> {
    let tree = expression(text).map_err(|problem| vec![problem])?;
    let mut beyond = BeyondOneRow::default();
    walk(&tree, &mut beyond);
    let problems = if beyond.0.is_empty() { check_expression(&tree, columns) } else { beyond.0 };
    if problems.is_empty() { Ok(tree) } else { Err(problems) }
}

/// The condition as text for an engine: portable, and with narrow numbers widened where `wide` says so.
pub fn widened_text(tree: &Expr, wide: impl Fn(&str) -> Option<Wide>) -> String {
    let mut tree = tree.clone();
    portable(&mut tree);
    walk_mut(&mut tree, &mut Widen(wide));
    tree.to_string()
}

/// What looks at more than one row.
#[derive(Default)]
struct BeyondOneRow(Vec<Problem>);

impl BeyondOneRow {
    fn refuse(&mut self, start: Location, message: String, help: &str) {
        let problem = Problem::new(Code::SqlUnsupported, message).help(help);
        self.0.push(problem.within((start.line as usize).max(1), (start.column as usize).max(1)));
    }
}

impl Visitor for BeyondOneRow {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) if function.over.is_some() || is_aggregate(&function.name.to_string()) => {
                let message = format!("{} looks at more than one row", name(function));
                self.refuse(expr.span().start, message, "compute it in a `sql` stage and check what that gives");
            }
            Expr::Function(function) if name(function) == "DAYS_SINCE" => {
                let message = "DAYS_SINCE belongs to features, which have a moment".to_owned();
                self.refuse(expr.span().start, message, "a check of age is `freshness`");
            }
            Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => {
                let message = "a query stands inside a condition".to_owned();
                self.refuse(expr.span().start, message, "`references` checks that a value is in another table");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn name(function: &Function) -> String {
    function.name.to_string().to_ascii_uppercase()
}

struct Widen<W>(W);

impl<W: Fn(&str) -> Option<Wide>> VisitorMut for Widen<W> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Identifier(ident) = expr else { return ControlFlow::Continue(()) };
        let data_type = match (self.0)(&ident.value) {
            None => return ControlFlow::Continue(()),
            Some(Wide::Integer) => DataType::BigInt(None),
            Some(Wide::Float) => DataType::Double(ExactNumberInfo::None),
        };
        let column = Expr::Identifier(Ident { value: ident.value.clone(), ..ident.clone() });
        *expr = Expr::Cast { kind: CastKind::Cast, expr: Box::new(column), data_type, array: false, format: None };
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["quantity", "price", "at"];

    fn refused(text: &str) -> (Code, Option<(usize, usize)>) {
        let problem = condition(text, COLUMNS).unwrap_err().remove(0);
        (problem.code, problem.place.within)
    }

    #[test]
    fn what_looks_at_other_rows_is_refused_where_it_stands() {
        assert_eq!(refused("quantity > 0 AND SUM(price) > 0"), (Code::SqlUnsupported, Some((1, 18))));
        assert_eq!(refused("ROW_NUMBER() OVER (ORDER BY at) > 1"), (Code::SqlUnsupported, Some((1, 1))));
        assert_eq!(refused("price IN (SELECT price FROM other)").0, Code::SqlUnsupported);
        assert_eq!(refused("DAYS_SINCE(at) > 3"), (Code::SqlUnsupported, Some((1, 1))));
    }

    #[test]
    fn names_and_syntax_have_places() {
        assert_eq!(refused("quantity > 0\n  OR prise > 0"), (Code::UnknownColumn, Some((2, 6))));
        assert_eq!(refused("quantity >").0, Code::SqlSyntax);
        assert_eq!(refused("FROBNICATE(price)"), (Code::SqlUnsupported, Some((1, 1))));
    }

    #[test]
    fn narrow_numbers_are_widened_before_they_are_multiplied() {
        let tree = condition("quantity * quantity / price > 1", COLUMNS).unwrap();
        let wide = |name: &str| match name {
            "quantity" => Some(Wide::Integer),
            "price" => Some(Wide::Float),
            _ => None,
        };
        assert_eq!(
            widened_text(&tree, wide),
            "CAST(CAST(quantity AS BIGINT) * CAST(quantity AS BIGINT) AS DOUBLE) / NULLIF(CAST(price AS DOUBLE), 0) > 1"
        );
    }
}
