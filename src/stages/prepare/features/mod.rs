//! Point-in-time features: SQL aggregates per entity and snapshot.

mod collect;
mod columns;
mod compile;
mod dictionary;
mod lineage;
mod rows;

use chrono::{Days, NaiveDate};
use indexmap::IndexMap;
use polars::prelude::{DataFrame, DataType, IntoLazy};
use polars::sql::sql_expr;
use schemars::JsonSchema;
use serde::Deserialize;

use super::sql::{from_polars, widened};
use crate::algorithms::windows::Window;
use crate::config::Span;
use crate::problem::{Code, Problem, Step};
use crate::sql;
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::lineage::Lineage;
use crate::stages::protocol::trusted_time;
use crate::table::{AS_OF, Class, Column, Role, TableSchema};
use collect::Reading;
use compile::{Program, Written};
use rows::Rows;

/// Features of every entity as of several moments, computed only from events before each.
///
/// Each expression combines an entity's events into one value: `COUNT`, `SUM`, `AVG`, `MIN`, `MAX`,
/// `MEDIAN`, `QUANTILE_CONT(x, share)`, `STDDEV`, `VARIANCE`, `MODE`, `FIRST`, `LAST`, each with
/// `FILTER (WHERE …)` if wanted, and arithmetic, `CASE` and scalar functions over them.
/// `DAYS_SINCE(x)` is whole days, floored, from x to the snapshot's moment.
///
/// Windows are half-open: without `last` a feature looks at all events before the snapshot,
/// `last: 90d` at [as_of − 90 days, as_of), a label's `next: 90d` at [as_of, as_of + 90 days). On an
/// empty window COUNT and SUM are 0 and everything else is null. A label is null where its future
/// is not known yet: as_of + next lies after the run date, or after the newest event of the source.
/// NaN counts as missing. Ties of MODE take the smallest value.
///
/// An entity appears in a snapshot once it has an event before it and satisfies `having`. Events
/// without entity or time are left out. The output is keyed by the entity and `as_of`.
///
/// Events are held in memory as numbers: 16 bytes each, 8 for every number, 4 for every text and 1 for
/// every condition that the expressions use. Above 2 GiB of them, or a third of what is left of the memory that the
/// run may use, the input is read several times, each time for a range of the entities.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// The column that names the entity, such as `customer_id`.
    entity: String,
    /// The events' time; the table's event time.
    time: String,
    /// The moments: the run date, and further ones back from it.
    #[serde(default)]
    snapshots: Snapshots,
    /// A condition over all events before the snapshot; entities that do not satisfy it are left out.
    #[serde(default)]
    having: Option<String>,
    /// Name to expression.
    #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]*$", "format": "name"}, "minProperties" = 1))]
    features: IndexMap<String, Feature>,
    /// Name to expression over the time after the snapshot: what a model learns to predict.
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"pattern": "^[a-z][a-z0-9_]*$", "format": "name"}))]
    labels: IndexMap<String, Label>,
}

/// The moments of the snapshots: the run date, run date − every, run date − 2 · every, …
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Snapshots {
    /// The distance between snapshots.
    every: Span,
    /// How many, the run date included.
    #[schemars(range(min = 1, max = 1000))]
    count: u32,
}

impl Default for Snapshots {
    fn default() -> Self {
        Snapshots { every: Span::days(30), count: 1 }
    }
}

/// An expression, or an expression with a window.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "serde_json::Value")]
#[schemars(with = "FeatureSchema")]
struct Feature {
    expression: String,
    last: Option<Span>,
}

/// The two ways to write a feature.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum FeatureSchema {
    /// The expression alone: over all events before the snapshot.
    Expression(String),
    /// The expression over a window.
    Windowed(Windowed),
}

/// An expression over a window.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Windowed {
    /// The SQL expression.
    expression: String,
    /// Only events of this long before the snapshot.
    #[serde(default)]
    last: Option<Span>,
}

impl TryFrom<serde_json::Value> for Feature {
    type Error = serde_json::Error;

    fn try_from(value: serde_json::Value) -> Result<Self, Self::Error> {
        if let serde_json::Value::String(expression) = value {
            return Ok(Feature { expression, last: None });
        }
        let windowed: Windowed = serde_json::from_value(value)?;
        Ok(Feature { expression: windowed.expression, last: windowed.last })
    }
}

/// An expression over what happens after the snapshot.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Label {
    /// The SQL expression.
    expression: String,
    /// The length of the future that it looks at.
    next: Span,
}

impl StageConfig for Features {
    const KIND: &'static str = "features";
    const FAMILY: &'static str = "prepare";
}

impl Stage for Features {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::one("events")]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["features"]
    }

    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for name in self.labels.keys().filter(|name| self.features.contains_key(*name)) {
            let problem = Problem::new(Code::DuplicateId, format!("`{name}` is a feature and a label"));
            problems.push(problem.at(["with", "labels", name]).at_key());
        }
        for (group, name) in
            self.features.keys().map(|n| ("features", n)).chain(self.labels.keys().map(|n| ("labels", n)))
        {
            if name == AS_OF || *name == self.entity {
                let problem = Problem::new(Code::DuplicateId, format!("`{name}` is part of the key"));
                problems.push(problem.at(["with", group, name]).at_key());
            }
        }
        problems
    }

    fn schemas(&self, inputs: &InputSchemas, run_date: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let events = inputs.one("events")?;
        let mut problems = self.input_problems(events);
        let program = self.program(events).unwrap_or_else(|more| {
            problems.extend(more);
            Program::default()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        let dtypes = self.output_types(&program, events)?;
        let entity = events.column(&self.entity).cloned();
        let mut columns: Vec<Column> =
            entity.into_iter().map(|column| Column { dtype: wide(&column.dtype), ..column }).collect();
        columns.push(Column::new(AS_OF, DataType::Date).described("the moment that it is said of"));
        for (name, dtype, horizon) in dtypes {
            let role = horizon.map_or(Role::Plain, |horizon_days| Role::Label { horizon_days });
            let (class, described) = (self.class_of(&name, events), self.described(&name));
            columns.push(Column { class, role, ..Column::new(name, dtype).described(described) });
        }
        let mut snapshots = self.moments(run_date);
        snapshots.reverse();
        let key = vec![self.entity.clone(), AS_OF.to_owned()];
        Ok(vec![TableSchema { columns, key, event_time: None, snapshots, fixed: false }])
    }

    fn lineage(&self, inputs: &InputSchemas, _: &[TableSchema]) -> Vec<Lineage> {
        inputs.many("events").iter().map(|(name, events)| lineage::of(self, name, events)).collect()
    }

    fn run(&self, mut inputs: Inputs, context: &StageContext) -> Result<Outputs, Failure> {
        let events = inputs.one("events")?;
        let program = self.program(&events.schema).map_err(|problems| {
            Failure::bug(problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; "))
        })?;
        let mut moments = self.moments(context.run_date);
        moments.reverse();
        let known_until = events.watermark.map_or(context.run_date, |watermark| watermark.min(context.run_date));
        let bytes = collect::event_bytes(inputs.memory_bytes);
        let reading = Reading::plan(events.frame, &self.entity, &self.time, &program, bytes)?;
        context.cancel.check()?;
        let rows = Rows::new(reading, program, &self.entity, moments, known_until, context.cancel.clone());
        Ok(Outputs { pieces: vec![Box::new(rows)], ..Outputs::default() })
    }
}

/// A part that cannot be planned, with where it was first written.
type Refused = Box<(Written, Problem)>;

/// Name, type and horizon (days) of a feature or label.
type Typed = (String, DataType, Option<u32>);

/// The name of the `having` condition among the program's outputs; no feature can have it.
const HAVING: &str = "_having";

impl Features {
    /// The run date and the moments before it, newest first.
    fn moments(&self, run_date: NaiveDate) -> Vec<NaiveDate> {
        let step = |k: u32| Days::new(u64::from(k) * u64::from(self.snapshots.every.in_days()));
        (0..self.snapshots.count).filter_map(|k| run_date.checked_sub_days(step(k))).collect()
    }

    fn input_problems(&self, events: &TableSchema) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (option, name) in [("entity", &self.entity), ("time", &self.time)] {
            if events.column(name).is_none() {
                let problem = Problem::new(Code::UnknownColumn, format!("the events have no column `{name}`"));
                problems.push(problem.nearest(name, events.names()).at(["with", option]));
            }
        }
        if let Some(column) = events.column(&self.time) {
            if !matches!(column.dtype, DataType::Date | DataType::Datetime(..)) {
                let message =
                    format!("`{}` is {}, not a date or time", self.time, crate::table::type_name(&column.dtype));
                problems.push(Problem::new(Code::WrongColumnType, message).at(["with", "time"]));
            } else {
                problems.extend(trusted_time(events, "events", &self.time));
            }
        }
        if let Some(column) = events.column(&self.entity)
            && !(column.dtype.is_integer() || column.dtype == DataType::String || column.dtype == DataType::Date)
        {
            let message = format!(
                "`{}` is {}; an entity is a whole number or text",
                self.entity,
                crate::table::type_name(&column.dtype)
            );
            problems.push(Problem::new(Code::WrongColumnType, message).at(["with", "entity"]));
        }
        problems
    }

    /// Compiles every expression; all their problems at once.
    fn program(&self, events: &TableSchema) -> Result<Program, Vec<Problem>> {
        let columns = events.names();
        let mut program = Program::default();
        let mut problems = Vec::new();
        for (name, feature) in &self.features {
            let window = feature.last.map_or(Window::Before, |last| Window::Last(last.in_microseconds()));
            if let Err(more) = program.add(name, &feature.expression, window, None, &columns) {
                problems.extend(more.into_iter().map(|problem| self.in_feature(name, problem)));
            }
        }
        for (name, label) in &self.labels {
            let window = Window::Next(label.next.in_microseconds());
            if let Err(more) = program.add(name, &label.expression, window, Some(label.next.in_days()), &columns) {
                problems.extend(more.into_iter().map(|problem| in_label(name, problem)));
            }
        }
        if let Some(having) = &self.having
            && let Err(more) = program.add(HAVING, having, Window::Before, None, &columns)
        {
            problems.extend(more.into_iter().map(|problem| problem.under("having").under("with")));
        }
        if problems.is_empty() { Ok(program) } else { Err(problems) }
    }

    /// Places a problem in a feature, which is a scalar or a mapping with an `expression`.
    fn in_feature(&self, name: &str, mut problem: Problem) -> Problem {
        let plain = self.features.get(name).is_some_and(|feature| feature.last.is_none());
        let mut path: Vec<Step> = ["with", "features", name].map(Step::from).to_vec();
        if !plain {
            path.push(Step::from("expression"));
        }
        path.append(&mut problem.place.path);
        problem.place.path = path;
        problem
    }

    /// Name, type and horizon of every feature and label, by planning over empty tables.
    fn output_types(&self, program: &Program, events: &TableSchema) -> Result<Vec<Typed>, Vec<Problem>> {
        let mut types = Vec::new();
        let mut problems = Vec::new();
        let empty = DataFrame::empty_with_schema(&events.to_polars());
        let aggregates = collect::event_types(empty, program)
            .and_then(|event_types| rows::empty_aggregates(program, &event_types))
            .map_err(|refused| {
                let (written, problem) = *refused;
                vec![self.in_output(&written.output, problem.within(written.line.max(1), written.column.max(1)))]
            })?;
        for output in &program.outputs {
            let planned = sql_expr(&output.sql)
                .and_then(|expr| widened(aggregates.clone().lazy().select([expr.alias(output.name.as_str())])))
                .and_then(|mut frame| frame.collect_schema());
            match planned.map(|schema| schema.get_at_index(0).map(|(_, dtype)| dtype.clone())) {
                Ok(Some(dtype)) if output.name == HAVING => {
                    if dtype != DataType::Boolean {
                        let message = format!("`having` is {}, not a condition", crate::table::type_name(&dtype));
                        let problem = Problem::new(Code::WrongColumnType, message);
                        let help = "compare it with something, as in `COUNT(*) > 0`";
                        problems.push(problem.help(help).at(["with", "having"]));
                    }
                }
                Ok(Some(dtype)) => types.push((output.name.clone(), dtype, output.horizon_days)),
                Ok(None) => {}
                Err(error) => problems.push(self.at_output(&output.name, &error)),
            }
        }
        if problems.is_empty() { Ok(types) } else { Err(problems) }
    }

    fn at_output(&self, name: &str, error: &polars::prelude::PolarsError) -> Problem {
        self.in_output(name, from_polars(error, &sql::ast::Expr::Identifier(sql::ast::Ident::new(""))))
    }

    /// Places a problem in the text of a feature, a label or `having`.
    fn in_output(&self, name: &str, problem: Problem) -> Problem {
        if name == HAVING {
            problem.under("having").under("with")
        } else if self.labels.contains_key(name) {
            in_label(name, problem)
        } else {
            self.in_feature(name, problem)
        }
    }

    /// The expression, and of when it is.
    fn described(&self, name: &str) -> String {
        let when = |words: &str, span: Span| format!(" {words} {} days", span.in_days());
        let feature =
            self.features.get(name).map(|own| (&own.expression, own.last.map(|span| when("over the last", span))));
        let label = || self.labels.get(name).map(|own| (&own.expression, Some(when("over the next", own.next))));
        let (expression, when) = feature.or_else(label).unwrap_or((&self.entity, None));
        format!("{}{}", crate::format::one_line(expression), when.unwrap_or_default())
    }

    /// The strictest class among the columns whose values the expression tells.
    fn class_of(&self, name: &str, events: &TableSchema) -> Class {
        let feature = self.features.get(name).map(|feature| &feature.expression);
        let text = feature.or_else(|| self.labels.get(name).map(|label| &label.expression));
        let told = text.and_then(|text| sql::expression(text).ok()).map(|tree| sql::told_by(&tree)).unwrap_or_default();
        told.iter().filter_map(|column| events.column(column)).map(|column| column.class).max().unwrap_or_default()
    }
}

fn in_label(name: &str, problem: Problem) -> Problem {
    problem.under("expression").under(name).under("labels").under("with")
}

/// The type that a column has after widening.
fn wide(dtype: &DataType) -> DataType {
    if dtype.is_integer() { DataType::Int64 } else { dtype.clone() }
}

#[cfg(test)]
mod tests;
