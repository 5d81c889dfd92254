use super::*;
use crate::algorithms::sparse::Duplicates;
use proptest::prelude::*;

/// 12 users × 9 items by a formula, for which reference values were computed elsewhere.
fn interactions() -> Csr {
    let whole = |u: u32, i: u32| f64::from((u * 5 + i * 7 + u * i) % 11) - 6.0;
    // The tenths make all similarities different: what implicit does with ties is its own.
    let weight = |u, i| match whole(u, i) {
        above if above > 0.0 => above + f64::from(u + 2 * i) / 10.0,
        _ => 0.0,
    };
    let all = (0..12).flat_map(|u| (0..9).map(move |i| (u, i, weight(u, i))));
    Csr::from_triples(12, 9, all.filter(|t| t.2 > 0.0).collect(), Duplicates::Sum).unwrap()
}

fn assert_near(found: &[(u32, f64)], expected: &[(u32, f64)]) {
    assert_eq!(found.len(), expected.len(), "{found:?} is not {expected:?}");
    for (f, e) in found.iter().zip(expected) {
        assert!(f.0 == e.0 && (f.1 - e.1).abs() < 1e-11, "{found:?} is not {expected:?}");
    }
}

/// implicit 0.7.3, CosineRecommender(K=4).fit(…): similarity (which counts the item itself among
/// its 4) and recommend(…, N=4).
#[test]
fn agrees_with_implicit() {
    let interactions = interactions();
    assert_eq!(interactions.entries(), 46);
    let model = fit(&interactions, 3, 0.0);
    let expected = [
        (0, [(1, 0.798_197_050_011), (6, 0.538_274_310_357), (7, 0.491_680_731_121)]),
        (1, [(0, 0.798_197_050_011), (6, 0.586_598_920_523), (3, 0.517_230_925_574)]),
        (8, [(4, 0.870_379_656_832), (6, 0.573_678_820_909), (2, 0.499_407_333_398)]),
    ];
    expected.iter().for_each(|(item, neighbors)| assert_near(model.of(*item), neighbors));
    let expected = [
        (0, vec![(8, 2.409_451_047_817_178), (2, 1.619_946_289_951_902_8), (0, 0.957_836_460_012_938_3)]),
        (1, vec![(8, 4.714_151_930_200_887), (1, 3.401_667_931_726_306), (4, 1.908_448_006_768_445_5)]),
        (
            7,
            vec![
                (8, 4.359_188_955_988_431),
                (3, 2.987_371_762_116_725_3),
                (1, 2.874_334_710_564_480_3),
                (4, 1.314_708_626_884_929_3),
            ],
        ),
    ];
    let found = recommend(&interactions, &model, 0..12, 4, true);
    expected.iter().for_each(|(user, items)| assert_near(&found[*user], items));
}

#[test]
fn shrinkage_holds_back_and_more_of_it_more() {
    let interactions = interactions();
    let plain = fit(&interactions, 8, 0.0);
    let shrunk = fit(&interactions, 8, 10.0);
    let of = |model: &ItemNeighbors| model.of(0).iter().find(|n| n.0 == 1).map(|n| n.1).unwrap();
    assert!(of(&shrunk) < of(&plain));
    assert_eq!(fit(&interactions, 8, f64::NAN), plain);
}

#[test]
fn cost_and_empty_input() {
    let triples = vec![(0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0)];
    let interactions = Csr::from_triples(3, 5, triples, Duplicates::Once).unwrap();
    assert_eq!(cost(&interactions), 10);
    let model = fit(&interactions, 10, 0.0);
    assert_eq!((model.items(), model.of(3), model.of(99)), (5, &[][..], &[][..]));
    // A user without items and one who has seen all that is alike get nothing.
    let found = recommend(&interactions, &model, 0..3, 5, true);
    assert_eq!((found[0].len(), found[2].len()), (0, 0));
    let empty = Csr::from_triples(0, 0, vec![], Duplicates::Once).unwrap();
    assert_eq!((cost(&empty), fit(&empty, 5, 0.0).items()), (0, 0));
}

proptest! {
    /// Against the definition, computed densely.
    #[test]
    fn is_the_cosine(
        triples in proptest::collection::vec((0..8_u32, 0..6_u32, 0.5..5.0f64), 0..40),
        top in 0..7_usize,
    ) {
        let interactions = Csr::from_triples(8, 6, triples, Duplicates::Sum).unwrap();
        let mut dense = ndarray::Array2::<f64>::zeros((8, 6));
        for user in 0..8 {
            for (item, weight) in interactions.pairs(user) {
                dense[[user, item as usize]] = weight;
            }
        }
        let model = fit(&interactions, top, 0.0);
        for i in 0..6 {
            let cosine = |j: usize| {
                let (a, b) = (dense.column(i), dense.column(j));
                let norms = (a.dot(&a) * b.dot(&b)).sqrt();
                if i == j || norms == 0.0 { 0.0 } else { a.dot(&b) / norms }
            };
            let alike = (0..6).filter(|&j| cosine(j) > 0.0).count();
            prop_assert_eq!(model.of(i).len(), alike.min(top));
            for &(j, similarity) in model.of(i) {
                prop_assert!((similarity - cosine(j as usize)).abs() < 1e-12);
            }
            prop_assert!(model.of(i).windows(2).all(best_first_holds));
        }
    }
}

fn best_first_holds(pair: &[(u32, f64)]) -> bool {
    pair[0].1 > pair[1].1 || (pair[0].1 == pair[1].1 && pair[0].0 < pair[1].0)
}
