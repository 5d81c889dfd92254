#[cfg(test)]
mod tests;

use ndarray::{Array2, ArrayView2};
use polars::prelude::DataType;

use super::learner::{Lesson, Predictor, Trained};
use super::options::Predicts;
use super::task::{Target, Task};
use crate::algorithms::boosted_trees::{self as kernel, Trees, TreesError};
use crate::format;
use crate::metrics::evaluation::{Chart, Fact};
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, StageConfig, StageContext};

predictor! {
    /// Gradient-boosted trees: many small trees, each of which mends what those before it leave. To compare the simpler
    /// kinds with.
    ///
    /// Each tree is fitted to the first and second derivatives of the loss, on columns cut into at most 255 bins, and
    /// grows at the leaf that gains most (Chen and Guestrin 2016; as LightGBM and scikit-learn's
    /// HistGradientBoosting). Features are prepared as for all kinds; scaling changes nothing.
    ///
    /// It is judged, refitted and given like `logistic`, or for numbers like `linear`. Reasons are what the splits on a
    /// feature changed on the row's way through the trees (Saabas 2014). The report shows by how much the loss went down
    /// by splits on each feature.
    classifies pub struct BoostedTrees {
        /// Whether classes are told apart or a number is predicted; by the type of the target unless it is given: numbers
        /// with a fraction are predicted, all else are classes.
        #[serde(default)]
        predicts: Predicts,
        /// How many trees; of several classes each has so many.
        #[serde(default = "default_rounds")]
        #[schemars(range(min = 1, max = 10_000))]
        rounds: usize,
        /// What each tree's values are multiplied by.
        #[serde(default = "default_learning_rate")]
        #[schemars(range(min = 0.000_01, max = 1))]
        learning_rate: f64,
        /// Leaves of a tree at most.
        #[serde(default = "default_leaves")]
        #[schemars(range(min = 2, max = 4096))]
        leaves: usize,
        /// Splits between the root and a leaf at most; without it only `leaves` bounds a tree.
        #[serde(default)]
        #[schemars(range(min = 1, max = 64))]
        depth: Option<usize>,
        /// Multiplies half the square of each leaf's value.
        #[serde(default = "default_l2")]
        #[schemars(range(min = 0))]
        l2: f64,
        /// The least sum of second derivatives in a leaf: rows for a number, p(1 − p) each for classes.
        #[serde(default = "default_min_leaf_weight")]
        #[schemars(range(min = 0))]
        min_leaf_weight: f64,
        /// The share of the rows that each tree is fitted to.
        #[serde(default = "default_share")]
        #[schemars(range(min = 0.01, max = 1))]
        rows_share: f64,
        /// The share of the columns that each tree may use.
        #[serde(default = "default_share")]
        #[schemars(range(min = 0.01, max = 1))]
        columns_share: f64,
    }
}

impl StageConfig for BoostedTrees {
    const KIND: &'static str = "boosted_trees";
    const FAMILY: &'static str = "prediction";
}

fn default_rounds() -> usize {
    100
}

fn default_learning_rate() -> f64 {
    0.1
}

fn default_leaves() -> usize {
    31
}

fn default_l2() -> f64 {
    1.0
}

fn default_min_leaf_weight() -> f64 {
    1.0
}

fn default_share() -> f64 {
    1.0
}

/// Steps above which fitting is refused: minutes of work.
const STEPS_MAX: u64 = 500_000_000_000;
/// Leaves of all trees above which fitting is refused: gigabytes of model.
const LEAVES_MAX: usize = 10_000_000;

impl BoostedTrees {
    fn params(&self, seed: u64) -> kernel::Params {
        kernel::Params {
            rounds: self.rounds,
            learning_rate: self.learning_rate,
            leaves: self.leaves,
            depth: self.depth,
            l2: self.l2,
            min_leaf_weight: self.min_leaf_weight,
            rows_share: self.rows_share,
            columns_share: self.columns_share,
            seed,
        }
    }
}

impl Predictor for BoostedTrees {
    type Learned = Trees;
    const TELLS_CLASSES: bool = true;

    fn task(&self, dtype: &DataType) -> Option<Task> {
        self.predicts.task(dtype)
    }

    fn takes(&self) -> (&'static str, &'static str) {
        self.predicts.takes()
    }

    fn own_problems(&self) -> Vec<Problem> {
        let problem = |error: TreesError| match error {
            TreesError::Param { name, allowed } => {
                Problem::new(Code::BadValue, format!("`{name}` must be {allowed}")).at(["with", name])
            }
            other => Problem::new(Code::BadValue, other.to_string()).at(["with"]),
        };
        self.params(0).check(1).err().map(problem).into_iter().collect()
    }

    fn name(&self, _: Task) -> String {
        "gradient-boosted trees".to_owned()
    }

    fn fit(&self, lesson: &Lesson<'_>, context: &StageContext) -> Result<Trees, Failure> {
        let params = self.params(context.seed);
        let (rows, columns) = lesson.x.dim();
        let outputs = match lesson.target {
            Target::Classes { names, .. } => names.len(),
            Target::Binary(_) | Target::Number(_) => 1,
        };
        let cost = kernel::cost(rows, columns, outputs, &params);
        if cost.steps > STEPS_MAX {
            return Err(Failure::TooLarge(format!(
                "{} trees of {} rows × {columns} columns take {} steps, more than the {} allowed, and {}: fewer `rounds` \
                 or `leaves`, a `depth`, or fewer snapshots",
                format::thousands((self.rounds * outputs) as u64),
                format::thousands(rows as u64),
                format::thousands(cost.steps),
                format::thousands(STEPS_MAX),
                format::bytes(cost.bytes)
            )));
        }
        let leaves = (self.rounds * outputs).saturating_mul(self.leaves.min(rows));
        if leaves > LEAVES_MAX {
            return Err(Failure::TooLarge(format!(
                "{} trees may have {} leaves, more than the {} allowed: fewer `rounds` or `leaves`",
                format::thousands((self.rounds * outputs) as u64),
                format::thousands(leaves as u64),
                format::thousands(LEAVES_MAX as u64)
            )));
        }
        let keep_going = || !context.cancel.is_set();
        let fitted = match lesson.target {
            Target::Binary(truth) => kernel::fit_binary(lesson.x, truth, lesson.weights, &params, &keep_going),
            Target::Classes { names, of } => {
                kernel::fit_classes(lesson.x, of, names.len(), lesson.weights, &params, &keep_going)
            }
            Target::Number(values) => kernel::fit_number(lesson.x, values, lesson.weights, &params, &keep_going),
        };
        fitted.map_err(|error| match error {
            TreesError::Stopped => Failure::Cancelled,
            other => Failure::data(format!("failed to {other}")),
        })
    }

    fn scores(learned: &Trees, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Failure> {
        learned.predictions(x).map_err(|error| Failure::data(format!("failed to {error}")))
    }

    fn moves(learned: &Trees, x: ArrayView2<'_, f64>, classes: &[usize]) -> Result<Option<Array2<f64>>, Failure> {
        let found = learned.contributions(x, classes);
        found.map(Some).map_err(|error| Failure::data(format!("failed to {error}")))
    }

    fn facts(&self, trained: &Trained<Trees>) -> Vec<Fact> {
        let (trees, leaves) = (trained.learned.trees() as u64, trained.learned.leaves() as u64);
        let value =
            format!("{} with {}", format::count(trees, "tree", "trees"), format::count(leaves, "leaf", "leaves"));
        let mut facts = vec![Fact::new("trees", value)];
        let idle = trained.learned.idle_trees() as u64;
        if idle > 0 {
            let value =
                format!("{} split nothing: more rounds would change nothing", format::count(idle, "tree", "trees"));
            facts.push(Fact::new("idle trees", value));
        }
        facts
    }

    fn picture(&self, trained: &Trained<Trees>, _: &[f64]) -> Option<Chart> {
        let gains = trained.learned.gains();
        let of = |(name, columns): (&str, std::ops::Range<usize>)| {
            (name.to_owned(), columns.filter_map(|column| gains.get(column)).sum::<f64>())
        };
        let mut bars: Vec<(String, f64)> = trained.design.features().into_iter().map(of).collect();
        bars.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        bars.truncate(20);
        let title = "By how much splits on each feature lower the loss in training".to_owned();
        Some(Chart::Bars { title, unit: "loss".to_owned(), bars })
    }
}
