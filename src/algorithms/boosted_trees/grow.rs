//! One tree, grown at the leaf that gains most.

use super::Params;
use super::cuts::Binned;
use super::histogram::{Row, Slope, Sum, histogram};
use super::model::{Node, Tree};
use super::part::part;
use std::ops::Range;

/// A split that gains less is not made.
const GAIN_MIN: f64 = 1e-6;

/// Bytes of histograms that are kept, at most; with more, both sides of a split are summed.
pub(super) const HISTOGRAMS_MAX: u64 = 512 << 20;

/// Rows whose bin is at most `code` go left.
#[derive(Debug, Clone, Copy)]
struct Split {
    column: usize,
    code: u8,
    gain: f64,
    left: Sum,
}

/// What is grown: first the root, then two sides at a time.
struct Grown {
    sum: Sum,
    /// With the place of the left side; the right one follows it.
    split: Option<(Split, usize)>,
}

/// A leaf that may be split.
struct Leaf {
    place: usize,
    rows: Range<usize>,
    depth: usize,
    sum: Sum,
    histogram: Vec<Sum>,
    best: Option<Split>,
}

/// Grows trees on one table.
pub(super) struct Grower<'a> {
    binned: &'a Binned,
    params: &'a Params,
    /// Those of a leaf side by side, ascending.
    rows: Vec<Row>,
    spare: Vec<Row>,
    keeps_histograms: bool,
}

/// A tree with what it says of the rows it was grown on.
pub(super) struct Told {
    pub(super) tree: Tree,
    /// Rows of each leaf and its value.
    pub(super) leaves: Vec<(Range<usize>, f64)>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(binned: &'a Binned, params: &'a Params) -> Self {
        let bytes = (binned.bins() * size_of::<Sum>()) as u64;
        Self {
            binned,
            params,
            rows: vec![Row::default(); binned.rows],
            spare: vec![Row::default(); binned.rows],
            keeps_histograms: bytes.saturating_mul(params.leaves as u64) <= HISTOGRAMS_MAX,
        }
    }

    /// The rows of a leaf of the newest tree.
    pub(super) fn rows(&self, leaf: &Range<usize>) -> &[Row] {
        self.rows.get(leaf.clone()).unwrap_or_default()
    }

    /// A tree on some of the columns, of one slope a row; `scale` brings values to the unit of the target. Adds to the
    /// gain of the columns.
    pub(super) fn grow(
        &mut self,
        slopes: impl Iterator<Item = Slope>,
        columns: &[usize],
        scale: f64,
        gains: &mut [f64],
    ) -> Told {
        let mut sum = Sum::default();
        for ((slot, row), slope) in self.rows.iter_mut().zip(0..).zip(slopes) {
            *slot = Row { row, slope };
            sum.add(slope);
        }
        let mut grown = vec![Grown { sum, split: None }];
        let rows = 0..self.rows.len();
        let histogram = histogram(self.binned, self.rows(&rows), columns);
        let mut leaves = vec![self.leaf(0, rows, 0, histogram, sum, columns)];
        let mut done = Vec::new();
        while leaves.len() + done.len() < self.params.leaves {
            let may_gain = |(place, leaf): (usize, &Leaf)| leaf.best.map(|split| (place, split));
            let all = leaves.iter().enumerate().filter_map(may_gain);
            // Of equal ones the first.
            let Some((best, split)) = all.reduce(|best, next| if next.1.gain > best.1.gain { next } else { best })
            else {
                break;
            };
            let leaf = leaves.swap_remove(best);
            let middle = self.part(&leaf.rows, split);
            if middle == leaf.rows.start || middle == leaf.rows.end {
                // Rounding made a side of no rows.
                done.push(leaf);
                continue;
            }
            let sums = [split.left, leaf.sum.minus(split.left)];
            let left = grown.len();
            if let Some(parent) = grown.get_mut(leaf.place) {
                parent.split = Some((split, left));
            }
            if let Some(gain) = gains.get_mut(split.column) {
                *gain += split.gain;
            }
            grown.extend(sums.map(|sum| Grown { sum, split: None }));
            let sides = [leaf.rows.start..middle, middle..leaf.rows.end];
            let histograms = self.sides(leaf.histogram, &sides, columns, leaf.depth + 1);
            for (side, ((rows, sum), histogram)) in sides.into_iter().zip(sums).zip(histograms).enumerate() {
                leaves.push(self.leaf(left + side, rows, leaf.depth + 1, histogram, sum, columns));
            }
        }
        done.append(&mut leaves);
        let leaves = done.into_iter().map(|leaf| (leaf.rows, self.value(leaf.sum))).collect();
        Told { tree: self.tree(&grown, scale), leaves }
    }

    fn value(&self, sum: Sum) -> f64 {
        self.params.learning_rate * sum.value(self.params.l2)
    }

    fn may_split(&self, depth: usize) -> bool {
        self.params.depth.is_none_or(|most| depth < most)
    }

    fn leaf(
        &self,
        place: usize,
        rows: Range<usize>,
        depth: usize,
        histogram: Vec<Sum>,
        sum: Sum,
        columns: &[usize],
    ) -> Leaf {
        let best = if self.may_split(depth) { self.best(&histogram, sum, columns) } else { None };
        let histogram = if self.keeps_histograms && best.is_some() { histogram } else { Vec::new() };
        Leaf { place, rows, depth, sum, histogram, best }
    }

    /// The histograms of both sides of a split; that of the larger is what the smaller leaves of the whole.
    fn sides(&self, mut whole: Vec<Sum>, sides: &[Range<usize>; 2], columns: &[usize], depth: usize) -> [Vec<Sum>; 2] {
        if !self.may_split(depth) {
            return [Vec::new(), Vec::new()];
        }
        let of = |side: &Range<usize>| histogram(self.binned, self.rows(side), columns);
        let [left, right] = sides;
        if whole.is_empty() {
            return [of(left), of(right)];
        }
        let left_is_smaller = left.len() <= right.len();
        let smaller = of(if left_is_smaller { left } else { right });
        whole.iter_mut().zip(&smaller).for_each(|(whole, smaller)| *whole = whole.minus(*smaller));
        if left_is_smaller { [smaller, whole] } else { [whole, smaller] }
    }

    /// The split that gains most; of equal ones that of the first column, and the lowest.
    fn best(&self, histogram: &[Sum], sum: Sum, columns: &[usize]) -> Option<Split> {
        let whole = sum.gain(self.params.l2);
        let mut best: Option<Split> = None;
        for column in columns {
            let bins = histogram.get(self.binned.bins_of(*column)).unwrap_or_default();
            let mut left = Sum::default();
            for (code, bin) in (0_u8..).zip(bins.iter().take(bins.len().saturating_sub(1))) {
                left = left.plus(*bin);
                let right = sum.minus(left);
                let enough = |side: Sum| side.second > 0.0 && side.second >= self.params.min_leaf_weight;
                if !enough(left) || !enough(right) {
                    continue;
                }
                let gain = left.gain(self.params.l2) + right.gain(self.params.l2) - whole;
                if gain > best.map_or(GAIN_MIN, |best| best.gain) {
                    best = Some(Split { column: *column, code, gain, left });
                }
            }
        }
        best
    }

    /// Parts the rows of a leaf; gives where those start that go right.
    fn part(&mut self, rows: &Range<usize>, split: Split) -> usize {
        let group = self.binned.group_of(split.column);
        match (self.rows.get_mut(rows.clone()), self.spare.get_mut(rows.clone()), group) {
            (Some(own), Some(spare), Some(group)) => {
                rows.start + part(own, spare, group.column(split.column), split.code)
            }
            _ => rows.start,
        }
    }

    /// As it is kept: each node's left side right behind it, thresholds of values instead of bins.
    fn tree(&self, grown: &[Grown], scale: f64) -> Tree {
        let mut nodes: Vec<Node> = Vec::with_capacity(grown.len());
        let mut covers = Vec::with_capacity(grown.len());
        // Places to come, with the node whose right side they are.
        let mut waiting = vec![(0_usize, None)];
        while let Some((place, parent)) = waiting.pop() {
            let Some(from) = grown.get(place) else { continue };
            let here = nodes.len();
            if let Some(parent) = parent.and_then(|parent: usize| nodes.get_mut(parent)) {
                parent.right = here as u32;
            }
            covers.push(from.sum.second);
            match from.split {
                None => nodes.push(Node { value: scale * self.value(from.sum), ..Node::default() }),
                Some((split, left)) => {
                    let threshold = self.binned.threshold(split.column, split.code);
                    nodes.push(Node { column: split.column as u32, threshold, right: 0, value: 0.0 });
                    waiting.push((left + 1, Some(here)));
                    waiting.push((left, None));
                }
            }
        }
        Tree::with_means(nodes, &covers)
    }
}
