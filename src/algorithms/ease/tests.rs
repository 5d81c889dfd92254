use super::*;
use crate::algorithms::sparse::Duplicates;
use crate::algorithms::wanted::Wanted;
use ndarray::Array2;
use proptest::prelude::*;

/// 9 users × 6 items.
fn example() -> Csr {
    let dense = [
        [0.0, 0.0, 0.0, 2.59, 5.88, 0.0],
        [3.83, 0.0, 0.0, 1.33, 2.92, 1.82],
        [2.71, 1.03, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.22, 5.15, 0.0, 5.47],
        [3.63, 0.0, 1.56, 0.0, 0.0, 0.0],
        [5.36, 4.03, 3.63, 2.57, 0.0, 1.82],
        [0.71, 5.32, 0.0, 3.51, 2.27, 0.0],
        [0.0, 0.0, 0.0, 0.0, 5.82, 0.0],
        [0.0; 6],
    ];
    let all = (0..9).flat_map(|u| (0..6).map(move |i| (u as u32, i as u32, dense[u][i])));
    Csr::from_triples(9, 6, all.filter(|t| t.2 > 0.0).collect(), Duplicates::Sum).unwrap()
}

fn always() -> bool {
    true
}

/// numpy 2.4.6: P = inv(x.T @ x + 0.5 I); B = -P / diag(P), zero diagonal.
#[test]
fn agrees_with_numpy() {
    let weights = fit(&example(), 0.5, &always).unwrap();
    let expected = [
        [0.0, 0.299787494, 0.304968956, -0.195858893, 0.589340446, 0.159500836],
        [0.574889812, 0.0, 0.089540019, 0.531644370, -0.813276701, -0.506229912],
        [1.190370829, 0.182252177, 0.0, 0.059298965, -0.696716732, 0.144984992],
        [-0.835762352, 1.183013301, 0.064827605, 0.0, 1.861852326, 0.904901532],
        [0.302091205, -0.217389751, -0.091495858, 0.223654457, 0.0, -0.182971386],
        [0.663281828, -1.097771215, 0.154465517, 0.881854530, -1.484384738, 0.0],
    ];
    for (item, row) in expected.iter().enumerate() {
        let near = |(found, expected): (&f32, &f64)| (f64::from(*found) - expected).abs() < 5e-7;
        assert!(weights.of(item).iter().zip(row).all(near), "{:?} is not {row:?}", weights.of(item));
    }
    // User 4 has items 0 and 2.
    let lists = recommend(&example(), &weights, 4..5, 9, &Wanted::unseen(&example()));
    let score = |j: usize| 3.63 * expected[0][j] + 1.56 * expected[2][j];
    let places: Vec<u32> = lists[0].iter().map(|(item, _)| *item).collect();
    assert_eq!(places, [1, 4, 5], "item 3 has a score below zero");
    assert!(lists[0].iter().all(|(item, found)| (found - score(*item as usize)).abs() < 5e-6));
    assert_eq!(because(&example(), &weights, 4..5, &lists), [[Some(0), Some(0), Some(0)]]);
    let everything = recommend(&example(), &weights, 4..5, 9, &Wanted::default());
    assert_eq!((everything[0][0].0, because(&example(), &weights, 4..5, &everything)[0][0]), (0, Some(2)));
}

/// Interactions of several tiles of items.
fn large() -> Csr {
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % below) as u32
    };
    let triples = (0..6000).map(|k| (k / 10, next(450), f64::from(1 + next(4)))).collect();
    Csr::from_triples(600, 450, triples, Duplicates::Sum).unwrap()
}

#[test]
fn tiles_give_the_inverse() {
    let x = large();
    let gram = gram::regularized(&x, 20.0);
    let full = |tiles: &tiles::Tiles| Array2::from_shape_fn((450, 450), |(i, j)| tiles.get(i.max(j), i.min(j)));
    let before = full(&gram);
    for (item, row) in before.rows().into_iter().enumerate().step_by(37) {
        let squares: f64 = x.transpose().row(item).1.iter().map(|w| w * w).sum();
        assert_eq!(row[item], squares + 20.0);
    }
    let inverse = inverse::invert(gram, &always).map(|inverse| full(&inverse)).unwrap();
    let error = before.dot(&inverse) - Array2::<f64>::eye(450);
    assert!(error.iter().all(|e| e.abs() < 1e-11));
}

#[test]
fn threads_do_not_matter_and_stopping_is_told() {
    let fit_with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&large(), 20.0, &always)).unwrap()
    };
    assert_eq!(fit_with(1), fit_with(4));
    assert_eq!(fit(&large(), 20.0, &|| false), Err(EaseError::Stopped));
}

#[test]
fn refuses_what_has_no_inverse() {
    for bad in [0.0, -1.0, f64::INFINITY] {
        assert_eq!(fit(&example(), bad, &always), Err(EaseError::Regularization(bad)));
    }
    assert!(matches!(fit(&example(), f64::NAN, &always), Err(EaseError::Regularization(_))));
    let huge = Csr::from_triples(1, 2, vec![(0, 0, 1e200), (0, 1, 1e200)], Duplicates::Sum).unwrap();
    assert_eq!(fit(&huge, 1.0, &always), Err(EaseError::NotPositiveDefinite));
    let lost = Csr::from_triples(1, 2, vec![(0, 0, 1e10), (0, 1, 1e10)], Duplicates::Sum).unwrap();
    assert_eq!(fit(&lost, 1.0, &always), Err(EaseError::NotPositiveDefinite));
}

#[test]
fn empty_and_lonely_input() {
    for (users, items) in [(0, 0), (2, 0), (0, 3), (2, 3)] {
        let empty = Csr::from_triples(users, items, vec![], Duplicates::Sum).unwrap();
        let weights = fit(&empty, 1.0, &always).unwrap();
        assert_eq!((weights.items(), weights.values().len()), (items, items * items));
        assert!(weights.values().iter().all(|weight| *weight == 0.0));
        assert!(recommend(&empty, &weights, 0..users, 5, &Wanted::default()).iter().all(Vec::is_empty));
    }
    // A user with nothing, one with an item that nobody else has, and histories of more items than were fitted.
    let x = Csr::from_triples(2, 3, vec![(0, 1, 1.0)], Duplicates::Once).unwrap();
    let weights = fit(&x, 1.0, &always).unwrap();
    let later = Csr::from_triples(2, 9, vec![(0, 1, 1.0), (0, 8, 1.0)], Duplicates::Once).unwrap();
    let lists = recommend(&later, &weights, 0..4, 5, &Wanted::unseen(&later));
    assert_eq!(lists, vec![vec![]; 4]);
    assert_eq!(because(&later, &weights, 0..1, &[vec![(2, 1.0), (77, 1.0)]]), [[None, None]]);
    assert_eq!(Weights::from_values(2, vec![0.0; 3]), None);
    assert_eq!(Weights::from_values(1, vec![f32::NAN]), None);
    assert_eq!(Weights::from_values(3, weights.values().to_vec()), Some(weights));
}

#[test]
fn bytes_cover_the_matrix_and_do_not_overflow() {
    assert!(bytes(10_000) >= 800_000_000 && bytes(10_000) < 900_000_000);
    assert_eq!((bytes(0), bytes(usize::MAX)), (0, u64::MAX));
}

proptest! {
    /// With an item left out, B predicts it as ridge regression on the others does: its normal equations hold.
    #[test]
    fn columns_are_ridge_regressions(
        triples in proptest::collection::vec((0..8_u32, 0..5_u32, 0.5..5.0_f64), 0..40),
        top in 0..7_usize,
    ) {
        let x = Csr::from_triples(8, 5, triples, Duplicates::Sum).unwrap();
        let mut dense = Array2::<f64>::zeros((8, 5));
        (0..8).for_each(|u| x.pairs(u).for_each(|(i, w)| dense[[u, i as usize]] = w));
        let weights = fit(&x, 2.0, &always).unwrap();
        let b = Array2::from_shape_fn((5, 5), |(i, j)| f64::from(weights.of(i)[j]));
        let gram = dense.t().dot(&dense);
        let left = gram.dot(&b) + &b * 2.0 - &gram;
        for i in 0..5 {
            for j in (0..5).filter(|j| *j != i) {
                prop_assert!(left[[i, j]].abs() < 1e-3, "{}", left[[i, j]]);
            }
        }
        let scores = dense.dot(&b);
        for (user, list) in recommend(&x, &weights, 0..8, top, &Wanted::default()).iter().enumerate() {
            let above = (0..5).filter(|j| scores[[user, *j]] > 1e-9).count();
            prop_assert!(list.len() >= above.min(top) && list.len() <= top);
            prop_assert!(list.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        }
    }
}
