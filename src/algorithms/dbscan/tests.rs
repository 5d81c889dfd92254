use ndarray::{Array2, array};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

fn params(radius: f64, min_points: usize) -> Params {
    Params { radius, min_points, metric: Metric::Euclidean, engine: Engine::Native }
}

fn distance(metric: Metric, a: ndarray::ArrayView1<'_, f64>, b: ndarray::ArrayView1<'_, f64>) -> f64 {
    let pairs = || a.iter().zip(b);
    match metric {
        Metric::Euclidean => pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(),
        Metric::Manhattan => pairs().map(|(a, b)| (a - b).abs()).sum(),
        Metric::Cosine => 1.0 - a.dot(&b) / (a.dot(&a).sqrt() * b.dot(&b).sqrt()),
    }
}

/// The definition, word for word, with all pairs of rows.
fn by_definition(x: &Array2<f64>, params: &Params) -> Dbscan {
    let rows = x.nrows();
    let near = |a: usize, b: usize| distance(params.metric, x.row(a), x.row(b)) <= params.radius;
    let cores: Vec<bool> =
        (0..rows).map(|row| (0..rows).filter(|&other| near(row, other)).count() >= params.min_points).collect();
    let mut labels: Vec<Option<usize>> = vec![None; rows];
    let mut clusters = 0;
    for first in 0..rows {
        if !cores[first] || labels[first].is_some() {
            continue;
        }
        let mut waiting = vec![first];
        labels[first] = Some(clusters);
        while let Some(core) = waiting.pop() {
            for other in (0..rows).filter(|&other| near(core, other)) {
                if cores[other] && labels[other].is_none() {
                    labels[other] = Some(clusters);
                    waiting.push(other);
                }
            }
        }
        clusters += 1;
    }
    for row in (0..rows).filter(|&row| !cores[row]) {
        labels[row] = (0..rows).filter(|&other| cores[other] && near(row, other)).filter_map(|core| labels[core]).min();
    }
    Dbscan { labels, cores, clusters }
}

/// Groups of rows on a grid, some of them the same, and single ones between.
fn scattered(seed: u64, rows: usize, columns: usize, spread: f64) -> Array2<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let centers = Array2::from_shape_fn((5, columns), |_| rng.gen_range(-spread..spread));
    let mut x = Array2::zeros((rows, columns));
    for mut row in x.rows_mut() {
        let center = rng.gen_range(0..6);
        for (column, value) in row.iter_mut().enumerate() {
            let noise: f64 = rng.gen_range(-1.0..1.0);
            *value = if center < 5 { centers[(center, column)] + noise } else { spread * noise };
        }
    }
    let copies = rows / 10;
    for row in 0..copies {
        let same = x.row(row).to_owned();
        x.row_mut(rows - 1 - row).assign(&same);
    }
    x
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn it_is_the_definition(
        seed in 0..1_000_000_u64, rows in 1..400_usize, columns in 1..7_usize, spread in 1.0..6.0_f64,
        radius in 0.05..4.0_f64, min_points in 1..12_usize, metric in 0..3_usize,
    ) {
        let metric = [Metric::Euclidean, Metric::Manhattan, Metric::Cosine][metric];
        let radius = if metric == Metric::Cosine { radius / 10.0 } else { radius };
        let x = scattered(seed, rows, columns, spread);
        // Directions in one column are only two.
        prop_assume!(metric != Metric::Cosine || columns > 1);
        let params = Params { metric, ..params(radius, min_points) };
        prop_assert_eq!(fit(x.view(), &params).unwrap(), by_definition(&x, &params));
    }

    /// Whole numbers: many rows lie at exactly the radius.
    #[test]
    fn rows_at_exactly_the_radius_are_near(
        values in proptest::collection::vec(0..12_u8, 2..300), radius in 1..4_u8, min_points in 1..6_usize,
    ) {
        let rows = values.len() / 2;
        let x = Array2::from_shape_fn((rows, 2), |(row, column)| f64::from(values[row * 2 + column]));
        for metric in [Metric::Euclidean, Metric::Manhattan] {
            let params = Params { metric, ..params(f64::from(radius), min_points) };
            prop_assert_eq!(fit(x.view(), &params).unwrap(), by_definition(&x, &params));
        }
    }
}

#[test]
fn both_engines_agree() {
    for (seed, columns) in [(1, 2), (2, 3)] {
        let x = scattered(seed, 3_000, columns, 5.0);
        for (metric, radius) in
            [(Metric::Euclidean, 0.4), (Metric::Manhattan, 0.5), (Metric::Cosine, [1e-7, 1e-3][columns - 2])]
        {
            let native = Params { metric, ..params(radius, 8) };
            let linfa = Params { engine: Engine::Linfa, ..native };
            let (native, linfa) = (fit(x.view(), &native).unwrap(), fit(x.view(), &linfa).unwrap());
            assert!(native.clusters > 1 && native.labels.contains(&None), "{metric:?} tells nothing");
            assert_eq!(native, linfa, "{metric:?}");
        }
    }
}

#[test]
fn threads_and_memory_order_change_nothing() {
    let x = scattered(7, 5_000, 3, 5.0);
    let expected = fit(x.view(), &params(0.5, 10)).unwrap();
    let columns_first = x.t().as_standard_layout().into_owned().reversed_axes();
    assert_eq!(fit(columns_first.view(), &params(0.5, 10)).unwrap(), expected);
    for threads in [1, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| fit(x.view(), &params(0.5, 10)).unwrap()), expected);
    }
}

#[test]
fn what_lies_together_whatever_the_radius_is_one_cluster() {
    let x = scattered(3, 20_000, 3, 5.0);
    let found = fit(x.view(), &params(1e6, 10)).unwrap();
    assert_eq!((found.clusters, found.cores.iter().all(|core| *core)), (1, true));
    let none = fit(x.view(), &params(1e-9, 10)).unwrap();
    assert_eq!((none.clusters, none.labels.iter().flatten().count()), (0, 0));
}

#[test]
fn small_tables_and_constant_columns() {
    let one = fit(array![[3.0, 4.0]].view(), &params(1.0, 1)).unwrap();
    assert_eq!(one, Dbscan { labels: vec![Some(0)], cores: vec![true], clusters: 1 });
    assert_eq!(fit(array![[3.0]].view(), &params(1.0, 2)).unwrap().labels, [None]);
    let constant = Array2::from_elem((100, 4), 7.0);
    let found = fit(constant.view(), &params(0.1, 100)).unwrap();
    assert_eq!((found.clusters, found.cores.len()), (1, 100));
    assert_eq!(fit(constant.view(), &params(0.1, 101)).unwrap().clusters, 0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let x = array![[0.0, 1.0], [0.0, 0.0]];
    assert!(matches!(fit(x.view(), &params(0.0, 1)), Err(DbscanError::Radius)));
    assert!(matches!(fit(x.view(), &params(f64::NAN, 1)), Err(DbscanError::Radius)));
    assert!(matches!(fit(x.view(), &params(1.0, 0)), Err(DbscanError::MinPoints)));
    let cosine = Params { metric: Metric::Cosine, ..params(1.0, 1) };
    assert!(matches!(fit(x.view(), &cosine), Err(DbscanError::NoDirection(1))));
    assert!(fit(array![[f64::NAN]].view(), &params(1.0, 1)).is_err());
    assert!(fit(Array2::zeros((0, 2)).view(), &params(1.0, 1)).is_err());
}

#[test]
fn distances_to_the_nearest_are_those_of_the_definition() {
    let x = scattered(5, 500, 3, 4.0);
    for metric in [Metric::Euclidean, Metric::Manhattan, Metric::Cosine] {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let found = distances_to_nearest(x.view(), metric, 4, 1_000, &mut rng).unwrap();
        let fourth = |row: usize| {
            let mut all: Vec<f64> = (0..500).map(|other| distance(metric, x.row(row), x.row(other))).collect();
            all.sort_by(f64::total_cmp);
            all[3]
        };
        let mut expected: Vec<f64> = (0..500).map(fourth).collect();
        expected.sort_by(f64::total_cmp);
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9), "{metric:?}");
        let sample = distances_to_nearest(x.view(), metric, 4, 50, &mut rng).unwrap();
        assert_eq!(sample.len(), 50);
    }
}

#[test]
fn the_knee_is_where_the_curve_turns() {
    // Slowly to 1, then steeply: by hand, the point furthest below the line from (0, 0) to (10, 10) is (8, 1).
    let curve = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 5.0, 10.0];
    assert_eq!(knee(&curve), Some(8));
    assert_eq!((knee(&[1.0, 1.0, 1.0]), knee(&[]), knee(&[2.0])), (None, None, None));
    assert_eq!(knee(&[0.0, 1.0, 2.0]), None, "a straight line has none");
}

#[test]
fn new_rows_find_the_nearest_core_point() {
    let x = scattered(9, 600, 2, 5.0);
    let new = scattered(10, 200, 2, 6.0);
    for metric in [Metric::Euclidean, Metric::Manhattan, Metric::Cosine] {
        let radius = if metric == Metric::Cosine { 0.001 } else { 0.4 };
        let points = CorePoints::new(x.view(), metric).unwrap();
        let found = points.nearest(new.view(), radius).unwrap();
        assert!(found.iter().any(Option::is_some) && found.iter().any(Option::is_none), "{metric:?} tells nothing");
        for (row, found) in new.rows().into_iter().zip(found) {
            let all = (0..600).map(|place| (distance(metric, row, x.row(place)), place));
            let least = all.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).unwrap();
            match found {
                Some((_, apart)) => assert!((apart - least.0).abs() < 1e-9),
                None => assert!(least.0 > radius),
            }
        }
    }
    assert!(CorePoints::new(x.view(), Metric::Euclidean).unwrap().nearest(array![[1.0]].view(), 1.0).is_err());
}
