use super::*;
use crate::algorithms::sparse::{Csr, Duplicates};
use crate::algorithms::wanted::Wanted;
use crate::algorithms::weighting::{Documents, Weighting, Weights};
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// 9 users × 6 items, the last user without any.
pub(super) fn example() -> Csr {
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

pub(super) fn by(similarity: Similarity, neighbors: usize, shrinkage: f64) -> Parameters {
    Parameters { similarity, neighbors, shrinkage }
}

fn fit(interactions: &Csr, similarity: Similarity, neighbors: usize, shrinkage: f64) -> ItemNeighbors {
    items(interactions, &by(similarity, neighbors, shrinkage), &|| true).unwrap()
}

/// The common entries of each pair of items in the example.
const COMMON: [[f64; 6]; 6] = [
    [5.0, 3.0, 2.0, 3.0, 2.0, 2.0],
    [3.0, 3.0, 1.0, 2.0, 1.0, 1.0],
    [2.0, 1.0, 3.0, 2.0, 0.0, 2.0],
    [3.0, 2.0, 2.0, 5.0, 3.0, 3.0],
    [2.0, 1.0, 0.0, 3.0, 4.0, 1.0],
    [2.0, 1.0, 2.0, 3.0, 1.0, 3.0],
];

/// scikit-learn 1.9.1 on the items as rows: cosine_similarity; numpy 2.4.6: corrcoef of the users who have anything, Σ minimum / Σ maximum;
/// 1 / (1 + euclidean_distances); numpy: x @ x.T. Above the diagonal.
fn references() -> [(Similarity, [[f64; 6]; 5]); 5] {
    [
        (
            Similarity::Cosine,
            [
                [1.0, 0.519698112, 0.756843592, 0.362418274, 0.175908724, 0.344703952],
                [0.0, 1.0, 0.523871973, 0.585404477, 0.197330615, 0.179661851],
                [0.0, 0.0, 1.0, 0.514143293, 0.0, 0.531246212],
                [0.0, 0.0, 0.0, 1.0, 0.406933099, 0.794466855],
                [0.0, 0.0, 0.0, 0.0, 1.0, 0.097005308],
            ],
        ),
        (
            Similarity::Pearson,
            [
                [1.0, 0.223243305, 0.624129607, -0.333402629, -0.562130917, -0.061601183],
                [0.0, 1.0, 0.321919213, 0.329150970, -0.254597259, -0.154671457],
                [0.0, 0.0, 1.0, 0.199899833, -0.573993477, 0.337996180],
                [0.0, 0.0, 0.0, 1.0, -0.143240586, 0.701065174],
                [0.0, 0.0, 0.0, 0.0, 1.0, -0.399137172],
            ],
        ),
        (
            Similarity::Jaccard,
            [
                [1.0, 0.276738609, 0.297250859, 0.172143391, 0.123050847, 0.167664671],
                [0.0, 1.0, 0.275835866, 0.312596401, 0.090800000, 0.102999434],
                [0.0, 0.0, 1.0, 0.213280810, 0.0, 0.243589744],
                [0.0, 0.0, 0.0, 1.0, 0.239458414, 0.520050125],
                [0.0, 0.0, 0.0, 0.0, 1.0, 0.075268817],
            ],
        ),
        (
            Similarity::Euclidean,
            [
                [1.0, 0.120087066, 0.151672625, 0.103132082, 0.083346247, 0.108496167],
                [0.0, 1.0, 0.147423237, 0.134416317, 0.089467019, 0.108522680],
                [0.0, 0.0, 1.0, 0.136823974, 0.091231098, 0.161178883],
                [0.0, 0.0, 0.0, 1.0, 0.099509545, 0.182993960],
                [0.0, 0.0, 0.0, 0.0, 1.0, 0.087762614],
            ],
        ),
        (
            Similarity::Dot,
            [
                [64.4236, 28.1693, 25.1196, 21.3612, 12.7953, 16.7258],
                [0.0, 45.6042, 14.6289, 29.0303, 12.0764, 7.3346],
                [0.0, 0.0, 17.0989, 15.6121, 0.0, 13.2800],
                [0.0, 0.0, 0.0, 53.9245, 27.0805, 35.2685],
                [0.0, 0.0, 0.0, 0.0, 82.1261, 5.3144],
            ],
        ),
    ]
}

#[test]
fn similarities_agree_with_scikit_learn_and_numpy() {
    for (similarity, expected) in references() {
        for shrinkage in [0.0, 2.5] {
            let model = fit(&example(), similarity, 9, shrinkage);
            for i in 0..6 {
                for j in (0..6).filter(|j| *j != i) {
                    let n = COMMON[i][j];
                    let full = expected[i.min(j)][i.max(j)] * n / (n + shrinkage);
                    let found = model.of(i).iter().find(|(other, _)| *other as usize == j);
                    match found {
                        Some((_, s)) => assert!((f64::from(*s) - full).abs() <= 1e-6 * full.max(1.0), "{s} {full}"),
                        None => assert!(n == 0.0 || full <= 0.0, "{similarity:?} {i} {j}: {full}"),
                    }
                    assert!(found.is_none() || n > 0.0, "{similarity:?} {i} {j} have nothing in common");
                }
            }
        }
    }
}

fn assert_near(found: &[(u32, f64)], expected: &[(u32, f64)]) {
    assert_eq!(found.len(), expected.len(), "{found:?} is not {expected:?}");
    for (f, e) in found.iter().zip(expected) {
        assert!(f.0 == e.0 && (f.1 / e.1 - 1.0).abs() < 1e-6, "{found:?} is not {expected:?}");
    }
}

/// implicit 0.7.3: CosineRecommender(K=6), TFIDFRecommender(K=6) and BM25Recommender(K=6, K1=100, B=0.8),
/// recommend(u, x[u], N=3), those above zero.
#[test]
fn recommends_as_implicit_does() {
    let x = example();
    let top = |model: &ItemNeighbors| recommend(&x, model, 0..9, 3, &Wanted::unseen(&x));
    let cosine = top(&fit(&x, Similarity::Cosine, 6, 0.0));
    assert_near(&cosine[0], &[(1, 2.676501611), (5, 2.628060363), (0, 1.973006627)]);
    assert_near(&cosine[3], &[(0, 4.675333911), (1, 4.636707192), (4, 2.626324491)]);
    assert_near(&cosine[5], &[(4, 2.960480861)]);
    assert_near(&cosine[8], &[]);
    let learned = |weighting, similarity| {
        let weights = Weights::fit(&x, weighting, Documents::Items);
        let model = weighted_items(&x, &weights, &by(similarity, 6, 0.0), &|| true).unwrap();
        assert_eq!(model, fit(&weights.apply(&x).unwrap(), similarity, 6, 0.0));
        top(&model)
    };
    let tf_idf = learned(Weighting::TfIdf, Similarity::Cosine);
    assert_near(&tf_idf[1], &[(2, 3.696700386), (1, 2.552122329)]);
    assert_near(&tf_idf[3], &[(4, 2.340435652), (0, 1.319121718), (1, 0.60148444)]);
    let bm25 = learned(Weighting::Bm25 { k1: 100.0, b: 0.8 }, Similarity::Dot);
    assert_near(&bm25[0], &[(5, 12.979646995), (2, 3.53361975), (1, 3.437852057)]);
    assert_near(&bm25[4], &[(1, 4.805607279), (5, 4.122674526), (3, 2.736471537)]);
    assert_near(&bm25[7], &[(3, 28.112147058), (1, 1.958730701), (0, 1.48714193)]);
}

#[test]
fn the_reason_is_the_item_that_adds_most() {
    let x = example();
    let model = fit(&x, Similarity::Cosine, 6, 0.0);
    let lists = recommend(&x, &model, 3..5, 3, &Wanted::unseen(&x));
    // User 3, item 0: 1.22 · 0.757, 5.15 · 0.362 or 5.47 · 0.345; item 1: …, 5.15 · 0.585, …; item 4: 5.15 · 0.407.
    let reasons = because(&x, &model, 3..5, &lists);
    assert_eq!(reasons[0], [Some(5), Some(3), Some(3)]);
    assert_eq!(reasons[1].len(), lists[1].len());
    let others = [vec![(77, 1.0), (2, 1.0)], vec![]];
    assert_eq!(because(&x, &model, 7..9, &others), [vec![None, None], vec![]]);
    let tied = ItemNeighbors::from_lists(3, [vec![(2, 0.5)], vec![(2, 0.5)]]);
    let both = Csr::from_triples(1, 3, vec![(0, 0, 1.0), (0, 1, 1.0)], Duplicates::Once).unwrap();
    assert_eq!(because(&both, &tied, 0..1, &[vec![(2, 1.0)]]), [[Some(0)]]);
}

#[test]
fn edges() {
    let build = |users, items, triples| Csr::from_triples(users, items, triples, Duplicates::Sum).unwrap();
    for (users, items) in [(0, 0), (3, 0), (0, 3), (3, 3)] {
        let empty = build(users, items, vec![]);
        for (similarity, _) in references() {
            let model = fit(&empty, similarity, 5, 1.0);
            assert_eq!((model.items(), model.entries(), cost(&empty)), (items, 0, 0));
            assert!(recommend(&empty, &model, 0..users, 5, &Wanted::default()).iter().all(Vec::is_empty));
        }
    }
    // Everybody has item 0: nothing varies with it. Item 3 is nobody's; item 2 has a weight of zero and one below.
    let x = build(3, 4, vec![(0, 0, 1.0), (1, 0, 1.0), (2, 0, 1.0), (0, 1, 1.0), (1, 2, 0.0), (2, 2, -1.0)]);
    assert_eq!(fit(&x, Similarity::Pearson, 5, 0.0).entries(), 0);
    let model = fit(&x, Similarity::Jaccard, 5, 0.0);
    assert_eq!((model.of(0), model.of(1)), (&[(1, 1.0 / 3.0)][..], &[(0, 1.0 / 3.0)][..]));
    assert_eq!((model.of(2).len(), model.of(3).len(), model.of(99).len()), (0, 0, 0));
    let third = vec![(1, f64::from(1.0_f32 / 3.0))];
    let lists = recommend(&x, &model, 1..5, 5, &Wanted::unseen(&x));
    assert_eq!(lists, [third.clone(), third, vec![], vec![]]);
    assert_eq!(recommend(&x, &model, 1..2, 0, &Wanted::unseen(&x)), [vec![]]);
    assert_eq!(recommend(&x, &model, 0..1, usize::MAX, &Wanted::default())[0].len(), 2);
    assert_eq!((fit(&x, Similarity::Cosine, 0, 0.0).entries(), cost(&x)), (0, 12));
    // Weights beyond 32 bits hold as the largest; those that vanish in them are none.
    let x = build(2, 3, vec![(0, 0, f64::MAX), (0, 1, 1e300), (0, 2, 1e-300), (1, 0, 1.0)]);
    for (similarity, _) in references() {
        let model = fit(&x, similarity, 5, 0.0);
        assert!(model.of(2).is_empty() && model.of(0).iter().all(|(_, s)| s.is_finite()));
        let lists = recommend(&x, &model, 0..2, 5, &Wanted::default());
        assert!(lists.iter().flatten().all(|(_, score)| score.is_finite()));
    }
}

#[test]
fn equally_similar_items_go_by_their_index_and_stopping_is_told() {
    // 40 items that each of three users has.
    let all = (0..3).flat_map(|u| (0..40).map(move |i| (u, i, 1.0))).collect();
    let x = Csr::from_triples(3, 40, all, Duplicates::Once).unwrap();
    let model = fit(&x, Similarity::Cosine, 4, 0.0);
    let indices = |item: usize| model.of(item).iter().map(|n| n.0).collect::<Vec<_>>();
    assert_eq!((indices(0), indices(2), indices(39)), (vec![1, 2, 3, 4], vec![0, 1, 3, 4], vec![0, 1, 2, 3]));
    let asked = AtomicUsize::new(0);
    let parameters = by(Similarity::Cosine, 4, 0.0);
    let stopped = items(&x, &parameters, &|| asked.fetch_add(1, Ordering::Relaxed) < 20);
    assert_eq!(stopped, Err(NeighborsError::Stopped));
}

#[test]
fn lists_from_elsewhere_are_checked() {
    let lists = [vec![(1, 0.5), (7, 0.4), (2, f32::NAN)], vec![(0, -1.0), (2, f32::INFINITY)]];
    let model = ItemNeighbors::from_lists(3, lists);
    assert_eq!((model.of(0), model.of(1).len(), model.of(2).len(), model.items()), (&[(1, 0.5)][..], 0, 0, 3));
    let fitted = fit(&example(), Similarity::Cosine, 3, 0.0);
    assert_eq!(ItemNeighbors::from_lists(6, (0..6).map(|item| fitted.of(item).to_vec())), fitted);
}

/// Σ-based definitions, computed densely.
pub(super) fn dense_similarity(parameters: &Parameters, a: &[f64], b: &[f64]) -> f64 {
    let both = a.iter().zip(b);
    let sum = |f: fn(f64, f64) -> f64| both.clone().map(|(x, y)| f(*x, *y)).sum::<f64>();
    let n = sum(|x, y| f64::from(x > 0.0 && y > 0.0));
    if n == 0.0 {
        return 0.0;
    }
    let plain = match parameters.similarity {
        Similarity::Cosine => sum(|x, y| x * y) / (sum(|x, _| x * x) * sum(|_, y| y * y)).sqrt(),
        Similarity::Dot => sum(|x, y| x * y),
        Similarity::Jaccard => sum(f64::min) / sum(f64::max),
        Similarity::Euclidean => 1.0 / (1.0 + sum(|x, y| (x - y).powi(2)).sqrt()),
        Similarity::Pearson => {
            let length = a.len() as f64;
            let (p, q) = (sum(|x, _| x) / length, sum(|_, y| y) / length);
            let product: f64 = both.clone().map(|(x, y)| (x - p) * (y - q)).sum();
            let squares = |v: &[f64], mean: f64| v.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
            let norm = (squares(a, p) * squares(b, q)).sqrt();
            if norm > 1e-9 { product / norm } else { 0.0 }
        }
    };
    plain * n / (n + parameters.shrinkage)
}

pub(super) fn similarities() -> impl Strategy<Value = Similarity> {
    prop_oneof![
        Just(Similarity::Cosine),
        Just(Similarity::Pearson),
        Just(Similarity::Jaccard),
        Just(Similarity::Euclidean),
        Just(Similarity::Dot),
    ]
}

/// Of the users who have anything.
fn column(x: &Csr, item: usize) -> Vec<f64> {
    (0..x.rows())
        .filter(|u| !x.row(*u).0.is_empty())
        .map(|u| x.pairs(u).find(|(i, _)| *i as usize == item).map_or(0.0, |(_, w)| w))
        .collect()
}

/// Each found neighbor has its similarity, and none that was left out has a higher one.
fn assert_exact(x: &Csr, parameters: &Parameters) {
    let model = items(x, parameters, &|| true).unwrap();
    let columns: Vec<Vec<f64>> = (0..x.columns()).map(|item| column(x, item)).collect();
    for (i, own) in columns.iter().enumerate() {
        let of = |j: usize| if i == j { 0.0 } else { dense_similarity(parameters, own, &columns[j]) };
        let mut expected: Vec<f64> = (0..columns.len()).map(of).collect();
        for (j, similarity) in model.of(i) {
            let expected = expected[*j as usize];
            assert!((f64::from(*similarity) - expected).abs() < 1e-5 * expected.max(1.0), "{similarity} {expected}");
        }
        assert!(model.of(i).windows(2).all(|p| p[0].1 > p[1].1 || (p[0].1 == p[1].1 && p[0].0 < p[1].0)));
        expected.sort_by(|a, b| b.total_cmp(a));
        let (least, most) =
            (expected.iter().filter(|s| **s > 1e-6).count(), expected.iter().filter(|s| **s > -1e-6).count());
        let found = model.of(i).len();
        assert!(found >= least.min(parameters.neighbors) && found <= most.min(parameters.neighbors));
        let near = |((_, found), expected): (&(u32, f32), &f64)| {
            (f64::from(*found) - expected).abs() < 1e-5 * expected.max(1.0)
        };
        assert!(model.of(i).iter().zip(&expected).all(near), "{:?} {expected:?}", model.of(i));
    }
}

/// Enough items for several blocks, popular ones that are scanned and rare ones that are not.
fn skewed(binary: bool) -> Csr {
    let mut state = 3_u64;
    let mut next = |below: f64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1_u64 << 31) as f64 * below
    };
    let triples: Vec<_> =
        (0..2500).map(|_| (next(90.0) as u32, (600.0 * next(1.0).powi(3)) as u32, 1.0 + next(4.0).floor())).collect();
    let duplicates = if binary { Duplicates::Once } else { Duplicates::Sum };
    Csr::from_triples(90, 600, triples, duplicates).unwrap()
}

#[test]
fn many_items_are_compared_exactly_whatever_the_threads() {
    for binary in [true, false] {
        let x = skewed(binary);
        for (similarity, shrinkage) in [(Similarity::Cosine, 0.0), (Similarity::Jaccard, 3.0)] {
            let parameters = by(similarity, 20, shrinkage);
            assert_exact(&x, &parameters);
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let model = items(&x, &parameters, &|| true).unwrap();
                    let lists = recommend(&x, &model, 0..90, 7, &Wanted::unseen(&x));
                    (because(&x, &model, 0..90, &lists), lists, model)
                })
            };
            assert_eq!(with(1), with(4));
        }
    }
}

proptest! {
    #[test]
    fn is_what_is_defined(
        triples in proptest::collection::vec((0..8_u32, 0..7_u32, 0.5..5.0_f64), 0..45),
        similarity in similarities(),
        shrinkage in prop_oneof![Just(0.0), Just(f64::NAN), 0.1..9.0_f64],
        neighbors in 0..8_usize,
        duplicates in prop_oneof![Just(Duplicates::Sum), Just(Duplicates::Once)],
    ) {
        let x = Csr::from_triples(8, 7, triples, duplicates).unwrap();
        let dense = by(similarity, neighbors, shrinkage.max(0.0));
        assert_exact(&x, &dense);
        prop_assert_eq!(
            items(&x, &by(similarity, neighbors, shrinkage), &|| true),
            items(&x, &dense, &|| true)
        );
    }

    #[test]
    fn scores_are_sums_over_the_history(
        triples in proptest::collection::vec((0..8_u32, 0..7_u32, 0.5..5.0_f64), 0..45),
        top in 0..8_usize,
        unseen in any::<bool>(),
    ) {
        let x = Csr::from_triples(8, 7, triples, Duplicates::Sum).unwrap();
        let model = fit(&x, Similarity::Cosine, 3, 0.0);
        let eligible = [true, true, false, true, true, true, true];
        let wanted = Wanted { seen: unseen.then_some(&x), eligible: Some(&eligible) };
        let lists = recommend(&x, &model, 0..8, top, &wanted);
        let reasons = because(&x, &model, 0..8, &lists);
        for user in 0..8 {
            let part = |i: u32, j: u32| model.of(i as usize).iter().find(|n| n.0 == j).map_or(0.0, |n| f64::from(n.1));
            let score = |j: u32| x.pairs(user).map(|(i, w)| w * part(i, j)).sum::<f64>();
            let mut expected: Vec<(u32, f64)> = (0..7).filter(|j| wanted.by(user)(*j)).map(|j| (j, score(j))).collect();
            expected.retain(|(_, score)| *score > 0.0);
            expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            expected.truncate(top);
            prop_assert_eq!(&lists[user], &expected);
            for ((j, _), reason) in lists[user].iter().zip(&reasons[user]) {
                let most = x.pairs(user).map(|(i, w)| w * part(i, *j)).fold(0.0, f64::max);
                let first = x.pairs(user).find(|(i, w)| w * part(*i, *j) == most).map(|(i, _)| i);
                prop_assert_eq!(*reason, first);
            }
        }
    }
}
