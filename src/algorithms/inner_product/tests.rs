use super::*;
use crate::algorithms::sparse::{Csr, Duplicates};
use ndarray::array;
use proptest::prelude::*;

/// The definition, with sums in the same order.
fn brute_force(users: &Array2<f32>, items: &Array2<f32>, count: usize, wanted: &Wanted<'_>) -> Vec<Vec<(u32, f64)>> {
    let usable =
        |row: &ndarray::ArrayView1<'_, f32>| row.iter().all(|v| v.is_finite()) && row.iter().any(|v| *v != 0.0);
    let of = |(user, row): (usize, ndarray::ArrayView1<'_, f32>)| {
        let score = |item: u32| {
            let factors = items.row(item as usize);
            (item, f64::from(row.iter().zip(factors).fold(0.0_f32, |sum, (x, y)| sum + x * y)))
        };
        let candidates = (0..items.nrows() as u32).filter(|item| wanted.by(user)(*item));
        let candidates = candidates.filter(|item| usable(&row) && usable(&items.row(*item as usize)));
        let mut scored: Vec<(u32, f64)> = candidates.map(score).filter(|(_, score)| score.is_finite()).collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        scored.truncate(count);
        scored
    };
    users.rows().into_iter().enumerate().map(of).collect()
}

/// numpy 2.4.6: `numpy.argsort(-(x @ y.T))`.
#[test]
fn a_small_case() {
    let users = array![[1.0, 2.0, 0.0], [0.0, -1.0, 1.0], [0.0, 0.0, 0.0]];
    let items = array![[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 5.0]];
    let found = top(users.view(), &items, 3, &Wanted::default());
    assert_eq!(found[0], [(2, 3.0), (1, 2.0), (0, 1.0)], "of equal scores the lower index");
    assert_eq!(found[1], [(4, 5.0), (0, 0.0), (1, 0.0)], "zero is a score, but no factors are none");
    assert!(found[2].is_empty());
    let found = top(users.view(), &items, 100, &Wanted::default());
    assert_eq!(found[1].last(), Some(&(2, -2.0)), "and so is what is below");
    assert_eq!(found[1].len(), 4);
}

#[test]
fn edge_cases() {
    let (none, some) = (Array2::<f32>::zeros((0, 3)), Array2::<f32>::ones((2, 3)));
    let all = Wanted::default();
    assert!(top(none.view(), &some, 5, &all).is_empty());
    assert_eq!(top(some.view(), &none, 5, &all), [vec![], vec![]]);
    assert_eq!(top(some.view(), &some, 0, &all), [vec![], vec![]]);
    assert_eq!(top(some.view(), &Array2::ones((2, 4)), 5, &all), [vec![], vec![]], "widths differ");
    let narrow = Array2::<f32>::ones((2, 0));
    assert_eq!(top(narrow.view(), &narrow, 5, &all), [vec![], vec![]]);
    let one = top(some.view(), &some, 1, &all);
    assert_eq!(one, [vec![(0, 3.0)], vec![(0, 3.0)]]);
    let seen = Csr::from_triples(2, 2, vec![(0, 0, 1.0), (1, 0, 1.0), (1, 1, 1.0)], Duplicates::Once).unwrap();
    assert_eq!(top(some.view(), &some, 5, &Wanted::unseen(&seen)), [vec![(1, 3.0)], vec![]]);
}

#[test]
fn what_is_not_finite_is_left_out() {
    let users = array![[1.0, 1.0], [f32::NAN, 1.0], [1e30, 1e30], [f32::INFINITY, 0.0]];
    let items = array![[1.0, f32::NAN], [f32::NEG_INFINITY, 1.0], [1e30, 1.0], [2.0, 1.0], [-1e30, 1e30]];
    let found = top(users.view(), &items, 9, &Wanted::default());
    assert_eq!(found[0].iter().map(|f| f.0).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(found[2].iter().map(|f| f.0).collect::<Vec<_>>(), [3], "the products with 2 and 4 overflow");
    assert!(found[1].is_empty() && found[3].is_empty());
}

/// The smallest numbers, whose squares vanish in single precision.
#[test]
fn tiny_factors_have_an_order() {
    let users = array![[1e-20_f32, 3e-20], [1e-38, 1e-40]];
    let items = Array2::from_shape_fn((50, 2), |(i, k)| 1e-19 * (((i * 7 + k * 3) % 50) as f32 - 20.0));
    let found = top(users.view(), &items, 4, &Wanted::default());
    assert_eq!(found, brute_force(&users, &items, 4, &Wanted::default()));
}

fn matrix(rows: usize, columns: usize, of: impl Strategy<Value = f32>) -> impl Strategy<Value = Array2<f32>> {
    proptest::collection::vec(of, rows * columns)
        .prop_map(move |values| Array2::from_shape_vec((rows, columns), values).unwrap())
}

/// Users, and items most of which are short, so that searches end early; whole numbers, so that scores are equal often.
fn case() -> impl Strategy<Value = (Array2<f32>, Array2<f32>)> {
    (1..150_usize, 0..700_usize, 1..21_usize, any::<bool>()).prop_flat_map(|(users, items, factors, whole)| {
        let number = (-3.0..3.0_f32).prop_map(move |v| if whole { v.round() } else { v });
        (matrix(users, factors, number.clone()), matrix(items, factors, number)).prop_map(|(users, mut items)| {
            for (index, mut row) in items.rows_mut().into_iter().enumerate() {
                row *= 1.0 / (1 + index % 30) as f32;
            }
            (users, items)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn is_exact((users, items) in case(), count in 1..40_usize, seed in 0..50_u32) {
        let pairs = (0..users.nrows() as u32).flat_map(|u| (0..items.nrows() as u32).map(move |i| (u, i, 1.0)));
        let few = pairs.filter(|(u, i, _)| (u * 31 + i * 17 + seed) % 13 == 0).collect();
        let seen = Csr::from_triples(users.nrows(), items.nrows(), few, Duplicates::Once).unwrap();
        let eligible: Vec<bool> = (0..items.nrows()).map(|i| i % 7 != 3).collect();
        let wanted = Wanted { seen: Some(&seen), eligible: Some(&eligible) };
        for wanted in [wanted, Wanted::default()] {
            let found = top(users.view(), &items, count, &wanted);
            prop_assert_eq!(&found, &brute_force(&users, &items, count, &wanted));
        }
    }

    #[test]
    fn threads_and_layout_do_not_matter((users, items) in case()) {
        let run = |threads: usize, users: ArrayView2<'_, f32>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| top(users, &items, 10, &Wanted::default()))
        };
        let turned = users.t().as_standard_layout().into_owned();
        prop_assert_eq!(run(1, users.view()), run(3, turned.t()));
    }
}
