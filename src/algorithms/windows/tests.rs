use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000_000;

fn call(aggregation: Aggregation, argument: Option<usize>, mask: Option<usize>, window: Window) -> Call {
    Call { aggregation, argument, mask, window }
}

fn run(
    keys: &[i64],
    times: &[i64],
    values: &[Values],
    masks: &[Vec<bool>],
    moments: &[i64],
    calls: &[Call],
) -> Aggregated {
    let (codes, entities) = coded(keys);
    let order = group_by_entity(&codes, entities.len());
    let snapshots: Vec<Snapshot> =
        moments.iter().map(|moment| Snapshot { moment: *moment, known: vec![true; calls.len()] }).collect();
    aggregate(&Events { times, order: &order, values, masks }, &snapshots, calls, 0..entities.len()).unwrap()
}

/// Each key's place among the distinct keys, ascending, and these.
fn coded(keys: &[i64]) -> (Vec<u32>, Vec<i64>) {
    let mut distinct = keys.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let codes = keys.iter().map(|key| distinct.partition_point(|one| one < key) as u32).collect();
    (codes, distinct)
}

fn floats(data: &[f64]) -> Values {
    Values::new(Data::Floats(data.to_vec()), None)
}

#[test]
fn windows_are_half_open() {
    let calls = [
        call(Aggregation::Count, None, None, Window::Before),
        call(Aggregation::Count, None, None, Window::Last(2 * DAY)),
        call(Aggregation::Count, None, None, Window::Next(2 * DAY)),
    ];
    let times: Vec<i64> = (0..6).map(|day| day * DAY).collect();
    let result = run(&[7; 6], &times, &[], &[], &[3 * DAY], &calls);
    let counts: Vec<i64> = result
        .columns
        .iter()
        .map(|column| match column {
            Column::Integers { data, .. } => data[0],
            Column::Floats { .. } => panic!("counts are integers"),
        })
        .collect();
    assert_eq!(counts, [3, 2, 2]);
}

#[test]
fn of_an_empty_window_counts_and_sums_are_zero_and_all_else_is_missing() {
    let all = [
        Aggregation::Count,
        Aggregation::CountDistinct,
        Aggregation::Sum,
        Aggregation::Average,
        Aggregation::Min,
        Aggregation::Quantile(0.5),
        Aggregation::StandardDeviation { population: false },
        Aggregation::Mode,
        Aggregation::First,
    ];
    let calls: Vec<Call> = all.iter().map(|one| call(*one, Some(0), None, Window::Last(DAY))).collect();
    let result = run(&[1], &[0], &[floats(&[5.0])], &[], &[10 * DAY], &calls);
    let valid: Vec<bool> = result
        .columns
        .iter()
        .map(|column| match column {
            Column::Integers { valid, .. } | Column::Floats { valid, .. } => valid[0],
        })
        .collect();
    assert_eq!(valid, [true, true, true, false, false, false, false, false, false]);
}

#[test]
fn ties_of_mode_take_the_smallest() {
    let calls = [call(Aggregation::Mode, Some(0), None, Window::Before)];
    let result = run(&[1; 5], &[0, 1, 2, 3, 4], &[floats(&[3.0, 2.0, 3.0, 2.0, 1.0])], &[], &[DAY], &calls);
    assert_eq!(result.columns, [Column::Floats { data: vec![2.0], valid: vec![true] }]);
}

#[test]
fn an_integer_sum_beyond_64_bits_is_an_error() {
    let order = group_by_entity(&[0, 0], 1);
    let values = [Values::new(Data::Integers(vec![i64::MAX, 1]), None)];
    let events = Events { times: &[0, 1], order: &order, values: &values, masks: &[] };
    let snapshots = [Snapshot { moment: DAY, known: vec![true] }];
    let calls = [call(Aggregation::Sum, Some(0), None, Window::Before)];
    assert_eq!(aggregate(&events, &snapshots, &calls, 0..1), Err(WindowError::Overflow));
}

/// The same by definition: filter the events of each window, then aggregate.
fn by_definition(
    keys: &[i64],
    times: &[i64],
    values: &[f64],
    mask: &[bool],
    moments: &[i64],
    call: &Call,
) -> Vec<(i64, usize, Option<f64>)> {
    let mut entities: Vec<i64> = keys.to_vec();
    entities.sort_unstable();
    entities.dedup();
    let mut rows = vec![];
    for entity in entities {
        for (snapshot, moment) in moments.iter().enumerate() {
            let (start, end) = match call.window {
                Window::Before => (i64::MIN, *moment),
                Window::Last(length) => (moment - length, *moment),
                Window::Next(length) => (*moment, moment + length),
            };
            let mine = |i: &usize| keys[*i] == entity;
            if !(0..keys.len()).filter(mine).any(|i| times[i] < *moment) {
                continue;
            }
            let mut window: Vec<f64> = (0..keys.len())
                .filter(mine)
                .filter(|i| mask[*i] && times[*i] >= start && times[*i] < end)
                .map(|i| values[i])
                .collect();
            let n = window.len();
            let sum: f64 = window.iter().sum();
            let value = match call.aggregation {
                Aggregation::Count => Some(n as f64),
                Aggregation::Sum => Some(sum),
                Aggregation::Average => (n > 0).then(|| sum / n as f64),
                Aggregation::Max => window.iter().copied().reduce(f64::max),
                Aggregation::CountDistinct => {
                    window.sort_by(f64::total_cmp);
                    window.dedup();
                    Some(window.len() as f64)
                }
                Aggregation::Quantile(_) => {
                    window.sort_by(f64::total_cmp);
                    (n > 0).then(|| (window[(n - 1) / 2] + window[n / 2]) / 2.0)
                }
                _ => unreachable!(),
            };
            rows.push((entity, snapshot, value));
        }
    }
    rows
}

proptest! {
    #[test]
    fn equals_the_definition(
        events in prop::collection::vec((0i64..5, 0i64..400, -20i32..20, any::<bool>()), 1..120),
        start in 0i64..200,
    ) {
        let keys: Vec<i64> = events.iter().map(|e| e.0).collect();
        let times: Vec<i64> = events.iter().map(|e| e.1 * DAY / 4).collect();
        let values: Vec<f64> = events.iter().map(|e| f64::from(e.2)).collect();
        let mask: Vec<bool> = events.iter().map(|e| e.3).collect();
        let moments: Vec<i64> = (0..4).map(|k| (start / 4 + 20 * k) * DAY).collect();
        for aggregation in [
            Aggregation::Count, Aggregation::Sum, Aggregation::Average, Aggregation::Max,
            Aggregation::CountDistinct, Aggregation::Quantile(0.5),
        ] {
            for window in [Window::Before, Window::Last(30 * DAY), Window::Next(15 * DAY)] {
                let one = call(aggregation, Some(0), Some(0), window);
                let result = run(&keys, &times, &[floats(&values)], std::slice::from_ref(&mask), &moments, &[one]);
                let (_, entities) = coded(&keys);
                let got: Vec<(i64, usize, Option<f64>)> = (0..result.entities.len()).map(|row| {
                    let value = match &result.columns[0] {
                        Column::Integers { data, valid } => valid[row].then(|| data[row] as f64),
                        Column::Floats { data, valid } => valid[row].then(|| data[row]),
                    };
                    (entities[result.entities[row] as usize], result.snapshots[row] as usize, value)
                }).collect();
                let expected = by_definition(&keys, &times, &values, &mask, &moments, &one);
                prop_assert_eq!(got.len(), expected.len());
                for (got, expected) in got.iter().zip(&expected) {
                    prop_assert_eq!((got.0, got.1), (expected.0, expected.1));
                    match (got.2, expected.2) {
                        (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-9, "{a} {b}"),
                        (a, b) => prop_assert_eq!(a, b),
                    }
                }
            }
        }
    }

    #[test]
    fn the_future_changes_no_feature(
        past in prop::collection::vec((0i64..4, 0i64..100, -20i32..20), 1..60),
        future in prop::collection::vec((0i64..4, 100i64..200, -20i32..20), 0..60),
    ) {
        let calls = [
            call(Aggregation::Sum, Some(0), None, Window::Before),
            call(Aggregation::Mode, Some(0), None, Window::Last(30 * DAY)),
            call(Aggregation::CountDistinct, Some(0), None, Window::Before),
        ];
        let of = |events: &[(i64, i64, i32)]| {
            let keys: Vec<i64> = events.iter().map(|e| e.0).collect();
            let times: Vec<i64> = events.iter().map(|e| e.1 * DAY).collect();
            let values: Vec<f64> = events.iter().map(|e| f64::from(e.2)).collect();
            run(&keys, &times, &[floats(&values)], &[], &[50 * DAY, 100 * DAY], &calls).columns
        };
        let both: Vec<_> = past.iter().chain(&future).copied().collect();
        prop_assert_eq!(of(&past), of(&both));
    }
}
