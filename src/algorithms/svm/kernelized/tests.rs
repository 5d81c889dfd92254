use super::*;
use ndarray::{Array2, array};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const GO_ON: &(dyn Fn() -> bool + Sync) = &|| true;

/// 80 × 4 by a formula, for which reference values were computed elsewhere; the third column is constant, 39 rows are
/// positive, 8 weigh nothing.
pub(in crate::algorithms::svm) fn table() -> (Array2<f64>, Vec<bool>, Vec<f64>, Vec<f64>) {
    let value = |(i, j): (usize, usize)| ((i * (7 + 4 * j) + 3 * j) % (11 + 2 * j)) as f64 / (3 + j) as f64 - 1.0;
    let x = Array2::from_shape_fn((80, 4), value);
    let rows = || x.rows().into_iter().enumerate();
    let positive = rows().map(|(i, x)| ((i * 13) % 7) as f64 + 3.0 * x[0] * x[1] + x[2] * x[2] > 4.0).collect();
    let targets = rows().map(|(i, x)| x[0] - x[1] * x[2] + ((i * 5) % 9) as f64 / 9.0).collect();
    let weights = (0..80).map(|i| if i % 10 == 3 { 0.0 } else { 0.5 + (i % 4) as f64 / 2.0 }).collect();
    (x, positive, targets, weights)
}

const KERNELS: [Kernel; 4] = [
    Kernel::Linear,
    Kernel::Rbf { gamma: 0.5 },
    Kernel::Polynomial { gamma: 0.5, degree: 3, coef0: 1.0 },
    Kernel::Sigmoid { gamma: 0.05, coef0: -0.5 },
];

/// scikit-learn 1.9.1 on `table()`, C=2, tol=1e-10, by kernel, without and with weights: decision_function of
/// SVC for the first four rows.
const CLASSES: [[[f64; 4]; 2]; 4] = [
    [
        [-1.884_146_623_335_337_7, -0.457_317_046_537_315_75, 0.743_901_767_607_488_6, 2.170_731_344_405_577],
        [-1.957_447_939_324_326_3, -0.457_446_156_378_092_05, 1.117_020_897_291_923_8, 2.617_022_680_238_165],
    ],
    [
        [-0.641_792_753_229_479_2, -1.107_295_991_281_438_4, 0.447_103_505_178_312_2, 1.000_000_012_632_296_5],
        [-0.452_882_047_099_003_26, -1.000_000_328_516_738_7, 0.454_385_306_570_497_5, 0.877_105_322_156_267],
    ],
    [
        [-0.999_999_792_190_946_7, -1.397_215_360_768_130_4, 0.431_839_654_255_514_9, 1.972_460_493_624_712_3],
        [-1.000_000_510_290_332_9, -1.483_308_930_817_788_5, 1.000_006_487_906_416_3, 2.478_417_540_039_165_7],
    ],
    [
        [-1.369_138_393_601_959_7, -0.558_177_368_801_125_1, 0.373_400_907_948_504_45, 1.761_375_713_026_149],
        [-1.477_504_618_377_125_7, -0.644_540_785_537_684_3, 0.631_750_806_039_11, 2.085_082_279_265_036_8],
    ],
];

/// As above: predict of SVR(epsilon=0.2).
const TARGETS: [[[f64; 4]; 2]; 4] = [
    [
        [-0.532_980_827_986_472_2, 1.917_912_805_500_997_3, -0.009_863_485_754_941_892, 2.441_030_147_732_507_6],
        [-0.464_075_997_030_187_3, 2.037_674_984_465_215, -0.088_888_173_857_128_77, 2.412_862_807_638_269_7],
    ],
    [
        [-0.406_280_995_531_795_53, 2.087_999_188_604_101, -0.088_888_956_980_416_66, 2.461_007_983_265_383_3],
        [-0.322_956_445_614_352_3, 2.011_271_860_217_799, -0.088_888_967_585_180_94, 2.083_578_773_061_641_5],
    ],
    [
        [-0.549_245_311_446_087_3, 2.053_917_360_424_226_7, -0.122_532_351_423_328_97, 2.499_970_556_841_175],
        [-0.669_319_786_128_685_4, 2.115_884_396_751_994_2, -0.177_634_275_528_646_75, 2.209_204_401_442_25],
    ],
    [
        [-0.368_905_365_386_205_44, 1.862_123_387_582_807_6, -0.031_837_184_312_725_975, 2.400_179_855_735_822_7],
        [-0.302_599_383_213_861_5, 2.027_896_186_450_928_6, -0.131_558_479_845_234_72, 2.400_166_750_556_461],
    ],
];

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < tolerance, "{found:?} is not {expected:?}");
    }
}

/// With the tolerance of 0.001 libsvm itself is up to 0.0073 from these.
#[test]
fn agrees_with_libsvm() {
    let (x, positive, targets, weights) = table();
    for (number, kernel) in KERNELS.into_iter().enumerate() {
        for (weights, which) in [(None, 0), (Some(&weights[..]), 1)] {
            for (tolerance, near) in [(1e-3, 8e-3), (1e-8, 1e-5)] {
                let params = Params { c: 2.0, tolerance, ..Params::new(kernel) };
                let found = classify(x.view(), &positive, weights, &params, GO_ON).unwrap();
                assert!(found.converged && found.violation < tolerance);
                assert_near(&found.decision(x.view()).unwrap()[..4], &CLASSES[number][which], near);
                let found = regress(x.view(), &targets, weights, 0.2, &params, GO_ON).unwrap();
                assert!(found.converged);
                assert_near(&found.decision(x.view()).unwrap()[..4], &TARGETS[number][which], near);
            }
        }
    }
}

/// The conditions of Karush, Kuhn and Tucker, on the decisions and not on what the optimizer keeps.
#[test]
fn the_conditions_of_the_minimum_hold() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let x = Array2::from_shape_fn((500, 5), |_| rng.gen_range(-2.0..2.0));
    let y: Vec<bool> = x.rows().into_iter().map(|x| x[0] * x[1] + rng.gen_range(-0.5..0.5) > 0.0).collect();
    let params = Params { c: 3.0, cache_bytes: 100_000, ..Params::new(Kernel::Rbf { gamma: 0.2 }) };
    let found = classify(x.view(), &y, None, &params, GO_ON).unwrap();
    let mut alpha = vec![0.0; 500];
    for (row, coefficient) in found.support_rows.iter().zip(&found.coefficients) {
        alpha[*row] = coefficient * if y[*row] { 1.0 } else { -1.0 };
    }
    assert!(found.coefficients.iter().sum::<f64>().abs() < 1e-9);
    assert!(found.rows_computed > found.support.len(), "the cache is too small for all");
    for ((decision, y), alpha) in found.decision(x.view()).unwrap().iter().zip(&y).zip(&alpha) {
        let margin = if *y { *decision } else { -decision };
        assert!((0.0..=3.0).contains(alpha));
        assert!(*alpha < 3.0 || margin < 1.0 + 1e-3);
        assert!(*alpha > 0.0 || margin > 1.0 - 1e-3);
    }
    // Neither the size of the cache nor the threads matter.
    let roomy = Params { cache_bytes: 10_000_000, ..params.clone() };
    let again = classify(x.view(), &y, None, &roomy, GO_ON).unwrap();
    assert_eq!((&again.coefficients, again.intercept), (&found.coefficients, found.intercept));
}

#[test]
fn threads_do_not_matter_and_json_keeps_every_bit() {
    // Wide enough for threads to share a row.
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let x = Array2::from_shape_fn((2500, 120), |_| rng.gen_range(-1.0..1.0));
    let y: Vec<f64> = x.rows().into_iter().map(|x| x[0] + x[1] * x[1]).collect();
    let params = Params { iterations_max: 300, ..Params::new(Kernel::Rbf { gamma: 0.05 }) };
    let of = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let found = regress(x.view(), &y, None, 0.1, &params, GO_ON).unwrap();
            let decisions = found.decision(x.view()).unwrap();
            (found, decisions)
        })
    };
    let found = of(1);
    assert!(found == of(3));
    assert!(!found.0.converged && found.0.iterations == 300);
    assert_eq!(serde_json::from_str::<Machine>(&serde_json::to_string(&found.0).unwrap()).unwrap(), found.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// A row that weighs two is a row that is there twice, and one of weight zero is not there.
    #[test]
    fn weights_are_repetitions(rows in prop::collection::vec((-3.0_f64..3.0, -3.0_f64..3.0, any::<bool>(), 0_usize..3), 6..30)) {
        let kept: Vec<usize> = (0..rows.len()).flat_map(|row| vec![row; rows[row].3]).collect();
        let positives = kept.iter().filter(|row| rows[**row].2).count();
        prop_assume!(positives > 0 && positives < kept.len());
        let x = Array2::from_shape_fn((rows.len(), 2), |(i, j)| if j == 0 { rows[i].0 } else { rows[i].1 });
        let y: Vec<bool> = rows.iter().map(|row| row.2).collect();
        let weights: Vec<f64> = rows.iter().map(|row| row.3 as f64).collect();
        let params = Params { tolerance: 1e-7, ..Params::new(Kernel::Rbf { gamma: 0.3 }) };
        let weighted = classify(x.view(), &y, Some(&weights), &params, GO_ON).unwrap();
        let repeated: Vec<bool> = kept.iter().map(|row| y[*row]).collect();
        let repeated = classify(x.select(Axis(0), &kept).view(), &repeated, None, &params, GO_ON).unwrap();
        let both = weighted.decision(x.view()).unwrap().into_iter().zip(repeated.decision(x.view()).unwrap());
        // The intercept is not unique where no coefficient is between its bounds.
        let differences: Vec<f64> = both.map(|(a, b)| a - b - weighted.intercept + repeated.intercept).collect();
        prop_assert!(differences.iter().all(|difference| difference.abs() < 1e-4), "{differences:?}");
    }
}

#[test]
fn odd_tables_work() {
    let params = Params::new(Kernel::Rbf { gamma: 1.0 });
    // Contradictory duplicates and a constant column: nothing can be told apart.
    let x = array![[1.0, 5.0], [1.0, 5.0], [1.0, 5.0], [1.0, 5.0]];
    let found = classify(x.view(), &[true, false, true, false], None, &params, GO_ON).unwrap();
    assert!(found.converged);
    assert_near(&found.decision(x.view()).unwrap(), &[0.0; 4], 1e-3);
    // More columns than rows; two rows are one machine: f is −1 and 1 on them where C allows.
    let x = Array2::from_shape_fn((2, 50), |(i, j)| (i * j) as f64 / 50.0);
    let linear = Params { c: 1e3, ..Params::new(Kernel::Linear) };
    let found = classify(x.view(), &[false, true], None, &linear, GO_ON).unwrap();
    assert_near(&found.decision(x.view()).unwrap(), &[-1.0, 1.0], 1e-3);
    assert!(found.decision(Array2::zeros((0, 50)).view()).unwrap().is_empty());
    // Everything within epsilon, and a single row: no support.
    let found = regress(x.view(), &[1.0, 1.1], None, 0.5, &params, GO_ON).unwrap();
    assert!(found.support.is_empty());
    assert_near(&found.decision(x.view()).unwrap(), &[1.05; 2], 1e-9);
    let found = regress(array![[2.0]].view(), &[3.0], None, 0.0, &params, GO_ON).unwrap();
    assert_near(&found.decision(array![[7.0]].view()).unwrap(), &[3.0], 1e-9);
}

#[test]
fn refusals() {
    let (x, y) = (array![[1.0], [2.0]], [true, false]);
    let params = Params::new(Kernel::Linear);
    let with = |x: &Array2<f64>, y: &[bool], weights: Option<&[f64]>, params: &Params| {
        classify(x.view(), y, weights, params, GO_ON).unwrap_err()
    };
    assert_eq!(with(&Array2::zeros((0, 1)), &[], None, &params), InputError::NoRows.into());
    assert_eq!(with(&Array2::zeros((2, 0)), &y, None, &params), InputError::NoColumns.into());
    assert!(matches!(
        with(&array![[1.0], [f64::NAN]], &y, None, &params),
        SvmError::Input(InputError::NonFinite { .. })
    ));
    assert_eq!(with(&x, &[true], None, &params), InputError::Length { rows: 2, targets: 1 }.into());
    assert_eq!(with(&x, &[true, true], None, &params), SvmError::OneClass { rows: 2 });
    assert_eq!(with(&x, &y, Some(&[1.0, 0.0]), &params), SvmError::OneClass { rows: 1 });
    assert_eq!(with(&x, &y, Some(&[0.0, 0.0]), &params), SvmError::Weights);
    assert_eq!(with(&x, &y, Some(&[1.0, -1.0]), &params), SvmError::Weights);
    assert_eq!(with(&x, &y, Some(&[1.0, f64::NAN]), &params), SvmError::Weights);
    for c in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(with(&x, &y, None, &Params { c, ..params.clone() }), SvmError::Cost);
    }
    assert_eq!(with(&x, &y, None, &Params { tolerance: 0.0, ..params.clone() }), SvmError::Tolerance);
    assert_eq!(with(&x, &y, None, &Params::new(Kernel::Rbf { gamma: 0.0 })), SvmError::Kernel);
    assert_eq!(with(&array![[1e200], [2.0]], &y, None, &params), SvmError::Overflow);
    assert_eq!(with(&array![[1e30], [2.0]], &y, None, &params), SvmError::Overflow);
    assert_eq!(classify(x.view(), &y, None, &params, &|| false), Err(SvmError::Stopped));
    assert_eq!(regress(x.view(), &[1.0, 2.0], None, -1.0, &params, GO_ON), Err(SvmError::Epsilon));
    assert!(regress(x.view(), &[1.0, f64::INFINITY], None, 0.1, &params, GO_ON).is_err());
    let found = classify(x.view(), &y, None, &params, GO_ON).unwrap();
    assert_eq!(found.decision(Array2::zeros((1, 2)).view()), Err(InputError::Width { expected: 1, found: 2 }));
}

#[test]
fn bytes_grow_with_the_cache_until_all_rows_fit() {
    assert!(bytes(100_000, 20, 200 << 20) < (200 << 20) + 100_000 * 700);
    assert!(bytes(1000, 20, usize::MAX) < 1008 * 1000 * 4 + 1008 * 700);
    assert!(bytes(usize::MAX / 1024, 2, 0) > usize::MAX / 1024);
    assert!(cost(10_000, 20) > 100.0 * cost(1_000, 20) * 0.99);
}
