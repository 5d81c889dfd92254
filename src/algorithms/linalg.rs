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
}
