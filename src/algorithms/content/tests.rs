use super::*;
use crate::algorithms::sparse::{Csr, Duplicates};
use crate::algorithms::text::{Frequency, Options, Vocabulary};
use crate::algorithms::wanted::Wanted;
use ndarray::{Array2, array};
use proptest::prelude::*;

const ALL: [Similarity; 3] = [Similarity::Cosine, Similarity::Euclidean, Similarity::Pearson];

fn csr(rows: usize, columns: usize, triples: &[(u32, u32, f64)]) -> Csr {
    Csr::from_triples(rows, columns, triples.to_vec(), Duplicates::Sum).unwrap()
}

/// Eight items, of which the last has no description and each other one lacks some.
fn items() -> Items {
    let texts = [
        "white heart holder",
        "white metal lantern",
        "red heart holder",
        "",
        "red retrospot cake cases",
        "retrospot cake tins red",
        "blue glass lantern",
        "",
    ];
    let options = Options {
        ngrams: (1, 1),
        min_document_frequency: Frequency::Count(1),
        max_document_frequency: Frequency::Share(1.0),
        sublinear: false,
        ..Options::default()
    };
    let texts = Vocabulary::fit(texts, &options).unwrap().transform(texts).unwrap();
    let categories = csr(
        8,
        3,
        &[(0, 0, 1.0), (1, 1, 1.0), (2, 0, 1.0), (2, 1, 1.0), (3, 2, 1.0), (4, 2, 1.0), (5, 0, 1.0), (5, 2, 1.0)],
    );
    let nan = f64::NAN;
    let prices = array![[2.55], [3.39], [2.95], [nan], [0.55], [4.95], [8.5], [nan]];
    let none = f32::NAN;
    let vectors = array![
        [1.0, 0.0, 0.5],
        [0.9, 0.1, -0.5],
        [none, 1.0, 1.0],
        [0.0, 0.0, 0.0],
        [-1.0, 0.2, 0.3],
        [-0.8, 0.1, 0.4],
        [0.2, 2.0, -1.0],
        [0.0, 0.0, 0.0]
    ];
    let blocks = [
        Block { weight: 1.0, content: Content::Sparse(&texts) },
        Block { weight: 0.5, content: Content::Sparse(&categories) },
        Block { weight: 0.25, content: Content::Numbers { values: &prices, steps: 3 } },
        Block { weight: 0.0, content: Content::Sparse(&categories) },
        Block { weight: 2.0, content: Content::Vectors(&vectors) },
    ];
    Items::new(&blocks).unwrap()
}

/// scikit-learn 1.9.1 on the vectors made with numpy: cosine_similarity, 1 / (1 +
/// euclidean_distances) and numpy.corrcoef, the part above the diagonal.
#[test]
fn similarities_agree_with_scikit_learn() {
    let items = items();
    assert_eq!((items.len(), items.columns()), (8, 22));
    let expected = [
        [
            0.427489641,
            0.504264514,
            0.0,
            -0.369187566,
            -0.223737653,
            -0.068473679,
            0.216744742,
            0.0,
            -0.499579768,
            -0.475475432,
            0.296017243,
            0.0,
            0.085936882,
            0.200942728,
            0.0,
            0.365148372,
            0.25819889,
            0.0,
            0.7938817,
            -0.024005911,
            -0.077121959,
        ],
        [
            0.325504375,
            0.369310189,
            0.326631635,
            0.237839646,
            0.2481681,
            0.267765582,
            0.323089603,
            0.326631635,
            0.229693272,
            0.231129989,
            0.310455405,
            0.4,
            0.307751141,
            0.321094315,
            0.309016994,
            0.356789172,
            0.346950266,
            0.340542427,
            0.445764473,
            0.271943114,
            0.266977906,
        ],
        [
            0.26164044,
            0.302472344,
            -0.140614696,
            -0.644045163,
            -0.522839439,
            -0.329934977,
            -0.01052073,
            -0.101254017,
            -0.707898262,
            -0.731120822,
            0.173848182,
            -0.137868599,
            -0.077288463,
            0.019210144,
            -0.238138851,
            0.325874076,
            0.200937625,
            -0.082251835,
            0.774074626,
            -0.1359614,
            -0.227682603,
        ],
    ];
    for (similarity, expected) in ALL.into_iter().zip(expected) {
        let pairs = (0..7).flat_map(|i| (i + 1..7).map(move |j| (i, j)));
        for ((i, j), expected) in pairs.zip(expected) {
            let found = items.similar(similarity, i, j).unwrap();
            assert!((found - expected).abs() < 1e-6, "{similarity:?} of {i} and {j}: {found} is not {expected}");
            assert_eq!(items.similar(similarity, j, i), Some(found));
        }
        assert_eq!((items.similar(similarity, 0, 7), items.similar(similarity, 0, 8)), (None, None));
    }
    assert_eq!(items.similar(Similarity::Euclidean, 2, 2), Some(1.0));
}

/// The same of interests, and which items are above zero and unseen.
#[test]
fn recommendations_agree_with_scikit_learn() {
    let histories = csr(3, 8, &[(0, 0, 1.0), (0, 2, 3.0), (0, 7, 2.0), (1, 3, 0.5), (1, 6, 1.0), (2, 7, 1.0)]);
    let expected: [[&[(u32, f64)]; 2]; 3] = [
        [&[(1, 0.323359396), (5, 0.069767213)], &[(1, 0.290483722), (4, 0.046715674)]],
        [
            &[(3, 0.402526454), (1, 0.338505015), (6, 0.307478066), (5, 0.306895625), (4, 0.293128946)],
            &[(2, 0.356789172), (1, 0.336953452), (4, 0.308412453), (5, 0.301383303), (0, 0.29763542)],
        ],
        [&[(1, 0.094154189)], &[(1, 0.152487475)]],
    ];
    for (similarity, expected) in ALL.into_iter().zip(expected) {
        let found = recommend(&histories, &items(), similarity, 0..4, 9, &Wanted::unseen(&histories));
        assert_eq!((found.len(), found[2].len(), found[3].len()), (4, 0, 0), "nobody knows them");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.len(), expected.len(), "{similarity:?}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-6, "{similarity:?}: {found:?}");
            }
        }
    }
}

#[test]
fn the_reason_is_what_adds_most() {
    let items = items();
    let histories = csr(2, 8, &[(0, 0, 1.0), (0, 1, 0.1), (0, 2, 2.0), (0, 7, 9.0), (1, 3, 1.0)]);
    let lists = vec![vec![(1, 0.5), (5, 0.1), (2, 0.1), (7, 0.1), (99, 0.1)], vec![(0, 0.1), (4, 0.1)]];
    let added = |i: usize, weight: f64, j: usize| weight * items.product(i, j);
    assert!(added(0, 1.0, 1) > added(2, 2.0, 1), "the greater weight is of the less similar");
    let found = because(&histories, &items, 0..2, &lists);
    assert_eq!(found[0], [Some(0), Some(2), Some(0), None, None]);
    assert_eq!(found[1], [None, Some(3)]);
    // Of equal reasons the first.
    let twins = csr(3, 1, &[(0, 0, 1.0), (1, 0, 2.0), (2, 0, 1.0)]);
    let twins = Items::new(&[Block { weight: 1.0, content: Content::Sparse(&twins) }]).unwrap();
    let both = csr(1, 3, &[(0, 0, 1.0), (0, 1, 1.0)]);
    assert_eq!(because(&both, &twins, 0..1, &[vec![(2, 1.0)]]), [[Some(0)]]);
}

#[test]
fn refuses_blocks_that_do_not_fit() {
    let (two, three) = (csr(2, 1, &[]), csr(3, 1, &[]));
    let block = |weight, content| Block { weight, content };
    assert_eq!(Items::new(&[]), Err(ContentError::NoBlocks));
    let blocks = [block(1.0, Content::Sparse(&two)), block(1.0, Content::Sparse(&three))];
    assert_eq!(Items::new(&blocks), Err(ContentError::Items { block: 1, found: 3, items: 2 }));
    for weight in [-1.0, f64::INFINITY, MOST_WEIGHT * 1.1] {
        let refused = Err(ContentError::Weight { block: 0, weight });
        assert_eq!(Items::new(&[block(weight, Content::Sparse(&two))]), refused);
    }
    assert!(Items::new(&[block(f64::NAN, Content::Sparse(&two))]).is_err());
    let prices = array![[1.0], [2.0]];
    for steps in [0, MOST_STEPS + 1] {
        let content = Content::Numbers { values: &prices, steps };
        assert_eq!(Items::new(&[block(1.0, content)]), Err(ContentError::Steps { block: 0, steps }));
    }
}

#[test]
fn edges() {
    let none = Items::new(&[Block { weight: 1.0, content: Content::Sparse(&csr(0, 0, &[])) }]).unwrap();
    let histories = csr(1, 0, &[]);
    assert!(none.is_empty());
    let everything = Wanted::default();
    assert_eq!(recommend(&histories, &none, Similarity::Cosine, 0..1, 5, &everything), [vec![]]);
    // One item; a history of items that do not exist, of weights not above zero, and of huge ones.
    let one = Items::new(&[Block { weight: 1.0, content: Content::Sparse(&csr(1, 1, &[(0, 0, 1e300)])) }]).unwrap();
    let histories = csr(4, 3, &[(0, 0, 1e308), (1, 2, 1.0), (2, 0, 0.0), (3, 0, -1.0)]);
    for similarity in [Similarity::Cosine, Similarity::Euclidean] {
        let found = recommend(&histories, &one, similarity, 0..4, 5, &everything);
        assert_eq!(found, [vec![(0, 1.0)], vec![], vec![], vec![]]);
    }
    assert_eq!(recommend(&histories, &one, Similarity::Pearson, 0..1, 5, &everything), [vec![]], "one column");
    assert_eq!(recommend(&histories, &one, Similarity::Cosine, 0..2, 0, &everything), [vec![], vec![]]);
    assert_eq!(recommend(&histories, &one, Similarity::Cosine, 3..3, 2, &everything).len(), 0);
    let wanted = Wanted { seen: None, eligible: Some(&[false]) };
    assert_eq!(recommend(&histories, &one, Similarity::Cosine, 0..1, 5, &wanted), [vec![]]);
    assert_eq!((cost(&one, 7), cost(&items(), 2)), (7, 2 * items().entries() as u64));
    assert!(!one.is_described(1));
}

/// The interest and the products of the definition, without a scan.
fn exhaustive(items: &Items, histories: &Csr, similarity: Similarity, user: usize, top: usize) -> Vec<(u32, f64)> {
    let vector = |item: usize| {
        let mut wide = vec![0.0; items.columns()];
        let (terms, values) = items.row(item);
        terms.iter().zip(values).for_each(|(&term, &value)| wide[term as usize] = f64::from(value));
        let dense = wide[items.sparse_columns..].iter_mut();
        dense.zip(items.vector(item)).for_each(|(slot, &value)| *slot = f64::from(value));
        wide
    };
    let shape = |v: &[f64]| Shape { square: v.iter().map(|v| v * v).sum(), sum: v.iter().sum() };
    let own: Vec<(u32, f64)> =
        histories.pairs(user).filter(|(i, w)| *w > 0.0 && items.is_described(*i as usize)).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let greatest = own.iter().fold(0.0_f64, |most, entry| most.max(entry.1));
    let total: f64 = own.iter().map(|entry| entry.1 / greatest).sum();
    let mut interest = vec![0.0; items.columns()];
    for (item, weight) in own {
        interest.iter_mut().zip(vector(item as usize)).for_each(|(sum, v)| *sum += weight / greatest * v);
    }
    interest.iter_mut().for_each(|sum| *sum /= total);
    let seen = histories.row(user).0;
    let unseen = (0..items.len()).filter(|item| items.is_described(*item) && !seen.contains(&(*item as u32)));
    let score = |item: usize| {
        let v = vector(item);
        let product = interest.iter().zip(&v).map(|(a, b)| a * b).sum();
        Some((item as u32, similarity.of(product, shape(&interest), shape(&v), items.columns())?))
    };
    let mut all: Vec<_> = unseen.filter_map(score).filter(|entry| entry.1 > 0.0).collect();
    all.sort_by(crate::algorithms::top::best_first);
    all.truncate(top);
    all
}

fn vectors(values: &[i8], rows: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, 3), |(i, j)| f32::from(values[(i * 3 + j) % values.len()]))
}

fn build(texts: &Csr, prices: &Array2<f64>, vectors: &Array2<f32>, used: (bool, bool)) -> Items {
    let weight = |is_used: bool, weight: f64| if is_used { weight } else { 0.0 };
    let blocks = [
        Block { weight: weight(used.0, 1.0), content: Content::Sparse(texts) },
        Block { weight: weight(used.0, 0.3), content: Content::Numbers { values: prices, steps: 4 } },
        Block { weight: weight(used.1, 1.5), content: Content::Vectors(vectors) },
    ];
    Items::new(&blocks).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Small whole numbers, so that many items are equally alike; more items than a block, and more users than lanes.
    #[test]
    fn recommends_what_an_exhaustive_search_finds(
        texts in proptest::collection::vec((0..600_u32, 0..9_u32, 1..3_i32), 1..900),
        prices in proptest::collection::vec(0..5_u8, 600),
        coordinates in proptest::collection::vec(-2..3_i8, 1..40),
        histories in proptest::collection::vec((0..70_u32, 0..600_u32, -1..3_i32), 1..150),
        top in 1..40_usize,
        used in prop_oneof![Just((true, false)), Just((true, true)), Just((false, true))],
    ) {
        let weighted = |t: &(u32, u32, i32)| (t.0, t.1, f64::from(t.2));
        let texts = csr(600, 9, &texts.iter().map(weighted).collect::<Vec<_>>());
        let histories = csr(70, 600, &histories.iter().map(weighted).collect::<Vec<_>>());
        let prices = Array2::from_shape_fn((600, 1), |(i, _)| if prices[i] == 0 { f64::NAN } else { f64::from(prices[i]) });
        let items = build(&texts, &prices, &vectors(&coordinates, 600), used);
        for similarity in ALL {
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| recommend(&histories, &items, similarity, 0..70, top, &Wanted::unseen(&histories)))
            };
            let found = run(1);
            prop_assert_eq!(&found, &run(3));
            for (user, found) in found.iter().enumerate() {
                prop_assert_eq!(found, &exhaustive(&items, &histories, similarity, user, top), "{:?} of {}", similarity, user);
            }
        }
    }
}
