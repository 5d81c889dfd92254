//! `patronage schema`

use super::arguments::{Schema, SchemaOf};
use super::{output, reference};
use crate::problem::Exit;

pub fn run(command: &Schema) -> Exit {
    let schema = match command.of {
        SchemaOf::Pipeline => reference::pipeline_schema().to_value(),
        SchemaOf::Environment => reference::environment_schema(),
    };
    output::print(&format!("{}\n", serde_json::to_string_pretty(&schema).unwrap_or_default()))
}
