//! linfa-svm's machines as published, taken over as ours.
//!
//! It holds the whole kernel matrix ([`bytes`]), ignores weights and has no sigmoid kernel. Its polynomial kernel has no
//! gamma: rows are multiplied by its root. Probabilities are not asked of it: its Platt scaling is fitted on the scores of
//! the training rows.

use super::kernelized::{Machine, Params};
use super::{Kernel, SvmError, check_targets};
use crate::algorithms::input::{InputError, check};
use linfa::DatasetBase;
use linfa::prelude::ParamGuard;
use linfa::traits::Fit;
use linfa_svm::{Svm, SvmParams};
use ndarray::{Array1, Array2, ArrayView2};

/// What the kernel matrix of so many rows takes.
pub fn bytes(rows: usize) -> u64 {
    (rows as u64).saturating_mul(rows as u64).saturating_mul(size_of::<f64>() as u64)
}

/// Fits two classes on `x` (rows × columns); decisions are above zero for `positive` rows.
pub fn classify(x: ArrayView2<'_, f64>, positive: &[bool], params: &Params) -> Result<Machine, SvmError> {
    check(x)?;
    let rows = x.nrows();
    if positive.len() != rows {
        return Err(InputError::Length { rows, targets: positive.len() }.into());
    }
    if positive.iter().all(|own| Some(own) == positive.first()) {
        return Err(SvmError::OneClass { rows });
    }
    let asked = Svm::<f64, bool>::params().pos_neg_weights(params.c, params.c);
    let (asked, scaled) = with_kernel(asked, x, params)?;
    let found = checked(asked)?.fit(&DatasetBase::new(scaled, Array1::from(positive.to_vec())));
    machine(x, &found.map_err(refused)?, params)
}

/// Fits a number on `x` (rows × columns); errors up to `epsilon` cost nothing.
pub fn regress(x: ArrayView2<'_, f64>, targets: &[f64], epsilon: f64, params: &Params) -> Result<Machine, SvmError> {
    check_targets(x, targets)?;
    let asked = Svm::<f64, f64>::params().c_svr(params.c, Some(epsilon));
    let (asked, scaled) = with_kernel(asked, x, params)?;
    let found = checked(asked)?.fit(&DatasetBase::new(scaled, Array1::from(targets.to_vec())));
    machine(x, &found.map_err(refused)?, params)
}

fn refused(error: linfa_svm::SvmError) -> SvmError {
    SvmError::Linfa(error.to_string())
}

fn checked<T>(asked: SvmParams<f64, T>) -> Result<linfa_svm::SvmValidParams<f64, T>, SvmError>
where
    SvmParams<f64, T>: ParamGuard<Checked = linfa_svm::SvmValidParams<f64, T>, Error = linfa_svm::SvmError>,
{
    asked.check().map_err(refused)
}

/// The kernel in linfa's terms, and the rows that it goes with.
fn with_kernel<T>(
    asked: SvmParams<f64, T>,
    x: ArrayView2<'_, f64>,
    params: &Params,
) -> Result<(SvmParams<f64, T>, Array2<f64>), SvmError> {
    let asked = asked.eps(params.tolerance);
    Ok(match params.kernel {
        Kernel::Linear => (asked.linear_kernel(), x.to_owned()),
        Kernel::Rbf { gamma } => (asked.gaussian_kernel(1.0 / gamma), x.to_owned()),
        Kernel::Polynomial { gamma, degree, coef0 } => {
            (asked.polynomial_kernel(coef0, f64::from(degree)), x.mapv(|value| value * gamma.sqrt()))
        }
        Kernel::Sigmoid { .. } => return Err(SvmError::Linfa("it has no sigmoid kernel".to_owned())),
    })
}

fn machine<T>(x: ArrayView2<'_, f64>, found: &Svm<f64, T>, params: &Params) -> Result<Machine, SvmError> {
    let held: Vec<(usize, f64)> =
        found.alpha.iter().copied().enumerate().filter(|(_, alpha)| alpha.abs() > 100.0 * f64::EPSILON).collect();
    if found.rho.is_nan() || held.iter().any(|(_, alpha)| !alpha.is_finite()) {
        return Err(SvmError::Overflow);
    }
    // Only its words tell why it stopped.
    let converged = !found.to_string().starts_with("Reached maximal");
    Ok(Machine {
        kernel: params.kernel,
        columns: x.ncols(),
        support: held.iter().map(|(row, _)| x.row(*row).to_vec()).collect(),
        support_rows: held.iter().map(|(row, _)| *row).collect(),
        coefficients: held.iter().map(|(_, alpha)| *alpha).collect(),
        intercept: -found.rho,
        iterations: 0,
        converged,
        violation: params.tolerance,
        rows_computed: x.nrows(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::kernelized;
    use super::*;
    use ndarray::array;

    fn table() -> (Array2<f64>, Vec<bool>, Vec<f64>) {
        let x = Array2::from_shape_fn((120, 3), |(row, column)| ((row * (37 + 16 * column)) % 61) as f64 / 30.0 - 1.0);
        let score = |row: ndarray::ArrayView1<'_, f64>| row[0] * row[1] + 0.5 * row[2];
        let truth = x.rows().into_iter().map(|row| score(row) > 0.05).collect();
        let targets = x.rows().into_iter().map(score).collect();
        (x, truth, targets)
    }

    /// The two solve the same problem by other ways, to the same tolerance.
    #[test]
    fn both_engines_decide_alike() {
        let (x, truth, targets) = table();
        let kernels =
            [Kernel::Rbf { gamma: 0.7 }, Kernel::Polynomial { gamma: 0.5, degree: 3, coef0: 1.0 }, Kernel::Linear];
        for kernel in kernels {
            let params = Params { c: 2.0, tolerance: 1e-6, ..Params::new(kernel) };
            let far = |ours: &Machine, theirs: &Machine| {
                let (ours, theirs) = (ours.decision(x.view()).unwrap(), theirs.decision(x.view()).unwrap());
                ours.iter().zip(&theirs).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()))
            };
            let ours = kernelized::classify(x.view(), &truth, None, &params, &|| true).unwrap();
            let theirs = classify(x.view(), &truth, &params).unwrap();
            assert!(theirs.converged && far(&ours, &theirs) < 1e-3, "{kernel:?} {}", far(&ours, &theirs));
            let ours = kernelized::regress(x.view(), &targets, None, 0.1, &params, &|| true).unwrap();
            let theirs = regress(x.view(), &targets, 0.1, &params).unwrap();
            assert!(theirs.converged && far(&ours, &theirs) < 1e-3, "{kernel:?} {}", far(&ours, &theirs));
        }
    }

    #[test]
    fn what_it_cannot_is_refused() {
        let x = array![[1.0], [2.0]];
        let params = Params::new(Kernel::Rbf { gamma: 1.0 });
        assert_eq!(classify(x.view(), &[true, true], &params), Err(SvmError::OneClass { rows: 2 }));
        assert!(matches!(classify(x.view(), &[true], &params), Err(SvmError::Input(InputError::Length { .. }))));
        let sigmoid = Params::new(Kernel::Sigmoid { gamma: 1.0, coef0: 0.0 });
        assert!(matches!(classify(x.view(), &[true, false], &sigmoid), Err(SvmError::Linfa(_))));
        assert_eq!(bytes(100_000), 80_000_000_000);
    }

    /// linfa's Platt scaling is fitted on the scores of its own training rows, where a machine that has learned by heart
    /// is right: of noise it is then far too sure. That is why probabilities are not asked of it.
    #[test]
    fn its_probabilities_are_of_training_rows() {
        use linfa::dataset::Pr;
        use linfa::traits::Predict;
        let x =
            Array2::from_shape_fn((200, 2), |(row, column)| ((row * (7919 + 104_729 * column)) % 1009) as f64 / 100.0);
        let noise: Vec<bool> =
            (0..200_u64).map(|row| (row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) % 2 == 0).collect();
        let asked = Svm::<f64, Pr>::params().pos_neg_weights(100.0, 100.0).gaussian_kernel(0.01);
        let found = asked.check().unwrap().fit(&DatasetBase::new(x.clone(), Array1::from(noise)));
        let sure: Array1<Pr> = found.unwrap().predict(&x);
        let mean = sure.iter().map(|p| (**p - 0.5).abs()).sum::<f32>() / 200.0;
        assert!(mean > 0.4, "{mean}");
    }
}
