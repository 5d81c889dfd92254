use super::*;
use crate::metrics::classification::{BinaryMeasure, Predictions};
use crate::metrics::intervals::bootstrap;
use ndarray::array;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// 80 rows of four classes by a formula, for which reference values were computed elsewhere.
fn four() -> ClassPredictions {
    let classes: Vec<u32> = (0..80).map(|i| ((i * 13) % 7 + (i * 5) % 3) % 4).collect();
    let raw = |i: usize, k: usize| {
        let own = classes[i] as usize == k && i.is_multiple_of(3);
        1.0 + ((i * (7 + 2 * k) + 3 * k) % 11) as f64 + if own { 3.0 } else { 0.0 }
    };
    let mut probability = Array2::from_shape_fn((80, 4), |(i, k)| raw(i, k));
    for mut row in probability.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    ClassPredictions::new(&classes, probability).unwrap()
}

fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

/// scikit-learn 1.9.1: confusion_matrix, accuracy_score, balanced_accuracy_score, log_loss,
/// brier_score_loss(scale_by_half=False), matthews_corrcoef, precision_recall_fscore_support and
/// roc_auc_score(multi_class="ovr").
#[test]
fn agrees_with_scikit_learn() {
    let all = four();
    let matrix = all.confusion();
    assert_eq!(matrix.counts, [[7, 4, 1, 7], [6, 6, 1, 6], [5, 4, 9, 5], [5, 4, 2, 8]]);
    assert_near(all.log_loss(), 1.399_119_024_138_133_5);
    assert_near(all.brier(), 0.743_346_751_112_442_1);
    let expected = [
        0.375,
        0.374_141_876_430_205_9,
        0.409_420_289_855_072_45,
        0.374_141_876_430_205_9,
        0.378_303_303_303_303_3,
        0.423_564_659_977_703_43,
        0.375,
        0.384_388_138_138_138_16,
        0.174_506_638_775_659_2,
    ];
    for (measure, expected) in ClassMeasure::ALL.into_iter().zip(expected) {
        assert_near(matrix.measure(measure).unwrap(), expected);
    }
    let second = matrix.scores()[1];
    assert_eq!((second.support, second.predicted), (19, 18));
    assert_near(second.precision.unwrap(), 0.333_333_333_333_333_3);
    assert_near(second.recall.unwrap(), 0.315_789_473_684_210_5);
    assert_near(second.f1.unwrap(), 0.324_324_324_324_324_3);
    let aucs = [0.517_256_255_392_579_9, 0.610_440_034_512_510_8, 0.715_484_363_081_617_1, 0.578_084_555_651_423_6];
    all.roc_aucs().into_iter().zip(aucs).for_each(|(found, expected)| assert_near(found.unwrap(), expected));
    assert_near(all.roc_auc().unwrap(), 0.605_316_302_159_532_9);
}

/// The same functions when no row is of class 1 and none is predicted to be of class 3.
#[test]
fn absent_classes_are_as_in_scikit_learn() {
    let all = four();
    let without = |classes: &[u32], gone: u32| -> Vec<u32> {
        classes.iter().map(|&class| if class == gone { 0 } else { class }).collect()
    };
    let matrix = ConfusionMatrix::of(&without(&all.classes, 1), &without(&all.predicted, 3), 4);
    let expected = [
        (ClassMeasure::BalancedAccuracy, 0.358_504_958_047_292_15),
        (ClassMeasure::MacroPrecision, 0.305_729_984_301_412_85),
        (ClassMeasure::MacroRecall, 0.268_878_718_535_469_13),
        (ClassMeasure::MacroF1, 0.274_425_287_356_321_9),
        (ClassMeasure::WeightedPrecision, 0.451_079_277_864_992_2),
        (ClassMeasure::WeightedF1, 0.427_658_045_977_011_5),
        (ClassMeasure::Mcc, 0.169_243_194_887_546_16),
    ];
    for (measure, expected) in expected {
        assert_near(matrix.measure(measure).unwrap(), expected);
    }
    let scores = matrix.scores();
    assert_eq!((scores[1].recall, scores[3].precision), (None, None));
    // A class that nobody has and nobody predicts changes nothing.
    let wider = ConfusionMatrix::of(&without(&all.classes, 1), &without(&all.predicted, 3), 6);
    for measure in ClassMeasure::ALL {
        assert_eq!(wider.measure(measure), matrix.measure(measure));
    }
}

#[test]
fn two_classes_are_a_binary_outcome() {
    let positive: Vec<f64> = (0..50).map(|i| f64::from((i * 37) % 50) / 50.0).collect();
    let classes: Vec<u32> = (0..50).map(|i| u32::from((i * 13) % 7 > 3)).collect();
    let probability = Array2::from_shape_fn((50, 2), |(i, k)| if k == 1 { positive[i] } else { 1.0 - positive[i] });
    let all = ClassPredictions::new(&classes, probability).unwrap();
    let binary = Predictions::new(classes.iter().map(|c| *c == 1).collect(), positive).unwrap();
    assert_near(all.roc_auc().unwrap(), binary.roc_auc().unwrap());
    assert_near(all.log_loss(), binary.log_loss());
    assert_near(all.brier(), 2.0 * binary.brier());
    // One probability is exactly one half, which the first of equals wins here.
    let mcc = binary.measure(BinaryMeasure::Mcc, 0.500_001).unwrap();
    assert_near(all.confusion().mcc().unwrap(), mcc);
}

#[test]
fn refused_and_degenerate() {
    let error = |classes: &[u32], probability: Array2<f64>| ClassPredictions::new(classes, probability).unwrap_err();
    assert_eq!(error(&[], Array2::zeros((0, 3))), MetricError::Empty.into());
    assert_eq!(error(&[0], Array2::zeros((1, 0))), ClassesError::Class { rows: 1, columns: 0 });
    assert_eq!(error(&[0], array![[0.5, f64::NAN]]), MetricError::Invalid(1).into());
    assert_eq!(error(&[0], array![[1.5, -0.5]]), MetricError::Invalid(2).into());
    assert_eq!(error(&[0], array![[0.5, 0.4]]), ClassesError::Sum(1));
    assert_eq!(error(&[2], array![[0.5, 0.5]]), ClassesError::Class { rows: 1, columns: 2 });
    assert_eq!(error(&[0, 1], array![[1.0, 0.0]]), MetricError::Length { truth: 2, predicted: 1 }.into());
    let one = ClassPredictions::new(&[1], array![[0.5, 0.5]]).unwrap();
    assert_eq!((one.predicted(), one.roc_auc(), one.confusion().mcc()), (&[0][..], None, None));
    assert_eq!(one.hits(), [0.0]);
    assert_eq!(one.roc_auc_interval(20, &mut rng(1)), None);
    assert!(one.one_vs_rest(2).is_none());
    assert!(one.log_loss() > 0.69 && one.log_loss() < 0.70);
    let single = ClassPredictions::new(&[0, 0], array![[1.0], [1.0]]).unwrap();
    assert_eq!((single.confusion().accuracy(), single.confusion().mcc(), single.roc_auc()), (Some(1.0), None, None));
    assert_eq!(ConfusionMatrix::of(&[], &[], 3).macro_mean(|class| class.f1), None);
}

#[test]
fn intervals_are_those_of_the_plain_bootstrap() {
    let all = four();
    let found = all.intervals(&[ClassMeasure::Mcc], 3000, &mut rng(1))[0].unwrap();
    let plain = bootstrap(80, 3000, &mut rng(2), |times| {
        let repeat = |of: &[u32]| -> Vec<u32> {
            of.iter().zip(times).flat_map(|(&class, &times)| std::iter::repeat_n(class, times as usize)).collect()
        };
        ConfusionMatrix::of(&repeat(&all.classes), &repeat(&all.predicted), 4).mcc()
    });
    let (plain, auc) = (plain.unwrap(), all.roc_auc_interval(500, &mut rng(1)).unwrap());
    assert!((found.estimate - plain.estimate).abs() < 1e-12);
    let width = plain.high - plain.low;
    assert!((found.low - plain.low).abs() < 0.1 * width && (found.high - plain.high).abs() < 0.1 * width);
    assert!(auc.low < auc.estimate && auc.estimate < auc.high && auc.high - auc.low < 0.3, "{auc:?}");
    for same in all.difference_intervals(&all, &ClassMeasure::ALL, 50, &mut rng(1)) {
        assert_eq!(same.map(|same| (same.low, same.high)), Some((0.0, 0.0)));
    }
    let turned: Vec<u32> = all.classes.iter().map(|class| 3 - class).collect();
    let turned = ClassPredictions::new(&turned, all.probability.clone()).unwrap();
    assert_eq!(all.difference_intervals(&turned, &[ClassMeasure::Mcc], 50, &mut rng(1)), [None]);
}

proptest! {
    #[test]
    fn mcc_is_a_correlation_and_threads_do_not_matter(
        rows in proptest::collection::vec((0..4_u32, 0..4_u32), 2..60),
    ) {
        let (classes, predicted): (Vec<u32>, Vec<u32>) = rows.into_iter().unzip();
        let matrix = ConfusionMatrix::of(&classes, &predicted, 4);
        // Pearson's correlation of the two indicator matrices, summed over the classes.
        let n = classes.len() as f64;
        let covariance = |a: &[u32], b: &[u32]| -> f64 {
            let share = |of: &[u32], k: u32| of.iter().filter(|c| **c == k).count() as f64 / n;
            let both = |k: u32| a.iter().zip(b).filter(|(a, b)| **a == k && **b == k).count() as f64 / n;
            (0..4).map(|k| both(k) - share(a, k) * share(b, k)).sum()
        };
        let scale = (covariance(&classes, &classes) * covariance(&predicted, &predicted)).sqrt();
        match matrix.mcc() {
            Some(mcc) => prop_assert!((mcc - covariance(&classes, &predicted) / scale).abs() < 1e-9),
            None => prop_assert!(scale < 1e-9),
        }
        let probability = Array2::from_shape_fn((classes.len(), 4), |(i, k)| {
            if predicted[i] as usize == k { 0.4 } else { 0.2 }
        });
        let all = ClassPredictions::new(&classes, probability).unwrap();
        prop_assert_eq!(all.confusion(), matrix);
        let find = || (all.intervals(&ClassMeasure::ALL, 20, &mut rng(3)), all.roc_auc_interval(20, &mut rng(3)));
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        prop_assert_eq!(pool(1).install(find), pool(3).install(find));
    }
}
