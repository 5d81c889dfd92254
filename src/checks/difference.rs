//! In what the columns of a table differ from those that are asked for: of a source's files from its contract, of a
//! stage's output from a check.

/// The columns that are there and not asked for, each between backticks; none where there are none.
pub fn extra(there: &[&str], asked: &[&str]) -> Option<String> {
    let extra: Vec<String> =
        there.iter().filter(|name| !asked.contains(name)).map(|name| format!("`{name}`")).collect();
    (!extra.is_empty()).then(|| extra.join(", "))
}

/// Of the columns that both have, the first place where they stand in another order: what is there, and what is asked
/// for instead.
pub fn reordered<'a>(there: &[&'a str], asked: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let found = there.iter().filter(|name| asked.contains(name));
    let wanted = asked.iter().filter(|name| there.contains(name));
    found.zip(wanted).find(|(found, wanted)| found != wanted).map(|(found, wanted)| (*found, *wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_one_side_has_is_no_other_order() {
        assert_eq!(extra(&["a", "b", "c", "d"], &["d", "b"]).as_deref(), Some("`a`, `c`"));
        assert_eq!(extra(&["a"], &["a", "b"]), None);
        assert_eq!(reordered(&["x", "a", "b", "y"], &["a", "z", "b"]), None);
        assert_eq!(reordered(&["c", "a", "b"], &["a", "b", "c"]), Some(("c", "a")));
        assert_eq!(reordered(&[], &["a"]), None);
    }
}
