//! Reading a JSON Schema.

use serde_json::Value as Json;

use super::super::node::{Node, Value};

/// The whole schema, in which references are looked up.
#[derive(Clone, Copy)]
pub(super) struct Schema<'s> {
    pub root: &'s Json,
}

impl<'s> Schema<'s> {
    /// What a `$ref` refers to, if there is one.
    pub fn target(self, schema: &'s Json) -> Option<&'s Json> {
        let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    /// The kinds of values that a schema takes at all.
    pub fn kinds(self, schema: &'s Json) -> Kinds {
        self.kinds_at(schema, 0)
    }

    fn kinds_at(self, schema: &'s Json, depth: usize) -> Kinds {
        if depth > 64 {
            return Kinds::ALL;
        }
        let mut kinds = match schema {
            Json::Bool(false) => Kinds::NONE,
            _ => Kinds::ALL,
        };
        if let Some(named) = schema.get("type") {
            kinds = kinds.and(Kinds::named(named));
        } else if schema.get("properties").is_some() {
            kinds = kinds.and(Kinds::MAPPING);
        }
        if let Some(words) = allowed_words(schema) {
            kinds = kinds.and(words.map(Kinds::of_json).fold(Kinds::NONE, Kinds::or));
        }
        let all = self.target(schema).into_iter().chain(parts(schema, "allOf"));
        for part in all {
            kinds = kinds.and(self.kinds_at(part, depth + 1));
        }
        for keyword in ["oneOf", "anyOf"] {
            let each = parts(schema, keyword).map(|part| self.kinds_at(part, depth + 1));
            if let Some(any) = each.reduce(Kinds::or) {
                kinds = kinds.and(any);
            }
        }
        kinds
    }

    /// The branches with nested choices and references opened, so that each is of one shape.
    pub fn opened(self, branches: &[&'s Json]) -> Vec<&'s Json> {
        let mut open = Vec::new();
        for branch in branches {
            self.open(branch, &mut open, 0);
        }
        open
    }

    fn open(self, branch: &'s Json, open: &mut Vec<&'s Json>, depth: usize) {
        let has = |keyword| branch.get(keyword).is_some();
        if depth > 64 || has("type") || has("properties") {
            open.push(branch);
        } else if let Some(target) = self.target(branch) {
            self.open(target, open, depth + 1);
        } else if has("oneOf") || has("anyOf") {
            for part in parts(branch, "oneOf").chain(parts(branch, "anyOf")) {
                self.open(part, open, depth + 1);
            }
        } else {
            open.push(branch);
        }
    }

    /// The schema of a property that a branch names.
    pub fn property(self, branch: &'s Json, key: &str) -> Option<&'s Json> {
        let own = branch.get("properties").and_then(|all| all.get(key));
        own.or_else(|| self.property(self.target(branch)?, key))
    }

    /// The keys that a branch names.
    pub fn properties(self, branch: &'s Json) -> Vec<&'s str> {
        let own = branch.get("properties").and_then(Json::as_object);
        let mut keys: Vec<&str> = own.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        if let Some(target) = self.target(branch) {
            keys.extend(self.properties(target));
        }
        keys
    }
}

/// The schemas in a list keyword.
pub(super) fn parts<'s>(schema: &'s Json, keyword: &str) -> impl Iterator<Item = &'s Json> {
    schema.get(keyword).and_then(Json::as_array).into_iter().flatten()
}

/// The values of `const` or `enum`, if there is either.
pub(super) fn allowed_words(schema: &Json) -> Option<impl Iterator<Item = &Json>> {
    let constant = schema.get("const").map(std::slice::from_ref);
    let listed = || schema.get("enum").and_then(Json::as_array).map(Vec::as_slice);
    constant.or_else(listed).map(<[Json]>::iter)
}

/// The keys that must be there.
pub(super) fn required(schema: &Json) -> impl Iterator<Item = &str> {
    parts(schema, "required").filter_map(Json::as_str)
}

/// Whether to use this is [`Code::NotYet`](crate::problem::Code::NotYet).
pub(super) fn is_not_yet(schema: &Json) -> bool {
    schema.get("x-not-yet") == Some(&Json::Bool(true))
}

/// Whether a YAML value is this JSON value.
pub(super) fn equals(node: &Node, json: &Json) -> bool {
    match (&node.value, json) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(one), Json::Bool(two)) => one == two,
        (Value::String(one), Json::String(two)) => one.text == *two,
        (Value::Int(one), Json::Number(two)) => two.as_i64() == Some(*one),
        (Value::Float(one), Json::Number(two)) => two.as_f64() == Some(*one),
        _ => false,
    }
}

/// A set of kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub const NONE: Kinds = Kinds(0);
    pub const NULL: Kinds = Kinds(1);
    pub const BOOL: Kinds = Kinds(2);
    pub const INTEGER: Kinds = Kinds(4);
    pub const FLOAT: Kinds = Kinds(8);
    pub const STRING: Kinds = Kinds(16);
    pub const SEQUENCE: Kinds = Kinds(32);
    pub const MAPPING: Kinds = Kinds(64);
    pub const ALL: Kinds = Kinds(127);

    pub fn of(node: &Node) -> Kinds {
        match node.value {
            Value::Null => Kinds::NULL,
            Value::Bool(_) => Kinds::BOOL,
            Value::Int(_) => Kinds::INTEGER,
            Value::Float(_) => Kinds::FLOAT,
            Value::String(_) => Kinds::STRING,
            Value::Sequence(_) => Kinds::SEQUENCE,
            Value::Mapping(_) => Kinds::MAPPING,
        }
    }

    fn of_json(json: &Json) -> Kinds {
        match json {
            Json::Null => Kinds::NULL,
            Json::Bool(_) => Kinds::BOOL,
            Json::Number(number) if number.is_f64() => Kinds::FLOAT,
            Json::Number(_) => Kinds::INTEGER,
            Json::String(_) => Kinds::STRING,
            Json::Array(_) => Kinds::SEQUENCE,
            Json::Object(_) => Kinds::MAPPING,
        }
    }

    /// Of the value of `type`: a name or a list of names.
    pub fn named(names: &Json) -> Kinds {
        match names {
            Json::Array(names) => names.iter().map(Kinds::named).fold(Kinds::NONE, Kinds::or),
            _ => match names.as_str() {
                Some("null") => Kinds::NULL,
                Some("boolean") => Kinds::BOOL,
                Some("integer") => Kinds::INTEGER,
                Some("number") => Kinds::INTEGER.or(Kinds::FLOAT),
                Some("string") => Kinds::STRING,
                Some("array") => Kinds::SEQUENCE,
                Some("object") => Kinds::MAPPING,
                _ => Kinds::ALL,
            },
        }
    }

    pub fn contains(self, kind: Kinds) -> bool {
        self.0 & kind.0 != 0
    }

    fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }

    fn or(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}
