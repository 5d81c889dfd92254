//! Publications: what they take, and that no two write to one place.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;

use super::{Feed, Node, Plan, Work, databases, fingerprint::definition_hash};
use crate::config::{DatabaseSpecs, DeliverMode, DeliverSpec, Loaded, PublishFormat, PublishSpec};
use crate::problem::{Code, Problem};
use crate::table::AS_OF;

/// Appends the publications to the plan; problems are placed at the document's root.
pub fn append(plan: &mut Plan, loaded: &Loaded, lookup: impl Fn(&Plan, &str) -> Result<Feed, Problem>) -> Vec<Problem> {
    let root = &loaded.project.root;
    let mut problems = twice_delivered(&loaded.spec.publish);
    let mut places: HashMap<String, &str> = HashMap::new();
    for (name, spec) in &loaded.spec.publish {
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
        if let Some(deliver) = &spec.deliver {
            let wrong = delivery_problems(plan, &from, deliver, &loaded.environment.databases.0);
            problems.extend(
                wrong.into_iter().map(|problem| problem.under("deliver").under(name.as_str()).under("publish")),
            );
        }
        problems.extend(load_problem(spec).map(|problem| problem.at(["publish", name, "load"])));
        problems.extend(csv_problem(plan, &from, spec).map(|problem| problem.at(["publish", name, "format"])));
        plan.nodes.push(Node {
            name: name.clone(),
            definition: definition_hash(&loaded.definition["publish"][name]),
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

/// Scripts read Parquet, and one of no warehouse is none.
fn load_problem(spec: &PublishSpec) -> Option<Problem> {
    let load = spec.load.as_ref()?;
    if spec.format != PublishFormat::Parquet {
        return Some(Problem::new(Code::BadValue, "`load` goes with `format: parquet`, which the scripts read"));
    }
    let given = [load.duckdb.is_some(), load.snowflake.is_some(), load.bigquery.is_some(), load.redshift.is_some()];
    let none = Problem::new(Code::MissingKey, "no warehouse is named: `duckdb`, `snowflake`, `bigquery` or `redshift`");
    (!given.contains(&true)).then_some(none)
}

/// Two publications that go into one table would replace each other's rows.
fn twice_delivered(publish: &IndexMap<String, PublishSpec>) -> Vec<Problem> {
    let mut tables: HashMap<(&str, Option<&str>, &str), &str> = HashMap::new();
    let mut problems = Vec::new();
    for (name, spec) in publish {
        let Some(deliver) = &spec.deliver else { continue };
        let table = (deliver.database.as_str(), deliver.schema.as_deref(), deliver.table.as_str());
        if let Some(other) = tables.insert(table, name) {
            let message = format!("`{other}` is delivered into the same table");
            problems.push(Problem::new(Code::DuplicateId, message).at(["publish", name, "deliver", "table"]));
        }
    }
    problems
}

/// What is wrong with a delivery; placed in it.
fn delivery_problems(plan: &Plan, from: &Feed, deliver: &DeliverSpec, databases: &DatabaseSpecs) -> Vec<Problem> {
    let otherwise = "; `driver: none` where nothing is to be delivered";
    let database = databases::problem(&deliver.database, databases, otherwise);
    let mut problems: Vec<Problem> = database.into_iter().map(|problem| problem.at(["database"])).collect();
    let Some(schema) = plan.schema(from) else { return problems };
    if deliver.mode == DeliverMode::ReplaceRunDate {
        if !deliver.key.is_empty() {
            let problem = Problem::new(Code::BadValue, "`key` goes with `mode: upsert`");
            problems.push(problem.at(["key"]).at_key());
        }
        return problems;
    }
    if deliver.key.is_empty() && schema.key.iter().all(|name| name == AS_OF) {
        let message = format!("`{}` has no key to upsert by", from.name);
        problems
            .push(Problem::new(Code::MissingKey, message).help("name the columns: `key: [customer_id]`").at(["mode"]));
    }
    for (index, name) in deliver.key.iter().enumerate().filter(|(_, name)| schema.column(name).is_none()) {
        let problem = Problem::new(Code::UnknownColumn, format!("`{}` has no column `{name}`", from.name));
        let problem = problem.nearest(name, schema.columns.iter().map(|column| column.name.as_str()));
        problems.push(problem.under(index).under("key"));
    }
    problems
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
