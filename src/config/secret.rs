//! References to secrets: where one is, never what it is.

use schemars::JsonSchema;
use serde::Deserialize;

use super::yaml::{Node, Value};
use crate::problem::{Code, Problem};

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// The file or the environment variable that holds it.
    pub secret: Secret,
}

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// A file, relative to the project; a line break at the end of a text is not part of it.
    File(#[schemars(length(min = 1))] String),
    /// An environment variable.
    Env(#[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))] String),
}

/// The problem of a secret that stands where a reference to it belongs, at `key` below the node; none where there is
/// no secret. It repeats nothing of what stands there.
pub(super) fn written_out(node: &Node, key: &str) -> Option<Problem> {
    let is_scalar = |node: &Node| !matches!(node.value, Value::Mapping(_) | Value::Null);
    let reference = node.get(key)?;
    let place = match reference.get("secret") {
        _ if is_scalar(reference) => vec![key],
        Some(secret) if is_scalar(secret) => vec![key, "secret"],
        _ => return None,
    };
    let problem = Problem::new(Code::BadSecret, "expected a reference to a secret, not a secret");
    let help = format!(
        "write `{key}: {{secret: {{file: …}}}}` or `{key}: {{secret: {{env: …}}}}`, and keep the key out of this file"
    );
    Some(problem.help(help).at(place))
}

/// What was found in place of what was expected may be a key that was put in the wrong place.
pub(super) fn without_what_was_found(mut problem: Problem) -> Problem {
    if let Some((expected, _)) = problem.message.split_once(", found ") {
        problem.message = expected.to_owned();
    }
    problem
}
