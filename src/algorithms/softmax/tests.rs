use super::*;
use ndarray::{Axis, array, concatenate};
use proptest::prelude::*;

/// 90 × 4, three classes and weights by a formula, for which reference values were computed elsewhere; the third column
/// is constant.
fn table() -> (Array2<f64>, Vec<u32>, Vec<f64>) {
    let x = Array2::from_shape_fn((90, 4), |(i, j)| {
        ((i * (7 + 4 * j) + 3 * j) % (11 + 2 * j)) as f64 / (3 + j) as f64 - 1.0
    });
    let class = |i: usize| match x[[i, 0]] * 2.0 - x[[i, 1]] + ((i * 13) % 17) as f64 / 4.0 {
        score if score < 1.5 => 0,
        score if score < 4.0 => 1,
        _ => 2,
    };
    let classes = (0..90).map(class).collect();
    (x, classes, (0..90).map(|i| ((i + 1) % 4) as f64 / 2.0).collect())
}

fn run(x: ArrayView2<'_, f64>, classes: &[u32], count: usize, weights: Option<&[f64]>, l1: f64, l2: f64) -> Softmax {
    fit(x, classes, count, weights, &Penalty { l1, l2 }, &Params::default(), &|| true).unwrap()
}

fn assert_near<'a>(found: impl IntoIterator<Item = &'a f64>, expected: &[f64], tolerance: f64) {
    let found: Vec<f64> = found.into_iter().copied().collect();
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() < tolerance, "{found:?} is not {expected:?}");
    }
}

/// Penalties, whether rows are weighted, coefficients, intercepts, and the probabilities of the first two rows.
struct Case {
    l1: f64,
    l2: f64,
    weighted: bool,
    coefficients: &'static [f64],
    intercepts: &'static [f64],
    probabilities: &'static [f64],
}

fn check_cases(classes: &[u32], count: usize, cases: &[Case]) {
    let (x, _, weights) = table();
    for case in cases {
        let weights = case.weighted.then_some(&weights[..]);
        let model = run(x.view(), classes, count, weights, case.l1, case.l2);
        assert!(model.converged);
        assert_near(&model.coefficients, case.coefficients, 1e-6);
        assert_near(&model.intercepts, case.intercepts, 1e-6);
        assert!(model.coefficients.iter().zip(case.coefficients).all(|(w, e)| *e != 0.0 || *w == 0.0));
        let found = model.probabilities(x.slice(ndarray::s![..2, ..])).unwrap();
        assert_near(&found, case.probabilities, 1e-6);
    }
}

/// scikit-learn 1.9.1, LogisticRegression(C, l1_ratio, tol=1e-12, solver="newton-cg", or "saga" with l1).fit(table(),
/// sample_weight=…).
#[test]
fn agrees_with_scikit_learn_on_three_classes() {
    check_cases(&table().1, 3, &CASES_OF_THREE);
}

const CASES_OF_THREE: [Case; 4] = [
    Case {
        l1: 0.0,
        l2: 1.0,
        weighted: false,
        coefficients: &[
            -1.707_384_492_861_975_7,
            0.730_322_869_258_383_9,
            0.0,
            0.292_794_348_730_209_3,
            0.045_354_477_394_441_35,
            0.128_285_520_583_756_83,
            0.0,
            -0.015_916_916_670_729_65,
            1.662_030_015_467_535,
            -0.858_608_389_842_140_3,
            0.0,
            -0.276_877_432_059_480_6,
        ],
        intercepts: &[0.254_001_900_080_638_3, 0.576_251_944_686_764_9, -0.830_253_844_767_404_7],
        probabilities: &[
            0.799_172_920_170_843,
            0.190_421_897_173_529_73,
            0.010_405_182_655_627_333,
            0.012_463_713_278_209_379,
            0.216_226_278_894_582_4,
            0.771_310_007_827_208_3,
        ],
    },
    Case {
        l1: 0.0,
        l2: 0.2,
        weighted: true,
        coefficients: &[
            -2.043_273_331_598_437_7,
            0.768_670_856_618_975_8,
            0.0,
            0.465_063_143_045_555_6,
            0.199_010_961_370_924_1,
            0.097_307_168_271_557_97,
            0.0,
            -0.119_305_390_218_543_18,
            1.844_262_370_227_506_3,
            -0.865_978_024_890_534_1,
            0.0,
            -0.345_757_753_827_012_07,
        ],
        intercepts: &[0.121_452_168_823_351_62, 0.546_387_930_063_777_4, -0.667_840_098_887_134_1],
        probabilities: &[
            0.867_453_279_237_303_2,
            0.124_445_737_413_191_86,
            0.008_100_983_349_504_924,
            0.005_803_864_433_595_558_5,
            0.179_418_509_169_305_88,
            0.814_777_626_397_098_6,
        ],
    },
    Case {
        l1: 2.0,
        l2: 0.0,
        weighted: false,
        coefficients: &[
            -1.615_215_028_535_393,
            0.436_623_300_295_585_5,
            0.0,
            0.092_931_315_685_246,
            0.0,
            0.0,
            0.0,
            0.0,
            1.438_645_497_663_626,
            -0.852_924_481_552_808_3,
            0.0,
            -0.067_564_033_693_743_97,
        ],
        intercepts: &[0.351_221_174_043_094_1, 0.471_843_178_548_510_54, -0.823_064_352_591_606],
        probabilities: &[
            0.795_274_340_021_117_9,
            0.189_954_444_973_665_12,
            0.014_771_215_005_217_21,
            0.018_115_883_277_964_314,
            0.226_117_740_062_557_14,
            0.755_766_376_659_478_5,
        ],
    },
    Case {
        l1: 1.2,
        l2: 1.8,
        weighted: true,
        coefficients: &[
            -1.230_374_238_279_981_2,
            0.309_926_647_008_097_4,
            0.0,
            0.140_154_004_386_329_38,
            0.0,
            0.0,
            0.0,
            0.0,
            1.035_170_238_062_028_7,
            -0.575_189_759_053_041_9,
            0.0,
            -0.032_392_727_801_315_364,
        ],
        intercepts: &[0.234_868_129_937_507, 0.208_891_810_856_029_2, -0.443_759_940_793_531_37],
        probabilities: &[
            0.742_356_252_668_675_4,
            0.212_912_941_122_242_43,
            0.044_730_806_209_082_29,
            0.041_423_867_618_275_45,
            0.233_698_044_541_733_9,
            0.724_878_087_839_990_6,
        ],
    },
];

/// As above with class 2 against the others; without l1 by solver="newton-cholesky".
#[test]
fn agrees_with_scikit_learn_on_two_classes() {
    let classes: Vec<u32> = table().1.iter().map(|class| u32::from(*class == 2)).collect();
    check_cases(&classes, 2, &CASES_OF_TWO);
}

const CASES_OF_TWO: [Case; 4] = [
    Case {
        l1: 0.0,
        l2: 1.0,
        weighted: false,
        coefficients: &[1.915_959_578_952_696_6, -1.051_829_955_971_316, 0.0, -0.323_713_091_142_277_25],
        intercepts: &[-1.923_894_007_850_904_4],
        probabilities: &[
            0.976_768_774_243_197_6,
            0.023_231_225_756_802_36,
            0.240_520_076_835_552_2,
            0.759_479_923_164_447_8,
        ],
    },
    Case {
        l1: 0.0,
        l2: 0.2,
        weighted: true,
        coefficients: &[2.043_599_613_374_923_2, -1.063_961_771_893_779_5, 0.0, -0.328_243_840_333_515_06],
        intercepts: &[-1.783_241_571_904_765_8],
        probabilities: &[
            0.976_454_022_415_330_3,
            0.023_545_977_584_669_715,
            0.187_552_466_874_805_2,
            0.812_447_533_125_194_8,
        ],
    },
    Case {
        l1: 2.0,
        l2: 0.0,
        weighted: false,
        coefficients: &[1.813_905_517_167_789_4, -0.945_209_868_318_005_7, 0.0, -0.105_993_917_837_515_67],
        intercepts: &[-1.930_314_988_622_85],
        probabilities: &[
            0.972_372_169_289_079,
            0.027_627_830_710_920_256,
            0.248_093_770_965_876_26,
            0.751_906_229_034_123_7,
        ],
    },
    Case {
        l1: 1.2,
        l2: 1.8,
        weighted: true,
        coefficients: &[1.354_344_550_024_399_4, -0.646_184_225_179_271_1, 0.0, -0.049_039_117_533_811_016],
        intercepts: &[-1.348_914_407_743_874_4],
        probabilities: &[
            0.928_656_485_542_567_7,
            0.071_343_514_457_432_24,
            0.288_916_824_781_046_6,
            0.711_083_175_218_953_6,
        ],
    },
];

/// Without a penalty, the coefficients of the constant column are free, the probabilities are not: those of
/// scikit-learn's C=inf, tol=1e-13, solver="newton-cg".
#[test]
fn without_a_penalty_probabilities_agree() {
    let (x, classes, _) = table();
    let model = run(x.view(), &classes, 3, None, 0.0, 0.0);
    assert!(model.converged);
    let expected = [
        0.844_156_235_574_075_8,
        0.152_937_825_012_580_52,
        0.002_905_939_413_343_584,
        0.003_516_728_887_887_763,
        0.167_480_233_670_066_92,
        0.829_003_029_442_045_3,
    ];
    assert_near(&model.probabilities(x.slice(ndarray::s![..2, ..])).unwrap(), &expected, 1e-6);
}

/// The products of more than 300 columns are not factored.
#[test]
fn many_columns_agree_with_few_and_so_do_columns_that_repeat() {
    let (x, classes, weights) = table();
    let wide = concatenate![Axis(1), x, Array2::zeros((90, 350))];
    for (l1, l2) in [(0.0, 1.0), (1.0, 0.5)] {
        let few = run(x.view(), &classes, 3, Some(&weights), l1, l2);
        let many = run(wide.view(), &classes, 3, Some(&weights), l1, l2);
        assert!(many.converged && (few.objective - many.objective).abs() < 1e-8);
        for (few, many) in few.coefficients.rows().into_iter().zip(many.coefficients.rows()) {
            assert_near(many, &[few.to_vec(), vec![0.0; 350]].concat(), 1e-5);
        }
    }
    let twice = concatenate![Axis(1), x, x];
    for l1 in [0.0, 1.0] {
        let one = run(x.view(), &classes, 3, None, l1, 0.0);
        let two = run(twice.view(), &classes, 3, None, l1, 0.0);
        assert!(two.converged && (one.objective - two.objective).abs() < 1e-8);
    }
}

#[test]
fn scales_and_origins_of_columns_do_not_matter_without_a_penalty() {
    let (x, classes, _) = table();
    let moved = &x * &array![1e6, 1e-6, 1.0, 1.0] + &array![1e9, 1e-3, 5.0, -1e4];
    let one = run(x.view(), &classes, 3, None, 0.0, 0.0);
    let other = run(moved.view(), &classes, 3, None, 0.0, 0.0);
    assert!(other.converged && one.iterations.abs_diff(other.iterations) <= 1);
    let expected = one.probabilities(x.view()).unwrap();
    assert_near(&other.probabilities(moved.view()).unwrap(), expected.as_slice().unwrap(), 1e-5);
}

#[test]
fn classes_told_apart_without_error_do_not_converge_and_stay_finite() {
    let x = array![[-4e5], [-1e5], [2e5], [3e5]];
    for (classes, count) in [([0, 0, 1, 1], 2), ([0, 0, 1, 2], 3)] {
        let model = run(x.view(), &classes, count, None, 0.0, 0.0);
        assert!(!model.converged);
        assert!(model.coefficients.iter().chain(&model.intercepts).all(|value| value.is_finite()));
        let found = model.probabilities(x.view()).unwrap();
        assert!(found.iter().all(|p| p.is_finite()) && found[[0, 0]] > 0.9 && found[[3, count - 1]] > 0.9);
        let penalized = run(x.view(), &classes, count, None, 0.0, 1.0);
        assert!(penalized.converged);
    }
    let limit = Params { max_iterations: 2, ..Params::default() };
    let (x, classes, _) = table();
    let stopped = fit(x.view(), &classes, 3, None, &Penalty::default(), &limit, &|| true).unwrap();
    assert!(!stopped.converged && stopped.iterations == 2 && stopped.gradient_norm > 0.0);
}

/// One row in a thousand is of the last class: its mean probability is its share, by what the intercept's slope says.
#[test]
fn a_rare_class_is_learned() {
    let x = Array2::from_shape_fn((4000, 2), |(i, j)| ((i * (31 + 6 * j)) % 101) as f64 / 101.0);
    let class = |i: usize| if i % 1000 == 999 { 2 } else { u32::from((i * 7) % 13 < 5) };
    let classes: Vec<u32> = (0..4000).map(class).collect();
    for (l1, l2) in [(0.0, 1.0), (0.5, 0.0)] {
        let model = run(x.view(), &classes, 3, None, l1, l2);
        assert!(model.converged);
        let found = model.probabilities(x.view()).unwrap().mean_axis(Axis(0)).unwrap();
        assert!((found[2] - 0.001).abs() < 1e-7, "{found}");
    }
}

#[test]
fn odd_tables_are_fitted() {
    // Only constant columns: the shares of the classes, of the weights.
    let x = Array2::from_elem((4, 2), 0.1);
    let model = run(x.view(), &[0, 1, 2, 2], 3, Some(&[1.0, 2.0, 0.0, 5.0]), 0.0, 0.0);
    assert!(model.converged && model.coefficients.iter().all(|w| *w == 0.0));
    let found = model.probabilities(x.slice(ndarray::s![..1, ..])).unwrap();
    assert_near(&found, &[0.125, 0.25, 0.625], 1e-12);
    // More columns than rows, penalized.
    let x = Array2::from_shape_fn((6, 40), |(i, j)| ((i * 7 + j * 11) % 13) as f64);
    for (l1, l2) in [(0.0, 0.5), (0.5, 0.0)] {
        assert!(run(x.view(), &[0, 1, 2, 0, 1, 2], 3, None, l1, l2).converged);
    }
    // So large a penalty that nothing is left.
    let (x, classes, _) = table();
    let none = run(x.view(), &classes, 3, None, 1e9, 0.0);
    assert!(none.converged && none.coefficients.iter().all(|w| *w == 0.0));
    // Rows so far out that log-odds overflow.
    let model = run(x.view(), &classes, 3, None, 0.0, 1.0);
    let far = model.probabilities(array![[1e308, -1e308, 0.0, 1e308]].view()).unwrap();
    assert!(far.iter().all(|p| p.is_finite()) && (far.sum() - 1.0).abs() < 1e-12);
    assert_eq!(model.probabilities(Array2::zeros((0, 4)).view()).unwrap().dim(), (0, 3));
    assert_eq!(model.probabilities(Array2::zeros((1, 3)).view()), Err(InputError::Width { expected: 4, found: 3 }));
}

#[test]
fn refusals() {
    let (x, classes, weights) = table();
    let run = |x: ArrayView2<'_, f64>, classes: &[u32], count, weights: Option<&[f64]>, l1, l2| {
        fit(x, classes, count, weights, &Penalty { l1, l2 }, &Params::default(), &|| true)
    };
    let length = InputError::Length { rows: 90, targets: 89 };
    assert_eq!(run(x.view(), &classes[1..], 3, None, 0.0, 1.0), Err(length.clone().into()));
    assert_eq!(run(x.view(), &classes, 3, Some(&weights[1..]), 0.0, 1.0), Err(length.into()));
    assert_eq!(run(Array2::zeros((0, 1)).view(), &[], 2, None, 0.0, 1.0), Err(InputError::NoRows.into()));
    assert_eq!(run(Array2::zeros((2, 0)).view(), &[0, 1], 2, None, 0.0, 1.0), Err(InputError::NoColumns.into()));
    assert_eq!(run(x.view(), &classes, 3, Some(&[0.0; 90]), 0.0, 1.0), Err(InputError::NoRows.into()));
    assert_eq!(run(x.view(), &classes, 1, None, 0.0, 1.0), Err(SoftmaxError::Classes(1)));
    assert!(matches!(run(x.view(), &classes, 2, None, 0.0, 1.0), Err(SoftmaxError::Class { class: 2, count: 2 })));
    assert_eq!(run(x.view(), &[1; 90], 2, None, 0.0, 1.0), Err(SoftmaxError::OneClass));
    let missing = Err(SoftmaxError::NoneOfClass { class: 3, count: 4 });
    assert_eq!(run(x.view(), &classes, 4, None, 0.0, 1.0), missing);
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(run(x.view(), &classes, 3, None, wrong, 0.0), Err(SoftmaxError::Penalty));
        assert_eq!(run(x.view(), &classes, 3, None, 0.0, wrong), Err(SoftmaxError::Penalty));
        let mut weights = weights.clone();
        weights[7] = wrong;
        assert_eq!(run(x.view(), &classes, 3, Some(&weights), 0.0, 1.0), Err(SoftmaxError::Weights));
    }
    for wrong in [f64::NAN, f64::INFINITY] {
        let mut x = x.clone();
        x[[7, 1]] = wrong;
        let found = run(x.view(), &classes, 3, None, 0.0, 1.0);
        assert!(matches!(found, Err(SoftmaxError::Input(InputError::NonFinite { .. }))));
    }
    assert_eq!(run(array![[1e200], [-1e200]].view(), &[0, 1], 2, None, 0.0, 1.0), Err(SoftmaxError::Overflow));
    let params = Params { tolerance: f64::NAN, ..Params::default() };
    let none = Penalty::default();
    assert_eq!(fit(x.view(), &classes, 3, None, &none, &params, &|| true), Err(SoftmaxError::Tolerance));
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let thrice = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3;
    assert_eq!(fit(x.view(), &classes, 3, None, &none, &Params::default(), &thrice), Err(SoftmaxError::Stopped));
    assert_eq!(asked.into_inner(), 4);
}

#[test]
fn threads_do_not_matter_and_json_keeps_every_bit() {
    let x = Array2::from_shape_fn((9000, 5), |(i, j)| ((i * (31 + j)) % 977) as f64 / 977.0);
    let classes: Vec<u32> = (0..9000).map(|i| ((i * 17) % 23 / 6) as u32).collect();
    for l1 in [0.0, 2.0] {
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let model = run(x.view(), &classes, 4, None, l1, 0.1);
                (model.probabilities(x.view()).unwrap(), model)
            })
        };
        let found = of(1);
        assert_eq!(found, of(3));
        let json = serde_json::to_string(&found.1).unwrap();
        assert_eq!(serde_json::from_str::<Softmax>(&json).unwrap(), found.1);
        assert!(serde_json::from_str::<Softmax>(&json.replacen("[[", "[[1.0,", 1)).is_err());
    }
}

proptest! {
    /// At the minimum the slope of each coefficient is its share of the penalty, or where it is zero no more than l1;
    /// and of two classes it does not matter which is called the first.
    #[test]
    fn the_subgradient_vanishes(
        rows in proptest::collection::vec((-3.0..3.0_f64, -3.0..3.0_f64, 0..3_u32, 0.0..2.0_f64), 6..80),
        l1 in prop_oneof![Just(0.0), 0.01..5.0_f64],
        l2 in 0.01..10.0_f64,
        count in 2..4_usize,
    ) {
        let classes: Vec<u32> = rows.iter().map(|row| row.2 % count as u32).collect();
        prop_assume!((0..count).all(|class| classes.contains(&(class as u32))));
        let x = Array2::from_shape_fn((rows.len(), 2), |(i, j)| [rows[i].0, rows[i].1][j]);
        let weights: Vec<f64> = rows.iter().map(|row| row.3 + 0.1).collect();
        let model = run(x.view(), &classes, count, Some(&weights), l1, l2);
        prop_assert!(model.converged);
        let found = model.probabilities(x.view()).unwrap();
        let skipped = count - model.intercepts.len();
        for (vector, coefficients) in model.coefficients.rows().into_iter().enumerate() {
            let class = vector + skipped;
            let error = |row: usize| found[[row, class]] - f64::from(u8::from(classes[row] as usize == class));
            let slope = |of: &dyn Fn(usize) -> f64| -> f64 {
                (0..rows.len()).map(|row| weights[row] * error(row) * of(row)).sum()
            };
            prop_assert!(slope(&|_| 1.0).abs() < 1e-3);
            for (column, w) in coefficients.iter().enumerate() {
                let slope = slope(&|row| x[[row, column]]) + l2 * w;
                let error = if *w == 0.0 { slope.abs() - l1 } else { (slope + l1 * w.signum()).abs() };
                prop_assert!(error < 1e-3, "{error}");
            }
        }
        if count == 2 {
            let flipped: Vec<u32> = classes.iter().map(|class| 1 - class).collect();
            let other = run(x.view(), &flipped, 2, Some(&weights), l1, l2);
            for (a, b) in model.coefficients.iter().zip(&other.coefficients) {
                prop_assert!((a + b).abs() < 1e-4);
            }
        }
    }
}

#[test]
fn linfa_agrees_whichever_class_is_larger() {
    let (x, three, _) = table();
    for flipped in [false, true] {
        let truth: Vec<bool> = three.iter().map(|class| (*class == 0) != flipped).collect();
        let classes: Vec<u32> = truth.iter().map(|truth| u32::from(*truth)).collect();
        let native = run(x.view(), &classes, 2, None, 0.0, 1.0);
        let theirs = linfa::fit(x.view(), &truth, 1.0).unwrap();
        assert_near(&theirs.coefficients, native.coefficients.as_slice().unwrap(), 1e-5);
        assert_near(&theirs.intercepts, &native.intercepts, 1e-5);
        assert!((theirs.objective - native.objective).abs() < 1e-8);
    }
    assert_eq!(linfa::fit(x.view(), &[true], 1.0), Err(InputError::Length { rows: x.nrows(), targets: 1 }.into()));
}

/// linfa-logistic 0.8.1 takes the maximum of the whole table from the exponents, and not that of each row, so that rows
/// far below it count as impossible: the reason why several classes are not given to it.
#[test]
fn rows_far_from_the_largest_count_where_linfa_loses_them() {
    use ::linfa::prelude::ParamGuard;
    use ::linfa::traits::Fit;
    let x = Array2::from_shape_fn((60, 1), |(i, _)| if i < 54 { (i % 9) as f64 - 4.0 } else { 1e4 });
    let classes: Vec<u32> =
        (0..60).map(|i| if i < 54 { ((i % 9) / 3 + usize::from(i % 7 == 0)).min(2) as u32 } else { 2 }).collect();
    let ours = run(x.view(), &classes, 3, None, 0.0, 1.0);
    let loss = |coefficients: &Array2<f64>, intercepts: &[f64]| -> f64 {
        let of = |(row, class): (ndarray::ArrayView1<'_, f64>, &u32)| {
            let scores: Vec<f64> = (0..3).map(|k| coefficients[[k, 0]] * row[0] + intercepts[k]).collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            top + scores.iter().map(|score| (score - top).exp()).sum::<f64>().ln() - scores[*class as usize]
        };
        x.rows().into_iter().zip(&classes).map(of).sum::<f64>() + 0.5 * coefficients.iter().map(|w| w * w).sum::<f64>()
    };
    let own = loss(&ours.coefficients, &ours.intercepts);
    assert!(ours.converged && own < 60.0 * 3_f64.ln(), "{own}");
    let targets = ndarray::Array1::from(classes.clone());
    let params = linfa_logistic::MultiLogisticRegression::<f64>::new().alpha(1.0).max_iterations(500);
    let found = params.check().unwrap().fit(&::linfa::DatasetBase::new(x.view(), targets));
    if let Ok(found) = found {
        let theirs = loss(&found.params().t().to_owned(), &found.intercept().to_vec());
        assert!(theirs.is_nan() || theirs > own * 1.05, "{theirs} {own}: linfa has mended it");
    }
}
