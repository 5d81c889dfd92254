//! An order without ties, so that the same rows leave in the same order every time.

use sqlparser::ast::{Expr, Ident, OrderBy, OrderByExpr, OrderByKind, Query};

/// Whether the query takes the first rows only.
pub fn is_limited(query: &Query) -> bool {
    query.limit_clause.is_some() || query.fetch.is_some()
}

/// Appends these output columns to the outermost ORDER BY.
pub fn order_wholly(query: &mut Query, columns: &[String]) {
    // An engine may choke on a column that decides twice.
    let there: Vec<String> = match &query.order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) => order.iter().filter_map(named).collect(),
        _ => vec![],
    };
    let further = columns.iter().filter(|name| !there.contains(name)).map(|name| OrderByExpr {
        expr: Expr::Identifier(Ident::with_quote('"', name)),
        options: Default::default(),
        with_fill: None,
    });
    match &mut query.order_by {
        Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) => order.extend(further),
        // ORDER BY ALL has no ties but those of equal rows.
        Some(_) => {}
        none => *none = Some(OrderBy { kind: OrderByKind::Expressions(further.collect()), interpolate: None }),
    }
}

/// The column that an entry of ORDER BY is, if it is no more than that.
fn named(entry: &OrderByExpr) -> Option<String> {
    match &entry.expr {
        Expr::Identifier(column) => Some(column.value.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::query;

    #[test]
    fn ties_are_decided_by_the_output() {
        let ordered = |text: &str| {
            let mut tree = query(text).unwrap();
            order_wholly(&mut tree, &["a".to_owned(), "b".to_owned()]);
            tree.to_string()
        };
        let text = "SELECT a, b FROM t ORDER BY b DESC LIMIT 3";
        assert_eq!(ordered(text), "SELECT a, b FROM t ORDER BY b DESC, \"a\" LIMIT 3");
        assert_eq!(ordered("SELECT a, b FROM t LIMIT 3"), "SELECT a, b FROM t ORDER BY \"a\", \"b\" LIMIT 3");
    }
}
