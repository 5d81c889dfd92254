//! Finds the branch of `oneOf` or `anyOf` that was meant, so that a mistake is told as what it is
//! and not as "matches none of these".

use serde_json::Value as Json;

use super::super::node::{Node, Value};
use super::Check;
use super::mapping::unknown_key;
use super::scalar::{self, not_among};
use super::schema::{Kinds, allowed_words, equals, is_not_yet, required};
use super::words::{available_words, expected_any, found, one_of};
use crate::problem::{Code, Problem};

impl<'s> Check<'s> {
    /// By the kind of the value first; then words by their value, mappings by their tag or by the
    /// key that only one branch asks for; and where all that leaves a choice, the branch with the
    /// fewest problems.
    pub(super) fn choose(&self, node: &Node, branches: Vec<&'s Json>) -> Result<&'s Json, Box<Problem>> {
        let kind = Kinds::of(node);
        let takes = |branch: &&'s Json| self.schema.kinds(branch).contains(kind);
        let fitting: Vec<&Json> = branches.iter().copied().filter(takes).collect();
        if let [only] = *fitting {
            return Ok(only);
        }
        let open = self.schema.opened(if fitting.is_empty() { &branches } else { &fitting });
        if fitting.is_empty() {
            return Err(Box::new(self.no_kind(node, &open)));
        }
        let open: Vec<&Json> = open.into_iter().filter(takes).collect();
        match &node.value {
            Value::Mapping(_) => self.mapping_branch(node, &open),
            Value::Sequence(_) => Ok(self.least_wrong(node, &open)),
            _ => self.word_branch(node, &open),
        }
    }

    fn no_kind(&self, node: &Node, open: &[&'s Json]) -> Problem {
        let null = |branch: &Json| branch.get("type").is_some_and(|kind| kind == "null");
        let rest: Vec<&Json> = open.iter().copied().filter(|branch| !null(branch)).collect();
        match *rest {
            [only] => scalar::mismatch(node, only),
            _ => {
                let message = format!("expected {}, found {}", expected_any(&rest), found(node));
                Problem::new(Code::WrongType, message)
            }
        }
    }

    fn word_branch(&self, node: &Node, open: &[&'s Json]) -> Result<&'s Json, Box<Problem>> {
        let says =
            |branch: &&&Json| allowed_words(branch).is_some_and(|mut words| words.any(|word| equals(node, word)));
        if let Some(branch) = open.iter().find(says) {
            return Ok(branch);
        }
        let free: Vec<&Json> = open.iter().copied().filter(|branch| allowed_words(branch).is_none()).collect();
        if free.is_empty() {
            let words: Vec<String> = open.iter().flat_map(|open| available_words(open)).collect();
            return Err(Box::new(not_among(node, &words)));
        }
        Ok(self.least_wrong(node, &free))
    }

    fn mapping_branch(&self, node: &Node, open: &[&'s Json]) -> Result<&'s Json, Box<Problem>> {
        match self.tag(open) {
            Some(tag) => self.tagged_branch(node, tag, open),
            None => self.keyed_branch(node, open),
        }
    }

    /// The key that has a constant in every branch.
    fn tag(&self, open: &[&'s Json]) -> Option<&'s str> {
        let constant =
            |branch, key: &str| self.schema.property(branch, key).is_some_and(|schema| allowed_words(schema).is_some());
        let keys = self.schema.properties(open.first()?);
        keys.into_iter().find(|key| open.len() > 1 && open.iter().all(|open| constant(open, key)))
    }

    fn tagged_branch(&self, node: &Node, tag: &'s str, open: &[&'s Json]) -> Result<&'s Json, Box<Problem>> {
        let schema = |branch| self.schema.property(branch, tag).unwrap_or(&Json::Null);
        let ready = open.iter().filter(|branch| !is_not_yet(branch));
        let words: Vec<String> = ready.flat_map(|branch| available_words(schema(branch))).collect();
        let Some(value) = node.get(tag) else {
            let words = one_of(words.iter().map(String::as_str));
            let message = format!("missing key `{tag}`; expected {words}");
            return Err(Box::new(Problem::new(Code::MissingKey, message)));
        };
        let says = |branch: &&&'s Json| {
            let words = allowed_words(schema(branch));
            words.is_some_and(|mut words| words.any(|word| equals(value, word)))
        };
        match open.iter().find(says) {
            Some(branch) => Ok(branch),
            None => Err(Box::new(not_among(value, &words).under(tag))),
        }
    }

    fn keyed_branch(&self, node: &Node, open: &[&'s Json]) -> Result<&'s Json, Box<Problem>> {
        let keys: Vec<Option<&str>> = open.iter().map(|branch| self.distinguishing_key(branch, open)).collect();
        if keys.iter().any(Option::is_none) {
            return Ok(self.least_wrong(node, open));
        }
        let named = || keys.iter().copied().flatten();
        let mut given = node.entries().iter().filter_map(|(key, _)| key.as_str());
        let mut chosen = given.by_ref().filter(|key| named().any(|named| named == *key));
        if let Some(first) = chosen.next() {
            if let Some(second) = chosen.next() {
                let message = format!("`{first}` and `{second}` cannot be given together");
                let problem = Problem::new(Code::BadValue, message).under(second).at_key();
                return Err(Box::new(problem));
            }
            let branch = open.iter().zip(&keys).find(|(_, key)| **key == Some(first));
            return Ok(branch.map_or_else(|| self.least_wrong(node, open), |(branch, _)| branch));
        }
        let ready = open.iter().zip(&keys).filter(|(branch, _)| !is_not_yet(branch));
        let allowed: Vec<&str> = ready.filter_map(|(_, key)| *key).collect();
        let known = |key: &str| open.iter().any(|open| self.schema.property(open, key).is_some());
        let unknown = node.entries().iter().filter_map(|(key, _)| key.as_str());
        Err(Box::new(match unknown.into_iter().find(|key| !known(key)) {
            Some(key) => unknown_key(key, &allowed, &allowed).under(key).at_key(),
            None => {
                let message = format!("expected a key, {}", one_of(allowed.iter().copied()));
                Problem::new(Code::MissingKey, message)
            }
        }))
    }

    /// The key that a branch requires and no other knows.
    fn distinguishing_key(&self, branch: &'s Json, open: &[&'s Json]) -> Option<&'s str> {
        let mut others = open.iter().filter(|other| !std::ptr::eq(**other, branch));
        required(branch).find(|key| others.clone().all(|other| self.schema.property(other, key).is_none())).or_else(
            || {
                let target = self.schema.target(branch)?;
                let unique = |key: &&str| others.all(|other| self.schema.property(other, key).is_none());
                required(target).find(unique)
            },
        )
    }

    fn least_wrong(&self, node: &Node, open: &[&'s Json]) -> &'s Json {
        let wrong = |branch: &&&'s Json| {
            let mut trial = Check { schema: self.schema, path: Vec::new(), problems: Vec::new() };
            trial.node(node, branch);
            trial.problems.len()
        };
        open.iter().min_by_key(wrong).copied().unwrap_or(&Json::Null)
    }
}
