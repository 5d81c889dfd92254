use super::tests::{by, dense_similarity, example, similarities};
use super::*;
use crate::algorithms::sparse::{Csr, Duplicates};
use crate::algorithms::wanted::Wanted;
use proptest::prelude::*;

fn recommend_to_own(known: &Csr, parameters: &Parameters, top: usize) -> Vec<Vec<(u32, f64)>> {
    let postings = Postings::build(known, None, usize::MAX);
    let of = Neighborhood { known, postings: &postings, histories: known, own: true };
    by_users(&of, parameters, 0..known.rows(), top, &Wanted::unseen(known))
}

/// scikit-learn 1.9.1: cosine_similarity of the rows, the 3 highest of others above zero, times the rows in numpy.
#[test]
fn scores_agree_with_scikit_learn() {
    let found = recommend_to_own(&example(), &by(Similarity::Cosine, 3, 0.0), 9);
    let expected = [
        (0, vec![(1, 2.731040431), (0, 2.675325752), (5, 1.098103791)]),
        (2, vec![(2, 4.174221186), (3, 2.902217067), (5, 2.646481721), (4, 1.96593187)]),
        (5, vec![(4, 1.814358022)]),
        (7, vec![(3, 4.271803073), (0, 2.3400528), (1, 1.775183123), (5, 0.999402992)]),
        (8, vec![]),
    ];
    for (user, list) in expected {
        assert_eq!(found[user].len(), list.len(), "user {user}");
        for (found, expected) in found[user].iter().zip(list) {
            assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-6, "{found:?} {expected:?}");
        }
    }
}

#[test]
fn the_reason_is_the_own_item_that_neighbors_share() {
    // User 0 has items 0 and 1. Those who have item 2 share item 1, those who have item 3 item 0 and, less, item 1.
    let triples =
        vec![(0, 0, 1.0), (0, 1, 1.0), (1, 1, 2.0), (1, 2, 1.0), (2, 0, 3.0), (2, 1, 1.0), (2, 3, 1.0), (3, 4, 1.0)];
    let known = Csr::from_triples(4, 5, triples, Duplicates::Sum).unwrap();
    let postings = Postings::build(&known, None, 99);
    let of = Neighborhood { known: &known, postings: &postings, histories: &known, own: true };
    for similarity in [Similarity::Cosine, Similarity::Jaccard, Similarity::Euclidean, Similarity::Dot] {
        let parameters = by(similarity, 5, 1.0);
        let mut lists = by_users(&of, &parameters, 0..1, 5, &Wanted::unseen(&known));
        lists[0].sort_by_key(|(item, _)| *item);
        assert_eq!(lists[0].iter().map(|(item, _)| *item).collect::<Vec<_>>(), [2, 3], "{similarity:?}");
        lists[0].extend([(4, 1.0), (77, 1.0), (0, 1.0)]);
        let reasons = because_of_users(&of, &parameters, 0..1, &lists);
        assert_eq!(reasons, [[Some(1), Some(0), None, None, Some(1)]], "{similarity:?}");
    }
    assert_eq!(because_of_users(&of, &by(Similarity::Dot, 0, 0.0), 0..1, &[vec![(2, 1.0)]]), [[None]]);
}

#[test]
fn long_lists_keep_the_latest() {
    // Item 0 has five users, item 1 two; user 4 has item 0 with weight zero only.
    let triples =
        vec![(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0), (2, 0, 1.0), (2, 1, 1.0), (3, 0, 1.0), (4, 0, 0.0), (5, 0, 1.0)];
    let known = Csr::from_triples(6, 2, triples, Duplicates::Sum).unwrap();
    let times = [10, 0, 30, 20, 0, 20, 99, 20];
    let users = |recency: Option<&[i64]>, cap| Postings::build(&known, recency, cap).users_of(0).to_vec();
    assert_eq!(users(Some(&times), 3), [1, 2, 3], "of three equally late ones the first two");
    assert_eq!(users(Some(&times), 1), [1]);
    assert_eq!(users(None, 2), [0, 1]);
    assert_eq!(users(Some(&times[..3]), 2), [0, 1], "what has no time is the oldest");
    assert_eq!(users(Some(&times), 0), [0_u32; 0]);
    assert_eq!(users(Some(&times), 5), [0, 1, 2, 3, 5]);
    let postings = Postings::build(&known, Some(&times), 3);
    assert_eq!((postings.capped(), postings.left_out()), (1, 2.0 / 7.0));
    // User 4's list is read too: it has the item, if with a weight of zero.
    assert_eq!(postings.cost(&known), 6 * 3 + 2 * 2);
    // User 0 is no longer found by item 0, and is half as similar to user 2 as before; the norms stay.
    let find = |cap| {
        let postings = Postings::build(&known, Some(&times), cap);
        let of = Neighborhood { known: &known, postings: &postings, histories: &known, own: true };
        by_users(&of, &by(Similarity::Cosine, 9, 0.0), 1..3, 9, &Wanted::default())
    };
    assert_eq!(find(9)[1][0], (0, 1.0 + 3.0 * f64::from(0.5_f32.sqrt())));
    assert_eq!(find(3)[1][0], (0, 0.5 + 2.0 * f64::from(0.5_f32.sqrt())));
}

#[test]
fn edges() {
    for (users, items) in [(0, 0), (3, 0), (0, 3), (3, 3)] {
        let empty = Csr::from_triples(users, items, vec![], Duplicates::Sum).unwrap();
        assert_eq!(recommend_to_own(&empty, &by(Similarity::Pearson, 5, 1.0), 5), vec![vec![]; users]);
        let postings = Postings::build(&empty, None, 1);
        assert_eq!((postings.capped(), postings.left_out(), postings.cost(&empty)), (0, 0.0, 0));
    }
    // Histories of others, with an item that is not known, and of the same row but not the same user.
    let known = Csr::from_triples(2, 2, vec![(0, 0, 1.0), (0, 1, 1.0), (1, 1, 1.0)], Duplicates::Once).unwrap();
    let histories = Csr::from_triples(2, 5, vec![(0, 0, 1.0), (0, 4, 1.0)], Duplicates::Once).unwrap();
    let postings = Postings::build(&known, None, 9);
    let of = |own| Neighborhood { known: &known, postings: &postings, histories: &histories, own };
    let parameters = by(Similarity::Cosine, 9, 0.0);
    assert_eq!(by_users(&of(true), &parameters, 0..3, 9, &Wanted::unseen(&histories)), vec![vec![]; 3]);
    assert_eq!(
        by_users(&of(false), &parameters, 0..3, 9, &Wanted::unseen(&histories)),
        [vec![(1, 0.5)], vec![], vec![]]
    );
    assert_eq!(by_users(&of(false), &parameters, 0..1, 0, &Wanted::default()), [vec![]]);
    assert_eq!(by_users(&of(false), &by(Similarity::Cosine, 0, 0.0), 0..1, 9, &Wanted::default()), [vec![]]);
}

#[test]
fn users_of_several_blocks_are_compared() {
    // 40,000 users with the number of their row in binary digits as items, and one that all have.
    let digits = |u: u32| (0..16).filter(move |bit| u >> bit & 1 == 1).chain([16]);
    let triples = (0..40_000).flat_map(|u| digits(u).map(move |i| (u, i, 1.0 + f64::from(i)))).collect();
    let known = Csr::from_triples(40_000, 17, triples, Duplicates::Sum).unwrap();
    let postings = Postings::build(&known, None, usize::MAX);
    let of = Neighborhood { known: &known, postings: &postings, histories: &known, own: true };
    let dense = |u: usize| {
        let mut row = vec![0.0; 17];
        known.pairs(u).for_each(|(item, weight)| row[item as usize] = weight);
        row
    };
    let parameters = by(Similarity::Jaccard, 5, 0.0);
    let users = [0, 16_383, 16_384, 39_999];
    for user in users {
        let own = dense(user);
        let mut all: Vec<(f32, usize)> = (0..40_000)
            .filter(|other| *other != user)
            .map(|other| (dense_similarity(&parameters, &own, &dense(other)) as f32, other))
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut expected = [0.0; 17];
        for (similarity, other) in &all[..5] {
            known.pairs(*other).for_each(|(item, weight)| expected[item as usize] += weight * f64::from(*similarity));
        }
        let found = by_users(&of, &parameters, user..user + 1, 99, &Wanted::default());
        assert_eq!(found[0].len(), expected.iter().filter(|score| **score > 0.0).count());
        assert!(found[0].iter().all(|(item, score)| (score - expected[*item as usize]).abs() < 1e-4));
    }
}

proptest! {
    #[test]
    fn scores_and_reasons_are_what_is_defined(
        triples in proptest::collection::vec((0..9_u32, 0..7_u32, 0.5..5.0_f64), 0..45),
        similarity in similarities(),
        shrinkage in prop_oneof![Just(0.0), 0.1..9.0_f64],
        neighbors in 0..9_usize,
        duplicates in prop_oneof![Just(Duplicates::Sum), Just(Duplicates::Once)],
    ) {
        let known = Csr::from_triples(9, 7, triples, duplicates).unwrap();
        let parameters = by(similarity, neighbors, shrinkage);
        let mut dense = vec![vec![0.0; 7]; 9];
        (0..9).for_each(|u| known.pairs(u).for_each(|(i, w)| dense[u][i as usize] = w));
        // Items that nobody has are not there.
        let met: Vec<usize> = (0..7).filter(|item| dense.iter().any(|row| row[*item] > 0.0)).collect();
        let of_met = |u: usize| -> Vec<f64> { met.iter().map(|item| dense[u][*item]).collect() };
        let found = recommend_to_own(&known, &parameters, 7);
        for user in 0..9 {
            let of = |other: usize| dense_similarity(&parameters, &of_met(user), &of_met(other));
            let mut others: Vec<(f64, usize)> = (0..9).filter(|v| *v != user).map(|v| (of(v), v)).collect();
            others.retain(|(similarity, _)| *similarity > 1e-6);
            others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            // Whom rounding decides is not asked here.
            prop_assume!(others.windows(2).all(|pair| pair[0].0 - pair[1].0 > 1e-5));
            let kept = &others[..others.len().min(neighbors)];
            for (item, own) in dense[user].iter().enumerate() {
                let score: f64 = kept.iter().map(|(similarity, v)| similarity * dense[*v][item]).sum();
                let is_new = *own == 0.0;
                let listed = found[user].iter().find(|(j, _)| *j as usize == item).map_or(0.0, |(_, score)| *score);
                let expected = if is_new { score } else { 0.0 };
                prop_assert!((listed - expected).abs() < 1e-5 * expected.max(1.0), "{} {}", listed, expected);
            }
        }
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| recommend_to_own(&known, &parameters, 3))
        };
        prop_assert_eq!(with(1), with(3));
    }
}
