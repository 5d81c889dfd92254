//! Gates: what they look at, and that they can be computed.

use super::{Feed, Node, Plan, Work, fingerprint::definition_hash};
use crate::config::{GateSpec, Loaded};
use crate::problem::{Code, Problem};
use crate::table::TableSchema;

/// Appends the gates to the plan; problems are placed at the document's root.
pub fn append(plan: &mut Plan, loaded: &Loaded, lookup: impl Fn(&Plan, &str) -> Result<Feed, Problem>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, spec) in &loaded.spec.gates {
        let at = |problem: Problem| problem.under(name.as_str()).under("gates");
        let of = match lookup(plan, name) {
            Ok(of) => of,
            Err(problem) => {
                problems.push(at(problem.at_key()));
                continue;
            }
        };
        let Some(stage) = plan.nodes.get(of.node).filter(|node| node.is_stage()) else {
            let message = format!("`{name}` is a source; gates are on stages");
            let help = "a source has `checks`, which stop the run before a row is used";
            problems.push(at(Problem::new(Code::UnknownInput, message).help(help).at_key()));
            continue;
        };
        let is_published = loaded.spec.publish.values().any(|publication| {
            lookup(plan, &publication.from).is_ok_and(|from| (from.node, from.port) == (of.node, of.port))
        });
        let schema = plan.schema(&of).cloned().unwrap_or_default();
        problems.extend(wrong(spec, stage, &schema, is_published).into_iter().map(at));
        plan.nodes.push(Node {
            name: name.clone(),
            definition: definition_hash(&loaded.definition["gates"][name]),
            upstream: vec![of.node],
            outputs: vec![],
            tags: vec![],
            check_specs: vec![],
            checks: vec![],
            work: Work::Gate { spec: spec.clone(), with: loaded.rendered["gates"][name].clone(), of },
        });
    }
    problems
}

/// What is wrong with a gate; placed in it.
fn wrong(spec: &GateSpec, stage: &Node, schema: &TableSchema, is_published: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let missing = |message: &str| Problem::new(Code::MissingKey, message);
    if spec.rows.is_none() && spec.nulls.is_none() && spec.drift.is_none() && spec.measure.is_none() {
        problems.push(missing("expected `rows`, `nulls`, `drift` or `measure`").at_key());
    }
    if let Some(rows) = &spec.rows {
        match (rows.min, rows.max, rows.change_max) {
            (None, None, None) => problems.push(missing("expected `min`, `max` or `change_max`").at(["rows"])),
            (Some(min), Some(max), _) if min > max => {
                let message = format!("`min` {min} is above `max` {max}");
                problems.push(Problem::new(Code::BadValue, message).at(["rows", "min"]));
            }
            _ => {}
        }
    }
    let lists = [
        ("nulls", spec.nulls.as_ref().map(|gate| &gate.columns)),
        ("drift", spec.drift.as_ref().map(|gate| &gate.columns)),
    ];
    for (key, columns) in lists {
        for (index, name) in columns.into_iter().flatten().enumerate().filter(|(_, name)| schema.column(name).is_none())
        {
            let problem = Problem::new(Code::UnknownColumn, format!("`{}` has no column `{name}`", stage.name));
            let problem = problem.nearest(name, schema.columns.iter().map(|column| column.name.as_str()));
            problems.push(problem.under(index).under("columns").under(key));
        }
    }
    if spec.drift.is_some() && schema.snapshots.is_empty() && !is_published {
        let message = format!("how the columns of `{}` are distributed is not known", stage.name);
        let help = "it is kept of tables with snapshots, and of those that are published";
        problems.push(Problem::new(Code::BadValue, message).help(help).at(["drift"]));
    }
    if let Some(measure) = &spec.measure {
        if measure.min.is_none() && measure.max.is_none() && measure.baseline.is_none() {
            problems.push(missing("expected `min`, `max` or `baseline`").at(["measure"]));
        }
        if let (Some(min), Some(max)) = (measure.min, measure.max)
            && min > max
        {
            let message = format!("`min` {min} is above `max` {max}");
            problems.push(Problem::new(Code::BadValue, message).at(["measure", "min"]));
        }
    }
    problems
}
