//! Growing the trees, which the crate hessboost does, and taking them over.

use super::cuts::{BINS, Cuts};
use super::model::{Node, Target, Tree, Trees};
use super::{Params, Rows, TreesError};
use hessboost::config::{GrowPolicy, TrainingParams, TrainingParamsBuilder, TreeMethod};
use hessboost::data::DMatrix;
use hessboost::model::BoostedModel;
use hessboost::objective::{Multiclass, Objective, RegLoss};
use hessboost::training::Trainer;
use hessboost::tree::RegTree;
use ndarray::ArrayView2;
use std::ops::ControlFlow;

/// What is learned.
pub(super) enum Task {
    Binary,
    /// So many.
    Classes(usize),
    /// Targets were brought to a mean of 0 and a variance of 1.
    Number {
        mean: f64,
        deviation: f64,
    },
}

/// Grows trees on rows with their labels.
pub(super) fn fit(
    x: ArrayView2<'_, f64>,
    rows: Rows,
    labels: Vec<f32>,
    task: Task,
    params: &Params,
    keep_going: &(dyn Fn() -> bool + Sync),
) -> Result<Trees, TreesError> {
    if !keep_going() {
        return Err(TreesError::Stopped);
    }
    let cuts = Cuts::new(x, &rows.kept);
    let mut data = DMatrix::from_dense_vec(cuts.codes(x, &rows.kept), rows.kept.len(), x.ncols())?;
    data = data.with_labels(&labels)?;
    if let Some(weights) = &rows.weights {
        let weights: Vec<f32> = weights.iter().map(|weight| *weight as f32).collect();
        data = data.with_weights(&weights)?;
    }
    let given = given(params, &task)?;
    let mut stopped = false;
    let result = Trainer::new(&given, &data, params.rounds)
        .on_round(|_| {
            stopped = !keep_going();
            if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .train()?;
    if stopped { Err(TreesError::Stopped) } else { Ok(take_over(&result.model, &cuts, x.ncols(), &task)) }
}

/// The parameters in the crate's terms. It uses the pool of threads that it is called in.
fn given(params: &Params, task: &Task) -> Result<TrainingParams, TreesError> {
    let mut builder: TrainingParamsBuilder = TrainingParams::builder()
        .objective(match task {
            Task::Binary => Objective::BinaryLogistic(RegLoss::default()),
            Task::Classes(count) => Objective::Softprob(Multiclass::new(*count)?),
            Task::Number { .. } => Objective::SquaredError(RegLoss::default()),
        })
        .tree_method(TreeMethod::Hist)
        .grow_policy(GrowPolicy::LossGuide)
        .max_bin(BINS + 1)
        .max_leaves(params.leaves)
        .eta(params.learning_rate)
        .lambda(params.l2)
        .gamma(params.min_gain)
        .min_child_weight(params.min_leaf_weight)
        .subsample(params.rows_share)
        .colsample_bytree(params.columns_share)
        .seed(params.seed);
    builder = match params.depth {
        Some(depth) => builder.max_depth(depth),
        None => builder.unlimited_depth(),
    };
    if matches!(task, Task::Number { .. }) {
        builder = builder.base_score(0.0);
    }
    Ok(builder.build()?)
}

/// The crate's trees as ours: thresholds of values instead of bins, values in the unit of the target.
fn take_over(model: &BoostedModel, cuts: &Cuts, columns: usize, task: &Task) -> Trees {
    let (target, center, scale) = match task {
        Task::Binary => (Target::Binary, 0.0, 1.0),
        Task::Classes(_) => (Target::Classes, 0.0, 1.0),
        Task::Number { mean, deviation } => (Target::Number, *mean, *deviation),
    };
    let base = model.base_scores().iter().map(|base| center + scale * f64::from(*base)).collect();
    let mut gains = vec![0.0; columns];
    let trees = model.trees().iter().map(|tree| convert(tree, cuts, scale, &mut gains)).collect();
    Trees::new(target, base, trees, gains)
}

/// One tree, with each node's left side right behind it; adds to the gain of the columns.
fn convert(tree: &RegTree, cuts: &Cuts, scale: f64, gains: &mut [f64]) -> Tree {
    let from = tree.nodes();
    let mut nodes: Vec<Node> = Vec::with_capacity(from.len());
    let mut covers = Vec::with_capacity(from.len());
    // Nodes to come, with the one whose right side they are.
    let mut waiting = vec![(0_usize, None)];
    while let Some((place, parent)) = waiting.pop() {
        let Some(node) = from.get(place) else { continue };
        let here = nodes.len();
        if let Some(parent) = parent.and_then(|parent: usize| nodes.get_mut(parent)) {
            parent.right = here as u32;
        }
        covers.push(f64::from(node.sum_hess));
        if node.is_leaf() {
            nodes.push(Node { value: scale * f64::from(node.leaf_value), ..Node::default() });
            continue;
        }
        let column = node.split_feature as usize;
        if let Some(gain) = gains.get_mut(column) {
            *gain += f64::from(node.split_gain).max(0.0);
        }
        let threshold = cuts.threshold(column, node.split_cond);
        nodes.push(Node { column: node.split_feature, threshold, right: 0, value: 0.0 });
        waiting.push((usize::try_from(node.right).unwrap_or(usize::MAX), Some(here)));
        waiting.push((usize::try_from(node.left).unwrap_or(usize::MAX), None));
    }
    Tree::with_means(nodes, &covers)
}
