use super::*;
use ndarray::{Array2, array, concatenate};
use proptest::prelude::*;

/// 60 × 3 and targets by a formula, for which reference values were computed elsewhere; the third
/// column is constant, 27 rows are positive.
fn table() -> (Array2<f64>, Vec<bool>) {
    let x = Array2::from_shape_fn((60, 3), |(i, j)| {
        ((i * (7 + 4 * j) + 3 * j) % (11 + 2 * j)) as f64 / (3 + j) as f64 - 1.0
    });
    let y = (0..60).map(|i| ((i * 13) % 7) as f64 + x[[i, 0]] > 4.0).collect();
    (x, y)
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < tolerance, "{found:?} is not {expected:?}");
    }
}

/// scikit-learn 1.9.1, LogisticRegression(C=1/l2, class_weight=…, solver="newton-cholesky",
/// tol=1e-14).fit(table()): coef_, intercept_ and predict_proba of the first three rows.
#[test]
fn agrees_with_scikit_learn() {
    let (x, y) = table();
    let none = ClassWeight::None;
    let cases = [
        (
            1.0,
            none,
            [0.692_417_653_925_904_7, 0.391_247_523_404_089_4, 0.0, -0.889_489_560_504_567_2],
            [0.157_132_668_883_195_85, 0.435_437_047_087_126, 0.473_276_860_200_940_95],
        ),
        (
            0.25,
            none,
            [0.736_863_242_035_612_2, 0.425_484_965_619_653_7, 0.0, -0.940_333_175_135_515_6],
            [0.143_863_159_335_457_07, 0.431_198_597_629_674_1, 0.477_674_044_580_275],
        ),
        (
            1.0,
            ClassWeight::Balanced,
            [0.693_892_933_655_847_3, 0.400_485_450_875_744_3, 0.0, -0.697_074_009_264_666_8],
            [0.183_758_434_887_917_35, 0.481_945_972_570_136_1, 0.525_950_883_280_655_8],
        ),
    ];
    for (l2, class_weight, parameters, probabilities) in cases {
        let model = fit(x.view(), &y, &Params { l2, class_weight, ..Params::default() }).unwrap();
        assert!(model.converged);
        let found = [&model.coefficients[..], &[model.intercept]].concat();
        assert_near(&found, &parameters, 1e-9);
        let found = model.predict_proba(x.view()).unwrap();
        assert_near(&found.to_vec(), &probabilities, 1e-9);
    }
}

#[test]
fn linfa_agrees_whichever_class_is_larger() {
    let (x, y) = table();
    let flipped: Vec<bool> = y.iter().map(|y| !y).collect();
    for y in [y, flipped] {
        let native = fit(x.view(), &y, &Params::default()).unwrap();
        let params = Params { engine: Engine::Linfa, tolerance: 1e-8, ..Params::default() };
        let linfa = fit(x.view(), &y, &params).unwrap();
        assert_near(&linfa.coefficients, &native.coefficients, 1e-6);
        assert_near(&[linfa.intercept], &[native.intercept], 1e-6);
        assert!((linfa.objective - native.objective).abs() < 1e-8);
    }
}

#[test]
fn linfa_refuses_weights() {
    let (x, y) = table();
    let class_weight = ClassWeight::Balanced;
    let params = Params { engine: Engine::Linfa, class_weight, ..Params::default() };
    assert!(matches!(fit(x.view(), &y, &params), Err(LogisticError::LinfaWeights)));
}

#[test]
fn many_columns_agree_with_few() {
    // 210 columns of which 207 are zero: the minimum is that of the first three.
    let (x, y) = table();
    let wide = concatenate![ndarray::Axis(1), x, Array2::zeros((60, 207))];
    for class_weight in [ClassWeight::None, ClassWeight::Balanced] {
        let params = Params { class_weight, ..Params::default() };
        let newton = fit(x.view(), &y, &params).unwrap();
        let lbfgs = fit(wide.view(), &y, &params).unwrap();
        assert!(lbfgs.converged);
        assert_near(&lbfgs.coefficients[..3], &newton.coefficients, 1e-6);
        assert_near(&lbfgs.coefficients[3..], &[0.0; 207], 1e-12);
        assert_near(&[lbfgs.intercept], &[newton.intercept], 1e-6);
    }
}

#[test]
fn repeated_columns_without_a_penalty_have_a_minimum() {
    let (x, y) = table();
    let first = x.column(0).insert_axis(ndarray::Axis(1));
    let twice = concatenate![ndarray::Axis(1), first, first];
    let params = Params { l2: 0.0, ..Params::default() };
    let one = fit(first, &y, &params).unwrap();
    let two = fit(twice.view(), &y, &params).unwrap();
    assert!(one.converged && two.converged);
    assert!((one.objective - two.objective).abs() < 1e-8);
}

#[test]
fn separable_classes_and_large_values_stay_finite() {
    let x = array![[-4e5], [-1e5], [2e5], [3e5]];
    let y = [false, false, true, true];
    for l2 in [0.0, 1.0] {
        let model = fit(x.view(), &y, &Params { l2, ..Params::default() }).unwrap();
        let p = model.predict_proba(x.view()).unwrap();
        assert!(p.iter().all(|p| p.is_finite()) && p[0] < 0.01 && p[3] > 0.99);
    }
}

#[test]
fn refusals() {
    let (x, y) = table();
    let params = Params::default();
    let one_class = fit(x.view(), &[true; 60], &params).unwrap_err();
    assert_eq!(one_class.to_string(), "tell two classes apart: all 60 rows are of one class");
    assert!(matches!(
        fit(x.view(), &y[1..], &params),
        Err(LogisticError::Input(InputError::Length { rows: 60, targets: 59 }))
    ));
    assert!(fit(array![[f64::NAN], [1.0]].view(), &[true, false], &params).is_err());
    assert!(fit(Array2::zeros((0, 1)).view(), &[], &params).is_err());
    assert!(fit(x.view(), &y, &Params { l2: -1.0, ..params.clone() }).is_err());
    assert!(fit(x.view(), &y, &Params { l2: f64::NAN, ..params.clone() }).is_err());
    let stopped = fit(x.view(), &y, &Params { max_iterations: 1, ..params }).unwrap();
    assert!(!stopped.converged);
}

#[test]
fn threads_do_not_matter_and_json_keeps_every_bit() {
    let x = Array2::from_shape_fn((9000, 4), |(i, j)| ((i * (31 + j)) % 977) as f64 / 977.0);
    let y: Vec<bool> = (0..9000).map(|i| (i * 17) % 23 > 11).collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(x.view(), &y, &Params::default()).unwrap())
    };
    let model = run(1);
    assert_eq!(model, run(3));
    let json = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<Logistic>(&json).unwrap(), model);
}

proptest! {
    /// At the minimum the gradient vanishes; with the intercept free, predicted and observed
    /// numbers of positives agree.
    #[test]
    fn the_gradient_vanishes(
        rows in proptest::collection::vec((-3.0..3.0f64, -3.0..3.0f64, any::<bool>()), 4..80),
        l2 in 0.01..10.0f64,
    ) {
        let y: Vec<bool> = rows.iter().map(|r| r.2).collect();
        prop_assume!(y.contains(&true) && y.contains(&false));
        let x = Array2::from_shape_fn((rows.len(), 2), |(i, j)| [rows[i].0, rows[i].1][j]);
        let model = fit(x.view(), &y, &Params { l2, ..Params::default() }).unwrap();
        prop_assert!(model.converged);
        let p = model.predict_proba(x.view()).unwrap();
        let errors: Vec<f64> =
            p.iter().zip(&y).map(|(p, &y)| p - f64::from(u8::from(y))).collect();
        prop_assert!(errors.iter().sum::<f64>().abs() < 1e-6);
        for (column, w) in x.columns().into_iter().zip(&model.coefficients) {
            let slope: f64 = column.iter().zip(&errors).map(|(x, e)| x * e).sum();
            prop_assert!((slope + l2 * w).abs() < 1e-6);
        }
    }
}
