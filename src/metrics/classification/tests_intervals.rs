//! Thresholds, further measures and intervals.

use super::*;
use crate::metrics::intervals::{Interval, bootstrap};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// The rows of `tests.rs`.
fn outcomes() -> Vec<bool> {
    (0..60).map(|i| ((i * 13) % 7) as f64 + ((i * 7) % 11) as f64 / 3.0 - 1.0 > 4.0).collect()
}

fn probabilities() -> Vec<f64> {
    (0..60).map(|i| (((i * 37) % 50) as f64 + 0.5) / 50.0).collect()
}

fn eighths() -> Vec<f64> {
    probabilities().iter().map(|p| (p * 8.0).round_ties_even() / 8.0).collect()
}

fn ranking(scores: &[f64]) -> Ranking {
    Ranking::new(&outcomes(), scores).unwrap()
}

fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

/// scikit-learn 1.9.1: balanced_accuracy_score and matthews_corrcoef at 0.5; scipy:
/// ks_2samp(scores of positives, scores of negatives).
#[test]
fn agrees_with_scikit_learn_and_scipy() {
    let all = ranking(&probabilities());
    let decided = all.confusion(0.5);
    assert_near(decided.balanced_accuracy().unwrap(), 0.516_835_016_835_016_9);
    assert_near(decided.mcc().unwrap(), 0.033_501_260_508_640_406);
    assert_near(all.ks().unwrap(), 0.121_212_121_212_121_22);
    assert_near(ranking(&eighths()).ks().unwrap(), 0.101_010_101_010_101_01);
    for measure in BinaryMeasure::ALL {
        assert!(all.measure(measure, 0.5).is_some(), "{}", measure.name());
    }
}

/// The best of f1_score and of cost over the thresholds of scikit-learn's precision_recall_curve.
#[test]
fn thresholds_agree_with_a_search_in_scikit_learn() {
    for (scores, f1_at, cost_at) in [(probabilities(), 0.19, 0.01), (eighths(), 0.25, 0.0)] {
        let all = ranking(&scores);
        let best = all.best_f1().unwrap();
        assert_near(best.value, 0.623_376_623_376_623_4);
        assert_eq!((best.threshold, all.confusion(f1_at)), (Some(f1_at), best.confusion));
        let cheap = all.least_cost(1.0, 3.0).unwrap();
        assert_eq!((cheap.threshold, cheap.value), (Some(cost_at), 33.0));
    }
    let free = ranking(&probabilities()).least_cost(0.0, 0.0).unwrap();
    assert_eq!((free.threshold, free.value), (None, 0.0), "of equal costs the fewest predictions");
    let all = ranking(&probabilities());
    for (wrong, missed) in [(f64::NAN, 1.0), (1.0, -1.0), (f64::INFINITY, 1.0), (f64::MAX, f64::MAX)] {
        assert_eq!(all.least_cost(wrong, missed), None);
    }
}

#[test]
fn capacity_takes_the_first_of_equals() {
    let truth = [true, false, true, false, true];
    let all = Ranking::new(&truth, &[0.5, 0.9, 0.5, 0.5, 0.1]).unwrap();
    let found = all.capacity(0.4);
    assert_eq!(found.chosen, [true, true, false, false, false]);
    assert_eq!((found.rows, found.tied_out, found.threshold), (2, 2, Some(0.5)));
    let decided = Confusion { true_positive: 1, false_positive: 1, true_negative: 1, false_negative: 2 };
    assert_eq!(found.confusion, decided);
    assert_eq!(all.capacity(0.8).chosen, [true, true, true, true, false]);
    assert_eq!(all.capacity(0.8).tied_out, 0);
    for (share, rows) in [(0.0, 0), (f64::NAN, 0), (-1.0, 0), (0.19, 0), (0.99, 4), (1.0, 5), (7.0, 5)] {
        let found = all.capacity(share);
        assert_eq!((found.rows, found.chosen.iter().filter(|c| **c).count()), (rows, rows), "{share}");
        assert_eq!(found.threshold.is_none(), rows == 0);
    }
    let hundred = Ranking::new(&[true; 100], &[0.5; 100]).unwrap();
    assert_eq!(hundred.capacity(0.29).rows, 29, "0.29 · 100 is 28.999999999999996");
}

#[test]
fn scores_may_be_anything_but_nan() {
    let truth = [true, false, true, false];
    let all = Ranking::new(&truth, &[f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0]).unwrap();
    assert_eq!(all.roc_auc(), Some(0.875));
    assert_eq!(all.confusion(0.0).true_positive, 2);
    assert_eq!(all.roc_curve().len(), 4);
    assert_eq!(Ranking::new(&truth, &[f64::NAN; 4]).unwrap_err(), MetricError::Invalid(4));
    assert_eq!(Ranking::new(&[], &[]).unwrap_err(), MetricError::Empty);
    let one = Ranking::new(&[true], &[3.0]).unwrap();
    assert_eq!((one.roc_auc(), one.ks(), one.best_f1().unwrap().threshold), (None, None, Some(3.0)));
    let decided = one.confusion(3.0);
    assert_eq!((decided.mcc(), decided.balanced_accuracy(), decided.specificity()), (None, None, None));
    assert_eq!(Ranking::new(&[false], &[3.0]).unwrap().best_f1(), None);
}

#[test]
fn intervals_are_those_of_the_plain_bootstrap() {
    let rows = 9000_u64;
    let truth: Vec<bool> = (0..rows).map(|i| (i * 7919) % 997 < 300).collect();
    let noisy = |i: u64, noise: u64| f64::from(u8::from(truth[i as usize])) * 40.0 + ((i * noise) % 101) as f64;
    let own: Vec<f64> = (0..rows).map(|i| noisy(i, 37)).collect();
    let other: Vec<f64> = (0..rows).map(|i| noisy(i, 53) + ((i * 17) % 89) as f64).collect();
    let (own, other) = (Ranking::new(&truth, &own).unwrap(), Ranking::new(&truth, &other).unwrap());
    let near = |a: &Interval, b: &Interval| {
        let width = b.high - b.low;
        assert!((a.estimate - b.estimate).abs() < 1e-12, "{a:?} {b:?}");
        assert!((a.low - b.low).abs() < 0.1 * width && (a.high - b.high).abs() < 0.1 * width, "{a:?} {b:?}");
    };
    let at = |times: &[u32], model: &Ranking| model.repeated(BinaryMeasure::RocAuc, |row| times[row]);
    let measures = [BinaryMeasure::RocAuc];
    let found = own.intervals(&measures, 0.5, 2000, &mut rng(1))[0].unwrap();
    near(&found, &bootstrap(9000, 2000, &mut rng(2), |times| at(times, &own)).unwrap());
    let found = own.difference_intervals(&other, &measures, [0.5; 2], 2000, &mut rng(1))[0].unwrap();
    let plain = bootstrap(9000, 2000, &mut rng(2), |times| Some(at(times, &own)? - at(times, &other)?)).unwrap();
    near(&found, &plain);
    assert!(found.is_above_zero());
    // More than one block of draws, on any number of threads.
    let find = || own.intervals(&BinaryMeasure::ALL, 30.0, 40, &mut rng(3));
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    assert_eq!(pool(1).install(find), pool(3).install(find));
    // Pairing matters: unpaired, the difference of a model and itself would vary.
    let none = own.difference_intervals(&own.clone(), &BinaryMeasure::ALL, [60.0; 2], 50, &mut rng(1));
    for interval in none.into_iter().map(Option::unwrap) {
        assert_eq!((interval.low, interval.estimate, interval.high), (0.0, 0.0, 0.0));
    }
}

#[test]
fn intervals_that_do_not_exist() {
    let (all, turned) = (ranking(&probabilities()), outcomes().iter().map(|t| !t).collect::<Vec<_>>());
    let turned = Ranking::new(&turned, &probabilities()).unwrap();
    let measures = [BinaryMeasure::F1, BinaryMeasure::Precision];
    assert_eq!(all.difference_intervals(&turned, &measures, [0.5; 2], 50, &mut rng(1)), [None, None]);
    assert_eq!(all.intervals(&measures, 0.5, 0, &mut rng(1)), [None, None]);
    // Nothing is predicted: F1 is 0 and precision does not exist.
    let zero = Interval { estimate: 0.0, low: 0.0, high: 0.0 };
    assert_eq!(all.intervals(&measures, 2.0, 50, &mut rng(1)), [Some(zero), None]);
    let one = Ranking::new(&[true; 30], &[0.5; 30]).unwrap();
    assert_eq!(one.intervals(&[BinaryMeasure::RocAuc], 0.5, 50, &mut rng(1)), [None]);
}

proptest! {
    #[test]
    fn nothing_depends_on_the_threads(
        rows in proptest::collection::vec((any::<bool>(), 0..20_u8, 0..20_u8), 1..200),
        threshold in 0.0..20.0f64,
    ) {
        let truth: Vec<bool> = rows.iter().map(|row| row.0).collect();
        let scores = |of: fn(&(bool, u8, u8)) -> u8| rows.iter().map(|row| f64::from(of(row))).collect::<Vec<f64>>();
        let own = Ranking::new(&truth, &scores(|row| row.1)).unwrap();
        let other = Ranking::new(&truth, &scores(|row| row.2)).unwrap();
        let find = || {
            let alone = own.intervals(&BinaryMeasure::ALL, threshold, 30, &mut rng(5));
            (alone, own.difference_intervals(&other, &BinaryMeasure::ALL, [threshold; 2], 30, &mut rng(5)))
        };
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        prop_assert_eq!(pool(1).install(find), pool(3).install(find));
    }

    /// Against trying everything.
    #[test]
    fn no_other_threshold_is_better(
        rows in proptest::collection::vec((any::<bool>(), 0..12_u8), 1..60),
        wrong in 0.0..5.0f64,
        missed in 0.0..5.0f64,
        share in 0.0..1.0f64,
    ) {
        let (truth, scores): (Vec<bool>, Vec<f64>) = rows.iter().map(|(t, s)| (*t, f64::from(*s))).unzip();
        let all = Ranking::new(&truth, &scores).unwrap();
        let cost = |c: &Confusion| c.false_positive as f64 * wrong + c.false_negative as f64 * missed;
        let cheap = all.least_cost(wrong, missed).unwrap();
        let best = all.best_f1();
        prop_assert_eq!(all.confusion(cheap.threshold.unwrap_or(f64::NAN)), cheap.confusion);
        for threshold in (0..14).map(f64::from) {
            let counted = Confusion::of(truth.iter().zip(&scores).map(|(t, s)| (*t, *s >= threshold)));
            prop_assert_eq!(all.confusion(threshold), counted);
            prop_assert!(cost(&counted) >= cheap.value);
            prop_assert!(best.is_none_or(|best| counted.f1().unwrap_or(0.0) <= best.value));
        }
        let capacity = all.capacity(share);
        let mut order: Vec<usize> = (0..truth.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut chosen = vec![false; truth.len()];
        order.iter().take(capacity.rows).for_each(|&row| chosen[row] = true);
        prop_assert_eq!(&capacity.chosen, &chosen);
        prop_assert_eq!(capacity.rows, (share * truth.len() as f64) as usize);
    }
}
