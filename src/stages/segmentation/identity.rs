//! Who a segment is: tonight's clusters are matched to those of an earlier night, so that segment 3 is still segment 3.
//!
//! Pairs are chosen so that the squared distances between their centers, in tonight's prepared units, sum to the
//! least. A pair counts only if its two centers lie nearer to each other than each to the next of its own night: what
//! has moved further is another segment, and costs no more than that room. A cluster without a pair is new and gets a number that no segment ever had; a
//! segment without one is gone, and its number is not given again.

use indexmap::IndexMap;
use ndarray::Array2;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::names::Name;
use super::preparation::Preparation;
use crate::algorithms::assignment::least_cost;
use crate::stages::contract::Failure;
use crate::stages::model::Model;

/// Whose numbers and names the segments have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// Those of the segments of the newest earlier night that they continue.
    #[default]
    Stable,
    /// Their own, the largest first, every night anew.
    Fresh,
}

/// A segment of an earlier night.
#[derive(Debug, Clone, PartialEq)]
struct Past {
    number: i64,
    /// In tonight's prepared units.
    center: Vec<f64>,
}

/// The segments of an earlier night.
#[derive(Debug, Clone)]
pub struct Earlier {
    past: Vec<Past>,
    /// One a segment, in the same order.
    names: Vec<Name>,
    /// Segments that nothing of tonight can be compared with.
    lost: Vec<i64>,
    next: i64,
}

/// What a model file says of its segments.
pub trait Segments: DeserializeOwned {
    fn preparation(&self) -> &Preparation;

    /// The first number that no segment ever had.
    fn next_segment(&self) -> i64;

    /// Number, name and center in the units of the input.
    fn segments(&self) -> Vec<(i64, Name, IndexMap<String, f64>)>;
}

impl Earlier {
    /// Those of a model of the same kind; none of one that another program wrote. With other columns, or a center that
    /// cannot be prepared as tonight's rows are, a segment is lost: its number is not given again.
    pub fn read<S: Segments>(model: &Model, kind: &str, tonight: &Preparation) -> Result<Option<Earlier>, Failure> {
        if model.signature.kind != kind {
            return Ok(None);
        }
        let Ok(file) = model.main::<S>() else { return Ok(None) };
        let sorted = |preparation: &Preparation| {
            let mut names = preparation.columns.clone();
            names.sort_unstable();
            names
        };
        let is_comparable = sorted(file.preparation()) == sorted(tonight);
        let mut earlier = Earlier { past: vec![], names: vec![], lost: vec![], next: file.next_segment() };
        for (number, name, original) in file.segments() {
            match tonight.point(&original).ok().filter(|_| is_comparable) {
                Some(center) if center.iter().all(|value| value.is_finite()) => {
                    earlier.past.push(Past { number, center });
                    earlier.names.push(name);
                }
                _ => earlier.lost.push(number),
            }
        }
        Ok(Some(earlier))
    }

    /// The centers in tonight's prepared units (segments × columns).
    pub fn centers(&self) -> Result<Array2<f64>, Failure> {
        let width = self.past.first().map_or(0, |past| past.center.len());
        let values = self.past.iter().flat_map(|past| past.center.iter().copied()).collect();
        Array2::from_shape_vec((self.past.len(), width), values).map_err(|error| Failure::bug(error.to_string()))
    }

    fn name(&self, segment: i64) -> Option<Name> {
        let place = self.past.iter().position(|past| past.number == segment)?;
        self.names.get(place).cloned()
    }
}

/// Numbers for tonight's clusters, and what those that continue a segment were called.
pub fn identify(earlier: Option<&Earlier>, centers: &[Vec<f64>]) -> (Numbers, Vec<Option<Name>>) {
    let Some(earlier) = earlier else { return (first(centers.len()), vec![None; centers.len()]) };
    let mut numbers = matched(&earlier.past, earlier.next, centers);
    numbers.gone.extend(&earlier.lost);
    numbers.gone.sort_unstable();
    let names = numbers.numbers.iter().map(|number| earlier.name(*number)).collect();
    (numbers, names)
}

/// The numbers of tonight's clusters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Of each cluster, in the order in which they were given.
    pub numbers: Vec<i64>,
    /// Those that did not exist before.
    pub new: Vec<i64>,
    /// Those that do not exist any more.
    pub gone: Vec<i64>,
    /// The first that no segment ever had.
    pub next: i64,
}

/// Numbers from 1 in the order of the clusters, where there is no earlier night.
fn first(clusters: usize) -> Numbers {
    let numbers: Vec<i64> = (1..).take(clusters).collect();
    Numbers { next: clusters as i64 + 1, numbers, ..Numbers::default() }
}

/// Matches clusters to the segments of an earlier night, whose first free number was `next`.
fn matched(past: &[Past], next: i64, centers: &[Vec<f64>]) -> Numbers {
    let before: Vec<&[f64]> = past.iter().map(|past| past.center.as_slice()).collect();
    let now: Vec<&[f64]> = centers.iter().map(Vec::as_slice).collect();
    let (room_now, room_before) = (room(&now), room(&before));
    let limit = |cluster: usize, segment: usize| {
        let rooms = room_now.get(cluster).zip(room_before.get(segment));
        rooms.map_or(COST_MAX, |(now, before)| now.min(*before).min(COST_MAX))
    };
    let apart = |cluster: usize, segment: usize| {
        let (a, b) = (now.get(cluster).copied(), before.get(segment).copied());
        squared(a.unwrap_or_default(), b.unwrap_or_default())
    };
    // A pair that cannot count costs half of what each alone does, so that it does not decide who the others go with.
    let alone = |rooms: &[f64], place: usize| rooms.get(place).copied().unwrap_or(COST_MAX).min(COST_MAX) / 2.0;
    let costs = Array2::from_shape_fn((now.len(), before.len()), |(cluster, segment)| match apart(cluster, segment) {
        near if near < limit(cluster, segment) => near,
        _ => alone(&room_now, cluster) + alone(&room_before, segment),
    });
    let is_same = |(cluster, segment): (usize, Option<usize>)| {
        let segment = segment?;
        (apart(cluster, segment) < limit(cluster, segment)).then_some(past.get(segment)?.number)
    };
    let kept: Vec<Option<i64>> = least_cost(costs.view()).into_iter().enumerate().map(is_same).collect();
    let gone = past.iter().map(|past| past.number).filter(|number| !kept.contains(&Some(*number))).collect();
    let mut found = Numbers { next, gone, ..Numbers::default() };
    for number in kept {
        found.numbers.push(number.unwrap_or(found.next));
        if number.is_none() {
            found.new.push(found.next);
            found.next += 1;
        }
    }
    found
}

/// Where there is no other center; sums of it are finite still.
const COST_MAX: f64 = 1e200;

/// The squared distance of each center to the nearest other one.
fn room(centers: &[&[f64]]) -> Vec<f64> {
    let nearest = |(place, center): (usize, &&[f64])| {
        let others = centers.iter().enumerate().filter(|(other, _)| *other != place);
        others.map(|(_, other)| squared(center, other)).fold(f64::INFINITY, f64::min)
    };
    centers.iter().enumerate().map(nearest).collect()
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn past(segments: &[(i64, f64)]) -> Vec<Past> {
        segments.iter().map(|(number, place)| Past { number: *number, center: vec![*place, 0.0] }).collect()
    }

    fn centers(places: &[f64]) -> Vec<Vec<f64>> {
        places.iter().map(|place| vec![*place, 0.0]).collect()
    }

    #[test]
    fn segments_that_moved_a_little_keep_their_numbers() {
        let before = past(&[(1, 0.0), (2, 10.0), (4, 20.0)]);
        let found = matched(&before, 5, &centers(&[19.0, 1.0, 11.0]));
        assert_eq!(found, Numbers { numbers: vec![4, 1, 2], new: vec![], gone: vec![], next: 5 });
    }

    #[test]
    fn births_and_deaths() {
        let before = past(&[(1, 0.0), (2, 10.0), (3, 20.0)]);
        // One more than before: it is far from all.
        let found = matched(&before, 4, &centers(&[0.0, 10.0, 20.0, 40.0]));
        assert_eq!(found, Numbers { numbers: vec![1, 2, 3, 4], new: vec![4], gone: vec![], next: 5 });
        // One less.
        let found = matched(&before, 4, &centers(&[20.0, 0.0]));
        assert_eq!(found, Numbers { numbers: vec![3, 1], new: vec![], gone: vec![2], next: 4 });
        // As many, but one of them elsewhere: the number of the dead one is not given again.
        let found = matched(&before, 4, &centers(&[0.0, 10.0, 90.0]));
        assert_eq!(found, Numbers { numbers: vec![1, 2, 4], new: vec![4], gone: vec![3], next: 5 });
    }

    /// By hand: pairing all three in order costs 3 · 81, the right one 1 + 1 + 100, the room of the first.
    #[test]
    fn one_that_is_born_as_another_dies_does_not_push_the_others() {
        let before = past(&[(1, 0.0), (2, 10.0), (3, 20.0)]);
        for now in [[9.0, 19.0, 29.0], [10.0, 20.0, 30.0]] {
            let found = matched(&before, 4, &centers(&now));
            assert_eq!(found, Numbers { numbers: vec![2, 3, 4], new: vec![4], gone: vec![1], next: 5 }, "{now:?}");
        }
    }

    /// Three stay, one dies at one end and one is born at the other.
    #[test]
    fn what_stays_where_it_was_is_the_same() {
        let at = |places: [(f64, f64); 4]| places.map(|(a, b)| vec![a, b]);
        let before: Vec<Past> = at([(0.0, 0.0), (5.0, 0.0), (0.0, 5.0), (-9.0, -9.0)])
            .into_iter()
            .zip(1..)
            .map(|(center, number)| Past { number, center })
            .collect();
        let found = matched(&before, 5, &at([(0.0, 0.0), (5.0, 0.0), (0.0, 5.0), (9.0, 9.0)]));
        assert_eq!(found, Numbers { numbers: vec![1, 2, 3, 5], new: vec![5], gone: vec![4], next: 6 });
    }

    #[test]
    fn without_a_past_numbers_begin_at_one() {
        assert_eq!(first(3), Numbers { numbers: vec![1, 2, 3], new: vec![], gone: vec![], next: 4 });
        assert_eq!(matched(&[], 7, &centers(&[1.0])).numbers, [7]);
        assert_eq!(matched(&past(&[(3, 1.0)]), 4, &centers(&[50.0])).numbers, [3], "the only ones are the same");
    }

    proptest! {
        /// Whatever the order in which clusters come, and however little they moved.
        #[test]
        fn order_does_not_matter(
            order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(), shifts in proptest::collection::vec(-0.4..0.4_f64, 8),
        ) {
            let before: Vec<(i64, f64)> = (0..8).map(|place| (i64::from(place) + 1, f64::from(place))).collect();
            let now: Vec<f64> = order.iter().map(|place| *place as f64 + shifts[*place]).collect();
            let found = matched(&past(&before), 9, &centers(&now));
            // Neighbors may come nearer to each other than they moved.
            let near = (0..7).any(|place| (1.0 + shifts[place + 1] - shifts[place]) <= 0.4);
            prop_assume!(!near);
            let expected: Vec<i64> = order.iter().map(|place| *place as i64 + 1).collect();
            prop_assert_eq!(found.numbers, expected);
        }
    }
}
