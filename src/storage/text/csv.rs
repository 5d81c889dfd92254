//! The fields of a record of CSV.

use std::borrow::Cow;

use super::raw::Raw;
use crate::storage::Csv;

/// A record whose quotes cannot be paired, or with text after a closing one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadQuotes;

/// Appends the fields of a record. A quoted field is never null.
pub(super) fn fields<'a>(record: &'a str, csv: &Csv, out: &mut Vec<Raw<'a>>) -> Result<(), BadQuotes> {
    let delimiter = char::from(csv.delimiter);
    let quote = csv.quote.map(char::from);
    let mut rest = record;
    loop {
        let quoted = quote.and_then(|quote| Some((quote, rest.strip_prefix(quote)?)));
        let after = match quoted {
            Some((quote, inside)) => {
                let (text, after) = unquoted(inside, quote)?;
                out.push(Raw::Text(text));
                after
            }
            None => {
                let end = rest.find(delimiter).unwrap_or(rest.len());
                let (text, after) = rest.split_at_checked(end).ok_or(BadQuotes)?;
                let is_null = csv.null_values.iter().any(|null| null == text);
                out.push(if is_null { Raw::Null } else { Raw::Text(Cow::Borrowed(text)) });
                after
            }
        };
        if after.is_empty() {
            return Ok(());
        }
        rest = after.strip_prefix(delimiter).ok_or(BadQuotes)?;
    }
}

/// The text up to the closing quote, and what follows that.
fn unquoted(inside: &str, quote: char) -> Result<(Cow<'_, str>, &str), BadQuotes> {
    let mut text = String::new();
    let mut rest = inside;
    loop {
        let (before, after) = rest.split_once(quote).ok_or(BadQuotes)?;
        match after.strip_prefix(quote) {
            Some(further) => {
                text.push_str(before);
                text.push(quote);
                rest = further;
            }
            None if text.is_empty() => return Ok((Cow::Borrowed(before), after)),
            None => {
                text.push_str(before);
                return Ok((Cow::Owned(text), after));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(record: &str) -> Result<Vec<Option<String>>, BadQuotes> {
        let nulls = vec![String::new(), "NA".to_owned()];
        let csv = Csv { delimiter: b',', quote: Some(b'"'), names: None, null_values: nulls };
        let mut out = Vec::new();
        fields(record, &csv, &mut out)?;
        Ok(out.iter().map(|raw| raw.text().map(str::to_owned)).collect())
    }

    fn some(fields: &[&str]) -> Result<Vec<Option<String>>, BadQuotes> {
        Ok(fields.iter().map(|field| Some((*field).to_owned())).collect())
    }

    #[test]
    fn fields_are_those_of_rfc_4180() {
        assert_eq!(split("a,b,c"), some(&["a", "b", "c"]));
        assert_eq!(split("\"a,b\",\"say \"\"hi\"\"\",\"x\ny\""), some(&["a,b", "say \"hi\"", "x\ny"]));
        assert_eq!(split("Screen 15\" black,ß"), some(&["Screen 15\" black", "ß"]));
        assert_eq!(split("\"\",\"\"\"\""), some(&["", "\""]));
    }

    #[test]
    fn only_what_is_not_quoted_is_null() {
        assert_eq!(split(",NA,\"NA\","), Ok(vec![None, None, Some("NA".to_owned()), None]));
    }

    #[test]
    fn quotes_that_do_not_pair_are_found() {
        for record in ["\"a", "\"a\"b,c", "a,\"b\"\"", "\"a\" ,b"] {
            assert_eq!(split(record), Err(BadQuotes), "{record}");
        }
    }
}
