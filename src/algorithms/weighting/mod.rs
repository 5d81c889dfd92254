//! Weights of interactions: what a count of purchases is worth to a recommender.

#[cfg(test)]
mod tests;

use super::sparse::{Csr, SparseError};

/// How the weight w of a user's entry for an item is replaced. A w that is not above zero becomes
/// zero under all of them but [`Weighting::Count`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weighting {
    /// 1 for every w above zero.
    Binary,
    /// w as it is.
    Count,
    /// 1 + ln w from w = 1 on, below it ln(1 + w) / ln 2: rising and continuous from 0.
    Log,
    /// √w · idf, as `implicit`'s `tfidf_weight`.
    TfIdf,
    /// (k1 + 1) w / (k1 · norm + w) · idf, as `implicit`'s `bm25_weight` (there k1 = 100, b = 0.8
    /// by default), where norm = 1 − b + b · length / mean length.
    Bm25 {
        /// How late repetitions stop counting: 0 is binary, large is proportional to w.
        k1: f64,
        /// How far long documents are held back, from 0 (not) to 1 (in proportion).
        b: f64,
    },
}

/// What takes the part of the document in [`Weighting::TfIdf`] and [`Weighting::Bm25`]; the other
/// takes the part of the term, of which idf = ln(documents) − ln(1 + documents with the term).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Documents {
    /// Items are documents and users terms: popular items and users with many items are held back.
    /// It is what `implicit`'s `TFIDFRecommender` and `BM25Recommender` do.
    #[default]
    Items,
    /// Users are documents and items terms: items that many have say little about a user.
    Users,
}

/// A weighting with what it has learned from a matrix of users × items.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    weighting: Weighting,
    documents: Documents,
    /// ln of the number of documents.
    log_documents: f64,
    /// For each item, where items are documents the sum of its weights, else its idf.
    of_items: Vec<f64>,
    /// The mean sum of weights of a document.
    mean_length: f64,
}

impl Weights {
    /// Learns from `interactions` (users × items) the idf and lengths of its items and the mean length
    /// of its documents; users and items without entries, who may come later, are none. Nothing is
    /// learned for the weightings that need none. Entries not above zero count as absent.
    pub fn fit(interactions: &Csr, weighting: Weighting, documents: Documents) -> Self {
        let needed = matches!(weighting, Weighting::TfIdf | Weighting::Bm25 { .. });
        let mut of_items = vec![0.0; if needed { interactions.columns() } else { 0 }];
        let (mut total, mut users) = (0.0, 0);
        let mut met = vec![false; of_items.len()];
        for user in 0..if needed { interactions.rows() } else { 0 } {
            users += usize::from(interactions.row(user).1.iter().any(|weight| *weight > 0.0));
            for (item, weight) in interactions.pairs(user).filter(|(_, weight)| *weight > 0.0) {
                met[item as usize] = true;
                of_items[item as usize] += match documents {
                    Documents::Items => weight,
                    Documents::Users => 1.0,
                };
                total += weight;
            }
        }
        let count = match documents {
            Documents::Items => met.into_iter().filter(|met| *met).count(),
            Documents::Users => users,
        };
        let log_documents = (count.max(1) as f64).ln();
        if documents == Documents::Users {
            of_items.iter_mut().for_each(|users| *users = idf(log_documents, *users));
        }
        Self { weighting, documents, log_documents, of_items, mean_length: total / count.max(1) as f64 }
    }

    /// The histories (users × items), weighted; the entries stay, in number and place. Users need not be
    /// those of the fit: an item that it had nobody for, or had not at all, counts as one without users.
    /// A term that all documents have, whose idf would be below zero, has idf 0.
    ///
    /// # Errors
    /// When weights overflow.
    pub fn apply(&self, histories: &Csr) -> Result<Csr, SparseError> {
        let users = 0..histories.rows();
        let starts = (0..=histories.rows()).map(|user| histories.start(user)).collect();
        let indices = users.clone().flat_map(|user| histories.row(user).0).copied().collect();
        let weighted = |user: usize| self.row(histories, user).map(|(_, weight)| weight);
        Csr::from_rows(histories.columns(), starts, indices, users.flat_map(weighted).collect())
    }

    /// One row of what [`Self::apply`] gives.
    pub fn row<'a>(&'a self, histories: &'a Csr, user: usize) -> impl Iterator<Item = (u32, f64)> + 'a {
        let above_zero = || histories.row(user).1.iter().filter(|weight| **weight > 0.0);
        let own = match self.documents {
            _ if self.of_items.is_empty() => 0.0,
            Documents::Items => idf(self.log_documents, above_zero().count() as f64),
            Documents::Users => above_zero().sum(),
        };
        histories.pairs(user).map(move |(item, weight)| {
            let of_item = || match (self.of_items.get(item as usize), self.documents) {
                (Some(known), _) => *known,
                (None, Documents::Items) => 0.0,
                (None, Documents::Users) => idf(self.log_documents, 0.0),
            };
            (item, self.weight(weight, own, of_item))
        })
    }

    /// One weight. `own` is what is known of the user as `of_item` is of the item.
    fn weight(&self, weight: f64, own: f64, of_item: impl Fn() -> f64) -> f64 {
        let length_and_idf = || match self.documents {
            Documents::Items => (of_item(), own),
            Documents::Users => (own, of_item()),
        };
        match self.weighting {
            Weighting::Count => weight,
            _ if weight.is_nan() || weight <= 0.0 => 0.0,
            Weighting::Binary => 1.0,
            Weighting::Log if weight >= 1.0 => 1.0 + weight.ln(),
            Weighting::Log => weight.ln_1p() / std::f64::consts::LN_2,
            Weighting::TfIdf => weight.sqrt() * length_and_idf().1,
            Weighting::Bm25 { k1, b } => {
                let (length, idf) = length_and_idf();
                let relative = if self.mean_length > 0.0 { length / self.mean_length } else { 1.0 };
                weight * (k1 + 1.0) / (k1 * (1.0 - b + b * relative) + weight) * idf
            }
        }
    }
}

/// ln(documents) − ln(1 + documents with the term), not below zero.
fn idf(log_documents: f64, with_term: f64) -> f64 {
    (log_documents - with_term.ln_1p()).max(0.0)
}
