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
use super::options::{Calibrate, ClassWeight, Predicts, Threshold, ignored_by_linfa};
use super::task::{Target, Task};
use crate::algorithms::svm::features::Map;
use crate::algorithms::svm::many::{self, OneAgainstOne, OneAgainstRest};
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, StageConfig, StageContext};
use crate::stages::engine::Engine;
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
        /// How far a kernel other than `linear` reaches: a number above zero, `scale` for 1 / (columns · variance), which
        /// it is unless given, or `auto` for 1 / columns.
        #[serde(default)]
        gamma: Option<Gamma>,
        /// Of `kernel: polynomial`; 3 unless given.
        #[serde(default)]
        #[schemars(range(min = 1, max = 20))]
        degree: Option<u32>,
        /// Of `kernel: polynomial` and `sigmoid`; 0 unless given.
        #[serde(default)]
        coef0: Option<f64>,
        /// Of a number: errors up to this, in deviations of the target, cost nothing; 0.1 unless given.
        #[serde(default)]
        #[schemars(range(min = 0))]
        epsilon: Option<f64>,
        /// How several classes are told apart; `one_against_one` unless given.
        #[serde(default)]
        multi_class: Option<MultiClass>,
        /// When the optimization of an exact kernel ends: scikit-learn's `tol`; 0.001 unless given.
        #[serde(default)]
        #[schemars(range(min = 0.000_000_001, max = 1))]
        tolerance: Option<f64>,
        /// The memory for rows of an exact kernel, in megabytes; 200 unless given.
        #[serde(default)]
        #[schemars(range(min = 1, max = 1_000_000))]
        cache_megabytes: Option<u64>,
        /// Whether a kernel other than `linear` is approximated.
        #[serde(default)]
        approximate: Approximate,
        /// Of `approximate: auto`: up to so many training rows a kernel is exact; 20,000 unless given.
        #[serde(default)]
        #[schemars(range(min = 1, max = 10_000_000))]
        exact_rows_max: Option<usize>,
        /// Of how many features an approximation is made; 500 unless given.
        #[serde(default)]
        #[schemars(range(min = 1, max = 4096))]
        approximation_features: Option<usize>,
        /// Who fits: `linfa` takes the kernels `rbf` and `polynomial` exactly, of up to 10,000 rows, and knows no weights.
        #[serde(default)]
        engine: Engine,
    }
}

impl StageConfig for Svm {
    const KIND: &'static str = "svm";
    const FAMILY: &'static str = "prediction";
}

impl Svm {
    fn degree(&self) -> u32 {
        self.degree.unwrap_or(3)
    }

    fn coef0(&self) -> f64 {
        self.coef0.unwrap_or(0.0)
    }

    fn epsilon(&self) -> f64 {
        self.epsilon.unwrap_or(0.1)
    }

    fn tolerance(&self) -> f64 {
        self.tolerance.unwrap_or(0.001)
    }

    fn cache_bytes(&self) -> usize {
        usize::try_from(self.cache_megabytes.unwrap_or(200).saturating_mul(1_000_000)).unwrap_or(usize::MAX)
    }

    fn exact_rows_max(&self) -> usize {
        self.exact_rows_max.unwrap_or(20_000)
    }

    fn approximation_features(&self) -> usize {
        self.approximation_features.unwrap_or(500)
    }
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
        let mut problems = self.gamma.unwrap_or_default().problems();
        let mut bad = |wrong: bool, message: &str, option: &'static str| {
            problems.extend(wrong.then(|| Problem::new(Code::BadValue, message).at(["with", option])));
        };
        bad(!(self.c > 0.0 && self.c.is_finite()), "c is a number above zero", "c");
        bad(!(self.epsilon() >= 0.0 && self.epsilon().is_finite()), "epsilon is a number at or above zero", "epsilon");
        bad(!self.coef0().is_finite(), "coef0 is a number", "coef0");
        bad(!(1..=20).contains(&self.degree()), "the degree is a number from 1 to 20", "degree");
        let tolerance = self.tolerance();
        bad(!(tolerance > 0.0 && tolerance <= 1.0), "the tolerance is a number above zero, at most 1", "tolerance");
        let features = self.approximation_features();
        bad(!(1..=4096).contains(&features), "an approximation has 1 to 4096 features", "approximation_features");
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
        let mut idle = |is_given: bool, is_used: bool, option: &'static str, of: &str| {
            bad(is_given && !is_used, &format!("`{option}` goes with {of}, and has no effect here"), option);
        };
        let is_polynomial = self.kernel == KernelName::Polynomial;
        let has_offset = is_polynomial || self.kernel == KernelName::Sigmoid;
        let may_be_exact = !is_linear && !is_approximated;
        let may_be_approximated = !is_linear && self.approximate != Approximate::None;
        let is_auto = !is_linear && self.approximate == Approximate::Auto;
        idle(self.gamma.is_some(), !is_linear, "gamma", "other kernels than `linear`");
        idle(self.degree.is_some(), is_polynomial, "degree", "`kernel: polynomial`");
        idle(self.coef0.is_some(), has_offset, "coef0", "`kernel: polynomial` and `sigmoid`");
        idle(self.tolerance.is_some(), may_be_exact, "tolerance", "exact kernels other than `linear`");
        idle(self.cache_megabytes.is_some(), may_be_exact, "cache_megabytes", "exact kernels other than `linear`");
        idle(
            self.exact_rows_max.is_some(),
            is_auto,
            "exact_rows_max",
            "`approximate: auto` with other kernels than `linear`",
        );
        let is_linfa = self.engine == Engine::Linfa;
        idle(is_linfa && self.cache_megabytes.is_some(), false, "cache_megabytes", "`engine: native`");
        idle(is_linfa && self.exact_rows_max.is_some(), false, "exact_rows_max", "`engine: native`");
        let of = "approximated kernels";
        let may_be_approximated = may_be_approximated && !is_linfa;
        idle(self.approximation_features.is_some(), may_be_approximated, "approximation_features", of);
        bad(is_linfa && is_approximated, "the linfa engine approximates no kernels", "approximate");
        let message = "the linfa engine has another linear machine (errors, not their squares) and no sigmoid kernel";
        bad(is_linfa && !matches!(self.kernel, KernelName::Rbf | KernelName::Polynomial), message, "kernel");
        problems.extend(ignored_by_linfa(is_linfa && self.weight.is_some(), "weights", "weight"));
        let is_balanced = self.class_weight != ClassWeight::None;
        problems.extend(ignored_by_linfa(is_linfa && is_balanced, "weights", "class_weight"));
        problems
    }

    fn idle(&self, task: Task) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut told = |is_idle: bool, message: &str, option: &'static str| {
            problems.extend(is_idle.then(|| Problem::new(Code::BadValue, message).at(["with", option])));
        };
        told(self.epsilon.is_some() && task != Task::Number, "`epsilon` is for numbers, not for classes", "epsilon");
        let is_of_classes = "`multi_class` is for targets of several classes";
        told(self.multi_class.is_some() && task != Task::Classes, is_of_classes, "multi_class");
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
        let trainer = Trainer::new(self, lesson, context)?;
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
                Machines::One(trainer.regress(&scaled, self.epsilon())?)
            }
            Target::Classes { of, .. } => {
                let train = |x: ArrayView2<'_, f64>, positive: &[bool], rows: &[usize]| {
                    trainer.classify(x, positive, Some(rows))
                };
                match self.multi_class.unwrap_or_default() {
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

/// The decisions of rows: of several classes one each.
fn decisions(learned: &Learned, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Failure> {
    let data = |error: crate::algorithms::InputError| Failure::data(format!("failed to {error}"));
    match &learned.machines {
        Machines::One(surface) => {
            let found = many::Decide::decision(surface, x).map_err(data)?;
            let found = found.into_iter().map(|value| value * learned.scale + learned.center).collect();
            Array2::from_shape_vec((x.nrows(), 1), found).map_err(|error| Failure::bug(error.to_string()))
        }
        Machines::OneAgainstRest(all) => all.decisions(x).map_err(data),
        Machines::OneAgainstOne(all) => all.scores(x).map_err(data),
    }
}
