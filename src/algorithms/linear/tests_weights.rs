use super::*;
use ndarray::Array2;
use proptest::prelude::*;

/// 12 × 2, targets and weights by a formula, for which reference values were computed elsewhere.
fn table() -> (Array2<f64>, Vec<f64>, [f64; 12]) {
    let x = Array2::from_shape_fn((12, 2), |(row, column)| match column {
        0 => ((row * 7) % 11) as f64 / 3.0,
        _ => ((row * 5) % 13) as f64 / 4.0 - 1.0,
    });
    let noise = |row: usize| (((row * 17) % 7) as f64 - 3.0) / 10.0;
    let y = (0..12).map(|row| 2.0 + x[[row, 0]] - 0.5 * x[[row, 1]] + noise(row)).collect();
    (x, y, [1.0, 0.5, 2.0, 0.0, 3.0, 1.0, 0.25, 4.0, 1.0, 0.0, 2.0, 1.5])
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance, "{found} is not {expected}");
    }
}

/// numpy 2.4.6, rows of weight zero taken out. First the formulas of statsmodels' WLS: A with a column of ones,
/// i = inv(A'WA), b = i A'Wy, errors sqrt(diag(i) · r'Wr / (n − 3)). Then as above with c = √W (x − weighted mean) and
/// i = inv(c'c + 1.5 I): sqrt(diag(i c'c i) · r'r / (n − 1 − trace(i c'c))).
#[test]
fn agrees_with_the_formulas() {
    let (x, y, weights) = table();
    let cases = [
        (
            0.0,
            [1.010_686_657_722_285_7, -0.532_369_300_500_828_4, 1.990_995_265_416_006_6],
            [0.130_279_791_223_491_2, 0.109_793_509_689_707_34, 0.349_056_778_434_426_5],
        ),
        (
            1.5,
            [0.809_487_148_902_792_4, -0.408_226_951_232_341_1, 2.136_677_280_871_578],
            [0.121_338_056_867_480_88, 0.106_813_697_167_297_15, 0.401_041_442_420_843_05],
        ),
    ];
    for (l2, coefficients, errors) in cases {
        let found = fit_weighted(x.view(), &y, Some(&weights), l2).unwrap();
        assert_near(&[&found.coefficients[..], &[found.intercept]].concat(), &coefficients, 1e-12);
        let found = [&found.standard_errors.unwrap()[..], &[found.deviation.unwrap()]].concat();
        assert_near(&found, &errors, 1e-12);
    }
}

#[test]
fn weights_of_one_change_nothing_and_those_of_zero_take_rows_out() {
    let (x, y, mut weights) = table();
    assert_eq!(fit_weighted(x.view(), &y, Some(&[1.0; 12]), 0.5), fit(x.view(), &y, 0.5));
    // Two rows with three coefficients leave no degrees of freedom.
    weights[2..].fill(0.0);
    let few = fit_weighted(x.view(), &y, Some(&weights), 0.0).unwrap();
    assert_eq!((few.standard_errors, few.deviation, few.dependent.len()), (None, None, 1));
    // A column that is constant where rows count is constant.
    let (mut x, y, weights) = table();
    x.column_mut(1).fill(1e6 / 3.0);
    (x[[3, 1]], x[[9, 1]]) = (5.0, -8.0);
    let found = fit_weighted(x.view(), &y, Some(&weights), 0.0).unwrap();
    assert_eq!((found.dependent, found.coefficients[1]), (vec![1], 0.0));
}

#[test]
fn weights_that_are_none_are_refused() {
    let (x, y, weights) = table();
    for wrong in [-1.0, f64::NAN, f64::INFINITY, f64::MAX] {
        let mut weights = weights;
        (weights[0], weights[1]) = (wrong, wrong);
        assert_eq!(fit_weighted(x.view(), &y, Some(&weights), 0.0), Err(LinearError::Weights));
    }
    assert_eq!(fit_weighted(x.view(), &y, Some(&[0.0; 12]), 0.0), Err(InputError::NoRows.into()));
    let short = fit_weighted(x.view(), &y, Some(&weights[1..]), 0.0);
    assert_eq!(short, Err(InputError::Length { rows: 12, targets: 11 }.into()));
}

#[test]
fn threads_do_not_matter() {
    let x = Array2::from_shape_fn((3 * BLOCK_ROWS + 7, 3), |(row, column)| ((row * (31 + column)) % 977) as f64);
    let y: Vec<f64> = (0..x.nrows()).map(|row| ((row * 13) % 101) as f64).collect();
    let weights: Vec<f64> = (0..x.nrows()).map(|row| (row % 5) as f64 / 2.0).collect();
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit_weighted(x.view(), &y, Some(&weights), 1.0).unwrap())
    };
    assert_eq!(of(1), of(3));
}

proptest! {
    /// A row of weight n is, for the coefficients, n rows.
    #[test]
    fn a_weight_is_a_number_of_rows(
        rows in proptest::collection::vec((-3.0..3.0_f64, -3.0..3.0_f64, -3.0..3.0_f64, 0..4_usize), 2..40),
        l2 in 0.1..10.0_f64,
    ) {
        prop_assume!(rows.iter().any(|row| row.3 > 0));
        let x = Array2::from_shape_fn((rows.len(), 2), |(row, column)| [rows[row].0, rows[row].1][column]);
        let y: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let weights: Vec<f64> = rows.iter().map(|row| row.3 as f64).collect();
        let places: Vec<usize> = (0..rows.len()).flat_map(|row| std::iter::repeat_n(row, rows[row].3)).collect();
        let repeated = x.select(Axis(0), &places);
        let targets: Vec<f64> = places.iter().map(|&row| y[row]).collect();
        let weighted = fit_weighted(x.view(), &y, Some(&weights), l2).unwrap();
        let plain = fit(repeated.view(), &targets, l2).unwrap();
        prop_assert!((weighted.intercept - plain.intercept).abs() < 1e-9);
        for (a, b) in weighted.coefficients.iter().zip(&plain.coefficients) {
            prop_assert!((a - b).abs() < 1e-9);
        }
    }
}
