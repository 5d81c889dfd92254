//! What models of purchases know of a customer.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// When a customer bought, in any unit of time: all that the models need to know (it is sufficient).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Purchases after the first one, x.
    pub repeats: u32,
    /// From the first purchase to the last one, tₓ; zero without repeats.
    pub recency: f64,
    /// From the first purchase to the end of what is observed, T.
    pub age: f64,
    /// To which cohort the customer belongs, from zero.
    pub cohort: u32,
}

impl History {
    /// Whether the numbers can be those of a customer: finite, in order, and of repeats only where there is time for them.
    pub(super) fn is_possible(&self) -> bool {
        let ordered = self.recency >= 0.0 && self.recency <= self.age && self.age.is_finite();
        ordered && (self.repeats > 0) == (self.recency > 0.0)
    }
}

/// Customers whose histories are the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    pub history: History,
    pub customers: u32,
}

/// Groups customers by their histories. Gives the groups, sorted by cohort, repeats, age and recency, and the group of
/// each customer.
pub fn grouped(histories: &[History]) -> (Vec<Group>, Vec<u32>) {
    // Numbers that are not below zero are in the order of their bits.
    let key = |(place, own): (usize, &History)| {
        (own.cohort, own.repeats, own.age.to_bits(), own.recency.to_bits(), place as u32)
    };
    let mut order: Vec<_> = histories.par_iter().enumerate().map(key).collect();
    order.par_sort_unstable();
    let (mut groups, mut of): (Vec<Group>, Vec<u32>) = (Vec::new(), vec![0; histories.len()]);
    for (cohort, repeats, age, recency, place) in order {
        let history = History { repeats, recency: f64::from_bits(recency), age: f64::from_bits(age), cohort };
        match groups.last_mut() {
            Some(last) if last.history == history => last.customers += 1,
            _ => groups.push(Group { history, customers: 1 }),
        }
        if let Some(slot) = of.get_mut(place as usize) {
            *slot = groups.len() as u32 - 1;
        }
    }
    (groups, of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(repeats: u32, recency: f64, age: f64) -> History {
        History { repeats, recency, age, cohort: 0 }
    }

    #[test]
    fn equal_histories_are_one_group() {
        let all = [history(1, 2.0, 5.0), history(0, 0.0, 5.0), history(1, 2.0, 5.0), history(1, 3.0, 5.0)];
        let (groups, of) = grouped(&all);
        assert_eq!(groups.iter().map(|group| group.customers).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(of, [1, 0, 1, 2]);
        assert!(all.iter().zip(&of).all(|(history, group)| groups[*group as usize].history == *history));
    }

    #[test]
    fn impossible_ones_are_known() {
        assert!(history(0, 0.0, 0.0).is_possible() && history(2, 1.0, 1.0).is_possible());
        for wrong in [history(0, 1.0, 2.0), history(1, 0.0, 2.0), history(1, 3.0, 2.0), history(1, 1.0, f64::NAN)] {
            assert!(!wrong.is_possible(), "{wrong:?}");
        }
    }
}
