//! The tests of a pipeline, checked against its tables before any of them runs.

mod cell;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use chrono::NaiveDate;
use serde_json::Value as Json;

use super::{Feed, Plan, Work};
use crate::config::unit_tests::{RowsSpec, TestSpec, Written};
use crate::config::yaml::{Node as Yaml, Value};
use crate::problem::{Code, Problem};
use crate::table::{AS_OF, Class, Column, TableSchema};

pub use cell::{Cell, series};

/// A test of which everything is known but whether it passes.
#[derive(Debug, Clone)]
pub struct UnitTest {
    pub name: String,
    pub run_date: NaiveDate,
    /// The port whose rows are compared.
    pub target: Feed,
    /// The tables that are given.
    pub given: Vec<Given>,
    pub expect: Expected,
}

/// The rows of a table that is given, in the order and the types of its schema.
#[derive(Debug, Clone)]
pub struct Given {
    pub feed: Feed,
    pub rows: Vec<Vec<Cell>>,
}

/// The rows that must come out.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The columns that are compared.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
    pub ordered: bool,
    pub tolerance: f64,
}

/// Resolves every test; problems are placed at the document's root. `tree`: the document.
pub fn resolve(
    plan: &Plan,
    specs: &[TestSpec],
    tree: &Yaml,
    root: &Path,
    lookup: impl Fn(&str) -> Result<Feed, Problem>,
) -> (Vec<UnitTest>, Vec<Problem>) {
    let mut names = HashSet::new();
    let mut tests = Vec::new();
    let written = tree.get("tests");
    let mut problems: Vec<Problem> =
        written.into_iter().flat_map(not_finite).map(|problem| problem.under("tests")).collect();
    for (index, spec) in specs.iter().enumerate() {
        let mut found = Vec::new();
        if !names.insert(spec.name.as_str()) {
            let message = format!("`{}` is already the name of a test", spec.name);
            found.push(Problem::new(Code::DuplicateId, message).at(["name"]));
        }
        tests.extend(Draft { plan, spec, root }.resolve(&lookup, &mut found));
        problems.extend(found.into_iter().map(|problem| problem.under(index).under("tests")));
    }
    (tests, problems)
}

/// YAML's own NaN and infinities, which would arrive as null.
fn not_finite(node: &Yaml) -> Vec<Problem> {
    match &node.value {
        Value::Float(number) if !number.is_finite() => {
            let problem = Problem::new(Code::BadValue, "NaN and infinities are written as texts here");
            vec![problem.help("write \"NaN\", \"inf\" or \"-inf\"")]
        }
        Value::Sequence(items) => {
            let below =
                |(index, item): (usize, &Yaml)| not_finite(item).into_iter().map(move |found| found.under(index));
            items.iter().enumerate().flat_map(below).collect()
        }
        Value::Mapping(entries) => {
            let named = entries.iter().filter_map(|(key, value)| Some((key.as_str()?, value)));
            named.flat_map(|(key, value)| not_finite(value).into_iter().map(move |found| found.under(key))).collect()
        }
        _ => vec![],
    }
}

/// A test that is being resolved.
struct Draft<'a> {
    plan: &'a Plan,
    spec: &'a TestSpec,
    root: &'a Path,
}

impl Draft<'_> {
    fn resolve(
        &self,
        lookup: &impl Fn(&str) -> Result<Feed, Problem>,
        problems: &mut Vec<Problem>,
    ) -> Option<UnitTest> {
        let before = problems.len();
        let run_date = self.run_date(problems);
        let target = self.target(lookup).map_err(|problem| problems.push(problem)).ok();
        let mut given = Vec::new();
        for (name, rows) in &self.spec.given {
            let under = |problem: Problem| problem.under(name.clone()).under("given");
            match lookup(name) {
                Ok(feed) => match self.given(feed, name, rows, run_date) {
                    Ok(table) => given.push(table),
                    Err(more) => problems.extend(more.into_iter().map(under)),
                },
                Err(problem) => problems.push(under(problem.at_key())),
            }
        }
        let target = target?;
        if problems.iter().any(|problem| problem.is_following()) {
            return None;
        }
        // A table that could not be read is there all the same.
        let feeds: Vec<Feed> = self.spec.given.keys().filter_map(|name| lookup(name).ok()).collect();
        problems.extend(self.way_problems(&target, &feeds));
        let expect = self.expected(&target, problems);
        (problems.len() == before).then(|| UnitTest { name: self.spec.name.clone(), run_date, target, given, expect })
    }

    fn run_date(&self, problems: &mut Vec<Problem>) -> NaiveDate {
        let Some(text) = &self.spec.run_date else { return self.plan.run_date };
        crate::table::text::date(text).unwrap_or_else(|| {
            let message = format!("expected a date written YYYY-MM-DD, found `{text}`");
            problems.push(Problem::new(Code::BadDuration, message).at(["run_date"]));
            self.plan.run_date
        })
    }

    fn target(&self, lookup: &impl Fn(&str) -> Result<Feed, Problem>) -> Result<Feed, Problem> {
        let feed = lookup(&self.spec.stage).map_err(|problem| problem.at(["stage"]))?;
        if self.plan.nodes.get(feed.node).is_some_and(|node| !node.is_stage()) {
            let message = format!("`{}` is a source; only what a stage gives is tested", self.spec.stage);
            return Err(Problem::new(Code::UnknownInput, message).at(["stage"]));
        }
        Ok(feed)
    }

    /// Walks up from the stage: every way must end at a table that is given.
    fn way_problems(&self, target: &Feed, given: &[Feed]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut used: BTreeSet<usize> = BTreeSet::new();
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut missing: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![target.node];
        while let Some(index) = open.pop() {
            let Some(node) = self.plan.nodes.get(index).filter(|_| seen.insert(index)) else { continue };
            let Work::Stage(work) = &node.work else { continue };
            if work.stage.applies_earlier_model() {
                let message = format!("`{}` applies the model of an earlier run, which a test has not", node.name);
                problems.push(Problem::new(Code::BadValue, message).at(["stage"]));
            }
            for feed in work.inputs.iter().flat_map(|(_, feeds)| feeds) {
                match given.iter().position(|one| (one.node, one.port) == (feed.node, feed.port)) {
                    Some(place) => {
                        used.insert(place);
                    }
                    None if self.plan.nodes.get(feed.node).is_some_and(|node| node.is_stage()) => open.push(feed.node),
                    None => {
                        missing.insert(&feed.name);
                    }
                }
            }
        }
        for name in missing {
            let message = format!("no rows are given of `{name}`, which feeds `{}`", self.spec.stage);
            let help = format!("write `{name}: []` if it is to be empty");
            problems.push(Problem::new(Code::MissingInput, message).help(help).at(["given"]).at_key());
        }
        for (place, feed) in given.iter().enumerate().filter(|(place, _)| !used.contains(place)) {
            let name = self.spec.given.get_index(place).map_or(&feed.name, |(name, _)| name);
            let message = if feed.node == target.node {
                format!("`{name}` is what is tested; its rows belong into `expect`")
            } else {
                format!("`{name}` does not feed `{}`, or only through tables that are given too", self.spec.stage)
            };
            problems.push(Problem::new(Code::UnknownInput, message).at(["given", name]).at_key());
        }
        problems
    }

    /// The rows of a table that is given; problems are placed below it.
    fn given(&self, feed: Feed, name: &str, spec: &RowsSpec, run_date: NaiveDate) -> Result<Given, Vec<Problem>> {
        let written = spec.read(self.root).map_err(|problem| vec![problem])?;
        let Some(schema) = self.plan.schema(&feed) else { return Ok(Given { feed, rows: vec![] }) };
        let mut problems = Vec::new();
        let mut rows = Vec::new();
        for (index, row) in written.iter().enumerate() {
            let at = |column: &str, problem: Problem| spec.place(index, column, problem);
            problems.extend(unknown(schema, row, name).into_iter().map(|(column, problem)| at(&column, problem)));
            let mut cells = Vec::new();
            for column in &schema.columns {
                let value = row.iter().find(|(name, _)| *name == column.name);
                let needed = schema.key.contains(&column.name) || schema.event_time.as_ref() == Some(&column.name);
                match value {
                    Some((_, value)) => match read(value, column) {
                        Ok(cell) => cells.push(cell),
                        Err(message) => problems.push(at(&column.name, Problem::new(Code::WrongType, message))),
                    },
                    None if column.name == AS_OF && !schema.snapshots.is_empty() => cells.push(Cell::Date(run_date)),
                    None if needed => {
                        let what = if schema.key.contains(&column.name) { "its key" } else { "its event time" };
                        let message = format!("a row of `{name}` needs `{}`, {what}", column.name);
                        problems.push(at(&column.name, Problem::new(Code::MissingKey, message)));
                    }
                    None => cells.push(Cell::Null),
                }
            }
            rows.push(cells);
        }
        if problems.is_empty() { Ok(Given { feed, rows }) } else { Err(problems) }
    }

    fn expected(&self, target: &Feed, problems: &mut Vec<Problem>) -> Expected {
        let under = |problem: Problem| problem.under("rows").under("expect");
        let spec = &self.spec.expect;
        let mut expected = Expected { columns: vec![], rows: vec![], ordered: spec.ordered, tolerance: spec.tolerance };
        let written = match spec.rows.read(self.root) {
            Ok(written) => written,
            Err(problem) => {
                problems.push(under(problem));
                return expected;
            }
        };
        let Some(schema) = self.plan.schema(target) else { return expected };
        let names: Vec<&str> = written.first().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        for (index, row) in written.iter().enumerate() {
            let at = |column: &str, problem: Problem| under(spec.rows.place(index, column, problem));
            let strange = unknown(schema, row, &self.spec.stage);
            problems.extend(strange.into_iter().map(|(column, problem)| at(&column, problem)));
            let differs = names.iter().copied().find(|name| row.iter().all(|(other, _)| other != name));
            let extra = row.iter().map(|(name, _)| name.as_str()).find(|name| !names.contains(name));
            if let Some(name) = differs.or(extra) {
                let message = format!("`{name}` is in some of the rows only; each row names the same columns");
                problems.push(at(name, Problem::new(Code::MissingKey, message)));
                continue;
            }
            let mut cells = Vec::new();
            for name in &names {
                let value = row.iter().find(|(other, _)| other == name).map(|(_, value)| value);
                let (Some(value), Some(column)) = (value, schema.column(name)) else { continue };
                match read(value, column) {
                    Ok(cell) => cells.push(cell),
                    Err(message) => problems.push(at(name, Problem::new(Code::WrongType, message))),
                }
            }
            expected.rows.push(cells);
        }
        expected.columns = names.into_iter().map(str::to_owned).collect();
        if written.is_empty() {
            // No row is to come out, so any that does is shown whole.
            let newest = |name: &&str| *name != AS_OF || schema.snapshots.is_empty();
            expected.columns = schema.names().into_iter().filter(newest).map(str::to_owned).collect();
        }
        expected
    }
}

/// A value of a column. Of a pseudonym a whole number may stand for its text, so that a test says the same whether or
/// not its column is pseudonymized.
fn read(written: &Written, column: &Column) -> Result<Cell, String> {
    match written {
        Written::Yaml(Json::Number(number)) if column.class == Class::Pseudonym && !number.is_f64() => {
            Ok(Cell::Text(number.to_string()))
        }
        _ => Cell::read(written, &column.dtype),
    }
}

/// The columns of a row that its table has not.
fn unknown(schema: &TableSchema, row: &[(String, Written)], table: &str) -> Vec<(String, Problem)> {
    let strange = row.iter().filter(|(name, _)| schema.column(name).is_none());
    strange
        .map(|(name, _)| {
            let problem = Problem::new(Code::UnknownColumn, format!("`{table}` has no column `{name}`"));
            (name.clone(), problem.nearest(name, schema.names()).at_key())
        })
        .collect()
}
