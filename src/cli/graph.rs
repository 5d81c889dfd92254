//! `patronage graph`

use super::arguments::{Global, Graph, GraphFormat};
use super::{output, project};
use crate::plan::{Plan, Work};
use crate::problem::Exit;

pub fn run(command: &Graph, global: &Global) -> Exit {
    match project::plan(&command.target, global) {
        Ok((_, plan)) => output::print(&match command.format {
            GraphFormat::Mermaid => mermaid(&plan),
            GraphFormat::Dot => dot(&plan),
        }),
        Err(exit) => exit,
    }
}

fn mermaid(plan: &Plan) -> String {
    let mut text = String::from("flowchart LR\n");
    for (index, node) in plan.nodes.iter().enumerate() {
        let (name, kind) = (&node.name, node.kind());
        let shape = match node.work {
            Work::Source { .. } => format!("[(\"{name}\")]"),
            Work::Stage(_) => format!("[\"{name}<br/><small>{kind}</small>\"]"),
            Work::Gate { .. } => format!("{{{{\"gate {name}\"}}}}"),
            Work::Publish { .. } => format!("([\"{name}\"])"),
        };
        text.push_str(&format!("  n{index}{shape}\n"));
    }
    for (index, node) in plan.nodes.iter().enumerate() {
        for up in &node.upstream {
            text.push_str(&format!("  n{up} --> n{index}\n"));
        }
    }
    text
}

fn dot(plan: &Plan) -> String {
    let mut text = format!("digraph {} {{\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n", plan.pipeline);
    for node in &plan.nodes {
        let shape = match node.work {
            Work::Source { .. } => "cylinder",
            Work::Stage(_) => "box",
            Work::Gate { .. } => "diamond",
            Work::Publish { .. } => "note",
        };
        text.push_str(&format!("  \"{}\" [label=\"{}\\n{}\", shape={shape}];\n", node.id(), node.name, node.kind()));
    }
    for node in &plan.nodes {
        for up in node.upstream.iter().filter_map(|up| plan.nodes.get(*up)) {
            text.push_str(&format!("  \"{}\" -> \"{}\";\n", up.id(), node.id()));
        }
    }
    text.push_str("}\n");
    text
}
