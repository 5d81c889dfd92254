//! Texts as rows of numbers: words, n-grams of words, and TF-IDF (Salton and Buckley 1988).

mod stop_words;
#[cfg(test)]
mod tests;
mod tokens;
mod vocabulary;

pub use stop_words::Language;
pub use tokens::words;
pub use vocabulary::Vocabulary;

use super::sparse::SparseError;
use serde::{Deserialize, Serialize};

/// The most words that may make a term: with each more, a text has as many more terms as it has words.
pub const MOST_WORDS: usize = 8;

/// What becomes a term of a [`Vocabulary`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Words that are no terms, in any case; n-grams are made of what is left.
    pub stop_words: Vec<String>,
    /// Languages of which the short built-in list of stop words is added to those.
    pub languages: Vec<Language>,
    /// The fewest and the most words that make a term, from 1 to [`MOST_WORDS`].
    pub ngrams: (usize, usize),
    /// A term found in fewer texts is left out.
    pub min_document_frequency: Frequency,
    /// A term found in more texts is left out.
    pub max_document_frequency: Frequency,
    /// Whether a term that a text has `n` times counts 1 + ln n there and not `n`.
    pub sublinear: bool,
    /// The most terms to keep: those found in most texts, of equal ones the first by code points.
    pub max_terms: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            stop_words: Vec::new(),
            languages: Vec::new(),
            ngrams: (1, 2),
            min_document_frequency: Frequency::Count(1),
            max_document_frequency: Frequency::Share(0.5),
            sublinear: true,
            max_terms: 50_000,
        }
    }
}

/// A number of texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// So many.
    Count(u32),
    /// A share of all texts, empty ones included, from 0 to 1.
    Share(f64),
}

impl Frequency {
    fn of(self, texts: usize) -> f64 {
        match self {
            Self::Count(count) => f64::from(count),
            Self::Share(share) => share * texts as f64,
        }
    }
}

/// Why texts make no vocabulary. Texts are never quoted, since they may be personal.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TextError {
    /// An n-gram of no words, or a range without an n.
    #[error("make terms of {min} to {max} words: at least 1, at most {most}, the fewest first", most = MOST_WORDS)]
    Ngrams {
        /// The fewest words asked for.
        min: usize,
        /// The most words asked for.
        max: usize,
    },
    /// A share that is none.
    #[error("use {0} as a share of texts: it is not between 0 and 1")]
    Share(f64),
    /// Nothing is frequent enough and rare enough, or no text has a word.
    #[error("learn terms from {texts} texts: of {found} terms found none is within the limits of frequency and number")]
    NoTerms {
        /// Texts given, empty ones included.
        texts: usize,
        /// Terms found before the limits; stop words are none.
        found: usize,
    },
    /// A saved vocabulary that is not one.
    #[error("use a saved vocabulary: its terms are not ascending with a finite weight above zero each")]
    Saved,
    /// More texts than 32 bits can count.
    #[error(transparent)]
    Matrix(#[from] SparseError),
}

impl Options {
    fn check(&self) -> Result<(), TextError> {
        let (min, max) = self.ngrams;
        if min == 0 || min > max || max > MOST_WORDS {
            return Err(TextError::Ngrams { min, max });
        }
        for limit in [self.min_document_frequency, self.max_document_frequency] {
            match limit {
                Frequency::Share(share) if !(0.0..=1.0).contains(&share) => return Err(TextError::Share(share)),
                _ => {}
            }
        }
        Ok(())
    }
}
