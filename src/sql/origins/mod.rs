//! Which columns of which tables the columns of a query are made of, and which decide about its rows.
//!
//! Names are looked up as engines do: in the tables of their own SELECT. Where a name could be that of several columns
//! all of them count, and where the text does not tell which columns there are nothing is said at all: an answer may
//! name too much, and never too little.

mod expression;
mod scope;
#[cfg(test)]
mod tests;
mod uses;

use std::collections::BTreeMap;

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, JoinConstraint, JoinOperator, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableFactor, TableWithJoins,
};

use super::order::is_limited;
use super::refused::constraint;
use super::shape::{alias, keeps_or_drops, table_name};
use scope::Scope;

pub use uses::{Origins, Use};

/// What the table that a query gives is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Derived {
    /// By output column, in their order.
    pub columns: Vec<(String, Origins)>,
    /// What decides which rows there are, and in which order.
    pub rows: Origins,
    /// Whether a column stands for several that an engine calls differently, so that places tell nothing.
    merged: bool,
}

impl Derived {
    /// A table as it is.
    fn of_table(name: &str, columns: &[&str]) -> Derived {
        let own = |column: &&str| ((*column).to_owned(), Origins::one(name, column, Use::Identity));
        Derived { columns: columns.iter().map(own).collect(), ..Derived::default() }
    }

    /// Adds a column; one that is there already gets further origins.
    fn push(&mut self, name: String, origins: Origins) {
        match self.columns.iter_mut().find(|(own, _)| *own == name) {
            Some((_, own)) => {
                own.add(&origins, Use::Identity);
                self.merged = true;
            }
            None => self.columns.push((name, origins)),
        }
    }

    /// Every column decides about the rows.
    fn all_decide(&mut self, used: Use) {
        for (_, origins) in &self.columns {
            self.rows.add(origins, used);
        }
    }
}

/// What a query over tables (name, columns) gives. None where its text does not tell.
pub fn origins(query: &Query, tables: &[(&str, Vec<&str>)]) -> Option<Derived> {
    let inputs = tables.iter().map(|(name, columns)| ((*name).to_owned(), Derived::of_table(name, columns)));
    Tables(inputs.collect()).query(query)
}

/// What an expression over one table is made of.
pub fn origins_of_expression(expr: &Expr, table: &str, columns: &[&str]) -> Option<Origins> {
    let mut scope = Scope::default();
    scope.add(table.to_owned(), Derived::of_table(table, columns), true);
    scope.of(expr)
}

/// What names of tables stand for: inputs, and parts of the query.
struct Tables(BTreeMap<String, Derived>);

impl Tables {
    fn query(&mut self, query: &Query) -> Option<Derived> {
        for part in query.with.iter().flat_map(|with| &with.cte_tables) {
            let made = self.query(&part.query)?;
            self.0.insert(part.alias.name.value.clone(), made);
        }
        let (mut made, scope) = self.body(&query.body)?;
        if is_limited(query) {
            // Rows that compare equal are told apart by all columns.
            made.all_decide(Use::Sort);
        }
        match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(by)) => {
                for one in by {
                    scope.decide(&mut made, &one.expr, Use::Sort)?;
                }
            }
            Some(OrderByKind::All(_)) => made.all_decide(Use::Sort),
            None => {}
        }
        Some(made)
    }

    /// A body, with the names that may stand in its ORDER BY.
    fn body(&mut self, body: &SetExpr) -> Option<(Derived, Scope)> {
        let made = match body {
            SetExpr::Select(select) => return self.select(select),
            SetExpr::Query(query) => self.query(query)?,
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let (left, right) = (self.body(left)?.0, self.body(right)?.0);
                combined(left, right, *op, *set_quantifier)?
            }
            _ => return None,
        };
        let mut scope = Scope::default();
        scope.add(String::new(), made.clone(), true);
        Some((made, scope))
    }

    fn select(&mut self, select: &Select) -> Option<(Derived, Scope)> {
        let (mut scope, rows) = self.from(&select.from)?;
        let mut made = Derived { rows, ..Derived::default() };
        for item in &select.projection {
            project(item, &scope, &mut made)?;
        }
        scope.gives(&made);
        for condition in [&select.prewhere, &select.selection, &select.having, &select.qualify].into_iter().flatten() {
            made.rows.add(&scope.of(condition)?, Use::Filter);
        }
        match &select.group_by {
            GroupByExpr::Expressions(by, _) => {
                for one in by {
                    scope.decide(&mut made, one, Use::GroupBy)?;
                }
            }
            GroupByExpr::All(_) => made.all_decide(Use::GroupBy),
        }
        match &select.distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct | Distinct::On(_)) => made.all_decide(Use::GroupBy),
        }
        Some((made, scope))
    }

    /// The tables of a FROM, and what decides about its rows.
    fn from(&mut self, from: &[TableWithJoins]) -> Option<(Scope, Origins)> {
        let (mut scope, mut rows) = (Scope::default(), Origins::default());
        for one in from {
            self.enter(&one.relation, true, &mut scope, &mut rows)?;
            for join in &one.joins {
                self.enter(&join.relation, !keeps_or_drops(&join.join_operator), &mut scope, &mut rows)?;
                rows.add(&joined_by(&join.join_operator, &scope)?, Use::Join);
            }
        }
        Some((scope, rows))
    }

    /// Brings a table into the scope; `shown`: whether its columns leave.
    fn enter(&mut self, factor: &TableFactor, shown: bool, scope: &mut Scope, rows: &mut Origins) -> Option<()> {
        let (called, table) = match factor {
            TableFactor::Table { .. } => {
                let name = table_name(factor)?;
                let table = self.0.get(&name)?.clone();
                (alias(factor).unwrap_or(name), table)
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let called = alias.as_ref().map(|alias| alias.name.value.clone()).unwrap_or_default();
                (called, self.query(subquery)?)
            }
            _ => return None,
        };
        rows.add(&table.rows, Use::Identity);
        scope.add(called, table, shown);
        Some(())
    }
}

/// The columns that a join compares.
fn joined_by(operator: &JoinOperator, scope: &Scope) -> Option<Origins> {
    match constraint(operator) {
        Some(JoinConstraint::On(condition)) => scope.of(condition),
        Some(JoinConstraint::Using(names)) => {
            let mut found = Origins::default();
            for name in names {
                found.add(&scope.column(&name.0.last()?.as_ident()?.value)?, Use::Join);
            }
            Some(found)
        }
        Some(JoinConstraint::None) => Some(Origins::default()),
        Some(JoinConstraint::Natural) | None => None,
    }
}

/// Adds what one item of a SELECT gives.
fn project(item: &SelectItem, scope: &Scope, made: &mut Derived) -> Option<()> {
    match item {
        SelectItem::ExprWithAlias { expr, alias } => made.push(alias.value.clone(), scope.of(expr)?),
        SelectItem::UnnamedExpr(expr) => {
            let name = match expr {
                Expr::Identifier(ident) => ident,
                Expr::CompoundIdentifier(parts) => parts.last()?,
                _ => return None,
            };
            made.push(name.value.clone(), scope.of(expr)?);
        }
        SelectItem::Wildcard(_) => scope.all(None, made)?,
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            scope.all(Some(&name.0.last()?.as_ident()?.value), made)?;
        }
        _ => return None,
    }
    Some(())
}

/// Two tables as one: columns go by their places, under the names of the first.
fn combined(left: Derived, right: Derived, op: SetOperator, quantifier: SetQuantifier) -> Option<Derived> {
    use SetQuantifier as Q;
    let by_name = matches!(quantifier, Q::ByName | Q::AllByName | Q::DistinctByName);
    if by_name || left.merged || right.merged || left.columns.len() != right.columns.len() {
        return None;
    }
    let mut made = left;
    made.rows.add(&right.rows, Use::Identity);
    if op == SetOperator::Union {
        for ((_, own), (_, other)) in made.columns.iter_mut().zip(&right.columns) {
            own.add(other, Use::Identity);
        }
        if !matches!(quantifier, Q::All) {
            made.all_decide(Use::GroupBy);
        }
    } else {
        // Rows of the first leave, or not, by what is in the second.
        for (_, other) in &right.columns {
            made.rows.add(other, Use::Filter);
        }
        made.all_decide(Use::Filter);
    }
    Some(made)
}
