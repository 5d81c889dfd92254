//! Which rows are core points: how many lie within their radius, counted no further than matters.

use rayon::prelude::*;

use super::Metric;
use super::kernel::Bounds;
use super::tree::{LEAF_ROWS, Tree};

/// Of each leaf, a mask of the rows that have at least `min_points` rows within `bound`, themselves included.
pub(super) fn cores(tree: &Tree, metric: Metric, bound: f64, min_points: usize) -> Vec<u32> {
    let mut found = vec![0; tree.leaves()];
    mark_dense(tree, metric, bound, min_points, 0, &mut found);
    found.par_iter_mut().enumerate().for_each(|(leaf, mask)| {
        if *mask == 0 {
            *mask = Count::new(tree, metric, bound, min_points, leaf).run();
        }
    });
    found
}

/// The bits of the rows that a leaf has.
pub(super) fn all_rows(tree: &Tree, leaf: usize) -> u32 {
    let rows = (tree.rows - leaf * LEAF_ROWS).min(LEAF_ROWS);
    u32::MAX >> (LEAF_ROWS - rows)
}

/// Where all rows of a subtree lie within the radius of each other, and there are enough, all are core points.
fn mark_dense(tree: &Tree, metric: Metric, bound: f64, min_points: usize, node: usize, found: &mut [u32]) {
    if tree.slots(node).len() < min_points {
        return;
    }
    let bounds = tree.bounds(node);
    if metric.apart_max(bounds, bounds) <= bound {
        let (first, leaves) = (tree.node(node).first_leaf as usize, tree.node(node).leaves as usize);
        for (leaf, mask) in found.iter_mut().enumerate().skip(first).take(leaves) {
            *mask = all_rows(tree, leaf);
        }
    } else if let Some(children) = tree.children(node) {
        children.into_iter().for_each(|child| mark_dense(tree, metric, bound, min_points, child, found));
    }
}

/// The rows of one leaf, those that are still to be counted for first.
struct Count<'a> {
    tree: &'a Tree,
    metric: Metric,
    bound: f64,
    min_points: usize,
    leaf: usize,
    /// Row after row.
    points: Vec<f64>,
    /// Which row of the leaf each point is.
    places: Vec<u32>,
    counts: Vec<usize>,
    cores: u32,
}

impl<'a> Count<'a> {
    fn new(tree: &'a Tree, metric: Metric, bound: f64, min_points: usize, leaf: usize) -> Count<'a> {
        let rows = all_rows(tree, leaf).count_ones() as usize;
        let slots = leaf * LEAF_ROWS..leaf * LEAF_ROWS + rows;
        let points = slots.flat_map(|slot| tree.point(slot)).collect();
        let (places, counts) = ((0..rows as u32).collect(), vec![0; rows]);
        Count { tree, metric, bound, min_points, leaf, points, places, counts, cores: 0 }
    }

    /// Looks near the leaf first, since most rows need to see no further.
    fn run(mut self) -> u32 {
        let path = self.tree.path(self.leaf);
        let Some((own, _)) = path.last() else { return 0 };
        self.visit(*own, *own);
        for (_, sibling) in path.iter().rev() {
            if self.points.is_empty() {
                break;
            }
            if let Some(sibling) = sibling {
                self.visit(*own, *sibling);
            }
        }
        self.cores
    }

    fn visit(&mut self, own: usize, node: usize) {
        if self.points.is_empty() {
            return;
        }
        let (a, b) = (self.tree.bounds(own), self.tree.bounds(node));
        if self.metric.apart_min(a, b) > self.bound {
            return;
        }
        if self.metric.apart_max(a, b) <= self.bound {
            let rows = self.tree.slots(node).len();
            self.counts.iter_mut().for_each(|count| *count += rows);
            self.retire();
        } else if let Some([left, right]) = self.tree.children(node) {
            self.visit(own, left);
            self.visit(own, right);
        } else {
            self.compare(node);
        }
    }

    fn compare(&mut self, node: usize) {
        let leaf = self.tree.leaf(self.tree.node(node).first_leaf as usize);
        let bounds = self.tree.bounds(node);
        for (point, count) in self.points.chunks_exact(self.tree.columns).zip(&mut self.counts) {
            if self.metric.apart_min(Bounds::point(point), bounds) <= self.bound {
                let mut mask = [0];
                self.metric.within(point, leaf, self.tree.columns, self.bound, &mut mask);
                *count += mask[0].count_ones() as usize;
            }
        }
        self.retire();
    }

    /// Lets go of the points that have enough.
    fn retire(&mut self) {
        let columns = self.tree.columns;
        let mut index = self.places.len();
        while index > 0 {
            index -= 1;
            if self.counts[index] >= self.min_points {
                self.cores |= 1 << self.places[index];
                let last = self.places.len() - 1;
                self.places.swap_remove(index);
                self.counts.swap_remove(index);
                self.points.copy_within(last * columns.., index * columns);
                self.points.truncate(last * columns);
            }
        }
    }
}
