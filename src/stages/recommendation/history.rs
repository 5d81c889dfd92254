//! What users had until a moment: a sparse matrix of users × items, and when each pair last met.

use rayon::prelude::*;

use super::interactions::{Decay, Interactions, Row};
use crate::algorithms::sparse::Csr;
use crate::metrics::profile::ColumnProfile;
use crate::stages::contract::Failure;

/// What the interactions until a moment come to.
#[derive(Debug, Clone)]
pub struct History {
    /// Users × items: the weight of each pair, above zero.
    pub weights: Csr,
    /// When each pair last met, in the order of the entries of `weights`.
    pub latest: Vec<i64>,
    /// How many orders each user has.
    pub orders: Vec<u32>,
    /// Interactions that were kept.
    pub rows: usize,
    /// Pairs whose weights come to nothing or less: returned, or weighted so.
    pub dropped: usize,
}

/// The items of one user.
#[derive(Default)]
struct OfUser {
    items: Vec<u32>,
    weights: Vec<f64>,
    latest: Vec<i64>,
    orders: u32,
    rows: usize,
    dropped: usize,
}

impl History {
    /// Of the rows that are kept. Without weights a pair weighs the number of its orders; each weight counts less by
    /// its age, as `decay` says.
    pub(super) fn of(
        interactions: &Interactions,
        decay: Decay,
        keep: impl Fn(&Row) -> bool + Sync,
    ) -> Result<History, Failure> {
        let users = interactions.users.len();
        let of_user = |user: usize| of_user(interactions, user, decay, &keep);
        let found: Vec<OfUser> = (0..users).into_par_iter().map(of_user).collect();
        let entries = found.iter().map(|user| user.items.len()).sum();
        let (mut starts, mut items) = (Vec::with_capacity(users + 1), Vec::with_capacity(entries));
        let (mut weights, mut latest) = (Vec::with_capacity(entries), Vec::with_capacity(entries));
        starts.push(0);
        let mut history = History { weights: Csr::empty(0, 0), latest: vec![], orders: vec![], rows: 0, dropped: 0 };
        for user in found {
            items.extend(user.items);
            weights.extend(user.weights);
            latest.extend(user.latest);
            starts.push(items.len());
            history.orders.push(user.orders);
            history.rows += user.rows;
            history.dropped += user.dropped;
        }
        history.weights = Csr::from_rows(interactions.items.len(), starts, items, weights)
            .map_err(|error| Failure::data(format!("failed to {error}")))?;
        history.latest = latest;
        Ok(history)
    }

    /// For each item how many users met it last at or after a time, in microseconds.
    pub fn users_per_item(&self, since_us: i64) -> Vec<f64> {
        let mut users = vec![0.0; self.weights.columns()];
        let items = (0..self.weights.rows()).flat_map(|user| self.weights.row(user).0);
        for (item, _) in items.zip(&self.latest).filter(|(_, latest)| **latest >= since_us) {
            if let Some(users) = users.get_mut(*item as usize) {
                *users += 1.0;
            }
        }
        users
    }

    /// What each user met at or after a time: the entries as 1.
    pub fn since(&self, time: i64) -> Result<Csr, Failure> {
        self.part(|_, _, latest| latest >= time)
    }

    /// The entries of `weights` that a test on user, item and time keeps, as 1.
    pub fn part(&self, keep: impl Fn(usize, u32, i64) -> bool) -> Result<Csr, Failure> {
        let (mut starts, mut items) = (vec![0], vec![]);
        let mut at = 0;
        for user in 0..self.weights.rows() {
            for item in self.weights.row(user).0 {
                let latest = self.latest.get(at).copied().unwrap_or(i64::MAX);
                at += 1;
                if keep(user, *item, latest) {
                    items.push(*item);
                }
            }
            starts.push(items.len());
        }
        let ones = vec![1.0; items.len()];
        Csr::from_rows(self.weights.columns(), starts, items, ones)
            .map_err(|error| Failure::data(format!("failed to {error}")))
    }

    /// The items of a user, the most recently met first, of equally recent ones the lower index first.
    pub fn recent(&self, user: usize) -> Vec<u32> {
        let start = self.weights.start(user);
        let items = self.weights.row(user).0;
        let mut dated: Vec<(i64, u32)> =
            self.latest.iter().skip(start).zip(items).map(|(latest, item)| (*latest, *item)).collect();
        dated.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        dated.into_iter().map(|(_, item)| item).collect()
    }

    /// How much there is to learn from.
    pub fn profile(&self, interactions: &Interactions) -> Vec<ColumnProfile> {
        let of_users =
            |count: &dyn Fn(usize) -> usize| (0..self.weights.rows()).map(|user| count(user) as f64).collect();
        let any = |mut counts: Vec<f64>| {
            counts.retain(|count| *count > 0.0);
            counts
        };
        let rows: Vec<f64> = of_users(&|user| interactions.of(user).len());
        let items: Vec<f64> = of_users(&|user| self.weights.row(user).0.len());
        vec![
            ColumnProfile::of_numbers("interactions_per_user", any(rows)),
            ColumnProfile::of_numbers("items_per_user", any(items)),
            ColumnProfile::of_numbers("users_per_item", any(self.users_per_item(i64::MIN))),
        ]
    }
}

fn of_user(interactions: &Interactions, user: usize, decay: Decay, keep: impl Fn(&Row) -> bool) -> OfUser {
    let mut found = OfUser::default();
    let mut orders: Vec<(u32, i64)> = Vec::new();
    for pair in interactions.of(user).chunk_by(|a, b| a.item == b.item) {
        let mut own: Vec<&Row> = pair.iter().filter(|row| keep(row)).collect();
        let Some(latest) = own.iter().map(|row| row.time).max() else { continue };
        found.rows += own.len();
        orders.extend(own.iter().map(|row| interactions.order_of(row)));
        let item = own.first().map_or(0, |row| row.item);
        let weight: f64 = if interactions.is_weighted() {
            own.iter().map(|row| f64::from(row.weight) * decay.factor(row.time)).sum()
        } else {
            own.sort_by_key(|row| interactions.order_of(row));
            own.dedup_by_key(|row| interactions.order_of(row));
            own.iter().map(|row| decay.factor(row.time)).sum()
        };
        if weight > 0.0 {
            found.items.push(item);
            found.weights.push(weight);
            found.latest.push(latest);
        } else {
            found.dropped += 1;
        }
    }
    orders.sort_unstable();
    orders.dedup();
    found.orders = u32::try_from(orders.len()).unwrap_or(u32::MAX);
    found
}
