//! A k-d tree whose leaves hold 32 rows side by side, so that one bit mask stands for a leaf.

use ndarray::{ArrayView2, Axis};

use super::kernel::{Bounds, LANES};

/// Rows of a leaf; only the last one may have fewer. As many as a mask has bits.
pub(super) const LEAF_ROWS: usize = 32;
const _: () = assert!(LEAF_ROWS == u32::BITS as usize && LEAF_ROWS.is_multiple_of(LANES));
/// Subtrees of fewer leaves are built by one thread.
const FORK_LEAVES: usize = 64;

/// The rows of a matrix, regrouped. A *slot* is the place of a row in the order of the leaves.
pub(super) struct Tree {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// The row in each slot.
    pub(super) order: Vec<u32>,
    /// Leaf after leaf, tile after tile, column after column; what no row fills is infinite, far from everything.
    values: Vec<f64>,
    /// Each node before its left subtree before its right one.
    nodes: Vec<Node>,
    /// Of each node, the least coordinates and then the greatest.
    boxes: Vec<f64>,
}

/// The leaves of a subtree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) first_leaf: u32,
    pub(super) leaves: u32,
}

impl Tree {
    /// Rows are split at the middle of the column in which they spread most; equal coordinates by row, so that the
    /// tree is the same every time.
    ///
    /// There must be rows and columns, and fewer than 2³² rows.
    pub(super) fn new(x: ArrayView2<'_, f64>) -> Tree {
        let (rows, columns) = x.dim();
        let leaves = rows.div_ceil(LEAF_ROWS);
        let mut entries: Vec<(f64, u32)> = (0..rows as u32).map(|row| (0.0, row)).collect();
        let mut nodes = vec![Node::default(); 2 * leaves - 1];
        let mut boxes = vec![0.0; nodes.len() * 2 * columns];
        grow(x, &mut entries, &mut nodes, &mut boxes, 0);
        let order: Vec<u32> = entries.into_iter().map(|(_, row)| row).collect();
        let mut values = vec![f64::INFINITY; leaves * LEAF_ROWS * columns];
        for (leaf, rows) in values.chunks_exact_mut(LEAF_ROWS * columns).zip(order.chunks(LEAF_ROWS)) {
            for (lane, &row) in rows.iter().enumerate() {
                let start = lane / LANES * LANES * columns + lane % LANES;
                let slots = leaf.iter_mut().skip(start).step_by(LANES);
                slots.zip(x.row(row as usize)).for_each(|(slot, &value)| *slot = value);
            }
        }
        Tree { columns, rows, order, values, nodes, boxes }
    }

    pub(super) fn leaves(&self) -> usize {
        self.rows.div_ceil(LEAF_ROWS)
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, node: usize) -> Node {
        self.nodes[node]
    }

    /// Both subtrees; none of a leaf.
    pub(super) fn children(&self, node: usize) -> Option<[usize; 2]> {
        let leaves = self.nodes[node].leaves as usize;
        (leaves > 1).then(|| [node + 1, node + 2 * left_leaves(leaves)])
    }

    pub(super) fn bounds(&self, node: usize) -> Bounds<'_> {
        let both = &self.boxes[node * 2 * self.columns..(node + 1) * 2 * self.columns];
        let (low, high) = both.split_at(self.columns);
        Bounds { low, high }
    }

    /// The slots of a node's rows.
    pub(super) fn slots(&self, node: usize) -> std::ops::Range<usize> {
        let Node { first_leaf, leaves } = self.nodes[node];
        let start = first_leaf as usize * LEAF_ROWS;
        start..(start + leaves as usize * LEAF_ROWS).min(self.rows)
    }

    /// The rows of a leaf, as [`super::kernel`] reads them.
    pub(super) fn leaf(&self, leaf: usize) -> &[f64] {
        let length = LEAF_ROWS * self.columns;
        &self.values[leaf * length..(leaf + 1) * length]
    }

    /// The row in a slot, copied together.
    pub(super) fn point(&self, slot: usize) -> impl Iterator<Item = f64> + '_ {
        let tile = slot / LANES * LANES * self.columns + slot % LANES;
        self.values.iter().skip(tile).step_by(LANES).take(self.columns).copied()
    }

    /// Each node on the way from the root to a leaf, and the sibling that is not on it; the root has none.
    pub(super) fn path(&self, leaf: usize) -> Vec<(usize, Option<usize>)> {
        let mut path = vec![(0, None)];
        let mut node = 0;
        while let Some([left, right]) = self.children(node) {
            let (next, other) =
                if leaf < self.nodes[right].first_leaf as usize { (left, right) } else { (right, left) };
            path.push((next, Some(other)));
            node = next;
        }
        path
    }
}

/// Of so many leaves, how many go to the left: all subtrees but those at the right edge are full.
fn left_leaves(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

/// Fills the nodes of a subtree and puts its rows in order.
fn grow(x: ArrayView2<'_, f64>, entries: &mut [(f64, u32)], nodes: &mut [Node], boxes: &mut [f64], first_leaf: usize) {
    let columns = x.ncols();
    let leaves = entries.len().div_ceil(LEAF_ROWS);
    let ([node, nodes @ ..], (bounds, boxes)) = (nodes, boxes.split_at_mut(2 * columns)) else { return };
    *node = Node { first_leaf: first_leaf as u32, leaves: leaves as u32 };
    let (low, high) = bounds.split_at_mut(columns);
    low.fill(f64::INFINITY);
    high.fill(f64::NEG_INFINITY);
    for (_, row) in entries.iter() {
        let values = x.index_axis(Axis(0), *row as usize);
        for ((low, high), &value) in low.iter_mut().zip(high.iter_mut()).zip(values) {
            *low = low.min(value);
            *high = high.max(value);
        }
    }
    if leaves == 1 {
        return;
    }
    let spread = low.iter().zip(high.iter()).map(|(low, high)| high - low).enumerate();
    let widest = spread.max_by(|(i, a), (j, b)| a.total_cmp(b).then(j.cmp(i))).map_or(0, |(column, _)| column);
    let column = x.column(widest);
    entries.iter_mut().for_each(|(value, row)| *value = column[*row as usize]);
    let left = left_leaves(leaves);
    let middle = left * LEAF_ROWS;
    entries.select_nth_unstable_by(middle, |(a, i), (b, j)| a.total_cmp(b).then(i.cmp(j)));
    let (left_entries, right_entries) = entries.split_at_mut(middle);
    let (left_nodes, right_nodes) = nodes.split_at_mut(2 * left - 1);
    let (left_boxes, right_boxes) = boxes.split_at_mut((2 * left - 1) * 2 * columns);
    let mut left_side = || grow(x, left_entries, left_nodes, left_boxes, first_leaf);
    let mut right_side = || grow(x, right_entries, right_nodes, right_boxes, first_leaf + left);
    if leaves < FORK_LEAVES {
        left_side();
        right_side();
    } else {
        rayon::join(left_side, right_side);
    }
}
