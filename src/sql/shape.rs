//! What a query does to its rows: whether each output row is one input row, known at its moment.
//!
//! A query that looks at one row at a time cannot leak the future into it. Aggregates, window
//! functions, joins with tables that change and subqueries can, so their output has no event time
//! unless the author declares it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, GroupByExpr, Join, JoinConstraint, JoinOperator, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, Visitor,
};

use super::functions::is_aggregate;
use super::lineage::told_by;
use super::refused::constraint;
use super::walk::walk;

/// What the planner knows of an input table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableFacts {
    pub columns: Vec<String>,
    /// The columns that identify a row; empty where none do.
    pub key: Vec<String>,
    /// Never changes over time, by declaration.
    pub fixed: bool,
}

/// What a query does to its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The one table whose rows pass through, if every output row is one row of it and nothing else.
    pub rows_of: Option<String>,
    /// Output column to the column of `rows_of` that it is, unchanged.
    pub unchanged: BTreeMap<String, String>,
    /// No row of `rows_of` leaves twice: no join can multiply it.
    pub keyed: bool,
    /// The columns that decide which rows leave: those in WHERE and in the conditions of joins.
    pub decides: BTreeSet<String>,
    /// The rows leave in the order of `rows_of`.
    pub keeps_order: bool,
    /// Combines rows: needs an engine whose sums have a fixed order.
    pub aggregates: bool,
    /// ORDER BY at the outermost level.
    pub ordered: bool,
}

/// Analyzes a query over tables with these facts.
pub fn shape(query: &Query, tables: &BTreeMap<String, TableFacts>) -> Shape {
    let mut tables = tables.clone();
    let mut through: BTreeMap<String, Shape> = BTreeMap::new();
    let mut uses = Uses::default();
    walk(query, &mut uses);
    for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
        let inner = shape_of_body(&cte.query, &tables, &through);
        let columns = inner.unchanged.keys().cloned().collect();
        let name = cte.alias.name.value.clone();
        tables.insert(name.clone(), TableFacts { columns, key: vec![], fixed: false });
        through.insert(name, inner);
    }
    let mut result = shape_of_body(query, &tables, &through);
    result.decides = uses.decides;
    result.aggregates = uses.aggregate || uses.window || uses.grouped;
    result.ordered = query.order_by.is_some();
    result
}

/// Whether the query names all columns that it needs: no `*`, and no join whose columns are named without a table.
pub fn names_all_columns(query: &Query) -> bool {
    struct Unnamed(bool);
    impl Visitor for Unnamed {
        type Break = ();

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            let all = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
            let using = |join: &Join| matches!(constraint(&join.join_operator), Some(JoinConstraint::Using(_)));
            self.0 |= select.projection.iter().any(all) || select.from.iter().flat_map(|from| &from.joins).any(using);
            ControlFlow::Continue(())
        }
    }
    let mut unnamed = Unnamed(false);
    walk(query, &mut unnamed);
    !unnamed.0
}

fn opaque() -> Shape {
    Shape {
        rows_of: None,
        unchanged: BTreeMap::new(),
        keyed: false,
        decides: BTreeSet::new(),
        keeps_order: false,
        aggregates: false,
        ordered: false,
    }
}

fn shape_of_body(query: &Query, tables: &BTreeMap<String, TableFacts>, through: &BTreeMap<String, Shape>) -> Shape {
    let SetExpr::Select(select) = query.body.as_ref() else { return opaque() };
    let mut uses = Uses::default();
    walk(select, &mut uses);
    let limited = query.limit_clause.is_some() || query.fetch.is_some();
    if uses.aggregate || uses.window || uses.grouped || uses.queries > 0 || select.distinct.is_some() || limited {
        return opaque();
    }
    let Some((base, called)) = base_table(select, tables) else { return opaque() };
    let joins: Vec<&Join> = select.from.iter().flat_map(|from| &from.joins).collect();
    let mut unchanged = unchanged_columns(select, &base, &called, tables);
    let inner = through.get(&base);
    if let Some(inner) = inner {
        unchanged = unchanged
            .into_iter()
            .filter_map(|(output, column)| Some((output, inner.unchanged.get(&column)?.clone())))
            .collect();
    }
    Shape {
        rows_of: match inner {
            Some(inner) => inner.rows_of.clone(),
            None => Some(base),
        },
        unchanged,
        keyed: joins.iter().all(|join| matches_once(join, tables)) && inner.is_none_or(|inner| inner.keyed),
        decides: BTreeSet::new(),
        keeps_order: joins.is_empty() && query.order_by.is_none() && inner.is_none_or(|inner| inner.keeps_order),
        aggregates: false,
        ordered: query.order_by.is_some(),
    }
}

/// The first table of FROM and what it is called there, if everything joined to it never changes and adds no rows.
fn base_table(select: &Select, tables: &BTreeMap<String, TableFacts>) -> Option<(String, String)> {
    use JoinOperator as J;
    let [from] = select.from.as_slice() else { return None };
    let name = table_name(&from.relation)?;
    let adds_none = |join: &Join| {
        let rows_of_the_left =
            matches!(join.join_operator, J::Join(_) | J::Inner(_) | J::Left(_) | J::LeftOuter(_) | J::CrossJoin(_))
                || keeps_or_drops(&join.join_operator);
        let fixed = table_name(&join.relation).and_then(|name| tables.get(&name)).is_some_and(|table| table.fixed);
        rows_of_the_left && fixed
    };
    let called = alias(&from.relation).unwrap_or_else(|| name.clone());
    (tables.contains_key(&name) && from.joins.iter().all(adds_none)).then_some((name, called))
}

/// Whether a join gives no columns of the right table, only says which rows of the left one leave.
pub(super) fn keeps_or_drops(operator: &JoinOperator) -> bool {
    use JoinOperator as J;
    matches!(operator, J::Semi(_) | J::LeftSemi(_) | J::Anti(_) | J::LeftAnti(_))
}

/// Whether a row finds at most one partner: the condition names the whole key of the joined table.
fn matches_once(join: &Join, tables: &BTreeMap<String, TableFacts>) -> bool {
    if keeps_or_drops(&join.join_operator) {
        return true;
    }
    let Some(table) = table_name(&join.relation).and_then(|name| tables.get(&name)) else { return false };
    let called = alias(&join.relation).or_else(|| table_name(&join.relation)).unwrap_or_default();
    let matched = match constraint(&join.join_operator) {
        Some(JoinConstraint::On(condition)) => equal_columns(condition, &called, &table.columns),
        Some(JoinConstraint::Using(names)) => {
            names.iter().filter_map(|name| Some(name.0.last()?.as_ident()?.value.clone())).collect()
        }
        _ => BTreeSet::new(),
    };
    !table.key.is_empty() && table.key.iter().all(|column| matched.contains(column))
}

/// The columns of the joined table that a condition of equalities, all of which must hold, compares with others.
fn equal_columns(condition: &Expr, called: &str, columns: &[String]) -> BTreeSet<String> {
    match condition {
        Expr::Nested(inner) => equal_columns(inner, called, columns),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut both = equal_columns(left, called, columns);
            both.extend(equal_columns(right, called, columns));
            both
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            let own = |side: &Expr| match side {
                Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                    [table, column] if table.value == called => Some(column.value.clone()),
                    _ => None,
                },
                Expr::Identifier(column) if columns.contains(&column.value) => Some(column.value.clone()),
                _ => None,
            };
            // A column compared with another of the same table says nothing of the row on the left.
            match (own(left), own(right)) {
                (Some(column), None) | (None, Some(column)) => BTreeSet::from([column]),
                _ => BTreeSet::new(),
            }
        }
        _ => BTreeSet::new(),
    }
}

/// The name of a table, however it is quoted; none of what is no table.
pub(super) fn table_name(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { name, .. } => Some(name.0.last()?.as_ident()?.value.clone()),
        _ => None,
    }
}

/// What a table is called instead.
pub(super) fn alias(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias, .. } => alias.as_ref().map(|alias| alias.name.value.clone()),
        _ => None,
    }
}

/// `called` is what the base is named in this SELECT.
fn unchanged_columns(
    select: &Select,
    base: &str,
    called: &str,
    tables: &BTreeMap<String, TableFacts>,
) -> BTreeMap<String, String> {
    let columns = tables.get(base).map(|table| table.columns.as_slice()).unwrap_or_default();
    let all = || columns.iter().map(|name| (name.clone(), name.clone()));
    let mut unchanged = BTreeMap::new();
    for item in &select.projection {
        let (expr, alias) = match item {
            SelectItem::Wildcard(_) => {
                unchanged.extend(all());
                continue;
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                if name.0.last().and_then(|part| part.as_ident()).is_some_and(|table| table.value == called) {
                    unchanged.extend(all());
                }
                continue;
            }
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.clone())),
            _ => continue,
        };
        let column = match expr {
            Expr::Identifier(ident) => &ident.value,
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] if table.value == called => &column.value,
                _ => continue,
            },
            _ => continue,
        };
        if columns.contains(column) {
            unchanged.insert(alias.unwrap_or_else(|| column.clone()), column.clone());
        }
    }
    unchanged
}

#[derive(Default)]
struct Uses {
    aggregate: bool,
    window: bool,
    grouped: bool,
    queries: usize,
    decides: BTreeSet<String>,
}

impl Visitor for Uses {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let grouped = match &select.group_by {
            GroupByExpr::All(_) => true,
            GroupByExpr::Expressions(expressions, _) => !expressions.is_empty(),
        };
        self.grouped |= grouped || select.distinct.is_some() || select.qualify.is_some();
        self.decides.extend(select.selection.iter().flat_map(told_by));
        for join in select.from.iter().flat_map(|from| &from.joins) {
            match constraint(&join.join_operator) {
                Some(JoinConstraint::On(condition)) => self.decides.extend(told_by(condition)),
                Some(JoinConstraint::Using(names)) => {
                    let names = names.iter().filter_map(|name| Some(name.0.last()?.as_ident()?.value.clone()));
                    self.decides.extend(names);
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { name, over, .. }) = expr {
            self.window |= over.is_some();
            self.aggregate |= is_aggregate(&name.to_string());
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::query;

    fn of(text: &str) -> Shape {
        let facts = |columns: &[&str], fixed| TableFacts {
            columns: columns.iter().map(|c| c.to_string()).collect(),
            key: vec!["id".to_owned()],
            fixed,
        };
        let tables = BTreeMap::from([
            ("sales".to_owned(), facts(&["id", "at", "amount"], false)),
            ("regions".to_owned(), facts(&["id", "region"], true)),
        ]);
        shape(&query(text).unwrap(), &tables)
    }

    #[test]
    fn a_filter_passes_rows_through() {
        let shape = of("SELECT id AS customer, at, amount * 2 AS double FROM sales WHERE amount > 0");
        assert_eq!(shape.rows_of.as_deref(), Some("sales"));
        assert!(shape.keeps_order && !shape.aggregates);
        assert_eq!(shape.unchanged.get("customer").map(String::as_str), Some("id"));
        assert!(!shape.unchanged.contains_key("double"));
    }

    #[test]
    fn a_chain_of_filters_passes_rows_through() {
        let shape = of("WITH x AS (SELECT id, at AS t FROM sales) SELECT * FROM x WHERE id > 3");
        assert_eq!(shape.rows_of.as_deref(), Some("sales"));
        assert_eq!(shape.unchanged.get("t").map(String::as_str), Some("at"));
    }

    #[test]
    fn whatever_looks_at_other_rows_does_not() {
        for text in [
            "SELECT id, SUM(amount) AS s FROM sales GROUP BY id",
            "SELECT id, at, SUM(amount) OVER (PARTITION BY id) AS s FROM sales",
            "SELECT id, at FROM sales WHERE id IN (SELECT id FROM sales WHERE amount > 10)",
            "SELECT a.id, a.at FROM sales AS a JOIN sales AS b ON a.id = b.id",
            "SELECT DISTINCT id, at FROM sales",
            "SELECT id, at FROM sales LIMIT 3",
            "SELECT id, at FROM sales UNION ALL SELECT id, at FROM sales",
        ] {
            assert_eq!(of(text).rows_of, None, "{text}");
        }
        assert!(of("SELECT s.id, region FROM sales AS s JOIN regions AS r ON s.id = r.id").rows_of.is_some());
    }

    #[test]
    fn only_a_join_on_the_whole_key_keeps_rows_single() {
        let keyed = |text: &str| of(text).keyed;
        assert!(keyed("SELECT s.id FROM sales AS s LEFT JOIN regions AS r ON s.id = r.id"));
        assert!(keyed("SELECT s.id FROM sales AS s JOIN regions USING (id)"));
        assert!(keyed("SELECT s.id FROM sales AS s SEMI JOIN regions AS r ON s.amount = r.region"));
        assert!(!keyed("SELECT s.id FROM sales AS s JOIN regions AS r ON s.id = r.region"));
        assert!(!keyed("SELECT s.id FROM sales AS s JOIN regions AS r ON s.id = r.id OR s.amount > 1"));
        assert!(!keyed("SELECT s.id FROM sales AS s JOIN regions AS r ON r.id = r.id"));
        assert!(!keyed("SELECT s.id FROM sales AS s CROSS JOIN regions AS r"));
        assert_eq!(of("SELECT s.id FROM sales AS s RIGHT JOIN regions AS r ON s.id = r.id").rows_of, None);
    }

    #[test]
    fn a_column_of_the_joined_table_is_none_of_the_base() {
        let shape = of("SELECT s.id, r.at FROM sales AS s JOIN regions AS r ON s.id = r.id WHERE amount > 0");
        assert!(shape.unchanged.contains_key("id") && !shape.unchanged.contains_key("at"));
        assert!(shape.decides.contains("amount"));
        assert!(of("SELECT r.* FROM sales AS s JOIN regions AS r ON s.id = r.id").unchanged.is_empty());
    }
}
