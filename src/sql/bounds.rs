//! What a query asks of the moments in a table by itself, such as `WHERE ordered_at >= '2024-03-01'`.
//!
//! Whoever reads the table may leave out the other rows: the query asks again. An engine that has to find this out
//! sees text being turned into a moment, and reads everything to compare.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use sqlparser::ast::{
    BinaryOperator, DataType, Expr, JoinOperator, Query, Select, SetExpr, TableFactor, Value, Visitor,
};

use super::shape::{alias, table_name};
use super::walk::walk;

/// A condition that every row of a table has to meet to be of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub table: String,
    pub column: String,
    pub is: Is,
    pub moment: NaiveDateTime,
}

/// How a value lies to a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    Before,
    UpTo,
    At,
    From,
    After,
}

/// The bounds of tables that the query names once, by the moments in the WHERE of the SELECT that reads them.
pub fn bounds(query: &Query) -> Vec<Bound> {
    let mut search = Search::default();
    walk(query, &mut search);
    let Search { mut bounds, named, defined } = search;
    bounds.retain(|bound| named.get(&bound.table) == Some(&1) && !defined.contains(&bound.table));
    bounds
}

#[derive(Default)]
struct Search {
    bounds: Vec<Bound>,
    /// How often each table is named.
    named: HashMap<String, usize>,
    /// Names that the query gives to parts of its own.
    defined: HashSet<String>,
}

impl Visitor for Search {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let parts = query.with.iter().flat_map(|with| &with.cte_tables);
        self.defined.extend(parts.map(|part| part.alias.name.value.clone()));
        self.body(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let Some(name) = table_name(factor) {
            *self.named.entry(name).or_default() += 1;
        }
        ControlFlow::Continue(())
    }
}

impl Search {
    /// Queries below are visited for themselves.
    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            SetExpr::Table(table) => *self.named.entry(table.table_name.clone().unwrap_or_default()).or_default() += 1,
            _ => {}
        }
    }

    fn select(&mut self, select: &Select) {
        // Of a SEMI or ANTI join one side is not there to be asked about.
        let joins = || select.from.iter().flat_map(|from| &from.joins);
        if joins().any(|join| !gives_both_sides(&join.join_operator)) {
            return;
        }
        let factors = select
            .from
            .iter()
            .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
        // What a table is called here, and its name.
        let called = |factor: &TableFactor| {
            let name = table_name(factor)?;
            Some((alias(factor).unwrap_or_else(|| name.clone()), name))
        };
        let tables: Vec<Option<(String, String)>> = factors.map(called).collect();
        let column = |expr: &Expr| match (expr, tables.as_slice()) {
            (Expr::Identifier(column), [Some((_, table))]) => Some((table.clone(), column.value.clone())),
            (Expr::CompoundIdentifier(parts), tables) => {
                let [called, column] = parts.as_slice() else { return None };
                let table = tables.iter().flatten().find(|(name, _)| *name == called.value)?;
                Some((table.1.clone(), column.value.clone()))
            }
            _ => None,
        };
        let mut open: Vec<&Expr> = select.selection.iter().collect();
        while let Some(condition) = open.pop() {
            match condition {
                Expr::Nested(inner) => open.push(inner),
                Expr::BinaryOp { left, op: BinaryOperator::And, right } => open.extend([&**left, &**right]),
                Expr::BinaryOp { left, op, right } => {
                    let Some(is) = comparison(op) else { continue };
                    let found = match (column(left), moment(right), column(right), moment(left)) {
                        (Some(column), Some(moment), ..) => Some((column, is, moment)),
                        (.., Some(column), Some(moment)) => Some((column, turned(is), moment)),
                        _ => None,
                    };
                    self.bounds.extend(found.map(bound));
                }
                Expr::Between { expr, negated: false, low, high } => {
                    let Some(column) = column(expr) else { continue };
                    let low = moment(low).map(|low| (column.clone(), Is::From, low));
                    let high = moment(high).map(|high| (column, Is::UpTo, high));
                    self.bounds.extend(low.into_iter().chain(high).map(bound));
                }
                _ => {}
            }
        }
    }
}

fn bound(((table, column), is, moment): ((String, String), Is, NaiveDateTime)) -> Bound {
    Bound { table, column, is, moment }
}

fn gives_both_sides(operator: &JoinOperator) -> bool {
    use JoinOperator as J;
    matches!(
        operator,
        J::Join(_)
            | J::Inner(_)
            | J::Left(_)
            | J::LeftOuter(_)
            | J::Right(_)
            | J::RightOuter(_)
            | J::FullOuter(_)
            | J::CrossJoin(_)
    )
}

fn comparison(op: &BinaryOperator) -> Option<Is> {
    Some(match op {
        BinaryOperator::Lt => Is::Before,
        BinaryOperator::LtEq => Is::UpTo,
        BinaryOperator::Eq => Is::At,
        BinaryOperator::GtEq => Is::From,
        BinaryOperator::Gt => Is::After,
        _ => return None,
    })
}

/// The same seen from the other side.
fn turned(is: Is) -> Is {
    match is {
        Is::Before => Is::After,
        Is::UpTo => Is::From,
        Is::At => Is::At,
        Is::From => Is::UpTo,
        Is::After => Is::Before,
    }
}

/// `'2024-03-01'`, `'2024-03-01 12:00:00'`, and either as `DATE '…'` or `TIMESTAMP '…'`.
fn moment(expr: &Expr) -> Option<NaiveDateTime> {
    let text = |value: &Value| match value {
        Value::SingleQuotedString(text) => parsed(text),
        _ => None,
    };
    match expr {
        Expr::Nested(inner) => moment(inner),
        Expr::Value(value) => text(&value.value),
        Expr::TypedString(typed) if matches!(typed.data_type, DataType::Date | DataType::Timestamp(None, _)) => {
            text(&typed.value.value)
        }
        _ => None,
    }
}

fn parsed(text: &str) -> Option<NaiveDateTime> {
    if text.len() == 10 {
        return Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN));
    }
    // More digits than a microsecond has are left to the engine.
    let whole = text.len() <= "2024-03-01 12:00:00.000000".len();
    NaiveDateTime::parse_from_str(&text.replacen(' ', "T", 1), "%Y-%m-%dT%H:%M:%S%.f").ok().filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::query;

    fn found(text: &str) -> Vec<String> {
        let bounds = bounds(&query(text).unwrap());
        let mut found: Vec<String> = bounds
            .into_iter()
            .map(|bound| format!("{}.{} {:?} {}", bound.table, bound.column, bound.is, bound.moment))
            .collect();
        found.sort();
        found
    }

    #[test]
    fn moments_in_a_where_bound_what_is_read() {
        let both = ["t.at Before 2024-04-01 00:00:00", "t.at From 2024-03-01 00:00:00"];
        assert_eq!(found("SELECT SUM(a) FROM t WHERE at >= '2024-03-01' AND (at < DATE '2024-04-01' AND b = 1)"), both);
        assert_eq!(
            found("SELECT a FROM t x JOIN u ON x.a = u.a WHERE '2024-03-01' <= x.at AND x.at < DATE '2024-04-01'"),
            both
        );
        assert_eq!(found("WITH q AS (SELECT * FROM t WHERE at >= '2024-03-01 00:00:00') SELECT a FROM q"), both[1..]);
        assert_eq!(
            found("SELECT a FROM t WHERE at BETWEEN '2024-03-01' AND '2024-03-31'"),
            ["t.at From 2024-03-01 00:00:00", "t.at UpTo 2024-03-31 00:00:00"]
        );
        assert_eq!(
            found("SELECT a FROM t UNION ALL SELECT a FROM u WHERE at = '2024-03-01'"),
            ["u.at At 2024-03-01 00:00:00"]
        );
    }

    #[test]
    fn what_does_not_hold_for_every_row_bounds_nothing() {
        for text in [
            "SELECT a FROM t WHERE at >= '2024-03-01' OR a = 1",
            "SELECT a FROM t WHERE NOT (at >= '2024-03-01')",
            "SELECT a FROM t WHERE at NOT BETWEEN '2024-03-01' AND '2024-03-02'",
            "SELECT a FROM t WHERE at >= '2024-03-01' UNION ALL SELECT a FROM t",
            "SELECT a FROM t WHERE at >= '2024-03-01' AND a IN (SELECT a FROM t)",
            "SELECT a FROM t JOIN u ON t.a = u.a WHERE at >= '2024-03-01'",
            "WITH t AS (SELECT * FROM u) SELECT a FROM t WHERE at >= '2024-03-01'",
            "SELECT a FROM (SELECT * FROM t) AS t WHERE at >= '2024-03-01'",
            "SELECT a FROM t WHERE at >= 'yesterday' AND at >= '2024-03-01 12:00:00.123456789'",
            "SELECT a FROM t WHERE at >= b",
            "SELECT a FROM t WHERE at >= '2024-03-01' UNION ALL SELECT a FROM \"t\"",
            "SELECT a FROM t WHERE at >= '2024-03-01' UNION ALL TABLE t",
            "SELECT t.a FROM t ANTI JOIN u ON t.a = u.a WHERE u.at >= '2024-03-01'",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
