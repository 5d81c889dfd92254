use super::*;
use proptest::prelude::*;

impl Ranking {
    /// A measure of the order of a table in which each row occurs as often as `times` says.
    pub(super) fn repeated(&self, measure: BinaryMeasure, times: impl Fn(usize) -> u32) -> Option<f64> {
        let (slots, count) = self.slots();
        let mut counts = vec![0; count];
        slots.iter().enumerate().for_each(|(row, slot)| counts[*slot as usize] += times(row));
        sweep(&counts, 0).get(measure)
    }
}

/// 60 outcomes, of which 27 positive, and probabilities by a formula, for which reference values
/// were computed elsewhere.
fn predictions() -> Predictions {
    let outcome = |i: usize| ((i * 13) % 7) as f64 + ((i * 7) % 11) as f64 / 3.0 - 1.0 > 4.0;
    let truth = (0..60).map(outcome).collect();
    let probability = (0..60).map(|i| (((i * 37) % 50) as f64 + 0.5) / 50.0).collect();
    Predictions::new(truth, probability).unwrap()
}

/// The same rounded to eighths (half to even), which makes large ties and zeros and ones.
fn tied() -> Predictions {
    let all = predictions();
    let rounded = all.probability.iter().map(|p| (p * 8.0).round_ties_even() / 8.0).collect();
    Predictions::new(all.truth().collect(), rounded).unwrap()
}

fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

/// scikit-learn 1.9.1: log_loss, brier_score_loss, roc_auc_score, average_precision_score.
#[test]
fn agrees_with_scikit_learn() {
    let all = predictions();
    assert_eq!((all.rows(), all.positives()), (60, 27));
    assert_near(all.log_loss(), 1.000_435_668_947_771_8);
    assert_near(all.brier(), 0.321_633_333_333_333_27);
    assert_near(all.roc_auc().unwrap(), 0.529_180_695_847_362_5);
    assert_near(all.average_precision().unwrap(), 0.479_725_237_637_463_4);
    let tied = tied();
    assert_near(tied.roc_auc().unwrap(), 0.521_324_354_657_687_9);
    assert_near(tied.average_precision().unwrap(), 0.471_448_317_649_762_9);
    assert_near(tied.log_loss(), 3.672_714_716_808_732);
}

/// scikit-learn 1.9.1: confusion_matrix, accuracy_score, precision_score, recall_score, f1_score
/// at 0.5.
#[test]
fn decisions_agree_with_scikit_learn() {
    let found = predictions().confusion(0.5);
    let expected = Confusion { true_positive: 14, false_positive: 16, true_negative: 17, false_negative: 13 };
    assert_eq!(found, expected);
    assert_near(found.accuracy().unwrap(), 0.516_666_666_666_666_7);
    assert_near(found.precision().unwrap(), 0.466_666_666_666_666_7);
    assert_near(found.recall().unwrap(), 0.518_518_518_518_518_5);
    assert_near(found.f1().unwrap(), 0.491_228_070_175_438_57);
    let nothing = predictions().confusion(2.0);
    assert_eq!((nothing.precision(), nothing.recall()), (None, Some(0.0)));
    assert_eq!(predictions().confusion(f64::NAN), nothing);
}

#[test]
fn slices_by_hand() {
    let truth = vec![true, true, false, true, false, false, false];
    let probability = vec![0.9, 0.8, 0.7, 0.5, 0.5, 0.5, 0.1];
    let slices = Predictions::new(truth, probability).unwrap().slices(3);
    let sizes: Vec<usize> = slices.iter().map(|s| s.rows).collect();
    assert_eq!(sizes, [3, 2, 2]);
    // One positive among the three rows of probability 0.5, two of them in the second slice.
    assert_near(slices[1].positives, 2.0 / 3.0);
    assert_near(slices[0].lift.unwrap(), (2.0 / 3.0) / (3.0 / 7.0));
    assert_near(slices[2].gain.unwrap(), 1.0);
    assert_near(slices[0].mean_probability, 0.8);
    assert_eq!(predictions().slices(0), []);
    assert_eq!(predictions().slices(100).len(), 60);
}

#[test]
fn calibration_by_hand() {
    let truth = vec![false, true, true, true];
    let found = Predictions::new(truth, vec![0.1, 0.3, 0.9, 1.0]).unwrap().calibration(2);
    assert_eq!((found.bins[0].rows, found.bins[1].rows), (2, 2));
    assert_near(found.bins[0].mean_probability, 0.2);
    assert_near(found.bins[0].positive_share, 0.5);
    assert_near(found.expected_error, 0.5 * 0.3 + 0.5 * 0.05);
}

#[test]
fn curves_are_thin_and_end_where_they_must() {
    let truth = (0..5000).map(|i| (i * 7) % 13 > 8).collect();
    let probability = (0..5000).map(|i| f64::from((i * 37) % 4999) / 4999.0).collect();
    let all = Predictions::new(truth, probability).unwrap();
    let roc = all.roc_curve();
    assert!(roc.len() > 150 && roc.len() <= 200, "{}", roc.len());
    assert_eq!((roc[0].false_positive_rate, roc[0].true_positive_rate), (0.0, 0.0));
    let last = roc[roc.len() - 1];
    assert_eq!((last.false_positive_rate, last.true_positive_rate), (1.0, 1.0));
    let area: f64 = roc
        .windows(2)
        .map(|w| {
            (w[1].false_positive_rate - w[0].false_positive_rate) * (w[1].true_positive_rate + w[0].true_positive_rate)
                / 2.0
        })
        .sum();
    assert!((area - all.roc_auc().unwrap()).abs() < 1e-3);
    let curve = all.precision_recall_curve();
    assert!(curve.len() <= 200 && curve[curve.len() - 1].recall == 1.0);
    assert_eq!(curve[0].threshold, 4998.0 / 4999.0);
}

#[test]
fn one_class_and_no_input() {
    let one = Predictions::new(vec![true, true], vec![0.2, 0.4]).unwrap();
    assert_eq!((one.roc_auc(), one.average_precision()), (None, Some(1.0)));
    assert!(one.roc_curve().is_empty());
    let none = Predictions::new(vec![false], vec![0.2]).unwrap();
    assert_eq!((none.average_precision(), none.slices(1)[0].lift), (None, None));
    assert!(none.precision_recall_curve().is_empty());
    let error = |truth: Vec<bool>, p: Vec<f64>| Predictions::new(truth, p).unwrap_err();
    assert_eq!(error(vec![], vec![]), MetricError::Empty);
    assert_eq!(error(vec![true], vec![f64::NAN]), MetricError::Invalid(1));
    assert_eq!(error(vec![true], vec![1.5]), MetricError::Invalid(1));
    assert_eq!(error(vec![true], vec![]), MetricError::Length { truth: 1, predicted: 0 });
}

proptest! {
    /// AUC against its definition over pairs; repeating rows is repeating rows.
    #[test]
    fn auc_is_the_chance_of_a_right_order(
        rows in proptest::collection::vec((any::<bool>(), 0..6_u8, 0..3_u32), 1..40),
    ) {
        let table = |repeat: bool| {
            let times = |r: &(bool, u8, u32)| if repeat { r.2 as usize } else { 1 };
            let pair = |r: &(bool, u8, u32)| (r.0, f64::from(r.1) / 5.0);
            rows.iter().flat_map(|r| vec![pair(r); times(r)]).unzip()
        };
        let (truth, probability): (Vec<bool>, Vec<f64>) = table(true);
        let (mut right, mut pairs) = (0.0, 0.0);
        for i in (0..truth.len()).filter(|&i| truth[i]) {
            for j in (0..truth.len()).filter(|&j| !truth[j]) {
                pairs += 1.0;
                right += match probability[i].total_cmp(&probability[j]) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
            }
        }
        let (once, p) = table(false);
        let found = Predictions::new(once, p).unwrap();
        let auc = found.repeated(BinaryMeasure::RocAuc, |row| rows[row].2);
        prop_assert_eq!(auc.is_some(), pairs > 0.0);
        prop_assert!(auc.is_none_or(|auc| (auc - right / pairs).abs() < 1e-12));
        if let Ok(repeated) = Predictions::new(truth, probability) {
            let precision = found.repeated(BinaryMeasure::AveragePrecision, |row| rows[row].2);
            let (a, b) = (repeated.average_precision(), precision);
            prop_assert!(a.is_none() == b.is_none());
            prop_assert!(a.zip(b).is_none_or(|(a, b)| (a - b).abs() < 1e-12));
        }
    }
}
