use super::*;
use crate::algorithms::sparse::Duplicates;
use proptest::prelude::*;

/// 12 users × 9 items by a formula, for which reference values were computed elsewhere.
fn interactions() -> Csr {
    let whole = |u: u32, i: u32| f64::from((u * 5 + i * 7 + u * i) % 11) - 6.0;
    let all = (0..12).flat_map(|u| (0..9).map(move |i| (u, i, whole(u, i))));
    let weight = |(u, i, whole): (u32, u32, f64)| (u, i, whole + f64::from(u + 2 * i) / 10.0);
    matrix(12, 9, all.filter(|t| t.2 > 0.0).map(weight).collect())
}

fn matrix(users: usize, items: usize, triples: Vec<(u32, u32, f64)>) -> Csr {
    Csr::from_triples(users, items, triples, Duplicates::Sum).unwrap()
}

fn item_factors() -> Array2<f32> {
    Array2::from_shape_fn((9, 4), |(i, k)| (((i * 3 + k * 5 + i * k) % 7) as f32 - 3.0) / 10.0)
}

fn small() -> Parameters {
    Parameters { factors: 3, regularization: 0.2, unobserved_weight: 0.5, ..Parameters::default() }
}

fn always() -> bool {
    true
}

/// The loss by its definition.
fn loss(interactions: &Csr, factors: &Factors, parameters: &Parameters) -> f64 {
    let (users, items) = (factors.users.mapv(f64::from), factors.items.mapv(f64::from));
    let scores = users.dot(&items.t());
    let mut loss = parameters.unobserved_weight * scores.iter().map(|score| score * score).sum::<f64>();
    for (user, scores) in scores.rows().into_iter().enumerate() {
        loss += interactions.pairs(user).map(|(item, c)| c * (1.0 - scores[item as usize]).powi(2)).sum::<f64>();
    }
    for (matrix, rows) in [(interactions, &users), (&interactions.transpose(), &items)] {
        for (index, row) in rows.rows().into_iter().enumerate() {
            let count = matrix.row(index).0.len() as f64 + parameters.unobserved_weight * matrix.columns() as f64;
            loss += parameters.regularization * count.powf(parameters.regularization_exponent) * row.dot(&row);
        }
    }
    loss
}

/// The least losses were found with numpy 2.4.6 (`linalg.solve`, 4,000 iterations, the same from three starts).
#[test]
fn reaches_the_minimum() {
    let expected = [
        (0.0, 9, 0.8, 40.224_995_347_987_87),
        (0.0, 3, 0.2, 30.274_684_989_480_41),
        (1.0, 9, 0.8, 133.337_906_695_282_13),
        (1.0, 3, 0.2, 62.681_442_688_799_1),
    ];
    for (regularization_exponent, factors, regularization, least) in expected {
        for solver in [Solver::ConjugateGradient { steps: 3 }, Solver::Cholesky] {
            let unobserved_weight = 0.5;
            let own = Parameters { factors, regularization, regularization_exponent, unobserved_weight, ..small() };
            let parameters = Parameters { iterations: 1500, solver, ..own };
            let found = fit(&interactions(), &parameters, &always).unwrap();
            let last = *found.loss.last().unwrap();
            assert!((last / least - 1.0).abs() < 1e-5, "{last} is not {least} by {solver:?}");
            assert!((loss(&interactions(), &found, &parameters) / last - 1.0).abs() < 1e-5);
        }
    }
}

/// numpy 2.4.6, `linalg.inv`, for the users 0, 3 and 7 and the items 0, 4 and 8.
#[test]
fn folds_in_and_gives_reasons() {
    let parameters = Parameters { regularization: 0.2, regularization_exponent: 0.7, ..small() };
    let expected = [
        (0, [-0.221_463_750_07, -0.795_090_132_953, 0.798_106_180_527, 0.079_551_739_434_4]),
        (3, [-0.792_860_035_596, -0.225_577_601_943, -0.403_068_425_756, -1.128_293_782_37]),
        (7, [0.743_431_154_029, -0.194_411_024_364, 1.173_249_464_67, -0.043_855_031_744_1]),
    ];
    let users = fold_in(&interactions(), &item_factors(), &parameters);
    for (user, expected) in expected {
        let found = users.row(user);
        assert!(found.iter().zip(expected).all(|(f, e)| (f64::from(*f) - e).abs() < 2e-6), "{found} of {user}");
    }
    let list = vec![(0, 1.0), (4, 0.5), (8, 0.1), (99, 0.0)];
    let reasons = because(&interactions(), &item_factors(), &parameters, &vec![list; 12]);
    assert_eq!(reasons[0], [Some(1), Some(6), Some(1), None]);
    assert_eq!(reasons[3], [Some(7), Some(6), Some(5), None], "of 8 the user's own 8 speaks most, which is no reason");
    assert_eq!(reasons[7], [None, Some(6), Some(6), None]);
}

#[test]
fn folding_in_known_users_gives_their_factors() {
    let parameters = Parameters { iterations: 800, ..small() };
    let found = fit(&interactions(), &parameters, &always).unwrap();
    let folded = fold_in(&interactions(), &found.items, &parameters);
    let furthest = (&folded - &found.users).iter().fold(0.0_f32, |most, d| most.max(d.abs()));
    assert!(furthest < 1e-3, "{furthest}");
}

#[test]
fn parameters_are_checked() {
    let refused = |parameters: Parameters| match fit(&interactions(), &parameters, &always) {
        Err(AlsError::Parameter(what)) => what,
        other => panic!("{other:?} was not refused"),
    };
    assert_eq!(refused(Parameters { factors: 0, ..small() }), "factors is zero");
    assert_eq!(refused(Parameters { iterations: 0, ..small() }), "iterations is zero");
    let bad = [-1.0, f64::NAN, f64::INFINITY];
    for value in bad {
        assert!(refused(Parameters { regularization: value, ..small() }).starts_with("regularization is"));
        assert!(refused(Parameters { regularization_exponent: value, ..small() }).starts_with("regularization exp"));
        assert!(refused(Parameters { unobserved_weight: value, ..small() }).starts_with("unobserved weight"));
    }
    let solver = Solver::ConjugateGradient { steps: 0 };
    assert_eq!(refused(Parameters { solver, ..small() }), "conjugate gradients take no steps");
}

#[test]
fn stops_when_asked() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let twice = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3;
    assert_eq!(fit(&interactions(), &small(), &twice), Err(AlsError::Stopped));
    assert_eq!(asked.into_inner(), 4, "it is asked before each turn");
}

#[test]
fn edge_cases() {
    for (users, items) in [(0, 0), (3, 0), (0, 3), (3, 3)] {
        let empty = matrix(users, items, vec![]);
        let found = fit(&empty, &small(), &always).unwrap();
        assert_eq!((found.users, found.items), (Array2::zeros((users, 3)), Array2::zeros((items, 3))));
        assert!(found.loss.iter().all(|loss| *loss == 0.0));
    }
    // One user with one item, who leave nothing to learn but that; the others have no factors.
    let single = matrix(3, 2, vec![(1, 1, 4.0)]);
    let found = fit(&single, &Parameters { regularization: 0.0, unobserved_weight: 0.0, ..small() }, &always).unwrap();
    let scores = found.users.dot(&found.items.t());
    assert!((scores[[1, 1]] - 1.0).abs() < 1e-5, "{scores}");
    assert!(scores.iter().enumerate().all(|(index, score)| index == 3 || *score == 0.0));
    let none = because(&single, &found.items, &small(), &[vec![(0, 1.0)], vec![], vec![(1, 1.0)]]);
    assert_eq!(none, [vec![None], vec![], vec![None]], "users without items have no reasons");
    let nobody = fold_in(&matrix(2, 5, vec![(0, 4, 1.0)]), &found.items, &small());
    assert_eq!(nobody, Array2::<f32>::zeros((2, 3)), "an item that is not known is ignored");
}

#[test]
fn weights_that_mean_nothing_are_ignored() {
    let good = vec![(0, 0, 2.0), (1, 0, 1.0), (1, 2, 3.0), (2, 1, 1.0)];
    let bad = [(0, 1, 0.0), (1, 1, -3.0), (2, 2, f64::MAX), (2, 0, -1e-300)];
    let with_bad = matrix(3, 3, good.iter().copied().chain(bad).collect());
    let good = matrix(3, 3, good);
    for solver in [Solver::ConjugateGradient { steps: 3 }, Solver::Cholesky] {
        let parameters = Parameters { solver, ..small() };
        assert_eq!(fit(&with_bad, &parameters, &always), fit(&good, &parameters, &always));
    }
    let items = Array2::from_shape_fn((3, 3), |(i, k)| (i + 2 * k) as f32 / 5.0);
    assert_eq!(fold_in(&with_bad, &items, &small()), fold_in(&good, &items, &small()));
}

#[test]
fn extreme_weights_give_finite_factors_or_none() {
    for weight in [1e-38, 1e-20, 1e15, 1e30, 3e38] {
        for solver in [Solver::ConjugateGradient { steps: 3 }, Solver::Cholesky] {
            let triples = (0..30).map(|k| (k % 5, k % 6, if k % 2 == 0 { weight } else { 1.0 })).collect();
            match fit(&matrix(5, 6, triples), &Parameters { solver, ..small() }, &always) {
                Ok(found) => assert!(found.users.iter().chain(&found.items).all(|value| value.is_finite())),
                Err(error) => assert_eq!(error, AlsError::Overflow),
            }
        }
    }
}

/// Residuals that became the smallest numbers there are used to grow without bound.
#[test]
fn more_steps_than_needed_do_no_harm() {
    let own = Parameters { regularization: 0.1, regularization_exponent: 0.526_934_352_290_917_7, ..small() };
    let own = Parameters { iterations: 5, unobserved_weight: 0.869_622_343_025_263_3, ..own };
    let run = |solver| fit(&uneven(573), &Parameters { solver, ..own.clone() }, &always).unwrap().loss;
    let exact = run(Solver::Cholesky);
    for steps in [3, 6, 20, 60, 300] {
        let near = run(Solver::ConjugateGradient { steps });
        assert!(near.iter().zip(&exact).all(|(n, e)| (n / e - 1.0).abs() < 1e-5), "{near:?} in {steps} steps");
    }
}

#[test]
fn bytes_do_not_overflow() {
    assert!(bytes(1000, 1000, 100_000, 64) > 1000 * 64 * 8 + 100_000 * 12);
    assert_eq!(bytes(usize::MAX, 1, usize::MAX, 64), usize::MAX);
}

/// More rows than a block, a run and four, and a width that is padded.
fn uneven(seed: u32) -> Csr {
    let mixed = |k: u32| k.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 7;
    matrix(300, 40, (0..4000).map(|k| (mixed(k) % 300, mixed(k + 9000) % 40, f64::from(1 + k % 3))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn threads_do_not_matter(seed in 0..1000_u32, factors in 1..36_usize, exact in any::<bool>()) {
        let solver = if exact { Solver::Cholesky } else { Solver::ConjugateGradient { steps: 2 } };
        let parameters = Parameters { factors, iterations: 2, solver, ..small() };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let found = fit(&uneven(seed), &parameters, &always).unwrap();
                let folded = fold_in(&uneven(seed + 1), &found.items, &parameters);
                (found, folded)
            })
        };
        prop_assert_eq!(run(1), run(3));
    }

    /// Each exact turn lowers the loss, and what is reported is the loss.
    #[test]
    fn the_loss_falls(seed in 0..1000_u32, factors in 1..36_usize, a in 0.0..2.0_f64, nu in 0.0..1.2_f64) {
        let own = Parameters { factors, regularization: 0.1, unobserved_weight: a, ..small() };
        let parameters = Parameters { regularization_exponent: nu, solver: Solver::Cholesky, iterations: 5, ..own };
        let interactions = uneven(seed);
        let found = fit(&interactions, &parameters, &always).unwrap();
        prop_assert!(found.loss.windows(2).all(|pair| pair[1] <= pair[0] * (1.0 + 1e-6)), "{:?}", found.loss);
        let last = found.loss[4];
        prop_assert!((loss(&interactions, &found, &parameters) / last - 1.0).abs() < 1e-5);
        // Steps of conjugate gradients come to the same, if there are enough of them.
        let solver = Solver::ConjugateGradient { steps: 60 };
        let near = fit(&interactions, &Parameters { solver, ..parameters }, &always).unwrap();
        prop_assert!((near.loss[4] / last - 1.0).abs() < 1e-3, "{} is not {last}", near.loss[4]);
    }
}
