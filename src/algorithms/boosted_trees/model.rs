//! Fitted trees: what they say of a row and why.

use crate::algorithms::input::{InputError, check_finite, check_width};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows that a thread takes at once.
const BLOCK_ROWS: usize = 256;

/// What was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Whether something is true.
    Binary,
    /// Which of several classes.
    Classes,
    /// A number.
    Number,
}

/// Fitted trees. Reading them from JSON refuses trees that are not sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Trees {
    target: Target,
    columns: usize,
    base: Vec<f64>,
    gains: Vec<f64>,
    trees: Vec<Tree>,
}

/// Nodes, each with its left side right behind it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tree(Vec<Node>);

/// A leaf, or a question: is the value of a column at most the threshold? If so, on to the next node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u32, f64, u32, f64)", into = "(u32, f64, u32, f64)")]
pub(super) struct Node {
    pub(super) column: u32,
    pub(super) threshold: f64,
    /// Where to go on otherwise; zero in a leaf.
    pub(super) right: u32,
    /// What is added to the score in a leaf; elsewhere the mean of that in the leaves below.
    pub(super) value: f64,
}

impl From<(u32, f64, u32, f64)> for Node {
    fn from((column, threshold, right, value): (u32, f64, u32, f64)) -> Self {
        Self { column, threshold, right, value }
    }
}

impl From<Node> for (u32, f64, u32, f64) {
    fn from(node: Node) -> Self {
        (node.column, node.threshold, node.right, node.value)
    }
}

impl Tree {
    /// Of nodes whose leaves have values and all have weights (`covers`): means are filled in.
    pub(super) fn with_means(mut nodes: Vec<Node>, covers: &[f64]) -> Self {
        for place in (0..nodes.len()).rev() {
            let Some(right) = nodes.get(place).map(|node| node.right as usize).filter(|right| *right > 0) else {
                continue;
            };
            let side = |side: usize| Some((nodes.get(side)?.value, covers.get(side)?.max(f64::MIN_POSITIVE)));
            let (Some((left, more)), Some((right, most))) = (side(place + 1), side(right)) else { continue };
            let mean = left + (right - left) * (most / (more + most));
            if let Some(node) = nodes.get_mut(place) {
                node.value = mean;
            }
        }
        Self(nodes)
    }

    /// Whether every way through it ends in a leaf.
    fn is_sound(&self, columns: usize) -> bool {
        let nodes = self.0.len();
        let sound = |(place, node): (usize, &Node)| {
            let right = node.right as usize;
            right == 0 || (right > place + 1 && right < nodes && (node.column as usize) < columns)
        };
        nodes > 0 && self.0.iter().enumerate().all(sound) && self.0.iter().all(|node| node.value.is_finite())
    }

    /// What it adds to the score of a row.
    fn value(&self, row: &[f64]) -> f64 {
        let mut place = 0;
        while let Some(node) = self.0.get(place) {
            if node.right == 0 {
                return node.value;
            }
            let value = row.get(node.column as usize).copied().unwrap_or(0.0);
            place = if value <= node.threshold { place + 1 } else { node.right as usize };
        }
        0.0
    }
}

impl Trees {
    pub(super) fn new(target: Target, base: Vec<f64>, trees: Vec<Tree>, gains: Vec<f64>) -> Self {
        Self { target, columns: gains.len(), base, gains, trees }
    }

    /// A number that is always the same.
    pub(super) fn constant(columns: usize, value: f64) -> Self {
        Self::new(Target::Number, vec![value], Vec::new(), vec![0.0; columns])
    }

    /// How many there are; of more than two classes each has its own.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Trees that split nothing: where the last ones do, more rounds would have changed nothing.
    pub fn idle_trees(&self) -> usize {
        self.trees.iter().filter(|tree| tree.0.len() <= 1).count()
    }

    /// Leaves of all trees.
    pub fn leaves(&self) -> usize {
        self.trees.iter().map(|tree| tree.0.iter().filter(|node| node.right == 0).count()).sum()
    }

    /// For each column how much the loss went down by splits on it, in all trees; zero where it is not used.
    pub fn gains(&self) -> &[f64] {
        &self.gains
    }

    /// Rows × probabilities: of true (one column), or of each class, whose sum is one; of a number the number itself.
    pub fn predictions(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        self.each(x, |scores| match self.target {
            Target::Binary => scores.iter_mut().for_each(|score| *score = 1.0 / (1.0 + (-*score).exp())),
            Target::Classes => {
                let top = scores.iter().fold(f64::NEG_INFINITY, |top, score| top.max(*score));
                scores.iter_mut().for_each(|score| *score = (*score - top).exp());
                let sum: f64 = scores.iter().sum();
                scores.iter_mut().for_each(|score| *score /= sum);
            }
            Target::Number => {}
        })
    }

    /// Rows × columns: by how much each column moved one score of each row (`outputs`); with the means of all trees and
    /// the base, a row's sum is its score. A split is credited with the change of the mean along it (Saabas 2014,
    /// "Interpreting random forests"), which takes one walk and, unlike Shapley values, favors splits near the leaves. A
    /// score that does not exist is not moved.
    pub fn contributions(&self, x: ArrayView2<'_, f64>, outputs: &[usize]) -> Result<Array2<f64>, InputError> {
        check_width(x, self.columns)?;
        check_finite(x)?;
        let mut found = Array2::zeros(x.raw_dim());
        let step = self.base.len().max(1);
        let rows: Vec<_> = found.rows_mut().into_iter().zip(x.rows()).zip(outputs).collect();
        rows.into_par_iter().with_min_len(BLOCK_ROWS).for_each(|((mut slots, row), output)| {
            let skip = if *output < step { *output } else { self.trees.len() };
            self.trees.iter().skip(skip).step_by(step).for_each(|tree| credit(tree, row, &mut slots));
        });
        Ok(found)
    }

    /// The scores of every row, changed by `finish`.
    fn each(&self, x: ArrayView2<'_, f64>, finish: impl Fn(&mut [f64]) + Sync) -> Result<Array2<f64>, InputError> {
        check_width(x, self.columns)?;
        check_finite(x)?;
        let outputs = self.base.len();
        let mut found = Array2::zeros((x.nrows(), outputs));
        let slots: Vec<_> = found.axis_chunks_iter_mut(Axis(0), BLOCK_ROWS).collect();
        let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), BLOCK_ROWS).collect();
        slots.into_par_iter().zip(blocks).for_each(|(mut slots, block)| {
            let values: Vec<f64> = block.iter().copied().collect();
            let mut scores = self.base.repeat(block.nrows());
            // Tree after tree over a block of rows, so that a tree is fetched once.
            for (tree, output) in self.trees.iter().zip((0..outputs).cycle()) {
                let rows = values.chunks_exact(self.columns.max(1));
                let own = scores.iter_mut().skip(output).step_by(outputs.max(1));
                own.zip(rows).for_each(|(score, row)| *score += tree.value(row));
            }
            for (mut slots, scores) in slots.rows_mut().into_iter().zip(scores.chunks_exact_mut(outputs.max(1))) {
                scores.iter_mut().for_each(|score| *score = score.clamp(f64::MIN, f64::MAX));
                finish(scores);
                slots.iter_mut().zip(scores).for_each(|(slot, score)| *slot = *score);
            }
        });
        Ok(found)
    }
}

#[cfg(test)]
impl Trees {
    /// Rows × scores: log-odds of true; a score for each class, whose softmax are the probabilities; or the number.
    /// Errors on another width and on NaN or infinite values; no rows give no scores.
    pub(super) fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, InputError> {
        self.each(x, |_| ())
    }

    /// What all rows' score `output` starts from before [`Self::contributions`]: the base and the trees' means.
    pub(super) fn expected(&self, output: usize) -> f64 {
        let means = self.trees.iter().skip(output).step_by(self.base.len().max(1));
        let base = self.base.get(output).copied().unwrap_or(0.0);
        base + means.filter_map(|tree| tree.0.first()).map(|root| root.value).sum::<f64>()
    }
}

/// Adds what each column changes along the way of a row.
fn credit(tree: &Tree, row: ArrayView1<'_, f64>, slots: &mut ArrayViewMut1<'_, f64>) {
    let mut place = 0;
    while let Some(node) = tree.0.get(place) {
        let column = node.column as usize;
        let value = row.get(column).copied().unwrap_or(0.0);
        place = match node.right {
            0 => return,
            _ if value <= node.threshold => place + 1,
            right => right as usize,
        };
        if let (Some(slot), Some(next)) = (slots.get_mut(column), tree.0.get(place)) {
            *slot += next.value - node.value;
        }
    }
}

/// As read.
#[derive(Deserialize)]
struct Stored {
    target: Target,
    columns: usize,
    base: Vec<f64>,
    gains: Vec<f64>,
    trees: Vec<Tree>,
}

impl TryFrom<Stored> for Trees {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { target, columns, base, gains, trees } = stored;
        let outputs = if target == Target::Classes { base.len() >= 2 } else { base.len() == 1 };
        let rounds = trees.len() % base.len().max(1) == 0;
        if outputs && rounds && gains.len() == columns && trees.iter().all(|tree| tree.is_sound(columns)) {
            Ok(Self { target, columns, base, gains, trees })
        } else {
            Err("the trees are not sound")
        }
    }
}
