//! Feature expressions to what is computed in three steps: per event, per window, per row.
//!
//! `SUM(a * b) FILTER (WHERE c > 0) / COUNT(*)` becomes the event columns `a * b` and `c > 0`, two
//! aggregates over them, and the expression `_a0 / _a1` over the aggregates. Equal parts of
//! different features are computed once.

use std::ops::ControlFlow;

use crate::algorithms::windows::{Aggregation, Window};
use crate::problem::{Code, Problem};
use crate::sql::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Spanned, VisitMut,
    VisitorMut,
};
use crate::sql::{self, Aggregate, Location};

/// Everything that the expressions of one stage need, shared between them.
#[derive(Debug, Default)]
pub struct Program {
    /// Scalar SQL per event; column `_e<index>`. The second: it is a condition of a FILTER.
    pub events: Vec<(String, bool)>,
    /// Where each of `events` was first written.
    pub event_places: Vec<Written>,
    /// Column `_a<index>`.
    pub aggregates: Vec<AggregateCall>,
    /// Where each of `aggregates` was first written.
    pub aggregate_places: Vec<Written>,
    /// `DAYS_SINCE` of an expression over aggregates; column `_d<index>`.
    pub days: Vec<String>,
    /// Where each of `days` was first written.
    pub day_places: Vec<Written>,
    /// The expressions themselves, over `_a` and `_d`.
    pub outputs: Vec<Output>,
}

/// Where a part was first written: in which output, and where in its text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Written {
    pub output: String,
    pub line: usize,
    pub column: usize,
    /// The function's name, in capitals; empty for other parts.
    pub function: String,
}

/// An aggregate over event columns.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateCall {
    pub aggregation: Aggregation,
    pub argument: Option<usize>,
    pub filter: Option<usize>,
    pub window: Window,
    /// Days of the label's future window; results are null where it is not known yet.
    pub horizon_days: Option<u32>,
}

/// One feature, label or condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub name: String,
    pub sql: String,
    pub horizon_days: Option<u32>,
}

impl Written {
    fn at(output: &str, start: Location, function: &str) -> Written {
        let (line, column) = ((start.line as usize).max(1), (start.column as usize).max(1));
        Written { output: output.to_owned(), line, column, function: function.to_uppercase() }
    }
}

impl Program {
    /// Adds an expression; problems are placed inside its text.
    pub fn add(
        &mut self,
        name: &str,
        text: &str,
        window: Window,
        horizon_days: Option<u32>,
        columns: &[&str],
    ) -> Result<(), Vec<Problem>> {
        let mut tree = sql::expression(text).map_err(|problem| vec![problem])?;
        let problems = sql::check_expression(&tree, columns);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut extract = Extract { program: self, output: name, window, horizon_days, problems: vec![] };
        let _ = tree.visit(&mut extract);
        if !extract.problems.is_empty() {
            return Err(extract.problems);
        }
        sql::portable(&mut tree);
        self.outputs.push(Output { name: name.to_owned(), sql: tree.to_string(), horizon_days });
        Ok(())
    }

    fn event(&mut self, mut expr: Expr, is_filter: bool, output: &str) -> usize {
        let start = expr.span().start;
        sql::portable(&mut expr);
        let wanted = (expr.to_string(), is_filter);
        self.events.iter().position(|one| *one == wanted).unwrap_or_else(|| {
            self.events.push(wanted);
            self.event_places.push(Written::at(output, start, ""));
            self.events.len() - 1
        })
    }

    fn aggregate(&mut self, call: AggregateCall, written: Written) -> usize {
        self.aggregates.iter().position(|one| *one == call).unwrap_or_else(|| {
            self.aggregates.push(call);
            self.aggregate_places.push(written);
            self.aggregates.len() - 1
        })
    }
}

/// Replaces aggregates by names of columns; such a name has no position in the text.
struct Extract<'a> {
    program: &'a mut Program,
    output: &'a str,
    window: Window,
    horizon_days: Option<u32>,
    problems: Vec<Problem>,
}

impl VisitorMut for Extract<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                if let Some(name) = name_of(function)
                    && let Some(aggregate) = Aggregate::parse(&name.value)
                {
                    let column = match self.call(aggregate, function) {
                        Ok(call) => format!(
                            "_a{}",
                            self.program.aggregate(call, Written::at(self.output, name.span.start, &name.value))
                        ),
                        Err(problem) => {
                            self.problems.push(place(&name, problem));
                            "_a".to_owned()
                        }
                    };
                    *expr = Expr::Identifier(Ident::new(column));
                }
            }
            Expr::Identifier(ident) if ident.span.start.line > 0 => {
                let message =
                    format!("`{}` stands outside of an aggregate, but a feature has one value per entity", ident.value);
                let problem =
                    Problem::new(Code::SqlInvalid, message).help(format!("wrap it, as in MAX({})", ident.value));
                self.problems.push(place(ident, problem));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        if !is_days_since(function) {
            return ControlFlow::Continue(());
        }
        let start = name_of(function).map(|name| name.span.start).unwrap_or(Location { line: 1, column: 1 });
        match arguments(function).as_slice() {
            [Some(moment)] => {
                let text = moment.to_string();
                let index = self.program.days.iter().position(|one| *one == text).unwrap_or_else(|| {
                    self.program.days.push(text);
                    self.program.day_places.push(Written::at(self.output, start, "DAYS_SINCE"));
                    self.program.days.len() - 1
                });
                *expr = Expr::Identifier(Ident::new(format!("_d{index}")));
            }
            _ => self.problems.push(
                Problem::new(Code::SqlInvalid, "DAYS_SINCE takes one moment").help("as in DAYS_SINCE(MAX(ordered_at))"),
            ),
        }
        ControlFlow::Continue(())
    }
}

impl Extract<'_> {
    fn call(&mut self, aggregate: Aggregate, function: &Function) -> Result<AggregateCall, Problem> {
        let invalid = |message: &str| Err(Problem::new(Code::SqlInvalid, message));
        if nested_in(function) {
            return invalid("an aggregate or DAYS_SINCE stands inside an aggregate");
        }
        let distinct = matches!(&function.args, FunctionArguments::List(list)
            if list.duplicate_treatment == Some(DuplicateTreatment::Distinct));
        if distinct && aggregate != Aggregate::Count {
            return invalid("DISTINCT is possible in COUNT only");
        }
        let arguments = arguments(function);
        let (aggregation, argument) = match (aggregate, arguments.as_slice()) {
            (Aggregate::Count, [None]) if !distinct => (Aggregation::Count, None),
            (Aggregate::Count, [Some(one)]) if distinct => (Aggregation::CountDistinct, Some(one)),
            (Aggregate::Quantile, [Some(one), Some(share)]) => match share.to_string().parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) => (Aggregation::Quantile(share), Some(one)),
                _ => return invalid("QUANTILE_CONT takes a share from 0 to 1 as its second argument"),
            },
            (Aggregate::Quantile, _) => return invalid("QUANTILE_CONT takes a column and a share from 0 to 1"),
            (simple, [Some(one)]) => (aggregation(simple), Some(one)),
            _ => return invalid("the aggregate takes one argument"),
        };
        Ok(AggregateCall {
            aggregation,
            argument: argument.map(|one| self.program.event((*one).clone(), false, self.output)),
            filter: function
                .filter
                .as_ref()
                .map(|filter| self.program.event(filter.as_ref().clone(), true, self.output)),
            window: self.window,
            horizon_days: self.horizon_days,
        })
    }
}

/// The kernel's aggregation for an aggregate of one argument.
fn aggregation(aggregate: Aggregate) -> Aggregation {
    match aggregate {
        Aggregate::Count => Aggregation::Count,
        Aggregate::Sum => Aggregation::Sum,
        Aggregate::Average => Aggregation::Average,
        Aggregate::Min => Aggregation::Min,
        Aggregate::Max => Aggregation::Max,
        Aggregate::Median | Aggregate::Quantile => Aggregation::Quantile(0.5),
        Aggregate::StandardDeviation { population } => Aggregation::StandardDeviation { population },
        Aggregate::Variance { population } => Aggregation::Variance { population },
        Aggregate::Mode => Aggregation::Mode,
        Aggregate::First => Aggregation::First,
        Aggregate::Last => Aggregation::Last,
    }
}

/// The arguments; `None` stands for `*` and for forms that the dialect has not.
fn arguments(function: &Function) -> Vec<Option<&Expr>> {
    let FunctionArguments::List(list) = &function.args else { return vec![] };
    let expr = |argument| match argument {
        &FunctionArg::Unnamed(FunctionArgExpr::Expr(ref expr)) => Some(expr),
        _ => None,
    };
    list.args.iter().map(expr).collect()
}

fn nested_in(function: &Function) -> bool {
    let inner = arguments(function).into_iter().flatten().chain(function.filter.as_deref());
    let mut found = false;
    for expr in inner {
        let _ = sql::ast::visit_expressions(expr, |expr| {
            if let Expr::Function(inner) = expr {
                found |= is_days_since(inner) || sql::is_aggregate(&inner.name.to_string());
            }
            ControlFlow::<()>::Continue(())
        });
    }
    found
}

fn is_days_since(function: &Function) -> bool {
    function.name.to_string().eq_ignore_ascii_case("days_since")
}

fn name_of(function: &Function) -> Option<Ident> {
    function.name.0.last().and_then(|part| part.as_ident()).cloned()
}

fn place(ident: &Ident, problem: Problem) -> Problem {
    let start = ident.span.start;
    problem.within((start.line as usize).max(1), (start.column as usize).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["amount", "quantity", "order_id", "ordered_at"];

    fn compiled(text: &str) -> Result<Program, Vec<Problem>> {
        let mut program = Program::default();
        program.add("f", text, Window::Before, None, COLUMNS).map(|()| program)
    }

    #[test]
    fn an_expression_falls_into_three_steps() {
        let program = compiled("SUM(amount) / COUNT(DISTINCT order_id) FILTER (WHERE quantity > 0)").unwrap();
        assert_eq!(
            program.events,
            [("amount".into(), false), ("order_id".into(), false), ("quantity > 0".into(), true)]
        );
        assert_eq!(program.aggregates.len(), 2);
        assert_eq!(program.aggregates[1].filter, Some(2));
        assert_eq!(program.outputs[0].sql, "CAST(_a0 AS DOUBLE) / NULLIF(_a1, 0)");
    }

    #[test]
    fn days_since_is_an_expression_over_aggregates() {
        let program = compiled("DAYS_SINCE(MAX(ordered_at)) + 1").unwrap();
        assert_eq!(program.days, ["_a0"]);
        assert_eq!(program.outputs[0].sql, "_d0 + 1");
    }

    #[test]
    fn equal_parts_are_computed_once() {
        let mut program = compiled("SUM(amount)").unwrap();
        program.add("g", "SUM(amount) > 0", Window::Before, None, COLUMNS).unwrap();
        program.add("h", "SUM(amount)", Window::Last(5), None, COLUMNS).unwrap();
        assert_eq!((program.events.len(), program.aggregates.len(), program.outputs.len()), (1, 2, 3));
    }

    #[test]
    fn what_has_no_single_value_is_refused_where_it_stands() {
        for (text, place) in [
            ("amount", (1, 1)),
            ("SUM(amount) + quantity", (1, 15)),
            ("SUM(MAX(amount))", (1, 1)),
            ("SUM(DISTINCT amount)", (1, 1)),
            ("MIN(DAYS_SINCE(ordered_at))", (1, 1)),
            ("SUM(amount, quantity)", (1, 1)),
            ("1 + QUANTILE_CONT(amount, 7)", (1, 5)),
        ] {
            let problems = compiled(text).unwrap_err();
            assert_eq!(problems[0].place.within, Some(place), "{text}: {problems:?}");
        }
    }
}
