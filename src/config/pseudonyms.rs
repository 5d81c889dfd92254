//! How an environment names the key of pseudonyms: by reference, never by value.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use super::yaml::{self, Node, Value};
use crate::problem::{Code, Problem};

/// The key that pseudonyms are made with, and its version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PseudonymSpec {
    /// Which key it is: pseudonyms start with `p<version>_`. Raise it with every new key.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// Where the key is: at least 32 random bytes.
    pub key: SecretRef,
}

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

/// Reads the `pseudonyms` of an environment; problems are placed below it and repeat no text that could be a key.
pub fn read(node: &Node) -> Result<PseudonymSpec, Vec<Problem>> {
    let not_a_reference = |place: &[&str]| {
        let problem = Problem::new(Code::BadSecret, "expected a reference to a secret, not a secret");
        let help = "write `key: {secret: {file: …}}` or `key: {secret: {env: …}}`, and keep the key out of this file";
        Err(vec![problem.help(help).at(place.iter().copied())])
    };
    let is_scalar = |node: &Node| !matches!(node.value, Value::Mapping(_) | Value::Null);
    if let Some(key) = node.get("key") {
        if is_scalar(key) {
            return not_a_reference(&["key"]);
        }
        if let Some(secret) = key.get("secret")
            && is_scalar(secret)
        {
            return not_a_reference(&["key", "secret"]);
        }
    }
    let problems = yaml::validate(node, schema_for!(PseudonymSpec).as_value());
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(yaml::to_json(node)).map_err(|_| {
        vec![Problem::new(Code::BadSecret, "the key of pseudonyms is not described in a way that can be read")]
    })
}
