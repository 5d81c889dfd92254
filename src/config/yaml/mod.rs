//! YAML with positions: text to a tree whose every value knows its line and column, `${…}` filled
//! in, checked against a JSON Schema, and handed on as JSON.
//!
//! The way of a document: [`parse`], [`interpolate`], [`validate`] (all problems at once), then
//! [`to_json`] for serde. A [`Place`](crate::problem::Place) that any later layer
//! reports becomes a line and a column through [`Node::locate`].

mod export;
mod interpolate;
mod layout;
mod locate;
mod merge;
mod node;
mod parse;
mod scalar;
mod source;
mod syntax;
mod template;
mod validate;

pub use export::{render, to_json};
pub use interpolate::{Resolver, interpolate};
pub use node::{Mark, Node, Style, Text, Value};
pub use parse::{NESTING_MAX, NODES_MAX, ParseFailure, TEXT_BYTES_MAX, parse};
pub use validate::validate;

#[cfg(test)]
mod tests;
