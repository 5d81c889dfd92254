//! Which input columns an output column is made of, by name: enough to carry privacy classes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Select, SelectItem, Visit, Visitor};

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

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                self.0.entry(alias.value.clone()).or_default().extend(told_by(expr));
            }
        }
        ControlFlow::Continue(())
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
}
