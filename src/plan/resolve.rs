//! From a spec to a plan: kinds, parameters, inputs, order, schemas, rules. All problems at once.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::doubtful::{self, Doubt, Wrong};
use super::fingerprint::definition_hash;
use super::gates;
use super::graph::{self, Vertex};
use super::{Feed, Node, Plan, StageWork, Work, checks, entry, publish, source, unit_tests};
use crate::config::yaml::{self, Node as Yaml};
use crate::config::{Loaded, StageSpec};
use crate::problem::{Code, Problem, Step, without_following};
use crate::stages::{self, InputPort, InputSchemas, Kind, Stage, protocol};
use crate::table::TableSchema;

/// Resolves a pipeline for a run date. Problems are placed at the document's root; those that
/// loading has found are among them.
pub fn resolve(loaded: &Loaded, run_date: NaiveDate) -> Result<Plan, Vec<Problem>> {
    let mut problems = loaded.problems.clone();
    problems.extend(duplicate_names(loaded));
    let built = build_stages(loaded, &mut problems);
    let mut plan = Plan {
        pipeline: loaded.spec.name.clone(),
        description: loaded.spec.description.clone(),
        run_date,
        seed: loaded.spec.seed,
        nodes: vec![],
        tests: vec![],
    };
    let mut broken = loaded.broken.clone();
    let order = graph::order(loaded).unwrap_or_else(|cycle| {
        problems.push(cycle);
        // What the sources' own contracts say can still be looked at.
        (0..loaded.spec.sources.len()).map(Vertex::Source).collect()
    });
    let mut built: HashMap<usize, Built> = built.into_iter().map(|one| (one.index, one)).collect();
    for vertex in order {
        match vertex {
            Vertex::Source(index) => add_source(&mut plan, loaded, index, &mut broken, &mut problems),
            Vertex::Stage(index) => {
                add_stage(&mut plan, loaded, index, built.remove(&index), &mut broken, &mut problems);
            }
        }
    }
    let lookup = |plan: &Plan, name: &str| find(plan, loaded, name);
    let place = |id: &str| loaded.spec.stages.iter().position(|stage| stage.id == id);
    let mut more = checks::attach(&mut plan, &broken, place, lookup);
    more.extend(gates::append(&mut plan, loaded, lookup));
    more.extend(publish::append(&mut plan, loaded, lookup));
    let known = |name: &str| match name.split('.').next() {
        // Nothing is known of its columns.
        Some(node) if broken.contains(node) => Err(Problem::following()),
        _ => find(&plan, loaded, name),
    };
    let (tests, untestable) =
        unit_tests::resolve(&plan, &loaded.spec.tests, &loaded.document.tree, &loaded.project.root, known);
    plan.tests = tests;
    more.extend(untestable);
    problems.extend(more);
    problems.extend(entry::missing_key(&plan, loaded));
    entry::explain_dropped(&plan, &mut problems);
    // What fails only because a stage above it failed is no problem of its own.
    problems.retain(|problem| !problem.is_following());
    problems.extend(loaded.problems.iter().filter(|problem| problem.is_following()).cloned());
    let problems = without_following(problems);
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

/// A stage before its inputs are known.
struct Built {
    index: usize,
    kind: &'static Kind,
    stage: Box<dyn Stage>,
    /// What is wrong with its parameters, if something is; it is told already.
    doubt: Option<Doubt>,
}

fn duplicate_names(loaded: &Loaded) -> Vec<Problem> {
    let mut seen: HashSet<&str> = loaded.spec.sources.keys().map(String::as_str).collect();
    let mut problems = Vec::new();
    for (index, stage) in loaded.spec.stages.iter().enumerate() {
        if !stage.id.is_empty() && !seen.insert(&stage.id) {
            let message = format!("`{}` is already the name of a source or stage", stage.id);
            problems.push(in_stage(index, Problem::new(Code::DuplicateId, message).at(["id"])));
        }
    }
    problems
}

/// Checks each `with` block against its kind's schema and builds the stage.
fn build_stages(loaded: &Loaded, problems: &mut Vec<Problem>) -> Vec<Built> {
    let mut built = Vec::new();
    let trees = loaded.document.tree.get("stages").map(Yaml::items).unwrap_or_default();
    for ((index, spec), tree) in loaded.spec.stages.iter().enumerate().zip(trees) {
        if loaded.broken.contains(&spec.id) {
            problems.extend(with_problems(tree).into_iter().map(|problem| in_stage(index, problem)));
            continue;
        }
        let Some(kind) = stages::kind(&spec.stage) else {
            let problem = Problem::new(Code::UnknownKind, format!("there is no stage kind `{}`", spec.stage));
            let names = stages::KINDS.iter().map(|kind| kind.name);
            let problem = problem.help("`patronage list` prints every kind").nearest(&spec.stage, names);
            problems.push(in_stage(index, problem.at(["stage"])));
            continue;
        };
        let steps = [Step::from("stages"), Step::Index(index)];
        let below = |problem: &Problem| steps.iter().try_fold(problem.clone(), |problem, step| problem.below(step));
        let unfilled = loaded.problems.iter().filter(|problem| problem.is_unfilled()).filter_map(below);
        match doubtful::unfilled(build(kind, spec, tree), unfilled.collect()) {
            Ok(stage) => built.push(Built { index, kind, stage, doubt: None }),
            Err(Wrong::Unreadable(wrong)) => {
                problems.extend(wrong.into_iter().map(|problem| in_stage(index, problem)));
            }
            Err(Wrong::Doubtful(doubt, stage)) => {
                problems.extend(doubt.problems.iter().map(|problem| in_stage(index, problem.clone())));
                built.push(Built { index, kind, stage, doubt: Some(doubt) });
            }
        }
    }
    built
}

fn build(kind: &'static Kind, spec: &StageSpec, tree: &Yaml) -> Result<Box<dyn Stage>, Wrong> {
    let schema = (kind.schema)();
    let under_with = |problem: Problem| problem.under("with");
    match tree.get("with") {
        Some(with) => {
            let problems = yaml::validate(with, schema.as_value());
            if !problems.is_empty() {
                return Err(doubtful::read(kind, &spec.with, problems).under("with"));
            }
        }
        None => {
            let required = schema.get("required").and_then(|names| names.as_array()).cloned().unwrap_or_default();
            if !required.is_empty() {
                let names: Vec<String> =
                    required.iter().filter_map(|name| Some(format!("`{}`", name.as_str()?))).collect();
                let message = format!("`with` is missing; a {} stage needs {}", kind.name, names.join(", "));
                return Err(Wrong::Unreadable(vec![Problem::new(Code::MissingKey, message)]));
            }
        }
    }
    let with = if spec.with.is_null() { serde_json::json!({}) } else { spec.with.clone() };
    let unreadable =
        |error: serde_json::Error| Wrong::Unreadable(vec![under_with(Problem::new(Code::BadValue, error.to_string()))]);
    let stage = (kind.build)(with).map_err(unreadable)?;
    let problems = stage.check();
    if problems.is_empty() { Ok(stage) } else { Err(Wrong::Doubtful(Doubt { problems, moved: vec![] }, stage)) }
}

/// Adds a source with the schema that its contract gives.
fn add_source(
    plan: &mut Plan,
    loaded: &Loaded,
    index: usize,
    broken: &mut HashSet<String>,
    problems: &mut Vec<Problem>,
) {
    let Some((name, spec)) = loaded.spec.sources.get_index(index) else { return };
    let placed = |problem: Problem| problem.under(name.clone()).under("sources");
    problems.extend(source::whence(spec, &loaded.environment.databases.0).into_iter().map(placed));
    let contract = source::schema(spec).map_err(|more| more.into_iter().map(placed).collect());
    let entered = contract.and_then(|contract| entry::enter(loaded, name, spec, contract));
    let (entry, schema) = entered.unwrap_or_else(|more: Vec<Problem>| {
        problems.extend(more);
        broken.insert(name.clone());
        (entry::Entry::default(), TableSchema::default())
    });
    plan.nodes.push(Node {
        name: name.clone(),
        definition: source_definition(loaded, name),
        upstream: vec![],
        outputs: vec![("table".to_owned(), schema)],
        tags: vec![],
        check_specs: spec.checks.clone(),
        checks: vec![],
        work: Work::Source { spec: Box::new(source::asked(spec)), entry },
    });
}

/// With what the pipeline says of all sources, if it says something.
fn source_definition(loaded: &Loaded, name: &str) -> String {
    let own = &loaded.definition["sources"][name];
    match &loaded.definition["on_entry"] {
        serde_json::Value::Null => definition_hash(own),
        all => definition_hash(&serde_json::json!([own, all])),
    }
}

/// Adds a stage whose inputs are there, with the schemas of its outputs.
fn add_stage(
    plan: &mut Plan,
    loaded: &Loaded,
    index: usize,
    built: Option<Built>,
    broken: &mut HashSet<String>,
    problems: &mut Vec<Problem>,
) {
    let Some(spec) = loaded.spec.stages.get(index) else { return };
    let mut built = built;
    let doubt = built.as_mut().and_then(|one| one.doubt.take());
    match (built.map(|one| connect(plan, loaded, spec, one, broken)), doubt) {
        // Its schema rests on what is made up.
        (Some(found), Some(doubt)) => {
            broken.insert(spec.id.clone());
            let found = doubt.independent(found.err().unwrap_or_default());
            problems.extend(found.into_iter().map(|problem| in_stage(index, problem)));
        }
        (Some(Ok(node)), None) => plan.nodes.push(node),
        (Some(Err(more)), None) => {
            broken.insert(spec.id.clone());
            problems.extend(more.into_iter().map(|problem| in_stage(index, problem)));
        }
        (None, _) => {
            broken.insert(spec.id.clone());
            problems.extend(unknown_inputs(plan, loaded, spec).into_iter().map(|problem| in_stage(index, problem)));
        }
    }
}

/// The one thing that can be said of a stage whose kind or parameters are wrong.
fn unknown_inputs(plan: &Plan, loaded: &Loaded, spec: &StageSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (port, feeds) in &spec.inputs {
        for (index, name) in feeds.names.iter().enumerate() {
            let Err(problem) = find(plan, loaded, name) else { continue };
            if problem.code == Code::UnknownInput {
                let problem = if feeds.is_list { problem.under(index) } else { problem };
                problems.push(problem.under(port.clone()).under("inputs"));
            }
        }
    }
    problems
}

/// The problems of the `with` block alone, of a stage that is wrong elsewhere too.
fn with_problems(stage: &Yaml) -> Vec<Problem> {
    let kind = stage.get("stage").and_then(Yaml::as_str).and_then(stages::kind);
    let (Some(kind), Some(with)) = (kind, stage.get("with")) else { return vec![] };
    yaml::validate(with, (kind.schema)().as_value()).into_iter().map(|problem| problem.under("with")).collect()
}

/// Finds what feeds the stage, and asks it for its schemas.
fn connect(
    plan: &Plan,
    loaded: &Loaded,
    spec: &StageSpec,
    built: Built,
    broken: &HashSet<String>,
) -> Result<Node, Vec<Problem>> {
    let ports = built.stage.inputs();
    let mut problems = port_problems(spec, &ports);
    let mut inputs: Vec<(String, Vec<Feed>)> = Vec::new();
    let mut schemas = InputSchemas::default();
    for (port, feeds) in &spec.inputs {
        let mut found = Vec::new();
        for (index, name) in feeds.names.iter().enumerate() {
            match find(plan, loaded, name) {
                Ok(feed) => found.push(feed),
                Err(problem) if feeds.is_list => {
                    problems.push(problem.under(index).under(port.clone()).under("inputs"))
                }
                Err(problem) => problems.push(problem.under(port.clone()).under("inputs")),
            }
        }
        let of = |feed: &Feed| Some((feed.name.clone(), plan.schema(feed)?.clone()));
        schemas.ports.insert(port.clone(), found.iter().filter_map(of).collect());
        inputs.push((port.clone(), found));
    }
    let names = spec.inputs.values().flat_map(|feeds| &feeds.names);
    if names.into_iter().any(|name| broken.contains(name.split('.').next().unwrap_or(name))) {
        problems.push(Problem::following());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    problems.extend(protocol::check(&built.stage.protocol(), &schemas, plan.run_date));
    if problems.iter().any(|problem| problem.code == Code::NoSnapshots) {
        // Whatever else is wrong with such a table follows from it.
        return Err(problems);
    }
    let outputs = built.stage.schemas(&schemas, plan.run_date).unwrap_or_else(|more| {
        problems.extend(more);
        vec![]
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut upstream: Vec<usize> = inputs.iter().flat_map(|(_, feeds)| feeds.iter().map(|feed| feed.node)).collect();
    upstream.sort_unstable();
    upstream.dedup();
    Ok(Node {
        name: spec.id.clone(),
        definition: definition_hash(&loaded.definition["stages"][built.index]),
        upstream,
        outputs: built.stage.outputs().into_iter().map(str::to_owned).zip(outputs).collect(),
        tags: spec.tags.clone(),
        check_specs: spec.checks.clone(),
        checks: vec![],
        work: Work::Stage(StageWork { kind: built.kind.name, stage: built.stage, with: spec.with.clone(), inputs }),
    })
}

/// Ports that the kind has not, lacks, or takes in another number.
fn port_problems(spec: &StageSpec, ports: &[InputPort]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let open = ports.iter().any(|port| port.open);
    for (name, feeds) in &spec.inputs {
        let port = ports.iter().find(|port| port.name == name || port.open);
        let at = |problem: Problem| problem.at(["inputs", name]);
        match port {
            None => {
                let known: Vec<String> = ports.iter().map(|port| format!("`{}`", port.name)).collect();
                let message = format!("a {} stage has no input `{name}`; it takes {}", spec.stage, known.join(", "));
                let problem =
                    Problem::new(Code::UnknownPort, message).nearest(name, ports.iter().map(|port| port.name));
                problems.push(at(problem).at_key());
            }
            Some(port) if !port.many && feeds.names.len() != 1 => {
                let message = format!("the input `{name}` takes one table, found {}", feeds.names.len());
                problems.push(at(Problem::new(Code::WrongType, message)));
            }
            Some(_) if feeds.names.is_empty() => {
                problems.push(at(Problem::new(Code::BadValue, format!("the input `{name}` is an empty list"))));
            }
            Some(_) => {}
        }
    }
    let misspelt = |port: &str| {
        let unknown = spec.inputs.keys().filter(|name| !ports.iter().any(|port| port.name == *name));
        unknown.into_iter().any(|name| crate::problem::nearest(name, ports.iter().map(|port| port.name)) == Some(port))
    };
    for port in ports
        .iter()
        .filter(|port| !port.open && !port.optional && !spec.inputs.contains_key(port.name) && !misspelt(port.name))
    {
        let message = format!("a {} stage needs the input `{}`", spec.stage, port.name);
        problems.push(Problem::new(Code::MissingInput, message).at(["inputs"]));
    }
    if open && spec.inputs.is_empty() {
        problems.push(Problem::new(Code::MissingInput, format!("a {} stage needs at least one input", spec.stage)));
    }
    problems
}

/// The port that a name refers to, among the nodes that are resolved already.
fn find(plan: &Plan, loaded: &Loaded, name: &str) -> Result<Feed, Problem> {
    if let Some(feed) = plan.find(name) {
        return Ok(feed);
    }
    let node = name.split('.').next().unwrap_or(name);
    if let Some(found) = plan.nodes.iter().find(|one| one.name == node) {
        let ports: Vec<String> = found.outputs.iter().map(|(port, _)| format!("`{node}.{port}`")).collect();
        return Err(Problem::new(
            Code::UnknownPort,
            format!("`{name}` does not exist; `{node}` gives {}", ports.join(", ")),
        ));
    }
    let stages = loaded.spec.stages.iter().map(|spec| spec.id.as_str());
    // Without any source or stage, which is told already, no name can be right.
    let nameless = loaded.spec.sources.is_empty() || loaded.spec.stages.is_empty();
    if nameless || stages.clone().any(|id| id == node) {
        return Err(Problem::following());
    }
    let known = loaded.spec.sources.keys().map(String::as_str).chain(stages);
    Err(Problem::new(Code::UnknownInput, format!("nothing is called `{name}`")).nearest(name, known))
}

fn in_stage(index: usize, problem: Problem) -> Problem {
    problem.under(index).under("stages")
}
