//! The DAG, drawn in layers from left to right: every node stands right of all that it reads.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::report::content::{Edge, NodeReport, NodeStatus};
use crate::report::format::{clip, count};

/// Beyond so many nodes a drawing is a thicket, and the table says it better.
const NODES_MAX: usize = 60;
const EDGES_MAX: usize = 240;
const BOX_WIDTH: usize = 132;
const BOX_HEIGHT: usize = 38;
const GAP_ACROSS: usize = 26;
const GAP_DOWN: usize = 14;
/// Characters that fit into a box.
const LABEL_MAX: usize = 16;

/// The drawing with its caption; words where there is too much to see, and nothing where there is nothing.
pub fn figure(nodes: &[NodeReport], edges: &[Edge]) -> Markup {
    if nodes.len() < 2 {
        return html! {};
    }
    if nodes.len() > NODES_MAX || edges.len() > EDGES_MAX {
        let (nodes, edges) = (count(nodes.len() as u64, "step", "steps"), count(edges.len() as u64, "arrow", "arrows"));
        return html! {
            p.soft { "A graph of " (nodes) " and " (edges) " is too large to be drawn; the table says what each step reads." }
        };
    }
    drawing(nodes, edges)
}

fn drawing(nodes: &[NodeReport], edges: &[Edge]) -> Markup {
    let index: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(place, node)| (node.id.as_str(), place)).collect();
    let arrows: Vec<(usize, usize)> = edges
        .iter()
        .filter_map(|edge| Some((*index.get(edge.from.as_str())?, *index.get(edge.to.as_str())?)))
        .collect();
    let layers = layers(nodes.len(), &arrows);
    let highest = layers.iter().map(Vec::len).max().unwrap_or(1);
    let width = layers.len() * (BOX_WIDTH + GAP_ACROSS) - GAP_ACROSS + 4;
    let height = highest * (BOX_HEIGHT + GAP_DOWN) - GAP_DOWN + 4;
    let spots = spots(&layers, nodes.len(), height);
    html! {
        figure {
            div.scroll role="group" tabindex="0" aria-label="Graph of the steps" {
                svg.dag role="img" aria-label="Graph of the steps; the table below says the same in words"
                    viewBox={ "0 0 " (width) " " (height) } style={ "min-width:" (width * 7 / 8) "px;max-width:" (width) "px" } {
                    @for (from, to) in &arrows { (arrow(&spots, *from, *to)) }
                    @for (node, spot) in nodes.iter().zip(&spots) { (draw(node, *spot)) }
                }
            }
            figcaption {
                "From the sources on the left to the published tables on the right. "
                "A broken border: unchanged. A dotted one: blocked. A thick one: failed. "
                "Faint: not selected."
            }
        }
    }
}

/// Node numbers per layer; a node's layer is the longest way to it. Within a layer, nodes are sorted
/// by the mean height of what they read, which keeps most arrows from crossing.
fn layers(nodes: usize, arrows: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut depth = vec![0_usize; nodes];
    // A plan has no cycle; should a broken report have one, the rounds are bounded all the same.
    for _ in 0..nodes {
        for &(from, to) in arrows {
            let least = depth.get(from).map_or(0, |depth| depth + 1).min(nodes - 1);
            if let Some(depth) = depth.get_mut(to) {
                *depth = least.max(*depth);
            }
        }
    }
    let mut layers = vec![vec![]; depth.iter().max().map_or(0, |deepest| deepest + 1)];
    for (node, depth) in depth.iter().enumerate() {
        if let Some(layer) = layers.get_mut(*depth) {
            layer.push(node);
        }
    }
    layers.retain(|layer| !layer.is_empty());
    let mut heights: BTreeMap<usize, f64> = BTreeMap::new();
    for layer in &mut layers {
        let key = |node: usize| {
            let reads = arrows.iter().filter(|(_, to)| *to == node);
            let read: Vec<f64> = reads.filter_map(|(from, _)| heights.get(from).copied()).collect();
            if read.is_empty() { 0.5 } else { read.iter().sum::<f64>() / read.len() as f64 }
        };
        let mut keyed: Vec<(f64, usize)> = layer.iter().map(|node| (key(*node), *node)).collect();
        keyed.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
        *layer = keyed.into_iter().map(|(_, node)| node).collect();
        let count = layer.len() as f64;
        let middles = layer.iter().enumerate().map(|(row, node)| (*node, (row as f64 + 0.5) / count));
        heights.extend(middles);
    }
    layers
}

/// The upper left corner of every node, layers centered.
fn spots(layers: &[Vec<usize>], nodes: usize, height: usize) -> Vec<(usize, usize)> {
    let mut spots = vec![(2, 2); nodes];
    for (column, layer) in layers.iter().enumerate() {
        let used = layer.len() * (BOX_HEIGHT + GAP_DOWN) - GAP_DOWN;
        let top = height.saturating_sub(used) / 2;
        for (row, node) in layer.iter().enumerate() {
            if let Some(spot) = spots.get_mut(*node) {
                *spot = (2 + column * (BOX_WIDTH + GAP_ACROSS), top + row * (BOX_HEIGHT + GAP_DOWN));
            }
        }
    }
    spots
}

fn arrow(spots: &[(usize, usize)], from: usize, to: usize) -> Markup {
    let (Some((from_x, from_y)), Some((to_x, to_y))) = (spots.get(from), spots.get(to)) else {
        return html! {};
    };
    let (start_x, start_y) = (from_x + BOX_WIDTH, from_y + BOX_HEIGHT / 2);
    let (end_x, end_y) = (to_x.saturating_sub(6), to_y + BOX_HEIGHT / 2);
    let (bend_out, bend_in) = (start_x + GAP_ACROSS / 2, end_x.saturating_sub(GAP_ACROSS / 2));
    let way = format!("M{start_x} {start_y} C{bend_out} {start_y} {bend_in} {end_y} {end_x} {end_y}");
    let (top, bottom) = (end_y.saturating_sub(4), end_y + 4);
    let tip = format!("M{end_x} {top} L{to_x} {end_y} L{end_x} {bottom} Z");
    html! {
        path.edge d=(way) {}
        path.arrow d=(tip) {}
    }
}

fn draw(node: &NodeReport, (x, y): (usize, usize)) -> Markup {
    let status = match node.status {
        NodeStatus::Success => "",
        NodeStatus::Skipped => " box-skipped",
        NodeStatus::Error => " box-error",
        NodeStatus::Blocked => " box-blocked",
        NodeStatus::NotSelected => " box-left-out",
    };
    let name_class = if node.status == NodeStatus::NotSelected { "tick" } else { "strong" };
    let ends = match node.kind.as_str() {
        "source" => " box-source",
        "publish" => " box-publish",
        _ => "",
    };
    let name = node.id.split_once('.').map_or(node.id.as_str(), |(_, name)| name);
    html! {
        g {
            title { (clip(&node.id, 120)) }
            rect class={ "box" (ends) (status) } x=(x) y=(y) width=(BOX_WIDTH) height=(BOX_HEIGHT) rx="4" {}
            text class=(name_class) x=(x + 8) y=(y + 16) { (clip(name, LABEL_MAX)) }
            text.tick x=(x + 8) y=(y + 30) { (clip(&node.kind, LABEL_MAX)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::layers;

    #[test]
    fn a_node_stands_right_of_all_it_reads() {
        // 0 → 1 → 2 → 3 and 0 → 3: node 3 is in the fourth layer, not the second.
        assert_eq!(layers(4, &[(0, 1), (1, 2), (2, 3), (0, 3)]), [[0], [1], [2], [3]]);
    }

    #[test]
    fn arrows_are_kept_from_crossing() {
        // 0 and 1 are read by 3 and 2: the second layer is turned over.
        assert_eq!(layers(4, &[(0, 3), (1, 2)]), [[0, 1], [3, 2]]);
    }

    #[test]
    fn a_cycle_ends() {
        assert_eq!(layers(2, &[(0, 1), (1, 0)]).concat().len(), 2);
    }
}
