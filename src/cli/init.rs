//! `patronage init`

use std::path::Path;

use super::arguments::Init;
use super::{complain, output};
use crate::problem::{Code, Exit};
use crate::synthesize::{Options, synthesize};

const PIPELINE: &str = include_str!("../../pipelines/nightly.yaml");
const ENVIRONMENT: &str = include_str!("../../configs/local.yaml");
const SCHEMA_LINE: &str = "# yaml-language-server: $schema=../schema/pipeline.json\n";

pub fn run(command: &Init) -> Exit {
    let directory = &command.directory;
    let occupied = std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        let message = format!("{} is not empty", directory.display());
        return complain::error(Code::BadArgument, &message, Some("name a directory that does not exist yet"));
    }
    match make(directory) {
        Ok(()) => {
            let pipeline = directory.join("pipelines/nightly.yaml");
            output::print(&format!(
                "{} is ready. Next:\n\n  patronage run {}\n",
                directory.display(),
                pipeline.display()
            ))
        }
        Err(message) => {
            complain::error(Code::LocalIo, &format!("failed to make {}: {message}", directory.display()), None)
        }
    }
}

fn make(directory: &Path) -> Result<(), String> {
    let schema = super::reference::pipeline_schema().to_value();
    let schema = serde_json::to_string_pretty(&schema).unwrap_or_default();
    let files = [
        ("pipelines/nightly.yaml", format!("{SCHEMA_LINE}{PIPELINE}")),
        ("configs/local.yaml", ENVIRONMENT.to_owned()),
        ("schema/pipeline.json", schema),
        (".gitignore", "/target\n/secrets\n".to_owned()),
    ];
    for (name, text) in files {
        let path = directory.join(name);
        let parent = path.parent().unwrap_or(directory);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| error.to_string())?;
    }
    synthesize(&Options::shipped(), &directory.join("data"), false).map(|_| ()).map_err(|error| error.to_string())
}
