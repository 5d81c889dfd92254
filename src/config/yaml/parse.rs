//! Text to tree: drives the parser's events, resolves scalars, anchors and aliases.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::layout::layout;
use super::merge;
use super::node::{Mark, Node, Style, Text, Value};
use super::scalar::{Plain, resolve};
use super::source::Source;
use super::syntax;
use crate::problem::{Code, Problem};

/// How deep mappings and sequences may nest, aliases resolved.
pub const NESTING_MAX: usize = 64;

/// How many values a document may have, aliases resolved: a file of one kilobyte can otherwise
/// name billions.
pub const NODES_MAX: usize = 100_000;

/// How many bytes the texts of a document may have together, aliases resolved: a long text can be named as often.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// Why a text is not a document, and where. There is no tree yet that a place could point into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseFailure {
    pub mark: Mark,
    pub problem: Problem,
}

impl ParseFailure {
    pub(super) fn new(mark: Mark, code: Code, message: impl Into<String>) -> Self {
        Self { mark, problem: Problem::new(code, message) }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.problem.help = Some(help.into());
        self
    }
}

/// Parses one YAML 1.2 document with the core schema, anchors, aliases and merge keys (`<<`).
///
/// # Errors
/// Every failure that can be found: all repeated and non-text keys, unknown tags and aliases that
/// cannot be followed, up to the first syntax error, behind which nothing is sure.
pub fn parse(text: &str) -> Result<Node, Vec<ParseFailure>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(text);
    if let Some(failure) = syntax::forbidden_character(text, &source) {
        return Err(vec![failure]);
    }
    let mut builder = Builder::new(&source);
    builder.read(text);
    let Builder { root, mut failures, .. } = builder;
    match root {
        Some(root) if failures.is_empty() => Ok(root),
        _ if !failures.is_empty() => {
            failures.sort_by_key(|failure| failure.mark);
            Err(failures)
        }
        _ => Err(vec![ParseFailure::new(Mark::START, Code::YamlSyntax, "the file is empty")]),
    }
}

/// An error ends the reading; a failure that is merely noted does not.
type Reading = Result<(), Box<ParseFailure>>;

/// A mapping or sequence whose end has not been read yet.
struct Open {
    children: Vec<Measured>,
    start: Mark,
    mapping: bool,
    anchor: usize,
}

/// A node with what the guards need to know of it.
#[derive(Clone)]
pub(super) struct Measured {
    pub node: Node,
    nodes: usize,
    bytes: usize,
    height: usize,
}

struct Builder<'s> {
    source: &'s Source,
    open: Vec<Open>,
    anchors: HashMap<usize, Measured>,
    nodes: usize,
    bytes: usize,
    root: Option<Node>,
    failures: Vec<ParseFailure>,
}

impl<'s> Builder<'s> {
    fn new(source: &'s Source) -> Self {
        let (open, anchors, failures) = (Vec::new(), HashMap::new(), Vec::new());
        Self { source, open, anchors, nodes: 0, bytes: 0, root: None, failures }
    }

    fn read(&mut self, text: &str) {
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let outcome = match event {
                Ok((Event::DocumentStart(_), span)) => {
                    documents += 1;
                    self.only_document(documents, span)
                }
                Ok((event, span)) => self.event(event, span),
                Err(error) => Err(Box::new(syntax::failure(&error, self.source))),
            };
            if let Err(failure) = outcome {
                self.failures.push(*failure);
                return;
            }
        }
    }

    fn only_document(&self, documents: usize, span: Span) -> Reading {
        if documents == 1 {
            return Ok(());
        }
        let message = "a second document starts here; a file holds one";
        let failure = ParseFailure::new(mark(span.start), Code::YamlSyntax, message);
        Err(Box::new(failure.help("remove the `---`, or move what follows into a file of its own")))
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Reading {
        let start = mark(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let at_root = self.open.is_empty();
                if at_root && text.is_empty() && style == ScalarStyle::Plain && tag.is_none() {
                    return Ok(());
                }
                let node = self.scalar(&text, style, anchor != 0, tag.as_deref(), span);
                self.add(Measured { node, nodes: 1, bytes: text.len(), height: 0 }, anchor, start)
            }
            Event::SequenceStart(anchor, tag) => self.begin(false, anchor, tag.as_deref(), start),
            Event::MappingStart(anchor, tag) => self.begin(true, anchor, tag.as_deref(), start),
            Event::SequenceEnd | Event::MappingEnd => self.finish(span),
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(target) => self.add(target, 0, start),
                None => {
                    let message = "the alias stands for a value that it is itself a part of";
                    Err(Box::new(ParseFailure::new(start, Code::YamlSyntax, message)))
                }
            },
            _ => Ok(()),
        }
    }

    fn begin(&mut self, mapping: bool, anchor: usize, tag: Option<&Tag>, start: Mark) -> Reading {
        let own = if mapping { "map" } else { "seq" };
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema() || tag.suffix != own) {
            self.failures.push(unknown_tag(tag, start));
        }
        if self.open.len() >= NESTING_MAX {
            return Err(Box::new(too_deep(start)));
        }
        self.open.push(Open { children: Vec::new(), start, mapping, anchor });
        Ok(())
    }

    fn finish(&mut self, span: Span) -> Reading {
        let Some(Open { children, start, mapping, anchor }) = self.open.pop() else {
            return Ok(());
        };
        // A block ends, for the parser, where the next thing starts.
        let last = children.last().map_or(start, |child| child.node.end);
        let end = if span.is_empty() { last } else { mark(span.end) };
        let nodes = 1 + children.iter().map(|child| child.nodes).sum::<usize>();
        let bytes = children.iter().map(|child| child.bytes).sum::<usize>();
        let height = 1 + children.iter().map(|child| child.height).max().unwrap_or(0);
        let children = children.into_iter().map(|child| child.node);
        let value = if mapping {
            Value::Mapping(merge::mapping(children, &mut self.failures))
        } else {
            Value::Sequence(children.collect())
        };
        // The children were counted one by one when they came.
        self.nodes -= nodes - 1;
        self.bytes -= bytes;
        self.add(Measured { node: Node { value, start, end }, nodes, bytes, height }, anchor, start)
    }

    fn add(&mut self, new: Measured, anchor: usize, at: Mark) -> Reading {
        self.nodes += new.nodes;
        self.bytes += new.bytes;
        let too_large = match (self.nodes > NODES_MAX, self.bytes > TEXT_BYTES_MAX) {
            (true, _) => Some(format!("the document has more than {NODES_MAX} values")),
            (_, true) => Some(format!("the document has more than {} MiB of text", TEXT_BYTES_MAX >> 20)),
            _ => None,
        };
        if let Some(message) = too_large {
            let failure = ParseFailure::new(at, Code::YamlSyntax, message);
            return Err(Box::new(failure.help("aliases (`*name`) count with all that they stand for")));
        }
        if self.open.len() + new.height > NESTING_MAX {
            return Err(Box::new(too_deep(at)));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, new.clone());
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(new),
            None => self.root = Some(new.node),
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchored: bool, tag: Option<&Tag>, span: Span) -> Node {
        let (start, mut end) = (mark(span.start), mark(span.end));
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        let meaning = match tag {
            Some(tag) => self.tagged(text, tag, start),
            None if style == Style::Plain => resolve(text),
            None => Plain::Text,
        };
        let value = match meaning {
            Plain::Null => Value::Null,
            Plain::Bool(value) => Value::Bool(value),
            Plain::Int(value) => Value::Int(value),
            Plain::Float(value) => Value::Float(value),
            Plain::Huge => {
                let message = format!("the number `{text}` does not fit in 64 bits");
                let failure = ParseFailure::new(start, Code::BadValue, message);
                self.failures.push(failure.help("put it in quotes if it is a text"));
                Value::Null
            }
            Plain::Text => {
                let decorated = anchored || tag.is_some();
                let marks = layout(self.source, start, decorated, style, text).into();
                Value::String(Text { text: text.to_owned(), style, marks, from_process: false })
            }
        };
        // A block scalar ends, for the parser, where the next thing starts.
        if let (Style::Literal | Style::Folded, Value::String(text)) = (style, &value) {
            let visible = text.text.trim_end_matches('\n').chars().count();
            let last = visible.checked_sub(1).and_then(|index| text.marks.get(index));
            end = last.map_or(start, |last| Mark::new(last.line, last.column + 1));
        }
        Node { value, start, end }
    }

    fn tagged(&mut self, text: &str, tag: &Tag, start: Mark) -> Plain {
        let meaning = resolve(text);
        match (tag.is_yaml_core_schema().then_some(tag.suffix.as_str()), meaning) {
            (Some("str"), _) => Plain::Text,
            (Some("null"), Plain::Null) | (Some("bool"), Plain::Bool(_)) => meaning,
            (Some("int"), Plain::Int(_) | Plain::Huge) => meaning,
            (Some("float"), Plain::Float(_)) => meaning,
            // At most 53 bits of a whole number survive, as in any YAML reader.
            (Some("float"), Plain::Int(_) | Plain::Huge) => text.parse().map_or(meaning, Plain::Float),
            (None, _) if tag.handle.is_empty() && tag.suffix == "!" => Plain::Text,
            _ => {
                self.failures.push(unknown_tag(tag, start));
                Plain::Text
            }
        }
    }
}

fn unknown_tag(tag: &Tag, start: Mark) -> ParseFailure {
    let name = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
    ParseFailure::new(start, Code::YamlSyntax, format!("the tag `{name}` cannot be used here"))
        .help("remove it; the kind of a value follows from how it is written")
}

fn too_deep(at: Mark) -> ParseFailure {
    let message = format!("values nest deeper than {NESTING_MAX} levels");
    ParseFailure::new(at, Code::YamlSyntax, message)
}

fn mark(marker: Marker) -> Mark {
    Mark::new(marker.line().max(1), marker.col() + 1)
}
