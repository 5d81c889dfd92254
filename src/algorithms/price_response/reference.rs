//! What an item usually costs.

use rayon::prelude::*;

use super::Line;

/// With fewer prices in a period, the usual price is that of all periods together.
const PRICES_MIN: usize = 5;

/// Of each line the usual price of its item: the median of what was paid for it in the period, by whomever, so that a few
/// who pay less because they buy more hardly move it.
pub fn usual_prices(lines: &[Line]) -> Vec<f64> {
    let mut order: Vec<u32> = (0..lines.len() as u32).collect();
    let of = |place: &u32| lines.get(*place as usize);
    let key = |place: &u32| of(place).map_or((0, 0), |line| (line.item, line.period));
    let price = |place: &u32| of(place).map_or(0.0, |line| line.price);
    order.par_sort_unstable_by(|a, b| key(a).cmp(&key(b)).then_with(|| price(a).total_cmp(&price(b))).then(a.cmp(b)));
    let mut usual = vec![0.0; lines.len()];
    for item in order.chunk_by(|a, b| key(a).0 == key(b).0) {
        let mut all = None;
        for period in item.chunk_by(|a, b| key(a) == key(b)) {
            let median = if period.len() >= PRICES_MIN {
                median(&period.iter().map(price).collect::<Vec<f64>>())
            } else {
                *all.get_or_insert_with(|| {
                    let mut prices: Vec<f64> = item.iter().map(price).collect();
                    prices.sort_unstable_by(f64::total_cmp);
                    median(&prices)
                })
            };
            for place in period {
                if let Some(slot) = usual.get_mut(*place as usize) {
                    *slot = median;
                }
            }
        }
    }
    usual
}

/// Of sorted values, at least one; the mean of the two in the middle, in proportion.
fn median(sorted: &[f64]) -> f64 {
    let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { at(middle) } else { (at(middle - 1) * at(middle)).sqrt() }
}
