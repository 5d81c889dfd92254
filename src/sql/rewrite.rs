//! Rewrites a tree so that every engine computes what the dialect defines.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Value, VisitMut, VisitorMut,
};

use super::derived;
use super::functions::COUNTS;
use super::walk::walk_mut;

/// Rewrites in place: `a / b` to float with null for a zero divisor, `MOD` likewise, counts and
/// sums to 64 bits, and what engines lack to what they have.
pub fn portable<T: VisitMut>(tree: &mut T) {
    walk_mut(tree, &mut Portable);
}

struct Portable;

impl VisitorMut for Portable {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op: BinaryOperator::Divide, right } => {
                if !is_quotient(left) {
                    let dividend = cast(take(left), DataType::Double(ExactNumberInfo::None));
                    **left = dividend;
                }
                **right = or_null_if_zero(take(right));
            }
            Expr::BinaryOp { op: BinaryOperator::Modulo, right, .. } => {
                **right = or_null_if_zero(take(right));
            }
            // Engines disagree on casting text to a date; all have the function.
            Expr::TypedString(literal) if literal.data_type == DataType::Date => {
                *expr = call("DATE", vec![Expr::Value(literal.value.clone())]);
            }
            // Engines count in narrower integers here than the dialect does.
            Expr::Extract { .. } => *expr = cast(take(expr), DataType::BigInt(None)),
            Expr::Cast { data_type, .. } if is_narrow(data_type) => *data_type = DataType::BigInt(None),
            Expr::Cast { data_type: data_type @ (DataType::Real | DataType::Float4 | DataType::Float32), .. } => {
                *data_type = DataType::Double(ExactNumberInfo::None);
            }
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter_mut().map(|when| &mut when.result);
                results.chain(else_result.iter_mut().map(AsMut::as_mut)).for_each(widen_literal);
            }
            Expr::Function(function) => {
                let name = function.name.to_string().to_ascii_lowercase();
                if let Some(same) = derived::rewritten(function) {
                    *expr = Expr::Nested(Box::new(same));
                } else if name == "sum" {
                    widen_argument(function);
                } else if name == "mod" {
                    last_argument(function, or_null_if_zero);
                } else if ["pow", "power"].contains(&name.as_str()) {
                    first_argument(function, |base| cast(base, DataType::Double(ExactNumberInfo::None)));
                } else if COUNTS.contains(&name.as_str()) {
                    *expr = cast(take(expr), DataType::BigInt(None));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Value(Value::Null.into()))
}

fn nested(expr: Expr) -> Box<Expr> {
    match expr {
        simple @ (Expr::Identifier(_) | Expr::Value(_) | Expr::Nested(_) | Expr::Function(_) | Expr::Cast { .. }) => {
            Box::new(simple)
        }
        other => Box::new(Expr::Nested(Box::new(other))),
    }
}

/// Whether it is a float because of a division in it. To cast it again changes nothing, and the engine takes twice as
/// long over each cast within a cast.
fn is_quotient(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryOp { op: BinaryOperator::Divide, .. } => true,
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply, right } => {
            is_quotient(left) || is_quotient(right)
        }
        Expr::Nested(inner) => is_quotient(inner),
        _ => false,
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

fn number(text: &str) -> Expr {
    Expr::Value(Value::Number(text.to_owned(), false).into())
}

fn is_narrow(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::TinyInt(_)
            | D::SmallInt(_)
            | D::MediumInt(_)
            | D::Int(_)
            | D::Integer(_)
            | D::Int2(_)
            | D::Int4(_)
            | D::Int8(_)
            | D::Int16
            | D::Int32
    )
}

/// A whole number that stands for itself, or its negative.
fn widen_literal(expr: &mut Expr) {
    let literal = match &*expr {
        Expr::UnaryOp { expr, .. } => expr.as_ref(),
        other => other,
    };
    let whole = matches!(literal, Expr::Value(value)
        if matches!(&value.value, Value::Number(text, _) if text.parse::<i64>().is_ok()));
    if whole {
        *expr = cast(take(expr), DataType::BigInt(None));
    }
}

fn first_argument(function: &mut Function, change: impl Fn(Expr) -> Expr) {
    arguments(function).into_iter().take(1).for_each(|expr| *expr = change(take(expr)));
}

fn last_argument(function: &mut Function, change: impl Fn(Expr) -> Expr) {
    arguments(function).into_iter().next_back().into_iter().for_each(|expr| *expr = change(take(expr)));
}

fn arguments(function: &mut Function) -> Vec<&mut Expr> {
    let FunctionArguments::List(list) = &mut function.args else { return vec![] };
    let expr = |argument| match argument {
        &mut FunctionArg::Unnamed(FunctionArgExpr::Expr(ref mut expr)) => Some(expr),
        _ => None,
    };
    list.args.iter_mut().filter_map(expr).collect()
}

fn or_null_if_zero(expr: Expr) -> Expr {
    // A literal divisor other than zero needs no guard.
    if let Expr::Value(value) = &expr
        && let Value::Number(text, _) = &value.value
        && text.parse::<f64>().is_ok_and(|divisor| divisor != 0.0)
    {
        return expr;
    }
    call("NULLIF", vec![expr, number("0")])
}

fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// `SUM(x)` becomes `SUM(x + 0)` with a 64-bit zero: an integer x is widened, a float untouched.
fn widen_argument(function: &mut Function) {
    first_argument(function, |expr| {
        let zero = cast(number("0"), DataType::BigInt(None));
        Expr::BinaryOp { left: nested(expr), op: BinaryOperator::Plus, right: Box::new(zero) }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::expression;

    fn rewritten(text: &str) -> String {
        let mut tree = expression(text).unwrap();
        portable(&mut tree);
        tree.to_string()
    }

    #[test]
    fn division_is_float_and_null_by_zero() {
        assert_eq!(rewritten("a / b"), "CAST(a AS DOUBLE) / NULLIF(b, 0)");
        assert_eq!(rewritten("a / 2"), "CAST(a AS DOUBLE) / 2");
        assert_eq!(rewritten("a / 0"), "CAST(a AS DOUBLE) / NULLIF(0, 0)");
        assert_eq!(rewritten("a / 2 * b / 3"), "CAST(a AS DOUBLE) / 2 * b / 3");
        assert_eq!(rewritten("a % (b - 1)"), "a % NULLIF((b - 1), 0)");
    }

    #[test]
    fn what_engines_lack_is_written_in_terms_of_what_they_have() {
        assert_eq!(rewritten("DATE_TRUNC('day', at)"), "(CAST(at AS DATE))");
        assert_eq!(
            rewritten("DATE_TRUNC('month', at)"),
            "(CAST(CAST(CAST(at AS DATE) AS BIGINT) - CAST(EXTRACT(DAY FROM at) AS BIGINT) + 1 AS DATE))"
        );
    }

    #[test]
    fn integers_are_wide_wherever_they_come_from() {
        assert_eq!(rewritten("EXTRACT(HOUR FROM at) * 60"), "CAST(EXTRACT(HOUR FROM at) AS BIGINT) * 60");
        assert_eq!(rewritten("CAST(a AS SMALLINT)"), "CAST(a AS BIGINT)");
        assert_eq!(
            rewritten("CASE WHEN a THEN 2000000000 ELSE -1 END"),
            "CASE WHEN a THEN CAST(2000000000 AS BIGINT) ELSE CAST(-1 AS BIGINT) END"
        );
        assert_eq!(rewritten("MOD(a, b)"), "MOD(a, NULLIF(b, 0))");
        assert_eq!(rewritten("POWER(a, 2)"), "POWER(CAST(a AS DOUBLE), 2)");
    }

    #[test]
    fn counts_and_sums_are_64_bits_wide() {
        assert_eq!(rewritten("COUNT(*) - 5"), "CAST(COUNT(*) AS BIGINT) - 5");
        assert_eq!(rewritten("SUM(a * b)"), "SUM((a * b) + CAST(0 AS BIGINT))");
        assert_eq!(
            rewritten("COUNT(DISTINCT a) FILTER (WHERE b > 0)"),
            "CAST(COUNT(DISTINCT a) FILTER (WHERE b > 0) AS BIGINT)"
        );
    }
}
