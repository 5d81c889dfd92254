//! How an environment names the key of pseudonyms: by reference, never by value.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;

use super::secret::{SecretRef, without_what_was_found, written_out};
use super::yaml::{self, Node};
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

/// Reads the `pseudonyms` of an environment; problems are placed below it and repeat no text that could be a key.
pub fn read(node: &Node) -> Result<PseudonymSpec, Vec<Problem>> {
    if let Some(problem) = written_out(node, "key") {
        return Err(vec![problem]);
    }
    let problems = yaml::validate(node, schema_for!(PseudonymSpec).as_value());
    if !problems.is_empty() {
        return Err(problems.into_iter().map(without_what_was_found).collect());
    }
    serde_json::from_value(yaml::to_json(node)).map_err(|_| {
        vec![Problem::new(Code::BadSecret, "the key of pseudonyms is not described in a way that can be read")]
    })
}
