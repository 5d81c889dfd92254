//! Whether those who come first were customers before the data begins: then their first purchase is not the first, and
//! they buy more often than who is new.

use super::past::{Counting, Customer, periods};
use crate::stages::value::days::Days;

/// Days of a stretch, and stretches that the first is compared with.
const STRETCH_DAYS: i32 = 30;
const COMPARED: i32 = 3;
/// Days in which a customer may buy again.
const AGAIN_DAYS: i32 = 60;
/// How many times as many come in the first stretch, at the least.
const MORE_MIN: f64 = 1.5;
/// Standard errors by which more of them buy again, at the least.
const ERRORS_MIN: f64 = 3.0;

/// What gives them away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Truncated {
    /// Customers who bought first in the first stretch, and in each of those after it on average.
    pub customers: [f64; 2],
    /// Which share of them bought again soon.
    pub again: [f64; 2],
}

/// `None` where nothing points to it, or there is not enough time to tell. `end` is the day before which everything is
/// known.
pub fn find(days: &Days, counting: Counting, customers: &[Customer], end: i32) -> Option<Truncated> {
    let first = days.first()?;
    if end - first < (COMPARED + 1) * STRETCH_DAYS + AGAIN_DAYS {
        return None;
    }
    let (mut counts, mut again) = ([0.0; 2], [0.0; 2]);
    for customer in customers {
        let stretch = match (customer.first_day - first) / STRETCH_DAYS {
            0 => 0,
            1..=COMPARED => 1,
            _ => continue,
        };
        let own = periods(days.of_customer(customer.place as usize), counting.period);
        let mut repeats = own.filter(|(start, net)| *start > customer.first_day && counting.counts.is_purchase(*net));
        let is_soon = repeats.next().is_some_and(|(start, _)| start <= customer.first_day + AGAIN_DAYS);
        counts[stretch] += 1.0;
        again[stretch] += f64::from(u8::from(is_soon));
    }
    let [early, late] = counts;
    let share = (again[0] + again[1]) / (early + late);
    let error = (share * (1.0 - share) * (1.0 / early + 1.0 / late)).sqrt();
    let shares = [again[0] / early, again[1] / late];
    let each = late / f64::from(COMPARED);
    let is_so = early > MORE_MIN * each && shares[0] - shares[1] > ERRORS_MIN * error;
    is_so.then_some(Truncated { customers: [early, each], again: shares })
}
