//! Text to numbers: every distinct text of a column gets a code.

use polars::prelude::{PlHashMap, StringChunked};

/// The distinct texts of a column, in the order in which they came.
#[derive(Default)]
pub struct Dictionary {
    /// Texts of up to twelve bytes by the bytes of their view, which hold all of it.
    short: PlHashMap<u128, u32>,
    long: PlHashMap<String, u32>,
    /// By code; empty where texts are only told apart.
    texts: Vec<String>,
    keeps_texts: bool,
}

/// Long texts of a chunk whose views are remembered; a file that repeats a text repeats its view.
const REMEMBERED: usize = 1 << 16;

impl Dictionary {
    /// With `keeps_texts` the texts can be had back.
    pub fn new(keeps_texts: bool) -> Dictionary {
        Dictionary { keeps_texts, ..Dictionary::default() }
    }

    /// Appends the code of each text; that of a missing one means nothing.
    pub fn encode(&mut self, texts: &StringChunked, codes: &mut Vec<u32>) {
        for chunk in texts.downcast_iter() {
            // The same row after row, as of the lines of an order, is not looked up again.
            let mut last: Option<(u128, u32)> = None;
            let mut views: PlHashMap<u128, u32> = PlHashMap::default();
            for (view, text) in chunk.views().iter().zip(chunk.iter()) {
                let Some(text) = text else {
                    codes.push(0);
                    continue;
                };
                let bytes = view.as_u128();
                let code = match last {
                    Some((same, code)) if same == bytes => code,
                    _ if view.is_inline() => self.short(bytes, text),
                    _ => match views.get(&bytes) {
                        Some(code) => *code,
                        None => {
                            let code = self.long(text);
                            if views.len() < REMEMBERED {
                                views.insert(bytes, code);
                            }
                            code
                        }
                    },
                };
                last = Some((bytes, code));
                codes.push(code);
            }
        }
    }

    fn short(&mut self, bytes: u128, text: &str) -> u32 {
        let next = (self.short.len() + self.long.len()) as u32;
        let code = *self.short.entry(bytes).or_insert(next);
        if code == next && self.keeps_texts {
            self.texts.push(text.to_owned());
        }
        code
    }

    fn long(&mut self, text: &str) -> u32 {
        if let Some(code) = self.long.get(text) {
            return *code;
        }
        let next = (self.short.len() + self.long.len()) as u32;
        self.long.insert(text.to_owned(), next);
        if self.keeps_texts {
            self.texts.push(text.to_owned());
        }
        next
    }

    /// Puts the codes into the order of the texts, and gives these.
    pub fn sorted(self, codes: &mut [u32]) -> Vec<String> {
        sorted(self.texts, codes)
    }
}

/// Sorts distinct keys and turns each code, which is a place among them, into its new place.
pub fn sorted<K: Ord>(keys: Vec<K>, codes: &mut [u32]) -> Vec<K> {
    let mut order: Vec<(K, u32)> = keys.into_iter().zip(0u32..).collect();
    order.sort_unstable();
    let mut ranks = vec![0u32; order.len()];
    for (rank, (_, code)) in (0u32..).zip(&order) {
        if let Some(slot) = ranks.get_mut(*code as usize) {
            *slot = rank;
        }
    }
    for code in codes {
        *code = ranks.get(*code as usize).copied().unwrap_or(0);
    }
    order.into_iter().map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ChunkedArray, StringType};

    use super::*;

    #[test]
    fn equal_texts_get_equal_codes_and_come_back_in_order() {
        let long = "a text of more than twelve bytes";
        let texts = [Some("b"), Some(long), None, Some("b"), Some(""), Some(long), Some("a text of mo")];
        let mut chunked: StringChunked = texts.into_iter().collect();
        let more: ChunkedArray<StringType> = [Some(long), Some("b")].into_iter().collect();
        chunked.append(&more).unwrap();
        let mut dictionary = Dictionary::new(true);
        let mut codes = vec![];
        dictionary.encode(&chunked, &mut codes);
        let found = dictionary.sorted(&mut codes);
        assert_eq!(found, ["", "a text of mo", long, "b"]);
        assert_eq!((codes[0], codes[1], codes[4], codes[6]), (3, 2, 0, 1));
        assert_eq!((codes[3], codes[5], codes[7], codes[8]), (3, 2, 2, 3));
    }
}
