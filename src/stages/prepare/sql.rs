mod lineage;

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveTime};
use polars::prelude::{
    AnyValue, DataFrame, DataType, Engine, Expr, IntoLazy, LazyFrame, Scalar, SortMultipleOptions, TimeUnit, col, lit,
};
use polars::sql::SQLContext;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::problem::{Code, Problem};
use crate::sql::{self, Shape, TableFacts};
use crate::stages::contract::{Failure, InputPort, InputSchemas, Inputs, Outputs, Stage, StageConfig, StageContext};
use crate::stages::lineage::Lineage;
use crate::table::{AS_OF, Class, Column, Role, TableSchema, type_name};

/// One SELECT over the stage's inputs, each under the name of its port.
///
/// The dialect is the part of SQL that means the same on every engine, with these definitions:
/// integers are 64 bits wide, `/` is float, and a division by zero is null. Rows leave in the order
/// of the input where the query only filters and computes row by row, and sorted otherwise.
///
/// A query that looks at one row at a time keeps its input's event time and key. One that combines
/// rows (aggregates, window functions, joins, subqueries) could carry the future into a row, so its
/// output has no event time unless you declare it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// The SELECT statement; tables are the names under `inputs:`.
    #[schemars(length(min = 1))]
    query: String,
    /// The column that says when a row was wholly known, for a query that combines rows.
    #[serde(default)]
    event_time: Option<String>,
    /// The columns that identify a row of the output.
    #[serde(default)]
    key: Vec<String>,
    /// The output never changes over time, so it may feed an evaluated stage without an event time.
    #[serde(default, rename = "static")]
    fixed: bool,
}

impl StageConfig for Sql {
    const KIND: &'static str = "sql";
    const FAMILY: &'static str = "prepare";
}

impl Stage for Sql {
    fn inputs(&self) -> Vec<InputPort> {
        vec![InputPort::open("any name")]
    }

    fn outputs(&self) -> Vec<&'static str> {
        vec!["table"]
    }

    fn check(&self) -> Vec<Problem> {
        sql::query(&self.query).err().map(in_query).into_iter().collect()
    }

    fn schemas(&self, inputs: &InputSchemas, _: NaiveDate) -> Result<Vec<TableSchema>, Vec<Problem>> {
        let tables: Vec<(&str, &TableSchema)> =
            inputs.ports.iter().filter_map(|(port, tables)| Some((port.as_str(), &tables.first()?.1))).collect();
        let tree = sql::query(&self.query).map_err(|problem| vec![in_query(problem)])?;
        let names: Vec<(&str, Vec<&str>)> = tables.iter().map(|(port, schema)| (*port, schema.names())).collect();
        let problems = sql::check_query(&tree, &names);
        if !problems.is_empty() {
            return Err(problems.into_iter().map(in_query).collect());
        }
        let frames = tables
            .iter()
            .map(|(port, schema)| (port.to_string(), DataFrame::empty_with_schema(&schema.to_polars()).lazy()));
        let lineage = sql::lineage(&tree, &names);
        let columns = self.columns(frames, &tree, &tables, &lineage)?;
        let mut shape = sql::shape(&tree, &facts(&tables));
        shape.decides = shape.decides.iter().flat_map(|name| lineage.ancestors(name)).collect();
        self.describe(columns, &shape, &tables).map(|schema| vec![schema])
    }

    fn lineage(&self, inputs: &InputSchemas, outputs: &[TableSchema]) -> Vec<Lineage> {
        lineage::of(&self.query, inputs, outputs)
    }

    fn run(&self, inputs: Inputs, _: &StageContext) -> Result<Outputs, Failure> {
        let mut tree = sql::query(&self.query).map_err(|problem| Failure::bug(problem.message))?;
        let schemas: Vec<(String, TableSchema)> = inputs
            .ports
            .iter()
            .filter_map(|(port, tables)| Some((port.clone(), tables.first()?.table.schema.clone())))
            .collect();
        let tables: Vec<(&str, &TableSchema)> = schemas.iter().map(|(port, schema)| (port.as_str(), schema)).collect();
        let shape = sql::shape(&tree, &facts(&tables));
        let mut frames: Vec<(String, LazyFrame)> =
            inputs.ports.into_iter().filter_map(|(port, mut named)| Some((port, named.pop()?.table.frame))).collect();
        for bound in sql::bounds(&tree) {
            let frame = frames.iter_mut().find(|(port, _)| *port == bound.table);
            let condition = tables.iter().find(|(port, _)| *port == bound.table).and_then(|(_, of)| within(&bound, of));
            if let Some(((_, frame), condition)) = frame.zip(condition) {
                *frame = frame.clone().filter(condition);
            }
        }
        if shape.ordered || sql::is_limited(&tree) {
            // Rows that compare equal would leave in any order, or by chance not at all.
            let output = execute(frames.clone().into_iter(), &tree)?.collect_schema()?;
            let columns = output.iter().filter(|(_, dtype)| !dtype.is_nested()).map(|(name, _)| name.to_string());
            sql::order_wholly(&mut tree, &columns.collect::<Vec<_>>());
        }
        let mut frame = if shape.aggregates {
            // How floats are added up depends on how the rows are cut into chunks, and that on the
            // thread count: so the rows are brought into one chunk first.
            let named: Vec<String> = sql::identifiers(&tree).into_iter().map(|ident| ident.value).collect();
            let whole = frames.drain(..).map(|(port, frame)| Ok((port, in_one_chunk(frame, &named, &tree)?)));
            let whole: Vec<(String, LazyFrame)> = whole.collect::<Result<_, Failure>>()?;
            execute(whole.into_iter(), &tree)?.collect()?.lazy()
        } else {
            execute(frames.into_iter(), &tree)?
        };
        if !shape.keeps_order && !shape.ordered && !sql::is_limited(&tree) {
            frame = self.sorted(frame)?;
        }
        Ok(Outputs { tables: vec![frame], ..Outputs::default() })
    }
}

impl Sql {
    /// The output's columns with their types and privacy classes.
    fn columns(
        &self,
        frames: impl Iterator<Item = (String, LazyFrame)>,
        tree: &sql::ast::Query,
        tables: &[(&str, &TableSchema)],
        lineage: &sql::Lineage,
    ) -> Result<Vec<Column>, Vec<Problem>> {
        let schema = execute(frames, tree)
            .and_then(|mut frame| frame.collect_schema())
            .map_err(|error| vec![in_query(from_polars(&error, tree))])?;
        let columns: Vec<&Column> = tables.iter().flat_map(|(_, schema)| &schema.columns).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        // What is made of a label is a label, and what is made of a name is a name.
        let origins = |name: &str| {
            let (all, ancestors) = (lineage.is_unknown(name, &names), lineage.ancestors(name));
            columns.iter().filter(move |column| all || ancestors.contains(&column.name))
        };
        let horizon = |column: &&&Column| match column.role {
            Role::Label { horizon_days } => Some(horizon_days),
            Role::Plain => None,
        };
        let role_of = |name: &str| {
            let longest = origins(name).filter_map(|column| horizon(&column)).max();
            longest.map_or(Role::Plain, |horizon_days| Role::Label { horizon_days })
        };
        // What is passed through under its name is what it was.
        let described = |name: &str| {
            let own = origins(name).filter(|column| column.name == name).map(|column| column.description.clone());
            own.take(1).next().filter(|_| origins(name).count() == 1).unwrap_or_default()
        };
        Ok(schema
            .iter()
            .map(|(name, dtype)| Column {
                name: name.to_string(),
                dtype: dtype.clone(),
                class: origins(name).map(|column| column.class).max().unwrap_or(Class::Behavioral),
                role: role_of(name),
                description: described(name),
            })
            .collect())
    }

    /// What the rows stand for: inherited where rows pass through, declared otherwise.
    fn describe(
        &self,
        columns: Vec<Column>,
        shape: &Shape,
        tables: &[(&str, &TableSchema)],
    ) -> Result<TableSchema, Vec<Problem>> {
        let base = shape.rows_of.as_ref().and_then(|name| tables.iter().find(|(port, _)| port == name));
        let renamed = |column: &String| {
            let found = shape.unchanged.iter().find(|(output, input)| *input == column && output == input);
            found
                .or_else(|| shape.unchanged.iter().find(|(_, input)| *input == column))
                .map(|(output, _)| output.clone())
        };
        let mut schema = TableSchema { columns, fixed: self.fixed, ..TableSchema::default() };
        if let Some((_, base)) = base {
            schema.event_time = base.event_time.as_ref().and_then(renamed);
            let key: Vec<String> = base.key.iter().filter_map(renamed).collect();
            if key.len() == base.key.len() && shape.keyed {
                schema.key = key;
            }
            let keeps_as_of = shape.unchanged.get(AS_OF).is_some_and(|input| input == AS_OF);
            let label = |name: &String| base.column(name).is_some_and(|column| column.role != Role::Plain);
            // Rows chosen by what comes after them are no fair sample of their moment.
            let fair = shape.keyed && !shape.decides.iter().any(label);
            schema.snapshots = if keeps_as_of && fair { base.snapshots.clone() } else { vec![] };
            schema.fixed |= base.fixed;
        }
        let mut problems = Vec::new();
        let missing = |name: &String| {
            let problem = Problem::new(Code::UnknownColumn, format!("the query gives no column `{name}`"));
            schema.column(name).is_none().then(|| problem.nearest(name, schema.names()))
        };
        for (index, name) in self.key.iter().enumerate() {
            problems.extend(missing(name).map(|problem| problem.under(index).under("key").under("with")));
        }
        if let Some(name) = &self.event_time {
            problems.extend(missing(name).map(|problem| problem.at(["with", "event_time"])));
            if let Some(column) = schema.column(name)
                && !matches!(column.dtype, DataType::Date | DataType::Datetime(..))
            {
                let message = format!("`{name}` is {}, not a date or time", type_name(&column.dtype));
                problems.push(Problem::new(Code::WrongColumnType, message).at(["with", "event_time"]));
            }
        }
        if self.event_time.is_some() {
            schema.event_time.clone_from(&self.event_time);
        }
        if !self.key.is_empty() {
            schema.key.clone_from(&self.key);
        }
        if problems.is_empty() { Ok(schema) } else { Err(problems) }
    }

    /// By the declared key, then by everything else that has an order.
    fn sorted(&self, mut frame: LazyFrame) -> Result<LazyFrame, Failure> {
        let schema = frame.collect_schema()?;
        let rest = schema
            .iter()
            .filter(|(name, dtype)| !self.key.iter().any(|key| key == name.as_str()) && !dtype.is_nested())
            .map(|(name, _)| name.to_string());
        let by: Vec<Expr> = self.key.iter().cloned().chain(rest).map(col).collect();
        Ok(frame.sort_by_exprs(by, SortMultipleOptions::default().with_maintain_order(true)))
    }
}

fn facts(tables: &[(&str, &TableSchema)]) -> BTreeMap<String, TableFacts> {
    let facts = |schema: &TableSchema| TableFacts {
        columns: schema.columns.iter().map(|column| column.name.clone()).collect(),
        key: schema.key.clone(),
        fixed: schema.fixed,
    };
    tables.iter().map(|(port, schema)| ((*port).to_owned(), facts(schema))).collect()
}

/// Reads the columns that the query names (all, where it does not name all) into memory, contiguous.
fn in_one_chunk(mut frame: LazyFrame, named: &[String], tree: &sql::ast::Query) -> Result<LazyFrame, Failure> {
    let schema = frame.collect_schema()?;
    let wanted: Vec<Expr> =
        schema.iter_names().filter(|name| named.iter().any(|one| one == name.as_str())).cloned().map(col).collect();
    if !wanted.is_empty() && sql::names_all_columns(tree) {
        frame = frame.select(wanted);
    }
    let mut rows = frame.collect_with_engine(Engine::Streaming)?.unwrap_single();
    rows.rechunk_mut();
    Ok(rows.lazy())
}

/// A bound as a condition on the column, whose literal is a moment already: so the reader of a file can leave out row
/// groups. None of a column that holds no moments.
fn within(bound: &sql::Bound, schema: &TableSchema) -> Option<Expr> {
    let column = col(bound.column.as_str());
    let moment = match schema.column(&bound.column)?.dtype {
        DataType::Datetime(..) => {
            // From a moment polars would go by way of nanoseconds, which end in 2262.
            let us = AnyValue::Datetime(bound.moment.and_utc().timestamp_micros(), TimeUnit::Microseconds, None);
            lit(Scalar::new(DataType::Datetime(TimeUnit::Microseconds, None), us.into_static()))
        }
        DataType::Date if bound.moment.time() == NaiveTime::MIN => {
            let days = i32::try_from(bound.moment.and_utc().timestamp().div_euclid(86_400)).ok()?;
            lit(Scalar::new(DataType::Date, AnyValue::Date(days)))
        }
        _ => return None,
    };
    Some(match bound.is {
        sql::Is::Before => column.lt(moment),
        sql::Is::UpTo => column.lt_eq(moment),
        sql::Is::At => column.eq(moment),
        sql::Is::From => column.gt_eq(moment),
        sql::Is::After => column.gt(moment),
    })
}

/// Plans the query over the frames; narrow numbers are widened on the way in and out.
fn execute(
    frames: impl Iterator<Item = (String, LazyFrame)>,
    tree: &sql::ast::Query,
) -> Result<LazyFrame, polars::prelude::PolarsError> {
    let mut tree = tree.clone();
    sql::portable(&mut tree);
    let mut context = SQLContext::new();
    for (port, frame) in frames {
        context.register(&port, widened(frame)?);
    }
    widened(context.execute(&tree.to_string())?)
}

/// Integers to 64 bits, floats to double.
pub(super) fn widened(mut frame: LazyFrame) -> Result<LazyFrame, polars::prelude::PolarsError> {
    let schema = frame.collect_schema()?;
    let casts: Vec<Expr> = schema
        .iter()
        .filter_map(|(name, dtype)| {
            let wide = match dtype {
                DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::UInt8
                | DataType::UInt16
                | DataType::UInt32
                | DataType::UInt64 => DataType::Int64,
                DataType::Float32 => DataType::Float64,
                _ => return None,
            };
            Some(col(name.clone()).strict_cast(wide))
        })
        .collect();
    Ok(if casts.is_empty() { frame } else { frame.with_columns(casts) })
}

fn in_query(problem: Problem) -> Problem {
    problem.under("query").under("with")
}

/// polars' refusal to plan, in the words of the dialect, without a place.
pub(super) fn in_words(error: &polars::prelude::PolarsError) -> Problem {
    sql::complaint(&error.to_string())
}

/// polars' refusal to plan, in the words of the dialect, at the column that it names if it names one.
pub(super) fn from_polars<T: sql::ast::Visit>(error: &polars::prelude::PolarsError, tree: &T) -> Problem {
    sql::complaint_at(&error.to_string(), tree)
}
