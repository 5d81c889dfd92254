//! Who computes what a stage asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who computes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The kernel of this program, on all cores.
    #[default]
    Native,
    /// The crates of linfa as published: slower, as a second opinion, where they can.
    Linfa,
}

impl Engine {
    pub fn name(self) -> &'static str {
        match self {
            Engine::Native => "native",
            Engine::Linfa => "linfa",
        }
    }
}
