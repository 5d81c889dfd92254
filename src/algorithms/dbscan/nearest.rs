//! Nearest rows: how far the k-th one lies, and which core point is the first.

use super::Metric;
use super::kernel::Bounds;
use super::tree::{LEAF_ROWS, Tree};

/// The rows nearest to a point, at most so many.
pub(super) struct Nearest<'a> {
    tree: &'a Tree,
    metric: Metric,
    point: &'a [f64],
    count: usize,
    /// Sum and row, ascending; of equally near ones the one of the lowest row first.
    found: Vec<(f64, u32)>,
    /// What lies further does not count.
    bound: f64,
}

impl<'a> Nearest<'a> {
    /// The `count` rows nearest to `point` within `bound`.
    pub(super) fn find(tree: &'a Tree, metric: Metric, point: &'a [f64], count: usize, bound: f64) -> Vec<(f64, u32)> {
        let mut nearest = Nearest { tree, metric, point, count, found: Vec::with_capacity(count + 1), bound };
        nearest.visit(0, nearest.apart(0));
        nearest.found
    }

    fn apart(&self, node: usize) -> f64 {
        self.metric.apart_min(Bounds::point(self.point), self.tree.bounds(node))
    }

    /// How near a row must lie to count still.
    fn worst(&self) -> f64 {
        self.found.get(self.count - 1).map_or(self.bound, |(sum, _)| *sum)
    }

    fn visit(&mut self, node: usize, apart: f64) {
        if apart > self.worst() {
            return;
        }
        match self.tree.children(node).map(|children| children.map(|child| (child, self.apart(child)))) {
            Some([left, right]) => {
                let (near, far) = if right.1 < left.1 { (right, left) } else { (left, right) };
                self.visit(near.0, near.1);
                self.visit(far.0, far.1);
            }
            None => self.compare(node),
        }
    }

    fn compare(&mut self, node: usize) {
        let mut sums = [0.0; LEAF_ROWS];
        self.metric.sums(self.point, self.tree.leaf(self.tree.node(node).first_leaf as usize), &mut sums);
        for (slot, sum) in self.tree.slots(node).zip(sums) {
            let one = (sum, self.tree.order[slot]);
            let is_near = match self.found.get(self.count - 1) {
                Some(last) => before(&one, last),
                None => sum <= self.bound,
            };
            if is_near {
                let place = self.found.partition_point(|other| before(other, &one));
                self.found.insert(place, one);
                self.found.truncate(self.count);
            }
        }
    }
}

fn before(a: &(f64, u32), b: &(f64, u32)) -> bool {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).is_lt()
}
