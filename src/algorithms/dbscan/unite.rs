//! Core points that lie within the radius of each other, united.
//!
//! What is known to be one set is not compared again, so dense data takes hardly more time than sparse data, whatever
//! the radius.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use super::Metric;
use super::kernel::Bounds;
use super::sets::Sets;
use super::tree::{LEAF_ROWS, Tree};

/// Nothing is known of a node's core points yet.
const UNKNOWN: u32 = u32::MAX;
/// A node has no core points.
const EMPTY: u32 = u32::MAX - 1;

/// What is known of the core points of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// They may be of several sets.
    Nothing,
    /// There are none.
    Empty,
    /// All are of the set of this slot.
    One(u32),
}

/// The sets of core points, by slot.
pub(super) struct United<'a> {
    pub(super) tree: &'a Tree,
    metric: Metric,
    bound: f64,
    /// Of each leaf, which rows are core points.
    pub(super) cores: &'a [u32],
    pub(super) sets: Sets,
    /// Of each node, [`UNKNOWN`], [`EMPTY`], or a slot of the set that all its core points are of.
    known: Vec<AtomicU32>,
}

/// Unites all core points that are connected.
pub(super) fn unite<'a>(tree: &'a Tree, metric: Metric, bound: f64, cores: &'a [u32]) -> United<'a> {
    let known = (0..tree.nodes()).map(|_| AtomicU32::new(UNKNOWN)).collect();
    let united = United { tree, metric, bound, cores, sets: Sets::new(tree.rows), known };
    united.settle(0);
    (0..tree.leaves()).into_par_iter().for_each(|leaf| united.unite_leaf(leaf));
    united
}

/// A leaf whose core points are compared with those of others.
struct Leaf {
    number: usize,
    node: usize,
    /// Slots of the core points.
    slots: Vec<u32>,
    /// Their coordinates, point after point.
    points: Vec<f64>,
}

impl United<'_> {
    /// Slots of the core points of a node.
    pub(super) fn core_slots(&self, node: usize) -> impl Iterator<Item = u32> + '_ {
        self.tree.slots(node).filter(|slot| self.is_core(*slot)).map(|slot| slot as u32)
    }

    pub(super) fn is_core(&self, slot: usize) -> bool {
        self.cores[slot / LEAF_ROWS] >> (slot % LEAF_ROWS) & 1 == 1
    }

    /// What is known of a node, as far as its children can tell.
    pub(super) fn known(&self, node: usize) -> Known {
        if let Some(found) = self.noted(node) {
            return found;
        }
        let found = match self.tree.children(node) {
            Some([left, right]) => match (self.noted(left), self.noted(right)) {
                (Some(Known::Empty), Some(other)) | (Some(other), Some(Known::Empty)) => other,
                (Some(Known::One(a)), Some(Known::One(b))) if self.sets.are_one(a, b) => Known::One(a),
                _ => Known::Nothing,
            },
            None => {
                let mut slots = self.core_slots(node);
                match slots.next() {
                    None => Known::Empty,
                    Some(first) if slots.all(|slot| self.sets.are_one(first, slot)) => Known::One(first),
                    Some(_) => Known::Nothing,
                }
            }
        };
        self.note(node, found);
        found
    }

    fn noted(&self, node: usize) -> Option<Known> {
        match self.known[node].load(Ordering::Relaxed) {
            UNKNOWN => None,
            EMPTY => Some(Known::Empty),
            slot => Some(Known::One(slot)),
        }
    }

    /// What is once known stays true.
    fn note(&self, node: usize, found: Known) {
        let noted = match found {
            Known::Nothing => return,
            Known::Empty => EMPTY,
            Known::One(slot) => slot,
        };
        self.known[node].store(noted, Ordering::Relaxed);
    }

    /// Unites what lies within the radius of each other in one subtree; notes what is known from the start.
    fn settle(&self, node: usize) {
        let bounds = self.tree.bounds(node);
        if self.metric.apart_max(bounds, bounds) <= self.bound {
            self.unite_node(node);
        } else if let Some(children) = self.tree.children(node) {
            children.into_iter().for_each(|child| self.settle(child));
        }
        self.known(node);
    }

    /// Makes one set of all core points of a node, and notes it for the nodes below.
    fn unite_node(&self, node: usize) {
        let mut slots = self.core_slots(node);
        let first = slots.next();
        if let Some(first) = first {
            slots.for_each(|slot| self.sets.unite(first, slot));
        }
        self.note(node, first.map_or(Known::Empty, Known::One));
        // Below it, leaves find out by themselves what they are.
        let mut below: Vec<usize> = self.tree.children(node).into_iter().flatten().collect();
        while let Some(node) = below.pop() {
            let children = self.tree.children(node).into_iter().flatten();
            below.extend(children);
            self.note(node, self.core_slots(node).next().map_or(Known::Empty, Known::One));
        }
    }

    fn unite_leaf(&self, number: usize) {
        let path = self.tree.path(number);
        let Some((node, _)) = path.last().copied() else { return };
        let slots: Vec<u32> = self.core_slots(node).collect();
        if slots.is_empty() {
            return;
        }
        let points = slots.iter().flat_map(|slot| self.tree.point(*slot as usize)).collect();
        let leaf = Leaf { number, node, slots, points };
        self.visit(&leaf, node);
        // Near ones first: what they unite need not be compared with those far away.
        path.iter().rev().filter_map(|(_, sibling)| *sibling).for_each(|sibling| self.visit(&leaf, sibling));
    }

    /// Each pair of leaves is compared once, from the first of them.
    fn visit(&self, leaf: &Leaf, node: usize) {
        let range = self.tree.node(node);
        if ((range.first_leaf + range.leaves) as usize) <= leaf.number {
            return;
        }
        match (self.known(node), self.known(leaf.node)) {
            (Known::Empty, _) => return,
            (Known::One(a), Known::One(b)) if self.sets.are_one(a, b) => return,
            _ => {}
        }
        let (a, b) = (self.tree.bounds(leaf.node), self.tree.bounds(node));
        if self.metric.apart_min(a, b) > self.bound {
            return;
        }
        if range.first_leaf as usize >= leaf.number && self.metric.apart_max(a, b) <= self.bound {
            self.unite_all(leaf, node);
        } else if let Some(children) = self.tree.children(node) {
            children.into_iter().for_each(|child| self.visit(leaf, child));
        } else {
            self.compare(leaf, node);
        }
    }

    /// Everything here lies within the radius of everything there.
    fn unite_all(&self, leaf: &Leaf, node: usize) {
        let Some((first, others)) = leaf.slots.split_first() else { return };
        others.iter().for_each(|slot| self.sets.unite(*first, *slot));
        self.note(leaf.node, Known::One(*first));
        match self.known(node) {
            Known::One(slot) => self.sets.unite(*first, slot),
            // Core points of the node may lie further from each other, but all are near the leaf.
            _ => self.core_slots(node).for_each(|slot| self.sets.unite(*first, slot)),
        }
        self.note(node, Known::One(*first));
    }

    fn compare(&self, leaf: &Leaf, node: usize) {
        let number = self.tree.node(node).first_leaf as usize;
        let (rows, cores, bounds) = (self.tree.leaf(number), self.cores[number], self.tree.bounds(node));
        for (point, slot) in leaf.points.chunks_exact(self.tree.columns).zip(&leaf.slots) {
            if self.metric.apart_min(Bounds::point(point), bounds) > self.bound {
                continue;
            }
            let there = self.known(node);
            if let Known::One(there) = there
                && self.sets.are_one(there, *slot)
            {
                continue;
            }
            let mut mask = [0];
            self.metric.within(point, rows, self.tree.columns, self.bound, &mut mask);
            let mut near = mask[0] & cores;
            while near != 0 {
                let other = number * LEAF_ROWS + near.trailing_zeros() as usize;
                self.sets.unite(*slot, other as u32);
                // All others are of its set.
                near = if matches!(there, Known::One(_)) { 0 } else { near & (near - 1) };
            }
        }
    }
}
