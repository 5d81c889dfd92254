//! What a query does to its rows: whether each output row is one input row, known at its moment.
//!
//! A query that looks at one row at a time cannot leak the future into it. Aggregates, window
//! functions, joins with tables that change and subqueries can, so their output has no event time
//! unless the author declares it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, GroupByExpr, Query, Select, SelectItem, SetExpr, TableFactor, Visit, Visitor};

use super::functions::is_aggregate;

/// What the planner knows of an input table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableFacts {
    pub columns: Vec<String>,
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
    let _ = query.visit(&mut uses);
    for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
        let inner = shape_of_body(&cte.query, &tables, &through);
        let columns = inner.unchanged.keys().cloned().collect();
        let name = cte.alias.name.value.clone();
        tables.insert(name.clone(), TableFacts { columns, fixed: false });
        through.insert(name, inner);
    }
    let mut result = shape_of_body(query, &tables, &through);
    result.aggregates = uses.aggregate || uses.window || uses.grouped;
    result.ordered = query.order_by.is_some();
    result
}

/// Whether a SELECT of the query takes all columns.
pub fn has_wildcard(query: &Query) -> bool {
    struct Wildcard(bool);
    impl Visitor for Wildcard {
        type Break = ();

        fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
            let all = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
            self.0 |= select.projection.iter().any(all);
            ControlFlow::Continue(())
        }
    }
    let mut wildcard = Wildcard(false);
    let _ = query.visit(&mut wildcard);
    wildcard.0
}

fn opaque() -> Shape {
    Shape { rows_of: None, unchanged: BTreeMap::new(), keeps_order: false, aggregates: false, ordered: false }
}

fn shape_of_body(query: &Query, tables: &BTreeMap<String, TableFacts>, through: &BTreeMap<String, Shape>) -> Shape {
    let SetExpr::Select(select) = query.body.as_ref() else { return opaque() };
    let mut uses = Uses::default();
    let _ = select.visit(&mut uses);
    let limited = query.limit_clause.is_some() || query.fetch.is_some();
    if uses.aggregate || uses.window || uses.grouped || uses.queries > 0 || select.distinct.is_some() || limited {
        return opaque();
    }
    let Some(base) = base_table(select, tables) else { return opaque() };
    let joined = select.from.iter().any(|from| !from.joins.is_empty());
    let mut unchanged = unchanged_columns(select, &base, tables);
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
        keeps_order: !joined && query.order_by.is_none() && inner.is_none_or(|inner| inner.keeps_order),
        aggregates: false,
        ordered: query.order_by.is_some(),
    }
}

/// The first table of FROM, if everything joined to it never changes.
fn base_table(select: &Select, tables: &BTreeMap<String, TableFacts>) -> Option<String> {
    let [from] = select.from.as_slice() else { return None };
    let name = table_name(&from.relation)?;
    let joins_are_fixed = from
        .joins
        .iter()
        .all(|join| table_name(&join.relation).and_then(|name| tables.get(&name)).is_some_and(|table| table.fixed));
    (tables.contains_key(&name) && joins_are_fixed).then_some(name)
}

fn table_name(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { name, .. } => Some(name.0.last()?.as_ident()?.value.clone()),
        _ => None,
    }
}

fn unchanged_columns(select: &Select, base: &str, tables: &BTreeMap<String, TableFacts>) -> BTreeMap<String, String> {
    let columns = tables.get(base).map(|table| table.columns.as_slice()).unwrap_or_default();
    let mut unchanged = BTreeMap::new();
    for item in &select.projection {
        let (expr, alias) = match item {
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                unchanged.extend(columns.iter().map(|name| (name.clone(), name.clone())));
                continue;
            }
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.value.clone())),
            SelectItem::ExprWithAliases { .. } => continue,
        };
        let column = match expr {
            Expr::Identifier(ident) => &ident.value,
            Expr::CompoundIdentifier(parts) => match parts.last() {
                Some(part) => &part.value,
                None => continue,
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
        let facts =
            |columns: &[&str], fixed| TableFacts { columns: columns.iter().map(|c| c.to_string()).collect(), fixed };
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
}
