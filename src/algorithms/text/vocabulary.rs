//! Terms with their weights, learned from texts.

use super::tokens::Words;
use super::{Options, TextError, stop_words};
use crate::algorithms::input::InputError;
use crate::algorithms::sparse::{Csr, SparseError};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Texts handled by a thread at a time.
const BLOCK_TEXTS: usize = 512;

/// The terms of some texts, in the order of their code points, and how telling each is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Vocabulary {
    saved: Saved,
    /// The place of each term.
    places: HashMap<String, u32>,
    stop_words: HashSet<String>,
}

/// What of a vocabulary is kept in a file; the rest follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    options: Options,
    terms: Vec<String>,
    idf: Vec<f64>,
}

/// In how many texts a term was found, and the last of them.
struct Found {
    texts: u32,
    last: u32,
}

impl Vocabulary {
    /// Learns terms from texts; a missing text is an empty one.
    ///
    /// idf(t) = ln((1 + n) / (1 + df(t))) + 1 of n texts of which df(t) have the term, as
    /// scikit-learn's `TfidfVectorizer` with its default `smooth_idf`. What is kept is bounded by
    /// `max_terms`; while learning, memory is in proportion to the distinct n-grams. Errors when an
    /// option makes no sense and when no term is left.
    pub fn fit<'a, T>(texts: impl IntoIterator<Item = T>, options: &Options) -> Result<Self, TextError>
    where
        T: Into<Option<&'a str>>,
    {
        options.check()?;
        let texts = collected(texts);
        if texts.len() > u32::MAX as usize {
            return Err(SparseError::from(InputError::TooLarge(texts.len())).into());
        }
        let stop_words = stop_words::all(&options.stop_words, &options.languages);
        let found = count(&texts, options, &stop_words);
        let distinct = found.len();
        let least = options.min_document_frequency.of(texts.len());
        let most = options.max_document_frequency.of(texts.len());
        let within = |texts: u32| (least..=most).contains(&f64::from(texts));
        let counts = found.into_iter().map(|(term, found)| (term, found.texts));
        let mut kept: Vec<(String, u32)> = counts.filter(|(_, texts)| within(*texts)).collect();
        if kept.len() > options.max_terms {
            kept.par_sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            kept.truncate(options.max_terms);
        }
        if kept.is_empty() {
            return Err(TextError::NoTerms { texts: texts.len(), found: distinct });
        }
        kept.par_sort_unstable();
        let idf = |texts_with: u32| ((1.0 + texts.len() as f64) / (1.0 + f64::from(texts_with))).ln() + 1.0;
        let idf = kept.iter().map(|(_, texts_with)| idf(*texts_with)).collect();
        let terms = kept.into_iter().map(|(term, _)| term).collect();
        Self::try_from(Saved { options: options.clone(), terms, idf })
    }

    /// The terms, ascending by code points.
    pub fn terms(&self) -> &[String] {
        &self.saved.terms
    }

    /// The weight of each term, at least 1: the rarer the term, the higher.
    pub fn idf(&self) -> &[f64] {
        &self.saved.idf
    }

    /// Texts × terms: tf · idf, each row of Euclidean length 1. A text without a known term has an
    /// empty row. Errors on more texts than 32 bits can count.
    pub fn transform<'a, T>(&self, texts: impl IntoIterator<Item = T>) -> Result<Csr, SparseError>
    where
        T: Into<Option<&'a str>>,
    {
        let texts = collected(texts);
        let blocks: Vec<Rows> = texts.par_chunks(BLOCK_TEXTS).map(|texts| self.rows(texts)).collect();
        let entries = blocks.iter().map(|block| block.indices.len()).sum();
        let mut starts = Vec::with_capacity(texts.len() + 1);
        let (mut indices, mut values) = (Vec::with_capacity(entries), Vec::with_capacity(entries));
        starts.push(0);
        for block in blocks {
            starts.extend(block.ends.iter().map(|end| indices.len() + end));
            indices.extend(block.indices);
            values.extend(block.values);
        }
        Csr::from_rows(self.saved.terms.len(), starts, indices, values)
    }

    /// The rows of some texts.
    fn rows(&self, texts: &[&str]) -> Rows {
        let mut rows = Rows { ends: Vec::with_capacity(texts.len()), indices: Vec::new(), values: Vec::new() };
        let (mut words, mut places) = (Words::default(), Vec::new());
        for text in texts {
            words.split(text, |word| !self.stop_words.contains(word));
            places.clear();
            places.extend(words.ngrams(self.saved.options.ngrams).filter_map(|term| self.places.get(term)));
            places.sort_unstable();
            self.push_row(&places, &mut rows);
        }
        rows
    }

    /// Adds the row of one text, of which the places of terms ascend, with repetitions.
    fn push_row(&self, places: &[u32], rows: &mut Rows) {
        let start = rows.values.len();
        for same in places.chunk_by(|a, b| a == b) {
            let (place, times) = (same[0], same.len() as f64);
            let frequency = if self.saved.options.sublinear { 1.0 + times.ln() } else { times };
            rows.indices.push(place);
            rows.values.push(frequency * self.saved.idf[place as usize]);
        }
        let values = &mut rows.values[start..];
        let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        values.iter_mut().for_each(|value| *value /= length);
        rows.ends.push(rows.values.len());
    }
}

/// Rows of some texts, one after another.
struct Rows {
    /// Where each ends.
    ends: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
}

impl TryFrom<Saved> for Vocabulary {
    type Error = TextError;

    fn try_from(saved: Saved) -> Result<Self, TextError> {
        saved.options.check()?;
        let ascend = saved.terms.windows(2).all(|pair| pair[0] < pair[1]);
        let sound = |idf: &f64| idf.is_finite() && *idf > 0.0;
        if !ascend || saved.terms.len() != saved.idf.len() || !saved.idf.iter().all(sound) {
            return Err(TextError::Saved);
        }
        let places = saved.terms.iter().cloned().zip(0..).collect();
        let stop_words = stop_words::all(&saved.options.stop_words, &saved.options.languages);
        Ok(Self { saved, places, stop_words })
    }
}

impl From<Vocabulary> for Saved {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.saved
    }
}

fn collected<'a, T: Into<Option<&'a str>>>(texts: impl IntoIterator<Item = T>) -> Vec<&'a str> {
    texts.into_iter().map(|text| text.into().unwrap_or_default()).collect()
}

/// In how many texts each term is. Counts are whole, so the order in which they are added does not
/// matter.
fn count(texts: &[&str], options: &Options, stop_words: &HashSet<String>) -> HashMap<String, Found> {
    let blocks = texts.par_chunks(BLOCK_TEXTS).enumerate();
    let partial = blocks.fold(HashMap::new, |mut found: HashMap<String, Found>, (block, texts)| {
        let mut words = Words::default();
        for (text, number) in texts.iter().zip((block * BLOCK_TEXTS) as u32..) {
            words.split(text, |word| !stop_words.contains(word));
            for term in words.ngrams(options.ngrams) {
                match found.get_mut(term) {
                    Some(known) if known.last == number => {}
                    Some(known) => *known = Found { texts: known.texts + 1, last: number },
                    None => {
                        found.insert(term.to_owned(), Found { texts: 1, last: number });
                    }
                }
            }
        }
        found
    });
    partial.reduce(HashMap::new, |a, b| {
        let (mut more, fewer) = if a.len() < b.len() { (b, a) } else { (a, b) };
        for (term, found) in fewer {
            more.entry(term).or_insert(Found { texts: 0, last: 0 }).texts += found.texts;
        }
        more
    })
}
