//! The tree: values with the place in the file that they came from.

use std::sync::Arc;

/// A position in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// From 1.
    pub line: usize,
    /// From 1, in characters (Unicode scalar values), not bytes.
    pub column: usize,
}

impl Mark {
    /// The first character of a file.
    pub const START: Mark = Mark { line: 1, column: 1 };

    pub fn new(line: usize, column: usize) -> Self {
        Self { line, column }
    }
}

/// How a text is written in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    Plain,
    Quoted,
    /// A `|` block.
    Literal,
    /// A `>` block.
    Folded,
}

/// A text value.
#[derive(Debug, Clone)]
pub struct Text {
    pub text: String,
    pub style: Style,
    /// Where each character of `text` sits in the file; as long as `text` has characters.
    /// Escapes, folding, indentation and interpolation are thereby all accounted for.
    pub marks: Arc<[Mark]>,
    /// Part of it came from a variable of the process, so messages do not repeat it.
    pub from_process: bool,
}

/// What a YAML node holds, typed by the core schema of YAML 1.2.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    String(Text),
    Sequence(Vec<Node>),
    /// Keys in the order of the file; each is a text, and unique.
    Mapping(Vec<(Node, Node)>),
}

/// A value and where it is written. What an alias stands for keeps the place of its definition.
#[derive(Debug, Clone)]
pub struct Node {
    pub value: Value,
    /// Its first character: the opening quote or bracket, the first key of a block mapping.
    pub start: Mark,
    /// Just behind its last character.
    pub end: Mark,
}

impl Node {
    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The entries, if this is a mapping; none otherwise.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items, if this is a sequence; none otherwise.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The entry of a mapping with this key.
    pub fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries().iter().find(|(name, _)| name.as_str() == Some(key))
    }

    /// The value behind this key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Whether both hold the same, wherever they are written; the order of keys does not matter.
    pub fn same(&self, other: &Node) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(two)) => one == two,
            (Value::Int(one), Value::Int(two)) => one == two,
            (Value::Float(one), Value::Float(two)) => one.total_cmp(two).is_eq(),
            (Value::String(one), Value::String(two)) => one.text == two.text,
            (Value::Sequence(one), Value::Sequence(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.same(two))
            }
            (Value::Mapping(one), Value::Mapping(two)) => {
                one.len() == two.len()
                    && one.iter().all(|(key, value)| {
                        key.as_str().and_then(|key| other.get(key)).is_some_and(|match_| value.same(match_))
                    })
            }
            _ => false,
        }
    }
}
