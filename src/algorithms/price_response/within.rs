//! What is left of values when the means of their customers and of their items are taken away.

use rayon::prelude::*;

use super::Line;

/// Rounds after which it is good enough; each takes away what the last one left by an ever smaller part.
const ROUNDS_MAX: usize = 100;
/// A round that moves nothing by more, against the deviation of the values, is the last.
const TOLERANCE: f64 = 1e-7;

/// Takes both means away from each column, in turns until nothing moves (von Neumann's alternating projections).
pub(super) fn both(lines: &[Line], columns: [Vec<f64>; 3], customers: usize, items: usize) -> [Vec<f64>; 3] {
    let customer: Vec<u32> = lines.iter().map(|line| line.customer).collect();
    let item: Vec<u32> = lines.iter().map(|line| line.item).collect();
    let counts = |places: &[u32], count: usize| {
        let mut counts = vec![0.0_f64; count];
        for place in places {
            if let Some(count) = counts.get_mut(*place as usize) {
                *count += 1.0;
            }
        }
        counts
    };
    let (of_customers, of_items) = (counts(&customer, customers), counts(&item, items));
    let each = |mut values: Vec<f64>| {
        let size = deviation(&values);
        for _ in 0..ROUNDS_MAX {
            take_away(&mut values, &item, &of_items);
            if take_away(&mut values, &customer, &of_customers) <= TOLERANCE * size {
                break;
            }
        }
        values
    };
    let done: Vec<Vec<f64>> = columns.into_par_iter().map(each).collect();
    done.try_into().unwrap_or_default()
}

/// Takes the means of places away; gives the largest of them.
fn take_away(values: &mut [f64], places: &[u32], counts: &[f64]) -> f64 {
    let mut means = vec![0.0; counts.len()];
    for (value, place) in values.iter().zip(places) {
        if let Some(mean) = means.get_mut(*place as usize) {
            *mean += value;
        }
    }
    for (mean, count) in means.iter_mut().zip(counts) {
        *mean /= count.max(1.0);
    }
    for (value, place) in values.iter_mut().zip(places) {
        *value -= means.get(*place as usize).copied().unwrap_or(0.0);
    }
    means.iter().fold(0.0, |most, mean| most.max(mean.abs()))
}

fn deviation(values: &[f64]) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}
