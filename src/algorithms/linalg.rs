//! Small dense linear algebra.

use ndarray::{Array1, Array2};

/// Solves A x = b for a symmetric positive definite A (only its lower triangle is read) by
/// Cholesky's decomposition. `None` when a pivot is not above zero, that is when A is not positive
/// definite or not finite.
pub(super) fn solve_positive_definite(a: &Array2<f64>, b: &Array1<f64>) -> Option<Array1<f64>> {
    let n = b.len();
    let mut l = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| l[[i, k]] * l[[j, k]]).sum();
            let rest = a[[i, j]] - known;
            if i != j {
                l[[i, j]] = rest / l[[j, j]];
            } else if rest > 0.0 && rest.is_finite() {
                l[[i, i]] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    let mut x = b.clone();
    for i in 0..n {
        let known: f64 = (0..i).map(|k| l[[i, k]] * x[k]).sum();
        x[i] = (x[i] - known) / l[[i, i]];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| l[[k, i]] * x[k]).sum();
        x[i] = (x[i] - known) / l[[i, i]];
    }
    Some(x)
}

/// −H⁻¹ g of a gradient and the rows of the lower triangle of H, one after the other. Where H is singular (columns that
/// repeat each other without a penalty, an intercept that nothing holds) its diagonal is raised until it is not. `None`
/// where that does not help.
pub(super) fn newton_step(gradient: &[f64], curvature: &[f64]) -> Option<Vec<f64>> {
    let size = gradient.len();
    let mut hessian = Array2::zeros((size, size));
    let mut entries = curvature.iter();
    for row in 0..size {
        for (slot, &entry) in hessian.row_mut(row).iter_mut().take(row + 1).zip(&mut entries) {
            *slot = entry;
        }
    }
    let target = gradient.iter().map(|g| -g).collect();
    let diagonal = hessian.diag().to_owned();
    let floor = diagonal.iter().fold(0.0_f64, |a, &b| a.max(b)) * f64::EPSILON;
    let mut raise = 0.0;
    for _ in 0..20 {
        let raised = diagonal.mapv(|entry| entry + raise * entry.max(floor));
        hessian.diag_mut().assign(&raised);
        if let Some(step) = solve_positive_definite(&hessian, &target)
            && step.iter().all(|s| s.is_finite())
        {
            return Some(step.to_vec());
        }
        raise = if raise == 0.0 { 1e-12 } else { raise * 10.0 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn solves_and_refuses() {
        let a = array![[4.0, 0.0, 0.0], [2.0, 5.0, 0.0], [1.0, 3.0, 6.0]];
        let full = array![[4.0, 2.0, 1.0], [2.0, 5.0, 3.0], [1.0, 3.0, 6.0]];
        let x = array![1.0, -2.0, 0.5];
        let solved = solve_positive_definite(&a, &full.dot(&x)).unwrap();
        assert!((&solved - &x).iter().all(|d| d.abs() < 1e-14));
        let b = array![1.0, 1.0];
        assert_eq!(solve_positive_definite(&array![[1.0, 1.0], [1.0, 1.0]], &b), None);
        assert_eq!(solve_positive_definite(&array![[f64::NAN, 0.0], [0.0, 1.0]], &b), None);
    }

    #[test]
    fn steps_of_a_singular_curvature_are_finite() {
        let step = newton_step(&[2.0, -3.0], &[4.0, 0.0, 6.0]).unwrap();
        assert!((step[0] + 0.5).abs() < 1e-15 && (step[1] - 0.5).abs() < 1e-15, "{step:?}");
        // Two columns that repeat each other share the step.
        let step = newton_step(&[2.0, 2.0], &[1.0, 1.0, 1.0]).unwrap();
        assert!(step.iter().all(|s| (s + 1.0).abs() < 1e-3), "{step:?}");
        assert_eq!(newton_step(&[f64::NAN], &[1.0]), None);
    }
}
