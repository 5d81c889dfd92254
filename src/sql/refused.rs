//! What parses but would mean one thing on one engine and another on the next.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, Spanned, TableAlias, TableFactor,
    Visitor, WildcardAdditionalOptions, WindowType,
};
use sqlparser::tokenizer::Location;

use super::functions::is_aggregate;
use super::names::{at, relations};
use super::walk::walk;
use crate::problem::{Code, Problem};

/// Everything of a query over tables with these names that is refused, with its place.
pub(super) fn refused(query: &Query, tables: &[&str]) -> Vec<Problem> {
    let mut search = Refused { tables, depth: 0, problems: vec![] };
    walk(query, &mut search);
    search.problems
}

/// What a join demands; none where it has no condition.
pub(super) fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    use JoinOperator as J;
    match operator {
        J::Join(on) | J::Inner(on) | J::Left(on) | J::LeftOuter(on) | J::Right(on) | J::RightOuter(on) => Some(on),
        J::FullOuter(on) | J::CrossJoin(on) | J::Semi(on) | J::LeftSemi(on) | J::RightSemi(on) => Some(on),
        J::Anti(on) | J::LeftAnti(on) | J::RightAnti(on) | J::StraightJoin(on) => Some(on),
        J::AsOf { constraint, .. } => Some(constraint),
        _ => None,
    }
}

/// How many parts `WITH` may name, and how many queries one of them may stand for with all that it names. Beyond, the
/// engine plans for seconds.
const PARTS_MAX: usize = 50;
const COPIES_MAX: usize = 500;

struct Refused<'t> {
    tables: &'t [&'t str],
    /// How many queries are open.
    depth: usize,
    problems: Vec<Problem>,
}

impl Refused<'_> {
    fn add(&mut self, place: Location, message: &str, help: &str) {
        let problem = Problem::new(Code::SqlUnsupported, message).help(help);
        let placed = place.line > 0;
        self.problems.push(if placed { problem.within(place.line as usize, place.column as usize) } else { problem });
    }

    /// Names by place say nothing of what they name where a table's columns change.
    fn column_list(&mut self, alias: &TableAlias) {
        if let Some(column) = alias.columns.first() {
            let message = format!("`{}` renames its columns by their places", alias.name.value);
            let problem = Problem::new(Code::SqlUnsupported, message).help("name each column with AS in the SELECT");
            self.problems.push(at(&column.name, problem));
        }
    }

    /// Engines put a part of a query in every place that names it.
    fn copies(&mut self, query: &Query) {
        let Some(with) = query.with.as_ref().filter(|_| self.depth == 0) else { return };
        let mut weights: HashMap<&str, usize> = HashMap::new();
        for part in &with.cte_tables {
            let named = relations(&part.query);
            let inside = named.iter().filter_map(|name| weights.get(name.value.as_str()));
            let weight = inside.fold(1, |sum: usize, one| sum.saturating_add(*one));
            weights.insert(&part.alias.name.value, weight);
            if weight > COPIES_MAX || with.cte_tables.len() > PARTS_MAX {
                let message = if weight > COPIES_MAX {
                    format!("`{}` stands for more than {COPIES_MAX} queries in one another", part.alias.name.value)
                } else {
                    format!("more than {PARTS_MAX} parts of a query")
                };
                let problem = Problem::new(Code::SqlUnsupported, message);
                self.problems.push(at(&part.alias.name, problem.help("make a part of it a stage of its own")));
                return;
            }
        }
    }

    fn common_tables(&mut self, query: &Query) {
        let Some(with) = &query.with else { return };
        for table in &with.cte_tables {
            self.column_list(&table.alias);
        }
        for name in with.cte_tables.iter().map(|table| &table.alias.name) {
            if self.depth > 0 {
                let message = format!("`{}` is defined inside another query", name.value);
                let problem =
                    Problem::new(Code::SqlUnsupported, message).help("put every WITH before the first SELECT");
                self.problems.push(at(name, problem));
            } else if self.tables.contains(&name.value.as_str()) {
                let message = format!("`{}` is the name of an input already", name.value);
                let problem = Problem::new(Code::SqlUnsupported, message).help("give the table in WITH another name");
                self.problems.push(at(name, problem));
            }
        }
    }

    fn window(&mut self, function: &Function, window: &WindowType, name: &Ident) {
        let WindowType::WindowSpec(window) = window else {
            let problem = Problem::new(Code::SqlUnsupported, "a named window is not part of the dialect");
            self.problems.push(at(name, problem.help("write it after OVER")));
            return;
        };
        let last = |name: &str| ["first_value", "last_value"].contains(&name);
        let lower = function.name.to_string().to_ascii_lowercase();
        if (is_aggregate(&lower) || last(&lower)) && !window.order_by.is_empty() && window.window_frame.is_none() {
            let message =
                "an ordered window without a frame takes equal rows together on one engine and apart on another";
            let frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW";
            let problem = Problem::new(Code::SqlUnsupported, message).help(format!("add {frame} after ORDER BY"));
            self.problems.push(at(name, problem));
        }
    }
}

impl Visitor for Refused<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.common_tables(query);
        self.copies(query);
        if self.depth > 0 && (query.limit_clause.is_some() || query.fetch.is_some()) {
            let message = "LIMIT inside another query leaves open which rows it takes";
            self.add(query.body.span().start, message, "number the rows with ROW_NUMBER() and filter by that");
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) = item
                && is_changed(options)
            {
                let message = "`*` with EXCLUDE, EXCEPT, REPLACE or RENAME is not part of the dialect";
                self.add(options.wildcard_token.0.span.start, message, "list the columns");
            }
        }
        for join in select.from.iter().flat_map(|from| &from.joins) {
            if matches!(constraint(&join.join_operator), Some(JoinConstraint::Natural)) {
                let message = "a NATURAL join changes when a table gets a column";
                self.add(join.relation.span().start, message, "name the columns: JOIN … USING (…) or ON …");
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } = factor
        {
            self.column_list(alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(window) = &function.over
            && let Some(name) = function.name.0.last().and_then(|part| part.as_ident())
        {
            self.window(function, window, name);
        }
        ControlFlow::Continue(())
    }
}

fn is_changed(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::query;

    #[test]
    fn what_engines_read_differently_is_refused_at_its_place() {
        for (text, place) in [
            ("WITH sales AS (SELECT id FROM sales) SELECT id FROM sales", (1, 6)),
            ("WITH x AS (WITH y AS (SELECT id FROM sales) SELECT id FROM y) SELECT id FROM x", (1, 17)),
            ("SELECT * EXCLUDE (id) FROM sales", (1, 8)),
            ("WITH x(a) AS (SELECT id FROM sales) SELECT a FROM x", (1, 8)),
            ("SELECT a FROM sales AS s(a)", (1, 26)),
            ("SELECT a FROM (SELECT id FROM sales) AS s(a)", (1, 43)),
            ("SELECT id FROM sales NATURAL JOIN regions", (1, 35)),
            ("SELECT id FROM (SELECT id FROM sales LIMIT 3) AS x", (1, 17)),
            ("SELECT SUM(id) OVER (ORDER BY at) AS s FROM sales", (1, 8)),
        ] {
            let problems = refused(&query(text).unwrap(), &["sales", "regions"]);
            let places: Vec<_> = problems.iter().map(|problem| problem.place.within).collect();
            assert_eq!(places, [Some(place)], "{text}: {problems:?}");
        }
    }

    #[test]
    fn parts_that_multiply_are_refused() {
        let of = |parts: usize, part: &dyn Fn(usize) -> String| {
            let parts: Vec<String> = (1..=parts).map(|at| format!("c{at} AS ({})", part(at - 1))).collect();
            let text = format!("WITH c0 AS (SELECT id FROM sales), {} SELECT id FROM c0", parts.join(", "));
            refused(&query(&text).unwrap(), &["sales"])
        };
        let twice = |at: usize| format!("SELECT a.id FROM c{at} AS a JOIN c{at} AS b ON a.id = b.id");
        assert!(of(6, &twice).is_empty());
        assert!(of(12, &twice)[0].message.contains("more than 500 queries in one another"));
        let once = |at: usize| format!("SELECT id FROM c{at}");
        assert!(of(49, &once).is_empty());
        assert!(of(50, &once)[0].message.contains("more than 50 parts"));
    }

    #[test]
    fn the_rest_is_not() {
        let text = "WITH x AS (SELECT id FROM sales) SELECT x.*, ROW_NUMBER() OVER (ORDER BY id) AS n, \
                    SUM(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s, \
                    SUM(id) OVER (PARTITION BY id) AS t FROM x JOIN regions USING (id) ORDER BY id LIMIT 3";
        assert_eq!(refused(&query(text).unwrap(), &["sales", "regions"]), []);
    }
}
