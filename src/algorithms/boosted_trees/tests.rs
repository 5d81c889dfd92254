use super::*;
use ndarray::{Array2, array};
use proptest::prelude::*;

fn go() -> bool {
    true
}

fn few() -> Params {
    Params { rounds: 10, ..Params::default() }
}

/// 600 × 5 by a formula, the last column constant.
fn table() -> (Array2<f64>, Vec<f64>) {
    let x = Array2::from_shape_fn((600, 5), |(row, column)| match column {
        0 => ((row * 37) % 601) as f64,
        1 => ((row * 101) % 599) as f64 / 7.0,
        2 => ((row * 53) % 4) as f64,
        3 => 1e12 + ((row * 71) % 577) as f64 / 1e3,
        _ => 4.2,
    });
    let y = x.rows().into_iter().map(|r| r[0] / 100.0 + (r[1] / 9.0).sin() * (r[2] - 1.0)).collect();
    (x, y)
}

fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn one_split_is_the_formula_s() {
    // Σg = Σ(p − y), Σh = Σp(1 − p) with p = 1/2: in each leaf of two rows ∓1 and 1/2, so −g / (h + l2) is ±2/3.
    let x = array![[1.0], [2.0], [3.0], [4.0]];
    let params = Params { rounds: 1, learning_rate: 1.0, min_leaf_weight: 0.0, leaves: 2, ..Params::default() };
    let trees = fit_binary(x.view(), &[false, false, true, true], None, &params, &go).unwrap();
    let scores = trees.scores(array![[2.5], [2.6], [-1e300], [1e300]].view()).unwrap();
    for (score, expected) in scores.iter().zip([-2.0, 2.0, -2.0, 2.0]) {
        assert!((score - expected / 3.0).abs() < 1e-6, "{scores}");
    }
    // Two leaves of 1/(1/2 + 1) each, and of the root nothing.
    assert!((trees.gains()[0] - 4.0 / 3.0).abs() < 1e-6, "{:?}", trees.gains());
    assert_eq!((trees.trees(), trees.leaves(), trees.idle_trees()), (1, 2, 0));
}

#[test]
fn each_row_can_have_a_leaf() {
    let x = array![[1.0], [2.0], [3.0], [4.0], [5.0]];
    let y = [3.0, -10.0, 7.0, 0.0, 11.0];
    let params = Params { l2: 0.0, learning_rate: 1.0, rounds: 3, min_leaf_weight: 1.0, ..Params::default() };
    let found = fit_number(x.view(), &y, None, &params, &go).unwrap().predictions(x.view()).unwrap();
    assert!(found.iter().zip(y).all(|(found, y)| (found - y).abs() < 1e-4), "{found}");
}

#[test]
fn threads_change_nothing() {
    let (x, y) = table();
    let truth: Vec<bool> = y.iter().map(|y| *y > 3.0).collect();
    let classes: Vec<u32> = y.iter().map(|y| (*y as i64).clamp(0, 3) as u32).collect();
    let weights: Vec<f64> = (0..600).map(|row| (row % 5) as f64).collect();
    let params = Params { rows_share: 0.7, columns_share: 0.6, seed: 9, ..few() };
    let all = |params: &Params| {
        let models = [
            fit_binary(x.view(), &truth, Some(&weights), params, &go).unwrap(),
            fit_classes(x.view(), &classes, 4, None, params, &go).unwrap(),
            fit_number(x.view(), &y, Some(&weights), params, &go).unwrap(),
        ];
        let found = models.each_ref().map(|trees| trees.predictions(x.view()).unwrap());
        (serde_json::to_string(&models).unwrap(), found)
    };
    for params in [few(), params.clone()] {
        let one = in_pool(1, || all(&params));
        assert!([2, 3, 5].into_iter().all(|threads| in_pool(threads, || all(&params)) == one));
    }
    assert_ne!(all(&params).0, all(&Params { seed: 10, ..params.clone() }).0);
}

#[test]
fn stored_trees_say_the_same() {
    let (x, y) = table();
    let trees = fit_number(x.view(), &y, None, &few(), &go).unwrap();
    let stored = serde_json::to_string(&trees).unwrap();
    let read: Trees = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, trees);
    let value: serde_json::Value = serde_json::from_str(&stored).unwrap();
    for (right, column) in [(0, 9), (1, 0), (1_000_000, 0), (2, 5)] {
        let mut broken = value.clone();
        broken["trees"][0][0] = serde_json::json!([column, 1.0, right, 0.0]);
        let sound = right == 0;
        assert_eq!(serde_json::from_value::<Trees>(broken).is_ok(), sound, "{right}");
    }
    let mut broken = value;
    broken["base"] = serde_json::json!([]);
    assert!(serde_json::from_value::<Trees>(broken).is_err());
}

#[test]
fn contributions_add_up_to_the_scores() {
    let (x, y) = table();
    let classes: Vec<u32> = y.iter().map(|y| (*y as i64).clamp(0, 3) as u32).collect();
    let trees = fit_classes(x.view(), &classes, 4, None, &few(), &go).unwrap();
    let scores = trees.scores(x.view()).unwrap();
    for output in 0..4 {
        let parts = trees.contributions(x.view(), &[output; 600]).unwrap();
        assert!(parts.column(4).iter().all(|part| *part == 0.0));
        let sums = parts.sum_axis(Axis(1)) + trees.expected(output);
        assert!((&sums - &scores.column(output)).iter().all(|gap| gap.abs() < 1e-9));
    }
    assert!(trees.contributions(x.view(), &[4; 600]).unwrap().iter().all(|part| *part == 0.0));
    let sums = trees.predictions(x.view()).unwrap().sum_axis(Axis(1));
    assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-12));
}

#[test]
fn units_do_not_matter() {
    let (x, y) = table();
    let plain = fit_number(x.view(), &y, None, &few(), &go).unwrap();
    // Powers of two, so that nothing is rounded; 1e12 with steps of 1e-3 is more than 32-bit numbers tell apart.
    assert!(plain.gains()[0] > 0.0 && plain.gains()[4] == 0.0);
    let scaled: Vec<f64> = y.iter().map(|y| y * 2_f64.powi(900)).collect();
    let large = x.mapv(|value| value * 2_f64.powi(900));
    let trees = fit_number(large.view(), &scaled, Some(&[1e-200; 600]), &few(), &go).unwrap();
    let found = trees.predictions(large.view()).unwrap() / 2_f64.powi(900);
    let gap = (found - plain.predictions(x.view()).unwrap()).iter().fold(0.0_f64, |most, gap| most.max(gap.abs()));
    assert!(gap < 1e-5, "{gap}");
    let by_small: Vec<bool> = x.column(3).iter().map(|value| *value > 1e12 + 0.3).collect();
    let trees = fit_binary(x.slice(ndarray::s![.., 3..]), &by_small, None, &few(), &go).unwrap();
    let found = trees.predictions(x.slice(ndarray::s![.., 3..])).unwrap();
    assert!(found.iter().zip(&by_small).filter(|(p, truth)| (**p > 0.5) == **truth).count() > 590);
}

#[test]
fn rows_of_weight_zero_are_as_if_absent() {
    let (x, y) = table();
    let weights: Vec<f64> = (0..600).map(|row| if row < 300 { 2.5 } else { 0.0 }).collect();
    let some = x.slice(ndarray::s![..300, ..]);
    let weighed = fit_number(x.view(), &y, Some(&weights), &few(), &go).unwrap();
    let absent = fit_number(some, &y[..300], None, &few(), &go).unwrap();
    let gap = weighed.predictions(x.view()).unwrap() - absent.predictions(x.view()).unwrap();
    assert!(gap.iter().all(|gap| gap.abs() < 1e-5));
}

#[test]
fn odd_tables_are_learned_from() {
    let truth = [true, false, true, false];
    // Constant columns, duplicate columns of duplicate rows with different targets, one row a class, wide tables.
    let same = Array2::from_elem((4, 3), 7.0);
    let trees = fit_binary(same.view(), &truth, None, &few(), &go).unwrap();
    assert_eq!(trees.idle_trees(), 10);
    assert!(trees.predictions(same.view()).unwrap().iter().all(|p| (p - 0.5).abs() < 1e-6));
    let twins = array![[1.0, 1.0], [1.0, 1.0], [2.0, 2.0], [2.0, 2.0]];
    let trees = fit_classes(twins.view(), &[0, 1, 0, 1], 3, None, &few(), &go).unwrap();
    let found = trees.predictions(twins.view()).unwrap();
    assert!(found.rows().into_iter().all(|p| (p[0] - p[1]).abs() < 1e-3 && p[2] < 1e-2), "{found}");
    let pair = array![[f64::MAX, 0.0], [f64::MIN, 0.0]];
    assert!(fit_binary(pair.view(), &[true, false], None, &few(), &go).is_ok());
    let wide = Array2::from_shape_fn((3, 400), |(row, column)| ((row * 7 + column * 3) % 11) as f64);
    assert!(fit_binary(wide.view(), &truth[..3], None, &few(), &go).is_ok());
    let one = fit_number(array![[1.0]].view(), &[5.5], None, &few(), &go).unwrap();
    assert_eq!(one.predictions(array![[9.0]].view()).unwrap(), array![[5.5]]);
    let ends = fit_number(pair.view(), &[f64::MAX, f64::MIN], None, &few(), &go).unwrap();
    assert!(ends.predictions(pair.view()).unwrap().iter().all(|value| value.is_finite()));
    assert_eq!(one.predictions(Array2::zeros((0, 1)).view()).unwrap().dim(), (0, 1));
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let x = array![[1.0], [2.0]];
    let both = [true, false];
    let fit = |x: &Array2<f64>, weights: Option<&[f64]>| fit_binary(x.view(), &both, weights, &few(), &go).err();
    let weights = |weights: &[f64]| fit(&x, Some(weights));
    assert!(matches!(fit(&array![[1.0], [f64::NAN]], None), Some(TreesError::Input(InputError::NonFinite { .. }))));
    assert!(matches!(fit(&Array2::zeros((0, 1)), None), Some(TreesError::Input(InputError::NoRows))));
    assert!(matches!(fit(&Array2::zeros((2, 0)), None), Some(TreesError::Input(InputError::NoColumns))));
    assert!(matches!(fit(&array![[1.0]], None), Some(TreesError::Input(InputError::Length { .. }))));
    assert!(matches!(weights(&[0.0, 0.0]), Some(TreesError::Weights)));
    assert!(matches!(weights(&[1.0, -1.0]), Some(TreesError::Weights)));
    assert!(matches!(weights(&[1.0, f64::INFINITY]), Some(TreesError::Weights)));
    assert!(matches!(weights(&[1.0, 0.0]), Some(TreesError::OneClass { rows: 1 })));
    let classes = |classes: &[u32], count| fit_classes(x.view(), classes, count, None, &few(), &go).err();
    assert!(matches!(classes(&[0, 2], 2), Some(TreesError::Classes(2))));
    assert!(matches!(classes(&[0, 0], 1), Some(TreesError::Classes(1))));
    assert!(matches!(classes(&[1, 1], 2), Some(TreesError::OneClass { rows: 2 })));
    let number = fit_number(x.view(), &[1.0, f64::NAN], None, &few(), &go).err();
    assert!(matches!(number, Some(TreesError::Input(InputError::NonFinite { .. }))));
    let trees = fit_binary(x.view(), &both, None, &few(), &go).unwrap();
    assert!(trees.scores(Array2::zeros((1, 2)).view()).is_err());
    assert!(trees.contributions(array![[f64::INFINITY]].view(), &[0]).is_err());
}

#[test]
fn parameters_out_of_range_are_refused() {
    let wrong = [
        Params { rounds: 0, ..Params::default() },
        Params { rounds: TREES_MAX, ..Params::default() },
        Params { learning_rate: f64::NAN, ..Params::default() },
        Params { leaves: 1, ..Params::default() },
        Params { depth: Some(0), ..Params::default() },
        Params { l2: -1.0, ..Params::default() },
        Params { min_leaf_weight: f64::INFINITY, ..Params::default() },
        Params { rows_share: 0.0, ..Params::default() },
        Params { columns_share: 1.1, ..Params::default() },
    ];
    assert!(wrong.iter().all(|params| params.check(2).is_err()));
    assert!(Params::default().check(CLASSES_MAX).is_ok());
    let most = Params { rounds: usize::MAX, leaves: usize::MAX, ..Params::default() };
    assert_eq!(cost(usize::MAX, usize::MAX, usize::MAX, &most).steps, u64::MAX);
    assert!(cost(2000, 20, 1, &few()).steps < cost(4000, 20, 1, &few()).steps);
}

#[test]
fn it_stops_when_told() {
    let (x, y) = table();
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let thrice = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3;
    let found = fit_number(x.view(), &y, None, &few(), &thrice);
    assert!(matches!(found, Err(TreesError::Stopped)));
    assert_eq!(asked.into_inner(), 4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_the_table_leaves_are_means_and_bounds_hold(
        cells in prop::collection::vec(prop_oneof![-3.0_f64..3.0, Just(0.0), Just(1e300)], 2..120),
        leaves in 2_usize..8, depth in prop::option::of(1_usize..4), l2 in 0.0_f64..2.0,
    ) {
        let rows = cells.len() / 2;
        let x = ArrayView2::from_shape((rows, 1), &cells[..rows]).unwrap();
        let y: Vec<f64> = cells[rows..2 * rows].iter().map(|cell| cell.min(9.0)).collect();
        let params = Params { leaves, depth, l2, learning_rate: 0.5, min_leaf_weight: 0.0, ..few() };
        let trees = fit_number(x, &y, None, &params, &go).unwrap();
        prop_assert!(trees.leaves() <= trees.trees() * leaves.min(1 << depth.unwrap_or(7)));
        let found = trees.predictions(x).unwrap();
        let (low, high) = y.iter().fold((9.0_f64, -9.0_f64), |(low, high), y| (low.min(*y), high.max(*y)));
        let mean = y.iter().sum::<f64>() / rows as f64;
        // Shrunk steps towards means of what is left cannot make the squares more than around the mean.
        let left: f64 = found.iter().zip(&y).map(|(p, y)| (p - y) * (p - y)).sum();
        let all: f64 = y.iter().map(|y| (y - mean) * (y - mean)).sum();
        prop_assert!(left <= all * (1.0 + 1e-5) + 1e-9, "{} {}", left, all);
        prop_assert!(found.iter().all(|p| *p >= 2.0 * low - high - 1e-3 && *p <= 2.0 * high - low + 1e-3));
    }
}
