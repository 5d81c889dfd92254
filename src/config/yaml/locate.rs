//! Places to positions.

use super::node::{Mark, Node, Text, Value};
use crate::problem::{Place, Step};

impl Node {
    /// Where a problem sits in the file. A path that ends in nothing means the deepest node that
    /// exists; a position within a text that it does not have means the text's start.
    pub fn locate(&self, place: &Place) -> Mark {
        let mut node = self;
        let mut key_start = None;
        for step in &place.path {
            let next = match step {
                Step::Key(key) => node.entry(key).map(|(key, value)| (Some(key.start), value)),
                Step::Index(index) => node.items().get(*index).map(|item| (None, item)),
            };
            let Some((key, value)) = next else {
                return node.start;
            };
            (key_start, node) = (key, value);
        }
        if let (true, Some(start)) = (place.at_key, key_start) {
            return start;
        }
        match (&node.value, place.within) {
            (Value::String(text), Some((line, column))) => text.locate(line, column),
            _ => None,
        }
        .unwrap_or(node.start)
    }
}

impl Text {
    /// Where a line and a column of the text, both from 1, are in the file. The column may be one
    /// behind the last character of its line.
    pub fn locate(&self, line: usize, column: usize) -> Option<Mark> {
        let mut index = 0;
        let mut lines = self.text.split('\n');
        for skipped in lines.by_ref().take(line.checked_sub(1)?) {
            index += skipped.chars().count() + 1;
        }
        let length = lines.next()?.chars().count();
        let offset = column.checked_sub(1)?;
        if offset < length {
            return self.marks.get(index + offset).copied();
        }
        // The end of a line: its line break, or one behind the last character of all.
        let last = self.marks.get((index + length).checked_sub(1)?)?;
        match self.marks.get(index + length) {
            Some(line_break) => Some(*line_break),
            None => Some(Mark::new(last.line, last.column + 1)),
        }
    }
}
