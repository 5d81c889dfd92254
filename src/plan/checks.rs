//! The checks of every source and stage, compiled against the schemas of their tables.

use std::collections::HashSet;

use super::{Feed, Plan, StageWork, Work};
use crate::checks::{self, Check};
use crate::config::{CheckKind, CheckSpec, SourceSpec};
use crate::problem::{Code, Problem, nearest};
use crate::table::TableSchema;

/// What a node's checks gave: checks, the nodes they compare with, problems placed in the source or stage.
struct Compiled {
    checks: Vec<Check>,
    compared: Vec<usize>,
    problems: Vec<Problem>,
}

/// Compiles the checks of all nodes that are not in `broken`; `find` looks a table up. Problems are placed at the
/// document's root. `stage_place` gives the place of a stage in the file.
pub fn attach(
    plan: &mut Plan,
    broken: &HashSet<String>,
    stage_place: impl Fn(&str) -> Option<usize>,
    find: impl Fn(&Plan, &str) -> Result<Feed, Problem>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut compiled = Vec::with_capacity(plan.nodes.len());
    for node in &plan.nodes {
        let one = if broken.contains(&node.name) {
            Compiled { checks: vec![], compared: vec![], problems: vec![] }
        } else {
            let specs = &node.check_specs;
            match &node.work {
                Work::Source { spec, entry } => {
                    source(plan, specs, spec, &entry.raw, node.outputs.first().map(|(_, schema)| schema), broken, &find)
                }
                Work::Stage(work) => stage(plan, specs, work, &node.outputs, broken, &find),
                Work::Gate { .. } | Work::Publish { .. } => continue,
            }
        };
        problems.extend(one.problems.into_iter().map(|problem| match (&node.work, stage_place(&node.name)) {
            (Work::Stage(_), Some(index)) => problem.under(index).under("stages"),
            _ => problem.under(node.name.clone()).under("sources"),
        }));
        compiled.push((one.checks, one.compared));
    }
    for (node, (checks, compared)) in plan.nodes.iter_mut().zip(compiled) {
        node.checks = checks;
        node.upstream.extend(compared);
        node.upstream.sort_unstable();
        node.upstream.dedup();
    }
    problems
}

type Outputs = [(String, TableSchema)];

/// Checks see the columns as the files have them, but what is compared with another table is compared as stages
/// see it.
fn source(
    plan: &Plan,
    specs: &[CheckSpec],
    spec: &SourceSpec,
    raw: &TableSchema,
    entered: Option<&TableSchema>,
    broken: &HashSet<String>,
    find: &impl Fn(&Plan, &str) -> Result<Feed, Problem>,
) -> Compiled {
    let mut compiled = each(plan, specs, broken, find, |check| {
        if check.on.is_some() {
            let message = "a source has one table; `on` names an output of a stage";
            return Err(Problem::new(Code::UnknownKey, message).at(["on"]).at_key());
        }
        if matches!(check.kind, CheckKind::Columns(_)) {
            let message = "a source declares its columns beside its checks, not in them";
            let help = "the source's own `columns`, `extra_columns` and `reordered_columns` are its contract";
            return Err(Problem::new(Code::UnknownKey, message).help(help).at(["columns"]).at_key());
        }
        Ok((0, if check.refers_to().is_some() { entered } else { Some(raw) }))
    });
    let never_null = spec.columns.iter().filter(|(_, column)| !column.nullable).map(|(name, _)| name.as_str());
    let never_null: Vec<&str> = never_null.filter(|name| raw.column(name).is_some()).collect();
    compiled.checks.extend(checks::implied(&never_null, &spec.key, specs, raw));
    compiled
}

fn stage(
    plan: &Plan,
    specs: &[CheckSpec],
    work: &StageWork,
    outputs: &Outputs,
    broken: &HashSet<String>,
    find: &impl Fn(&Plan, &str) -> Result<Feed, Problem>,
) -> Compiled {
    let mut compiled = each(plan, specs, broken, find, |check| {
        let Some(on) = &check.on else { return Ok((0, outputs.first().map(|(_, schema)| schema))) };
        let found = outputs.iter().enumerate().find(|(_, (port, _))| port == on);
        found.map(|(index, (_, schema))| (index, Some(schema))).ok_or_else(|| {
            let ports: Vec<String> = outputs.iter().map(|(port, _)| format!("`{port}`")).collect();
            let message = format!("the stage has no output `{on}`; it gives {}", ports.join(", "));
            let problem = Problem::new(Code::UnknownPort, message).at(["on"]);
            problem.nearest(on, outputs.iter().map(|(port, _)| port.as_str()))
        })
    });
    // A key that the author declares must hold; one that a kind makes holds by construction.
    let key = work.with.get("key").and_then(|key| key.as_array()).into_iter().flatten();
    let key: Vec<String> = key.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    if let Some((_, schema)) = outputs.first() {
        compiled.checks.extend(checks::implied(&[], &key, specs, schema));
    }
    compiled
}

/// Compiles each check on the output that `on` gives for it.
fn each<'s>(
    plan: &Plan,
    specs: &[CheckSpec],
    broken: &HashSet<String>,
    find: &impl Fn(&Plan, &str) -> Result<Feed, Problem>,
    on: impl Fn(&CheckSpec) -> Result<(usize, Option<&'s TableSchema>), Problem>,
) -> Compiled {
    let mut compiled = Compiled { checks: vec![], compared: vec![], problems: vec![] };
    for (index, spec) in specs.iter().enumerate() {
        let (port, schema) = match on(spec) {
            Ok((port, Some(schema))) => (port, schema),
            Ok((_, None)) => continue,
            Err(problem) => {
                compiled.problems.push(problem.under(index).under("checks"));
                continue;
            }
        };
        let compared = spec.refers_to().map(|table| find(plan, table));
        if let Some(Ok(feed)) = &compared {
            compiled.compared.push(feed.node);
        }
        let follows = spec.refers_to().is_some_and(|table| broken.contains(table.split('.').next().unwrap_or(table)));
        let other = |table: &str| match &compared {
            Some(Ok(feed)) => plan.schema(feed).cloned().ok_or_else(|| unknown(plan, table)),
            Some(Err(problem)) => Err(problem.clone()),
            None => Err(unknown(plan, table)),
        };
        match checks::compile(spec, schema, port, other) {
            Ok(checks) => compiled.checks.extend(checks),
            Err(_) if follows => {}
            Err(more) => {
                compiled.problems.extend(more.into_iter().map(|problem| problem.under(index).under("checks")));
            }
        }
    }
    compiled
}

fn unknown(plan: &Plan, table: &str) -> Problem {
    let problem = Problem::new(Code::UnknownInput, format!("nothing is called `{table}`"));
    match nearest(table, plan.nodes.iter().map(|node| node.name.as_str())) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    }
}
