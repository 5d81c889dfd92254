use super::*;
use crate::algorithms::sparse::Duplicates;
use proptest::prelude::*;

fn matrix(dense: &[[f64; 6]]) -> Csr {
    let all = (0..dense.len()).flat_map(|u| (0..6).map(move |i| (u as u32, i as u32, dense[u][i])));
    Csr::from_triples(dense.len(), 6, all.filter(|t| t.2 != 0.0).collect(), Duplicates::Sum).unwrap()
}

/// 9 users × 6 items; user 5 has all but one of them, user 8 none.
fn example() -> Csr {
    matrix(&[
        [0.0, 0.0, 0.0, 2.59, 5.88, 0.0],
        [3.83, 0.0, 0.0, 1.33, 2.92, 1.82],
        [2.71, 1.03, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.22, 5.15, 0.0, 5.47],
        [3.63, 0.0, 1.56, 0.0, 0.0, 0.0],
        [5.36, 4.03, 3.63, 2.57, 0.0, 1.82],
        [0.71, 5.32, 0.0, 3.51, 2.27, 0.0],
        [0.0, 0.0, 0.0, 0.0, 5.82, 0.0],
        [0.0; 6],
    ])
}

fn assert_rows(found: &Csr, expected: &[(usize, [f64; 6])]) {
    for (user, row) in expected {
        for (item, weight) in found.pairs(*user) {
            let expected = row[item as usize];
            assert!((weight - expected).abs() < 1e-9, "user {user}, item {item}: {weight} is not {expected}");
        }
    }
}

fn learned(weighting: Weighting, documents: Documents) -> Csr {
    Weights::fit(&example(), weighting, documents).apply(&example()).unwrap()
}

/// implicit 0.7.3 of the users but the last one, tfidf_weight(x.T).T as its TFIDFRecommender calls it, and
/// tfidf_weight(x).
#[test]
fn tf_idf_agrees_with_implicit() {
    let by_items = [
        (0, [0.0, 0.0, 0.0, 1.115514817, 1.680792587, 0.0]),
        (1, [0.356810320, 0.0, 0.0, 0.210263477, 0.311551213, 0.245965227]),
        (5, [0.0; 6]),
        (7, [0.0, 0.0, 0.0, 0.0, 2.650366569, 0.0]),
    ];
    assert_rows(&learned(Weighting::TfIdf, Documents::Items), &by_items);
    let by_users = [
        (1, [0.563004914, 0.0, 0.0, 0.331771151, 0.803142554, 0.935106671]),
        (5, [0.666032150, 1.391483254, 1.320622747, 0.461189446, 0.0, 0.935106671]),
        (7, [0.0, 0.0, 0.0, 0.0, 1.133868535, 0.0]),
    ];
    assert_rows(&learned(Weighting::TfIdf, Documents::Users), &by_users);
}

/// implicit 0.7.3 of the users but the last one, bm25_weight(x.T, 100, 0.8).T as its BM25Recommender calls it, and
/// bm25_weight(x, 1.2, 0.75).
#[test]
fn bm25_agrees_with_implicit() {
    let by_items = [
        (0, [0.0, 0.0, 0.0, 1.503213757, 3.045375928, 0.0]),
        (3, [0.0, 0.0, 0.796864641, 1.712125096, 0.0, 2.653533273]),
        (5, [0.0; 6]),
        (6, [0.103933274, 1.059237570, 0.0, 0.531790770, 0.317730107, 0.0]),
    ];
    assert_rows(&learned(Weighting::Bm25 { k1: 100.0, b: 0.8 }, Documents::Items), &by_items);
    let by_users = [
        (2, [0.508495699, 0.927739667, 0.0, 0.0, 0.0, 0.0]),
        (4, [0.518168650, 0.0, 1.006402326, 0.0, 0.0, 0.0]),
        (5, [0.461554137, 1.020865581, 0.984988502, 0.356713400, 0.0, 0.728472735]),
    ];
    assert_rows(&learned(Weighting::Bm25 { k1: 1.2, b: 0.75 }, Documents::Users), &by_users);
}

#[test]
fn simple_weightings() {
    let x = matrix(&[[0.5, 1.0, 4.0, -2.0, 0.0, 0.0]]);
    let apply = |weighting| Weights::fit(&x, weighting, Documents::Items).apply(&x).unwrap().row(0).1.to_vec();
    assert_eq!(apply(Weighting::Binary), [1.0, 1.0, 1.0, 0.0]);
    assert_eq!(apply(Weighting::Count), [0.5, 1.0, 4.0, -2.0]);
    assert_eq!(apply(Weighting::Log), [1.5_f64.ln() / 2.0_f64.ln(), 1.0, 1.0 + 4.0_f64.ln(), 0.0]);
}

#[test]
fn later_histories_are_weighted_by_what_was_learned() {
    // Half of user 1's history, and two items that the fit did not have.
    let later = vec![(0, 3, 1.33), (0, 4, 2.92), (0, 6, 1.0), (0, 7, 2.0)];
    let later = Csr::from_triples(1, 8, later, Duplicates::Sum).unwrap();
    let learned = |weighting, documents| Weights::fit(&example(), weighting, documents).apply(&later).unwrap();
    let found = learned(Weighting::TfIdf, Documents::Users);
    let of_user_1 = [0.331771151, 0.803142554, 8.0_f64.ln(), 2.0_f64.sqrt() * 8.0_f64.ln()];
    assert!(found.row(0).1.iter().zip(of_user_1).all(|(found, expected)| (found - expected).abs() < 1e-9));
    // Like user 1 the user has four of six items; an unknown item is one of length zero.
    let found = learned(Weighting::Bm25 { k1: 100.0, b: 0.8 }, Documents::Items);
    let idf = 6.0_f64.ln() - 5.0_f64.ln();
    let expected = [0.205185007, 0.406700717, 101.0 / 21.0 * idf, 202.0 / 22.0 * idf];
    assert!(found.row(0).1.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9));
}

#[test]
fn empty_extreme_and_overflowing_input() {
    let bm25 = Weighting::Bm25 { k1: 0.0, b: 1.0 };
    for (users, items) in [(0, 0), (3, 0), (0, 3), (3, 3)] {
        let empty = Csr::from_triples(users, items, vec![], Duplicates::Sum).unwrap();
        for weighting in [Weighting::Log, Weighting::TfIdf, bm25] {
            assert_eq!(Weights::fit(&empty, weighting, Documents::Items).apply(&empty), Ok(empty.clone()));
        }
    }
    // Of one item and one user a term is in all documents: implicit's idf would be ln(1/2).
    let one = Csr::from_triples(1, 1, vec![(0, 0, 3.0)], Duplicates::Sum).unwrap();
    let found = Weights::fit(&one, Weighting::TfIdf, Documents::Users).apply(&one).unwrap();
    assert_eq!(found.row(0), (&[0][..], &[0.0][..]), "the entry stays");
    let huge = matrix(&[[f64::MAX, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0; 6], [0.0; 6]]);
    let overflow = Weights::fit(&huge, Weighting::Bm25 { k1: 9.0, b: 0.0 }, Documents::Items).apply(&huge);
    assert_eq!(overflow, Err(SparseError::NonFinite(1)));
}

proptest! {
    #[test]
    fn more_weighs_more(a in 1e-6..1e6_f64, b in 1e-6..1e6_f64) {
        let all = (0..9).map(|item| (2, item, 1.0));
        let triples = [(0, 0, a), (0, 1, b), (1, 0, b), (1, 1, a)].into_iter().chain(all).collect();
        let x = Csr::from_triples(3, 9, triples, Duplicates::Sum).unwrap();
        for weighting in [Weighting::Log, Weighting::TfIdf, Weighting::Bm25 { k1: 100.0, b: 0.8 }] {
            let found = Weights::fit(&x, weighting, Documents::Items).apply(&x).unwrap();
            let row = found.row(0).1;
            prop_assert!(row.iter().all(|weight| *weight > 0.0));
            prop_assert_eq!(row[0].total_cmp(&row[1]), a.total_cmp(&b));
        }
    }
}
