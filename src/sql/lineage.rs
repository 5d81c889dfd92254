//! Which input columns an output column is made of, by name: enough to carry privacy classes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr, TableFactor, Visitor};

use super::walk::walk;

/// What the columns of a query are made of.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    /// Output (or intermediate) column to the columns named in its expression. A count of something tells nothing of
    /// it, so what stands only inside COUNT does not appear.
    found: BTreeMap<String, BTreeSet<String>>,
    /// Some columns go by the names of others, and which ones cannot be told.
    unknown: bool,
}

/// The lineage of a query over tables (name, columns).
pub fn lineage(query: &Query, tables: &[(&str, Vec<&str>)]) -> Lineage {
    let named = |(name, columns): &(&str, Vec<&str>)| {
        ((*name).to_owned(), Some(columns.iter().map(|column| (*column).to_owned()).collect()))
    };
    let mut aliases = Aliases { found: BTreeMap::new(), unknown: false, tables: tables.iter().map(named).collect() };
    walk(query, &mut aliases);
    Lineage { found: aliases.found, unknown: aliases.unknown }
}

impl Lineage {
    /// Every column that `name` is made of, through any number of renamings; itself if it is none's.
    pub fn ancestors(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            if found.insert(name.clone()) {
                open.extend(self.found.get(&name).into_iter().flatten().cloned());
            }
        }
        if self.found.get(name).is_some_and(|parents| !parents.contains(name)) {
            found.remove(name);
        }
        found
    }

    /// Whether a column of the output may be made of any column of the inputs: nothing gives it its name, as where an
    /// engine renames the second of two that are called the same.
    pub fn is_unknown(&self, name: &str, columns: &[&str]) -> bool {
        self.unknown || !(self.found.contains_key(name) || columns.contains(&name))
    }
}

struct Aliases {
    found: BTreeMap<String, BTreeSet<String>>,
    unknown: bool,
    /// The columns of tables, in their order, where they are known.
    tables: BTreeMap<String, Option<Vec<String>>>,
}

impl Visitor for Aliases {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for part in query.with.iter().flat_map(|with| &with.cte_tables) {
            let columns = self.output(&part.query.body);
            let names = columns.map(|columns| columns.into_iter().map(|(name, _)| name).collect());
            self.tables.insert(part.alias.name.value.clone(), names);
        }
        if let SetExpr::SetOperation { left, right, .. } = query.body.as_ref() {
            match self.output(left) {
                Some(columns) => {
                    let names: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
                    self.by_position(&names, right);
                }
                None => self.unknown = true,
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr, alias } = item {
                self.found.entry(alias.value.clone()).or_default().extend(told_by(expr));
            }
        }
        ControlFlow::Continue(())
    }
}

impl Aliases {
    /// The columns of a body go by these names.
    fn by_position(&mut self, names: &[String], body: &SetExpr) {
        let Some(columns) = self.output(body) else {
            self.unknown = true;
            return;
        };
        for (name, (_, parents)) in names.iter().zip(columns) {
            let own = self.found.entry(name.clone()).or_insert_with(|| BTreeSet::from([name.clone()]));
            own.extend(parents);
        }
        if let SetExpr::SetOperation { left, right, .. } = body {
            self.by_position(names, left);
            self.by_position(names, right);
        }
    }

    /// The output columns of a body, by name, with what each is made of. None where `*` gives columns that cannot be
    /// told from the text.
    fn output(&self, body: &SetExpr) -> Option<Vec<(String, BTreeSet<String>)>> {
        match body {
            SetExpr::Select(select) => self.selected(select),
            SetExpr::Query(query) => self.output(&query.body),
            SetExpr::SetOperation { left, .. } => self.output(left),
            _ => None,
        }
    }

    fn selected(&self, select: &Select) -> Option<Vec<(String, BTreeSet<String>)>> {
        let mut columns = Vec::new();
        for one in &select.projection {
            match one {
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                    let [from] = select.from.as_slice() else { return None };
                    let TableFactor::Table { name, .. } = &from.relation else { return None };
                    let table = name.0.last()?.as_ident()?.value.as_str();
                    let names = self.tables.get(table).filter(|_| from.joins.is_empty())?.as_ref()?;
                    columns.extend(names.iter().map(|name| (name.clone(), BTreeSet::from([name.clone()]))));
                }
                other => columns.extend(item(other)),
            }
        }
        Some(columns)
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
    walk(expr, &mut told);
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

    fn of(text: &str) -> Lineage {
        let tables = [("t", vec!["id", "quantity"]), ("u", vec!["k", "person"])];
        lineage(&query(text).unwrap(), &tables)
    }

    #[test]
    fn classes_follow_renamings_but_not_counts() {
        let lineage = of(
            "WITH x AS (SELECT id AS person, COUNT(DISTINCT id) AS n FROM t GROUP BY id) SELECT person AS who, n FROM x",
        );
        assert!(lineage.ancestors("who").contains("id"));
        assert!(!lineage.ancestors("n").contains("id"));
        assert_eq!(lineage.ancestors("plain"), BTreeSet::from(["plain".to_owned()]));
        assert!(!lineage.is_unknown("n", &["id"]) && !lineage.is_unknown("id", &["id"]));
        assert!(lineage.is_unknown("id:x", &["id"]));
    }

    #[test]
    fn classes_follow_positions() {
        let union = of("SELECT quantity FROM t UNION ALL SELECT id AS c FROM t").ancestors("quantity");
        assert_eq!(union, BTreeSet::from(["id".to_owned(), "quantity".to_owned()]));
        for text in [
            "SELECT * FROM t UNION ALL SELECT * FROM u",
            "SELECT t.*, 1 AS v FROM t UNION ALL SELECT k, person, 2 AS v FROM u",
            "WITH x AS (SELECT * FROM u) SELECT * FROM t UNION ALL SELECT * FROM x",
        ] {
            assert!(of(text).ancestors("quantity").contains("person"), "{text}");
            assert!(!of(text).ancestors("id").contains("person"), "{text}");
        }
        // What the columns of a join are called is for the engine to say.
        let joined = of("SELECT * FROM t UNION ALL SELECT * FROM u JOIN t ON u.k = t.id");
        assert!(joined.is_unknown("id", &["id"]));
    }
}
