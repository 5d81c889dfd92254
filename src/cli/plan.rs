//! `patronage plan`

use super::arguments::{Global, Plan};
use super::{complain, output, project, table};
use crate::observe::MemoryLimit;
use crate::problem::Exit;
use crate::run::{Options, prepare};
use crate::stages::contract::Cancel;

pub fn run(command: &Plan, global: &Global) -> Exit {
    let (loaded, plan) = match project::plan(&command.target, global) {
        Ok(planned) => planned,
        Err(exit) => return exit,
    };
    let options = Options {
        select: command.selection.select.clone(),
        exclude: command.selection.exclude.clone(),
        full_refresh: command.selection.full_refresh,
        fail_fast: false,
        accept_gates: false,
        threads: 1,
        memory: MemoryLimit::default(),
        last_resort: None,
        changes_nothing: true,
        asks: true,
        arguments: serde_json::Value::Null,
    };
    let runtime = match project::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let prepared = match runtime.block_on(prepare(&loaded, &plan, &options, &Cancel::default())) {
        Ok(prepared) => prepared,
        Err(problem) => return project::refuse(&problem),
    };
    let mut exit = Exit::Done;
    for failure in prepared.broken.values() {
        exit = complain::error(failure.code, &failure.message, None);
    }
    let mut rows = Vec::new();
    for (index, (node, decision)) in plan.nodes.iter().zip(&prepared.decisions).enumerate() {
        let selected = prepared.selected.contains(&index);
        let (verdict, reason) = match (selected, prepared.broken.get(&index)) {
            (false, _) => ("-", "not selected".to_owned()),
            (_, Some(_)) => ("fail", "its files cannot be read".to_owned()),
            _ if decision.done => ("skip", decision.reason.clone()),
            _ => ("run", decision.reason.clone()),
        };
        rows.push(vec![node.id(), node.kind().to_owned(), verdict.to_owned(), reason]);
    }
    let nodes = table::render(&["node", "kind", "would", "because"], &rows, &[]);
    match output::print(&format!("{} for the run date {}\n\n{nodes}", plan.pipeline, plan.run_date)) {
        Exit::Done => exit,
        unprinted => unprinted,
    }
}
