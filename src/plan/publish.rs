//! Publications: what they take, and that no two write to one place.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;

use super::{Feed, Node, Plan, Work, fingerprint::definition_hash};
use crate::config::{PublishFormat, PublishSpec};
use crate::problem::{Code, Problem};

/// Appends the publications to the plan; problems are placed at the document's root.
pub fn append(
    plan: &mut Plan,
    publish: &IndexMap<String, PublishSpec>,
    root: &Path,
    definition: &serde_json::Value,
    lookup: impl Fn(&Plan, &str) -> Result<Feed, Problem>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut places: HashMap<String, &str> = HashMap::new();
    for (name, spec) in publish {
        if let Some(other) = places.insert(place(root, &spec.to), name) {
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
        problems.extend(csv_problem(plan, &from, spec).map(|problem| problem.at(["publish", name, "format"])));
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

/// What a CSV file cannot hold.
fn csv_problem(plan: &Plan, from: &Feed, spec: &PublishSpec) -> Option<Problem> {
    let (_, schema) = plan.nodes.get(from.node)?.outputs.get(from.port)?;
    let list = schema.columns.iter().find(|column| column.dtype.is_nested() && spec.format == PublishFormat::Csv)?;
    let message = format!("`{}` is a list, which CSV cannot hold", list.name);
    Some(Problem::new(Code::WrongColumnType, message).help("publish it as `ndjson` or `parquet`"))
}

/// A place in one of the ways in which it can be written: `out/a`, `./out//a/` and `file:///project/out/a` are the same.
fn place(root: &Path, to: &str) -> String {
    let local = match to.split_once("://") {
        Some(("file", path)) => path,
        Some((scheme, rest)) => {
            let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
            return format!("{}://{}", scheme.to_lowercase(), parts.join("/"));
        }
        None => to,
    };
    let path = root.join(local);
    let path = std::path::absolute(&path).unwrap_or(path);
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_many_names() {
        let of = |to: &str| place(Path::new("/project"), to);
        for same in ["out/a", "./out/a/", "out//a", "out/b/../a", "/project/out/a", "file:///project/out/a"] {
            assert_eq!(of(same), "/project/out/a", "{same}");
        }
        assert_eq!(of("s3://lake/a/"), of("S3://lake//a"));
        assert_ne!(of("out/a"), of("out/A"));
    }
}
