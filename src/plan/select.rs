//! `--select` and `--exclude`, in dbt's grammar.
//!
//! `id`, `+id` (with all it needs), `id+` (with all that needs it), `2+id+1` (at most so many steps),
//! `stage:kmeans`, `tag:x`, `source:name`, `state:modified`, `result:error`; `*` stands for any
//! letters; a space between terms joins what they select, a comma keeps what both do.

use std::collections::{BTreeSet, HashMap, HashSet};

use globset::Glob;

use super::{Node, Plan};
use crate::problem::{Code, Problem, nearest};

/// What `state:` and `result:` ask about.
#[derive(Debug, Default)]
pub struct Facts {
    /// Ids of nodes whose definition differs from the last run's.
    pub modified: HashSet<String>,
    /// Results of nodes in the last run, such as `error`, by id.
    pub results: HashMap<String, String>,
}

/// The selected nodes, ascending; all without expressions. Publications follow their stage; where one is selected
/// itself, by its state or result, its stage comes with it.
pub fn select(plan: &Plan, select: &[String], exclude: &[String], facts: &Facts) -> Result<Vec<usize>, Problem> {
    let of = |kind: fn(&Node) -> bool| -> BTreeSet<usize> {
        plan.nodes.iter().enumerate().filter(|(_, node)| kind(node)).map(|(index, _)| index).collect()
    };
    let mut chosen: BTreeSet<usize> =
        if select.is_empty() { of(Node::gives_tables) } else { union(plan, select, facts)? };
    let publications = of(Node::is_publication);
    let upstream = |index: &usize| plan.nodes.get(*index).map(|node| node.upstream.clone()).unwrap_or_default();
    let fed: Vec<usize> = chosen.intersection(&publications).flat_map(upstream).collect();
    chosen.extend(fed);
    let excluded = union(plan, exclude, facts)?;
    chosen.retain(|index| !excluded.contains(index));
    for index in publications.difference(&excluded) {
        if upstream(index).iter().all(|up| chosen.contains(up)) {
            chosen.insert(*index);
        } else {
            chosen.remove(index);
        }
    }
    // Whatever is published must pass all of them.
    if chosen.intersection(&publications).next().is_some() {
        chosen.extend(of(Node::is_gate).difference(&excluded));
    }
    if chosen.is_empty() {
        return Err(Problem::new(Code::BadSelection, "the selection is empty"));
    }
    Ok(chosen.into_iter().collect())
}

fn union(plan: &Plan, expressions: &[String], facts: &Facts) -> Result<BTreeSet<usize>, Problem> {
    let mut chosen = BTreeSet::new();
    for term in expressions.iter().flat_map(|expression| expression.split_whitespace()) {
        let mut all: Option<BTreeSet<usize>> = None;
        for part in term.split(',') {
            let one = atom(plan, part, facts)?;
            all = Some(match all {
                Some(all) => all.intersection(&one).copied().collect(),
                None => one,
            });
        }
        chosen.extend(all.unwrap_or_default());
    }
    Ok(chosen)
}

/// `[n]+` before, `+[n]` after, and what is between them.
fn atom(plan: &Plan, text: &str, facts: &Facts) -> Result<BTreeSet<usize>, Problem> {
    let bad = || Problem::new(Code::BadSelection, format!("`{text}` cannot be read as a selection"));
    let (before, rest) = match text.split_once('+') {
        Some((steps, rest)) if steps.is_empty() || steps.chars().all(|c| c.is_ascii_digit()) => (Some(steps), rest),
        _ => (None, text),
    };
    let (core, after) = match rest.rsplit_once('+') {
        Some((core, steps)) if steps.is_empty() || steps.chars().all(|c| c.is_ascii_digit()) => (core, Some(steps)),
        _ => (rest, None),
    };
    let steps = |text: Option<&str>| match text {
        None => Ok(0),
        Some("") => Ok(usize::MAX),
        Some(number) => number.parse::<usize>().map_err(|_| bad()),
    };
    if core.is_empty() || core.contains('+') {
        return Err(bad());
    }
    let mut chosen = core_nodes(plan, core, facts)?;
    let (up, down) = (steps(before)?, steps(after)?);
    let start = chosen.clone();
    chosen
        .extend(walk(&start, up, |index| plan.nodes.get(index).map(|node| node.upstream.clone()).unwrap_or_default()));
    let needed_by = |index: usize| {
        let needs = |other: &usize| plan.nodes.get(*other).is_some_and(|node| node.upstream.contains(&index));
        (0..plan.nodes.len()).filter(needs).collect()
    };
    chosen.extend(walk(&start, down, needed_by));
    Ok(chosen)
}

fn walk(start: &BTreeSet<usize>, steps_max: usize, next: impl Fn(usize) -> Vec<usize>) -> BTreeSet<usize> {
    let mut seen = start.clone();
    let mut frontier: Vec<usize> = start.iter().copied().collect();
    let mut steps = 0;
    while steps < steps_max && !frontier.is_empty() {
        frontier = frontier.into_iter().flat_map(&next).filter(|index| seen.insert(*index)).collect();
        steps += 1;
    }
    seen
}

fn core_nodes(plan: &Plan, core: &str, facts: &Facts) -> Result<BTreeSet<usize>, Problem> {
    let where_ = |keep: &dyn Fn(&super::Node) -> bool| -> BTreeSet<usize> {
        let kept = plan.nodes.iter().enumerate().filter(|(_, node)| node.gives_tables() && keep(node));
        kept.map(|(index, _)| index).collect()
    };
    // What a run made of a publication is asked for like what it made of a stage.
    let with_publications = |keep: &dyn Fn(&str) -> bool| -> BTreeSet<usize> {
        let kept = plan.nodes.iter().enumerate().filter(|(_, node)| keep(&node.id()));
        kept.map(|(index, _)| index).collect()
    };
    let (method, value) = core.split_once(':').unwrap_or(("", core));
    let glob = Glob::new(value)
        .map_err(|error| Problem::new(Code::BadSelection, format!("`{core}`: {error}")))?
        .compile_matcher();
    let found = match method {
        "" => where_(&|node| glob.is_match(&node.name)),
        "gate" => {
            let gates = plan.nodes.iter().enumerate().filter(|(_, node)| node.is_gate() && glob.is_match(&node.name));
            gates.map(|(index, _)| index).collect()
        }
        "stage" => where_(&|node| node.is_stage() && glob.is_match(node.kind())),
        "source" => where_(&|node| !node.is_stage() && glob.is_match(&node.name)),
        "tag" => where_(&|node| node.tags.iter().any(|tag| glob.is_match(tag))),
        "state" if value == "modified" => return Ok(with_publications(&|id| facts.modified.contains(id))),
        "result" => {
            return Ok(with_publications(&|id| facts.results.get(id).is_some_and(|result| result == value)));
        }
        _ => {
            let problem =
                Problem::new(Code::BadSelection, format!("`{core}`: there is no selection method `{method}:{value}`"));
            return Err(problem.help("the methods are stage:, source:, gate:, tag:, state:modified and result:"));
        }
    };
    if found.is_empty() {
        let problem = Problem::new(Code::BadSelection, format!("`{core}` selects nothing"));
        let names = plan.nodes.iter().filter(|node| node.gives_tables()).map(|node| node.name.as_str());
        return Err(match nearest(value, names) {
            _ if plan.nodes.iter().any(|node| node.is_publication() && node.name == value) => {
                problem.help("it is a publication, which follows its stage")
            }
            Some(near) if method.is_empty() => problem.help(format!("did you mean `{near}`?")),
            _ => problem,
        });
    }
    Ok(found)
}
