//! Checks the names in a tree against what exists: columns, tables, functions.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, Ident, ObjectName, Query, Select, SelectItem, Spanned, TableFactor, Visit, Visitor,
};

use super::walk::walk;
use super::{derived, functions, refused};
use crate::problem::{Code, Problem, nearest};

/// Everything a tree names, in the order of the text.
#[derive(Default)]
struct Names {
    columns: Vec<Ident>,
    qualifiers: Vec<Ident>,
    functions: Vec<Ident>,
    relations: Vec<Ident>,
    aliases: BTreeSet<String>,
    table_aliases: BTreeSet<String>,
    unnamed: Vec<Ident>,
    windows: Vec<Ident>,
    /// What is wrong with the arguments of functions.
    wrong: Vec<Problem>,
    subqueries: Vec<sqlparser::tokenizer::Location>,
}

/// The columns that an expression or query names, each once, in order of appearance.
pub fn identifiers<T: Visit>(tree: &T) -> Vec<Ident> {
    let mut seen = BTreeSet::new();
    Names::of(tree).columns.into_iter().filter(|ident| seen.insert(ident.value.clone())).collect()
}

/// Where an engine's complaint that names no column points: the first use of the operator that it
/// names, or the condition of the first WHERE.
pub fn culprit<T: Visit>(tree: &T, complaint: &str) -> Option<sqlparser::tokenizer::Location> {
    let mut search = Culprit { complaint, found: None };
    walk(tree, &mut search);
    search.found.filter(|location| location.line > 0)
}

struct Culprit<'a> {
    complaint: &'a str,
    found: Option<sqlparser::tokenizer::Location>,
}

impl Visitor for Culprit<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if self.complaint.starts_with("filter predicate") && self.found.is_none() {
            self.found = select.selection.as_ref().map(|expr| expr.span().start);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::BinaryOp { op, .. } = expr
            && self.found.is_none()
            && self.complaint.starts_with(&format!("{op} not allowed"))
        {
            self.found = Some(expr.span().start);
        }
        ControlFlow::Continue(())
    }
}

/// Checks a feature expression: every column exists in `columns`, every function is known.
pub fn check_expression(expr: &Expr, columns: &[&str]) -> Vec<Problem> {
    let names = Names::of(expr);
    let mut problems: Vec<Problem> = names
        .columns
        .iter()
        .filter(|ident| !columns.contains(&ident.value.as_str()))
        .map(|ident| unknown_column(ident, columns))
        .collect();
    problems.extend(names.qualifiers.iter().map(|ident| {
        at(
            ident,
            Problem::new(
                Code::SqlUnsupported,
                format!("`{}.` qualifies a column, but there is only one table here", ident.value),
            ),
        )
    }));
    problems.extend(names.windows.iter().map(|ident| {
        at(
            ident,
            Problem::new(Code::SqlUnsupported, "OVER is not possible in a feature")
                .help("compute it in a `sql` stage before"),
        )
    }));
    problems.extend(function_problems(&names, true));
    problems
}

/// Checks a query against its input tables (name, columns).
pub fn check_query(query: &Query, tables: &[(&str, Vec<&str>)]) -> Vec<Problem> {
    let names = Names::of(query);
    let mut known: Vec<&str> = tables.iter().flat_map(|(_, columns)| columns.iter().copied()).collect();
    known.extend(names.aliases.iter().map(String::as_str));
    let mut relations: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
    relations.extend(names.table_aliases.iter().map(String::as_str));

    let mut problems = Vec::new();
    for ident in &names.columns {
        if !known.contains(&ident.value.as_str()) {
            problems.push(unknown_column(ident, &known));
        }
    }
    for ident in names.relations.iter().chain(&names.qualifiers) {
        if !relations.contains(&ident.value.as_str()) {
            let message = format!("the query names the table `{}`, which is not among the stage's inputs", ident.value);
            problems.push(at(
                ident,
                Problem::new(Code::UnknownInput, message).nearest(&ident.value, relations.iter().copied()),
            ));
        }
    }
    for ident in &names.unnamed {
        problems.push(at(
            ident,
            Problem::new(Code::SqlInvalid, "a computed column has no name").help("give it one with AS"),
        ));
    }
    problems.extend(names.subqueries.iter().map(|start| {
        let problem = Problem::new(Code::SqlUnsupported, "a query stands inside an expression")
            .help("write it as a join: SEMI JOIN keeps rows with a match, ANTI JOIN those without");
        problem.within((start.line as usize).max(1), (start.column as usize).max(1))
    }));
    problems.extend(repeated_names(query));
    let inputs: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
    problems.extend(refused::refused(query, &inputs));
    problems.extend(function_problems(&names, false));
    problems
}

/// The tables that a query names, as often as it does.
pub(super) fn relations(query: &Query) -> Vec<Ident> {
    Names::of(query).relations
}

/// Output columns that are called like one before them.
fn repeated_names(query: &Query) -> Vec<Problem> {
    let sqlparser::ast::SetExpr::Select(select) = query.body.as_ref() else { return vec![] };
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for item in &select.projection {
        let name = match item {
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(ident),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last(),
            SelectItem::ExprWithAlias { alias, .. } => Some(alias),
            _ => None,
        };
        if let Some(ident) = name
            && !seen.insert(ident.value.clone())
        {
            let message = format!("two columns of the query are called `{}`", ident.value);
            let problem = Problem::new(Code::SqlInvalid, message).help("give one of them another name with AS");
            problems.push(at(ident, problem));
        }
    }
    problems
}

fn function_problems(names: &Names, in_feature: bool) -> Vec<Problem> {
    let known = functions::known(in_feature);
    let mut problems = names.wrong.clone();
    for ident in &names.functions {
        if ident.quote_style.is_some() {
            let message = format!("the name of the function {} stands in quotes", ident.value.to_ascii_uppercase());
            problems.push(at(ident, Problem::new(Code::SqlUnsupported, message).help("write it without")));
            continue;
        }
        let name = ident.value.to_ascii_lowercase();
        if known.contains(&name.as_str()) {
            continue;
        }
        let message = format!("the function {} is not part of the dialect", ident.value.to_ascii_uppercase());
        let problem = Problem::new(Code::SqlUnsupported, message);
        let problem = match nearest(&name, known.iter().copied()) {
            Some(near) => problem.help(format!("did you mean {}?", near.to_ascii_uppercase())),
            None => problem,
        };
        problems.push(at(ident, problem));
    }
    problems
}

fn unknown_column(ident: &Ident, known: &[&str]) -> Problem {
    let problem = Problem::new(Code::UnknownColumn, format!("no input has a column `{}`", ident.value));
    let problem = if ident.quote_style == Some('"') && nearest(&ident.value, known.iter().copied()).is_none() {
        problem.help("double quotes name a column; write text in single quotes")
    } else {
        problem.nearest(&ident.value, known.iter().copied())
    };
    at(ident, problem)
}

/// Places a problem at a name inside the SQL text.
pub(super) fn at(ident: &Ident, problem: Problem) -> Problem {
    let start = ident.span.start;
    if start.line == 0 { problem } else { problem.within(start.line as usize, start.column as usize) }
}

impl Names {
    fn of<T: Visit>(tree: &T) -> Names {
        let mut names = Names::default();
        walk(tree, &mut names);
        names
    }

    fn function(&mut self, function: &Function) {
        if let Some(part) = function.name.0.last().and_then(|part| part.as_ident()) {
            self.wrong.extend(derived::problem(function).map(|problem| at(part, problem)));
            self.functions.push(part.clone());
            if function.over.is_some() {
                self.windows.push(part.clone());
            }
        }
    }
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.columns.push(ident.clone()),
            Expr::CompoundIdentifier(parts) => {
                if let Some((column, qualifiers)) = parts.split_last() {
                    self.columns.push(column.clone());
                    self.qualifiers.extend(qualifiers.last().cloned());
                }
            }
            Expr::Function(function) => self.function(function),
            Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) => {
                self.subqueries.push(expr.span().start);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.table_aliases.insert(cte.alias.name.value.clone());
            self.aliases.extend(cte.alias.columns.iter().map(|column| column.name.value.clone()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => {
                    self.aliases.insert(alias.value.clone());
                }
                SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => {}
                SelectItem::UnnamedExpr(expr) => self.unnamed.push(first_ident(expr)),
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.relations.extend(relation.0.last().and_then(|part| part.as_ident()).cloned());
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } = factor
        {
            self.table_aliases.insert(alias.name.value.clone());
            self.aliases.extend(alias.columns.iter().map(|column| column.name.value.clone()));
        }
        ControlFlow::Continue(())
    }
}

/// Some name inside the expression, for its position.
fn first_ident(expr: &Expr) -> Ident {
    let names = Names::of(expr);
    let mut all: Vec<Ident> = names.functions.into_iter().chain(names.columns).collect();
    all.sort_by_key(|ident| (ident.span.start.line, ident.span.start.column));
    all.into_iter().next().unwrap_or_else(|| Ident::new(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{expression, query};

    fn problems(text: &str) -> Vec<String> {
        let tables = [("sales", vec!["customer_id", "amount", "ordered_at"])];
        check_query(&query(text).unwrap(), &tables)
            .iter()
            .map(|p| format!("{} {:?} {} {:?}", p.code.id(), p.place.within.unwrap(), p.message, p.help))
            .collect()
    }

    #[test]
    fn right_queries_pass() {
        let text = "WITH x AS (SELECT customer_id, SUM(amount) AS total FROM sales GROUP BY customer_id) \
                    SELECT x.total, ROW_NUMBER() OVER (PARTITION BY x.customer_id ORDER BY total) AS n FROM x \
                    SEMI JOIN sales AS s ON s.customer_id = x.customer_id";
        assert_eq!(problems(text), Vec::<String>::new());
    }

    #[test]
    fn each_wrong_name_has_its_place_and_the_nearest_right_one() {
        assert_eq!(
            problems("SELECT amout,\n  SUMM(amount) AS x FROM sale"),
            [
                "P120 (1, 8) no input has a column `amout` Some(\"did you mean `amount`?\")",
                "P112 (2, 26) the query names the table `sale`, which is not among the stage's inputs Some(\"did you mean `sales`?\")",
                "P123 (2, 3) the function SUMM is not part of the dialect Some(\"did you mean SUM?\")",
            ]
        );
    }

    #[test]
    fn text_in_double_quotes_is_explained() {
        assert!(problems("SELECT amount FROM sales WHERE customer_id = \"Some Name\"")[0].contains("single quotes"));
    }

    #[test]
    fn queries_inside_expressions_are_refused() {
        for text in [
            "SELECT amount FROM sales WHERE customer_id IN (SELECT customer_id FROM sales)",
            "SELECT amount FROM sales WHERE EXISTS (SELECT amount FROM sales)",
        ] {
            assert!(problems(text)[0].contains("P123"), "{text}");
        }
    }

    #[test]
    fn computed_columns_need_names() {
        assert!(problems("SELECT amount * 2 FROM sales")[0].starts_with("P124 (1, 8)"));
    }

    #[test]
    fn a_feature_has_no_windows() {
        let tree = expression("SUM(amount) OVER (PARTITION BY amount)").unwrap();
        assert_eq!(check_expression(&tree, &["amount"])[0].code, Code::SqlUnsupported);
    }
}
