use super::super::kernelized::tests::table;
use super::*;
use ndarray::{Array2, array, concatenate};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const GO_ON: &(dyn Fn() -> bool + Sync) = &|| true;

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < tolerance, "{found:?} is not {expected:?}");
    }
}

fn parameters(plane: &Plane) -> Vec<f64> {
    assert!(plane.converged);
    [&plane.coefficients[..], &[plane.intercept]].concat()
}

/// scipy 1's BFGS on the same objectives, C=2, gtol=1e-11, without and with weights: coefficients, intercept, value.
#[test]
fn agrees_with_a_general_minimizer() {
    let (x, positive, targets, weights) = table();
    let params = Params { c: 2.0, ..Params::default() };
    let found = classify(x.view(), &positive, None, &params, GO_ON).unwrap();
    let expected = [0.305_643_777_839_884, 0.307_741_401_964_228, 0.0, 0.159_080_995_425_683, -0.424_065_290_884_899];
    assert_near(&parameters(&found), &expected, 1e-9);
    assert_near(&[found.objective], &[125.619_938_398_028], 1e-9);
    let found = classify(x.view(), &positive, Some(&weights), &params, GO_ON).unwrap();
    let expected = [0.329_255_613_954_048, 0.305_981_644_594_247, 0.0, 0.292_762_065_694_819, -0.499_528_777_272_923];
    assert_near(&parameters(&found), &expected, 1e-9);
    let found = regress(x.view(), &targets, None, 0.2, &params, GO_ON).unwrap();
    let expected = [0.998_214_650_417, -0.211_198_199_680, 0.0, -0.016_058_813_935, 0.455_558_310_628];
    assert_near(&parameters(&found), &expected, 1e-8);
    assert_near(&[found.objective], &[3.294_592_512_372_8], 1e-10);
    let found = regress(x.view(), &targets, Some(&weights), 0.2, &params, GO_ON).unwrap();
    let expected = [1.006_665_077_712, -0.235_730_193_520, 0.0, -0.007_042_698_813, 0.457_178_244_882];
    assert_near(&parameters(&found), &expected, 1e-8);
}

/// Of the objective by its formula, the intercept last; and the size of what it is summed from.
fn gradient(x: ArrayView2<'_, f64>, plane: &Plane, slope: impl Fn(usize, f64) -> f64) -> (Vec<f64>, f64) {
    let mut sums = plane.coefficients.clone();
    sums.push(0.0);
    let mut size = 1.0;
    for (row, decision) in plane.decision(x).unwrap().into_iter().enumerate() {
        let slope = slope(row, decision);
        for (sum, value) in sums.iter_mut().zip(x.row(row).iter().chain([&1.0])) {
            *sum += slope * value;
            size += (slope * value).abs();
        }
    }
    (sums, size)
}

/// Across the borders of blocks, on columns of very different sizes far from the origin.
#[test]
fn the_gradient_vanishes() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let x = Array2::from_shape_fn((5000, 4), |(_, column)| match column {
        0 => rng.gen_range(0.0..1e6),
        1 => 2000.0 + rng.gen_range(0.0..1.0),
        _ => rng.gen_range(-1.0..1.0),
    });
    let z: Vec<f64> = x.rows().into_iter().map(|x| 1e-6 * x[0] + x[1] - x[3] + rng.gen_range(-1.0..1.0)).collect();
    let y: Vec<bool> = z.iter().map(|z| *z > 2001.0).collect();
    let params = Params { c: 0.7, ..Params::default() };
    let found = classify(x.view(), &y, None, &params, GO_ON).unwrap();
    let sign = |row: usize| if y[row] { 1.0 } else { -1.0 };
    let (sums, size) = gradient(x.view(), &found, |row, f| -1.4 * sign(row) * (1.0 - sign(row) * f).max(0.0));
    assert!(found.converged && found.iterations < 30);
    assert!(sums.iter().all(|sum| sum.abs() < 1e-8 * size), "{sums:?} of {size}");
    let found = regress(x.view(), &z, None, 0.3, &params, GO_ON).unwrap();
    let slope = |row: usize, f: f64| 1.4 * ((f - z[row]).abs() - 0.3).max(0.0) * (f - z[row]).signum();
    let (sums, size) = gradient(x.view(), &found, slope);
    assert!(found.converged);
    assert!(sums.iter().all(|sum| sum.abs() < 1e-8 * size), "{sums:?} of {size}");
}

#[test]
fn many_columns_agree_with_few() {
    // 310 columns of which 306 are zero: the minimum is that of the first four.
    let (x, positive, targets, weights) = table();
    let wide = concatenate![Axis(1), x, Array2::zeros((80, 306))];
    let params = Params::default();
    let few = classify(x.view(), &positive, Some(&weights), &params, GO_ON).unwrap();
    let many = classify(wide.view(), &positive, Some(&weights), &params, GO_ON).unwrap();
    assert!(many.converged);
    assert_near(&many.coefficients[..4], &few.coefficients, 1e-8);
    assert_near(&many.coefficients[4..], &[0.0; 306], 1e-15);
    let few = regress(x.view(), &targets, None, 0.1, &params, GO_ON).unwrap();
    let many = regress(wide.view(), &targets, None, 0.1, &params, GO_ON).unwrap();
    assert!(many.converged);
    assert_near(&[&many.coefficients[..4], &[many.intercept]].concat(), &parameters(&few), 1e-8);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// More columns than rows included; no other plane nearby is better.
    #[test]
    fn nothing_nearby_is_better(
        rows in prop::collection::vec((prop::collection::vec(-2.0_f64..2.0, 6), any::<bool>(), 0.0_f64..2.0), 3..12),
        step in prop::collection::vec(-0.1_f64..0.1, 7),
    ) {
        let positives = rows.iter().filter(|row| row.1 && row.2 > 0.0).count();
        let weighing = rows.iter().filter(|row| row.2 > 0.0).count();
        prop_assume!(positives > 0 && positives < weighing);
        let x = Array2::from_shape_fn((rows.len(), 6), |(i, j)| rows[i].0[j]);
        let y: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let weights: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let params = Params { c: 5.0, ..Params::default() };
        let value = |plane: &Plane| -> f64 {
            let lost = plane.decision(x.view()).unwrap().into_iter().zip(&rows).map(|(f, row)| {
                5.0 * row.2 * (1.0 - if row.1 { f } else { -f }).max(0.0).powi(2)
            });
            lost.sum::<f64>() + 0.5 * plane.coefficients.iter().map(|w| w * w).sum::<f64>()
        };
        let found = classify(x.view(), &y, Some(&weights), &params, GO_ON).unwrap();
        prop_assert!(found.converged);
        prop_assert!((value(&found) - found.objective).abs() < 1e-9 * (1.0 + found.objective));
        let mut other = found.clone();
        other.coefficients.iter_mut().zip(&step).for_each(|(w, step)| *w += step);
        other.intercept += step[6];
        prop_assert!(value(&other) >= value(&found) - 1e-9);
    }
}

#[test]
fn threads_do_not_matter_and_json_keeps_every_bit() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(6);
    for columns in [5, 320] {
        let x = Array2::from_shape_fn((7000, columns), |_| rng.gen_range(-1.0..1.0));
        let y: Vec<bool> = x.rows().into_iter().map(|x| x[0] + x[1] + rng.gen_range(-1.0..1.0) > 0.0).collect();
        let params = Params { iterations_max: 5, ..Params::default() };
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| classify(x.view(), &y, None, &params, GO_ON).unwrap())
        };
        let found = of(1);
        assert_eq!(found, of(3));
        assert_eq!(serde_json::from_str::<Plane>(&serde_json::to_string(&found).unwrap()).unwrap(), found);
    }
}

#[test]
fn odd_tables_work() {
    let params = Params::default();
    // Contradictory duplicates, a constant column.
    let x = array![[1.0, 5.0], [1.0, 5.0], [1.0, 5.0]];
    let found = classify(x.view(), &[true, false, true], None, &params, GO_ON).unwrap();
    assert_near(&found.decision(x.view()).unwrap(), &[1.0 / 3.0; 3], 1e-9);
    // All targets within epsilon, and a single row.
    let found = regress(x.view(), &[1.0, 1.1, 1.2], None, 0.5, &params, GO_ON).unwrap();
    assert_near(&found.decision(x.view()).unwrap(), &[1.1; 3], 1e-9);
    let found = regress(array![[2.0]].view(), &[3.0], None, 0.0, &params, GO_ON).unwrap();
    assert_near(&found.decision(array![[7.0]].view()).unwrap(), &[3.0], 1e-9);
    // A column-major table, and a rare class.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(8);
    let x = Array2::from_shape_fn((3, 4000), |_| rng.gen_range(-1.0..1.0)).reversed_axes();
    let y: Vec<bool> = (0..4000).map(|row| row % 1000 == 7).collect();
    let found = classify(x.view(), &y, None, &params, GO_ON).unwrap();
    let again = classify(x.as_standard_layout().view(), &y, None, &params, GO_ON).unwrap();
    assert!(found.converged);
    assert_near(&parameters(&found), &parameters(&again), 1e-10);
    assert!(found.decision(Array2::zeros((0, 3)).view()).unwrap().is_empty());
}

#[test]
fn refusals() {
    let (x, y) = (array![[1.0], [2.0]], [true, false]);
    let params = Params::default();
    let with = |x: &Array2<f64>, y: &[bool], weights: Option<&[f64]>, params: &Params| {
        classify(x.view(), y, weights, params, GO_ON).unwrap_err()
    };
    assert_eq!(with(&Array2::zeros((0, 1)), &[], None, &params), InputError::NoRows.into());
    assert_eq!(with(&Array2::zeros((2, 0)), &y, None, &params), InputError::NoColumns.into());
    assert!(matches!(with(&array![[1.0], [f64::INFINITY]], &y, None, &params), SvmError::Input(_)));
    assert_eq!(with(&x, &[false, false], None, &params), SvmError::OneClass { rows: 2 });
    assert_eq!(with(&x, &y, Some(&[0.0, 1.0]), &params), SvmError::OneClass { rows: 1 });
    assert_eq!(with(&x, &y, Some(&[1.0, f64::NAN]), &params), SvmError::Weights);
    assert_eq!(with(&x, &y, None, &Params { c: -1.0, ..params.clone() }), SvmError::Cost);
    assert_eq!(with(&x, &y, None, &Params { tolerance: f64::NAN, ..params.clone() }), SvmError::Tolerance);
    assert_eq!(with(&array![[1e200], [-1e200]], &y, None, &params), SvmError::Overflow);
    assert_eq!(classify(x.view(), &y, None, &params, &|| false), Err(SvmError::Stopped));
    assert_eq!(regress(x.view(), &[1.0, 2.0], None, f64::NAN, &params, GO_ON), Err(SvmError::Epsilon));
    assert!(regress(x.view(), &[1.0, f64::NAN], None, 0.1, &params, GO_ON).is_err());
    let found = classify(x.view(), &y, None, &params, GO_ON).unwrap();
    assert_eq!(found.decision(Array2::zeros((1, 2)).view()), Err(InputError::Width { expected: 1, found: 2 }));
}
