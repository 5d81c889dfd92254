//! What parses but would mean one thing on one engine and another on the next.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Function, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem, Spanned, Visit, Visitor,
    WildcardAdditionalOptions, WindowType,
};
use sqlparser::tokenizer::Location;

use super::functions::is_aggregate;
use super::names::at;
use crate::problem::{Code, Problem};

/// Everything of a query over tables with these names that is refused, with its place.
pub(super) fn refused(query: &Query, tables: &[&str]) -> Vec<Problem> {
    let mut search = Refused { tables, depth: 0, problems: vec![] };
    let _ = query.visit(&mut search);
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

    fn common_tables(&mut self, query: &Query) {
        let Some(with) = &query.with else { return };
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
    fn the_rest_is_not() {
        let text = "WITH x AS (SELECT id FROM sales) SELECT x.*, ROW_NUMBER() OVER (ORDER BY id) AS n, \
                    SUM(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s, \
                    SUM(id) OVER (PARTITION BY id) AS t FROM x JOIN regions USING (id) ORDER BY id LIMIT 3";
        assert_eq!(refused(&query(text).unwrap(), &["sales", "regions"]), []);
    }
}
