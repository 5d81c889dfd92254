//! Which input columns an output column is made of, by name: enough to carry privacy classes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr, Visit, Visitor};

/// Output (or intermediate) column to the columns named in its expression. A count of something
/// tells nothing of it, so what stands only inside COUNT does not appear.
pub fn lineage(query: &Query) -> BTreeMap<String, BTreeSet<String>> {
    let mut aliases = Aliases::default();
    let _ = query.visit(&mut aliases);
    aliases.0
}

/// Every column that `name` is made of, through any number of renamings; itself if it is none's.
pub fn ancestors(lineage: &BTreeMap<String, BTreeSet<String>>, name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if found.insert(name.clone()) {
            open.extend(lineage.get(&name).into_iter().flatten().cloned());
        }
    }
    if lineage.get(name).is_some_and(|parents| !parents.contains(name)) {
        found.remove(name);
    }
    found
}

#[derive(Default)]
struct Aliases(BTreeMap<String, BTreeSet<String>>);

impl Visitor for Aliases {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // `WITH y(person) AS (SELECT id …)` names by position.
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let names: Vec<String> = table.alias.columns.iter().map(|column| column.name.value.clone()).collect();
            self.by_position(&names, &table.query.body);
        }
        if let SetExpr::SetOperation { left, right, .. } = query.body.as_ref() {
            let names: Vec<String> = output(left).into_iter().map(|(name, _)| name).collect();
            self.by_position(&names, right);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                self.0.entry(alias.value.clone()).or_default().extend(told_by(expr));
            }
        }
        ControlFlow::Continue(())
    }
}

impl Aliases {
    /// The columns of a body go by these names.
    fn by_position(&mut self, names: &[String], body: &SetExpr) {
        for (name, (_, parents)) in names.iter().zip(output(body)) {
            let own = self.0.entry(name.clone()).or_insert_with(|| BTreeSet::from([name.clone()]));
            own.extend(parents);
        }
        if let SetExpr::SetOperation { left, right, .. } = body {
            self.by_position(names, left);
            self.by_position(names, right);
        }
    }
}

/// The output columns of a body, by name, with what each is made of; what `*` gives goes by its own names.
fn output(body: &SetExpr) -> Vec<(String, BTreeSet<String>)> {
    match body {
        SetExpr::Select(select) => select.projection.iter().filter_map(item).collect(),
        SetExpr::Query(query) => output(&query.body),
        SetExpr::SetOperation { left, .. } => output(left),
        _ => vec![],
    }
}

fn item(item: &SelectItem) -> Option<(String, BTreeSet<String>)> {
    match item {
        SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.clone(), told_by(expr))),
        SelectItem::UnnamedExpr(expr) => {
            let told = told_by(expr);
            Some((told.first().cloned().unwrap_or_default(), told))
        }
        _ => None,
    }
}

/// The columns whose values an expression tells.
pub fn told_by(expr: &Expr) -> BTreeSet<String> {
    let mut told = Told::default();
    let _ = expr.visit(&mut told);
    told.columns
}

#[derive(Default)]
struct Told {
    columns: BTreeSet<String>,
    counts: usize,
}

impl Told {
    fn is_count(expr: &Expr) -> bool {
        matches!(expr, Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("count"))
    }
}

impl Visitor for Told {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) if self.counts == 0 => {
                self.columns.insert(ident.value.clone());
            }
            Expr::CompoundIdentifier(parts) if self.counts == 0 => {
                self.columns.extend(parts.last().map(|part| part.value.clone()));
            }
            expr if Told::is_count(expr) => self.counts += 1,
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if Told::is_count(expr) {
            self.counts -= 1;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::query;

    #[test]
    fn classes_follow_renamings_but_not_counts() {
        let tree = query("WITH x AS (SELECT id AS person, COUNT(DISTINCT id) AS n FROM t GROUP BY id) SELECT person AS who, n FROM x").unwrap();
        let lineage = lineage(&tree);
        assert!(ancestors(&lineage, "who").contains("id"));
        assert!(!ancestors(&lineage, "n").contains("id"));
        assert_eq!(ancestors(&lineage, "plain"), BTreeSet::from(["plain".to_owned()]));
    }

    #[test]
    fn classes_follow_positions() {
        let of = |text: &str, name: &str| ancestors(&lineage(&query(text).unwrap()), name);
        assert!(of("WITH y(person) AS (SELECT id FROM t) SELECT person FROM y", "person").contains("id"));
        let union = "SELECT quantity FROM t UNION ALL SELECT id AS c FROM t";
        assert!(of(union, "quantity").is_superset(&BTreeSet::from(["id".to_owned(), "quantity".to_owned()])));
    }
}
