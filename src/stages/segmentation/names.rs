//! Names of the segments in plain words, from what sets them apart.

use std::borrow::Cow;

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

/// From so many deviations off the mean of all on a column is worth a word: a medium effect (Cohen 1988).
const WORTH_MIN: f64 = 0.5;
/// A name is kept while each of its words is worth that much still, so that it does not change with every night.
const KEPT_MIN: f64 = 0.25;
/// And one of no words is kept until a column is worth that much, for the same reason.
const AVERAGE_MAX: f64 = 0.75;
/// Words of a name, but for those that tell it from another.
const WORDS_MAX: usize = 3;
/// Where no column is worth a word.
const AVERAGE: &str = "average";
/// What a column is called, and its words for less and for more. All others are `low` and `high`.
const WORDS: [(&str, [&str; 2]); 3] =
    [("recency", ["recent", "lapsed"]), ("frequency", ["rare", "frequent"]), ("orders", ["rare", "frequent"])];

/// A segment's name, and what it says: columns, and whether the segment has more of them than all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub text: String,
    pub says: Vec<(String, bool)>,
}

/// A name for each segment, unlike the others. `deviations` (segments × columns) says how far the segment's mean
/// lies from that of all rows, in the column's deviations. What a segment was called on an earlier night (`kept`, one a
/// segment) it is called still while that is true of it.
pub fn names(columns: &[String], deviations: ArrayView2<'_, f64>, kept: &[Option<Name>]) -> Vec<Name> {
    let is_true = |(name, segment): (&Name, ArrayView1<'_, f64>)| {
        name.says.iter().all(|(column, more)| {
            let place = columns.iter().position(|name| name == column);
            let deviation = place.and_then(|place| segment.get(place)).copied().unwrap_or_default();
            deviation.abs() >= KEPT_MIN && (deviation > 0.0) == *more
        }) && (!name.says.is_empty() || segment.iter().all(|deviation| deviation.abs() < AVERAGE_MAX))
    };
    let mut taken: Vec<String> = Vec::new();
    let mut names: Vec<Option<Name>> = Vec::with_capacity(deviations.nrows());
    for (place, segment) in deviations.rows().into_iter().enumerate() {
        let name = kept.get(place).and_then(Option::as_ref).filter(|name| is_true((name, segment)));
        taken.extend(name.map(|name| name.text.clone()));
        names.push(name.cloned());
    }
    let segments = deviations.rows().into_iter().zip(names);
    let named = segments.map(|(segment, name)| {
        name.unwrap_or_else(|| {
            let words = words(columns, segment);
            let (text, count) = unlike(&taken, &words);
            taken.push(text.clone());
            let said = words.iter().take(count).filter_map(|(place, _)| Some((*place, segment.get(*place)?)));
            let says = said.filter_map(|(place, deviation)| Some((columns.get(place)?.clone(), *deviation > 0.0)));
            Name { text, says: says.collect() }
        })
    });
    named.collect()
}

/// The words that a segment deserves with the places of their columns, the strongest first.
fn words(columns: &[String], deviations: ArrayView1<'_, f64>) -> Vec<(usize, String)> {
    let worth = deviations.iter().zip(columns).enumerate();
    let mut worth: Vec<_> = worth.filter(|(_, (deviation, _))| deviation.abs() >= WORTH_MIN).collect();
    // Stable: of equally strong ones the first column comes first.
    worth.sort_by(|(_, (a, _)), (_, (b, _))| b.abs().total_cmp(&a.abs()));
    worth.into_iter().map(|(place, (deviation, column))| (place, word(column, *deviation > 0.0))).collect()
}

fn word(column: &str, more: bool) -> String {
    let called = readable(column);
    match WORDS.iter().find(|(name, _)| called.eq_ignore_ascii_case(name)) {
        Some((_, [_, high])) if more => (*high).to_owned(),
        Some((_, [low, _])) => (*low).to_owned(),
        None => format!("{} {called}", if more { "high" } else { "low" }),
    }
}

/// The column's name as words, without the unit of days at its end: `tenure_days` is `tenure`.
fn readable(column: &str) -> Cow<'_, str> {
    let mut parts: Vec<&str> = column.split(|letter: char| !letter.is_alphanumeric()).collect();
    parts.retain(|part| !part.is_empty());
    if parts.len() > 1 && parts.last().is_some_and(|part| part.eq_ignore_ascii_case("days")) {
        parts.pop();
    }
    if parts.is_empty() { Cow::Borrowed(column) } else { Cow::Owned(parts.join(" ")) }
}

/// As few words as tell it from the names that are taken, or a number where words run out; and how many words.
fn unlike(taken: &[String], words: &[(usize, String)]) -> (String, usize) {
    let fewest = words.len().min(WORDS_MAX);
    let of = |count: usize| joined(words.get(..count).unwrap_or_default());
    let longer = (fewest..=words.len()).map(|count| (of(count), count));
    let numbered = (2_usize..).map(|number| (format!("{} ({number})", of(fewest)), fewest));
    longer.chain(numbered).find(|(name, _)| !taken.contains(name)).unwrap_or_default()
}

/// In the order of the columns, so that the same words always read the same.
fn joined(words: &[(usize, String)]) -> String {
    let mut words: Vec<&(usize, String)> = words.iter().collect();
    words.sort_by_key(|(place, _)| *place);
    match words.as_slice() {
        [] => AVERAGE.to_owned(),
        words => words.iter().map(|(_, word)| word.as_str()).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    fn named(columns: &[&str], deviations: &Array2<f64>) -> Vec<String> {
        let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
        names(&columns, deviations.view(), &[]).into_iter().map(|name| name.text).collect()
    }

    #[test]
    fn a_name_is_kept_while_it_is_true() {
        let columns = ["recency_days".to_owned(), "orders".to_owned()];
        let first = names(&columns, array![[-0.9, 1.2], [0.8, -0.1]].view(), &[]);
        assert_eq!(first[0].text, "recent, frequent");
        assert_eq!(first[0].says, [("orders".to_owned(), true), ("recency_days".to_owned(), false)]);
        let kept: Vec<_> = first.iter().cloned().map(Some).collect();
        // Anew it would be `recent` only, and `lapsed, rare`.
        let moved = array![[-0.9, 0.3], [0.8, -0.6]];
        assert_eq!(names(&columns, moved.view(), &kept), first);
        assert_eq!(names(&columns, moved.view(), &[])[0].text, "recent");
        // No longer true, and one that a new segment would deserve.
        let other = names(&columns, array![[-0.9, 0.1], [0.8, 0.0], [0.9, 0.0]].view(), &kept);
        assert_eq!(other.iter().map(|name| name.text.as_str()).collect::<Vec<_>>(), ["recent", "lapsed", "lapsed (2)"]);
    }

    #[test]
    fn what_was_average_is_so_until_a_column_clearly_sets_it_apart() {
        let columns = ["recency_days".to_owned()];
        let first = names(&columns, array![[0.4]].view(), &[]);
        assert_eq!(first[0].text, "average");
        let kept: Vec<_> = first.iter().cloned().map(Some).collect();
        let tonight = |deviation: f64| names(&columns, array![[deviation]].view(), &kept)[0].text.clone();
        assert_eq!([tonight(0.6), tonight(-0.74), tonight(0.8)], ["average", "average", "lapsed"]);
        assert_eq!(names(&columns, array![[0.6]].view(), &[])[0].text, "lapsed");
    }

    #[test]
    fn the_three_strongest_in_the_order_of_the_columns() {
        let columns = ["recency_days", "orders", "spend", "average_order_value"];
        let deviations = array![[-0.9, 1.9, 2.0, 0.8], [1.5, -0.6, -0.4, -0.3], [0.1, -0.2, 0.49, -0.49]];
        assert_eq!(named(&columns, &deviations), ["recent, frequent, high spend", "lapsed, rare", "average"]);
    }

    #[test]
    fn columns_are_read_as_words() {
        let columns = ["Frequency", "tenure_days", "spend-90d", "客单价", "days", "_"];
        let words: Vec<String> = columns.iter().map(|column| word(column, true)).collect();
        assert_eq!(words, ["frequent", "high tenure", "high spend 90d", "high 客单价", "high days", "high _"]);
        assert_eq!(word("recency", false), "recent");
        assert_eq!(word("recency_days", true), "lapsed");
        assert_eq!(word("orders", false), "rare");
    }

    #[test]
    fn words_that_are_taken_get_one_more_or_a_number() {
        let columns = ["a", "b", "c", "d"];
        let deviations = array![[1.0, 1.0, 1.0, 0.9], [2.0, 2.0, 2.0, 1.5], [3.0, 3.0, 3.0, 2.0], [0.0; 4], [0.1; 4]];
        let found = named(&columns, &deviations);
        let base = "high a, high b, high c";
        assert_eq!(found[..3], [base.to_owned(), format!("{base}, high d"), format!("{base} (2)")]);
        assert_eq!(found[3..], ["average", "average (2)"]);
    }

    proptest! {
        #[test]
        fn names_are_unlike(signs in proptest::collection::vec(-1_i8..=1, 2 * 30)) {
            let deviations = Array2::from_shape_vec((30, 2), signs.into_iter().map(f64::from).collect()).unwrap();
            let mut found = named(&["a", "b"], &deviations);
            found.sort();
            found.dedup();
            prop_assert_eq!(found.len(), 30);
        }
    }
}
