use super::*;
use ndarray::{Array2, array};
use proptest::prelude::*;

/// 60 × 3 by a formula, for which reference values were computed elsewhere; the third column is
/// constant.
fn table() -> Array2<f64> {
    Array2::from_shape_fn((60, 3), |(i, j)| ((i * (7 + 4 * j) + 3 * j) % (11 + 2 * j)) as f64 / (3 + j) as f64 - 1.0)
}

fn rng(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// scikit-learn 1.9.1, KMeans(4, n_init=50, random_state=0, tol=0).fit(table()).
#[test]
fn both_engines_agree_with_scikit_learn() {
    // linfa counts the old centroid among the rows of its cluster, and so comes near slowly.
    for (engine, near) in [(Engine::Native, 1e-12), (Engine::Linfa, 1e-6)] {
        let params = Params { engine, restarts: 50, tolerance: 1e-9, ..Params::new(4) };
        let model = fit(table().view(), &params, &mut rng(1)).unwrap();
        assert!((model.inertia - 29.362470821662).abs() < 1e-9, "{engine:?}: {}", model.inertia);
        assert_eq!(model.sizes, [17, 15, 14, 14], "{engine:?}");
        let first = [-0.098_039_215_686_274_6, -0.220_588_235_294_117_8, 0.2];
        for (found, expected) in model.centroids[0].iter().zip(first) {
            assert!((found - expected).abs() < near, "{engine:?}: {found} is not {expected}");
        }
        assert!(model.centroids[2] < model.centroids[3], "equal sizes go by coordinates");
    }
}

#[test]
fn linfa_sizes_are_those_of_the_best_start() {
    let params = Params { engine: Engine::Linfa, ..Params::new(3) };
    let x = table();
    for seed in 0..20 {
        let model = fit(x.view(), &params, &mut rng(seed)).unwrap();
        let labels = model.predict(x.view()).unwrap().labels;
        for (cluster, &size) in model.sizes.iter().enumerate() {
            assert_eq!(labels.iter().filter(|&&label| label == cluster).count(), size);
        }
    }
}

#[test]
fn linfa_does_not_depend_on_the_threads() {
    let x = Array2::from_shape_fn((9000, 2), |(i, j)| ((i * (31 + j)) % 977) as f64 * 0.1);
    let params = Params { engine: Engine::Linfa, restarts: 2, ..Params::new(5) };
    let one = with_threads(1, || fit(x.view(), &params, &mut rng(3)).unwrap());
    let two = with_threads(2, || fit(x.view(), &params, &mut rng(3)).unwrap());
    assert_eq!(one, two);
}

#[test]
fn native_does_not_depend_on_the_threads() {
    let x = Array2::from_shape_fn((9000, 3), |(i, j)| ((i * (31 + j)) % 977) as f64 * 0.1);
    let params = Params { restarts: 3, ..Params::new(7) };
    let one = with_threads(1, || fit(x.view(), &params, &mut rng(3)).unwrap());
    let four = with_threads(4, || fit(x.view(), &params, &mut rng(3)).unwrap());
    assert_eq!(one, four);
}

#[test]
fn empty_clusters_take_the_farthest_rows() {
    // Two centroids far from everything get no rows at first.
    let tiles = Tiles::new(array![[0.0], [1.0], [2.0], [50.0], [90.0]].view());
    let stop = lloyd::Stop { max_iterations: 50, shift: 0.0 };
    let rows = Rows { tiles: &tiles, weights: None };
    let start = lloyd::iterate(rows, vec![1.0, -500.0, 900.0], &stop).into_model(1);
    assert_eq!(start.sizes, [3, 1, 1]);
    assert_eq!(start.centroids, [[1.0], [50.0], [90.0]]);
    assert!(start.converged);
}

#[test]
fn k_equal_to_the_distinct_rows_leaves_nothing() {
    let x = array![[1.0, 0.0], [2.0, 0.0], [1.0, -0.0], [5.0, 1.0]];
    let model = fit(x.view(), &Params::new(3), &mut rng(0)).unwrap();
    assert_eq!((model.inertia, model.sizes), (0.0, vec![2, 1, 1]));
    let error = fit(x.view(), &Params::new(4), &mut rng(0)).unwrap_err();
    let text = "form 4 clusters of 4 rows: those that differ number only 3";
    assert_eq!(error.to_string(), text);
}

#[test]
fn one_row_one_cluster_and_refusals() {
    let one = array![[3.0, 4.0]];
    let model = fit(one.view(), &Params::new(1), &mut rng(0)).unwrap();
    assert_eq!((model.centroids.clone(), model.inertia), (vec![vec![3.0, 4.0]], 0.0));
    let found = model.predict(array![[0.0, 0.0]].view()).unwrap();
    assert_eq!((found.labels[0], found.distances[0]), (0, 5.0));
    assert!(model.predict(array![[0.0]].view()).is_err());
    assert!(model.predict(array![[0.0, f64::NAN]].view()).is_err());
    let refused = |x: Array2<f64>, k| fit(x.view(), &Params::new(k), &mut rng(0)).unwrap_err();
    assert!(matches!(refused(one.clone(), 0), KMeansError::NoClusters));
    assert!(matches!(refused(one, 2), KMeansError::TooFewRows { distinct: 1, .. }));
    assert!(matches!(refused(Array2::zeros((0, 2)), 1), KMeansError::Input(InputError::NoRows)));
    assert!(matches!(refused(array![[f64::INFINITY]], 1), KMeansError::Input(_)));
}

#[test]
fn linfa_traits_and_json() {
    use linfa::traits::{Fit, Predict};
    let seeded = Seeded { params: Params::new(4), rng: rng(5) };
    let model = seeded.fit(&linfa::DatasetBase::from(table())).unwrap();
    let labels: ndarray::Array1<usize> = Predict::predict(&model, &table());
    assert_eq!(labels, model.predict(table().view()).unwrap().labels);
    let json = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<KMeans>(&json).unwrap(), model);
}

proptest! {
    /// At rest every row is nearest to its own centroid, every centroid is the mean of its rows,
    /// and sizes descend.
    #[test]
    fn rests_at_means(
        values in proptest::collection::vec(-50.0..50.0f64, 12..120), k in 1..5_usize, seed: u64,
    ) {
        let x = Array2::from_shape_vec((values.len() / 2, 2), values[..values.len() / 2 * 2].to_vec())
            .unwrap();
        let params = Params { tolerance: 0.0, restarts: 2, ..Params::new(k) };
        let model = fit(x.view(), &params, &mut rng(seed)).unwrap();
        let found = model.predict(x.view()).unwrap();
        let squares: f64 = found.distances.iter().map(|d| d * d).sum();
        prop_assert!(model.converged && (squares - model.inertia).abs() < 1e-6);
        prop_assert!(model.sizes.windows(2).all(|pair| pair[0] >= pair[1]));
        for (cluster, centroid) in model.centroids.iter().enumerate() {
            let own = x.rows().into_iter().zip(&found.labels).filter(|(_, l)| **l == cluster);
            let own: Vec<_> = own.map(|(row, _)| row).collect();
            prop_assert_eq!(own.len(), model.sizes[cluster]);
            for (column, coordinate) in centroid.iter().enumerate() {
                let mean = own.iter().map(|row| row[column]).sum::<f64>() / own.len() as f64;
                prop_assert!((mean - coordinate).abs() < 1e-9);
            }
        }
    }
}

proptest! {
    /// A weight counts as so many rows that are the same.
    #[test]
    fn weights_count_as_copies(
        values in proptest::collection::vec(-50.0..50.0f64, 20..80), weights in proptest::collection::vec(0..4_u8, 40),
    ) {
        let rows = values.len() / 2;
        let x = Array2::from_shape_vec((rows, 2), values[..rows * 2].to_vec()).unwrap();
        let weights: Vec<f64> = (0..rows).map(|row| f64::from(weights[row % weights.len()])).collect();
        prop_assume!(weights.iter().filter(|weight| **weight > 0.0).count() >= 3);
        let heavy: Vec<usize> = (0..rows).filter(|row| weights[*row] > 0.0).collect();
        let start = x.select(Axis(0), &heavy[..3]);
        let copies: Vec<usize> = (0..rows).flat_map(|row| std::iter::repeat_n(row, weights[row] as usize)).collect();
        let params = Params { restarts: 0, tolerance: 0.0, ..Params::new(3) };
        let fitted = |x: &Array2<f64>, weights: Option<&[f64]>| {
            let given = Given { weights, start: Some(start.view()) };
            fit_in_place(&mut x.clone(), &params, &given, &mut rng(1))
        };
        let (Ok(weighted), Ok(copied)) = (fitted(&x, Some(&weights)), fitted(&x.select(Axis(0), &copies), None)) else {
            return Ok(());
        };
        // Where an empty cluster had to be filled the farthest row may be another one.
        prop_assume!(weighted.iterations == copied.iterations);
        prop_assert_eq!(weighted.sizes.iter().sum::<usize>(), heavy.len());
        prop_assert!((weighted.inertia - copied.inertia).abs() < 1e-6 * (1.0 + copied.inertia));
    }
}

#[test]
fn in_place_is_the_same_and_leaves_the_rows_as_they_were() {
    let x = Array2::from_shape_fn((5000, 3), |(i, j)| ((i * (31 + j)) % 977) as f64 * 0.1);
    let params = Params { restarts: 2, init: Init::Random, ..Params::new(6) };
    let mut lent = x.clone();
    let found = fit_in_place(&mut lent, &params, &Given::default(), &mut rng(3)).unwrap();
    assert_eq!(found, fit(x.view(), &params, &mut rng(3)).unwrap());
    assert_eq!(lent, x);
    let refused =
        |given: &Given<'_>, params: &Params| fit_in_place(&mut x.clone(), params, given, &mut rng(3)).unwrap_err();
    let few = Given { weights: Some(&[1.0]), ..Given::default() };
    assert!(matches!(refused(&few, &params), KMeansError::Input(InputError::Length { .. })));
    let negative = vec![-1.0; 5000];
    assert!(matches!(refused(&Given { weights: Some(&negative), start: None }, &params), KMeansError::Weights));
    let linfa = Params { engine: Engine::Linfa, ..params.clone() };
    assert!(matches!(
        refused(&Given { weights: Some(&vec![1.0; 5000]), start: None }, &linfa),
        KMeansError::LinfaWeights
    ));
    let none = Given { weights: Some(&vec![0.0; 5000]), start: None };
    assert!(matches!(refused(&none, &params), KMeansError::Input(InputError::NoRows)));
    let start = x.slice(ndarray::s![..2, ..]);
    assert!(refused(&Given { weights: None, start: Some(start) }, &params).to_string().contains("pair 6 rows"));
}

/// The rows of a far cluster weigh next to nothing beside others, and are where they are all the same.
#[test]
fn weights_of_very_different_size_lose_nothing() {
    let x = array![[0.0], [1.0], [500.0], [502.0], [1000.0], [1001.0]];
    let weights = [1e12, 1e12, 1e-6, 1e-6, 1e12, 0.0];
    let given = Given { weights: Some(&weights), start: None };
    let model = fit_in_place(&mut x.clone(), &Params::new(3), &given, &mut rng(1)).unwrap();
    let mut centroids = model.centroids.concat();
    centroids.sort_by(f64::total_cmp);
    assert!(
        centroids.iter().all(|centroid| centroid.is_finite() && (0.0..=1000.0).contains(centroid)),
        "{centroids:?}"
    );
    assert_eq!(model.sizes.iter().sum::<usize>(), 5);
}
