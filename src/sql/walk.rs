//! Walks over syntax trees. For each type of visitor the walk over everything that SQL has would be compiled anew, some
//! 2,000 functions: here it is compiled once, for any visitor.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, ObjectName, Query, Select, TableFactor, Visit, VisitMut, Visitor, VisitorMut};

/// Shows a visitor the tree. Statements and values are not shown by themselves.
pub fn walk<T: Visit>(tree: &T, visitor: &mut dyn Visitor<Break = ()>) {
    let _ = tree.visit(&mut Any(visitor));
}

/// Lets a visitor change the tree, expressions inside out. Nothing else is shown to it.
pub fn walk_mut<T: VisitMut>(tree: &mut T, visitor: &mut dyn VisitorMut<Break = ()>) {
    let _ = tree.visit(&mut AnyMut(visitor));
}

struct Any<'a>(&'a mut dyn Visitor<Break = ()>);

impl Visitor for Any<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.pre_visit_query(query)
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.post_visit_query(query)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.0.pre_visit_select(select)
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.0.pre_visit_relation(relation)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        self.0.pre_visit_table_factor(factor)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0.pre_visit_expr(expr)
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0.post_visit_expr(expr)
    }
}

struct AnyMut<'a>(&'a mut dyn VisitorMut<Break = ()>);

impl VisitorMut for AnyMut<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.0.post_visit_expr(expr)
    }
}
