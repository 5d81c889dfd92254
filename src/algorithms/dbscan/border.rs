//! From sets of core points to the cluster of each row.

use rayon::prelude::*;

use super::Metric;
use super::cores::all_rows;
use super::kernel::Bounds;
use super::tree::{LEAF_ROWS, Tree};
use super::unite::{Known, United};

/// No cluster.
pub(super) const NOISE: u32 = u32::MAX;

/// The cluster of each row and the number of clusters. Clusters are numbered by their first core point in the order
/// of the rows; a border point goes to the first cluster that it reaches.
pub(super) fn labels(united: &United<'_>, metric: Metric, bound: f64) -> (Vec<u32>, usize) {
    let tree = united.tree;
    let (of_sets, clusters) = number(united);
    let mut by_slot = vec![NOISE; tree.rows];
    by_slot.par_chunks_mut(LEAF_ROWS).enumerate().for_each(|(leaf, labels)| {
        for (place, label) in labels.iter_mut().enumerate() {
            let slot = leaf * LEAF_ROWS + place;
            if united.is_core(slot) {
                *label = of_sets[united.sets.find(slot as u32) as usize];
            }
        }
        if united.cores[leaf] != all_rows(tree, leaf) {
            let path = tree.path(leaf);
            let Some((node, _)) = path.last() else { return };
            for (place, label) in labels.iter_mut().enumerate() {
                let slot = leaf * LEAF_ROWS + place;
                if !united.is_core(slot) {
                    let point: Vec<f64> = tree.point(slot).collect();
                    let mut reach = Reach { united, of_sets: &of_sets, metric, bound, point: &point, first: NOISE };
                    reach.visit(*node);
                    path.iter().rev().filter_map(|(_, sibling)| *sibling).for_each(|sibling| reach.visit(sibling));
                    *label = reach.first;
                }
            }
        }
    });
    let mut labels = vec![NOISE; tree.rows];
    for (label, row) in by_slot.into_iter().zip(&tree.order) {
        labels[*row as usize] = label;
    }
    (labels, clusters)
}

/// The number of each set, by the slot that stands for it.
fn number(united: &United<'_>) -> (Vec<u32>, usize) {
    let tree: &Tree = united.tree;
    let mut slots = vec![0_u32; tree.rows];
    for (slot, row) in tree.order.iter().enumerate() {
        slots[*row as usize] = slot as u32;
    }
    let mut of_sets = vec![NOISE; tree.rows];
    let mut clusters = 0;
    for slot in slots.into_iter().filter(|slot| united.is_core(*slot as usize)) {
        let number = &mut of_sets[united.sets.find(slot) as usize];
        if *number == NOISE {
            *number = clusters;
            clusters += 1;
        }
    }
    (of_sets, clusters as usize)
}

/// Looks for the first cluster with a core point near a point that is none.
struct Reach<'a> {
    united: &'a United<'a>,
    of_sets: &'a [u32],
    metric: Metric,
    bound: f64,
    point: &'a [f64],
    first: u32,
}

impl Reach<'_> {
    fn visit(&mut self, node: usize) {
        let known = self.united.known(node);
        let of_node = match known {
            Known::Empty => return,
            Known::One(slot) => Some(self.label(slot)),
            Known::Nothing => None,
        };
        if of_node.is_some_and(|label| label >= self.first) {
            return;
        }
        let tree = self.united.tree;
        let (point, bounds) = (Bounds::point(self.point), tree.bounds(node));
        if self.metric.apart_min(point, bounds) > self.bound {
            return;
        }
        if let (Some(label), true) = (of_node, self.metric.apart_max(point, bounds) <= self.bound) {
            self.first = label;
        } else if let Some([left, right]) = tree.children(node) {
            self.visit(left);
            self.visit(right);
        } else {
            let leaf = tree.node(node).first_leaf as usize;
            let mut mask = [0];
            self.metric.within(self.point, tree.leaf(leaf), tree.columns, self.bound, &mut mask);
            let mut near = mask[0] & self.united.cores[leaf];
            while near != 0 {
                let slot = leaf * LEAF_ROWS + near.trailing_zeros() as usize;
                self.first = self.first.min(self.label(slot as u32));
                near &= near - 1;
            }
        }
    }

    fn label(&self, slot: u32) -> u32 {
        self.of_sets[self.united.sets.find(slot) as usize]
    }
}
