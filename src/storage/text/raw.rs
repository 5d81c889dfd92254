//! Values as they stand in a text file.

use std::borrow::Cow;

/// A value before it has a type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw<'a> {
    Null,
    /// A field of CSV, or a string of JSON.
    Text(Cow<'a, str>),
    /// A number of JSON, as it is written.
    Number(&'a str),
    Truth(bool),
    List(Vec<Raw<'a>>),
    /// An object of JSON, which no column type takes.
    Object,
}

impl Raw<'_> {
    /// What may be a number, without the spaces around it.
    pub(super) fn number(&self) -> Option<&str> {
        match self {
            Raw::Number(text) => Some(text),
            other => other.text(),
        }
    }

    /// A text that is to be read as something else, without the spaces around it.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Raw::Text(text) => Some(text.trim_matches(' ')),
            _ => None,
        }
    }
}
