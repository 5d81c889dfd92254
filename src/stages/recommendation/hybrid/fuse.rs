//! One list out of several.

use std::collections::BTreeMap;

use super::candidates::Candidate;

/// How lists are put together.
#[derive(Debug, Clone, PartialEq)]
pub struct Fusion {
    pub method: Method,
    /// What each part counts.
    pub weights: Vec<f64>,
    /// c in the reciprocal rank 1 / (c + rank).
    pub constant: f64,
}

/// How the parts of a list are weighed against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By the sum of weight / (c + rank) (Cormack et al. 2009).
    RankFusion,
    /// By the sum of weight · score.
    Weighted,
}

/// An item with what speaks for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    pub item: u32,
    pub score: f64,
    /// The part that adds most to the score.
    pub part: usize,
    pub because: Option<u32>,
}

impl Fusion {
    /// What a part's candidate adds to the score.
    pub fn share(&self, part: usize, candidate: &Candidate) -> f64 {
        let weight = self.weights.get(part).copied().unwrap_or(0.0);
        weight
            * match self.method {
                Method::RankFusion => 1.0 / (self.constant + f64::from(candidate.rank)),
                // The last of a list is still on it.
                Method::Weighted => 0.01 + 0.99 * candidate.score,
            }
    }

    /// The most that a part of weight 1 can add.
    pub fn share_max(&self) -> f64 {
        match self.method {
            Method::RankFusion => 1.0 / (self.constant + 1.0),
            Method::Weighted => 1.0,
        }
    }

    /// The `count` best items of a user's lists (one a part) that are wanted, best first, of equal ones the lower index
    /// first. Parts of weight 0 recommend nothing.
    pub fn fuse(&self, parts: &[&[Candidate]], count: usize, wanted: impl Fn(usize, u32) -> bool) -> Vec<Fused> {
        let mut found: BTreeMap<u32, (Fused, f64)> = BTreeMap::new();
        for (part, list) in parts.iter().enumerate() {
            for candidate in list.iter().filter(|candidate| wanted(part, candidate.item)) {
                let share = self.share(part, candidate);
                if share > 0.0 {
                    let first = Fused { item: candidate.item, score: 0.0, part, because: candidate.because };
                    let (fused, most) = found.entry(candidate.item).or_insert((first, 0.0));
                    fused.score += share;
                    if share > *most {
                        (fused.part, *most) = (part, share);
                        fused.because = candidate.because.or(fused.because);
                    } else {
                        fused.because = fused.because.or(candidate.because);
                    }
                }
            }
        }
        let mut fused: Vec<Fused> = found.into_values().map(|(fused, _)| fused).collect();
        // Ties keep the order of the items.
        fused.sort_by(|a, b| b.score.total_cmp(&a.score));
        fused.truncate(count);
        fused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[(u32, f64)]) -> Vec<Candidate> {
        let of = |(rank, (item, score)): (u32, &(u32, f64))| Candidate {
            item: *item,
            rank,
            score: *score,
            because: Some(*item + 100),
        };
        (1..).zip(items).map(of).collect()
    }

    fn items(fused: &[Fused]) -> Vec<u32> {
        fused.iter().map(|one| one.item).collect()
    }

    /// By hand with c = 1: item 7 has 1/2 + 1/3, 3 has 1/3 + 1/2, 5 has 1/4: 3 and 7 are equal and 3 comes first.
    #[test]
    fn ranks_are_fused() {
        let (a, b) = (list(&[(7, 1.0), (3, 0.5), (5, 0.0)]), list(&[(3, 1.0), (7, 0.0)]));
        let mut fusion = Fusion { method: Method::RankFusion, weights: vec![1.0, 1.0], constant: 1.0 };
        let found = fusion.fuse(&[&a, &b], 9, |_, _| true);
        assert_eq!(items(&found), [3, 7, 5]);
        assert!((found[0].score - 5.0 / 6.0).abs() < 1e-15);
        assert_eq!((found[0].part, found[1].part, found[0].because), (1, 0, Some(103)));
        fusion.weights = vec![1.0, 0.0];
        assert_eq!(items(&fusion.fuse(&[&a, &b], 2, |_, _| true)), [7, 3]);
        assert_eq!(items(&fusion.fuse(&[&a, &b], 9, |_, item| item != 7)), [3, 5]);
        fusion.method = Method::Weighted;
        fusion.weights = vec![1.0, 0.7];
        assert_eq!(items(&fusion.fuse(&[&a, &b], 9, |_, _| true)), [3, 7, 5]);
        assert!(fusion.fuse(&[], 9, |_, _| true).is_empty());
    }
}
