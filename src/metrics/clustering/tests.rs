use super::*;
use ndarray::array;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(11)
}

/// 60 × 3 by a formula, for which reference values were computed elsewhere.
fn table() -> Array2<f64> {
    Array2::from_shape_fn((60, 3), |(i, j)| ((i * (7 + 4 * j) + 3 * j) % (11 + 2 * j)) as f64 / (3 + j) as f64 - 1.0)
}

fn exactly(x: &Array2<f64>, labels: &[usize]) -> Silhouette {
    silhouette(x.view(), labels, 1000, &mut rng()).unwrap()
}

/// scikit-learn 1.9.1: silhouette_score, davies_bouldin_score, calinski_harabasz_score of labels
/// that mean nothing and of labels by quadrant.
#[test]
fn agrees_with_scikit_learn() {
    let x = table();
    let by_turn: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let by_place: Vec<usize> =
        x.rows().into_iter().map(|r| usize::from(r[0] > 0.0) + 2 * usize::from(r[1] > 0.5)).collect();
    let cases = [
        (by_turn, -0.043_695_919_890_303_4, 17.583_238_574_683_68, 0.236_462_325_510_852_86),
        (by_place, 0.349_959_160_889_502_6, 0.809_105_404_690_961_5, 50.179_614_931_711_48),
    ];
    for (labels, mean, bouldin, harabasz) in cases {
        assert!((exactly(&x, &labels).mean.unwrap() - mean).abs() < 1e-12);
        let found = davies_bouldin(x.view(), &labels).unwrap().unwrap();
        assert!((found - bouldin).abs() < 1e-10);
        let found = calinski_harabasz(x.view(), &labels).unwrap().unwrap();
        assert!((found - harabasz).abs() < 1e-10);
    }
}

#[test]
fn a_row_alone_has_value_zero_and_labels_may_skip_numbers() {
    let x = array![[0.0], [0.1], [9.0]];
    let found = exactly(&x, &[70, 70, 3]);
    assert_eq!(found.values[2], 0.0);
    assert!((found.values[0] - (9.0 - 0.1) / 9.0).abs() < 1e-12);
}

#[test]
fn what_does_not_exist() {
    let x = array![[0.0], [0.1], [9.0]];
    for labels in [[1, 1, 1], [0, 1, 2]] {
        assert_eq!(exactly(&x, &labels).mean, None);
        assert_eq!(davies_bouldin(x.view(), &labels), Ok(None));
        assert_eq!(calinski_harabasz(x.view(), &labels), Ok(None));
    }
    let same = array![[1.0], [1.0], [1.0]];
    assert_eq!(exactly(&same, &[0, 0, 1]).mean, Some(0.0));
    assert_eq!(davies_bouldin(same.view(), &[0, 0, 1]), Ok(Some(0.0)));
    assert_eq!(calinski_harabasz(same.view(), &[0, 0, 1]), Ok(Some(1.0)));
    let lengths = MetricError::Length { truth: 3, predicted: 2 };
    assert_eq!(silhouette(x.view(), &[0, 1], 1, &mut rng()), Err(lengths));
    let bad = array![[f64::NAN], [1.0]];
    assert_eq!(davies_bouldin(bad.view(), &[0, 1]), Err(MetricError::Invalid(1)));
}

#[test]
fn a_sample_is_near_the_whole_and_the_same_every_time() {
    let x = Array2::from_shape_fn((3000, 2), |(i, j)| ((i * (37 + j)) % 101) as f64 / 50.0 + 10.0 * (i % 3) as f64);
    let labels: Vec<usize> = (0..3000).map(|i| i % 3).collect();
    let whole = silhouette(x.view(), &labels, 3000, &mut rng()).unwrap();
    let sample = || silhouette(x.view(), &labels, 500, &mut rng()).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let one = pool.install(sample);
    assert_eq!(one, sample());
    assert!(one.sampled && !whole.sampled && one.values.len() == 500);
    assert!((one.mean.unwrap() - whole.mean.unwrap()).abs() < 0.01);
}

proptest! {
    /// Against the definition, row by row.
    #[test]
    fn is_the_definition(
        rows in proptest::collection::vec((-9.0..9.0f64, -9.0..9.0f64, 0..3_usize), 4..50),
    ) {
        let x = Array2::from_shape_fn((rows.len(), 2), |(i, j)| [rows[i].0, rows[i].1][j]);
        let labels: Vec<usize> = rows.iter().map(|r| r.2).collect();
        let found = exactly(&x, &labels);
        for (i, value) in found.values.iter().enumerate() {
            let mean_to = |cluster: usize| {
                let others = (0..rows.len()).filter(|&j| j != i && labels[j] == cluster);
                let d: Vec<f64> = others.map(|j| distance(&x.row(i), &x.row(j))).collect();
                (!d.is_empty()).then(|| d.iter().sum::<f64>() / d.len() as f64)
            };
            let b = (0..3).filter(|&c| c != labels[i]).filter_map(mean_to).fold(f64::MAX, f64::min);
            let expected = mean_to(labels[i]).map_or(0.0, |a| (b - a) / a.max(b));
            prop_assert!((value - expected).abs() < 1e-9);
        }
    }
}

/// By hand: the parts have means (1.5, 0) and (3.5, 4.5); squares 0.25 twice, and 0.25 + 20.25 twice.
#[test]
fn inertia_is_about_the_means() {
    let x = array![[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 9.0]];
    assert!((inertia(x.view(), &[7, 7, 0, 0]).unwrap() - 41.5).abs() < 1e-12);
}
