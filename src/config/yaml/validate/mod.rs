//! Checks a tree against a JSON Schema, in the words of someone who edits YAML.
//!
//! Understood are the keywords that `schemars` writes, and these of ours:
//! - `format: "duration"` (`90d`, `12w`, `6h`), `"date"` (`2011-12-10`), `"name"` (snake_case);
//! - `x-not-yet: true` on a property, an enum variant or a type: to use it is
//!   [`Code::NotYet`]; as a list of words, these values are;
//! - `x-suggest: {theirs: ours}`: the right word for what people write instead;
//! - `x-expected: "…"`: what to call the thing in "expected …", where the type says too little.
//!
//! Of `oneOf` and `anyOf` the branch that was meant is found first (see `choose`), and the
//! problems are those within it. All that applies to one mapping (`$ref`, `allOf`, the branch) is
//! taken together, so that `additionalProperties: false` in one part knows the keys of the others.

mod choose;
mod list;
mod mapping;
mod scalar;
mod schema;
mod words;

use serde_json::Value as Json;

use super::node::{Node, Value};
use crate::problem::{Code, Problem, Step};
use schema::{Kinds, Schema};

/// All problems of a tree, with places relative to it, in the order of the file as far as it goes.
pub fn validate(node: &Node, schema: &Json) -> Vec<Problem> {
    let mut check = Check { schema: Schema { root: schema }, path: Vec::new(), problems: Vec::new() };
    check.node(node, schema);
    check.problems
}

/// A check under way: where it stands and what it has found.
struct Check<'s> {
    schema: Schema<'s>,
    path: Vec<Step>,
    problems: Vec<Problem>,
}

impl<'s> Check<'s> {
    fn node(&mut self, node: &Node, schema: &'s Json) {
        let mut facets = Vec::new();
        if let Err(problem) = self.gather(node, schema, &mut facets, 0) {
            self.report(*problem);
            return;
        }
        let problem = not_yet(node, &facets).or_else(|| wrong_type(node, &facets));
        if let Some(problem) = problem.or_else(|| scalar::wrong_word(node, &facets)) {
            self.report(problem);
            return;
        }
        match &node.value {
            Value::Mapping(entries) => self.mapping(entries, &facets),
            Value::Sequence(items) => self.list(items, &facets),
            _ => {
                let found = facets.iter().find_map(|facet| scalar::problem(node, facet));
                found.into_iter().for_each(|problem| self.report(problem));
            }
        }
    }

    /// Checks what lies one step further.
    fn below(&mut self, step: impl Into<Step>, node: &Node, schema: &'s Json) {
        self.path.push(step.into());
        self.node(node, schema);
        self.path.pop();
    }

    /// Notes a problem whose place is relative to where the check stands.
    fn report(&mut self, mut problem: Problem) {
        problem.place.path.splice(0..0, self.path.iter().cloned());
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Every schema that applies to this node: the schema, what it refers to, its parts, and the
    /// branch that was meant.
    fn gather(
        &self,
        node: &Node,
        schema: &'s Json,
        facets: &mut Vec<&'s Json>,
        depth: usize,
    ) -> Result<(), Box<Problem>> {
        // A schema may refer to itself without getting anywhere.
        if depth > 64 {
            return Ok(());
        }
        if schema == &Json::Bool(false) {
            return Err(Box::new(Problem::new(Code::BadValue, "nothing can be given here")));
        }
        facets.push(schema);
        if let Some(target) = self.schema.target(schema) {
            self.gather(node, target, facets, depth + 1)?;
        }
        for part in schema::parts(schema, "allOf") {
            self.gather(node, part, facets, depth + 1)?;
        }
        for keyword in ["oneOf", "anyOf"] {
            let branches: Vec<&Json> = schema::parts(schema, keyword).collect();
            if !branches.is_empty() {
                let branch = self.choose(node, branches)?;
                self.gather(node, branch, facets, depth + 1)?;
            }
        }
        Ok(())
    }
}

fn wrong_type(node: &Node, facets: &[&Json]) -> Option<Problem> {
    let kind = Kinds::of(node);
    let refused = |facet: &&&Json| facet.get("type").is_some_and(|kinds| !Kinds::named(kinds).contains(kind));
    let facet = facets.iter().find(refused)?;
    // What the type is called may be said beside it.
    let described = facets.iter().find(|facet| facet.get("x-expected").is_some());
    Some(scalar::mismatch(node, described.unwrap_or(facet)))
}

fn not_yet(node: &Node, facets: &[&Json]) -> Option<Problem> {
    let word = words::label(node, facets)?;
    let refused = facets.iter().any(|facet| match facet.get("x-not-yet") {
        Some(Json::Bool(all)) => *all,
        Some(Json::Array(words)) => words.iter().any(|listed| listed == &word),
        _ => false,
    });
    refused.then(|| Problem::new(Code::NotYet, format!("`{word}` is not available yet")))
}

#[cfg(test)]
mod tests;
