//! Words too common to tell texts apart.

use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A language with a built-in list of stop words. The lists are short on purpose: a word that is
/// common in some texts only is left to the limit on document frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Articles, pronouns, prepositions, conjunctions and auxiliaries.
    English,
    /// Particles, pronouns, prepositions, conjunctions and common adverbs, in simplified and
    /// traditional characters.
    Chinese,
}

impl Language {
    /// Its stop words, in lower case.
    pub fn stop_words(self) -> impl Iterator<Item = &'static str> {
        let list = match self {
            Self::English => ENGLISH,
            Self::Chinese => CHINESE,
        };
        list.split_whitespace()
    }
}

const ENGLISH: &str = "a an the this that these those and or but nor so yet if then than as at by for from in into of \
    off on onto out over to up upon with without within about above after again against all also am any are aren't be \
    because been before being below between both can can't cannot could did didn't do does doesn't doing don't down \
    during each few further had has have having he her here hers him his how i i'm i've is isn't it it's its itself \
    just me more most my no not now only other our ours own same she should some such their theirs them there they \
    through too under until very was we were what when where which while who whom whose why will won't would you your \
    yours";

const CHINESE: &str = "的 了 和 是 在 有 也 就 都 而 及 与 與 或 着 著 把 被 让 讓 给 給 向 从 從 到 对 對 以 于 於 之 \
    其 此 这 這 那 哪 个 個 这个 這個 那个 那個 这些 這些 那些 我 你 您 他 她 它 我们 我們 你们 你們 他们 他們 她们 它们 \
    自己 什么 什麼 怎么 怎麼 为 為 为了 為了 因为 因為 所以 如果 但 但是 并 並 并且 並且 还 還 又 再 很 更 最 太 不 没 沒 \
    没有 沒有 吗 嗎 呢 吧 啊 呀 哦 地 得 等 能 会 會 可以 上 下 中 里 裡 们 們 将 將 由 则 則";

/// Everything that is no term.
pub(super) fn all(own: &[String], languages: &[Language]) -> HashSet<String> {
    let built_in = languages.iter().flat_map(|language| language.stop_words()).map(str::to_owned);
    own.iter().map(|word| word.to_lowercase()).chain(built_in).collect()
}
