use super::*;
use ndarray::{Array2, array};
use proptest::prelude::*;

/// 80 × 6 and targets by a formula, for which reference values were computed elsewhere; the third column is constant.
fn table() -> (Array2<f64>, Vec<f64>, Vec<f64>) {
    let x = Array2::from_shape_fn((80, 6), |(i, j)| {
        let value = |j: usize| ((i * (7 + 4 * j) + 3 * j) % (11 + 2 * j)) as f64 / (3 + j) as f64 - 1.0;
        if j == 5 { 0.25 * value(0) + ((i * 29) % 31) as f64 / 31.0 } else { value(j) }
    });
    let noise = |i: usize| ((i * 13) % 17) as f64 / 17.0;
    let y = (0..80).map(|i| 1.5 + 2.0 * x[[i, 0]] - 0.7 * x[[i, 2]] + 0.05 * x[[i, 4]] + noise(i)).collect();
    (x, y, (0..80).map(|i| (i % 4) as f64 / 2.0).collect())
}

fn run(x: ArrayView2<'_, f64>, y: &[f64], weights: Option<&[f64]>, l1: f64, l2: f64) -> Elastic {
    fit(x, y, weights, &Penalty { l1, l2 }, &Params::default(), &|| true).unwrap()
}

fn objective(x: ArrayView2<'_, f64>, y: &[f64], penalty: Penalty, coefficients: &[f64], intercept: f64) -> f64 {
    let fitted = x.dot(&ArrayView1::from(coefficients)) + intercept;
    let squares: f64 = y.iter().zip(&fitted).map(|(y, fitted)| (y - fitted).powi(2)).sum();
    let magnitudes: f64 = coefficients.iter().map(|w| w.abs()).sum();
    squares / 2.0 + penalty.l1 * magnitudes + penalty.l2 / 2.0 * coefficients.iter().map(|w| w * w).sum::<f64>()
}

/// scikit-learn 1.9.1, ElasticNet(alpha, l1_ratio, tol=1e-14, max_iter=1000000).fit(table(), sample_weight=…): coef_ and
/// intercept_.
#[test]
fn agrees_with_scikit_learn() {
    let (x, y, weights) = table();
    let cases = [
        (0.05, 1.0, false, [1.957_887_205_337_636_2, 0.0, 0.0, 0.0, 0.0, 0.0, 1.869_687_342_351_095_3]),
        (
            0.1,
            0.3,
            false,
            [
                1.850_648_561_372_400_2,
                0.0,
                0.0,
                -0.010_043_720_558_872_564,
                0.0,
                0.034_259_413_992_846_32,
                1.920_172_746_115_798,
            ],
        ),
        (
            0.02,
            0.7,
            true,
            [
                1.986_730_026_146_619_6,
                -0.000_632_005_762_051_870_1,
                0.0,
                -0.051_283_877_853_702_79,
                0.043_240_314_967_915_236,
                0.0,
                1.867_272_456_176_550_1,
            ],
        ),
        (
            0.1,
            0.0,
            true,
            [
                1.796_096_444_680_058_7,
                -0.016_649_495_191_559_012,
                0.0,
                -0.090_522_757_560_509_77,
                0.057_451_319_097_851_09,
                0.200_016_208_220_552_33,
                1.880_743_112_371_177,
            ],
        ),
        (0.3, 1.0, true, [1.747_409_919_795_836_6, 0.0, 0.0, 0.0, 0.0, 0.0, 2.013_689_854_653_715]),
    ];
    for (alpha, ratio, weighted, expected) in cases {
        let weights = weighted.then_some(&weights[..]);
        let total = weights.map_or(80.0, |weights| weights.iter().sum());
        let found = run(x.view(), &y, weights, alpha * ratio * total, alpha * (1.0 - ratio) * total);
        assert!(found.converged && found.gap >= 0.0);
        for (found, expected) in found.coefficients.iter().chain([&found.intercept]).zip(expected) {
            assert!((found - expected).abs() < 1e-8, "{alpha} {ratio}: {found} is not {expected}");
            assert_eq!(*found == 0.0, expected == 0.0);
        }
    }
}

/// Products of columns by their definition, for widths on both sides of a panel and rows of a block.
#[test]
fn products_are_those_of_centered_columns() {
    for (rows, columns) in [(1, 1), (255, 7), (256, 8), (257, 9), (3000, 17)] {
        let x = Array2::from_shape_fn((rows, columns), |(i, j)| ((i * (31 + j) + j) % 101) as f64 + 1e6);
        let targets: Vec<f64> = (0..rows).map(|i| ((i * 7) % 13) as f64).collect();
        let weights: Vec<f64> = (0..rows).map(|i| ((i + 1) % 3) as f64).collect();
        let total: f64 = weights.iter().sum();
        let found = gram(Rows { x: x.view(), targets: &targets, weights: Some(&weights) }, total);
        let w = Array1::from(weights);
        let centered = &x - &(w.dot(&x) / total);
        let y = Array1::from(targets);
        let y = &y - w.dot(&y) / total;
        let weighted = &centered * &w.view().insert_axis(Axis(1));
        let expected = weighted.t().dot(&centered);
        for (found, expected) in found.products.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
        }
        for (found, expected) in found.with_target.iter().zip(&weighted.t().dot(&y)) {
            assert!((found - expected).abs() < 1e-6);
        }
        assert!((found.target - (&y * &y).dot(&w)).abs() < 1e-9);
    }
}

#[test]
fn without_l1_it_is_linear_regression() {
    let (x, y, weights) = table();
    for l2 in [0.0, 1e-13, 3.0] {
        let found = run(x.view(), &y, Some(&weights), 0.0, l2);
        let expected = linear::fit_weighted(x.view(), &y, Some(&weights), l2).unwrap();
        assert!(found.converged);
        for (a, b) in found.coefficients.iter().zip(&expected.coefficients) {
            assert!((a - b).abs() < 1e-9);
        }
    }
}

#[test]
fn odd_tables_are_fitted() {
    // One row, a constant target, only constant columns: nothing to explain.
    let one = run(array![[3.0, 4.0]].view(), &[7.0], None, 1.0, 0.0);
    assert_eq!((one.coefficients, one.intercept, one.converged), (vec![0.0; 2], 7.0, true));
    let (x, y, weights) = table();
    let flat = run(x.view(), &[0.1; 80], None, 1e-9, 0.0);
    assert!(flat.converged && flat.coefficients == [0.0; 6]);
    let constant = run(Array2::from_elem((80, 2), 0.1).view(), &y, Some(&weights), 1e-20, 0.0);
    assert_eq!((constant.coefficients, constant.converged), (vec![0.0; 2], true));
    // More columns than rows, and each column twice.
    let wide = Array2::from_shape_fn((20, 100), |(i, j)| x[[i + j % 50, [0, 1, 3, 4, 5][j % 5]]]);
    let found = run(wide.view(), &y[..20], None, 0.5, 0.0);
    assert!(found.converged);
    assert!(found.coefficients.iter().filter(|w| **w != 0.0).count() <= 20);
    // So large a penalty that nothing is left: the weighted mean.
    let none = run(x.view(), &y, Some(&weights), 1e9, 0.0);
    let mean = y.iter().zip(&weights).map(|(y, w)| y * w).sum::<f64>() / weights.iter().sum::<f64>();
    assert!(none.coefficients.iter().all(|w| *w == 0.0) && (none.intercept - mean).abs() < 1e-12);
}

#[test]
fn refusals() {
    let (x, y, weights) = table();
    let run = |x: ArrayView2<'_, f64>, y: &[f64], weights: Option<&[f64]>, l1, l2| {
        fit(x, y, weights, &Penalty { l1, l2 }, &Params::default(), &|| true)
    };
    assert_eq!(run(x.view(), &y[1..], None, 1.0, 0.0), Err(InputError::Length { rows: 80, targets: 79 }.into()));
    assert_eq!(run(Array2::zeros((0, 1)).view(), &[], None, 1.0, 0.0), Err(InputError::NoRows.into()));
    assert_eq!(run(Array2::zeros((1, 0)).view(), &[1.0], None, 1.0, 0.0), Err(InputError::NoColumns.into()));
    assert_eq!(run(x.view(), &y, Some(&[0.0; 80]), 1.0, 0.0), Err(InputError::NoRows.into()));
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(run(x.view(), &y, None, wrong, 0.0), Err(ElasticError::Penalty));
        assert_eq!(run(x.view(), &y, None, 0.0, wrong), Err(ElasticError::Penalty));
        let mut weights = weights.clone();
        weights[7] = wrong;
        assert_eq!(run(x.view(), &y, Some(&weights), 1.0, 0.0), Err(ElasticError::Weights));
    }
    for wrong in [f64::NAN, f64::INFINITY] {
        let mut y = y.clone();
        y[7] = wrong;
        assert!(matches!(run(x.view(), &y, None, 1.0, 0.0), Err(ElasticError::Input(InputError::NonFinite { .. }))));
        let mut x = x.clone();
        x[[7, 1]] = wrong;
        assert!(matches!(run(x.view(), &y, None, 1.0, 0.0), Err(ElasticError::Input(InputError::NonFinite { .. }))));
    }
    let huge = array![[1e200], [-1e200]];
    assert_eq!(run(huge.view(), &[1.0, 2.0], None, 1.0, 0.0), Err(ElasticError::Overflow));
    let params = Params { tolerance: 0.0, ..Params::default() };
    let penalty = Penalty { l1: 1.0, l2: 0.0 };
    assert_eq!(fit(x.view(), &y, None, &penalty, &params, &|| true), Err(ElasticError::Tolerance));
    assert_eq!(fit(x.view(), &y, None, &penalty, &Params::default(), &|| false), Err(ElasticError::Stopped));
    let params = Params { max_iterations: 1, ..Params::default() };
    let l2 = 0.5;
    let stopped = fit(x.view(), &y, None, &Penalty { l1: 0.5, l2 }, &params, &|| true).unwrap();
    assert!(!stopped.converged && stopped.iterations == 1 && stopped.gap > 0.0);
}

#[test]
fn threads_do_not_matter_and_json_keeps_every_bit() {
    let x = Array2::from_shape_fn((9000, 19), |(i, j)| ((i * (31 + j)) % 977) as f64 / 977.0);
    let y: Vec<f64> = (0..9000).map(|i| ((i * 17) % 23) as f64 + x[[i, 3]]).collect();
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(x.view(), &y, None, 3.0, 1.0))
    };
    let found = of(1);
    assert_eq!(found, of(3));
    assert!(found.converged);
    assert_eq!(serde_json::from_str::<Elastic>(&serde_json::to_string(&found).unwrap()).unwrap(), found);
}

proptest! {
    /// At the minimum each column's product with what is left is its share of the penalty, or where the coefficient is
    /// zero no more than l1; and the gap bounds what any other point could gain.
    #[test]
    fn the_subgradient_vanishes_and_the_gap_is_a_bound(
        rows in proptest::collection::vec((-3.0..3.0_f64, -3.0..3.0_f64, -3.0..3.0_f64), 2..60),
        l1 in 0.01..20.0_f64,
        l2 in prop_oneof![Just(0.0), 0.01..10.0_f64],
    ) {
        let x = Array2::from_shape_fn((rows.len(), 2), |(i, j)| [rows[i].0, rows[i].1][j]);
        let y: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let found = run(x.view(), &y, None, l1, l2);
        prop_assert!(found.converged);
        let left: Vec<f64> = y.iter().zip(found.predict(x.view()).unwrap()).map(|(y, fitted)| y - fitted).collect();
        prop_assert!(left.iter().sum::<f64>().abs() < 1e-9);
        for (column, w) in x.columns().into_iter().zip(&found.coefficients) {
            let slope = column.iter().zip(&left).map(|(x, left)| x * left).sum::<f64>() - l2 * w;
            let error = if *w == 0.0 { slope.abs() - l1 } else { (slope - l1 * w.signum()).abs() };
            prop_assert!(error < 1e-3, "{error}");
        }
        let penalty = Penalty { l1, l2 };
        let rough = Params { tolerance: 0.5, max_iterations: 3 };
        let rough = fit(x.view(), &y, None, &penalty, &rough, &|| true).unwrap();
        let above = objective(x.view(), &y, penalty, &rough.coefficients, rough.intercept)
            - objective(x.view(), &y, penalty, &found.coefficients, found.intercept);
        prop_assert!(above <= rough.gap + 1e-9);
    }
}
