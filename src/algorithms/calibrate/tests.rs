use super::*;
use proptest::prelude::*;

/// 200 scores by a formula, each of 101 values once or twice, outcomes that lean on them, and weights.
fn rows() -> (Vec<f64>, Vec<bool>, Vec<f64>) {
    let scores: Vec<f64> = (0..200).map(|i| f64::from((i * 37) % 101) / 10.0 - 4.0).collect();
    let outcome = |(i, s): (usize, &f64)| ((i * 29) % 17) as f64 / 4.0 - 2.0 + s * 0.5 > 0.0;
    let positive = scores.iter().enumerate().map(outcome).collect();
    (scores, positive, (0..200).map(|i| f64::from(i % 4) / 2.0).collect())
}

fn assert_near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{found} is not {expected}");
}

/// scikit-learn 1.9.1's sigmoid calibration gives slope and intercept 0.624717843681264 and
/// 0.029692348651083226, weighted 0.530730259261684 and 0.023225751600749443; its solver stops at
/// about eight digits. The figures here are those of two hundred plain Newton steps in numpy.
#[test]
fn platt_agrees_with_scikit_learn() {
    let (scores, positive, weights) = rows();
    let plain = Platt::fit(&scores, &positive, None).unwrap();
    assert!(plain.converged && plain.iterations < 12, "{plain:?}");
    assert_near(plain.slope, 0.624_717_843_696_217_1, 1e-12);
    assert_near(plain.intercept, 0.029_692_348_607_383_633, 1e-12);
    let weighted = Platt::fit(&scores, &positive, Some(&weights)).unwrap();
    assert_near(weighted.slope, 0.530_730_259_203_342_8, 1e-12);
    assert_near(weighted.intercept, 0.023_225_756_492_505_873, 1e-12);
    // The unit of the scores does not matter, however large.
    for unit in [1e-300, 1e6, 1e306] {
        let scaled: Vec<f64> = scores.iter().map(|score| score * unit).collect();
        let found = Platt::fit(&scaled, &positive, None).unwrap();
        assert!(found.converged);
        assert_near(found.of(2.5 * unit), plain.of(2.5), 1e-12);
    }
}

/// scikit-learn 1.9.1: IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1); the second and
/// third on scores rounded to whole numbers, which makes ties.
#[test]
fn isotonic_agrees_with_scikit_learn() {
    let (scores, positive, weights) = rows();
    let rounded: Vec<f64> = scores.iter().map(|score| score.round_ties_even()).collect();
    let at = [-100.0, -3.95, -2.05, -0.33, 0.0, 1.27, 2.5, 100.0];
    let two_thirds = 2.0 / 3.0;
    let cases = [
        (&scores, None, 18, [0.0, 0.0, 0.208_333_333_333_333_34, 0.5, 6.0 / 11.0, two_thirds, 17.0 / 21.0, 1.0]),
        (
            &rounded,
            None,
            10,
            [
                0.083_333_333_333_333_33,
                0.084_722_222_222_222_21,
                0.221_464_646_464_646_48,
                0.501_336_898_395_721_9,
                6.0 / 11.0,
                two_thirds,
                0.722_222_222_222_222_2,
                1.0,
            ],
        ),
        (
            &rounded,
            Some(weights.as_slice()),
            10,
            [
                0.0625,
                0.065_826_612_903_225_79,
                0.294_330_400_782_013_7,
                0.554_123_422_159_887_7,
                0.612_903_225_806_451_6,
                0.625_726_399_095_534_2,
                0.639_344_262_295_082,
                1.0,
            ],
        ),
    ];
    for (scores, weights, points, expected) in cases {
        let found = Isotonic::fit(scores, &positive, weights).unwrap();
        assert_eq!(found.points().len(), points);
        at.into_iter().zip(expected).for_each(|(score, expected)| assert_near(found.of(score), expected, 1e-12));
    }
}

#[test]
fn what_is_refused() {
    for method in [Method::Platt, Method::Isotonic] {
        let error = |s: &[f64], y: &[bool], w: Option<&[f64]>| fit(method, s, y, w).unwrap_err();
        assert_eq!(error(&[], &[], None), CalibrateError::NoRows);
        assert_eq!(error(&[1.0], &[], None), CalibrateError::Length { scores: 1, others: 0 });
        assert_eq!(error(&[1.0], &[true], Some(&[])), CalibrateError::Length { scores: 1, others: 0 });
        assert_eq!(error(&[1.0, f64::NAN], &[true, false], None), CalibrateError::NonFinite(1));
        assert_eq!(error(&[1.0, f64::INFINITY], &[true, false], None), CalibrateError::NonFinite(1));
        assert_eq!(error(&[1.0], &[true], None), CalibrateError::OneClass);
        assert_eq!(error(&[1.0, 2.0], &[true, false], Some(&[1.0, 0.0])), CalibrateError::OneClass);
        for weight in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(error(&[1.0, 2.0], &[true, false], Some(&[1.0, weight])), CalibrateError::Weights);
        }
        assert_eq!(error(&[1.0, 2.0], &[true, false], Some(&[f64::MAX; 2])), CalibrateError::Weights);
    }
}

#[test]
fn scores_that_say_little_or_all() {
    // Constant scores: the share of positives, for Platt pulled towards one half.
    let constant = Platt::fit(&[0.1; 4], &[true, true, true, false], None).unwrap();
    assert_eq!((constant.slope, constant.converged), (0.0, true));
    let pulled = (3.0 * (4.0 / 5.0) + 1.0 / 3.0) / 4.0;
    assert_near(constant.of(7.0), pulled, 1e-12);
    assert_near(constant.of(f64::INFINITY), pulled, 1e-12);
    let flat = Isotonic::fit(&[0.1; 4], &[true, true, true, false], None).unwrap();
    assert_eq!((flat.of(-9.0), flat.of(9.0)), (0.75, 0.75));
    // Separated ones have a finite slope, since the targets are.
    let (scores, positive): (Vec<f64>, Vec<bool>) = (0..40).map(|i| (f64::from(i), i >= 20)).unzip();
    let steep = Platt::fit(&scores, &positive, None).unwrap();
    assert!(steep.converged && steep.slope > 0.1 && steep.slope < 10.0, "{steep:?}");
    let step = Isotonic::fit(&scores, &positive, None).unwrap();
    assert_eq!([0.0, 19.0, 19.5, 20.0, 90.0].map(|score| step.of(score)), [0.0, 0.0, 0.5, 1.0, 1.0]);
    // Scores that fall with the outcome.
    let falling: Vec<f64> = scores.iter().map(|score| -score).collect();
    assert!(Platt::fit(&falling, &positive, None).unwrap().slope < 0.0);
    let pooled = Isotonic::fit(&falling, &positive, None).unwrap();
    assert_eq!((pooled.points().len(), pooled.of(-3.3)), (2, 0.5));
    // Far outliers neither overflow nor keep the rest from being fitted.
    let mut far = scores;
    far.push(1e300);
    let outcomes: Vec<bool> = positive.into_iter().chain([true]).collect();
    let found = Platt::fit(&far, &outcomes, None).unwrap();
    assert!(found.of(1e300).is_finite() && found.of(0.0) > 0.0);
    let wide = Isotonic::fit(&[f64::MIN, f64::MAX], &[false, true], None).unwrap();
    assert_eq!(wide.of(0.0), 0.5);
}

#[test]
fn limits_and_serialization() {
    let (scores, positive, _) = rows();
    for method in [Method::Platt, Method::Isotonic] {
        let found = fit(method, &scores, &positive, None).unwrap();
        assert!(found.of(f64::NAN).is_nan());
        assert_eq!(found.of(f64::INFINITY), 1.0);
        assert_eq!(found.of(f64::NEG_INFINITY), 0.0);
        let text = serde_json::to_string(&found).unwrap();
        let read: Calibrator = serde_json::from_str(&text).unwrap();
        assert_near(read.of(0.7), found.of(0.7), 1e-14);
    }
}

/// The best rising fit by its min–max formula: at each score the largest over starts at or below it
/// of the smallest over ends at or above it of the mean between.
fn min_max(sums: &[(f64, f64)]) -> Vec<f64> {
    let mean = |from: usize, to: usize| {
        let (positives, weight) =
            sums[from..=to].iter().fold((0.0, 0.0), |total, one| (total.0 + one.0, total.1 + one.1));
        positives / weight
    };
    let at = |place: usize| {
        let least = |from: usize| (place..sums.len()).map(|to| mean(from, to)).fold(f64::INFINITY, f64::min);
        (0..=place).map(least).fold(f64::NEG_INFINITY, f64::max)
    };
    (0..sums.len()).map(at).collect()
}

proptest! {
    #[test]
    fn isotonic_is_the_best_rising_fit(
        rows in proptest::collection::vec((0..12_u8, any::<bool>(), 0..4_u8), 1..60),
    ) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0) - 6.0).collect();
        let positive: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
        let mut sums = [(0.0, 0.0); 12];
        for (place, positive, weight) in &rows {
            sums[usize::from(*place)].0 += f64::from(u8::from(*positive)) * f64::from(*weight);
            sums[usize::from(*place)].1 += f64::from(*weight);
        }
        let there: Vec<usize> = (0..12).filter(|&place| sums[place].1 > 0.0).collect();
        let Ok(found) = Isotonic::fit(&scores, &positive, Some(&weights)) else {
            let total: f64 = weights.iter().sum();
            let positives: f64 = sums.iter().map(|sum| sum.0).sum();
            prop_assert!(positives == 0.0 || positives == total);
            return Ok(());
        };
        let expected = min_max(&there.iter().map(|&place| sums[place]).collect::<Vec<_>>());
        for (place, expected) in there.into_iter().zip(expected) {
            prop_assert!((found.of(place as f64 - 6.0) - expected).abs() < 1e-12);
        }
        let values: Vec<f64> = (-80..80).map(|tenth| found.of(f64::from(tenth) / 10.0)).collect();
        prop_assert!(values.is_sorted() && values.iter().all(|p| (0.0..=1.0).contains(p)));
    }

    /// The gradient vanishes at what was found, whatever the rows; weights are repetitions.
    #[test]
    fn platt_is_a_minimum(
        rows in proptest::collection::vec((-50.0..50.0f64, any::<bool>(), 0..4_u8), 2..80),
    ) {
        let scores: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let positive: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let weights: Vec<f64> = rows.iter().map(|row| f64::from(row.2)).collect();
        let Ok(found) = Platt::fit(&scores, &positive, Some(&weights)) else { return Ok(()) };
        prop_assert!(found.converged);
        let count = |of: bool| rows.iter().filter(|row| row.1 == of).map(|row| f64::from(row.2)).sum::<f64>();
        let (positives, negatives) = (count(true), count(false));
        let target = |of: bool| if of { (positives + 1.0) / (positives + 2.0) } else { 1.0 / (negatives + 2.0) };
        let gradient = |by: fn(f64) -> f64| {
            let terms = rows.iter().map(|row| by(row.0) * f64::from(row.2) * (found.of(row.0) - target(row.1)));
            terms.sum::<f64>()
        };
        prop_assert!(gradient(|_| 1.0).abs() < 1e-6 && gradient(|score| score).abs() < 1e-5, "{found:?}");
        let again = |of: &(f64, bool, u8)| vec![(of.0, of.1); usize::from(of.2)];
        let (scores, positive): (Vec<f64>, Vec<bool>) = rows.iter().flat_map(again).unzip();
        let repeated = Platt::fit(&scores, &positive, None).unwrap();
        prop_assert!((repeated.of(1.0) - found.of(1.0)).abs() < 1e-9);
    }
}

#[test]
fn threads_do_not_matter() {
    let scores: Vec<f64> = (0..30_000).map(|i| f64::from((i * 7919) % 10_007) / 1e3 - 5.0).collect();
    let positive: Vec<bool> =
        scores.iter().enumerate().map(|(i, s)| ((i * 31) % 97) as f64 / 12.0 - 4.0 + s > 0.0).collect();
    for method in [Method::Platt, Method::Isotonic] {
        let find = || {
            let found = fit(method, &scores, &positive, None).unwrap();
            let all = found.of_all(&scores);
            (found, all)
        };
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool(1).install(find), pool(3).install(find));
    }
}
