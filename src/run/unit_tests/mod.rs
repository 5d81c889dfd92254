//! Runs the tests of a pipeline: through the stages themselves, with tables in memory, without storage.

mod compare;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use polars::prelude::{Column, DataFrame, DataType, IntoColumn, IntoLazy, SortMultipleOptions, col, lit};

use super::decide::stage_seed;
use super::failure::NodeFailure;
use super::stage::from_panic;
use crate::plan::{Cell, Feed, Given, Plan, UnitTest, Work, series};
use crate::problem::Code;
use crate::stages::contract::Cancel;
use crate::stages::{Inputs, NamedTable, StageContext};
use crate::table::text::day_after;
use crate::table::{AS_OF, Table, TableSchema};

pub use compare::{Difference, Line};

/// What became of a test.
pub struct TestResult {
    pub elapsed: Duration,
    pub verdict: Verdict,
}

/// Whether the expected rows came out.
pub enum Verdict {
    Passed,
    /// Other rows came out.
    Differs(Difference),
    /// No rows came out.
    Failed(NodeFailure),
}

/// Runs a test of a plan, which must be the plan for the test's run date.
pub fn run(plan: &Plan, test: &UnitTest, threads: usize) -> TestResult {
    let clock = Instant::now();
    let found = catch_unwind(AssertUnwindSafe(|| found(plan, test, threads)))
        .unwrap_or_else(|panic| Err(from_panic(panic.as_ref())));
    let verdict = match found {
        Ok(found) => compare::compare(&test.expect, &key(plan, test), found).map_or(Verdict::Passed, Verdict::Differs),
        Err(failure) => Verdict::Failed(failure),
    };
    TestResult { elapsed: clock.elapsed(), verdict }
}

/// The compared columns that identify a row; none where some of the key is not compared.
fn key(plan: &Plan, test: &UnitTest) -> Vec<usize> {
    let key = plan.schema(&test.target).map(|schema| schema.key.as_slice()).unwrap_or_default();
    let named = key.iter().filter(|name| *name != AS_OF || test.expect.columns.contains(name));
    let places = named.map(|name| test.expect.columns.iter().position(|column| column == name));
    places.collect::<Option<_>>().unwrap_or_default()
}

/// The compared columns of the rows that came out.
fn found(plan: &Plan, test: &UnitTest, threads: usize) -> Result<Vec<Vec<Cell>>, NodeFailure> {
    let mut bench = Bench { plan, test, threads, made: BTreeMap::new() };
    let table = bench.table(&test.target)?;
    let mut frame = table.frame;
    let compares_snapshots = test.expect.columns.iter().any(|name| name == AS_OF);
    if !table.schema.snapshots.is_empty() && !compares_snapshots {
        frame = frame.filter(col(AS_OF).eq(lit(plan.run_date).cast(DataType::Date)));
    }
    let names: Vec<_> = test.expect.columns.iter().map(|name| col(name.as_str())).collect();
    let frame = frame.select(names).collect()?;
    let row = |row: usize| frame.columns().iter().map(|column| Ok(Cell::of_any(&column.get(row)?))).collect();
    (0..frame.height()).map(row).collect()
}

/// The tables of one test, made as they are asked for.
struct Bench<'a> {
    plan: &'a Plan,
    test: &'a UnitTest,
    threads: usize,
    /// The outputs of the stages that have run, by node.
    made: BTreeMap<usize, Vec<Table>>,
}

impl Bench<'_> {
    fn table(&mut self, feed: &Feed) -> Result<Table, NodeFailure> {
        if let Some(given) = self.test.given.iter().find(|one| (one.feed.node, one.feed.port) == (feed.node, feed.port))
        {
            return self.given(given);
        }
        if !self.made.contains_key(&feed.node) {
            let outputs = self.run(feed.node)?;
            self.made.insert(feed.node, outputs);
        }
        let outputs = self.made.get(&feed.node).and_then(|outputs| outputs.get(feed.port)).cloned();
        outputs.ok_or_else(|| bug(&format!("the table `{}` was not made", feed.name)))
    }

    /// The rows of the test as a run would hand them over: before the run date, sorted by key.
    fn given(&self, given: &Given) -> Result<Table, NodeFailure> {
        let schema = self.plan.schema(&given.feed).ok_or_else(|| bug("a table that is given does not exist"))?;
        let mut frame = frame(schema, &given.rows)?.lazy();
        let mut watermark = Some(self.plan.run_date);
        if let Some(time) = &schema.event_time {
            let midnight = lit(self.plan.run_date.and_time(chrono::NaiveTime::MIN));
            frame = frame.filter(col(time.as_str()).lt(midnight));
            watermark = newest(schema, time, &given.rows, self.plan.run_date);
        }
        if !schema.key.is_empty() {
            let options = SortMultipleOptions::default().with_maintain_order(true);
            frame = frame.sort_by_exprs(schema.key.iter().map(col).collect::<Vec<_>>(), options);
        }
        Ok(Table { frame, schema: schema.clone(), watermark })
    }

    fn run(&mut self, index: usize) -> Result<Vec<Table>, NodeFailure> {
        let plan = self.plan;
        let node = plan.nodes.get(index).ok_or_else(|| bug("a stage does not exist"))?;
        let Work::Stage(work) = &node.work else { return Err(bug("a source without rows")) };
        let mut inputs = Inputs::default();
        for (port, feeds) in &work.inputs {
            let tables = feeds.iter().map(|feed| Ok(NamedTable { name: feed.name.clone(), table: self.table(feed)? }));
            inputs.ports.insert(port.clone(), tables.collect::<Result<_, NodeFailure>>()?);
        }
        let watermark = inputs.watermark();
        let context = StageContext {
            run_date: plan.run_date,
            seed: stage_seed(plan.seed, &node.name),
            threads: self.threads,
            cancel: Cancel::default(),
        };
        let outputs = work.stage.run(inputs, &context).map_err(|failure| {
            let failure = NodeFailure::from(failure);
            NodeFailure::new(failure.code, format!("the stage `{}` failed: {}", node.name, failure.message))
        })?;
        let schemas: Vec<&TableSchema> = node.outputs.iter().map(|(_, schema)| schema).collect();
        let frames = outputs.frames(&schemas)?;
        if frames.len() != schemas.len() {
            return Err(bug("the stage gave another number of tables than it declared"));
        }
        let tables = node.outputs.iter().zip(frames);
        // Collected, so that what several stages read is computed once.
        let table = |((_, schema), frame): (&(String, TableSchema), polars::prelude::LazyFrame)| {
            Ok(Table { frame: frame.collect()?.lazy(), schema: schema.clone(), watermark })
        };
        tables.map(table).collect()
    }
}

fn bug(message: &str) -> NodeFailure {
    NodeFailure::new(Code::Bug, message)
}

fn frame(schema: &TableSchema, rows: &[Vec<Cell>]) -> Result<DataFrame, NodeFailure> {
    let mut columns: Vec<Column> = Vec::new();
    for (place, column) in schema.columns.iter().enumerate() {
        let cells: Vec<Cell> = rows.iter().filter_map(|row| row.get(place).cloned()).collect();
        columns.push(series(&column.name, &cells, &column.dtype)?.into_column());
    }
    Ok(DataFrame::new(rows.len(), columns)?)
}

/// The midnight after the newest event before the run date.
fn newest(
    schema: &TableSchema,
    time: &str,
    rows: &[Vec<Cell>],
    run_date: chrono::NaiveDate,
) -> Option<chrono::NaiveDate> {
    let place = schema.columns.iter().position(|column| column.name == time)?;
    let moment = |row: &Vec<Cell>| match row.get(place)? {
        Cell::Moment(us) => day_after(*us),
        Cell::Date(date) => date.succ_opt(),
        _ => None,
    };
    rows.iter().filter_map(moment).filter(|day| *day <= run_date).max()
}
