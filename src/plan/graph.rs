//! Who needs whom, by the names in the pipeline: inputs of stages, and tables that checks compare with.

use std::collections::HashMap;

use super::order::topological;
use crate::config::{CheckSpec, Loaded, PipelineSpec};
use crate::problem::{Code, Problem};

/// A source or a stage, by its place in the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vertex {
    Source(usize),
    Stage(usize),
}

/// Everything in an order in which it can run, sources first where they can be; or what waits for itself, placed at
/// the document's root.
pub fn order(loaded: &Loaded) -> Result<Vec<Vertex>, Problem> {
    let spec = &loaded.spec;
    let vertices: Vec<Vertex> = vertices(spec).collect();
    let by_name: HashMap<&str, usize> =
        vertices.iter().enumerate().rev().map(|(index, vertex)| (name(spec, *vertex), index)).collect();
    let upstream: Vec<Vec<usize>> = vertices
        .iter()
        .map(|vertex| {
            let needs = needs(spec, *vertex).into_iter();
            needs.filter_map(|need| by_name.get(need.node).copied()).collect()
        })
        .collect();
    let order = topological(&upstream).map_err(|cycle| {
        let cycle: Vec<Vertex> = cycle.iter().filter_map(|index| vertices.get(*index).copied()).collect();
        cycle_problem(spec, &cycle)
    })?;
    Ok(order.into_iter().filter_map(|index| vertices.get(index).copied()).collect())
}

fn vertices(spec: &PipelineSpec) -> impl Iterator<Item = Vertex> {
    (0..spec.sources.len()).map(Vertex::Source).chain((0..spec.stages.len()).map(Vertex::Stage))
}

fn name(spec: &PipelineSpec, vertex: Vertex) -> &str {
    match vertex {
        Vertex::Source(index) => spec.sources.get_index(index).map(|(name, _)| name.as_str()),
        Vertex::Stage(index) => spec.stages.get(index).map(|stage| stage.id.as_str()),
    }
    .unwrap_or_default()
}

/// A table that is needed, and where that is said.
struct Need<'s> {
    node: &'s str,
    place: Place<'s>,
}

enum Place<'s> {
    Input { port: &'s str, index: Option<usize> },
    Check(usize),
}

fn needs(spec: &PipelineSpec, vertex: Vertex) -> Vec<Need<'_>> {
    let node = |table: &'_ str| -> usize { table.find('.').unwrap_or(table.len()) };
    let mut needs = Vec::new();
    let checks: &[CheckSpec] = match vertex {
        Vertex::Source(index) => spec.sources.get_index(index).map(|(_, source)| source.checks.as_slice()),
        Vertex::Stage(index) => {
            for (port, feeds) in spec.stages.get(index).into_iter().flat_map(|stage| &stage.inputs) {
                for (index, name) in feeds.names.iter().enumerate() {
                    let place = Place::Input { port, index: feeds.is_list.then_some(index) };
                    needs.push(Need { node: name.get(..node(name)).unwrap_or(name), place });
                }
            }
            spec.stages.get(index).map(|stage| stage.checks.as_slice())
        }
    }
    .unwrap_or_default();
    for (index, check) in checks.iter().enumerate() {
        if let Some(table) = check.refers_to() {
            needs.push(Need { node: table.get(..node(table)).unwrap_or(table), place: Place::Check(index) });
        }
    }
    needs
}

fn cycle_problem(spec: &PipelineSpec, cycle: &[Vertex]) -> Problem {
    let place = |vertex: &Vertex| vertices(spec).position(|one| one == *vertex);
    let first = cycle.iter().enumerate().min_by_key(|(_, vertex)| place(vertex)).map_or(0, |(place, _)| place);
    // The circle, told from what stands first in the file.
    let cycle: Vec<Vertex> = cycle.iter().cycle().skip(first).take(cycle.len()).copied().collect();
    let (Some(start), Some(next)) = (cycle.first().copied(), cycle.get(1).or(cycle.first()).copied()) else {
        return Problem::new(Code::Cycle, "stages wait for each other");
    };
    let mut names: Vec<&str> = cycle.iter().map(|vertex| name(spec, *vertex)).collect();
    names.push(name(spec, start));
    let message = match cycle.len() {
        1 => format!("`{}` needs itself", name(spec, start)),
        _ => format!("stages wait for each other: {}", names.join(" needs ")),
    };
    let problem = Problem::new(Code::Cycle, message);
    let need = needs(spec, start).into_iter().find(|need| need.node == name(spec, next));
    let problem = match need.map(|need| need.place) {
        Some(Place::Input { port, index }) => {
            let problem = index.into_iter().fold(problem, Problem::under);
            problem.under(port).under("inputs")
        }
        Some(Place::Check(index)) => problem.at(["in"]).under(index).under("checks"),
        None => problem,
    };
    match start {
        Vertex::Source(_) => problem.under(name(spec, start)).under("sources"),
        Vertex::Stage(index) => problem.under(index).under("stages"),
    }
}
