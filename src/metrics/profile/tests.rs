use super::*;
use proptest::prelude::*;

/// (k + 1) · step modulo 1, for `tests/reference/drift.py` to have the same.
fn uniform(rows: usize, step: f64) -> Vec<f64> {
    (1..=rows).map(|row| (row as f64 * step).fract()).collect()
}

fn before() -> Vec<f64> {
    uniform(20_000, 0.618_033_988_749_894_9)
}

fn after() -> Vec<f64> {
    uniform(15_000, 0.754_877_666_246_692_7)
}

fn each(values: Vec<f64>, of: impl Fn(f64) -> f64) -> Vec<f64> {
    values.into_iter().map(of).collect()
}

fn missing(values: Vec<f64>, every: usize) -> Vec<f64> {
    let known = |(row, value): (usize, f64)| if row % every == 0 { f64::NAN } else { value };
    values.into_iter().enumerate().map(known).collect()
}

/// Index and chance of each case, as `tests/reference/drift.py` prints them.
const CASES: [(f64, f64); 8] = [
    (0.0, 0.001_692),
    (0.869_599, 0.001_974),
    (0.070_762, 0.001_974),
    (2.658_743, 0.001_292),
    (0.204_969, 0.001_809),
    (0.350_736, 0.002_136),
    (13.564_097, 0.017_287),
    (0.141_978, 0.140_991),
];
const LEVELS: (f64, f64) = (2.906_226_221_644_545_6, 0.018_975_458_073_562_53);

fn number(values: Vec<f64>) -> ColumnProfile {
    ColumnProfile::of_numbers("x", values)
}

/// The figures are those of numpy and scipy on the whole data (`tests/reference/drift.py`); from
/// profiles they are found to within a hundredth.
#[test]
fn drift_is_that_of_the_whole_data() {
    let orders = |u: f64| (-(-u).ln_1p() * 3.0).floor();
    let spend = |u: f64, scale: f64| if u < 0.3 { 0.0 } else { scale * (4.0 * (u - 0.3)).exp() };
    let few = |values: Vec<f64>, rows: usize| values.into_iter().take(rows).collect::<Vec<_>>();
    let exponential = |values: Vec<f64>, mean: f64| each(values, |u| -(-u).ln_1p() * mean);
    let cases = [
        ("uniform to itself", before(), before(), CASES[0]),
        ("moved by a tenth", each(before(), |u| 100.0 * u), each(after(), |u| 100.0 * u + 10.0), CASES[1]),
        ("a third more", exponential(before(), 30.0), exponential(after(), 40.0), CASES[2]),
        ("whole numbers", each(before(), orders), each(after(), |u| orders(u) + 1.0), CASES[3]),
        ("zeros and a tail", each(before(), |u| spend(u, 10.0)), each(after(), |u| spend(u, 14.0)), CASES[4]),
        ("missing", missing(before(), 10), missing(after(), 3), CASES[5]),
        ("constant", vec![7.0; 500], vec![8.0; 400], CASES[6]),
        ("few rows", few(before(), 300), each(few(after(), 200), |u| u.powf(1.5)), CASES[7]),
    ];
    for (name, earlier, now, (index, chance)) in cases {
        let found = psi(&number(earlier), &number(now)).unwrap();
        assert!((found.index - index).abs() < 0.01 + 0.03 * index, "{name}: {found:?} is not {index}");
        assert!((found.chance / chance - 1.0).abs() < 0.03, "{name}: {found:?} is not {chance}");
    }
}

fn levels(counts: &[(&str, u64)], nulls: u64) -> ColumnProfile {
    ColumnProfile::of_levels("x", counts.iter().map(|(name, count)| ((*name).to_owned(), *count)), nulls)
}

/// A level that is renamed moves the index as much as one that goes and one that comes.
#[test]
fn drift_of_levels() {
    let earlier = levels(&[("a", 500), ("b", 300), ("c", 200)], 0);
    let now = levels(&[("a", 420), ("b", 300), ("d", 260)], 20);
    let found = psi(&earlier, &now).unwrap();
    assert!((found.index - LEVELS.0).abs() < 1e-6 && (found.chance / LEVELS.1 - 1.0).abs() < 0.005, "{found:?}");
    assert!(found.is_strong());
    assert_eq!(psi(&earlier, &earlier).unwrap().index, 0.0);
}

/// 40 levels, all but equally frequent: which of them are named is chance, and moves nothing.
#[test]
fn levels_that_are_not_named_are_not_gone() {
    let of = |first: usize| {
        let level =
            |level: usize| (format!("level {level}"), if (first..first + 20).contains(&level) { 51 } else { 50 });
        ColumnProfile::of_levels("x", (0..40).map(level), 0)
    };
    assert!(psi(&of(0), &of(20)).unwrap().index < 1e-3, "{:?}", psi(&of(0), &of(20)));
    let gone = ColumnProfile::of_levels("x", (0..20).map(|level| (format!("level {level}"), 51)), 0);
    assert!(psi(&of(0), &gone).unwrap().is_strong(), "half of the rows had levels that are gone");
}

#[test]
fn few_rows_move_by_chance() {
    let found = psi(&number(uniform(40, 0.618)), &number(uniform(40, 0.3))).unwrap();
    assert!(found.chance > STRONG && !found.is_strong(), "{found:?}");
}

#[test]
fn what_cannot_be_compared() {
    let (number, level) = (number(before()), levels(&[("a", 30)], 0));
    assert_eq!(psi(&number, &level), None);
    assert_eq!(psi(&number, &ColumnProfile::untold("x", 9, 0)), None);
}

#[test]
fn rare_levels_are_together() {
    let mut counts: Vec<(String, u64)> = (0..30).map(|level| (format!("level {level:02}"), 100 - level)).collect();
    counts.push(("rare".to_owned(), 9));
    let found = ColumnProfile::of_levels("x", counts, 4);
    let Shape::Category { levels, other } = &found.shape else { panic!("{found:?}") };
    assert_eq!(
        (levels.len(), levels[0].clone(), *other),
        (20, ("level 00".to_owned(), 100), 9 + (71..=80).sum::<u64>())
    );
    assert_eq!((found.nulls, found.known()), (4, 30 * 100 - (0..30).sum::<u64>() + 9));
    // The rest is no few rows either: the rarest level that could be told is not, and one alone is not.
    assert_eq!(levels_of(&[("a", 30), ("b", 12), ("c", 9)]), (vec![("a".to_owned(), 30)], 21));
    assert_eq!(self::levels(&[("a", 11), ("b", 9)], 0).shape, Shape::None);
    assert_eq!(self::levels(&[("a", 19)], 5).shape, Shape::None);
}

fn levels_of(counts: &[(&str, u64)]) -> (Vec<(String, u64)>, u64) {
    match levels(counts, 0).shape {
        Shape::Category { levels, other } => (levels, other),
        other => panic!("{other:?}"),
    }
}

/// By hand: 0 to 9, each ten times; bars of one, since they are whole and few. The ten least and the ten
/// greatest values lie beyond the ends.
#[test]
fn few_whole_numbers_have_a_bar_each() {
    let found = number((0..100).map(|row| f64::from(row % 10)).chain([f64::NAN, f64::INFINITY]).collect());
    let Shape::Number { edges, counts, mean, median, quantiles } = found.shape else { panic!("no numbers") };
    assert_eq!(edges, (0..=10).map(f64::from).collect::<Vec<_>>());
    assert_eq!(counts, [10; 10]);
    assert_eq!((mean, median, found.nulls, found.rows), (4.5, 4.5, 2, 102));
    assert_eq!(quantiles, (1..10).map(f64::from).collect::<Vec<_>>());
}

#[test]
fn no_single_value_is_told() {
    // One customer spent far more than all others.
    let mut values: Vec<f64> = (0..1000).map(|row| f64::from(row) + 0.123_456).collect();
    values.push(987_654.321);
    let text = serde_json::to_string(&number(values)).unwrap();
    assert!(!text.contains("98765") && !text.contains("98800") && !text.contains("123456"), "{text}");
    assert_eq!(number(vec![1.5; DESCRIBED_MIN - 1]).shape, Shape::None);
}

#[test]
fn narrow_ranges_far_from_zero_keep_their_digits() {
    let found = number((0..2000).map(|row| 2010.0 + f64::from(row) / 1000.0).collect());
    let Shape::Number { edges, counts, .. } = found.shape else { panic!("no numbers") };
    assert_eq!((counts.len(), edges[0], edges[20]), (20, 2010.02, 2011.98));
    let same = number(vec![0.0; 50]);
    let Shape::Number { edges, counts, .. } = same.shape else { panic!("no numbers") };
    assert_eq!((edges, counts), (vec![0.0, 1.0], vec![50]));
}

proptest! {
    #[test]
    fn bars_hold_all_values_and_none_a_few(
        values in proptest::collection::vec(prop_oneof![-1e6..1e6f64, Just(0.0), 0.0..3.0f64], 0..400),
        exponent in -8..8_i32,
    ) {
        let values: Vec<f64> = values.into_iter().map(|value| value * 10_f64.powi(exponent)).collect();
        let rows = values.len();
        match number(values.clone()).shape {
            Shape::Number { edges, counts, mean, quantiles, .. } => {
                prop_assert_eq!(counts.iter().sum::<u64>(), rows as u64);
                prop_assert!(counts.iter().all(|count| *count == 0 || *count >= TOGETHER_MIN as u64), "{:?}", counts);
                prop_assert_eq!(edges.len(), counts.len() + 1);
                prop_assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", edges);
                prop_assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", quantiles);
                prop_assert!(quantiles.len() < rows / TOGETHER_MIN);
                prop_assert!(mean.is_finite());
                let same = psi(&number(values.clone()), &number(values)).unwrap();
                prop_assert!(same.index.abs() < 1e-12);
            }
            shape => prop_assert!(rows < DESCRIBED_MIN && shape == Shape::None),
        }
    }
}
