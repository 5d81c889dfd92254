mod fit;
mod options;
#[cfg(test)]
mod tests;

use ndarray::{Array2, ArrayView2, Axis};
use polars::prelude::DataType;
use serde::{Deserialize, Serialize};

use self::fit::{Surface, Trainer};
use self::options::{Approximate, Gamma, KernelName, MultiClass};
use super::learner::{Lesson, Predictor, Trained};
use super::options::{Calibrate, Predicts, Threshold};
use super::task::{Target, Task};
use crate::algorithms::svm::features::Map;
use crate::algorithms::svm::many::{self, OneAgainstOne, OneAgainstRest};
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::watch;

predictor! {
    /// Support vector machines: classes with the widest margin between them, or a number within a tube.
    ///
    /// Classes are told apart by minimizing ½‖w‖² + `c` · the sum over rows of weight · max(0, 1 − margin), for the kernels
    /// `rbf` (exp(−gamma ‖a − b‖²), the default), `polynomial` ((gamma a·b + coef0)^degree) and `sigmoid`
    /// (tanh(gamma a·b + coef0)) by sequential minimal optimization with a bounded cache of kernel rows (Fan, Chen and
    /// Lin 2005). The kernel `linear` takes the squares of these errors and is solved by Newton's method at any number of
    /// rows. Numbers are predicted within a tube of `epsilon`, in units of the target's deviation. Of several classes
    /// each pair has a machine, or each class one against the rest.
    ///
    /// The time of a kernel grows with the square of the rows: from `exact_rows_max` training rows on it is approximated
    /// by `approximation_features` features that Nyström's method chooses, in which a linear machine is fitted (with the
    /// squares of the errors), which the report says; `approximate` decides otherwise.
    ///
    /// Scores are distances from the border and no probabilities, unless `calibrate` makes such of them. The output
    /// `predictions` has `score` then in place of `probability`, and decisions are made from a score of 0 on.
    ///
    /// A kernel's model holds the prepared features of its support vectors, and an approximated one those of its
    /// landmarks: of single customers, whatever their ids. `kernel: linear` and `approximate: fourier` hold none.
    ///
    /// It is judged, refitted and given like `logistic`, or for numbers like `linear`.
    classifies pub struct Svm {
        /// Whether classes are told apart or a number is predicted; by the type of the target unless it is given: numbers
        /// with a fraction are predicted, all else are classes.
        #[serde(default)]
        predicts: Predicts,
        /// How alike two rows are.
        #[serde(default)]
        kernel: KernelName,
        /// What errors cost against a wide margin: scikit-learn's C.
        #[serde(default = "options::default_c")]
        #[schemars(range(min = 0.000_000_001))]
        c: f64,
        /// How far a kernel reaches: a number above zero, `scale` for 1 / (columns · variance), or `auto` for 1 / columns.
        #[serde(default)]
        gamma: Gamma,
        /// With `kernel: polynomial`.
        #[serde(default = "options::default_degree")]
        #[schemars(range(min = 1, max = 20))]
        degree: u32,
        /// With `kernel: polynomial` and `sigmoid`.
        #[serde(default)]
        coef0: f64,
        /// Of numbers: errors up to this, in deviations of the target, cost nothing.
        #[serde(default = "options::default_epsilon")]
        #[schemars(range(min = 0))]
        epsilon: f64,
        /// How several classes are told apart.
        #[serde(default)]
        multi_class: MultiClass,
        /// When the optimization of a kernel ends: scikit-learn's `tol`.
        #[serde(default = "options::default_tolerance")]
        #[schemars(range(min = 0.000_000_001, max = 1))]
        tolerance: f64,
        /// The memory for rows of the kernel, in megabytes.
        #[serde(default = "options::default_cache_megabytes")]
        #[schemars(range(min = 1, max = 1_000_000))]
        cache_megabytes: u64,
        /// Whether a kernel is approximated.
        #[serde(default)]
        approximate: Approximate,
        /// With `approximate: auto`: up to so many training rows a kernel is exact.
        #[serde(default = "options::default_exact_rows_max")]
        #[schemars(range(min = 1, max = 10_000_000))]
        exact_rows_max: usize,
        /// Of how many features an approximation is made.
        #[serde(default = "options::default_approximation_features")]
        #[schemars(range(min = 1, max = 4096))]
        approximation_features: usize,
    }
}

impl StageConfig for Svm {
    const KIND: &'static str = "svm";
    const FAMILY: &'static str = "prediction";
}

/// What is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Into the space of an approximated kernel.
    map: Option<Map>,
    machines: Machines,
    /// Of a number: the mean and deviation that it was learned without.
    center: f64,
    scale: f64,
    classes: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Machines {
    One(Surface),
    OneAgainstOne(OneAgainstOne<Surface>),
    OneAgainstRest(OneAgainstRest<Surface>),
}

impl Machines {
    fn all(&self) -> Vec<&Surface> {
        match self {
            Machines::One(surface) => vec![surface],
            Machines::OneAgainstOne(all) => all.machines.iter().collect(),
            Machines::OneAgainstRest(all) => all.machines.iter().collect(),
        }
    }
}

/// Rows that are mapped at once.
const BLOCK_ROWS: usize = 16_384;

impl Predictor for Svm {
    type Learned = Learned;
    const TELLS_CLASSES: bool = true;

    fn task(&self, dtype: &DataType) -> Option<Task> {
        self.predicts.task(dtype)
    }

    fn takes(&self) -> (&'static str, &'static str) {
        self.predicts.takes()
    }

    fn own_problems(&self) -> Vec<Problem> {
        let mut problems = self.gamma.problems();
        let mut bad = |wrong: bool, message: &str, option: &'static str| {
            problems.extend(wrong.then(|| Problem::new(Code::BadValue, message).at(["with", option])));
        };
        bad(!(self.c > 0.0 && self.c.is_finite()), "c is a number above zero", "c");
        bad(!(self.epsilon >= 0.0 && self.epsilon.is_finite()), "epsilon is a number at or above zero", "epsilon");
        bad(!self.coef0.is_finite(), "coef0 is a number", "coef0");
        bad(!(self.tolerance > 0.0 && self.tolerance.is_finite()), "the tolerance is a number above zero", "tolerance");
        let is_linear = self.kernel == KernelName::Linear;
        let is_approximated = matches!(self.approximate, Approximate::Nystroem | Approximate::Fourier);
        bad(is_linear && is_approximated, "the linear kernel is exact at any number of rows", "approximate");
        let is_fourier = self.approximate == Approximate::Fourier && self.kernel != KernelName::Rbf;
        bad(is_fourier && !is_linear, "Fourier features approximate the kernel `rbf` only", "approximate");
        let is_number = matches!(self.threshold, Threshold::At(at) if at != 0.5);
        bad(
            is_number && self.calibrate == Calibrate::None,
            "scores are no probabilities without `calibrate`; decisions are made from a score of 0 on",
            "threshold",
        );
        problems
    }

    fn gives_probabilities(&self) -> bool {
        false
    }

    fn name(&self, task: Task) -> String {
        let what = if task == Task::Number { "support vector regression" } else { "support vector machine" };
        format!("{what}, {} kernel", self.kernel.name())
    }

    fn fit(&self, lesson: &Lesson<'_>, context: &StageContext) -> Result<Learned, Failure> {
        let trainer = Trainer::new(self, lesson.x, lesson.weights, context)?;
        let x = trainer.x();
        let (mut center, mut scale) = (0.0, 1.0);
        let machines = match lesson.target {
            Target::Binary(truth) => Machines::One(trainer.classify(x, truth, None)?),
            Target::Number(values) => {
                center = values.iter().sum::<f64>() / values.len().max(1) as f64;
                let spread =
                    values.iter().map(|value| (value - center).powi(2)).sum::<f64>() / values.len().max(1) as f64;
                scale = if spread > 0.0 { spread.sqrt() } else { 1.0 };
                let scaled: Vec<f64> = values.iter().map(|value| (value - center) / scale).collect();
                Machines::One(trainer.regress(&scaled, self.epsilon)?)
            }
            Target::Classes { of, .. } => {
                let train = |x: ArrayView2<'_, f64>, positive: &[bool], rows: &[usize]| {
                    trainer.classify(x, positive, Some(rows))
                };
                match self.multi_class {
                    MultiClass::OneAgainstOne => Machines::OneAgainstOne(many::one_against_one(x, of, train)?),
                    MultiClass::OneAgainstRest => Machines::OneAgainstRest(many::one_against_rest(x, of, train)?),
                }
            }
        };
        Ok(Learned { map: trainer.into_map(), machines, center, scale, classes: lesson.target.class_count() })
    }

    fn scores(learned: &Learned, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Failure> {
        let Some(map) = &learned.map else { return decisions(learned, x) };
        let mut parts = Vec::new();
        for block in x.axis_chunks_iter(Axis(0), BLOCK_ROWS) {
            let mapped = map.transform(block).map_err(|error| Failure::data(format!("failed to {error}")))?;
            parts.push(decisions(learned, mapped.view())?);
        }
        if parts.is_empty() {
            let is_one = matches!(learned.machines, Machines::One(_));
            return Ok(Array2::zeros((0, if is_one { 1 } else { learned.classes })));
        }
        let views: Vec<_> = parts.iter().map(Array2::view).collect();
        ndarray::concatenate(Axis(0), &views).map_err(|error| Failure::bug(error.to_string()))
    }

    fn effects(learned: &Learned) -> Option<Array2<f64>> {
        let planes = |all: &[&Surface]| -> Option<Array2<f64>> {
            let rows: Vec<&[f64]> = all.iter().map(|surface| surface.coefficients()).collect::<Option<_>>()?;
            let width = rows.first().map_or(0, |row| row.len());
            Array2::from_shape_vec((rows.len(), width), rows.concat()).ok()
        };
        match &learned.machines {
            _ if learned.map.is_some() => None,
            Machines::OneAgainstOne(_) => None,
            Machines::One(surface) => planes(&[surface]),
            Machines::OneAgainstRest(all) => planes(&all.machines.iter().collect::<Vec<_>>()),
        }
    }

    fn facts(&self, trained: &Trained<Learned>) -> Vec<Fact> {
        let learned = &trained.learned;
        let machines = learned.machines.all();
        let kernel = match (self.kernel, machines.first()) {
            (KernelName::Linear, _) => format!("linear, c {}", format::number(self.c)),
            (other, Some(surface)) => format!(
                "{}, gamma {}, c {}",
                other.name(),
                surface.gamma().map_or_else(|| "in the map".to_owned(), format::number),
                format::number(self.c)
            ),
            (other, None) => other.name().to_owned(),
        };
        let mut facts = vec![Fact::new("kernel", kernel)];
        if let Some(map) = &learned.map {
            let how =
                if self.approximate == Approximate::Fourier { "random Fourier features" } else { "Nyström's method" };
            let value = format!(
                "the kernel is not exact: {} features by {how} stand for it, since there are {} training rows",
                map.features(),
                format::thousands(trained.design.rows as u64)
            );
            facts.push(Fact::new("approximation", value));
        }
        let support: usize = machines.iter().filter_map(|surface| surface.support()).sum();
        if support > 0 {
            let count = format::count(machines.len() as u64, "machine", "machines");
            facts.push(Fact::new("support vectors", format!("{} in {count}", format::thousands(support as u64))));
        }
        let steps: usize = machines.iter().map(|surface| surface.iterations()).sum();
        let converged = machines.iter().all(|surface| surface.converged());
        let rest = if converged { "converged" } else { "did not converge" };
        facts.push(Fact::new("fit", format!("{rest} after {} steps", format::thousands(steps as u64))));
        facts
    }

    fn warnings(&self, trained: &Trained<Learned>) -> Vec<String> {
        let converged = trained.learned.machines.all().iter().all(|surface| surface.converged());
        watch::unfinished(converged).into_iter().collect()
    }
}

/// The decisions of rows: of several classes one each, by votes and, among equal ones, by how clear they were.
fn decisions(learned: &Learned, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Failure> {
    let data = |error: crate::algorithms::InputError| Failure::data(format!("failed to {error}"));
    match &learned.machines {
        Machines::One(surface) => {
            let found = many::Decide::decision(surface, x).map_err(data)?;
            let found = found.into_iter().map(|value| value * learned.scale + learned.center).collect();
            Array2::from_shape_vec((x.nrows(), 1), found).map_err(|error| Failure::bug(error.to_string()))
        }
        Machines::OneAgainstRest(all) => all.decisions(x).map_err(data),
        Machines::OneAgainstOne(all) => {
            let found = all.decisions(x).map_err(data)?;
            let count = all.classes.len();
            let mut votes = Array2::zeros((x.nrows(), count));
            let mut sums = Array2::<f64>::zeros((x.nrows(), count));
            for (pair, (low, high)) in many::pairs(count).enumerate() {
                for (row, decision) in found.column(pair).iter().enumerate() {
                    // At or above zero it speaks for the lower class.
                    let winner = if *decision >= 0.0 { low } else { high };
                    votes[[row, winner]] += 1.0;
                    sums[[row, low]] += decision;
                    sums[[row, high]] -= decision;
                }
            }
            // Never so much that a vote is outweighed.
            Ok(votes + sums.mapv(|sum| sum / (3.0 * (sum.abs() + 1.0))))
        }
    }
}
