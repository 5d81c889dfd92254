//! Machines as they are asked for: exact ones, or planes in the space of an approximated kernel.

use ndarray::{Array2, ArrayView2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::Svm;
use super::options::{Approximate, Gamma, KernelName, MultiClass};
use crate::algorithms::InputError;
use crate::algorithms::svm::engine_linfa;
use crate::algorithms::svm::features::{self, Map};
use crate::algorithms::svm::kernelized::{self, Machine};
use crate::algorithms::svm::linear::{self, Plane};
use crate::algorithms::svm::many::{self, Decide};
use crate::algorithms::svm::{Kernel, SvmError, gamma_auto, gamma_scale};
use crate::format;
use crate::stages::contract::{Failure, StageContext};
use crate::stages::engine::Engine;
use crate::stages::prediction::learner::Lesson;
use crate::stages::prediction::task::Target;

/// Multiplications above which a kernel is refused, and about how many there are in a second.
const COST_MAX: f64 = 5e12;
const COST_A_SECOND: f64 = 1.5e9;

/// Rows of a machine that linfa takes: 800 MB of kernel.
const LINFA_ROWS_MAX: usize = 10_000;

/// A border between two classes, or what is expected of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    Machine(Machine),
    Plane(Plane),
}

impl Decide for Surface {
    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, InputError> {
        match self {
            Surface::Machine(machine) => machine.decision(x),
            Surface::Plane(plane) => plane.decision(x),
        }
    }
}

impl Surface {
    /// Those of a plane.
    pub fn coefficients(&self) -> Option<&[f64]> {
        match self {
            Surface::Plane(plane) => Some(&plane.coefficients),
            Surface::Machine(_) => None,
        }
    }

    /// How many rows hold a machine up.
    pub fn support(&self) -> Option<usize> {
        match self {
            Surface::Machine(machine) => Some(machine.coefficients.len()),
            Surface::Plane(_) => None,
        }
    }

    pub fn gamma(&self) -> Option<f64> {
        match self {
            Surface::Machine(machine) => match machine.kernel {
                Kernel::Rbf { gamma } | Kernel::Polynomial { gamma, .. } | Kernel::Sigmoid { gamma, .. } => Some(gamma),
                Kernel::Linear => None,
            },
            Surface::Plane(_) => None,
        }
    }

    pub fn iterations(&self) -> usize {
        match self {
            Surface::Machine(machine) => machine.iterations,
            Surface::Plane(plane) => plane.iterations,
        }
    }

    pub fn converged(&self) -> bool {
        match self {
            Surface::Machine(machine) => machine.converged,
            Surface::Plane(plane) => plane.converged,
        }
    }
}

impl From<SvmError> for Failure {
    fn from(error: SvmError) -> Failure {
        match error {
            SvmError::Stopped => Failure::Cancelled,
            other => Failure::data(format!("failed to {other}")),
        }
    }
}

/// Fits machines on one table.
pub struct Trainer<'a> {
    stage: &'a Svm,
    x: Array2<f64>,
    map: Option<Map>,
    /// `None` where planes are fitted.
    kernel: Option<Kernel>,
    weights: Option<&'a [f64]>,
    context: &'a StageContext,
}

impl<'a> Trainer<'a> {
    /// Chooses the kernel, and maps the table where it is approximated.
    pub fn new(stage: &'a Svm, lesson: &'a Lesson<'_>, context: &'a StageContext) -> Result<Trainer<'a>, Failure> {
        let Lesson { x, target, weights } = *lesson;
        let data = |error: InputError| Failure::data(format!("failed to {error}"));
        let gamma = match stage.gamma.unwrap_or_default() {
            Gamma::Scale => gamma_scale(x).map_err(data)?,
            Gamma::Auto => gamma_auto(x.ncols()),
            Gamma::Number(number) => number,
        };
        let kernel = match stage.kernel {
            KernelName::Linear => {
                return Ok(Trainer { stage, x: x.to_owned(), map: None, kernel: None, weights, context });
            }
            KernelName::Rbf => Kernel::Rbf { gamma },
            KernelName::Polynomial => Kernel::Polynomial { gamma, degree: stage.degree(), coef0: stage.coef0() },
            KernelName::Sigmoid => Kernel::Sigmoid { gamma, coef0: stage.coef0() },
        };
        if stage.engine == Engine::Linfa {
            let most = stage.machine_rows(target).into_iter().max().unwrap_or(0);
            if most > LINFA_ROWS_MAX {
                return Err(Failure::TooLarge(format!(
                    "the linfa engine holds the whole kernel matrix, which takes {} of {} rows: it takes {} at most; use \
                     `engine: native`",
                    format::bytes(engine_linfa::bytes(most)),
                    format::thousands(most as u64),
                    format::thousands(LINFA_ROWS_MAX as u64)
                )));
            }
            return Ok(Trainer { stage, x: x.to_owned(), map: None, kernel: Some(kernel), weights, context });
        }
        let is_exact = match stage.approximate {
            Approximate::None => true,
            Approximate::Auto => x.nrows() <= stage.exact_rows_max(),
            Approximate::Nystroem | Approximate::Fourier => false,
        };
        if is_exact {
            stage.affordable(&stage.machine_rows(target), x.ncols())?;
            let x = x.to_owned();
            return Ok(Trainer { stage, x, map: None, kernel: Some(kernel), weights, context });
        }
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(context.seed);
        let map = match stage.approximate {
            Approximate::Fourier => features::fourier(x.ncols(), gamma, stage.approximation_features(), &mut rng)?,
            _ => features::nystroem(x, kernel, stage.approximation_features().min(x.nrows()), &mut rng)?,
        };
        if x.nrows().saturating_mul(map.features()) > CELLS_MAX {
            return Err(Failure::TooLarge(format!(
                "{} rows of {} features take {}: lower `approximation_features`, or use `kernel: linear`",
                format::thousands(x.nrows() as u64),
                map.features(),
                format::bytes(8 * x.nrows() as u64 * map.features() as u64)
            )));
        }
        let mapped = map.transform(x).map_err(data)?;
        Ok(Trainer { stage, x: mapped, map: Some(map), kernel: None, weights, context })
    }

    /// The table that machines are fitted on.
    pub fn x(&self) -> ArrayView2<'_, f64> {
        self.x.view()
    }

    pub fn into_map(self) -> Option<Map> {
        self.map
    }

    /// Of these rows of the table, or of all.
    pub fn classify(
        &self,
        x: ArrayView2<'_, f64>,
        positive: &[bool],
        rows: Option<&[usize]>,
    ) -> Result<Surface, Failure> {
        let own: Option<Vec<f64>> = self
            .weights
            .zip(rows)
            .map(|(weights, rows)| rows.iter().map(|row| weights.get(*row).copied().unwrap_or(0.0)).collect());
        let weights = own.as_deref().or(self.weights);
        let keep_going = || !self.context.cancel.is_set();
        Ok(match self.kernel {
            Some(kernel) if self.stage.engine == Engine::Linfa => {
                Surface::Machine(engine_linfa::classify(x, positive, &self.params(kernel))?)
            }
            Some(kernel) => {
                Surface::Machine(kernelized::classify(x, positive, weights, &self.params(kernel), &keep_going)?)
            }
            None => Surface::Plane(linear::classify(x, positive, weights, &self.plane(), &keep_going)?),
        })
    }

    pub fn regress(&self, targets: &[f64], epsilon: f64) -> Result<Surface, Failure> {
        let keep_going = || !self.context.cancel.is_set();
        let x = self.x();
        Ok(match self.kernel {
            Some(kernel) if self.stage.engine == Engine::Linfa => {
                Surface::Machine(engine_linfa::regress(x, targets, epsilon, &self.params(kernel))?)
            }
            Some(kernel) => Surface::Machine(kernelized::regress(
                x,
                targets,
                self.weights,
                epsilon,
                &self.params(kernel),
                &keep_going,
            )?),
            None => Surface::Plane(linear::regress(x, targets, self.weights, epsilon, &self.plane(), &keep_going)?),
        })
    }

    fn params(&self, kernel: Kernel) -> kernelized::Params {
        let (c, tolerance, cache_bytes) = (self.stage.c, self.stage.tolerance(), self.stage.cache_bytes());
        kernelized::Params { c, tolerance, cache_bytes, ..kernelized::Params::new(kernel) }
    }

    fn plane(&self) -> linear::Params {
        linear::Params { c: self.stage.c, ..linear::Params::default() }
    }
}

/// The most cells of a mapped table: 4 GB.
const CELLS_MAX: usize = 500_000_000;

impl Svm {
    /// The rows of each machine that is fitted.
    fn machine_rows(&self, target: &Target) -> Vec<usize> {
        let Target::Classes { of, .. } = target else { return vec![target.len()] };
        let counts = target.class_rows();
        match self.multi_class.unwrap_or_default() {
            MultiClass::OneAgainstRest => vec![of.len(); counts.len()],
            MultiClass::OneAgainstOne => {
                let rows = |class: usize| counts.get(class).copied().unwrap_or(0);
                many::pairs(counts.len()).map(|(low, high)| rows(low) + rows(high)).collect()
            }
        }
    }

    /// Refuses beforehand exact machines of so many rows each that would take too long.
    pub(super) fn affordable(&self, rows: &[usize], columns: usize) -> Result<(), Failure> {
        let cost: f64 = rows.iter().map(|rows| kernelized::cost(*rows, columns)).sum();
        if cost <= COST_MAX {
            return Ok(());
        }
        let most = rows.iter().copied().max().unwrap_or(0);
        Err(Failure::TooLarge(format!(
            "exact kernels of {} rows take about {:.0} minutes or more and {}: leave out `approximate: none`, or use \
             `kernel: linear`",
            format::thousands(most as u64),
            cost / COST_A_SECOND / 60.0,
            format::bytes(kernelized::bytes(most, columns, self.cache_bytes()) as u64)
        )))
    }
}
