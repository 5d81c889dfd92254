//! Texts to words.
//!
//! Word boundaries are those of Unicode (UAX #29), which cuts Han characters one by one; runs of
//! these are cut by jieba's dictionary instead. Words are in lower case.

use jieba_rs::Jieba;
use std::sync::LazyLock;
use unicode_segmentation::UnicodeSegmentation;

/// Loaded when the first Han character is met, once for the process.
static JIEBA: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// The words of a text in order, in lower case, with repetitions.
///
/// A word has a letter or a digit; numbers count. One character alone is no word, as in
/// scikit-learn, unless it is Han or of a script written without spaces (kana, Thai, Lao, Burmese,
/// Khmer), of which UAX #29 gives characters or short runs. Apart from these, words differ from
/// scikit-learn's default pattern where UAX #29 keeps what belongs together: `don't`, `3.5`,
/// `1,000`. Kanji are cut by the Chinese dictionary too. Letters are not composed or stripped
/// of accents.
pub fn words(text: &str) -> Vec<String> {
    let mut found = Words::default();
    found.split(text, |_| true);
    (0..found.spans.len()).filter_map(|word| found.ngram(word, 1)).map(str::to_owned).collect()
}

/// The words of one text, kept side by side so that an n-gram is a slice.
#[derive(Default)]
pub(super) struct Words {
    /// The words with a space between.
    joined: String,
    /// Where each begins and ends in it.
    spans: Vec<(usize, usize)>,
}

impl Words {
    /// Replaces what is held by the words of a text that `keep` keeps.
    pub(super) fn split(&mut self, text: &str, keep: impl Fn(&str) -> bool) {
        self.joined.clear();
        self.spans.clear();
        let text = text.to_lowercase();
        if text.is_ascii() {
            text.unicode_words().for_each(|word| self.push(word, &keep));
        } else {
            self.split_runs(&text, &keep);
        }
    }

    /// All n-grams of `min` to `max` words; none when the text has fewer words.
    pub(super) fn ngrams(&self, (min, max): (usize, usize)) -> impl Iterator<Item = &str> {
        let most = max.min(self.spans.len());
        (min..=most)
            .flat_map(move |length| (0..=self.spans.len() - length).filter_map(move |at| self.ngram(at, length)))
    }

    fn ngram(&self, at: usize, length: usize) -> Option<&str> {
        let (start, _) = self.spans.get(at)?;
        let (_, end) = self.spans.get(at + length - 1)?;
        self.joined.get(*start..*end)
    }

    fn push(&mut self, word: &str, keep: &impl Fn(&str) -> bool) {
        if is_long_enough(word) && word.contains(char::is_alphanumeric) && keep(word) {
            if !self.joined.is_empty() {
                self.joined.push(' ');
            }
            let start = self.joined.len();
            self.joined.push_str(word);
            self.spans.push((start, self.joined.len()));
        }
    }

    /// Han characters, and what is ASCII and touches them, go to the dictionary together: it has
    /// words such as "T恤" and "SIM卡".
    fn split_runs(&mut self, text: &str, keep: &impl Fn(&str) -> bool) {
        let (mut run, mut has_han) = (0..0, false);
        for (start, word) in text.unicode_word_indices() {
            let han = word.starts_with(is_han);
            let joins = han || word.is_ascii();
            if !joins || start != run.end {
                self.push_run(&text[run.clone()], has_han, keep);
                (run, has_han) = (start..start, false);
            }
            if joins {
                run.end = start + word.len();
                has_han |= han;
            } else {
                self.push(word, keep);
            }
        }
        self.push_run(&text[run], has_han, keep);
    }

    fn push_run(&mut self, run: &str, has_han: bool, keep: &impl Fn(&str) -> bool) {
        if has_han {
            // The dictionary has its letters in upper case.
            let run = run.to_ascii_uppercase();
            for token in JIEBA.cut(&run, true) {
                self.push(&token.word.to_ascii_lowercase(), keep);
            }
        } else if !run.is_empty() {
            self.push(run, keep);
        }
    }
}

fn is_long_enough(word: &str) -> bool {
    let mut characters = word.chars();
    match (characters.next(), characters.next()) {
        (Some(only), None) => is_han(only) || is_of_a_script_without_spaces(only),
        (first, _) => first.is_some(),
    }
}

/// Ideographs with their extensions, and the marks 々 and 〇 that stand for one.
fn is_han(character: char) -> bool {
    matches!(character, '々' | '〇' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

fn is_of_a_script_without_spaces(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}')
}
