//! What ran: the graph, and a table that says the same in words.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::graph;
use super::parts::{self, CELL_MAX, Head, MESSAGE_MAX, ROWS_MAX};
use crate::report::content::{NodeReport, NodeStatus, Report};
use crate::report::format::{self, clip};

/// A longer table is folded up, unless something failed.
const OPEN_MAX: usize = 30;

pub fn steps(report: &Report) -> Markup {
    let mut reads: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for edge in &report.edges {
        reads.entry(edge.to.as_str()).or_default().push(edge.from.as_str());
    }
    let shown = report.nodes.iter().take(ROWS_MAX);
    let rows: Vec<Markup> =
        shown.map(|node| row(node, reads.get(node.id.as_str()).map_or(&[][..], Vec::as_slice))).collect();
    let heads = [
        Head::Text("Step"),
        Head::Text("Kind"),
        Head::Text("Outcome"),
        Head::Number("Rows"),
        Head::Number("Time"),
        Head::Text("Reads"),
    ];
    html! {
        @if report.nodes.is_empty() {
            p.soft { "There is nothing to run." }
        } @else {
            (graph::figure(&report.nodes, &report.edges))
            details open[report.nodes.len() <= OPEN_MAX || !report.succeeded()] {
                summary { (format::count(report.nodes.len() as u64, "step", "steps")) ", in the order of what needs what" }
                (parts::table("What each step gave and took", &heads, &rows, report.nodes.len()))
            }
        }
    }
}

fn row(node: &NodeReport, reads: &[&str]) -> Markup {
    let (class, words) = match node.status {
        NodeStatus::Success => ("good", "✓ done"),
        NodeStatus::Skipped => ("soft", "= unchanged"),
        NodeStatus::Error => ("mark bad", "✕ failed"),
        NodeStatus::Blocked => ("mark doubt", "◌ blocked"),
        NodeStatus::NotSelected => ("soft", "– not selected"),
    };
    html! {
        th scope="row" { (parts::breakable(&clip(&node.id, CELL_MAX))) }
        td { (clip(&node.kind, CELL_MAX)) }
        td {
            span class=(class) { (words) }
            @if let Some(reason) = &node.reason {
                span.explain { (parts::message(reason)) }
            }
        }
        td.n { (rows(node)) }
        td.n { (time(node)) }
        td.small { (clip(&reads.join(", "), MESSAGE_MAX)) }
    }
}

/// None for what did not run.
fn time(node: &NodeReport) -> String {
    match node.status {
        NodeStatus::Success | NodeStatus::Error => format::duration(node.elapsed_seconds),
        NodeStatus::Skipped | NodeStatus::Blocked | NodeStatus::NotSelected => "–".to_owned(),
    }
}

/// One count where there is one port, else each port with its count.
fn rows(node: &NodeReport) -> Markup {
    html! {
        @match node.outputs.as_slice() {
            [] => "–",
            [only] => (format::thousands(only.rows)),
            [first, others @ ..] => {
                (format::thousands(first.rows))
                @for output in others.iter().take(6) {
                    span.range { (clip(&output.port, CELL_MAX)) " " (format::thousands(output.rows)) }
                }
            },
        }
        @if node.rows_set_aside() > 0 {
            span.range { (format::thousands(node.rows_set_aside())) " set aside" }
        }
    }
}
