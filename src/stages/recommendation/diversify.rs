//! Lists whose items differ from each other: maximal marginal relevance, and at most so many of a category.

use std::collections::HashMap;

/// What items have in common.
pub struct Common<'a> {
    /// What difference counts against likeness, 0 to 1.
    pub strength: f64,
    /// For each item those like it, ascending by index, with their cosine; all others have nothing in common.
    pub alike: Vec<Vec<(u32, f64)>>,
    /// For each item its category; items without one count to none.
    pub categories: Option<&'a [Option<u32>]>,
    /// How many of a category a list has at most.
    pub per_category: usize,
}

impl Common<'_> {
    fn cosine(&self, one: u32, other: u32) -> f64 {
        let alike = self.alike.get(one as usize).map(Vec::as_slice).unwrap_or_default();
        alike.binary_search_by_key(&other, |(item, _)| *item).map_or(0.0, |place| alike.get(place).map_or(0.0, |x| x.1))
    }

    /// The `count` items of `pool` (best first) that a list shows, in its order, with the scores they had.
    ///
    /// The next is the one with the highest (1 − strength) · s − strength · c: s is its score, from 0 to 1 within the
    /// pool, and c its greatest cosine with those chosen already. Of equal ones the better scored comes first.
    pub fn choose(&self, pool: &[(u32, f64)], count: usize) -> Vec<(u32, f64)> {
        let (most, least) = match (pool.first(), pool.last()) {
            (Some(first), Some(last)) => (first.1, last.1),
            _ => return vec![],
        };
        let span = most - least;
        let relevance = |score: f64| if span > 0.0 { (score - least) / span } else { 1.0 };
        let mut left: Vec<(u32, f64, f64)> = pool.iter().map(|(item, score)| (*item, *score, 0.0)).collect();
        let mut taken: HashMap<u32, usize> = HashMap::new();
        let mut chosen = Vec::with_capacity(count.min(pool.len()));
        while chosen.len() < count {
            left.retain(|(item, ..)| {
                self.category(*item).is_none_or(|c| taken.get(&c).copied().unwrap_or(0) < self.per_category)
            });
            let value = |one: &(u32, f64, f64)| (1.0 - self.strength) * relevance(one.1) - self.strength * one.2;
            let mut best: Option<(usize, f64)> = None;
            for (place, one) in left.iter().enumerate() {
                let found = value(one);
                if best.is_none_or(|(_, most)| found > most) {
                    best = Some((place, found));
                }
            }
            let Some((place, _)) = best else { break };
            let (item, score, _) = left.remove(place);
            chosen.push((item, score));
            if let Some(category) = self.category(item) {
                *taken.entry(category).or_default() += 1;
            }
            if self.strength > 0.0 {
                left.iter_mut().for_each(|one| one.2 = one.2.max(self.cosine(item, one.0)));
            }
        }
        chosen
    }

    fn category(&self, item: u32) -> Option<u32> {
        self.categories.and_then(|categories| categories.get(item as usize).copied().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: [(u32, f64); 4] = [(3, 1.0), (1, 0.9), (0, 0.6), (2, 0.5)];

    fn items(common: &Common<'_>, count: usize) -> Vec<u32> {
        common.choose(&POOL, count).into_iter().map(|(item, _)| item).collect()
    }

    /// 1 is 3's double. By hand, strength 0.5: after 3 (1.0) come 0 (0.5 · 0.2 = 0.1), then 2 (0), then 1
    /// (0.5 · 0.8 − 0.5 = −0.1).
    #[test]
    fn doubles_come_later() {
        let mut alike = vec![vec![]; 4];
        alike[3] = vec![(1, 1.0)];
        alike[1] = vec![(3, 1.0)];
        let mut common = Common { strength: 0.5, alike, categories: None, per_category: 9 };
        assert_eq!(items(&common, 4), [3, 0, 2, 1]);
        common.strength = 0.0;
        assert_eq!(items(&common, 3), [3, 1, 0]);
    }

    #[test]
    fn a_category_fills_up() {
        let categories = [Some(1), Some(1), None, Some(1)];
        let common = Common { strength: 0.0, alike: vec![], categories: Some(&categories), per_category: 2 };
        assert_eq!(items(&common, 4), [3, 1, 2]);
        assert_eq!(common.choose(&[], 3), []);
    }
}
