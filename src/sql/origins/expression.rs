//! The columns of an expression, by what they do in it.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, FunctionArguments, Visit, Visitor, WindowType};

use super::scope::Scope;
use super::{Origins, Use};
use crate::sql::functions::is_aggregate;
use crate::sql::walk::walk;

/// Walks over an expression and looks its names up.
pub struct Search<'s> {
    scope: &'s Scope,
    /// What is used where the walk is.
    used: Use,
    found: Origins,
    /// A name stands for nothing that is known.
    lost: bool,
    /// How deep the walk is in what has been looked at already.
    passed: usize,
}

impl<'s> Search<'s> {
    /// What a tree is made of; none if it names what is not there.
    pub fn of(scope: &'s Scope, tree: &Expr, used: Use) -> Option<Origins> {
        let mut search = Search { scope, used, found: Origins::default(), lost: false, passed: 0 };
        walk(tree, &mut search);
        (!search.lost).then_some(search.found)
    }

    fn name(&mut self, found: Option<Origins>) {
        match found {
            Some(origins) => self.found.add(&origins, self.used),
            None => self.lost = true,
        }
    }

    /// Looks at a part whose columns are used in another way.
    fn within<T: Visit>(&mut self, part: &T, used: Use) {
        let outer = (self.used, self.passed);
        (self.used, self.passed) = (self.used.of(used), 0);
        walk(part, self);
        (self.used, self.passed) = outer;
    }

    fn function(&mut self, function: &Function) {
        let used = if is_aggregate(&function.name.to_string()) { Use::Aggregation } else { Use::Transformation };
        match &function.args {
            FunctionArguments::List(list) => {
                self.within(&list.args, used);
                self.within(&list.clauses, used);
            }
            FunctionArguments::Subquery(_) => self.lost = true,
            FunctionArguments::None => {}
        }
        self.within(&function.parameters, used);
        self.within(&function.within_group, used);
        self.within(&function.filter, Use::Filter);
        match &function.over {
            Some(WindowType::WindowSpec(window)) => {
                self.within(&window.partition_by, Use::Window);
                self.within(&window.order_by, Use::Window);
            }
            Some(WindowType::NamedWindow(_)) => self.lost = true,
            None => {}
        }
    }
}

impl Visitor for Search<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.passed > 0 {
            self.passed += 1;
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Identifier(ident) => self.name(self.scope.column(&ident.value)),
            Expr::CompoundIdentifier(parts) => self.name(match parts.as_slice() {
                [table, column] => self.scope.column_of(&table.value, &column.value),
                _ => None,
            }),
            Expr::Function(function) => {
                self.function(function);
                self.passed = 1;
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.within(operand, Use::Conditional);
                for one in conditions {
                    self.within(&one.condition, Use::Conditional);
                    self.within(&one.result, Use::Transformation);
                }
                self.within(else_result, Use::Transformation);
                self.passed = 1;
            }
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => self.lost = true,
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.passed = self.passed.saturating_sub(1);
        ControlFlow::Continue(())
    }
}
