//! What a user may be shown: what every recommender asks before it ranks.

use super::sparse::Csr;

/// Which items each user may be recommended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Users × items: what a user has and is not to be shown again.
    pub seen: Option<&'a Csr>,
    /// For each item whether anyone may be shown it; without it all may be.
    pub eligible: Option<&'a [bool]>,
}

impl<'a> Wanted<'a> {
    /// Everything to everyone but what they have in `seen`.
    pub fn unseen(seen: &'a Csr) -> Self {
        Self { seen: Some(seen), eligible: None }
    }

    /// The items that a user is not to be shown again, ascending.
    pub fn seen_by(&self, user: usize) -> &'a [u32] {
        self.seen.map_or(&[], |seen| seen.row(user).0)
    }

    /// Whether anyone may be shown an item.
    pub fn is_eligible(&self, item: u32) -> bool {
        self.eligible.is_none_or(|eligible| eligible.get(item as usize).copied().unwrap_or(false))
    }

    /// Whether this user may be shown an item.
    pub fn by(&self, user: usize) -> impl Fn(u32) -> bool + use<'a> {
        let (of_all, seen) = (*self, self.seen_by(user));
        move |item| of_all.is_eligible(item) && seen.binary_search(&item).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::sparse::Duplicates;

    #[test]
    fn seen_and_ineligible_items_are_not_wanted() {
        let seen = Csr::from_triples(2, 4, vec![(0, 1, 1.0), (0, 3, 1.0)], Duplicates::Once).unwrap();
        let eligible = [true, true, false, true];
        let wanted = Wanted { seen: Some(&seen), eligible: Some(&eligible) };
        let of = |user: usize| (0..5).filter(|item| wanted.by(user)(*item)).collect::<Vec<u32>>();
        assert_eq!(of(0), [0]);
        assert_eq!(of(1), [0, 1, 3], "an item beyond the list is nobody's");
        assert!(Wanted::default().by(9)(7));
    }
}
