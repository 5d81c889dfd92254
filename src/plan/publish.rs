//! Publications: what they take, and that no two write to one place.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{Feed, Node, Plan, Work, fingerprint::definition_hash};
use crate::config::PublishSpec;
use crate::problem::{Code, Problem};

/// Appends the publications to the plan; problems are placed at the document's root.
pub fn append(
    plan: &mut Plan,
    publish: &IndexMap<String, PublishSpec>,
    definition: &serde_json::Value,
    lookup: impl Fn(&Plan, &str) -> Result<Feed, Problem>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut places: HashMap<&str, &str> = HashMap::new();
    for (name, spec) in publish {
        let place = spec.to.trim_end_matches('/');
        if let Some(other) = places.insert(place, name) {
            let message = format!("`{other}` is published to the same place");
            problems.push(Problem::new(Code::DuplicateId, message).at(["publish", name, "to"]));
        }
        let from = match lookup(plan, &spec.from) {
            Ok(from) => from,
            Err(problem) => {
                problems.push(problem.at(["publish", name, "from"]));
                continue;
            }
        };
        if plan.nodes.get(from.node).is_some_and(|node| !node.is_stage()) {
            let message = format!("`{}` is a source; only what a stage gives is published", spec.from);
            problems.push(Problem::new(Code::UnknownInput, message).at(["publish", name, "from"]));
            continue;
        }
        plan.nodes.push(Node {
            name: name.clone(),
            definition: definition_hash(&definition["publish"][name]),
            upstream: vec![from.node],
            outputs: vec![],
            tags: vec![],
            check_specs: vec![],
            checks: vec![],
            work: Work::Publish { spec: spec.clone(), from },
        });
    }
    problems
}
